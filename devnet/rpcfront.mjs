// ethereumjs' JSON-RPC lacks what wallets and web3 libraries take for granted: the pending tag, fee suggestions,
// filters. This stands in front of it and passes everything else on.
import {fastify} from 'fastify';
import {quantity, toNumber} from './hex.mjs';

const TIP = '0x3b9aca00';

/**
 * @param {string} url of the execution client
 * @param {import('./rpc.mjs').Rpc} rpc
 */
export function createRpcFront(url, rpc) {
  /** @type {Map<string, {blocks: boolean, query: any, from: number}>} */
  const filters = new Map();
  let nextFilter = 1;
  const height = async () => toNumber(await rpc('eth_blockNumber'));

  /**
   * @param {string} id
   * @param {boolean} all and not only what is new
   */
  async function readFilter(id, all) {
    const filter = filters.get(id);
    if (!filter) throw new Error(`there is no filter ${id}`);
    const to = await height();
    let found = [];
    if (filter.blocks) {
      for (let number = filter.from; number <= to; number++) {
        found.push((await rpc('eth_getBlockByNumber', quantity(number), false)).hash);
      }
    } else {
      const fromBlock = all ? (filter.query.fromBlock ?? '0x0') : quantity(filter.from);
      if (all || filter.from <= to) found = await rpc('eth_getLogs', {...filter.query, fromBlock, toBlock: quantity(to)});
    }
    if (!all) filter.from = to + 1;
    return found;
  }

  /**
   * The nonce after all transactions of an account that wait.
   * @param {string} address
   */
  async function pendingNonce(address) {
    const next = BigInt(await rpc('eth_getTransactionCount', address, 'latest'));
    const {pending} = await rpc('txpool_content');
    const waiting = Object.keys(pending[address.toLowerCase()] ?? {}).map(BigInt);
    return quantity(waiting.reduce((nonce, one) => (one >= nonce ? one + 1n : nonce), next));
  }

  /** @type {Record<string, (params: any[]) => Promise<unknown>>} */
  const own = {
    eth_getTransactionCount: async ([address, block]) =>
      block === 'pending' ? pendingNonce(address) : rpc('eth_getTransactionCount', address, block),
    eth_maxPriorityFeePerGas: async () => TIP,
    txpool_status: async () => {
      const {pending} = await rpc('txpool_content');
      return {pending: quantity(Object.values(pending).flatMap(Object.keys).length), queued: '0x0'};
    },
    eth_newFilter: async ([query]) => addFilter(false, query),
    eth_newBlockFilter: async () => addFilter(true, {}),
    eth_uninstallFilter: async ([id]) => filters.delete(id),
    eth_getFilterChanges: ([id]) => readFilter(id, false),
    eth_getFilterLogs: ([id]) => readFilter(id, true),
  };

  /**
   * @param {boolean} blocks
   * @param {any} query
   */
  async function addFilter(blocks, query) {
    const id = quantity(nextFilter++);
    filters.set(id, {blocks, query, from: (await height()) + 1});
    return id;
  }

  /** @param {any} request */
  async function answer(request) {
    const {id, method} = request;
    const asked = request.params ?? [];
    try {
      if (Object.hasOwn(own, method)) return {jsonrpc: '2.0', id, result: await own[method](asked)};
      const params = asked.map((/** @type {unknown} */ one) => (one === 'pending' ? 'latest' : one));
      const response = await fetch(url, {
        method: 'POST',
        headers: {'content-type': 'application/json'},
        body: JSON.stringify({jsonrpc: '2.0', id, method, params}),
      });
      return await response.json();
    } catch (error) {
      return {jsonrpc: '2.0', id, error: {code: -32000, message: /** @type {Error} */ (error).message}};
    }
  }

  const server = fastify({bodyLimit: 1 << 26, forceCloseConnections: true});
  server.post('/', async ({body}) => (Array.isArray(body) ? Promise.all(body.map(answer)) : answer(body)));
  return server;
}
