// The secrets of the validators that this process speaks for.
import {SecretKey} from '@chainsafe/blst';
import {interopSecretKeys} from '@lodestar/state-transition';
import {hex} from './hex.mjs';

/** @typedef {import('@lodestar/state-transition').CachedBeaconStateAllForks} State */

/** The order of the curve's group: secrets are numbers below it. */
const ORDER = 52435875175126190479447740508185965837690552500527637822603658699938581184513n;

export class KeyRing {
  /** @type {Map<string, SecretKey>} public key -> secret */
  #byPubkey = new Map();
  /** @type {Map<number, SecretKey>} validator index -> secret; an index never changes its key */
  #byIndex = new Map();
  /** @type {Map<SecretKey, bigint>} */
  #scalars = new Map();
  /** @type {Set<number>} validators that do no duty, as if their machine were off */
  offline = new Set();

  /** @param {number} interop how many of the well-known keys to hold */
  constructor(interop) {
    for (const secret of interopSecretKeys(interop)) this.#add(secret);
  }

  get size() {
    return this.#byPubkey.size;
  }

  /** @param {SecretKey} secret */
  #add(secret) {
    this.#byPubkey.set(secret.toPublicKey().toHex(), secret);
  }

  /** @param {string} secret 32 bytes of hex; throws where it is no secret */
  add(secret) {
    this.#add(SecretKey.fromHex(secret.replace(/^0x/, '')));
  }

  /**
   * The secret of a validator, null where it is somebody else's.
   * @param {State} state
   * @param {number} index
   */
  secretOf(state, index) {
    const known = this.#byIndex.get(index);
    if (known) return known;
    const found = this.#byPubkey.get(hex(state.validators.getReadonly(index).pubkey)) ?? null;
    if (found) this.#byIndex.set(index, found);
    return found;
  }

  /** Indices are given anew after a reorganisation. */
  forgetIndices() {
    this.#byIndex.clear();
  }

  /**
   * The secret of a validator that does its duties now.
   * @param {State} state
   * @param {number} index
   */
  onDuty(state, index) {
    return this.offline.has(index) ? null : this.secretOf(state, index);
  }

  /**
   * The aggregate of all these keys' signatures over one message: the signature of their sum, for one signing
   * instead of one for each.
   * @param {SecretKey[]} secrets
   * @param {Uint8Array} root
   */
  signTogether(secrets, root) {
    let sum = 0n;
    for (const secret of secrets) sum += this.#scalar(secret);
    return SecretKey.fromHex((sum % ORDER).toString(16).padStart(64, '0')).sign(root).toBytes();
  }

  /** @param {SecretKey} secret */
  #scalar(secret) {
    let scalar = this.#scalars.get(secret);
    if (scalar === undefined) {
      scalar = BigInt(hex(secret.toBytes()));
      this.#scalars.set(secret, scalar);
    }
    return scalar;
  }
}
