// The routes of /eth/v1/config, /eth/v1/node and /eth/v2/debug.
import {chainConfigToJson, specValuesToJson} from '@lodestar/config';
import {activePreset} from '@lodestar/params';

const VERSION = 'sluice-devnet/0.1 (lodestar state transition 1.46.0)';

/** @typedef {Record<string, (args: any, context?: any) => Promise<any>>} Methods */

/**
 * @param {import('../view.mjs').View} view
 * @returns {Methods}
 */
export function configMethods({chain: {config}}) {
  return {
    getForkSchedule: async () => ({
      data: Object.values(config.forks)
        .filter((fork) => fork.epoch !== Infinity)
        .map(({prevVersion, version, epoch}) => ({previousVersion: prevVersion, currentVersion: version, epoch})),
    }),
    getSpec: async () => ({data: {...specValuesToJson(activePreset), ...chainConfigToJson(config)}}),
    getDepositContract: async () => ({
      data: {chainId: config.DEPOSIT_CHAIN_ID, address: config.DEPOSIT_CONTRACT_ADDRESS},
    }),
  };
}

/**
 * @param {import('../view.mjs').View} view
 * @returns {Methods}
 */
export function debugMethods(view) {
  return {
    getStateV2: async ({stateId}, context) => {
      const {entry, state} = view.state(stateId);
      return {data: context?.returnBytes ? state.serialize() : state.toValue(), meta: view.meta(entry)};
    },
    getDebugChainHeadsV2: async () => ({
      data: [{root: view.root(view.head), slot: view.head.slot, executionOptimistic: false}],
    }),
  };
}

/**
 * @param {import('../view.mjs').View} view
 * @returns {Methods}
 */
export function nodeMethods(view) {
  return {
    getNodeVersion: async () => ({data: {version: VERSION}}),
    getSyncingStatus: async () => ({
      data: {
        headSlot: view.head.slot,
        syncDistance: view.syncDistance,
        isSyncing: view.syncDistance > 0,
        isOptimistic: false,
        elOffline: false,
      },
    }),
    getHealth: async () => ({status: view.syncDistance > 0 ? 206 : 200}),
    getPeerCount: async () => ({data: {disconnected: 0, connecting: 0, connected: 0, disconnecting: 0}}),
  };
}
