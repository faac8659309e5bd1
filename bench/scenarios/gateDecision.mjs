import { load } from '../lib/build.mjs';
import { median } from '../lib/statistics.mjs';

const ORIGIN = 'http://api.example.com';
const DECISIONS = 400_000;
const WARM_UP = 5;

/**
 * Whether a channel is open, asked of one channel and of many in turn: ns a decision, and bytes it leaves on the heap. Each has gates
 * of its zone and of its endpoint: breaker, limit of calls at once, what the server said, rate. All are open: nothing ends the asking early.
 *
 * To be run with `--expose-gc` and room for what is allocated between two collections.
 */
export async function run({ channels, rounds }) {
  const few = await zoneOf(1);
  const many = await zoneOf(channels);
  for (let round = 0; round < WARM_UP; round += 1) for (const side of [few, many]) decide(side);
  const [one, all, bytesOne, bytesAll] = [[], [], [], []];
  for (let round = 0; round < rounds; round += 1) {
    measure(few, one, bytesOne);
    measure(many, all, bytesAll);
  }
  return { one, all, bytesOne: median(bytesOne), bytesAll: median(bytesAll) };
}

function measure(channels, nanoseconds, bytes) {
  globalThis.gc();
  const heap = process.memoryUsage().heapUsed;
  const began = process.hrtime.bigint();
  decide(channels);
  const tookNs = Number(process.hrtime.bigint() - began);
  bytes.push((process.memoryUsage().heapUsed - heap) / DECISIONS);
  nanoseconds.push(tookNs / DECISIONS);
}

/** As the dispatcher asks, at one moment each time it goes through them all. Whole ms, as a fraction is an object of its own each time. */
function decide(channels) {
  let now = 1_000;
  let calls = 0;
  for (let made = 0; made < DECISIONS; now += 1) {
    for (let index = 0; index < channels.length && made < DECISIONS; index += 1, made += 1) {
      calls += channels[index].openFor(now);
    }
  }
  return calls;
}

/** So many channels of a zone. */
async function zoneOf(count) {
  const [{ Zones }, { resolveConfiguration }, { createRateLimiter }] = await Promise.all([
    load('queue/core/zones.js'),
    load('queue/core/config/resolve.js'),
    load('queue/strategies/rate/createRateLimiter.js'),
  ]);
  const limits = { rateLimit: { max: 1_000, perMs: 1_000 } };
  const endpoint = { of: () => undefined, ...limits };
  const config = resolveConfiguration({ zones: { api: { origins: [ORIGIN], endpoint, ...limits } } });
  const ignore = () => undefined;
  const zones = new Zones(config, 'worker', {
    isShared: false,
    random: Math.random,
    now: () => 0,
    createRate: (_scope, limit) => createRateLimiter(limit, 0),
    batching: ignore,
    breakerChanged: ignore,
    limitChanged: ignore,
    made: ignore,
    forgotten: ignore,
    budgetSpent: ignore,
  });
  const zone = zones.mustBeNamed('api');
  return Array.from({ length: count }, (_, n) =>
    zones.channel(zone, { endpoint: `e${n}`, operation: null, adapter: null }),
  );
}
