import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { newRecord, written } from '../../src/queue/core/schedules/record.ts';
import type { Position } from '../../src/queue/strategies/schedule/plan.ts';
import { plan, positionAfter } from '../../src/queue/strategies/schedule/plan.ts';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { at, errorOf, record, world } from '../core/harness.ts';
import type { Site } from './support/Site.ts';
import { describeSites, memorySite } from './support/Site.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const request = { method: 'POST', url: at('/ticks') };

describe('a time zone', () => {
  const zoned = (timeZone: string) =>
    timesOf({ cron: '0 2 * * *', timeZone, everyMs: null, startAt: null, endAt: null });
  const policy = { missed: 'runOnce', maxMissed: 100 } as const;

  /** What fires from a position that was written by the rules of one zone, by those of another, looked at every minute. */
  const firedBy = (before: string, after: string): number[] => {
    const begin = Date.UTC(2026, 0, 1, 12);
    const [former, times] = [zoned(before), zoned(after)];
    const first = positionAfter(former, begin, []);
    const { whenFired } = plan(former, { ...first, dueAt: first.dueAt ?? 0 }, policy, first.dueAt ?? 0);
    let position: Position = whenFired;
    const fired: number[] = [];
    for (let now = first.dueAt ?? 0; now < begin + 4 * DAY_MS; now += 60_000) {
      if (position.dueAt === null || position.dueAt > now) continue;
      const { fire, whenFired: next } = plan(times, { ...position, dueAt: position.dueAt }, policy, now);
      if (fire !== null) fired.push(now);
      position = next;
    }
    return fired.map((now) => (now - Date.UTC(2026, 0, 1)) / HOUR_MS);
  };

  it('whose rules put a due time later fires it then, and not twice', () => {
    expect(firedBy('Etc/GMT-2', 'Etc/GMT-1')).toEqual([49, 73, 97]);
  });

  it('whose rules put a due time earlier loses none', () => {
    expect(firedBy('Etc/GMT-1', 'Etc/GMT-2')).toEqual([49, 72, 96]);
  });

  it('that this process does not know keeps no other schedule from firing', async () => {
    const site = memorySite();
    const { queue } = await site.open();
    await queue.schedules.set('sound', { everyMs: 10 * SECOND_MS, request });
    const { definition } = (await queue.schedules.get('sound')) ?? {};
    if (definition === undefined) throw new Error('it was not stored');
    const odd = { ...definition, cron: '* * * * *', timeZone: 'America/Not_Yet_Known', everyMs: null };
    const due = { dueAt: site.clock.now() + 1, runTo: null, fired: [], judgedUntil: null };
    await site.write('odd', written(newRecord(odd, due, site.clock.now(), '')));
    await site.clock.advance(65 * SECOND_MS);
    expect(await queue.schedules.get('sound')).toMatchObject({ fired: 6 });
    expect((await queue.schedules.list()).schedules.map(({ name, fired }) => [name, fired])).toEqual([
      ['odd', 0],
      ['sound', 6],
    ]);
    expect(await errorOf(queue.schedules.pause('odd'))).toMatchObject({ code: 'BACKEND_NEWER' });
    expect(await queue.schedules.remove('odd')).toBe(true);
  });
});

it('three thousand schedules of a zone that nobody knows any more hide no other, and are not read again and again', async () => {
  const site = memorySite();
  const knows = await site.open({ zones: { api: { origins: [TEST_ORIGIN] } } });
  for (let n = 0; n < 3_000; n += 1)
    await knows.queue.schedules.set(`theirs ${n}`, { everyMs: 5 * SECOND_MS, request });
  site.end(knows.life);
  const { queue } = await site.open();
  await queue.schedules.set('own', { everyMs: 10 * SECOND_MS, request });
  await queue.schedules.set('all', { everyMs: 10 * SECOND_MS, request, missed: 'runAll' });
  await site.clock.advance(65 * SECOND_MS);
  expect(await queue.schedules.get('own')).toMatchObject({ fired: 6, missed: 0 });
  expect(await queue.schedules.get('all')).toMatchObject({ fired: 6, missed: 0 });
  expect(await queue.schedules.get('theirs 0')).toMatchObject({ fired: 0 });
});

