// The routes of /eth/v1/beacon and /eth/v2/beacon; their paths, JSON and SSZ are @lodestar/api's.
import {computeEpochAtSlot, getRandaoMix} from '@lodestar/state-transition';
import {getValidatorStatus} from '@lodestar/types';
import {fromHex} from '../hex.mjs';
import {InvalidOperation} from '../pool.mjs';
import {HttpError} from '../view.mjs';

/**
 * @typedef {import('../view.mjs').View} View
 * @typedef {import('../chain.mjs').State} State
 */

/**
 * The indices that are meant; unknown ones are left out, as the standard says.
 * @param {State} state
 * @param {(string | number)[] | undefined} ids indices or public keys
 */
function indicesOf(state, ids) {
  const count = state.validators.length;
  if (!ids?.length) return Array.from({length: count}, (_, index) => index);
  return ids
    .map((id) => (String(id).startsWith('0x') ? state.epochCtx.getValidatorIndex(fromHex(String(id))) : Number(id)))
    .filter((index) => index !== null)
    .filter((index) => index < count);
}

/**
 * @param {View} view
 * @param {string | number} stateId
 * @param {(string | number)[] | undefined} ids
 * @param {string[]} [statuses]
 */
function validators(view, stateId, ids, statuses) {
  const {entry, state} = view.state(stateId);
  const epoch = computeEpochAtSlot(state.slot);
  const all = state.validators.getAllReadonlyValues();
  const balances = state.balances.getAll();
  const data = indicesOf(state, ids)
    .map((index) => ({
      index,
      balance: balances[index],
      status: getValidatorStatus(all[index], epoch),
      validator: all[index],
    }))
    .filter(({status}) => !statuses?.length || statuses.some((wanted) => status === wanted || status.startsWith(`${wanted}_`)));
  return {data, meta: view.meta(entry)};
}

/**
 * @param {View} view
 * @param {string | number} stateId
 * @param {(string | number)[] | undefined} ids
 */
function balances(view, stateId, ids) {
  const {data, meta} = validators(view, stateId, ids);
  return {data: data.map(({index, balance}) => ({index, balance})), meta};
}

/**
 * @param {View} view
 * @param {string | number} stateId
 * @param {(state: State) => unknown} read
 */
function ofState(view, stateId, read) {
  const {entry, state} = view.state(stateId);
  return {data: read(state), meta: view.meta(entry)};
}

/** @param {() => void} add */
async function submit(add) {
  try {
    add();
  } catch (error) {
    if (error instanceof InvalidOperation) throw new HttpError(400, error.message);
    throw error;
  }
  return {};
}

/**
 * @param {View} view
 * @param {import('../pool.mjs').OperationPool} pool
 * @returns {Record<string, (args: any, context?: any) => Promise<any>>}
 */
export function beaconMethods(view, pool) {
  const {chain} = view;
  const shown = (/** @type {import('../chain.mjs').Entry} */ entry) => {
    const {finalized} = view.meta(entry);
    return {executionOptimistic: false, finalized};
  };
  return {
    getGenesis: async () => ({
      data: {
        genesisTime: chain.genesisTime,
        genesisValidatorsRoot: chain.genesisState.genesisValidatorsRoot,
        genesisForkVersion: chain.config.GENESIS_FORK_VERSION,
      },
    }),

    getStateRoot: async ({stateId}) => ofState(view, stateId, (state) => ({root: state.hashTreeRoot()})),
    getStateFork: async ({stateId}) => ofState(view, stateId, (state) => state.fork.toValue()),
    getStateRandao: async ({stateId, epoch}) =>
      ofState(view, stateId, (state) => ({randao: getRandaoMix(state, epoch ?? computeEpochAtSlot(state.slot))})),
    getStateFinalityCheckpoints: async ({stateId}) =>
      ofState(view, stateId, (state) => ({
        previousJustified: view.checkpoint(state.previousJustifiedCheckpoint.toValue()),
        currentJustified: view.checkpoint(state.currentJustifiedCheckpoint.toValue()),
        finalized: view.checkpoint(state.finalizedCheckpoint.toValue()),
      })),
    getStateValidators: async ({stateId, validatorIds, statuses}) => validators(view, stateId, validatorIds, statuses),
    postStateValidators: async ({stateId, validatorIds, statuses}) => validators(view, stateId, validatorIds, statuses),
    getStateValidator: async ({stateId, validatorId}) => {
      const {data, meta} = validators(view, stateId, [validatorId]);
      if (!data.length) throw new HttpError(404, `there is no validator ${validatorId}`);
      return {data: data[0], meta};
    },
    getStateValidatorBalances: async ({stateId, validatorIds}) => balances(view, stateId, validatorIds),
    postStateValidatorBalances: async ({stateId, validatorIds}) => balances(view, stateId, validatorIds),
    getPendingDeposits: async ({stateId}) => ofState(view, stateId, (state) => state.pendingDeposits.toValue()),
    getPendingPartialWithdrawals: async ({stateId}) =>
      ofState(view, stateId, (state) => state.pendingPartialWithdrawals.toValue()),
    getPendingConsolidations: async ({stateId}) => ofState(view, stateId, (state) => state.pendingConsolidations.toValue()),

    getBlockHeaders: async ({slot, parentRoot}) => {
      if (parentRoot !== undefined) throw new HttpError(501, 'headers are found by slot here, not by parent');
      const entry = view.block(slot ?? 'head');
      return {data: [view.header(entry)], meta: shown(entry)};
    },
    getBlockHeader: async ({blockId}) => {
      const entry = view.block(blockId);
      return {data: view.header(entry), meta: shown(entry)};
    },
    getBlockV2: async ({blockId}) => {
      const entry = view.block(blockId);
      return {data: entry.block, meta: view.meta(entry)};
    },
    getBlockRoot: async ({blockId}) => {
      const entry = view.block(blockId);
      return {data: {root: view.root(entry)}, meta: shown(entry)};
    },

    getPoolVoluntaryExits: async () => ({data: pool.exits}),
    getPoolProposerSlashings: async () => ({data: pool.proposerSlashings}),
    getPoolBLSToExecutionChanges: async () => ({data: pool.changes}),
    submitPoolVoluntaryExit: ({signedVoluntaryExit}) => submit(() => pool.addExit(chain.headState, signedVoluntaryExit)),
    submitPoolProposerSlashings: ({proposerSlashing}) =>
      submit(() => pool.addProposerSlashing(chain.headState, proposerSlashing)),
    submitPoolAttesterSlashingsV2: ({attesterSlashing}) =>
      submit(() => pool.addAttesterSlashing(chain.headState, attesterSlashing)),
    submitPoolBLSToExecutionChange: ({blsToExecutionChanges}) =>
      submit(() => blsToExecutionChanges.forEach((/** @type {any} */ one) => pool.addChange(chain.headState, one))),
  };
}
