import { alternate, fixed, throughputLine } from '../lib/pairs.mjs';
import { ALWAYS, PLAIN, redisVersion, withRedis } from '../lib/redis.mjs';
import { runFresh } from '../lib/spawn.mjs';
import { median } from '../lib/statistics.mjs';

/** As many calls under way as a zone of ours allows by default. */
const NARROW = 10;
const WIDE = 100;

/** accept → claim → settle on Redis beside BullMQ's add → process; each run has a server of its own, of the same settings. */
export const redisLifecycle = {
  numbers: [11],
  async run({ rounds, loop, progress }) {
    const version = redisVersion();
    if (version === undefined) return { results: {}, lines: [], skipped: 'no redis-server on the PATH' };
    const side = (settings, scenario, options) => () =>
      withRedis(settings, (redis) => runFresh(scenario, { redis, loop, ...options }));
    const ours = (settings, concurrency) => side(settings, 'lifecycle', { kind: 'redis', concurrency });
    const bullmq = (settings, concurrency, workers) => side(settings, 'bullmq', { concurrency, workers });
    const results = await alternate(
      {
        ours: ours(PLAIN),
        bullmq: bullmq(PLAIN, NARROW),
        'ours at 100': ours(PLAIN, WIDE),
        'bullmq at 100': bullmq(PLAIN, WIDE),
        'bullmq at 4 × 25': bullmq(PLAIN, WIDE, 4),
        'ours, synced': ours(ALWAYS),
        'bullmq, synced': bullmq(ALWAYS, NARROW),
        'ours at 100, synced': ours(ALWAYS, WIDE),
        'bullmq at 100, synced': bullmq(ALWAYS, WIDE),
      },
      { rounds, progress },
    );
    const line = (what, mine, theirs, target) =>
      throughputLine(
        { row: 11, what, target, note: serverNote(what, results[mine], results[theirs]) },
        results[mine],
        results[theirs],
      );
    const target = { least: 3 };
    return {
      results: { server: version, ...results },
      lines: [
        line('Redis lifecycle / BullMQ, 10 at once', 'ours', 'bullmq', target),
        line('Redis lifecycle / BullMQ, 100 at once', 'ours at 100', 'bullmq at 100', target),
        line('Redis lifecycle / BullMQ, 100 at once in 4 workers', 'ours at 100', 'bullmq at 4 × 25'),
        line('Redis lifecycle / BullMQ, 10 at once, appendfsync always', 'ours, synced', 'bullmq, synced'),
        line(
          'Redis lifecycle / BullMQ, 100 at once, appendfsync always',
          'ours at 100, synced',
          'bullmq at 100, synced',
        ),
      ],
    };
  },
};

function serverNote(what, ours, theirs) {
  const of = (results, field) => fixed(median(results.map((result) => result[field])));
  const both = (field) => `${of(ours, field)} / ${of(theirs, field)}`;
  return `${what}: per lifecycle the server's CPU ${both('serverUsPerCall')} µs, its commands ${both('commandsPerCall')}, the process's CPU ${both('cpuUsPerCall')} µs`;
}
