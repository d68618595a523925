// The configuration of the chain: every fork from the first slot on, the clock, and what the command line changes.
import {chainConfigFromJson, chainConfigTypes} from '@lodestar/config';
import {mainnetChainConfig, minimalChainConfig} from '@lodestar/config/configs';
import {fromHex} from './hex.mjs';
import {UsageError} from './options.mjs';

export const DEPOSIT_CONTRACT = '0x00000000219ab540356cbb839cbe05303d7705fa';

const FORKS = /** @type {const} */ (['ALTAIR', 'BELLATRIX', 'CAPELLA', 'DENEB', 'ELECTRA', 'FULU', 'GLOAS', 'HEZE']);

/**
 * @param {Pick<import('./options.mjs').Options, 'preset' | 'fork' | 'secondsPerSlot' | 'config'>} options
 * @param {number} chainId
 * @returns {import('@lodestar/config').ChainConfig}
 */
export function chainConfig(options, chainId) {
  for (const name of Object.keys(options.config)) {
    if (!(name in chainConfigTypes)) throw new UsageError(`--config ${name}: no such value in the configuration`);
  }
  const last = FORKS.indexOf(options.fork === 'fulu' ? 'FULU' : 'ELECTRA');
  /** @type {Record<string, unknown>} */
  const forks = {};
  FORKS.forEach((name, i) => {
    forks[`${name}_FORK_EPOCH`] = i <= last ? 0 : Infinity;
    // never mainnet's: what is signed here must be worth nothing there
    forks[`${name}_FORK_VERSION`] = minimalChainConfig[`${name}_FORK_VERSION`];
  });
  return {
    ...(options.preset === 'minimal' ? minimalChainConfig : mainnetChainConfig),
    ...forks,
    GENESIS_FORK_VERSION: minimalChainConfig.GENESIS_FORK_VERSION,
    CONFIG_NAME: 'sluice-devnet',
    GENESIS_DELAY: 0,
    SECONDS_PER_SLOT: options.secondsPerSlot,
    SLOT_DURATION_MS: options.secondsPerSlot * 1000,
    TERMINAL_TOTAL_DIFFICULTY: 0n,
    DEPOSIT_CHAIN_ID: chainId,
    DEPOSIT_NETWORK_ID: chainId,
    DEPOSIT_CONTRACT_ADDRESS: fromHex(DEPOSIT_CONTRACT),
    BLOB_SCHEDULE: [],
    .../** @type {object} */ (chainConfigFromJson(options.config)),
  };
}
