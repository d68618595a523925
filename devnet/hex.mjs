// Bytes, numbers and the hex of JSON-RPC.
import {fromHex} from '@lodestar/utils';

export {fromHex};

/** @param {Uint8Array} bytes */
export const hex = (bytes) => `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;

/** @param {number | bigint} value */
export const quantity = (value) => `0x${BigInt(value).toString(16)}`;

/** @param {number | bigint} value */
export const word = (value) => `0x${BigInt(value).toString(16).padStart(64, '0')}`;

/** @param {string} value */
export const toNumber = (value) => Number(BigInt(value));

export const ZERO_HASH = `0x${'00'.repeat(32)}`;
