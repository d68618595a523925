// What can be wrong with one beacon endpoint. Only /eth/ routes are concerned; controls always answer.

/**
 * @typedef {object} Change one validator's balance, as an endpoint that lies shows it
 * @property {number} index
 * @property {number} gwei added, may be negative
 *
 * @typedef {object} FaultList
 * @property {boolean} stall requests are held until the fault is lifted
 * @property {number} delay milliseconds before each answer
 * @property {boolean} unavailable every answer is 503
 * @property {number} lag slots that it is behind
 * @property {boolean} prune it has no state but the head's
 * @property {Change | null} wrong_balance states are served with it; headers are the true ones
 * @property {Change | null} disagree states are served with it, and the headers' roots fit them
 * @property {boolean} corrupt one bit of every downloaded state is flipped
 * @property {boolean} truncate every downloaded state ends in the middle, as if whole
 */

/** @returns {FaultList} */
export const noFaults = () => ({
  stall: false,
  delay: 0,
  unavailable: false,
  lag: 0,
  prune: false,
  wrong_balance: null,
  disagree: null,
  corrupt: false,
  truncate: false,
});

/** @type {Record<keyof FaultList, (value: any) => boolean>} */
const VALID = {
  stall: isBoolean,
  delay: isCount,
  unavailable: isBoolean,
  lag: isCount,
  prune: isBoolean,
  wrong_balance: isChange,
  disagree: isChange,
  corrupt: isBoolean,
  truncate: isBoolean,
};

/** @param {unknown} value */
function isBoolean(value) {
  return typeof value === 'boolean';
}

/** @param {unknown} value */
function isCount(value) {
  return Number.isInteger(value) && /** @type {number} */ (value) >= 0;
}

/** @param {any} value */
function isChange(value) {
  return value === null || (isCount(value?.index) && Number.isInteger(value?.gwei));
}

export class Faults {
  list = noFaults();
  /** @type {Set<() => void>} requests that are held */
  #held = new Set();

  /**
   * These and no others.
   * @param {Record<string, unknown>} wanted
   */
  set(wanted) {
    const list = noFaults();
    for (const [name, value] of Object.entries(wanted)) {
      if (!(name in VALID)) throw new RangeError(`there is no fault '${name}': ${Object.keys(VALID).join(', ')}`);
      if (!VALID[/** @type {keyof FaultList} */ (name)](value)) {
        throw new RangeError(`the fault '${name}' cannot be ${JSON.stringify(value)}`);
      }
    }
    this.list = Object.assign(list, wanted);
    for (const release of [...this.#held]) release();
  }

  /**
   * Put them in front of a server's routes.
   * @param {import('fastify').FastifyInstance} server
   */
  install(server) {
    server.addHook('onRequest', async (request, reply) => {
      if (!request.url.startsWith('/eth/')) return undefined;
      if (this.list.stall) await this.#hold(request.raw.socket);
      if (this.list.delay) await new Promise((resolve) => setTimeout(resolve, this.list.delay));
      if (this.list.unavailable) return reply.status(503).send({code: 503, message: 'devnet fault: unavailable'});
      return undefined;
    });
    server.addHook('onSend', async (request, _reply, body) => {
      if (!request.url.startsWith('/eth/v2/debug/beacon/states') || !(body instanceof Uint8Array)) return body;
      if (this.list.truncate) return Buffer.from(body.subarray(0, body.length >> 1));
      if (this.list.corrupt) {
        const copy = Buffer.from(body);
        copy[copy.length >> 1] ^= 1;
        return copy;
      }
      return body;
    });
  }

  /** @param {import('node:net').Socket} socket */
  #hold(socket) {
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => {
        const release = () => {
          this.#held.delete(release);
          socket.removeListener('close', release);
          resolve();
        };
        this.#held.add(release);
        socket.once('close', release);
      })
    );
  }
}
