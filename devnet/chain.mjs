// What has happened: blocks, the states after them, the head. No fork choice: there is one proposer.
import {SLOTS_PER_EPOCH, ZERO_HASH as ZERO_ROOT} from '@lodestar/params';
import {computeStartSlotAtEpoch} from '@lodestar/state-transition';
import {ssz} from '@lodestar/types';
import {ZERO_HASH, hex} from './hex.mjs';

/**
 * @typedef {import('@lodestar/state-transition').CachedBeaconStateElectra} State
 * @typedef {import('@lodestar/types').electra.SignedBeaconBlock} SignedBlock
 *
 * @typedef {object} Entry
 * @property {number} slot
 * @property {Uint8Array} root
 * @property {SignedBlock} block
 * @property {string} executionHash
 */

export class Chain {
  /** @type {Map<string, Entry>} by root */
  #blocks = new Map();
  /** @type {Map<number, Entry>} the slots that have one */
  #bySlot = new Map();
  /** @type {Map<string, State>} by the root of the block; oldest first */
  #states = new Map();
  #keep;

  /**
   * @param {import('@lodestar/config').BeaconConfig} config
   * @param {State} state the first
   * @param {string} executionHash of the execution node's first block
   * @param {number} keep states
   */
  constructor(config, state, executionHash, keep) {
    this.config = config;
    this.genesisState = state;
    this.#keep = keep;
    /** The current slot, which may have no block. */
    this.slot = 0;
    const {BeaconBlock} = config.getForkTypes(0);
    const message = /** @type {SignedBlock['message']} */ (BeaconBlock.defaultValue());
    message.stateRoot = state.hashTreeRoot();
    const header = {...state.latestBlockHeader.toValue(), stateRoot: message.stateRoot};
    /** @type {Entry} */
    this.genesis = {
      slot: 0,
      root: ssz.phase0.BeaconBlockHeader.hashTreeRoot(header),
      block: {message, signature: new Uint8Array(96)},
      executionHash,
    };
    this.head = this.genesis;
    this.#insert(this.genesis, state);
  }

  get genesisTime() {
    return this.genesisState.genesisTime;
  }

  get headState() {
    return /** @type {State} */ (this.stateOf(this.head));
  }

  /** @param {number} slot */
  at(slot) {
    return this.#bySlot.get(slot);
  }

  /** @param {string} root */
  byRoot(root) {
    return this.#blocks.get(root);
  }

  /**
   * The state after a block; undefined where it was pruned.
   * @param {Entry} entry
   */
  stateOf(entry) {
    return this.#states.get(hex(entry.root));
  }

  /** @returns {IterableIterator<[string, State]>} */
  states() {
    return this.#states.entries();
  }

  /** @param {Entry} entry */
  parentOf(entry) {
    return this.#blocks.get(hex(entry.block.message.parentRoot));
  }

  /**
   * The newest block that is not after a slot.
   * @param {number} slot
   */
  notAfter(slot) {
    let entry = this.head;
    while (entry.slot > Math.max(0, slot)) entry = /** @type {Entry} */ (this.parentOf(entry));
    return entry;
  }

  /**
   * The block a checkpoint names; the first one while there is none yet.
   * @param {{epoch: number, root: Uint8Array}} checkpoint
   */
  checkpoint({root}) {
    return ssz.Root.equals(root, ZERO_ROOT) ? this.genesis : /** @type {Entry} */ (this.#blocks.get(hex(root)));
  }

  /** @param {State} state */
  finalizedSlot(state) {
    return computeStartSlotAtEpoch(state.finalizedCheckpoint.epoch);
  }

  /**
   * Head, safe and finalised block for the execution client.
   * @param {State} state
   */
  forkchoice(state) {
    const hash = (/** @type {{epoch: number, root: Uint8Array}} */ checkpoint) =>
      checkpoint.epoch === 0 ? ZERO_HASH : this.checkpoint(checkpoint).executionHash;
    return {
      headBlockHash: this.head.executionHash,
      safeBlockHash: hash(state.currentJustifiedCheckpoint),
      finalizedBlockHash: hash(state.finalizedCheckpoint),
    };
  }

  /**
   * @param {Entry} entry
   * @param {State} state after it
   */
  add(entry, state) {
    this.#insert(entry, state);
    this.head = entry;
    this.slot = Math.max(this.slot, entry.slot);
    this.#prune(state);
  }

  /**
   * Make an earlier block the head; those after it never were.
   * @param {Entry} entry
   */
  rewind(entry) {
    for (let gone = this.head; gone !== entry; gone = /** @type {Entry} */ (this.parentOf(gone))) {
      this.#bySlot.delete(gone.slot);
      this.#states.delete(hex(gone.root));
    }
    for (const [root, known] of this.#blocks) {
      if (known.slot > entry.slot) this.#blocks.delete(root);
    }
    this.head = entry;
  }

  /** All there is, to come back to. States are shared: nothing is copied but the tables. */
  snapshot() {
    const {head, slot} = this;
    const tables = /** @type {const} */ ([new Map(this.#blocks), new Map(this.#bySlot), new Map(this.#states)]);
    return () => {
      this.head = head;
      this.slot = slot;
      [this.#blocks, this.#bySlot, this.#states] = [new Map(tables[0]), new Map(tables[1]), new Map(tables[2])];
    };
  }

  /**
   * @param {Entry} entry
   * @param {State} state
   */
  #insert(entry, state) {
    const root = hex(entry.root);
    this.#blocks.set(root, entry);
    this.#bySlot.set(entry.slot, entry);
    this.#states.set(root, state);
  }

  /** @param {State} state */
  #prune(state) {
    const most = this.#keep + 3;
    if (this.#states.size <= most + SLOTS_PER_EPOCH) return;
    const kept = new Set(
      [this.genesis, this.checkpoint(state.finalizedCheckpoint), this.checkpoint(state.currentJustifiedCheckpoint)].map(
        (entry) => hex(entry.root),
      ),
    );
    for (const root of this.#states.keys()) {
      if (this.#states.size <= most) break;
      if (!kept.has(root)) this.#states.delete(root);
    }
  }
}
