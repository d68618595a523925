// The command line, without any import of Lodestar: its preset is fixed by an environment variable at import.
import {parseArgs} from 'node:util';

/**
 * @typedef {object} Options
 * @property {'anvil' | 'engine'} backend
 * @property {string} executionUrl
 * @property {string | undefined} engineUrl
 * @property {string | undefined} jwtSecret path of the file
 * @property {'minimal' | 'mainnet'} preset
 * @property {'electra' | 'fulu'} fork
 * @property {'prague' | 'osaka'} hardfork of the execution node
 * @property {number} validators
 * @property {number} secondsPerSlot
 * @property {number | undefined} genesisTime default: the timestamp of the execution node's first block
 * @property {Record<string, string>} config values of the chain's configuration that differ from the preset's
 * @property {number[]} ports one beacon endpoint each; 0 takes a free one
 * @property {number | undefined} rpcPort of the front that fills what the execution client's RPC lacks
 * @property {'manual' | 'realtime'} mode
 * @property {number} keepStates
 * @property {boolean} guarded end when standard input does
 * @property {number | undefined} executionPid ended with this process when it is guarded
 */

export const HELP = `The consensus half of a local Ethereum: one process, real states, blocks and signatures.

  node devnet/main.mjs --execution-url URL [options]

  --execution-url URL     JSON-RPC of the execution node
  --backend NAME          anvil (cheat codes, the default) or engine (Engine API)
  --engine-url URL        Engine API of the execution client (backend engine)
  --jwt-secret FILE       hex secret of the Engine API, where it asks for one
  --preset NAME           minimal (the default) or mainnet
  --fork NAME             fulu (the default) or electra
  --hardfork NAME         of the execution node: prague (the default) or osaka
  --validators N          validators at genesis with interop keys, 64
  --seconds-per-slot N    12
  --genesis-time N        Unix time; the execution node's first block where it is not given
  --config NAME=VALUE     a value of the chain's configuration, e.g. SHARD_COMMITTEE_PERIOD=64; may be repeated
  --ports N[,N]           beacon API endpoints, on 127.0.0.1; 0 takes a free port. Two by default
  --rpc-port N            a front for ethereumjs' JSON-RPC (pending tag, filters, fee suggestion)
  --mode NAME             manual (the default): POST /devnet/advance moves time; realtime: the clock does
  --keep-states N         states kept beside the finalised, justified and genesis ones, 256
  --guarded               end as soon as standard input is closed
  --execution-pid N       with --guarded: end this process too
  --help

Example:
  anvil --no-mining --init genesis.json --hardfork prague &
  node devnet/main.mjs --execution-url http://127.0.0.1:8545 --ports 5052,5053 --mode realtime
`;

export class UsageError extends Error {}

/** What a devnet needs to be quick; everything else is the preset's own. */
export const DEFAULT_CONFIG = Object.freeze({
  SHARD_COMMITTEE_PERIOD: '2',
  MIN_VALIDATOR_WITHDRAWABILITY_DELAY: '2',
  // with few validators the presets leave nothing of the churn to consolidations; now they have as much as the rest
  CHURN_LIMIT_QUOTIENT: '8',
  MAX_PER_EPOCH_ACTIVATION_EXIT_CHURN_LIMIT: '128000000000',
});

/**
 * @template {string} T
 * @param {string} name
 * @param {string} value
 * @param {readonly T[]} allowed
 * @returns {T}
 */
function choice(name, value, allowed) {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${name} ${value}: it is one of ${allowed.join(', ')}`);
  return found;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {number} least
 */
function whole(name, value, least = 0) {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number) || number < least) {
    throw new UsageError(`--${name} ${value}: it is a whole number of at least ${least}`);
  }
  return number;
}

/** @param {string[]} items */
function pairs(items) {
  /** @type {Record<string, string>} */
  const found = {...DEFAULT_CONFIG};
  for (const item of items) {
    const [name, value, ...rest] = item.split('=');
    if (!name || value === undefined || rest.length) throw new UsageError(`--config ${item}: it is NAME=VALUE`);
    found[name] = value;
  }
  return found;
}

/**
 * @param {string[]} words
 * @returns {Options | null} null where help was asked for
 */
export function parseOptions(words) {
  let values;
  try {
    ({values} = parseArgs({
      args: words,
      options: {
        backend: {type: 'string', default: 'anvil'},
        'execution-url': {type: 'string'},
        'engine-url': {type: 'string'},
        'jwt-secret': {type: 'string'},
        preset: {type: 'string', default: 'minimal'},
        fork: {type: 'string', default: 'fulu'},
        hardfork: {type: 'string', default: 'prague'},
        validators: {type: 'string', default: '64'},
        'seconds-per-slot': {type: 'string', default: '12'},
        'genesis-time': {type: 'string'},
        config: {type: 'string', multiple: true, default: []},
        ports: {type: 'string', default: '0,0'},
        'rpc-port': {type: 'string'},
        mode: {type: 'string', default: 'manual'},
        'keep-states': {type: 'string', default: '256'},
        guarded: {type: 'boolean', default: false},
        'execution-pid': {type: 'string'},
        help: {type: 'boolean', default: false},
      },
    }));
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
  if (values.help) return null;
  if (!values['execution-url']) throw new UsageError('--execution-url is missing');
  const backend = choice('backend', values.backend, /** @type {const} */ (['anvil', 'engine']));
  if (backend === 'engine' && !values['engine-url']) throw new UsageError('--backend engine needs --engine-url');
  const optional = (/** @type {'genesis-time' | 'rpc-port' | 'execution-pid'} */ name) => {
    const value = values[name];
    return value === undefined ? undefined : whole(name, value);
  };
  return {
    backend,
    executionUrl: values['execution-url'],
    engineUrl: values['engine-url'],
    jwtSecret: values['jwt-secret'],
    preset: choice('preset', values.preset, /** @type {const} */ (['minimal', 'mainnet'])),
    fork: choice('fork', values.fork, /** @type {const} */ (['electra', 'fulu'])),
    hardfork: choice('hardfork', values.hardfork, /** @type {const} */ (['prague', 'osaka'])),
    validators: whole('validators', values.validators, 8),
    secondsPerSlot: whole('seconds-per-slot', values['seconds-per-slot'], 1),
    genesisTime: optional('genesis-time'),
    config: pairs(values.config),
    ports: values.ports.split(',').map((port) => whole('ports', port)),
    rpcPort: optional('rpc-port'),
    mode: choice('mode', values.mode, /** @type {const} */ (['manual', 'realtime'])),
    keepStates: whole('keep-states', values['keep-states'], 8),
    guarded: values.guarded,
    executionPid: optional('execution-pid'),
  };
}
