// The npm compiler kept in memory: one standard-JSON input a line in, one output a line out. Imports are read from the
// working directory. For tools/mutate.py.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const solc = require(path.join(__dirname, '..', 'node_modules', 'solc'));

const known = new Map();
const read = (name) => {
  try {
    if (!known.has(name)) known.set(name, fs.readFileSync(path.resolve(name), 'utf8'));
    return { contents: known.get(name) };
  } catch (error) {
    return { error: String(error) };
  }
};

process.stdout.on('error', () => process.exit()); // whoever asked is gone

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(solc.compile(line, { import: read }) + '\n');
});
