// `npm run chaos [-- --kills 200] [--seed text]`: kills a real queue over a real database again and again, at named
// moments, and checks after each that nothing accepted was lost or applied twice. Exit code 1 if anything was.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' }, seed: { type: 'string' } } });
process.env.HOLDFAST_KILLS = values.kills;
if (values.seed !== undefined) process.env.HOLDFAST_SEED = values.seed;

const vitest = await startVitest('test', [], {
  root: fileURLToPath(new URL('..', import.meta.url)),
  config: false,
  watch: false,
  include: ['test/chaos/**/*.test.ts'],
  globalSetup: ['test/globalSetup.ts'],
  pool: 'forks',
  maxWorkers: 1,
  // Every kill is printed as it happens.
  disableConsoleIntercept: true,
});
await vitest.close();
