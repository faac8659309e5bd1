import { describe, expect, it } from 'vitest';
import type { ScheduleOptions } from '../../src/queue/core/schedules/options.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { hang, park, refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, record, world } from '../core/harness.ts';

/** When the fake clock begins, a full day. */
const BEGIN = Date.UTC(2025, 0, 1);
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const request = { method: 'POST', url: at('/reports'), body: { kind: 'daily' } };
const hourly: ScheduleOptions = { cron: '0 * * * *', request };
const minutely: ScheduleOptions = { cron: '* * * * *', request };

const arrived = (test: Awaited<ReturnType<typeof world>>): number => test.server.ledger.entries.length;

describe('a schedule', () => {
  it('makes a request at each due time, with what it was given', async () => {
    const test = await world();
    const told = record(test.queue, 'schedule:fired', 'schedule:missed');
    await test.queue.schedules.set('report', { ...minutely, options: { priority: 'low', tags: ['nightly'] } });
    await test.clock.advance(MINUTE_MS - SECOND_MS);
    expect(arrived(test)).toBe(0);
    await test.clock.advance(2 * SECOND_MS);
    expect(arrived(test)).toBe(1);
    await test.clock.advance(2 * MINUTE_MS);
    expect(arrived(test)).toBe(3);
    expect(told.map(({ name, ...event }) => [name, 'dueAt' in event && event.dueAt])).toEqual(
      [1, 2, 3].map((hours) => ['report', BEGIN + hours * MINUTE_MS]),
    );
    const { requests } = await test.queue.find({ tags: ['schedule:report', 'nightly'] });
    expect(requests.map(({ priority, state }) => [priority, state])).toEqual(Array(3).fill([3, 'succeeded']));
    expect(test.server.ledger.entries[0]?.request).toMatchObject({ method: 'POST', path: '/reports' });
  });

  it('shows where it stands', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(MINUTE_MS);
    const state = await test.queue.schedules.get('report');
    expect(state).toMatchObject({ name: 'report', state: 'active', generation: 1, fired: 1, missed: 0, problem: null });
    expect(state?.dueAt).toBe(BEGIN + 2 * MINUTE_MS);
    expect(state?.last).toMatchObject({ dueAt: BEGIN + MINUTE_MS, firedAt: BEGIN + MINUTE_MS });
    const made = await test.queue.get(state?.last?.requestId ?? '');
    expect(made).toMatchObject({ state: 'succeeded', tags: ['schedule:report'], content: { path: '/reports' } });
    expect(await test.queue.schedules.next('report', 3)).toEqual([2, 3, 4].map((hours) => BEGIN + hours * MINUTE_MS));
  });

  it('is kept over a crash, and fires no due time again', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(MINUTE_MS + SECOND_MS);
    await test.crash();
    await test.clock.advance(MINUTE_MS);
    expect(arrived(test)).toBe(2);
  });

  it('ends with its end', async () => {
    const test = await world();
    const endAt = new Date(BEGIN + 2 * MINUTE_MS);
    await test.queue.schedules.set('report', { ...minutely, startAt: BEGIN + 90 * SECOND_MS, endAt });
    await test.clock.advance(5 * MINUTE_MS);
    expect(arrived(test)).toBe(1);
    expect(await test.queue.schedules.get('report')).toMatchObject({ state: 'over', dueAt: null });
  });

  it('is not due while it is paused, and goes on with what is to come', async () => {
    const test = await world();
    const told = record(test.queue, 'schedule:missed');
    await test.queue.schedules.set('report', minutely);
    await test.queue.schedules.pause('report');
    await test.clock.advance(5 * MINUTE_MS + SECOND_MS);
    expect(await test.queue.schedules.get('report')).toMatchObject({ state: 'paused', dueAt: null });
    const { dueAt } = await test.queue.schedules.resume('report');
    expect(dueAt).toBe(BEGIN + 6 * MINUTE_MS);
    await test.clock.advance(MINUTE_MS);
    expect(arrived(test)).toBe(1);
    expect(told).toEqual([]);
  });

  it('fires by hand, out of turn', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    const made = await test.queue.schedules.fire('report');
    await test.clock.settle();
    expect(await made.settled()).toMatchObject({ state: 'succeeded' });
    expect(await test.queue.schedules.get('report')).toMatchObject({
      fired: 1,
      dueAt: BEGIN + MINUTE_MS,
      last: { dueAt: null, requestId: made.id },
    });
  });

  it('is removed with all that is to come of it', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    expect(await test.queue.schedules.remove('report')).toBe(true);
    expect(await test.queue.schedules.remove('report')).toBe(false);
    await test.clock.advance(2 * MINUTE_MS);
    expect(arrived(test)).toBe(0);
    expect(await test.queue.schedules.get('report')).toBeUndefined();
    expect((await errorOf(test.queue.schedules.fire('report'))).code).toBe('SCHEDULE_NOT_FOUND');
  });

  it('set again with the same definition is left alone, and with another one goes on with that', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(90 * SECOND_MS);
    const before = await test.queue.schedules.get('report');
    expect(await test.queue.schedules.set('report', { ...minutely, timeZone: 'UTC' })).toEqual(before);
    const after = await test.queue.schedules.set('report', { ...minutely, cron: '45 * * * * *' });
    expect(after).toMatchObject({ generation: 2, fired: 1, last: before?.last, dueAt: BEGIN + 105 * SECOND_MS });
    await test.clock.advance(20 * SECOND_MS);
    expect(arrived(test)).toBe(2);
  });

  it('changed while one of its due times has not fired keeps that', async () => {
    const test = await world({ dispatch: false });
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(90 * SECOND_MS);
    const changed = await test.queue.schedules.set('report', { ...minutely, request: { ...request, body: 'other' } });
    expect(changed.dueAt).toBe(BEGIN + MINUTE_MS);
  });

  it('that is paused stays so when it is set again', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    await test.queue.schedules.pause('report');
    expect(await test.queue.schedules.set('report', { ...minutely, cron: '1 * * * * *' })).toMatchObject({
      state: 'paused',
    });
  });

  it('is listed by name, in pages', async () => {
    const test = await world();
    for (const name of ['c', 'a', 'b']) await test.queue.schedules.set(name, minutely);
    const first = await test.queue.schedules.list({ limit: 2 });
    expect([first.schedules.map(({ name }) => name), first.next]).toEqual([['a', 'b'], 'b']);
    const second = await test.queue.schedules.list({ limit: 2, after: first.next });
    expect([second.schedules.map(({ name }) => name), second.next]).toEqual([['c'], null]);
  });

  it('never fires in a queue that does not dispatch', async () => {
    const test = await world({ dispatch: false });
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(3 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ ready: 0 });
  });

  it('fires while its zone is paused: its requests wait', async () => {
    const test = await world();
    await test.queue.schedules.set('report', { ...minutely, overlap: 'allow' });
    test.queue.pause();
    await test.clock.advance(3 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ ready: 3 });
  });

  it('makes requests that expire when they could not be sent in time', async () => {
    const test = await world();
    await test.queue.schedules.set('report', { ...minutely, options: { expiresAfterMs: SECOND_MS } });
    test.queue.pause();
    await test.clock.advance(MINUTE_MS + 2 * SECOND_MS);
    expect(await test.queue.counts()).toMatchObject({ ready: 0, dead: 1 });
  });

  it('goes by an interval that everybody counts alike', async () => {
    const test = await world();
    const state = await test.queue.schedules.set('tick', { everyMs: 7 * SECOND_MS, request });
    expect((state.dueAt ?? 0) % (7 * SECOND_MS)).toBe(0);
    await test.clock.advance(70 * SECOND_MS);
    expect(arrived(test)).toBe(10);
  });
});

