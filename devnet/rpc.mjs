// JSON-RPC over HTTP, with the token of the Engine API where a secret is given.
import crypto from 'node:crypto';

/** @typedef {(method: string, ...params: unknown[]) => Promise<any>} Rpc */

/**
 * @param {string} url
 * @param {Uint8Array} [secret]
 * @returns {Rpc}
 */
export function connect(url, secret) {
  let id = 0;
  return async (method, ...params) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {'content-type': 'application/json', ...(secret && {authorization: `Bearer ${token(secret)}`})},
      body: JSON.stringify({jsonrpc: '2.0', id: ++id, method, params}),
    });
    if (!response.ok) throw new Error(`${method}: ${url} answered ${response.status}`);
    const answer = await response.json();
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  };
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
