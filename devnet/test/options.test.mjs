import assert from 'node:assert/strict';
import {test} from 'node:test';
import {DEFAULT_CONFIG, UsageError, parseOptions} from '../options.mjs';

const URL = ['--execution-url', 'http://127.0.0.1:1'];

test('defaults are a minimal fulu devnet in virtual time with two endpoints', () => {
  const options = parseOptions(URL);
  assert.equal(options?.preset, 'minimal');
  assert.equal(options?.fork, 'fulu');
  assert.equal(options?.mode, 'manual');
  assert.deepEqual(options?.ports, [0, 0]);
  assert.deepEqual(options?.config, DEFAULT_CONFIG);
});

test('values of the configuration are added to the defaults and win over them', () => {
  const words = ['--config', 'SHARD_COMMITTEE_PERIOD=64', '--config', 'EJECTION_BALANCE=1'];
  assert.deepEqual(parseOptions([...URL, ...words])?.config, {
    ...DEFAULT_CONFIG,
    SHARD_COMMITTEE_PERIOD: '64',
    EJECTION_BALANCE: '1',
  });
});

test('help is asked for without anything else', () => {
  assert.equal(parseOptions(['--help']), null);
});

for (const [words, pattern] of /** @type {[string[], RegExp][]} */ ([
  [[], /--execution-url is missing/],
  [[...URL, '--fork', 'deneb'], /--fork deneb: it is one of electra, fulu/],
  [[...URL, '--validators', '7'], /--validators 7: it is a whole number of at least 8/],
  [[...URL, '--seconds-per-slot', '1.5'], /--seconds-per-slot 1.5/],
  [[...URL, '--config', 'A'], /--config A: it is NAME=VALUE/],
  [[...URL, '--backend', 'engine'], /needs --engine-url/],
  [[...URL, '--ports', '1,x'], /--ports x/],
  [[...URL, '--nonsense'], /nonsense/],
])) {
  test(`refused: ${words.slice(2).join(' ') || 'nothing'}`, () => {
    assert.throws(() => parseOptions(words), (error) => error instanceof UsageError && pattern.test(error.message));
  });
}
