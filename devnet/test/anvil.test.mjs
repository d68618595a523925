import assert from 'node:assert/strict';
import {test} from 'node:test';
import './support.mjs';

const {afterSystemCall, depositFields} = await import('../backends/anvil.mjs');
const {requestsFromJson} = await import('../payload.mjs');
const {word} = await import('../hex.mjs');

const INHIBITED = (1n << 256n) - 1n;
const QUEUE = {most: 16n, target: 2n};

test('the first system call lifts the inhibition', () => {
  assert.deepEqual(afterSystemCall([INHIBITED, 0n, 0n, 0n], QUEUE), {taken: 0n, slots: [0n, 0n, 0n, 0n]});
});

test('a queue that is emptied starts at nought again, and what is above the target is excess', () => {
  assert.deepEqual(afterSystemCall([3n, 4n, 5n, 9n], QUEUE), {taken: 4n, slots: [5n, 0n, 0n, 0n]});
});

test('no more than the most is taken, the rest waits', () => {
  assert.deepEqual(afterSystemCall([0n, 20n, 0n, 20n], QUEUE), {taken: 16n, slots: [18n, 0n, 16n, 20n]});
});

test("a log's fields are the SSZ of a deposit request", () => {
  const fields = [48, 32, 8, 96, 8].map((length, i) => Buffer.alloc(length, i + 1));
  fields[2].writeBigUInt64LE(32_000_000_000n);
  fields[4].writeBigUInt64LE(5n);
  let data = '';
  let tail = '';
  let at = 5 * 32;
  for (const field of fields) {
    const padded = Buffer.concat([field, Buffer.alloc((32 - (field.length % 32)) % 32)]);
    data += word(at).slice(2);
    tail += word(field.length).slice(2) + padded.toString('hex');
    at += 32 + padded.length;
  }
  const {deposits} = requestsFromJson([`0x00${depositFields(`0x${data}${tail}`)}`]);
  assert.equal(deposits.length, 1);
  assert.deepEqual(Buffer.from(deposits[0].pubkey), fields[0]);
  assert.deepEqual(Buffer.from(deposits[0].withdrawalCredentials), fields[1]);
  assert.equal(BigInt(deposits[0].amount), 32_000_000_000n);
  assert.deepEqual(Buffer.from(deposits[0].signature), fields[3]);
  assert.equal(Number(deposits[0].index), 5);
});

test('a request of a type nobody knows stops the block', () => {
  assert.throws(() => requestsFromJson(['0x07ff']), /unknown type 7/);
});
