// The rewards routes of /eth/v1/beacon: what a block and an epoch pay, computed apart from the state transition.
import {SLOTS_PER_EPOCH} from '@lodestar/params';
import {
  computeAttestationsRewards,
  computeBlockRewards,
  computeStartSlotAtEpoch,
  computeSyncCommitteeRewards,
  processSlots,
} from '@lodestar/state-transition';
import {HttpError} from '../view.mjs';

/**
 * @param {import('../view.mjs').View} view
 * @returns {Record<string, (args: any) => Promise<any>>}
 */
export function rewardMethods(view) {
  const {chain} = view;

  /** @param {string | number} id of a block; its state before it */
  function before(id) {
    const entry = view.block(id);
    const parent = chain.parentOf(entry);
    const state = parent && chain.stateOf(parent);
    if (!state) throw new HttpError(404, `the state before slot ${entry.slot} is pruned`);
    return {entry, block: entry.block.message, state: processSlots(state, entry.slot)};
  }

  return {
    getBlockRewards: async ({blockId}) => {
      const {entry, block, state} = before(blockId);
      return {data: await computeBlockRewards(chain.config, block, state), meta: view.meta(entry)};
    },
    getSyncCommitteeRewards: async ({blockId, validatorIds}) => {
      const {entry, block, state} = before(blockId);
      const {pubkeyCache} = state.epochCtx;
      const data = await computeSyncCommitteeRewards(chain.config, pubkeyCache, block, state, validatorIds);
      return {data, meta: view.meta(entry)};
    },
    getAttestationsRewards: async ({epoch, validatorIds}) => {
      // an epoch's attestations are paid at the end of the next
      const last = computeStartSlotAtEpoch(epoch + 2) - 1;
      const entry = chain.notAfter(last);
      const state = chain.stateOf(entry);
      if (chain.slot < last || !state) throw new HttpError(404, `the rewards of epoch ${epoch} cannot be told now`);
      const at = entry.slot < last ? processSlots(state, last) : state.clone(true);
      if ((at.slot + 1) % SLOTS_PER_EPOCH !== 0) throw new Error(`slot ${at.slot} is not the last of its epoch`);
      const data = await computeAttestationsRewards(chain.config, at.epochCtx.pubkeyCache, at, validatorIds);
      return {data, meta: view.meta(entry)};
    },
  };
}
