// JSON-RPC over HTTP, with the token of the Engine API where a secret is given.
import crypto from 'node:crypto';
import http from 'node:http';

/**
 * @typedef {((method: string, ...params: unknown[]) => Promise<any>) & {
 *   batch: (calls: [method: string, ...params: unknown[]][]) => Promise<any[]>}} Rpc
 *   `batch` sends calls in one request, in no order that could be relied on
 */

/** Connections are kept: a slot makes several calls, and each would else cost more than what it does. */
const agent = new http.Agent({keepAlive: true});

/**
 * @param {string} url
 * @param {string} body
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
function post(url, body, headers) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      {agent, method: 'POST', headers: {...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body)}},
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part) => (text += part));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}: ${text.slice(0, 200)}`));
          else resolve(JSON.parse(text));
        });
      },
    );
    request.on('error', (/** @type {any} */ error) => {
      // the server closed a kept connection just as we took it up: nothing was done
      if (request.reusedSocket && error.code === 'ECONNRESET') post(url, body, headers).then(resolve, reject);
      else reject(error);
    });
    request.end(body);
  });
}

/**
 * @param {string} url
 * @param {Uint8Array} [secret]
 * @returns {Rpc}
 */
export function connect(url, secret) {
  let id = 0;
  /** @returns {Record<string, string>} */
  const headers = () => (secret ? {authorization: `Bearer ${token(secret)}`} : {});
  const call = (/** @type {string} */ method, /** @type {unknown[]} */ params) => ({jsonrpc: '2.0', id: ++id, method, params});
  const result = (/** @type {string} */ method, /** @type {any} */ answer) => {
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  };
  const one = async (/** @type {string} */ method, /** @type {unknown[]} */ ...params) =>
    result(method, await post(url, JSON.stringify(call(method, params)), headers()));
  return Object.assign(one, {
    /** @param {[method: string, ...params: unknown[]][]} calls */
    async batch(calls) {
      if (!calls.length) return [];
      const requests = calls.map(([method, ...params]) => call(method, params));
      const answers = await post(url, JSON.stringify(requests), headers());
      const byId = new Map(answers.map((/** @type {any} */ answer) => [answer.id, answer]));
      return requests.map((request) => result(request.method, byId.get(request.id)));
    },
  });
}

/**
 * A JSON web token of this second (HS256), as the Engine API asks for.
 * @param {Uint8Array} secret
 * @param {number} [now]
 */
export function token(secret, now = Math.floor(Date.now() / 1000)) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const message = `${part({alg: 'HS256', typ: 'JWT'})}.${part({iat: now})}`;
  return `${message}.${crypto.createHmac('sha256', secret).update(message).digest('base64url')}`;
}
