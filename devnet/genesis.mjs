// The first BeaconState: interop validators that are active at once, on top of the execution node's first block.
import {createBeaconConfig} from '@lodestar/config';
import {EPOCHS_PER_HISTORICAL_VECTOR, ForkSeq, MAX_EFFECTIVE_BALANCE, UNSET_DEPOSIT_REQUESTS_START_INDEX} from '@lodestar/params';
import {
  createCachedBeaconState,
  createPubkeyCache,
  getEffectiveBalanceIncrementsWithLen,
  getNextSyncCommittee,
  interopSecretKeys,
} from '@lodestar/state-transition';
import {upgradeStateToFulu} from '@lodestar/state-transition/slot';
import {ssz} from '@lodestar/types';
import {fromHex} from './hex.mjs';
import {headerOfBlock} from './payload.mjs';

/** Root of the deposit contract's tree without a deposit. */
const EMPTY_DEPOSIT_ROOT = '0xd70a234731285c6804c2a4f56711ddb8c82c99740f207854891028af34e27e5e';
const INCREMENT = 1e9;

/**
 * Credentials of an address nobody holds the key of: the first bytes of the public key.
 * @param {Uint8Array} pubkey
 */
function strangersCredentials(pubkey) {
  const credentials = new Uint8Array(32);
  credentials[0] = 1;
  credentials.set(pubkey.subarray(0, 20), 12);
  return credentials;
}

/** @param {Uint8Array} pubkey */
function activeValidator(pubkey) {
  return {
    pubkey,
    withdrawalCredentials: strangersCredentials(pubkey),
    effectiveBalance: MAX_EFFECTIVE_BALANCE,
    slashed: false,
    activationEligibilityEpoch: 0,
    activationEpoch: 0,
    exitEpoch: Infinity,
    withdrawableEpoch: Infinity,
  };
}

/**
 * An Electra state at slot 0.
 * @param {import('@lodestar/config').ChainConfig} chain
 * @param {any} block the execution node's first
 * @param {number} genesisTime
 * @param {number} count of validators
 */
function electraState(chain, block, genesisTime, count) {
  const types = ssz.electra;
  const fields = types.BeaconState.fields;
  const forks = createBeaconConfig({...chain, FULU_FORK_EPOCH: Infinity}, new Uint8Array(32)).forks;
  const validators = interopSecretKeys(count).map((secret) => activeValidator(secret.toPublicKey().toBytes()));
  const zeros = validators.map(() => 0);

  const state = types.BeaconState.defaultViewDU();
  state.genesisTime = genesisTime;
  state.fork = ssz.phase0.Fork.toViewDU({
    previousVersion: forks.electra.prevVersion,
    currentVersion: forks.electra.version,
    epoch: 0,
  });
  state.latestBlockHeader = ssz.phase0.BeaconBlockHeader.toViewDU({
    ...ssz.phase0.BeaconBlockHeader.defaultValue(),
    bodyRoot: types.BeaconBlockBody.hashTreeRoot(types.BeaconBlockBody.defaultValue()),
  });
  const hash = fromHex(block.hash);
  state.eth1Data = ssz.phase0.Eth1Data.toViewDU({
    depositRoot: fromHex(EMPTY_DEPOSIT_ROOT),
    depositCount: 0n,
    blockHash: hash,
  });
  state.randaoMixes = ssz.phase0.RandaoMixes.toViewDU(Array.from({length: EPOCHS_PER_HISTORICAL_VECTOR}, () => hash));
  state.validators = fields.validators.toViewDU(validators);
  state.balances = fields.balances.toViewDU(validators.map((one) => one.effectiveBalance));
  state.previousEpochParticipation = fields.previousEpochParticipation.toViewDU(zeros);
  state.currentEpochParticipation = fields.currentEpochParticipation.toViewDU(zeros);
  state.inactivityScores = fields.inactivityScores.toViewDU(zeros);
  state.genesisValidatorsRoot = state.validators.hashTreeRoot();
  state.latestExecutionPayloadHeader = types.ExecutionPayloadHeader.toViewDU(headerOfBlock(block));
  state.depositRequestsStartIndex = UNSET_DEPOSIT_REQUESTS_START_INDEX;
  state.commit();

  const increments = getEffectiveBalanceIncrementsWithLen(count);
  increments.fill(MAX_EFFECTIVE_BALANCE / INCREMENT);
  const {syncCommittee} = getNextSyncCommittee(
    ForkSeq.electra,
    state,
    Uint32Array.from(validators.keys()),
    increments,
  );
  state.currentSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
  state.nextSyncCommittee = ssz.altair.SyncCommittee.toViewDU(syncCommittee);
  state.commit();
  return state;
}

/**
 * @param {import('@lodestar/config').ChainConfig} chain
 * @param {any} block the execution node's first
 * @param {number} genesisTime
 * @param {number} count of validators
 * @returns {{config: import('@lodestar/config').BeaconConfig,
 *   state: import('@lodestar/state-transition').CachedBeaconStateElectra}}
 */
export function createGenesis(chain, block, genesisTime, count) {
  const electra = electraState(chain, block, genesisTime, count);
  const config = createBeaconConfig(chain, electra.genesisValidatorsRoot);
  if (chain.FULU_FORK_EPOCH !== 0) {
    return {config, state: createCachedBeaconState(electra, {config, pubkeyCache: createPubkeyCache()})};
  }
  // Fulu keeps its proposers in the state; the upgrade computes them, from a state that is Electra in every respect
  const before = createBeaconConfig({...chain, FULU_FORK_EPOCH: Infinity}, electra.genesisValidatorsRoot);
  const upgraded = upgradeStateToFulu(createCachedBeaconState(electra, {config: before, pubkeyCache: createPubkeyCache()}));
  const body = ssz.fulu.BeaconBlockBody;
  upgraded.latestBlockHeader.bodyRoot = body.hashTreeRoot(body.defaultValue());
  upgraded.commit();
  const fulu = ssz.fulu.BeaconState.getViewDU(upgraded.node);
  const state = createCachedBeaconState(fulu, {config, pubkeyCache: createPubkeyCache()});
  return {config, state: /** @type {any} */ (state)}; // an Electra state with one field more, which TypeScript cannot see
}
