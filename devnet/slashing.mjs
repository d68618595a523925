// Offences to be punished: two different messages that one validator signs for the same duty.
import {DOMAIN_BEACON_ATTESTER, DOMAIN_BEACON_PROPOSER} from '@lodestar/params';
import {computeEpochAtSlot, computeSigningRoot} from '@lodestar/state-transition';
import {ssz} from '@lodestar/types';

/**
 * @typedef {import('@lodestar/state-transition').CachedBeaconStateElectra} State
 * @typedef {import('./keys.mjs').KeyRing} KeyRing
 */

/**
 * @param {State} state
 * @param {KeyRing} keys
 * @param {number} index
 */
function secretOf(state, keys, index) {
  const secret = index < state.validators.length ? keys.secretOf(state, index) : null;
  if (!secret) throw new RangeError(`validator ${index} has no key here`);
  return secret;
}

/**
 * Two headers for one slot.
 * @param {State} state
 * @param {KeyRing} keys
 * @param {number} index
 */
export function proposerSlashing(state, keys, index) {
  const secret = secretOf(state, keys, index);
  const domain = state.config.getDomain(state.slot, DOMAIN_BEACON_PROPOSER, state.slot);
  const [signedHeader1, signedHeader2] = [1, 2].map((filler) => {
    const message = {
      ...ssz.phase0.BeaconBlockHeaderBigint.defaultValue(),
      slot: BigInt(state.slot),
      proposerIndex: index,
      parentRoot: new Uint8Array(32).fill(filler),
    };
    const root = computeSigningRoot(ssz.phase0.BeaconBlockHeaderBigint, message, domain);
    return {message, signature: secret.sign(root).toBytes()};
  });
  return {signedHeader1, signedHeader2};
}

/**
 * Two votes for one target epoch, of all these validators together.
 * @param {State} state
 * @param {KeyRing} keys
 * @param {number[]} indices
 */
export function attesterSlashing(state, keys, indices) {
  const sorted = [...new Set(indices)].sort((a, b) => a - b);
  const secrets = sorted.map((index) => secretOf(state, keys, index));
  const epoch = BigInt(computeEpochAtSlot(state.slot));
  const domain = state.config.getDomain(state.slot, DOMAIN_BEACON_ATTESTER, state.slot);
  const [attestation1, attestation2] = [1, 2].map((filler) => {
    const data = {
      ...ssz.phase0.AttestationDataBigint.defaultValue(),
      slot: BigInt(state.slot),
      beaconBlockRoot: new Uint8Array(32).fill(filler),
      target: {epoch, root: new Uint8Array(32).fill(filler)},
    };
    const root = computeSigningRoot(ssz.phase0.AttestationDataBigint, data, domain);
    return {attestingIndices: sorted, data, signature: keys.signTogether(secrets, root)};
  });
  return {attestation1, attestation2};
}
