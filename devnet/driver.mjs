// Time: slot after slot, by command or by the clock; one thing at a time.
import {SLOTS_PER_EPOCH} from '@lodestar/params';
import {hex} from './hex.mjs';

/** How far the clock may run ahead before time is taken to have stood still, e.g. while a laptop slept. */
const PATIENCE_SLOTS = 4;
const MOST_SLOTS = 100_000;

export class BadRequest extends Error {}

export class Driver {
  /** @type {Promise<unknown>} */
  #busy = Promise.resolve();
  /** Seconds that virtual time is ahead of the machine's clock. */
  #ahead = 0;
  #stopped = false;
  /** @type {Map<string, () => Promise<void>>} */
  #snapshots = new Map();
  #nextSnapshot = 1;

  /**
   * @param {import('./proposer.mjs').Proposer} proposer
   * @param {'manual' | 'realtime'} mode
   */
  constructor(proposer, mode) {
    this.proposer = proposer;
    this.chain = proposer.chain;
    this.mode = mode;
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  #alone(work) {
    const result = this.#busy.then(work);
    this.#busy = result.catch(() => {});
    return result;
  }

  /**
   * Let slots pass: first some without a block, then some with one each (where the proposer can).
   * @param {number} slots
   * @param {number} skip
   */
  advance(slots, skip = 0) {
    for (const [name, value] of Object.entries({slots, skip})) {
      if (!Number.isInteger(value) || value < 0 || value > MOST_SLOTS) {
        throw new BadRequest(`${name} is a whole number up to ${MOST_SLOTS}, not ${value}`);
      }
    }
    return this.#alone(async () => {
      this.chain.slot += skip;
      let blocks = 0;
      for (let i = 0; i < slots; i++) blocks += (await this.#next()) ? 1 : 0;
      if (this.mode === 'realtime') this.#ahead = this.#timeOf(this.chain.slot) - Date.now() / 1000;
      return {...this.status(), blocks};
    });
  }

  async #next() {
    const slot = this.chain.slot + 1;
    const entry = await this.proposer.propose(slot);
    this.chain.slot = slot;
    return entry;
  }

  status() {
    const {chain} = this;
    const state = chain.headState;
    return {
      slot: chain.slot,
      head_slot: chain.head.slot,
      head_root: hex(chain.head.root),
      finalized_epoch: state.finalizedCheckpoint.epoch,
      finalized_slot: chain.finalizedSlot(state),
      justified_epoch: state.currentJustifiedCheckpoint.epoch,
      slots_per_epoch: SLOTS_PER_EPOCH,
      mode: this.mode,
    };
  }

  /**
   * Drop the last blocks, as if another chain had won; slots stay behind without a block.
   * @param {number} depth
   */
  reorg(depth) {
    return this.#alone(async () => {
      const {chain, proposer} = this;
      if (!Number.isInteger(depth) || depth < 1) throw new BadRequest(`depth is a whole number of blocks, not ${depth}`);
      const finalized = chain.finalizedSlot(chain.headState);
      let target = chain.head;
      /** @type {Uint8Array[]} */
      let dropped = [];
      for (let i = 0; i < depth; i++) {
        const parent = chain.parentOf(target);
        if (!parent || parent.slot < finalized || !chain.stateOf(parent)) {
          throw new BadRequest(`${depth} blocks back is before the finalised slot ${finalized}`);
        }
        dropped = [...target.block.message.body.executionPayload.transactions, ...dropped];
        target = parent;
      }
      chain.rewind(target);
      proposer.keys.forgetIndices();
      await proposer.backend.rollback(depth, chain.forkchoice(chain.headState));
      for (const transaction of dropped) await proposer.backend.resend(hex(transaction));
      return this.status();
    });
  }

  snapshot() {
    return this.#alone(async () => {
      const {chain, proposer} = this;
      const backend = await proposer.backend.snapshot();
      const back = chain.snapshot();
      const id = String(this.#nextSnapshot++);
      this.#snapshots.set(id, async () => {
        await backend();
        back();
        proposer.keys.forgetIndices();
      });
      return {id};
    });
  }

  /** @param {string} id */
  revert(id) {
    return this.#alone(async () => {
      const back = this.#snapshots.get(id);
      if (!back) throw new BadRequest(`there is no snapshot ${id}`);
      await back();
      for (const other of [...this.#snapshots.keys()]) {
        if (Number(other) > Number(id)) this.#snapshots.delete(other); // anvil forgets them too
      }
      return this.status();
    });
  }

  // --- The clock ---

  /** @param {number} slot */
  #timeOf(slot) {
    return this.chain.genesisTime + slot * this.chain.config.SECONDS_PER_SLOT;
  }

  /** Follow the clock until stopped. */
  async run() {
    const seconds = this.chain.config.SECONDS_PER_SLOT;
    while (!this.#stopped) {
      const now = () => Date.now() / 1000 + this.#ahead;
      const due = Math.floor((now() - this.chain.genesisTime) / seconds);
      if (due - this.chain.slot > PATIENCE_SLOTS) this.#ahead -= this.#timeOf(due - 1) - this.#timeOf(this.chain.slot);
      else if (due > this.chain.slot) {
        await this.#alone(() => this.#next());
        continue;
      }
      const wait = this.#timeOf(this.chain.slot + 1) - now();
      await new Promise((resolve) => setTimeout(resolve, Math.min(1000, Math.max(5, wait * 1000))));
    }
    await this.#busy;
  }

  stop() {
    this.#stopped = true;
  }
}
