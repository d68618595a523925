// POST /devnet/...: time, keys, offences, faults. On the first endpoint only.
import {processSlots} from '@lodestar/state-transition';
import {BadRequest} from './driver.mjs';
import {InvalidOperation} from './pool.mjs';
import {attesterSlashing, proposerSlashing} from './slashing.mjs';
import {HttpError} from './view.mjs';
import {NotSupported} from './backends/interface.mjs';

/**
 * What a caller did wrong is a 400.
 * @param {(body: any) => unknown} work
 */
function handler(work) {
  return async (/** @type {import('fastify').FastifyRequest} */ request) => {
    try {
      return await work(request.body ?? {});
    } catch (error) {
      const wrong = error instanceof BadRequest || error instanceof InvalidOperation || error instanceof RangeError;
      if (wrong) throw new HttpError(400, error.message);
      if (error instanceof NotSupported) throw new HttpError(501, error.message);
      throw error;
    }
  };
}

/** @param {unknown} value */
function indices(value) {
  if (!Array.isArray(value) || !value.length || !value.every((one) => Number.isInteger(one) && one >= 0)) {
    throw new BadRequest('indices is a list of validator indices');
  }
  return /** @type {number[]} */ (value);
}

/**
 * @param {import('fastify').FastifyInstance} server
 * @param {import('./driver.mjs').Driver} driver
 * @param {import('./faults.mjs').Faults[]} endpoints
 */
export function installControls(server, driver, endpoints) {
  const {chain, proposer} = driver;
  const {keys, pool} = proposer;

  server.get('/devnet/status', async () => ({...driver.status(), validators: chain.headState.validators.length}));
  // beacon nodes differ in what they serve for a slot without a block; this is the state as the protocol defines it
  server.get('/devnet/states/:slot', async (request) => {
    const slot = Number(/** @type {{slot: string}} */ (request.params).slot);
    const entry = Number.isInteger(slot) && slot >= 0 && slot <= chain.slot ? chain.notAfter(slot) : undefined;
    const state = entry && chain.stateOf(entry);
    if (!state) throw new HttpError(404, `there is no state of slot ${slot}`);
    const type = chain.config.getForkTypes(slot).BeaconState;
    return type.toJson(/** @type {any} */ ((state.slot < slot ? processSlots(state, slot) : state).toValue()));
  });
  server.get('/devnet/stats', async () => proposer.stats.toJson());

  server.post('/devnet/advance', handler(({slots = 1, skip = 0}) => driver.advance(slots, skip)));
  server.post('/devnet/reorg', handler(({depth = 1}) => driver.reorg(depth)));
  server.post('/devnet/snapshot', handler(() => driver.snapshot()));
  server.post('/devnet/revert', handler(({id}) => driver.revert(String(id))));

  server.post(
    '/devnet/keys',
    handler(({secrets = []}) => {
      for (const secret of secrets) {
        try {
          keys.add(String(secret));
        } catch {
          throw new BadRequest('a secret is 32 bytes of hex below the order of the curve');
        }
      }
      return {keys: keys.size};
    }),
  );

  server.post(
    '/devnet/offline',
    handler(({indices: list = []}) => {
      keys.offline = new Set(list.length ? indices(list) : []);
      return {offline: [...keys.offline]};
    }),
  );

  server.post(
    '/devnet/slash',
    handler(({indices: list, offence = 'proposal'}) => {
      const wanted = indices(list);
      const state = chain.headState;
      if (offence === 'proposal') {
        const found = wanted.map((index) => proposerSlashing(state, keys, index));
        for (const one of found) pool.addProposerSlashing(state, /** @type {any} */ (one));
      } else if (offence === 'vote') pool.addAttesterSlashing(state, /** @type {any} */ (attesterSlashing(state, keys, wanted)));
      else throw new BadRequest(`the offence is proposal or vote, not ${offence}`);
      return {indices: wanted, offence};
    }),
  );

  server.get('/devnet/faults', async () => endpoints.map((faults) => faults.list));
  server.post(
    '/devnet/faults',
    handler(({endpoint = 0, faults = {}}) => {
      const found = endpoints[endpoint];
      if (!found) throw new BadRequest(`endpoints are numbered from 0 to ${endpoints.length - 1}, not ${endpoint}`);
      found.set(faults);
      return {endpoint, faults: found.list};
    }),
  );
}
