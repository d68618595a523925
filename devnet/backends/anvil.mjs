// anvil has no Engine API. One block is mined for a slot, and what a consensus layer makes an execution client do is
// done by cheat codes: EIP-4788 roots, EIP-4895 withdrawals, the requests of EIP-6110, EIP-7002 and EIP-7251.
import {quantity, word} from '../hex.mjs';
import {CONSOLIDATION_REQUEST, DEPOSIT_REQUEST, WITHDRAWAL_REQUEST} from '../payload.mjs';
import {DEPOSIT_CONTRACT} from '../spec.mjs';

/** @typedef {import('./interface.mjs').Attributes} Attributes */

const SYSTEM = '0xfffffffffffffffffffffffffffffffffffffffe';
const BEACON_ROOTS = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02';
const ROOTS_KEPT = 8191n;
const DEPOSIT_TOPIC = '0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5';
const GWEI = 1_000_000_000n;
const INHIBITED = (1n << 256n) - 1n;

/** The two queues of requests; both contracts keep excess, count, head and tail in their first four slots. */
const QUEUES = [
  {type: WITHDRAWAL_REQUEST, address: '0x00000961ef480eb55e80d19ad83579a64c007002', most: 16n, target: 2n},
  {type: CONSOLIDATION_REQUEST, address: '0x0000bbddc7ce488642fb579f8b00f3a590007251', most: 2n, target: 1n},
];

/** @param {number} type */
const prefix = (type) => `0x${type.toString(16).padStart(2, '0')}`;

/**
 * The fields of a DepositEvent one after another, which is the SSZ of a deposit request.
 * @param {string} data of the log
 */
export function depositFields(data) {
  const bytes = Buffer.from(data.slice(2), 'hex');
  const number = (/** @type {number} */ at) => Number(bytes.readBigUInt64BE(at + 24));
  const field = (/** @type {number} */ i) => {
    const at = number(32 * i);
    return bytes.subarray(at + 32, at + 32 + number(at));
  };
  return Buffer.concat([0, 1, 2, 3, 4].map(field)).toString('hex');
}

/**
 * What the system call at the end of a block leaves in a queue's first four slots (EIP-7002, EIP-7251).
 * @param {bigint[]} before excess, count, head, tail
 * @param {{most: bigint, target: bigint}} queue
 */
export function afterSystemCall([excess, count, head, tail], {most, target}) {
  const taken = tail - head < most ? tail - head : most;
  const sum = (excess === INHIBITED ? 0n : excess) + count;
  const empty = head + taken === tail;
  return {taken, slots: [sum > target ? sum - target : 0n, 0n, empty ? 0n : head + taken, empty ? 0n : tail]};
}

/**
 * @param {import('../rpc.mjs').Rpc} rpc
 * @returns {import('./interface.mjs').Backend}
 */
export function anvilBackend(rpc) {
  // a queue that was empty, without excess, stays so until a transaction comes: most slots need not look
  let quiet = false;

  /** @param {Attributes} attributes */
  async function beforeBlock({timestamp, suggestedFeeRecipient, parentBeaconBlockRoot}) {
    const at = BigInt(timestamp) % ROOTS_KEPT;
    await rpc.batch([
      ['evm_setNextBlockTimestamp', timestamp],
      ['anvil_setCoinbase', suggestedFeeRecipient],
      ['anvil_setStorageAt', BEACON_ROOTS, word(at), word(BigInt(timestamp))],
      ['anvil_setStorageAt', BEACON_ROOTS, word(at + ROOTS_KEPT), parentBeaconBlockRoot],
    ]);
  }

  /** @param {string} blockHash */
  async function depositRequests(blockHash) {
    const logs = await rpc('eth_getLogs', {address: DEPOSIT_CONTRACT, blockHash, topics: [DEPOSIT_TOPIC]});
    if (!logs.length) return [];
    return [prefix(DEPOSIT_REQUEST) + logs.map((/** @type {any} */ log) => depositFields(log.data)).join('')];
  }

  /** @param {typeof QUEUES[number]} queue */
  async function queuedRequests(queue) {
    const {type, address} = queue;
    const words = await rpc.batch([0, 1, 2, 3].map((i) => ['eth_getStorageAt', address, word(i), 'latest']));
    const before = words.map(BigInt);
    const {taken, slots} = afterSystemCall(before, queue);
    // called as the system address, the contract itself says what it would hand over
    const found = taken ? await rpc('eth_call', {from: SYSTEM, to: address, gas: '0x1c9c380'}, 'latest') : '0x';
    await rpc.batch(slots.map((value, i) => ['anvil_setStorageAt', address, word(i), word(value)]));
    if (slots.some((value) => value !== 0n)) quiet = false;
    return taken ? [prefix(type) + found.slice(2)] : [];
  }

  /** @param {any} block */
  async function requests(block) {
    if (quiet && !block.transactions.length) return [];
    quiet = true;
    const found = await Promise.all([
      block.transactions.length ? depositRequests(block.hash) : [],
      ...QUEUES.map(queuedRequests),
    ]);
    return found.flat();
  }

  /** @param {Attributes['withdrawals']} withdrawals */
  async function credit(withdrawals) {
    /** @type {Map<string, bigint>} */
    const sums = new Map();
    for (const {address, amount} of withdrawals) sums.set(address, (sums.get(address) ?? 0n) + BigInt(amount) * GWEI);
    await rpc.batch([...sums].map(([address, sum]) => ['anvil_addBalance', address, quantity(sum)]));
  }

  return {
    start: async (forkchoice, attributes) => ({forkchoice, attributes}),

    async finish({forkchoice, attributes}) {
      await beforeBlock(attributes);
      await rpc('evm_mine');
      const block = await rpc('eth_getBlockByNumber', 'latest', true);
      if (block.parentHash !== forkchoice.headBlockHash) {
        throw new Error('somebody else has mined a block on anvil: it must run with --no-mining');
      }
      const executionRequests = await requests(block);
      await credit(attributes.withdrawals);
      const transactions = await rpc.batch(
        block.transactions.map((/** @type {any} */ one) => ['eth_getRawTransactionByHash', one.hash]),
      );
      return {
        executionPayload: {
          parentHash: block.parentHash,
          feeRecipient: attributes.suggestedFeeRecipient,
          stateRoot: block.stateRoot,
          receiptsRoot: block.receiptsRoot,
          logsBloom: block.logsBloom,
          prevRandao: attributes.prevRandao,
          blockNumber: block.number,
          gasLimit: block.gasLimit,
          gasUsed: block.gasUsed,
          timestamp: block.timestamp,
          extraData: block.extraData,
          baseFeePerGas: block.baseFeePerGas,
          blockHash: block.hash,
          transactions,
          withdrawals: attributes.withdrawals,
          blobGasUsed: block.blobGasUsed ?? '0x0',
          excessBlobGas: block.excessBlobGas ?? '0x0',
        },
        executionRequests,
      };
    },

    // the block is in the chain since it was mined
    async accept() {},
    async setHead() {},

    async rollback(blocks) {
      await rpc('anvil_rollback', blocks);
      quiet = false;
    },

    resend: (transaction) => rpc('eth_sendRawTransaction', transaction),

    async snapshot() {
      let id = await rpc('evm_snapshot');
      return async () => {
        if (!(await rpc('evm_revert', id))) throw new Error(`anvil does not know its snapshot ${id}`);
        id = await rpc('evm_snapshot'); // a revert uses it up
        quiet = false;
      };
    },
  };
}
