// `npm run simulate [-- --runs 10000] [--seed n]`: lives through worlds of random requests, faults and crashes on the simulated network, and
// compares what each server has in the end with the sequential model. Exit code 1 if they differ and the queue does not say so.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
process.env.MODEL_RUNS = values.runs;
if (values.seed !== undefined) process.env.MODEL_SEED = values.seed;
process.env.MODEL_TELL = process.stdout.isTTY ? 'progress, summary' : 'summary';

const vitest = await startVitest('test', [], {
  root: fileURLToPath(new URL('..', import.meta.url)),
  config: false,
  watch: false,
  include: ['test/replay/model/*.test.ts'],
  pool: 'forks',
  maxWorkers: 1,
  // Progress is printed as it is made.
  disableConsoleIntercept: true,
});
await vitest.close();
