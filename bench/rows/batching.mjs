import { alternate, fixed, ratios } from '../lib/pairs.mjs';
import { runFresh, serve } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

const CALL_MS = 20;
/** Of the zone, on both sides. */
const CONCURRENCY = 4;

/** What sharing calls is worth where a call takes time, and the number of calls at once is limited. */
export const batching = {
  numbers: [15],
  async run({ rounds, loop, progress }) {
    const server = await serve('slowServer', { callMs: CALL_MS });
    const options = { origin: server.origin, maxConcurrency: CONCURRENCY, loop };
    const results = await alternate(
      {
        batched: () => runFresh('batching', { ...options, batchingEnabled: true }),
        singly: () => runFresh('batching', { ...options, batchingEnabled: false }),
      },
      { rounds, progress },
    );
    await server.stop();
    const of = (side, field) => results[side].map((result) => result[field]);
    const [batched, singly] = [of('batched', 'perSecond'), of('singly', 'perSecond')];
    const each = results.batched.map(({ made, batches }) => made / batches);
    const line = {
      row: 15,
      what: `POSTs that share calls / singly, ${CALL_MS} ms a call, ${CONCURRENCY} at once, SQLite`,
      target: { least: 8 },
      unit: '×',
      value: ratios(batched, singly),
      ours: `${fixed(median(batched))}/s`,
      theirs: `${fixed(median(singly))}/s`,
      note: `${fixed(median(each))} requests in a call, p99 ${fixed(median(of('batched', 'p99')))} ms and ${fixed(median(of('singly', 'p99')))} ms`,
    };
    return { results, lines: [line] };
  },
};
