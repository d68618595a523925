import {HELP, UsageError, parseOptions} from './options.mjs';

/** @type {import('./options.mjs').Options | null} */
let options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`error: ${error.message} (--help lists the options)`);
  process.exit(2);
}
if (options === null) {
  console.log(HELP);
  process.exit(0);
}
process.env.LODESTAR_PRESET = options.preset; // read by @lodestar/params at import
const {serve} = await import('./server.mjs');
try {
  await serve(options);
} catch (error) {
  console.error(error);
  process.exit(1);
}
