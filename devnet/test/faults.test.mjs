import assert from 'node:assert/strict';
import {after, before, beforeEach, test} from 'node:test';
import {startDriver} from './support.mjs';

const {createEndpoint} = await import('../api/server.mjs');
const {installControls} = await import('../controls.mjs');
const {Faults} = await import('../faults.mjs');
const {fromHex, hex} = await import('../hex.mjs');

/** @type {import('../driver.mjs').Driver} */
let driver;
const faults = [new Faults(), new Faults()];
/** @type {ReturnType<typeof createEndpoint>[]} */
let servers;

before(async () => {
  ({driver} = await startDriver({after}));
  await driver.advance(36);
  servers = faults.map((one) => createEndpoint(driver.chain, driver.proposer.pool, one));
  installControls(servers[0], driver, faults);
});
beforeEach(() => faults.forEach((one) => one.set({})));

const get = async (/** @type {string} */ url, i = 0) => servers[i].inject({url});
const json = async (/** @type {string} */ url, i = 0) => {
  const answer = await get(url, i);
  assert.equal(answer.statusCode, 200, answer.body);
  return answer.json().data;
};
const ssz = async (i = 0, state = 'finalized') =>
  (await servers[i].inject({url: `/eth/v2/debug/beacon/states/${state}`, headers: {accept: 'application/octet-stream'}})).rawPayload;
const rootOf = (/** @type {Uint8Array} */ bytes) => hex(driver.chain.config.getForkTypes(0).BeaconState.deserializeToViewDU(bytes).hashTreeRoot());
const header = async (i = 0, block = 'finalized') => json(`/eth/v1/beacon/headers/${block}`, i);

test('without faults a downloaded state has the root its header promises, on both endpoints alike', async () => {
  const {root, header: signed} = await header();
  assert.equal(rootOf(await ssz()), signed.message.state_root);
  assert.deepEqual(await ssz(0), await ssz(1));
  assert.equal((await header(1)).root, root);
  assert.equal((await json(`/eth/v1/beacon/headers/${root}`)).root, root);
});

test('unavailable answers 503 on beacon routes and goes on taking controls', async () => {
  faults[0].set({unavailable: true});
  assert.equal((await get('/eth/v1/node/version')).statusCode, 503);
  assert.equal((await get('/devnet/status')).statusCode, 200);
  assert.equal((await get('/eth/v1/node/version', 1)).statusCode, 200);
});

