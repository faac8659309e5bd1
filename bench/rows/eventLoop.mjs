import { alternate, fixed, ratios } from '../lib/pairs.mjs';
import { runFresh, serve } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

const RATE = 1_000;

/** How long the app's event loop is kept from its timers, beside the same load on a bare pool. */
export const eventLoop = {
  numbers: [7],
  async run({ rounds, loop, progress }) {
    const server = await serve('server');
    const { warmUpMs, measureMs } = loop;
    const options = { origin: server.origin, perSecond: RATE, warmUpMs, measureMs };
    const results = await alternate(
      {
        ours: () => runFresh('eventLoop', { ...options, side: 'ours' }),
        'undici pool': () => runFresh('eventLoop', { ...options, side: 'pool' }),
      },
      { rounds, progress },
    );
    await server.stop();
    const of = (side, field) => results[side].map((result) => result[field]);
    const delays = [of('ours', 'delayP99'), of('undici pool', 'delayP99')];
    const latency = (side) => fixed(median(of(side, 'p99')));
    const line = {
      row: 7,
      what: `event-loop delay p99 at ${RATE}/s, ApiClient + SQLite / bare undici pool`,
      target: { most: 1.5 },
      unit: '×',
      value: ratios(...delays),
      ours: `${fixed(median(delays[0]))} ms`,
      theirs: `${fixed(median(delays[1]))} ms`,
      p99: `${latency('ours')} / ${latency('undici pool')} ms`,
      note: 'as perf_hooks reports it: its sampling interval of 1 ms is included',
    };
    return { results, lines: [line] };
  },
};
