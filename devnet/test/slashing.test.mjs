import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startDriver} from './support.mjs';

const {attesterSlashing, proposerSlashing} = await import('../slashing.mjs');

test('an offence is proved in the next block, and the validator proposes no more', async (context) => {
  const {driver} = await startDriver(context);
  const {chain, proposer} = driver;
  await driver.advance(2);
  proposer.pool.addProposerSlashing(chain.headState, /** @type {any} */ (proposerSlashing(chain.headState, proposer.keys, 3)));
  await driver.advance(1);
  assert.ok(chain.headState.validators.getReadonly(3).slashed);
  assert.deepEqual(proposer.pool.proposerSlashings, []);
  await driver.advance(40);
  for (let slot = 4; slot <= 43; slot++) assert.notEqual(chain.at(slot)?.block.message.proposerIndex, 3);
});

test('many can be slashed for votes at once, nobody twice, and a bad slashing is not taken up', async (context) => {
  const {driver} = await startDriver(context);
  const {chain, proposer} = driver;
  const {pool, keys} = proposer;
  await driver.advance(2);
  const votes = () => /** @type {any} */ (attesterSlashing(chain.headState, keys, [9, 5, 7]));
  pool.addAttesterSlashing(chain.headState, votes());
  pool.addProposerSlashing(chain.headState, /** @type {any} */ (proposerSlashing(chain.headState, keys, 5)));
  while (!(await driver.advance(1)).blocks);
  while (!(await driver.advance(1)).blocks);
  for (const index of [5, 7, 9]) assert.ok(chain.headState.validators.getReadonly(index).slashed);
  assert.throws(() => pool.addAttesterSlashing(chain.headState, votes()), /none of these validators can be slashed/);
  const forged = /** @type {any} */ (proposerSlashing(chain.headState, keys, 8));
  forged.signedHeader1.message.proposerIndex = forged.signedHeader2.message.proposerIndex = 11;
  assert.throws(() => pool.addProposerSlashing(chain.headState, forged), /slashing is not valid/);
  assert.throws(() => proposerSlashing(chain.headState, keys, 400), /validator 400 has no key here/);
});
