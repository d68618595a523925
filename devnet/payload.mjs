// Execution payloads and requests: JSON of the Engine API <-> values of the consensus types.
import {ssz} from '@lodestar/types';
import {fromHex, hex, quantity, toNumber} from './hex.mjs';

/** @param {any} block of eth_getBlockByNumber, without transactions or withdrawals */
export function headerOfBlock(block) {
  return {
    parentHash: fromHex(block.parentHash),
    feeRecipient: fromHex(block.miner),
    stateRoot: fromHex(block.stateRoot),
    receiptsRoot: fromHex(block.receiptsRoot),
    logsBloom: fromHex(block.logsBloom),
    prevRandao: fromHex(block.mixHash),
    blockNumber: toNumber(block.number),
    gasLimit: toNumber(block.gasLimit),
    gasUsed: toNumber(block.gasUsed),
    timestamp: toNumber(block.timestamp),
    extraData: fromHex(block.extraData),
    baseFeePerGas: BigInt(block.baseFeePerGas),
    blockHash: fromHex(block.hash),
    transactionsRoot: ssz.bellatrix.Transactions.hashTreeRoot([]),
    withdrawalsRoot: ssz.capella.Withdrawals.hashTreeRoot([]),
    blobGasUsed: BigInt(block.blobGasUsed ?? 0),
    excessBlobGas: BigInt(block.excessBlobGas ?? 0),
  };
}

/** @param {any} json ExecutionPayloadV3 */
export function payloadFromJson(json) {
  return {
    parentHash: fromHex(json.parentHash),
    feeRecipient: fromHex(json.feeRecipient),
    stateRoot: fromHex(json.stateRoot),
    receiptsRoot: fromHex(json.receiptsRoot),
    logsBloom: fromHex(json.logsBloom),
    prevRandao: fromHex(json.prevRandao),
    blockNumber: toNumber(json.blockNumber),
    gasLimit: toNumber(json.gasLimit),
    gasUsed: toNumber(json.gasUsed),
    timestamp: toNumber(json.timestamp),
    extraData: fromHex(json.extraData),
    baseFeePerGas: BigInt(json.baseFeePerGas),
    blockHash: fromHex(json.blockHash),
    transactions: json.transactions.map(fromHex),
    withdrawals: json.withdrawals.map((/** @type {any} */ one) => ({
      index: toNumber(one.index),
      validatorIndex: toNumber(one.validatorIndex),
      address: fromHex(one.address),
      amount: BigInt(one.amount),
    })),
    blobGasUsed: BigInt(json.blobGasUsed),
    excessBlobGas: BigInt(json.excessBlobGas),
  };
}

/** @param {import('@lodestar/types').capella.Withdrawal[]} withdrawals */
export function withdrawalsToJson(withdrawals) {
  return withdrawals.map((one) => ({
    index: quantity(one.index),
    validatorIndex: quantity(one.validatorIndex),
    address: hex(one.address),
    amount: quantity(one.amount),
  }));
}

export const DEPOSIT_REQUEST = 0;
export const WITHDRAWAL_REQUEST = 1;
export const CONSOLIDATION_REQUEST = 2;

/**
 * EIP-7685: a list of byte strings, each a type and the SSZ list of that type.
 * @param {string[]} requests
 */
export function requestsFromJson(requests) {
  const found = ssz.electra.ExecutionRequests.defaultValue();
  for (const request of requests) {
    const bytes = fromHex(request);
    const list = bytes.subarray(1);
    switch (bytes[0]) {
      case DEPOSIT_REQUEST:
        found.deposits = ssz.electra.DepositRequests.deserialize(list);
        break;
      case WITHDRAWAL_REQUEST:
        found.withdrawals = ssz.electra.WithdrawalRequests.deserialize(list);
        break;
      case CONSOLIDATION_REQUEST:
        found.consolidations = ssz.electra.ConsolidationRequests.deserialize(list);
        break;
      default:
        throw new Error(`an execution request of unknown type ${bytes[0]}`);
    }
  }
  return found;
}