describe('a request that has not ended', () => {
  it('keeps its schedule from firing, which is told and counted', async () => {
    const test = await world();
    const told = record(test.queue, 'schedule:missed');
    test.server.script.next(park);
    await test.queue.schedules.set('report', { everyMs: 10 * SECOND_MS, request });
    await test.clock.advance(25 * SECOND_MS);
    expect(arrived(test)).toBe(1);
    expect(told).toMatchObject([{ name: 'report', from: BEGIN + 20_000, count: 1, cause: 'overlap' }]);
    test.server.release();
    await test.clock.advance(10 * SECOND_MS);
    expect(arrived(test)).toBe(2);
    expect(await test.queue.schedules.get('report')).toMatchObject({ fired: 2, missed: 1, overlapped: 1 });
  });

  it('lets the next wait behind it, where they are to queue', async () => {
    const test = await world();
    test.server.script.next(park);
    await test.queue.schedules.set('report', { everyMs: 10 * SECOND_MS, request, overlap: 'queue' });
    await test.clock.advance(25 * SECOND_MS);
    expect(await test.queue.counts()).toMatchObject({ sending: 1, blocked: 1 });
    test.server.release();
    await test.clock.advance(SECOND_MS);
    expect(arrived(test)).toBe(2);
  });

  it('gives its place to the next where that replaces it, unless it was sent: then the next waits behind it', async () => {
    const test = await world();
    const told = record(test.queue, 'schedule:fired');
    test.queue.pause();
    await test.queue.schedules.set('report', { everyMs: 10 * SECOND_MS, request, overlap: 'replace' });
    await test.clock.advance(35 * SECOND_MS);
    expect(await test.queue.counts()).toMatchObject({ ready: 1, cancelled: 2 });
    expect(await test.queue.get(told[2]?.requestId ?? '')).toMatchObject({ state: 'ready' });
    test.server.script.next(park);
    test.queue.resume();
    await test.clock.advance(26 * SECOND_MS);
    expect(await test.queue.counts()).toMatchObject({ sending: 1, blocked: 1, cancelled: 4 });
    test.server.release();
    await test.clock.advance(SECOND_MS);
    expect(arrived(test)).toBe(2);
    expect(await test.queue.schedules.get('report')).toMatchObject({ fired: 6, missed: 0, overlapped: 0 });
  });

  it('is no reason to wait, where they may overlap', async () => {
    const test = await world();
    test.server.script.always(hang);
    await test.queue.schedules.set('report', { everyMs: 10 * SECOND_MS, request, overlap: 'allow' });
    await test.clock.advance(25 * SECOND_MS);
    expect(await test.queue.counts()).toMatchObject({ sending: 2 });
  });

  it('does not count once its answer was an error', async () => {
    const test = await world();
    test.server.script.always(refuse({ status: 400 }));
    await test.queue.schedules.set('report', { everyMs: 10 * SECOND_MS, request });
    await test.clock.advance(35 * SECOND_MS);
    expect(await test.queue.schedules.get('report')).toMatchObject({ fired: 3, missed: 0 });
  });
});

