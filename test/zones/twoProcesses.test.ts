import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ZoneOptions } from '../../src/queue/core/config/options.ts';
import { systemClock } from '../../src/system/clock.ts';
import { unavailable } from '../../src/testing/serverSteps.ts';
import { folder } from '../core/harness.ts';
import { describeRedis } from '../redis/support/describeRedis.ts';
import { RedisServer } from '../redis/support/RedisServer.ts';
import type { SharedBackend } from '../workers/support/order.ts';
import { tell } from './support/figures.ts';
import { Gauge } from './support/Gauge.ts';
import type { Said } from './support/Member.ts';
import { Member } from './support/Member.ts';

/** Longer than a process has the lease of a probe, so that the other could have it before the next opening. */
const OPEN_MS = 5_500;
const PROBES = 2;
/** Whoever follows another in leaving the zone alone goes a tenth of a second ahead of it. */
const AHEAD_MS = 200;
/** Gates of others are looked at so often, and a bit. */
const HEARD_MS = 5_500;

/** Two processes over a store, with the zone `api`. */
async function two(
  backend: SharedBackend,
  { origin }: Gauge,
  options: Partial<ZoneOptions>,
  maxConcurrency = 25,
): Promise<[Member, Member]> {
  const zones = { api: { origins: [origin], idempotency: 'ietf' as const, ...options } };
  const order = { backend, zones, options: { maxConcurrency, retry: { baseDelayMs: 50, maxDelayMs: 500 } } };
  return Promise.all([Member.start(order), Member.start(order)]);
}

const isProbe = ({ name, reason }: Said): boolean => name === 'breaker:opened' && reason === 'probeFailed';

function describeTwo(kind: string, backendOf: () => Promise<SharedBackend>): void {
  describe(`two processes over ${kind}`, () => {
    it('send one probe together for each time that their zone may be tried', async () => {
      const gauge = await Gauge.open(0);
      gauge.always(unavailable());
      const members = await two(await backendOf(), gauge, { maxConcurrency: 4, breaker: { openMs: OPEN_MS } });
      const [first, second] = members;
      await Promise.all([first.enqueue('/first', 30), second.enqueue('/second', 30)]);
      await Promise.all(members.map((member) => member.says('breaker:opened')));
      const openedAt = Math.min(...members.map(({ said }) => said[0]?.at ?? Number.NaN));
      const probes = () => gauge.arrivals.filter(({ at }) => at > openedAt + OPEN_MS / 2);
      await new Promise<void>((resolve) => {
        gauge.onArrival = () => {
          if (probes().length >= PROBES) resolve();
        };
      });
      await Promise.all(members.map((member) => member.says('breaker:halfOpened')));
      const times = [openedAt, ...probes().map(({ at }) => at)];
      const gaps = times.slice(1).map((at, index) => Math.round(at - (times[index] as number)));
      tell(`probes of two processes, ${kind}`, {
        'ms between them': gaps,
        'failed at the first': first.said.filter(isProbe).length,
        'at the second': second.said.filter(isProbe).length,
        'half open there': members.map(({ said }) => said.filter(({ name }) => name === 'breaker:halfOpened').length),
      });
      // As of one process: each time twice as long as before.
      for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(OPEN_MS * 2 ** index - AHEAD_MS);
    });

    it('have together no more calls under way than their zone may have', async () => {
      const gauge = await Gauge.open(20);
      // Neither could use up the zone alone, both could go beyond it.
      const members = await two(await backendOf(), gauge, { maxConcurrency: 4 }, 3);
      await Promise.all(members.map((member, index) => member.enqueue(`/m${index}`, 100)));
      await Promise.all(members.map((member) => member.idle()));
      const calls = await Promise.all(members.map((member) => member.calls()));
      tell(`concurrency of two processes, ${kind}`, { 'most at once': gauge.most, of: 4, 'calls of each': calls });
      expect(gauge.most).toBe(4);
      expect(Math.min(...calls)).toBeGreaterThan(0);
      expect(await members[0].counts()).toMatchObject({ succeeded: 200 });
      expect(gauge.server.ledger.applied()).toBe(200);
    });

    it.each(['tokenBucket', 'slidingWindow'] as const)(
      'begin together no more calls than their zone may (%s)',
      async (algorithm) => {
        const limit = { max: 20, perMs: 1_000, algorithm };
        const gauge = await Gauge.open(0);
        const members = await two(await backendOf(), gauge, { rateLimit: limit });
        await Promise.all(members.map((member, index) => member.enqueue(`/m${index}`, 50)));
        await Promise.all(members.map((member) => member.idle()));
        const calls = await Promise.all(members.map((member) => member.calls()));
        const tookMs = (gauge.arrivals.at(-1)?.at ?? 0) - (gauge.arrivals[0]?.at ?? 0);
        tell(`rate of two processes, ${algorithm}, ${kind}`, {
          'most in a span': gauge.mostWithin(limit.perMs),
          'in four fifths of it': gauge.mostWithin(0.8 * limit.perMs),
          of: limit.max,
          'calls of each': calls,
          'ms for all 100': Math.round(tookMs),
        });
        // What is counted is when they arrive, which may be closer to each other than they began.
        expect(gauge.mostWithin(0.8 * limit.perMs)).toBeLessThanOrEqual(limit.max);
        expect(Math.min(...calls)).toBeGreaterThan(0);
        expect(gauge.server.ledger.applied()).toBe(100);
      },
    );

    it('follow each other in leaving a zone alone only where a call of their own failed', async () => {
      const gauge = await Gauge.open(0);
      gauge.always(unavailable());
      const [first, second] = await two(await backendOf(), gauge, { breaker: { openMs: 60_000 } });
      await second.pause('api');
      await first.enqueue('/first', 20);
      await first.says('breaker:opened');
      // Nothing tells when it has looked, and found nothing to follow.
      await new Promise<void>((resolve) => systemClock.schedule(HEARD_MS, resolve));
      expect([await first.status('api'), await second.status('api')]).toEqual(['open', 'closed']);
      gauge.serve();
      await second.resume('api');
      await second.idle();
      expect(await second.counts()).toMatchObject({ succeeded: 20 });
      expect([await first.status('api'), await second.status('api')]).toEqual(['open', 'closed']);

      const failed = gauge.arrivals.length;
      gauge.always(unavailable());
      await second.enqueue('/second', 1);
      await second.says('breaker:opened', 'advised');
      tell(`advice, ${kind}`, { 'failures until it was followed': gauge.arrivals.length - failed });
      expect(await second.status('api')).toBe('open');
    });
  });
}

describeTwo('SQLite', async () => ({ kind: 'sqlite', path: join(await folder(), 'queue.db') }));

describeRedis('with a server of Redis', () => {
  let server: RedisServer | undefined;
  let count = 0;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server?.dispose());

  describeTwo('Redis', async () => {
    if (server === undefined) throw new Error('the server has not started');
    count += 1;
    return { kind: 'redis', host: server.host, port: server.port, keyPrefix: `zones-${count}` };
  });
});