test('stall holds a request until the fault is lifted', async () => {
  faults[0].set({stall: true});
  let done = false;
  const request = get('/eth/v1/node/version').then((answer) => {
    done = true;
    return answer;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(done, false);
  faults[0].set({});
  assert.equal((await request).statusCode, 200);
});

test('delay answers late', async () => {
  faults[0].set({delay: 120});
  const start = performance.now();
  assert.equal((await get('/eth/v1/node/version')).statusCode, 200);
  assert.ok(performance.now() - start >= 115);
});

test('lag hides the newest slots and finality with them, and says so', async () => {
  const {header: newest} = await header(0, 'head');
  const finality = async (i = 0) => (await json('/eth/v1/beacon/states/head/finality_checkpoints', i)).finalized.epoch;
  const known = Number(await finality());
  faults[0].set({lag: 17});
  assert.equal(Number((await header(0, 'head')).header.message.slot), Number(newest.message.slot) - 17);
  assert.equal((await get(`/eth/v1/beacon/headers/${newest.message.slot}`)).statusCode, 404);
  assert.equal(Number(await finality()), known - 2);
  assert.equal(Number(await finality(1)), known);
  const syncing = await json('/eth/v1/node/syncing');
  assert.deepEqual([syncing.is_syncing, syncing.sync_distance], [true, '17']);
  assert.equal((await get('/eth/v1/node/health')).statusCode, 206);
});

test('prune keeps the state of the head alone', async () => {
  faults[0].set({prune: true});
  assert.equal((await get('/eth/v1/beacon/states/finalized/root')).statusCode, 404);
  assert.equal((await get('/eth/v1/beacon/states/head/root')).statusCode, 200);
  assert.equal((await get('/eth/v1/beacon/headers/finalized')).statusCode, 200);
});

test('wrong_balance changes one balance everywhere and no header', async () => {
  const true_ = await header();
  const [{balance}] = await json('/eth/v1/beacon/states/finalized/validators?id=4');
  faults[0].set({wrong_balance: {index: 4, gwei: -1000}});
  assert.equal((await header()).root, true_.root);
  const [{balance: shown}] = await json('/eth/v1/beacon/states/finalized/validators?id=4');
  assert.equal(BigInt(shown), BigInt(balance) - 1000n);
  const bytes = await ssz();
  assert.notEqual(rootOf(bytes), true_.header.message.state_root);
  const state = driver.chain.config.getForkTypes(0).BeaconState.deserializeToViewDU(bytes);
  assert.equal(BigInt(state.balances.get(4)), BigInt(balance) - 1000n);
});

test('disagree tells a story that holds together, but another one', async () => {
  const true_ = await header(1);
  faults[0].set({disagree: {index: 4, gwei: 5}});
  const told = await header();
  assert.notEqual(told.root, true_.root);
  assert.equal(rootOf(await ssz()), told.header.message.state_root);
  assert.equal((await json('/eth/v1/beacon/states/head/finality_checkpoints')).finalized.root, told.root);
  assert.equal((await header(0, told.root)).root, told.root);
  assert.equal((await get(`/eth/v1/beacon/headers/${true_.root}`)).statusCode, 404);
  assert.equal((await header(1)).root, true_.root);
});

test('corrupt flips one bit of a download, truncate ends it in the middle', async () => {
  const whole = await ssz();
  faults[0].set({corrupt: true});
  const corrupt = await ssz();
  const different = corrupt.filter((byte, i) => byte !== whole[i]);
  assert.equal(corrupt.length, whole.length);
  assert.equal(different.length, 1);
  faults[0].set({truncate: true});
  assert.deepEqual(await ssz(), whole.subarray(0, whole.length >> 1));
});

test('a fault nobody knows, or of the wrong kind, is refused and changes nothing', async () => {
  const post = (/** @type {object} */ payload) => servers[0].inject({method: 'POST', url: '/devnet/faults', payload});
  const unknown = await post({faults: {explode: true}});
  assert.equal(unknown.statusCode, 400);
  assert.match(unknown.json().message, /no fault 'explode'/);
  assert.equal((await post({faults: {lag: -1}})).statusCode, 400);
  assert.equal((await post({endpoint: 2, faults: {}})).statusCode, 400);
  assert.equal((await post({endpoint: 1, faults: {lag: 3}})).statusCode, 200);
  assert.equal((await servers[0].inject({url: '/devnet/faults'})).json()[1].lag, 3);
});

test('ids of blocks and states: what exists, what does not, what is none', async () => {
  assert.equal((await get('/eth/v1/beacon/headers/genesis')).statusCode, 200);
  assert.equal((await get('/eth/v1/beacon/headers/9999')).statusCode, 404);
  assert.equal((await get(`/eth/v1/beacon/headers/0x${'00'.repeat(32)}`)).statusCode, 404);
  assert.equal((await get('/eth/v1/beacon/headers/newest')).statusCode, 400);
  const {root} = await json('/eth/v1/beacon/states/20/root');
  assert.equal((await json(`/eth/v1/beacon/states/${root}/root`)).root, root);
  assert.equal(hex(fromHex(root)), root);
  const answer = await get('/eth/v1/node/identity');
  assert.equal(answer.statusCode, 501);
  assert.match(answer.json().message, /does not serve getNetworkIdentity/);
});

test('controls refuse what makes no sense', async () => {
  const post = (/** @type {string} */ name, /** @type {object} */ payload) =>
    servers[0].inject({method: 'POST', url: `/devnet/${name}`, payload});
  assert.equal((await post('advance', {slots: -1})).statusCode, 400);
  assert.equal((await post('advance', {slots: 1.5})).statusCode, 400);
  assert.equal((await post('keys', {secrets: ['zz']})).statusCode, 400);
  assert.equal((await post('slash', {indices: []})).statusCode, 400);
  assert.equal((await post('slash', {indices: [999]})).statusCode, 400);
  assert.equal((await post('slash', {indices: [1], offence: 'lying'})).statusCode, 400);
  assert.equal((await post('revert', {id: 'x'})).statusCode, 400);
});
