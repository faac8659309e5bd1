import { describe, expect, it } from 'vitest';
import { jitterOf } from '../../src/queue/strategies/schedule/jitter.ts';
import { at, errorOf, record } from '../core/harness.ts';
import type { Site } from './support/Site.ts';
import { describeSites, memorySite } from './support/Site.ts';

const MINUTE_MS = 60_000;
const EVERY_MS = 100_000;
/** More than what is on time in any case. */
const JITTER_MS = 90_000;
const FIRINGS = 4;
const request = { method: 'POST', url: at('/reports'), body: {} };

describe('the jitter of a due time', () => {
  it('is any of what is allowed, as often, and the same when it is asked again', () => {
    const drawn = Array.from({ length: 3_000 }, (_, n) => jitterOf(9, 'salt', n * MINUTE_MS));
    for (let ms = 0; ms <= 9; ms += 1)
      expect(Math.abs(drawn.filter((one) => one === ms).length - 300)).toBeLessThan(90);
    expect(drawn).toEqual(drawn.map((_, n) => jitterOf(9, 'salt', n * MINUTE_MS)));
    expect(jitterOf(0, 'salt', 1)).toBe(0);
  });
});

function define(open: () => Promise<Site>): void {
  it('put off by a jitter fires once for each due time over two processes, each in its time, and is not late', async () => {
    const site = await open();
    const [one, other] = [await site.open(), await site.open()];
    const told = [one, other].map(
      ({ queue }) => [record(queue, 'schedule:fired'), record(queue, 'schedule:missed')] as const,
    );
    const begin = site.clock.now();
    const definition = {
      everyMs: EVERY_MS,
      startAt: begin + EVERY_MS,
      missed: 'skip',
      overlap: 'allow',
      jitterMs: JITTER_MS,
      request,
    } as const;
    await one.queue.schedules.set('report', definition);
    await site.clock.advance((FIRINGS + 1) * EVERY_MS);
    const fired = told.flatMap(([events]) => events);
    const due = new Set(fired.map(({ dueAt }) => dueAt));
    expect([due.size, due.has(begin + FIRINGS * EVERY_MS)]).toEqual([fired.length, true]);
    const { requests } = await one.queue.find({ tags: ['schedule:report'] });
    const delays = requests.slice(0, FIRINGS).map(({ acceptedAt }, n) => acceptedAt - (begin + (n + 1) * EVERY_MS));
    for (const ms of delays) {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(JITTER_MS + 1_000);
    }
    expect(new Set(delays).size).toBeGreaterThan(1);
    expect(requests.length).toBe(fired.length);
    expect(told.flatMap(([, missed]) => missed)).toEqual([]);
    const state = await one.queue.schedules.get('report');
    expect(state).toMatchObject({ missed: 0, fired: requests.length });
    expect(((state?.dueAt ?? 0) - begin) % EVERY_MS).toBe(0);
  });
}

describe('a schedule in memory', () => define(() => Promise.resolve(memorySite())));
describeSites('a schedule', define);

it.each(['skip', 'runOnce', 'runAll'] as const)('a jitter of several periods loses no firing (%s)', async (missed) => {
  const site = memorySite();
  const { queue } = await site.open();
  const told = [record(queue, 'schedule:fired'), record(queue, 'schedule:missed')] as const;
  const everyMs = MINUTE_MS;
  await queue.schedules.set('report', { everyMs, jitterMs: 5 * everyMs, missed, overlap: 'allow', request });
  await site.clock.advance(100 * everyMs);
  const [fired, missing] = told;
  expect(missing).toEqual([]);
  expect(fired.length).toBeGreaterThanOrEqual(94);
  const dueTimes = fired.map(({ dueAt }) => dueAt ?? 0);
  expect(dueTimes).toEqual(fired.map((_, n) => (dueTimes[0] ?? 0) + n * everyMs));
});

it('a jitter of several periods is made up for but once after a long sleep', async () => {
  const site = memorySite();
  const { queue } = await site.open();
  const everyMs = MINUTE_MS;
  await queue.schedules.set('report', { everyMs, jitterMs: 5 * everyMs, overlap: 'allow', request });
  await site.clock.advance(10 * everyMs);
  const fired = record(queue, 'schedule:fired');
  site.clock.setWall(site.clock.now() + 600 * everyMs);
  await site.clock.advance(everyMs);
  // One for all that were missed, and those whose time may be now.
  expect(fired.length).toBeLessThanOrEqual(8);
});

it('two stores with one schedule do not fire at the same times', async () => {
  const times = async (): Promise<number[]> => {
    const site = memorySite();
    const { queue } = await site.open();
    await queue.schedules.set('report', { everyMs: EVERY_MS, overlap: 'allow', jitterMs: JITTER_MS, request });
    await site.clock.advance(10 * EVERY_MS);
    return (await queue.find({ tags: ['schedule:report'] })).requests.map(({ acceptedAt }) => acceptedAt);
  };
  expect(await times()).not.toEqual(await times());
});

it('a jitter of several periods goes on where the clock stepped back behind the last firing', async () => {
  const site = memorySite();
  const { queue } = await site.open();
  const everyMs = MINUTE_MS;
  await queue.schedules.set('report', { everyMs, jitterMs: 5 * everyMs, overlap: 'allow', request });
  await site.clock.advance(10 * everyMs);
  site.clock.setWall(site.clock.now() - 2 * everyMs);
  const fired = record(queue, 'schedule:fired');
  await site.clock.advance(20 * everyMs);
  expect(fired.length).toBeGreaterThanOrEqual(12);
});

it('a jitter that is none is refused', async () => {
  const { queue } = await memorySite().open();
  for (const jitterMs of [-1, 0.5, Number.NaN, 86_400_001, '5']) {
    const error = await errorOf(
      queue.schedules.set('report', { everyMs: 1_000, jitterMs: jitterMs as number, request }),
    );
    expect(error).toMatchObject({ code: 'SCHEDULE_INVALID', details: { problems: [{ path: 'jitterMs' }] } });
  }
});
