import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import {test} from 'node:test';
import './support.mjs';

const {engineBackend} = await import('../backends/engine.mjs');
const {token} = await import('../rpc.mjs');

/**
 * A client that always says the same.
 * @param {unknown} answer
 * @param {(method: string) => void} [heard]
 * @returns {import('../rpc.mjs').Rpc}
 */
function answering(answer, heard = () => {}) {
  const one = async (/** @type {string} */ method) => {
    heard(method);
    return answer;
  };
  return Object.assign(one, {batch: async () => []});
}

test('the token carries its time and is signed with the secret', () => {
  const secret = Buffer.alloc(32, 7);
  const [head, body, signature] = token(secret, 1234).split('.');
  assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), {alg: 'HS256', typ: 'JWT'});
  assert.deepEqual(JSON.parse(Buffer.from(body, 'base64url').toString()), {iat: 1234});
  const expected = crypto.createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url');
  assert.equal(signature, expected);
});

test('a block the execution client does not call valid stops the chain', async () => {
  const backend = engineBackend(answering({status: 'INVALID', validationError: 'bad root'}), answering(null), 'prague');
  await assert.rejects(backend.accept({executionPayload: {}, executionRequests: []}, '0x'), /refuses the block.*bad root/);
});

test('a client that begins no block is named', async () => {
  const backend = engineBackend(answering({payloadStatus: {status: 'SYNCING'}, payloadId: null}), answering(null), 'prague');
  const attributes = /** @type {any} */ ({});
  const forkchoice = {headBlockHash: '0x', safeBlockHash: '0x', finalizedBlockHash: '0x'};
  await assert.rejects(backend.start(forkchoice, attributes), /begins no block.*SYNCING/);
});

test('the payload is asked for in the version of the hard fork', async () => {
  /** @type {string[]} */
  const asked = [];
  const rpc = answering(undefined, (method) => asked.push(method));
  await engineBackend(rpc, answering(null), 'prague').finish('0x1');
  await engineBackend(rpc, answering(null), 'osaka').finish('0x1');
  assert.deepEqual(asked, ['engine_getPayloadV4', 'engine_getPayloadV5']);
});