it('two versions of a program that set different definitions in turn fire no due time twice, and each its own', async () => {
  const site = memorySite();
  const [old, young] = [await site.open(), await site.open()];
  const told = [old, young].map(({ queue }) => record(queue, 'schedule:fired'));
  const crons = ['*/5 * * * * *', '*/5 * * * * *', '0-59/3 * * * * *'];
  for (let n = 0; n < 60; n += 1) {
    const { queue } = n % 2 === 0 ? old : young;
    const body = { version: n % 2 };
    await queue.schedules.set('tick', { cron: crons[n % 3], overlap: 'allow', request: { ...request, body } });
    await site.clock.advance(700);
  }
  const fired = told.flat().map(({ dueAt }) => dueAt);
  expect(new Set(fired).size).toBe(fired.length);
  expect(fired.length).toBeGreaterThan(4);
  const state = await young.queue.schedules.get('tick');
  expect([state?.generation, state?.fired]).toEqual([60, fired.length]);
  expect(site.server.ledger.entries).toHaveLength(fired.length);
});

it('a clock that steps back by seconds around a due time fires it once', async () => {
  const site = memorySite();
  const { queue } = await site.open();
  const told = record(queue, 'schedule:fired');
  await queue.schedules.set('hourly', { cron: '0 * * * *', request });
  await site.clock.advance(HOUR_MS - SECOND_MS);
  for (let n = 0; n < 5; n += 1) {
    await site.clock.advance(2 * SECOND_MS);
    site.clock.setWall(site.clock.now() - 3 * SECOND_MS);
  }
  await site.clock.advance(20 * SECOND_MS);
  expect(told).toHaveLength(1);
  await site.clock.advance(HOUR_MS);
  expect(told).toHaveLength(2);
});

it('a sleep longer than a timer can wait ends at the due time', async () => {
  const test = await world();
  const startAt = test.clock.now() + 2 ** 31 + DAY_MS;
  await test.queue.schedules.set('far', { cron: '0 2 * * *', startAt, request });
  await test.queue.schedules.set('farther', { everyMs: DAY_MS, startAt: 8.64e15, request });
  test.clock.setWall(startAt - 10 * SECOND_MS);
  await test.clock.advance(DAY_MS / 24);
  expect(await test.queue.schedules.get('far')).toMatchObject({ fired: 0 });
  test.clock.setWall(((await test.queue.schedules.get('far'))?.dueAt ?? 0) - SECOND_MS);
  await test.clock.advance(10 * SECOND_MS);
  expect(await test.queue.schedules.get('far')).toMatchObject({ fired: 1, missed: 0 });
  expect(await test.queue.schedules.get('farther')).toMatchObject({ fired: 0, dueAt: 8.64e15 });
});

it('a start that nobody lives to see is told at once', async () => {
  const test = await world();
  const set = (startAt: number) => test.queue.schedules.set('never', { cron: '0 2 * * *', startAt, request });
  for (const startAt of [8.64e15, 8.64e15 - 1, Date.UTC(9999, 11, 31)]) {
    expect(await errorOf(set(startAt))).toMatchObject({ code: 'SCHEDULE_INVALID' });
  }
  expect(await set(-8.64e15)).toMatchObject({ state: 'active' });
});

it('changes of one schedule that race with its firings leave it as the last of them said', async () => {
  const site = memorySite();
  const [one, other] = [await site.open(), await site.open()];
  const tick = { everyMs: SECOND_MS, request, overlap: 'allow' } as const;
  await one.queue.schedules.set('tick', tick);
  for (let n = 0; n < 20; n += 1) {
    const { schedules } = n % 2 === 0 ? one.queue : other.queue;
    const racing = site.clock.advance(SECOND_MS);
    await [() => schedules.pause('tick'), () => schedules.resume('tick'), () => schedules.remove('tick')][n % 3]?.();
    await racing;
    const state = await schedules.get('tick');
    expect(state?.state).toBe(['paused', 'active', undefined][n % 3]);
    const arrived = site.server.ledger.entries.length;
    await site.clock.advance(3 * SECOND_MS);
    if (n % 3 !== 1) expect(site.server.ledger.entries.length - arrived).toBeLessThanOrEqual(0);
    if (state === undefined) await schedules.set('tick', tick);
  }
});

