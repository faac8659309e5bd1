import { alternate, fixed, ratios } from '../lib/pairs.mjs';
import { runFresh, serve } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

/** As many as a zone takes at once. */
const CALLERS = 10;
const RETRY_AFTER_S = 1;
/** The p99 of a second is a matter of ten calls. */
const LONGER = 3;

/** What a zone that is well notices of one that hangs and one that refuses. */
export const zoneBeside = {
  numbers: [14],
  async run({ rounds, loop, progress }) {
    const server = await serve('server');
    const { hangingAt, refusingAt, stop } = await serve('sickServers', { retryAfterS: RETRY_AFTER_S });
    const measureMs = LONGER * loop.measureMs;
    const options = { origin: server.origin, hangingAt, refusingAt, loop: { ...loop, measureMs, callers: CALLERS } };
    const results = await alternate(
      {
        beside: () => runFresh('zoneBeside', { ...options, isBeside: true }),
        alone: () => runFresh('zoneBeside', { ...options, isBeside: false }),
      },
      { rounds, progress },
    );
    await Promise.all([server.stop(), stop()]);
    const of = (side, field) => results[side].map((result) => result[field]);
    const [beside, alone] = [of('beside', 'p99'), of('alone', 'p99')];
    const rates = ['beside', 'alone'].map((side) => fixed(median(of(side, 'perSecond'))));
    const line = {
      row: 14,
      what: 'p99 of a zone beside one that hangs and one that refuses / alone, SQLite',
      target: { most: 1.3 },
      unit: '×',
      value: ratios(beside, alone),
      ours: `${fixed(median(beside))} ms`,
      theirs: `${fixed(median(alone))} ms`,
      note: `${rates.join(' and ')} calls a second`,
    };
    return { results, lines: [line] };
  },
};
