import { count, fixed, ratios } from '../lib/pairs.mjs';
import { PLAIN, redisVersion, withRedis } from '../lib/redis.mjs';
import { runFresh } from '../lib/spawn.mjs';
import { median, spread } from '../lib/statistics.mjs';

const CLAIMS = 50;
const SMALL = { ready: 1_000 };
const AHEAD = 100_000;
const PAYLOAD_BYTES = 512;
const MOST_BYTES = 1.3 * PAYLOAD_BYTES + 400;

/** Redis with much waiting: the cost of a claim, what a claim makes the server do, and the memory of what waits. */
export const redisBacklog = {
  numbers: [12],
  async run({ rounds, backlog, progress }) {
    const version = redisVersion();
    if (version === undefined) return { results: {}, lines: [], skipped: 'no redis-server on the PATH' };
    const results = { server: version };
    const lines = [];
    for (const { counts, name } of [
      { counts: { ready: backlog }, name: `${count(backlog)} waiting` },
      { counts: { ready: 1_000, delayed: AHEAD }, name: `1,000 waiting, ${count(AHEAD)} delayed ahead` },
      { counts: { ready: 1_000, blocked: AHEAD }, name: `1,000 waiting, ${count(AHEAD)} blocked ahead` },
      { counts: { ready: AHEAD, delayed: AHEAD }, name: `${count(AHEAD)} waiting, ${count(AHEAD)} delayed ahead` },
    ]) {
      progress(name);
      const { sides } = await withRedis(PLAIN, (redis) =>
        runFresh('redisClaims', { redis, stores: [counts, SMALL], rounds, claims: CLAIMS }),
      );
      results[name] = sides;
      lines.push(...claimLines(name, counts.delayed === undefined && counts.blocked === undefined, ...sides));
    }
    progress(`memory of ${count(backlog)} waiting`);
    const memory = await withRedis(PLAIN, (redis) => runFresh('redisMemory', { redis, count: backlog }));
    results.memory = memory;
    lines.push({
      row: 12,
      what: `Redis memory per waiting request, ${count(backlog)} waiting`,
      target: { most: MOST_BYTES },
      unit: ' B',
      value: spread([memory.bytes]),
      ours: `${fixed(memory.bytes)} B`,
      theirs: `${PAYLOAD_BYTES} B of body`,
      note: `memory: a fingerprint on all, a lane of its own on every second one; by key, sampled: ${byKey(memory)}`,
    });
    return { results, lines };
  },
};

/** A claim with nothing ahead runs the same commands whatever waits; with something ahead it may look once more. */
function claimLines(name, isSame, large, small) {
  const what = `claim, redis: ${name}`;
  return [
    {
      row: 12,
      what: `${what} / 1,000 waiting`,
      target: { most: 1.5 },
      unit: '×',
      value: ratios(large.medians, small.medians),
      ours: `${fixed(median(large.medians))} µs`,
      theirs: `${fixed(median(small.medians))} µs`,
      p99: `${fixed(large.p99)} / ${fixed(small.p99)} µs`,
    },
    {
      row: 12,
      what: `${what}: time in the script`,
      unit: '×',
      value: ratios([large.scriptUs], [small.scriptUs]),
      ours: `${fixed(large.scriptUs)} µs`,
      theirs: `${fixed(small.scriptUs)} µs`,
    },
    {
      row: 12,
      what: `${what}: commands run`,
      ...(isSame && { target: { most: 1 } }),
      unit: '×',
      value: ratios([large.commands], [small.commands]),
      ours: String(large.commands),
      theirs: String(small.commands),
    },
  ];
}

/** Keys that hold more than a byte of each request. */
function byKey({ byKey }) {
  return Object.entries(byKey)
    .filter(([, bytes]) => bytes >= 1)
    .sort(([, a], [, b]) => b - a)
    .map(([key, bytes]) => `${key.slice(key.lastIndexOf(':') + 1)} ${fixed(bytes)}`)
    .join(', ');
}
