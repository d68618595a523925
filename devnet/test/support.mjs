// A real anvil under a driver of its own. The preset is fixed before Lodestar is imported: every test imports this first.
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {parseOptions} from '../options.mjs';

process.env.LODESTAR_PRESET = 'minimal';
const {createDriver} = await import('../server.mjs');
const {connect} = await import('../rpc.mjs');

export const GENESIS_TIME = 1_700_000_000;
/** The first account of the test mnemonic; anvil holds its key. */
export const DEV = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
const CONTRACTS = new URL('../../sluice/chain/system_contracts.json', import.meta.url);

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const {port} = /** @type {net.AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

function genesis() {
  const {contracts} = JSON.parse(fs.readFileSync(CONTRACTS, 'utf8'));
  /** @type {Record<string, any>} */
  const alloc = {};
  for (const [address, {code, storage, nonce}] of Object.entries(/** @type {Record<string, any>} */ (contracts))) {
    const words = Object.entries(storage).map(([slot, value]) => [`0x${BigInt(slot).toString(16).padStart(64, '0')}`, value]);
    alloc[address] = {balance: '0x0', code, nonce: `0x${(nonce ?? 0).toString(16)}`, storage: Object.fromEntries(words)};
  }
  return {config: {chainId: 31337}, gasLimit: '0x2255100', difficulty: '0x0', baseFeePerGas: '0x3b9aca00', alloc};
}

/**
 * A driver over its own anvil, which ends with the test.
 * @param {import('node:test').TestContext | {after: (work: () => void) => void}} context
 * @param {string[]} words more options
 */
export async function startDriver(context, words = []) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-devnet-test-'));
  const file = path.join(folder, 'genesis.json');
  fs.writeFileSync(file, JSON.stringify(genesis()));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const anvil = spawn(
    'anvil',
    ['--host', '127.0.0.1', '--port', String(port), '--no-mining', '--init', file, '--timestamp', String(GENESIS_TIME),
      '--hardfork', 'prague', '--max-persisted-states', '0', '--silent'],
    {stdio: 'ignore'},
  ); // prettier-ignore
  context.after(() => {
    anvil.kill();
    fs.rmSync(folder, {recursive: true});
  });
  const rpc = connect(url);
  for (let i = 0; ; i++) {
    try {
      await rpc('eth_chainId');
      break;
    } catch (error) {
      if (i > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  const options = parseOptions(['--execution-url', url, '--validators', '32', ...words]);
  if (!options) throw new Error('unreachable');
  return {driver: await createDriver(options), rpc};
}
