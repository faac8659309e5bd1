import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ZoneOptions } from '../../src/queue/core/config/options.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { systemClock } from '../../src/system/clock.ts';
import { env } from '../conformance/support/env.ts';
import { folder, onFile } from '../core/harness.ts';
import { eventOf } from './support/events.ts';
import { rounded, tell } from './support/figures.ts';
import type { Arrival } from './support/Gauge.ts';
import { Gauge } from './support/Gauge.ts';

const BATCH = 500;
/** 10,000 by `npm run test:deep`. */
const WAITING = Number(env('ZONE_WAITING') ?? 4_000);
const LIMIT = 20;
const RAMP_MS = 3_000;
const HOLD_MS = 10;
const PER_SECOND = 400;
/** What the bucket holds once it is not kept empty: a tenth, where nothing else is said. */
const BURST = PER_SECOND / 10;
const LEAST_SHARE = 0.1;

/** Calls at once that a zone is given so many ms after it came back. */
function limitAt(ms: number): number {
  return Math.max(1, Math.floor(LIMIT * Math.min(1, Math.max(LEAST_SHARE, ms / RAMP_MS))));
}

/** Calls that may have begun by then, of {@link PER_SECOND} and the share of them the ramp gave so far. */
function begunBy(ms: number): number {
  const [flatMs, rampedMs] = [LEAST_SHARE * RAMP_MS, Math.min(ms, RAMP_MS)];
  const ramped = rampedMs <= flatMs ? 0 : (rampedMs ** 2 - flatMs ** 2) / (2 * RAMP_MS);
  const shareMs = LEAST_SHARE * Math.min(rampedMs, flatMs) + ramped + Math.max(0, ms - RAMP_MS);
  return 1 + (PER_SECOND / 1_000) * shareMs + (ms > RAMP_MS ? BURST : 0);
}

interface Comeback {
  readonly queue: QueueManager;
  readonly gauge: Gauge;
  /** Monotonic ms at which it was found out. */
  readonly onlineAt: number;
}

/** A server that was away while `waiting` requests were accepted, and is back. All of them were sent. */
async function cameBack(waiting: number, options: Partial<ZoneOptions>): Promise<Comeback> {
  const gauge = await Gauge.open(HOLD_MS);
  await gauge.server.stop();
  const breaker = { openMs: 200, rampMs: RAMP_MS };
  const queue = await onFile(join(await folder(), 'queue.db'), {
    zones: { api: { origins: [gauge.origin], idempotency: 'ietf', maxConcurrency: LIMIT, breaker, ...options } },
    maxSize: 2 * waiting,
    retry: { baseDelayMs: 50, maxDelayMs: 500 },
  });
  const isOffline = eventOf(queue, 'zone:offline', () => true);
  for (let from = 0; from < waiting; from += BATCH) {
    const items = Array.from({ length: BATCH }, (_, n) => ({
      request: { method: 'POST', url: `${gauge.origin}/things/${from + n}`, body: { n: from + n } },
    }));
    await queue.enqueueMany(items);
  }
  await isOffline;
  expect(await queue.counts()).toMatchObject({ succeeded: 0, dead: 0 });
  let onlineAt = Number.NaN;
  queue.on('zone:online', () => {
    onlineAt = systemClock.monotonicNow();
  });
  await gauge.server.start();
  await gauge.server.ledger.until((ledger) => ledger.entries.length >= waiting);
  await queue.idle();
  return { queue, gauge, onlineAt };
}

/** What `measure` says of the arrivals of each ninth of the ramp, beside what is allowed at its end. */
function ninths({ gauge, onlineAt }: Comeback, measure: (of: readonly Arrival[]) => number, allowed: typeof limitAt) {
  return Array.from({ length: 9 }, (_, step) => {
    const [begin, end] = [(step * RAMP_MS) / 9, ((step + 1) * RAMP_MS) / 9];
    const within = gauge.arrivals.filter(({ at }) => at - onlineAt >= begin && at - onlineAt < end);
    return `${measure(within)}/${Math.floor(allowed(end))}`;
  });
}

async function expectAllOnce({ queue, gauge }: Comeback, waiting: number): Promise<void> {
  expect(await queue.counts()).toMatchObject({ succeeded: waiting, dead: 0, held: 0 });
  expect(gauge.server.ledger.entries.length).toBe(waiting);
  expect(gauge.server.ledger.applied()).toBe(waiting);
}

describe('a zone that comes back', () => {
  it(`to ${WAITING} that wait is never given more at once than its limit and the ramp allow, and each once`, async () => {
    // Fewer for what it refused would be another reason for few.
    const back = await cameBack(WAITING, { adaptiveConcurrency: false });
    const { arrivals } = back.gauge;
    const most = (of: readonly Arrival[]): number => of.reduce((sofar, { underWay }) => Math.max(sofar, underWay), 0);
    tell(`${WAITING} waiting`, {
      'most at once/allowed at the end of each ninth of the ramp': ninths(back, most, limitAt),
      'most at all': back.gauge.most,
      's to serve all': rounded(((arrivals.at(-1)?.at ?? 0) - back.onlineAt) / 1_000),
    });
    const above = arrivals.filter(({ at, underWay }) => underWay > limitAt(at - back.onlineAt));
    expect(above.map(({ at, underWay }) => [Math.round(at - back.onlineAt), underWay])).toEqual([]);
    expect(back.gauge.most).toBe(LIMIT);
    await expectAllOnce(back, WAITING);
  });

  it('is never given more in a time than its rate and the ramp allow', async () => {
    const waiting = 2_000;
    const back = await cameBack(waiting, { rateLimit: { max: PER_SECOND, perMs: 1_000 } });
    const { arrivals } = back.gauge;
    let sofar = 0;
    const sum = (of: readonly Arrival[]): number => {
      sofar += of.length;
      return sofar;
    };
    tell('2,000 waiting, with a rate', {
      'begun/allowed by the end of each ninth of the ramp': ninths(back, sum, begunBy),
      's to serve all': rounded(((arrivals.at(-1)?.at ?? 0) - back.onlineAt) / 1_000),
    });
    const sent = arrivals.filter(({ at }) => at >= back.onlineAt);
    const above = sent.filter(({ at }, index) => index + 1 > begunBy(at - back.onlineAt));
    expect(above.map(({ at }) => Math.round(at - back.onlineAt))).toEqual([]);
    await expectAllOnce(back, waiting);
  });
});
