// One block: built on the head, signed, verified as a stranger's would be, given to both halves.
import {DOMAIN_BEACON_PROPOSER, DOMAIN_RANDAO, ForkSeq} from '@lodestar/params';
import {
  DataAvailabilityStatus,
  ExecutionPayloadStatus,
  computeEpochAtSlot,
  computeSigningRoot,
  computeTimeAtSlot,
  getExpectedWithdrawals,
  getRandaoMix,
  processSlots,
  stateTransition,
  verifyProposerSignature,
} from '@lodestar/state-transition';
import {ssz} from '@lodestar/types';
import {attestations, syncAggregate} from './duties.mjs';
import {hex, quantity} from './hex.mjs';
import {payloadFromJson, requestsFromJson, withdrawalsToJson} from './payload.mjs';

/**
 * @typedef {import('@lodestar/state-transition').CachedBeaconStateElectra} State
 * @typedef {import('./backends/interface.mjs').Backend} Backend
 */

export const FEE_RECIPIENT = `0x${'fe'.repeat(20)}`;
const GRAFFITI = new Uint8Array(32);
new TextEncoder().encodeInto('sluice devnet', GRAFFITI);

export const EXTERNAL = {
  executionPayloadStatus: ExecutionPayloadStatus.valid,
  dataAvailabilityStatus: DataAvailabilityStatus.Available,
};

/** Milliseconds spent, by step. */
export class Stats {
  slots = 0;
  total = 0;
  slowest = 0;
  /** @type {Record<string, number>} */
  steps = {};

  /** @param {string} step */
  timer(step) {
    const start = performance.now();
    return () => {
      this.steps[step] = (this.steps[step] ?? 0) + performance.now() - start;
    };
  }

  toJson() {
    const mean = (/** @type {number} */ sum) => Number((sum / Math.max(1, this.slots)).toFixed(2));
    return {
      slots: this.slots,
      mean_ms: mean(this.total),
      slowest_ms: Number(this.slowest.toFixed(2)),
      steps_ms: Object.fromEntries(Object.entries(this.steps).map(([name, sum]) => [name, mean(sum)])),
      memory_mb: Math.round(process.memoryUsage().rss / 1e6),
    };
  }
}

export class Proposer {
  stats = new Stats();
  feeRecipient = FEE_RECIPIENT;

  /**
   * @param {import('./chain.mjs').Chain} chain
   * @param {import('./keys.mjs').KeyRing} keys
   * @param {import('./pool.mjs').OperationPool} pool
   * @param {Backend} backend
   */
  constructor(chain, keys, pool, backend) {
    this.chain = chain;
    this.keys = keys;
    this.pool = pool;
    this.backend = backend;
  }

  /**
   * @param {number} slot after the head's
   * @returns {Promise<import('./chain.mjs').Entry | null>} null where the slot is missed: its proposer is
   *   slashed, offline, or somebody whose key is not here
   */
  async propose(slot) {
    const {chain, keys, pool, backend, stats} = this;
    const start = performance.now();
    let stop = stats.timer('slots');
    const state = /** @type {State} */ (processSlots(chain.headState, slot));
    stop();
    const index = state.epochCtx.getBeaconProposer(slot);
    const secret = keys.onDuty(state, index);
    if (!secret || state.validators.getReadonly(index).slashed) return null;
    const parent = chain.head;

    stop = stats.timer('execution');
    const payloadId = await backend.start(chain.forkchoice(chain.headState), this.attributes(state, parent.root));
    stop();
    stop = stats.timer('duties');
    const votes = attestations(state, parent.slot, keys);
    const sync = syncAggregate(state, parent.root, keys);
    const operations = pool.select(state);
    stop();
    stop = stats.timer('execution');
    const payload = await backend.finish(payloadId);
    stop();

    stop = stats.timer('transition');
    const types = /** @type {typeof ssz.electra} */ (/** @type {unknown} */ (chain.config.getForkTypes(slot)));
    const domain = chain.config.getDomain(slot, DOMAIN_RANDAO, slot);
    /** @type {import('./chain.mjs').SignedBlock['message']} */
    const message = {
      slot,
      proposerIndex: index,
      parentRoot: parent.root,
      stateRoot: new Uint8Array(32),
      body: {
        ...types.BeaconBlockBody.defaultValue(),
        randaoReveal: secret.sign(computeSigningRoot(ssz.Epoch, computeEpochAtSlot(slot), domain)).toBytes(),
        eth1Data: state.eth1Data.toValue(),
        graffiti: GRAFFITI,
        ...operations,
        attestations: votes,
        syncAggregate: sync,
        executionPayload: payloadFromJson(payload.executionPayload),
        executionRequests: requestsFromJson(payload.executionRequests),
      },
    };
    /** @type {import('./chain.mjs').SignedBlock} */
    const block = {message, signature: new Uint8Array(96)};
    // every signature inside the block is verified here, as another node would; the root is what we find
    const after = /** @type {State} */ (
      stateTransition(state, block, {...EXTERNAL, verifyStateRoot: false, verifyProposer: false, verifySignatures: true})
    );
    message.stateRoot = after.hashTreeRoot();
    block.signature = secret
      .sign(computeSigningRoot(types.BeaconBlock, message, chain.config.getDomain(slot, DOMAIN_BEACON_PROPOSER, slot)))
      .toBytes();
    if (!verifyProposerSignature(chain.config, after.epochCtx.pubkeyCache, block)) {
      throw new Error(`slot ${slot}: the block's signature is not the proposer's`);
    }
    stop();

    stop = stats.timer('execution');
    await backend.accept(payload, hex(parent.root));
    const entry = {
      slot,
      root: types.BeaconBlock.hashTreeRoot(message),
      block,
      executionHash: payload.executionPayload.blockHash,
    };
    chain.add(entry, after);
    pool.prune(after);
    await backend.setHead(chain.forkchoice(after));
    stop();
    const took = performance.now() - start;
    stats.slots++;
    stats.total += took;
    stats.slowest = Math.max(stats.slowest, took);
    return entry;
  }

  /**
   * What the execution node needs to know for its block.
   * @param {State} state advanced to the slot
   * @param {Uint8Array} parentRoot
   */
  attributes(state, parentRoot) {
    const {expectedWithdrawals} = getExpectedWithdrawals(ForkSeq.electra, state);
    return {
      timestamp: quantity(computeTimeAtSlot(this.chain.config, state.slot, this.chain.genesisTime)),
      prevRandao: hex(getRandaoMix(state, state.epochCtx.epoch)),
      suggestedFeeRecipient: this.feeRecipient,
      withdrawals: withdrawalsToJson(expectedWithdrawals),
      parentBeaconBlockRoot: hex(parentRoot),
    };
  }
}