function define(open: () => Promise<Site>): void {
  it('with an odd name fires, and is found by its tag', async () => {
    const site = await open();
    const member = await site.open();
    const names = [
      '__proto__',
      ' ',
      '*',
      'a\u0000b',
      '"\\\n',
      '🌙'.repeat(100),
      'ﬁ'.repeat(200),
      '%s{{x}}',
      '-- ; DROP',
    ];
    for (const [n, name] of names.entries()) {
      const overlap = n % 2 === 0 ? 'queue' : 'skip';
      await member.queue.schedules.set(name, { everyMs: 10 * SECOND_MS, request, overlap });
    }
    for (const name of names) {
      await site.clock.advance(name === names[0] ? 10 * SECOND_MS : 1);
      expect((await site.record(name)).fired, name).toBe(1);
      expect((await member.queue.find({ tags: [`schedule:${name}`] })).requests, name).toHaveLength(1);
    }
  });

  it('set aside by a move is neither changed nor removed nor fired', async () => {
    const site = await open();
    const member = await site.open();
    await member.queue.schedules.set('tick', { everyMs: 10 * SECOND_MS, request });
    const data = await site.record('tick');
    const { dueAt } = data.position;
    // As a move leaves it when it dies on the way.
    await site.write('tick', { dueAt: null, data: { ...(data as object), '(moving)': { dueAt } } });
    const { schedules } = member.queue;
    for (const change of [
      () => schedules.pause('tick'),
      () => schedules.resume('tick'),
      () => schedules.set('tick', { everyMs: 20 * SECOND_MS, request }),
      () => schedules.set('tick', { everyMs: 10 * SECOND_MS, request }),
      () => schedules.fire('tick'),
      () => schedules.remove('tick'),
    ]) {
      expect(await errorOf(change())).toMatchObject({ code: 'SCHEDULE_CHANGED' });
    }
    await site.clock.advance(30 * SECOND_MS);
    expect(await site.record('tick')).toMatchObject({ fired: 0, generation: 1 });
    expect((await member.queue.find({ tags: ['schedule:tick'] })).requests).toEqual([]);
  });

  it('put off by a clock that was ahead is brought back at the next start, and else no start looks through them', async () => {
    const site = await open();
    const first = await site.open();
    await first.queue.schedules.set('tick', { everyMs: 10 * SECOND_MS, request });
    await site.clock.advance(10 * SECOND_MS);
    const right = site.clock.now();
    site.clock.setWall(right + 2 * DAY_MS);
    await site.clock.advance(5 * SECOND_MS);
    site.end(first.life);
    site.clock.setWall(right);
    const second = await site.open();
    await site.clock.advance(1);
    expect((await site.record('tick')).position.dueAt).toBeLessThanOrEqual(right + 10_000);
    await site.clock.advance(10 * SECOND_MS);
    site.end(second.life);
    const third = await site.open();
    await site.clock.advance(10 * SECOND_MS);
    expect(third.verbs.filter((verb) => verb === 'schedules.list')).toHaveLength(1);
    expect((await site.record('tick')).fired).toBe(4);
  });
}

describe('a schedule in memory', () => define(() => Promise.resolve(memorySite())));
describeSites('a schedule', define);

describe('the client of a schedule', () => {
  const auth = (token: string) => ({
    credential: () => ({ headers: [['authorization', token] as const], principal: token, version: 1 }),
  });
  const options = { everyMs: 10 * SECOND_MS, request, options: { client: 'crm' } };

  it('gives its requests its credentials', async () => {
    const test = await world();
    new ApiClient({ queue: test.queue, name: 'crm', baseUrl: TEST_ORIGIN, auth: auth('Bearer crm') });
    await test.queue.schedules.set('sync', options);
    await test.clock.advance(11 * SECOND_MS);
    expect(test.server.ledger.entries[0]?.request.headers).toContainEqual(['authorization', 'Bearer crm']);
    const { requests } = await test.queue.find({ tags: ['schedule:sync'] });
    expect(requests[0]).toMatchObject({ client: 'crm', principal: 'Bearer crm', auth: 'zone' });
  });

  it('is waited for where it is not constructed yet, and no other schedule waits with it', async () => {
    const test = await world();
    await test.queue.schedules.set('sync', { ...options, missed: 'runAll' });
    await test.queue.schedules.set('other', { everyMs: 10 * SECOND_MS, request });
    await test.clock.advance(25 * SECOND_MS);
    expect(await test.queue.schedules.get('sync')).toMatchObject({ fired: 0, missed: 0 });
    expect(await test.queue.schedules.get('other')).toMatchObject({ fired: 2 });
    expect(await errorOf(test.queue.schedules.fire('sync'))).toMatchObject({ code: 'REQUEST_INVALID' });
    new ApiClient({ queue: test.queue, name: 'crm', baseUrl: TEST_ORIGIN, auth: auth('Bearer crm') });
    await test.clock.advance(SECOND_MS);
    expect(await test.queue.schedules.get('sync')).toMatchObject({ fired: 2, missed: 0 });
    expect((await test.queue.schedules.fire('sync')).id).toBeDefined();
  });

  it('has to be a name', async () => {
    const test = await world();
    for (const client of ['', 7]) {
      const set = test.queue.schedules.set('sync', { ...options, options: { client: client as string } });
      expect(await errorOf(set)).toMatchObject({ code: 'SCHEDULE_INVALID' });
    }
  });
});
