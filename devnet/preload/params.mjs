// @ethereumjs/common 10 merges some seventy tables of parameters anew for every transaction and header it makes.
// Here a table is merged once: a block takes a fraction of the time.
import {Common} from '@ethereumjs/common';

const merged = Symbol('merged');
const proto = /** @type {any} */ (Common.prototype);
const {updateParams, resetParams} = proto;

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

/**
 * @this {any}
 * @param {object} table
 */
proto._mergeWithParamsCache = function (table) {
  Object.assign(this._paramsCache, table);
};