describe('due times that passed while nobody was there', () => {
  const away = async (options: Partial<ScheduleOptions>) => {
    const test = await world();
    await test.queue.schedules.set('report', { ...hourly, ...options });
    const { queue, clock } = test;
    await clock.advance(90 * MINUTE_MS);
    // The wall goes on, as it does over a machine that sleeps.
    clock.setWall(clock.now() + 5 * HOUR_MS);
    const told = record(queue, 'schedule:missed', 'schedule:fired');
    await clock.advance(10 * SECOND_MS);
    return { test, told, made: arrived(test) };
  };

  it('are made up for once', async () => {
    const { told, made } = await away({});
    expect(made).toBe(2);
    expect(told).toMatchObject([
      { name: 'report', from: BEGIN + 2 * HOUR_MS, to: BEGIN + 5 * HOUR_MS, count: 4, cause: 'late' },
      { dueAt: BEGIN + 6 * HOUR_MS },
    ]);
  });

  it('are left out where they are to be skipped', async () => {
    const { test, told, made } = await away({ missed: 'skip' });
    expect(made).toBe(1);
    expect(told).toMatchObject([{ from: BEGIN + 2 * HOUR_MS, to: BEGIN + 6 * HOUR_MS, count: 5 }]);
    expect((await test.queue.schedules.get('report'))?.dueAt).toBe(BEGIN + 7 * HOUR_MS);
  });

  it('all fire in order, where all are to', async () => {
    const { told, made } = await away({ missed: 'runAll' });
    expect(made).toBe(6);
    expect(told.map((event) => 'dueAt' in event && event.dueAt)).toEqual(
      [2, 3, 4, 5, 6].map((n) => BEGIN + n * HOUR_MS),
    );
  });

  it('fire up to a number, the latest of them', async () => {
    const { told, made } = await away({ missed: 'runAll', maxMissed: 2 });
    expect(made).toBe(3);
    expect(told).toMatchObject([{ count: 3 }, { dueAt: BEGIN + 5 * HOUR_MS }, { dueAt: BEGIN + 6 * HOUR_MS }]);
  });
});

describe('a clock that was wrong', () => {
  it('by years is no reason to wait for years', async () => {
    const test = await world();
    await test.queue.schedules.set('report', hourly);
    await test.clock.advance(90 * MINUTE_MS);
    const right = test.clock.now();
    test.clock.setWall(Date.UTC(2099, 0, 1, 0, 30));
    await test.clock.advance(MINUTE_MS);
    expect(arrived(test)).toBe(2);
    test.clock.setWall(right);
    await test.clock.advance(MINUTE_MS);
    expect((await test.queue.schedules.get('report'))?.dueAt).toBe(BEGIN + 2 * HOUR_MS);
    await test.clock.advance(HOUR_MS);
    expect(arrived(test)).toBe(3);
  });

  it('is found to have been at the next start, too', async () => {
    const test = await world();
    await test.queue.schedules.set('report', hourly);
    const right = test.clock.now();
    test.clock.setWall(Date.UTC(2099, 0, 1, 0, 30));
    await test.clock.advance(MINUTE_MS);
    test.clock.setWall(right + MINUTE_MS);
    await test.crash();
    await test.clock.advance(2 * HOUR_MS);
    expect(arrived(test)).toBe(3);
  });

  it('fires no due time again that comes again', async () => {
    const test = await world();
    await test.queue.schedules.set('report', minutely);
    await test.clock.advance(MINUTE_MS + SECOND_MS);
    test.clock.setWall(BEGIN + MINUTE_MS - 5 * SECOND_MS);
    await test.clock.advance(30 * SECOND_MS);
    expect(arrived(test)).toBe(1);
    expect((await test.queue.schedules.get('report'))?.dueAt).toBe(BEGIN + 2 * MINUTE_MS);
  });
});

it('has no timer where there is no schedule', async () => {
  const [none, some] = [await world(), await world()];
  const before = some.clock.pending;
  expect(none.clock.pending).toBe(before);
  await some.queue.schedules.set('a', { cron: '0 0 1 1 *', request: { method: 'GET', url: TEST_ORIGIN } });
  await some.queue.schedules.set('b', { cron: '0 1 1 1 *', request: { method: 'GET', url: TEST_ORIGIN } });
  expect(some.clock.pending).toBe(before + 1);
});
