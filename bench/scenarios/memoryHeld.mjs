import { ROOMY } from '../lib/backlog.mjs';
import { load } from '../lib/build.mjs';
import { BODY, PATH } from '../lib/payload.mjs';
import { instantTransport } from '../lib/transport.mjs';

const CALLERS = 100;
const CALLS_EACH = 50;

/** What a process holds that opened the database and did 5,000 lifecycles beside its backlog. */
export async function run({ path }) {
  const { QueueManager } = await load();
  const queue = new QueueManager({
    config: { ...ROOMY, backend: { kind: 'sqlite', path } },
    transport: instantTransport(),
  });
  await queue.start();
  const input = { method: 'POST', url: `http://api.example.com${PATH}`, body: BODY };
  const caller = async () => {
    for (let call = 0; call < CALLS_EACH; call += 1) await (await queue.enqueue(input)).settled();
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const rssMiB = process.memoryUsage.rss() / 2 ** 20;
  const counts = await queue.counts();
  await queue.close();
  return { rssMiB, waiting: counts.ready };
}
