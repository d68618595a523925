// Puts the parts together. The last line of the start is `ready {...}`, for whoever started it.
import fs from 'node:fs';
import {setHasher} from '@chainsafe/persistent-merkle-tree';
import {hasher} from '@chainsafe/persistent-merkle-tree/hasher/hashtree';
import {createEndpoint} from './api/server.mjs';
import {anvilBackend} from './backends/anvil.mjs';
import {engineBackend} from './backends/engine.mjs';
import {Chain} from './chain.mjs';
import {installControls} from './controls.mjs';
import {Driver} from './driver.mjs';
import {Faults} from './faults.mjs';
import {createGenesis} from './genesis.mjs';
import {fromHex, hex, toNumber} from './hex.mjs';
import {KeyRing} from './keys.mjs';
import {OperationPool} from './pool.mjs';
import {Proposer} from './proposer.mjs';
import {connect} from './rpc.mjs';
import {createRpcFront} from './rpcfront.mjs';
import {chainConfig} from './spec.mjs';

const HOST = '127.0.0.1';

/** @param {import('./options.mjs').Options} options */
function backendOf(options, execution = connect(options.executionUrl)) {
  if (options.backend === 'anvil') return anvilBackend(execution);
  const secret = options.jwtSecret && fromHex(`0x${fs.readFileSync(options.jwtSecret, 'utf8').trim().replace(/^0x/, '')}`);
  return engineBackend(connect(/** @type {string} */ (options.engineUrl), secret || undefined), execution, options.hardfork);
}

/**
 * The chain at its first slot, and what moves it.
 * @param {import('./options.mjs').Options} options
 */
export async function createDriver(options) {
  setHasher(hasher); // native SHA-256, several times as fast
  const execution = connect(options.executionUrl);
  const block = await execution('eth_getBlockByNumber', '0x0', false);
  const config = chainConfig(options, toNumber(await execution('eth_chainId')));
  const genesisTime = options.genesisTime ?? toNumber(block.timestamp);
  const genesis = createGenesis(config, block, genesisTime, options.validators);
  const chain = new Chain(genesis.config, genesis.state, block.hash, options.keepStates);
  const proposer = new Proposer(chain, new KeyRing(options.validators), new OperationPool(), backendOf(options));
  return new Driver(proposer, options.mode);
}

/** @param {import('./options.mjs').Options} options */
export async function serve(options) {
  const driver = await createDriver(options);
  const {chain, proposer} = driver;
  const faults = options.ports.map(() => new Faults());
  const servers = faults.map((one) => createEndpoint(chain, proposer.pool, one));
  installControls(servers[0], driver, faults);
  const urls = [];
  for (const [i, server] of servers.entries()) urls.push(await server.listen({port: options.ports[i], host: HOST}));
  let rpcUrl = options.executionUrl;
  if (options.rpcPort !== undefined) {
    const front = createRpcFront(options.executionUrl, connect(options.executionUrl));
    rpcUrl = await front.listen({port: options.rpcPort, host: HOST});
    servers.push(front);
  }

  let stopping = false;
  /** @param {number} code */
  async function stop(code) {
    if (stopping) return;
    stopping = true;
    driver.stop();
    await Promise.race([
      Promise.allSettled(servers.map((server) => server.close())),
      new Promise((resolve) => setTimeout(resolve, 2000)),
    ]);
    process.exit(code);
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop(0));
  if (options.guarded) {
    process.stdin.resume();
    process.stdin.on('close', () => {
      if (options.executionPid) end(options.executionPid);
      void stop(0);
    });
  }
  console.log(
    `ready ${JSON.stringify({beacon_urls: urls, execution_url: rpcUrl, genesis_root: hex(chain.genesis.root), genesis_time: chain.genesisTime})}`,
  );
  if (options.mode === 'realtime') {
    driver.run().catch((error) => {
      console.error(error);
      void stop(1);
    });
  }
}

/** @param {number} pid */
function end(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // it has ended by itself
  }
}
