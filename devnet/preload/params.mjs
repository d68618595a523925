// @ethereumjs/common 10 merges some seventy tables of parameters anew for every transaction and header it makes.
// Here a table is merged once, before the first copy is made: a block takes a fraction of the time.
import {paramsBlock} from '@ethereumjs/block';
import {Common} from '@ethereumjs/common';
import {paramsEVM} from '@ethereumjs/evm';
import {paramsTx} from '@ethereumjs/tx';
import {paramsVM} from '@ethereumjs/vm';

/** In the client's order: a VM's are merged after its EVM's, and one value differs (2935.historyServeWindow). */
const TABLES = [paramsBlock, paramsTx, paramsEVM, paramsVM];
const merged = Symbol('merged');
const proto = /** @type {any} */ (Common.prototype);
const {updateParams, resetParams, copy} = proto;

/**
 * @this {any}
 * @param {object} table
 */
proto.updateParams = function (table) {
  if (this[merged]?.has(table)) return;
  updateParams.call(this, table);
  this[merged] = new Set([...(this[merged] ?? []), table]);
};

/**
 * @this {any}
 * @param {object} table
 */
proto.resetParams = function (table) {
  this[merged] = undefined;
  return resetParams.call(this, table);
};

/** @this {any} */
proto.copy = function () {
  for (const table of TABLES) this.updateParams(table); // a transaction or header merges them into its copy
  return copy.call(this);
};

/**
 * @this {any}
 * @param {object} table
 */
proto._mergeWithParamsCache = function (table) {
  Object.assign(this._paramsCache, table);
};
