import assert from 'node:assert/strict';
import {test} from 'node:test';
import {DEV, GENESIS_TIME, startDriver} from './support.mjs';

const {EXTERNAL} = await import('../proposer.mjs');
const {createBeaconConfig} = await import('@lodestar/config');
const {createCachedBeaconState, createPubkeyCache, stateTransition} = await import('@lodestar/state-transition');
const {hex, word} = await import('../hex.mjs');

const BEACON_ROOTS = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02';

/**
 * What another node would do: everything from bytes, every signature and root checked.
 * @param {import('../chain.mjs').Chain} chain
 */
function replay(chain) {
  const types = chain.config.getForkTypes(0);
  const view = types.BeaconState.deserializeToViewDU(chain.genesisState.serialize());
  const config = createBeaconConfig(chain.config, view.genesisValidatorsRoot);
  let state = createCachedBeaconState(/** @type {any} */ (view), {config, pubkeyCache: createPubkeyCache()});
  let blocks = 0;
  for (let slot = 1; slot <= chain.head.slot; slot++) {
    const entry = chain.at(slot);
    if (!entry) continue;
    const block = types.SignedBeaconBlock.deserialize(types.SignedBeaconBlock.serialize(entry.block));
    state = /** @type {any} */ (
      stateTransition(state, block, {...EXTERNAL, verifyStateRoot: true, verifyProposer: true, verifySignatures: true})
    );
    blocks++;
  }
  return {state, blocks};
}

for (const fork of ['electra', 'fulu']) {
  test(`a ${fork} chain finalises, and a stranger who replays its bytes comes to the same state`, async (context) => {
    const {driver} = await startDriver(context, ['--fork', fork]);
    const {chain} = driver;
    await driver.advance(36);
    assert.equal(driver.status().finalized_epoch, 2);
    assert.equal(chain.config.getForkName(chain.head.slot), fork);
    const {state, blocks} = replay(chain);
    assert.equal(blocks, 36);
    assert.equal(hex(state.hashTreeRoot()), hex(chain.headState.hashTreeRoot()));
    const flags = chain.headState.previousEpochParticipation.getAll();
    assert.deepEqual(new Set(flags), new Set([7]), 'everybody has attested in time');
  });
}

test('a bad block is refused by that replay: it can fail', async (context) => {
  const {driver} = await startDriver(context);
  await driver.advance(3);
  const {body} = /** @type {import('../chain.mjs').Entry} */ (driver.chain.at(2)).block.message;
  body.graffiti = new Uint8Array(32).fill(1);
  assert.throws(() => replay(driver.chain), /Invalid block signature/);
});

test('missed slots have no block, their attestations come later, and EIP-4788 answers with the parent', async (context) => {
  const {driver, rpc} = await startDriver(context);
  const {chain} = driver;
  await driver.advance(9);
  const before = chain.head;
  const status = await driver.advance(8, 5);
  assert.equal(status.slot, 22);
  assert.equal(status.blocks, 8);
  for (let slot = 10; slot <= 14; slot++) assert.equal(chain.at(slot), undefined);
  const first = /** @type {import('../chain.mjs').Entry} */ (chain.at(15));
  assert.deepEqual(first.block.message.parentRoot, before.root);
  assert.deepEqual(
    first.block.message.body.attestations.map(({data}) => data.slot),
    [14, 13, 12, 11, 10, 9],
  );
  const time = GENESIS_TIME + 15 * 12;
  const root = await rpc('eth_call', {to: BEACON_ROOTS, data: word(time)}, 'latest');
  assert.equal(root, hex(before.root));
  await assert.rejects(rpc('eth_call', {to: BEACON_ROOTS, data: word(time - 12)}, 'latest'), /revert/);
  assert.equal(replay(chain).blocks, 17);
});

test('validators that are offline neither propose nor attest; with a third of them nothing is finalised', async (context) => {
  const {driver} = await startDriver(context);
  driver.proposer.keys.offline = new Set(Array.from({length: 12}, (_, index) => index));
  const {blocks} = await driver.advance(48);
  assert.ok(blocks < 48 && blocks > 16, `${blocks} blocks`);
  assert.equal(driver.status().finalized_epoch, 0);
  assert.ok(driver.chain.headState.balances.get(0) < driver.chain.headState.balances.get(31));
});

test('a reorganisation leaves slots without blocks and takes the transactions up again', async (context) => {
  const {driver, rpc} = await startDriver(context);
  const {chain} = driver;
  await driver.advance(4);
  const receiver = `0x${'ab'.repeat(20)}`;
  await rpc('eth_sendTransaction', {from: DEV, to: receiver, value: '0x1'});
  await driver.advance(2);
  const dropped = chain.head;
  assert.equal(await rpc('eth_getBalance', receiver, 'latest'), '0x1');
  await driver.reorg(2);
  assert.equal(await rpc('eth_getBalance', receiver, 'latest'), '0x0');
  assert.equal(chain.head.slot, 4);
  await driver.advance(2);
  assert.equal(chain.slot, 8);
  assert.equal(chain.at(5), undefined);
  assert.equal(chain.byRoot(hex(dropped.root)), undefined);
  assert.equal(await rpc('eth_getBalance', receiver, 'latest'), '0x1');
  assert.equal(replay(chain).blocks, 6);
  await assert.rejects(driver.reorg(7), /before the finalised slot 0/);
});

test('a snapshot is a moment to come back to, more than once', async (context) => {
  const {driver, rpc} = await startDriver(context);
  const {chain} = driver;
  await driver.advance(5);
  const {id} = await driver.snapshot();
  const there = driver.status();
  for (let i = 0; i < 2; i++) {
    await rpc('eth_sendTransaction', {from: DEV, to: `0x${'cd'.repeat(20)}`, value: '0x1'});
    await driver.advance(7, 2);
    assert.equal(await rpc('eth_getBalance', `0x${'cd'.repeat(20)}`, 'latest'), '0x1');
    assert.deepEqual(await driver.revert(id), there);
    assert.equal(await rpc('eth_getBalance', `0x${'cd'.repeat(20)}`, 'latest'), '0x0');
  }
  await driver.advance(3);
  assert.equal(replay(chain).blocks, 8);
});

test('old states are pruned, but never the finalised one or the first', async (context) => {
  const {driver} = await startDriver(context, ['--keep-states', '8']);
  const {chain} = driver;
  await driver.advance(60);
  assert.ok([...chain.states()].length <= 8 + 3 + 8);
  assert.ok(chain.stateOf(chain.genesis));
  assert.ok(chain.stateOf(chain.checkpoint(chain.headState.finalizedCheckpoint)));
  assert.equal(chain.stateOf(/** @type {import('../chain.mjs').Entry} */ (chain.at(20))), undefined);
});

test('somebody else who mines on anvil is noticed', async (context) => {
  const {driver, rpc} = await startDriver(context);
  await driver.advance(1);
  await rpc('evm_mine');
  await assert.rejects(driver.advance(1), /somebody else has mined a block/);
});
