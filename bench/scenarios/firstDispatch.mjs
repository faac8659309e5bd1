import { ORIGIN, ROOMY, ZONE } from '../lib/backlog.mjs';
import { load } from '../lib/build.mjs';

/** From `start()` on a database to the first call its transport is given. Nothing is sent: the zone is found unreachable. */
export async function run({ path }) {
  const { QueueManager } = await load();
  let dispatched;
  const first = new Promise((resolve) => {
    dispatched = resolve;
  });
  const error = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  const transport = {
    send() {
      dispatched(performance.now());
      return Promise.resolve({ phase: 'notSent', error });
    },
    close: () => Promise.resolve(),
  };
  const config = { ...ROOMY, backend: { kind: 'sqlite', path }, zones: { [ZONE]: { origins: [ORIGIN] } } };
  const queue = new QueueManager({ config, transport });
  const started = performance.now();
  await queue.start();
  const startMs = performance.now() - started;
  const firstMs = (await first) - started;
  await queue.close();
  return { startMs, firstMs };
}
