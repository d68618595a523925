// The chain as one endpoint shows it: behind, pruned or with a false balance where its faults say so.
import {blockToHeader, computeEpochAtSlot} from '@lodestar/state-transition';
import {ssz} from '@lodestar/types';
import {hex} from './hex.mjs';

/**
 * @typedef {import('./chain.mjs').Entry} Entry
 * @typedef {import('./chain.mjs').State} State
 */

export class HttpError extends Error {
  /**
   * @param {number} statusCode
   * @param {string} message
   */
  constructor(statusCode, message) {
    super(message);
    this.statusCode = statusCode;
  }
}

export class View {
  /** @type {WeakMap<State, {change: import('./faults.mjs').Change, state: State}>} */
  #changed = new WeakMap();

  /**
   * @param {import('./chain.mjs').Chain} chain
   * @param {import('./faults.mjs').Faults} faults
   */
  constructor(chain, faults) {
    this.chain = chain;
    this.faults = faults;
  }

  get head() {
    const {lag} = this.faults.list;
    return lag ? this.chain.notAfter(this.chain.slot - lag) : this.chain.head;
  }

  /** The head's state as it is, for checkpoints and the epoch. */
  get #headState() {
    const state = this.chain.stateOf(this.head);
    if (!state) throw new HttpError(503, 'the head lags behind the states that are kept');
    return state;
  }

  get syncDistance() {
    return this.chain.slot - (this.faults.list.lag ? this.head.slot : this.chain.slot);
  }

  /**
   * @param {string | number} id head, genesis, finalized, justified, a slot or a root
   * @returns {Entry}
   */
  block(id) {
    const word = String(id);
    /** @type {Entry | undefined} */
    let entry;
    if (word === 'head') entry = this.head;
    else if (word === 'genesis') entry = this.chain.genesis;
    else if (word === 'finalized') entry = this.chain.checkpoint(this.#headState.finalizedCheckpoint);
    else if (word === 'justified') entry = this.chain.checkpoint(this.#headState.currentJustifiedCheckpoint);
    else if (/^0x[0-9a-f]{64}$/i.test(word)) entry = this.#byRoot(word.toLowerCase());
    else if (/^\d+$/.test(word)) entry = this.chain.at(Number(word));
    else throw new HttpError(400, `'${word}' names no block`);
    if (!entry || entry.slot > this.head.slot) throw new HttpError(404, `there is no block ${word}`);
    return entry;
  }

  /** @param {string} root */
  #byRoot(root) {
    if (!this.faults.list.disagree) return this.chain.byRoot(root);
    for (let entry = /** @type {Entry | undefined} */ (this.head); entry; entry = this.chain.parentOf(entry)) {
      if (hex(this.root(entry)) === root) return entry;
    }
    return undefined;
  }

  /**
   * @param {string | number} id a block's, or the root of a state
   * @returns {{entry: Entry, state: State}}
   */
  state(id) {
    const word = String(id);
    const entry = /^0x[0-9a-f]{64}$/i.test(word) ? this.#byStateRoot(word.toLowerCase()) : this.block(word);
    const state = this.chain.stateOf(entry);
    if (!state || (this.faults.list.prune && entry !== this.head)) {
      throw new HttpError(404, `the state of slot ${entry.slot} is pruned`);
    }
    const change = this.faults.list.wrong_balance ?? this.faults.list.disagree;
    return {entry, state: change ? this.#with(state, change) : state};
  }

  /** @param {string} root */
  #byStateRoot(root) {
    for (const [block, state] of this.chain.states()) {
      const entry = /** @type {Entry} */ (this.chain.byRoot(block));
      if (entry.slot <= this.head.slot && hex(state.hashTreeRoot()) === root) return entry;
    }
    throw new HttpError(404, `there is no state ${root}`);
  }

  /**
   * The header as it is shown, with its root.
   * @param {Entry} entry
   */
  header(entry) {
    const message = blockToHeader(this.chain.config, entry.block.message);
    const change = this.faults.list.disagree;
    const state = change && this.chain.stateOf(entry);
    if (state) message.stateRoot = this.#with(state, change).hashTreeRoot();
    return {
      root: ssz.phase0.BeaconBlockHeader.hashTreeRoot(message),
      canonical: true,
      header: {message, signature: entry.block.signature},
    };
  }

  /** @param {Entry} entry */
  root(entry) {
    return this.faults.list.disagree ? this.header(entry).root : entry.root;
  }

  /** @param {{epoch: number, root: Uint8Array}} checkpoint */
  checkpoint(checkpoint) {
    if (!this.faults.list.disagree || checkpoint.epoch === 0) return checkpoint;
    return {epoch: checkpoint.epoch, root: this.root(this.chain.checkpoint(checkpoint))};
  }

  /**
   * What every answer about a block or a state says besides.
   * @param {Entry} entry
   */
  meta(entry) {
    return {
      executionOptimistic: false,
      finalized: entry.slot <= this.chain.finalizedSlot(this.#headState),
      version: this.chain.config.getForkName(entry.slot),
    };
  }

  /** @param {State} state */
  epoch(state) {
    return computeEpochAtSlot(state.slot);
  }

  /**
   * @param {State} state
   * @param {import('./faults.mjs').Change} change
   */
  #with(state, change) {
    const known = this.#changed.get(state);
    if (known?.change === change) return known.state;
    if (change.index >= state.balances.length) return state;
    const changed = state.clone(true);
    changed.balances.set(change.index, Math.max(0, state.balances.get(change.index) + change.gwei));
    changed.commit();
    this.#changed.set(state, {change, state: changed});
    return changed;
  }
}
