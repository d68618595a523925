// One beacon endpoint: @lodestar/api's route table over what is served here.
import {registerRoutes} from '@lodestar/api/beacon/server';
import {fastify} from 'fastify';
import qs from 'qs';
import {HttpError, View} from '../view.mjs';
import {beaconMethods} from './beacon.mjs';
import {configMethods, debugMethods, nodeMethods} from './other.mjs';
import {rewardMethods} from './rewards.mjs';

const LARGEST_BODY = 1 << 26;

/**
 * Routes of the table that nothing here stands behind say so.
 * @param {import('./other.mjs').Methods} methods
 */
function complete(methods) {
  return new Proxy(methods, {
    get: (known, name) =>
      known[/** @type {string} */ (name)] ??
      (async () => {
        throw new HttpError(501, `the devnet does not serve ${String(name)}`);
      }),
  });
}

/**
 * @param {import('../chain.mjs').Chain} chain
 * @param {import('../pool.mjs').OperationPool} pool
 * @param {import('../faults.mjs').Faults} faults
 */
export function createEndpoint(chain, pool, faults) {
  const server = fastify({
    ajv: {customOptions: {coerceTypes: 'array'}},
    routerOptions: {querystringParser: (text) => qs.parse(text, {comma: true, parseArrays: false})},
    bodyLimit: LARGEST_BODY,
    forceCloseConnections: true,
  });
  server.addContentTypeParser('application/octet-stream', {parseAs: 'buffer'}, async (/** @type {unknown} */ _request, /** @type {Buffer} */ body) =>
    Uint8Array.from(body),
  );
  server.setErrorHandler((/** @type {any} */ error, _request, reply) => {
    const code = error.validation ? 400 : (error.statusCode ?? 500);
    if (code === 500) console.error(error);
    void reply.status(code).send({code, message: error.message});
  });
  faults.install(server);
  const view = new View(chain, faults);
  const methods = {
    beacon: complete({...beaconMethods(view, pool), ...rewardMethods(view)}),
    config: complete(configMethods(view)),
    debug: complete(debugMethods(view)),
    node: complete(nodeMethods(view)),
  };
  registerRoutes(server, chain.config, /** @type {any} */ (methods), ['beacon', 'config', 'debug', 'node']);
  return server;
}
