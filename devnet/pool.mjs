// Operations that wait for a block: exits, changes of credentials, slashings. What has become invalid is left out:
// one bad operation would make the block invalid and stop the chain.
import {
  FAR_FUTURE_EPOCH,
  ForkSeq,
  MAX_ATTESTER_SLASHINGS_ELECTRA,
  MAX_BLS_TO_EXECUTION_CHANGES,
  MAX_PROPOSER_SLASHINGS,
  MAX_VOLUNTARY_EXITS,
} from '@lodestar/params';
import {
  VoluntaryExitValidity,
  assertValidAttesterSlashing,
  assertValidProposerSlashing,
  getAttesterSlashableIndices,
  getVoluntaryExitValidity,
  isSlashableValidator,
  isValidBlsToExecutionChange,
} from '@lodestar/state-transition';

/**
 * @typedef {import('@lodestar/state-transition').CachedBeaconStateElectra} State
 * @typedef {import('@lodestar/types').phase0.SignedVoluntaryExit} Exit
 * @typedef {import('@lodestar/types').phase0.ProposerSlashing} ProposerSlashing
 * @typedef {import('@lodestar/types').electra.AttesterSlashing} AttesterSlashing
 * @typedef {import('@lodestar/types').capella.SignedBLSToExecutionChange} Change
 */

export class InvalidOperation extends Error {}

export class OperationPool {
  /** @type {Exit[]} */
  exits = [];
  /** @type {Change[]} */
  changes = [];
  /** @type {ProposerSlashing[]} */
  proposerSlashings = [];
  /** @type {AttesterSlashing[]} */
  attesterSlashings = [];

  /**
   * @param {State} state
   * @param {Exit} exit
   */
  addExit(state, exit) {
    const validity = exitValidity(state, exit);
    if (validity !== VoluntaryExitValidity.valid) throw new InvalidOperation(`the voluntary exit is not valid: ${validity}`);
    if (!this.exits.some((other) => other.message.validatorIndex === exit.message.validatorIndex)) this.exits.push(exit);
  }

  /**
   * @param {State} state
   * @param {Change} change
   */
  addChange(state, change) {
    const {validatorIndex} = change.message;
    if (validatorIndex >= state.validators.length) throw new InvalidOperation(`there is no validator ${validatorIndex}`);
    const answer = isValidBlsToExecutionChange(state.config, state.validators.getReadonly(validatorIndex), change, true);
    if (!answer.valid) throw new InvalidOperation(`the change of credentials is not valid: ${answer.error.message}`);
    if (!this.changes.some((other) => other.message.validatorIndex === validatorIndex)) this.changes.push(change);
  }

  /**
   * @param {State} state
   * @param {ProposerSlashing} slashing
   */
  addProposerSlashing(state, slashing) {
    const error = proposerSlashingError(state, slashing);
    if (error) throw new InvalidOperation(`the slashing is not valid: ${error}`);
    this.proposerSlashings.push(slashing);
  }

  /**
   * @param {State} state
   * @param {AttesterSlashing} slashing
   */
  addAttesterSlashing(state, slashing) {
    const error = attesterSlashingError(state, slashing);
    if (error) throw new InvalidOperation(`the slashing is not valid: ${error}`);
    this.attesterSlashings.push(slashing);
  }

  /**
   * What goes into a block on this state; nothing in it touches a validator twice.
   * @param {State} state advanced to the slot of the block
   */
  select(state) {
    const touched = new Set();
    const once = (/** @type {number} */ index) => !touched.has(index) && Boolean(touched.add(index));
    const proposerSlashings = this.proposerSlashings
      .filter((one) => !proposerSlashingError(state, one) && once(one.signedHeader1.message.proposerIndex))
      .slice(0, MAX_PROPOSER_SLASHINGS);
    const attesterSlashings = this.attesterSlashings
      .filter((one) => !attesterSlashingError(state, one) && getAttesterSlashableIndices(one).every(once))
      .slice(0, MAX_ATTESTER_SLASHINGS_ELECTRA);
    const voluntaryExits = this.exits
      .filter((one) => exitValidity(state, one) === VoluntaryExitValidity.valid && once(one.message.validatorIndex))
      .slice(0, MAX_VOLUNTARY_EXITS);
    const blsToExecutionChanges = this.changes
      .filter((one) => state.validators.getReadonly(one.message.validatorIndex).withdrawalCredentials[0] === 0)
      .slice(0, MAX_BLS_TO_EXECUTION_CHANGES);
    return {proposerSlashings, attesterSlashings, voluntaryExits, blsToExecutionChanges};
  }

  /**
   * Forget what the chain has taken.
   * @param {State} state after the block
   */
  prune(state) {
    const validator = (/** @type {number} */ index) => state.validators.getReadonly(index);
    this.proposerSlashings = this.proposerSlashings.filter((one) => !proposerSlashingError(state, one));
    this.attesterSlashings = this.attesterSlashings.filter((one) => !attesterSlashingError(state, one));
    this.exits = this.exits.filter((one) => validator(one.message.validatorIndex).exitEpoch === FAR_FUTURE_EPOCH);
    this.changes = this.changes.filter((one) => validator(one.message.validatorIndex).withdrawalCredentials[0] === 0);
  }
}

/**
 * @param {State} state
 * @param {Exit} exit
 */
function exitValidity(state, exit) {
  if (exit.message.validatorIndex >= state.validators.length) return VoluntaryExitValidity.inactive;
  return getVoluntaryExitValidity(ForkSeq.electra, state, exit, true);
}

/**
 * @param {State} state
 * @param {ProposerSlashing} slashing
 */
function proposerSlashingError(state, slashing) {
  const index = slashing.signedHeader1.message.proposerIndex;
  if (index >= state.validators.length) return `there is no validator ${index}`;
  const {config, epochCtx, slot} = state;
  return reason(() =>
    assertValidProposerSlashing(config, epochCtx.pubkeyCache, slot, slashing, state.validators.getReadonly(index), true),
  );
}

/**
 * @param {State} state
 * @param {AttesterSlashing} slashing
 */
function attesterSlashingError(state, slashing) {
  const {config, epochCtx, slot} = state;
  const count = state.validators.length;
  return reason(() => {
    assertValidAttesterSlashing(config, epochCtx.pubkeyCache, slot, count, slashing, true);
    const slashable = getAttesterSlashableIndices(slashing).some((index) =>
      isSlashableValidator(state.validators.getReadonly(index), epochCtx.epoch),
    );
    if (!slashable) throw new Error('none of these validators can be slashed');
  });
}

/** @param {() => void} check */
function reason(check) {
  try {
    check();
    return null;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}
