// ethereumjs' peer-to-peer listeners are fixed to 0.0.0.0; with this every listener of its process is on 127.0.0.1.
import dgram from 'node:dgram';
import net from 'node:net';

const HOST = '127.0.0.1';
/** @type {(this: net.Server, ...words: any[]) => net.Server} */
const listen = net.Server.prototype.listen;
/** @type {(this: dgram.Socket, ...words: any[]) => dgram.Socket} */
const bind = dgram.Socket.prototype.bind;

/** @param {any[]} words */
net.Server.prototype.listen = function (...words) {
  const [first, second, ...rest] = words;
  if (typeof first === 'number') {
    return listen.call(this, first, HOST, ...(typeof second === 'string' ? rest : words.slice(1)));
  }
  if (first && typeof first === 'object' && 'port' in first) return listen.call(this, {...first, host: HOST}, ...words.slice(1));
  return listen.apply(this, words);
};

/** @param {any[]} words */
dgram.Socket.prototype.bind = function (...words) {
  const [first, second, ...rest] = words;
  if (typeof first === 'number') return bind.call(this, first, HOST, ...(typeof second === 'string' ? rest : words.slice(1)));
  if (first && typeof first === 'object') return bind.call(this, {...first, address: HOST}, ...words.slice(1));
  return bind.apply(this, words);
};
