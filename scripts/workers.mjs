// `npm run chaos:workers [-- --requests 20000] [--seed text] [--backend sqlite|redis|cluster|all]`: four workers and two producers over
// one store; workers are killed and stopped past their lease, at random but repeatably. Exit code 1 if anything accepted was
// lost, applied twice or out of order, or did not end.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const BACKENDS = ['sqlite', 'redis', 'cluster'];

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    backend: { type: 'string', default: 'all' },
  },
});
if (![...BACKENDS, 'all'].includes(values.backend)) {
  throw new Error(`--backend ${values.backend}: expected ${BACKENDS.join(', ')} or all`);
}
process.env.HOLDFAST_REQUESTS = values.requests;
if (values.seed !== undefined) process.env.HOLDFAST_SEED = values.seed;
const chosen = values.backend === 'all' ? BACKENDS : [values.backend];

const vitest = await startVitest('test', [], {
  root: fileURLToPath(new URL('..', import.meta.url)),
  config: false,
  watch: false,
  include: chosen.map((backend) => `test/workers/${backend}.test.ts`),
  globalSetup: ['test/globalSetup.ts'],
  pool: 'forks',
  maxWorkers: 1,
  // Every deed is printed as it happens.
  disableConsoleIntercept: true,
});
await vitest.close();
