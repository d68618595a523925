// The compiler's command line over the npm package `solc`: only what ape, py-solc-x and forge ask of it.
'use strict';
const fs = require('fs');
const path = require('path');
const solc = require(path.join(__dirname, '..', 'node_modules', 'solc'));

const argv = process.argv.slice(2);
const at = argv.indexOf('--base-path');
const base = at < 0 ? process.cwd() : argv[at + 1];
const read = (name) => {
  try {
    return { contents: fs.readFileSync(path.resolve(base, name), 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
};

if (argv.includes('--version')) {
  console.log('solc, the solidity compiler commandline interface\nVersion: ' + solc.version());
} else if (argv.includes('--standard-json')) {
  const output = Buffer.from(solc.compile(fs.readFileSync(0, 'utf8'), { import: read }));
  // Written to the descriptor until all of it is gone: process.stdout would be cut at 64 KiB on exit.
  for (let done = 0; done < output.length; ) {
    try {
      done += fs.writeSync(1, output, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
} else {
  console.error('solc (npm): only --version and --standard-json are supported, not: ' + argv.join(' '));
  process.exitCode = 2;
}
