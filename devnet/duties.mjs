// What validators sign in every slot: attestations and the sync aggregate, of all whose keys are held here.
import {BitArray} from '@chainsafe/ssz';
import {DOMAIN_BEACON_ATTESTER, DOMAIN_SYNC_COMMITTEE, MAX_ATTESTATIONS_ELECTRA, MAX_COMMITTEES_PER_SLOT} from '@lodestar/params';
import {
  G2_POINT_AT_INFINITY,
  computeEpochAtSlot,
  computeSigningRoot,
  computeStartSlotAtEpoch,
  getBlockRootAtSlot,
} from '@lodestar/state-transition';
import {ssz} from '@lodestar/types';

/**
 * @typedef {import('@lodestar/state-transition').CachedBeaconStateElectra} State
 * @typedef {import('./keys.mjs').KeyRing} KeyRing
 */

/**
 * The attestations of every slot since the last block; one for each slot, of all its committees. After missed slots
 * the newest come first and the oldest may have to stay out.
 * @param {State} state advanced to the slot of the block that will carry them
 * @param {number} since slot of the last block
 * @param {KeyRing} keys
 */
export function attestations(state, since, keys) {
  const found = [];
  const oldest = computeStartSlotAtEpoch(Math.max(0, computeEpochAtSlot(state.slot) - 1));
  const first = Math.max(since, oldest);
  for (let slot = state.slot - 1; slot >= first && found.length < MAX_ATTESTATIONS_ELECTRA; slot--) {
    const one = attestation(state, slot, keys);
    if (one) found.push(one);
  }
  return found;
}

/**
 * @param {State} state
 * @param {number} slot
 * @param {KeyRing} keys
 */
function attestation(state, slot, keys) {
  const epoch = computeEpochAtSlot(slot);
  const current = epoch === computeEpochAtSlot(state.slot);
  const source = current ? state.currentJustifiedCheckpoint : state.previousJustifiedCheckpoint;
  const data = {
    slot,
    index: 0,
    beaconBlockRoot: getBlockRootAtSlot(state, slot),
    source: source.toValue(),
    target: {epoch, root: getBlockRootAtSlot(state, computeStartSlotAtEpoch(epoch))},
  };
  const committeeBits = BitArray.fromBitLen(MAX_COMMITTEES_PER_SLOT);
  /** @type {boolean[]} */
  const bits = [];
  const secrets = [];
  for (let committee = 0; committee < state.epochCtx.getCommitteeCountPerSlot(epoch); committee++) {
    const members = Array.from(state.epochCtx.getBeaconCommittee(slot, committee), (index) => keys.onDuty(state, index));
    const signers = members.filter((secret) => secret !== null);
    if (!signers.length) continue;
    committeeBits.set(committee, true);
    bits.push(...members.map((secret) => secret !== null));
    secrets.push(...signers);
  }
  if (!secrets.length) return null;
  const domain = state.config.getDomain(state.slot, DOMAIN_BEACON_ATTESTER, slot);
  const root = computeSigningRoot(ssz.phase0.AttestationData, data, domain);
  return {aggregationBits: BitArray.fromBoolArray(bits), data, signature: keys.signTogether(secrets, root), committeeBits};
}

/**
 * The sync committee's signatures over the parent block.
 * @param {State} state advanced to the slot of the block that will carry it
 * @param {Uint8Array} parentRoot
 * @param {KeyRing} keys
 */
export function syncAggregate(state, parentRoot, keys) {
  const members = Array.from(state.epochCtx.currentSyncCommitteeIndexed.validatorIndices, (index) => keys.onDuty(state, index));
  const secrets = members.filter((secret) => secret !== null);
  const domain = state.config.getDomain(state.slot, DOMAIN_SYNC_COMMITTEE, state.slot - 1);
  return {
    syncCommitteeBits: BitArray.fromBoolArray(members.map((secret) => secret !== null)),
    syncCommitteeSignature: secrets.length
      ? keys.signTogether(secrets, computeSigningRoot(ssz.Root, parentRoot, domain))
      : G2_POINT_AT_INFINITY,
  };
}
