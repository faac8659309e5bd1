import { describe, expect, it } from 'vitest';
import { letterFilter } from '../../src/queue/core/letterFilter.ts';
import { LetterGroups, MAX_GROUPS } from '../../src/queue/core/letterGroups.ts';
import type { StoredRequest } from '../../src/queue/types/request.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { ServerStep } from '../../src/testing/serverSteps.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, world } from './harness.ts';

const WITH_ERP = { zones: { api: { origins: [at('')] } } };

async function fails(
  test: TestQueue,
  path: string,
  step: ServerStep,
  method = 'POST',
  options: object = {},
): Promise<string> {
  test.server.script.next(step);
  const { id } = await test.queue.enqueue({ method, url: at(path), body: 'abc' }, options);
  await test.clock.settle();
  expect(await test.queue.get(id)).toMatchObject({ state: 'dead' });
  return id;
}

function says(message: string, status = 422): ServerStep {
  return refuse({ status, body: { error: { code: 'invalid', message } } });
}

async function tellsCaller(test: TestQueue, path: string, step: ServerStep): Promise<string> {
  test.server.script.next(step);
  const { id } = await test.queue.call({ method: 'POST', url: at(path), body: 'abc' }).settled();
  await test.clock.settle();
  return id;
}

describe('deadLetters.groups', () => {
  it('counts together what failed in the same way, the largest group first', async () => {
    const test = await world(WITH_ERP);
    const began = test.clock.now();
    const one = await fails(test, '/notes', says('no'));
    const ids: string[] = [];
    for (let n = 1; n <= 7; n += 1) {
      ids.push(await fails(test, `/tickets/${n}`, says(`Ticket ${n} is closed by "user ${n}"`)));
      await test.clock.advance(1_000);
    }
    await fails(test, '/tickets/9', says('Ticket 9 is closed by "user 9"', 400));
    await test.queue.deadLetters.replay({ ids: ids.slice(0, 2) });
    const { groups, other, count } = await test.queue.deadLetters.groups();
    expect(groups.map((group) => [group.label, group.count])).toEqual([
      ['api POST /tickets/{id}: 422 rejected (invalid: Ticket {n} is closed by {text})', 7],
      ['api POST /notes: 422 rejected (invalid: no)', 1],
      ['api POST /tickets/{id}: 400 rejected (invalid: Ticket {n} is closed by {text})', 1],
    ]);
    expect(groups[0]).toMatchObject({
      zone: 'api',
      method: 'POST',
      path: '/tickets/{id}',
      reason: 'rejected',
      status: 422,
      error: null,
      told: 0,
      replayed: 2,
      oldestAt: began,
      newestAt: began + 6_000,
      sampleIds: ids.slice(0, 5),
    });
    expect(groups[1]?.sampleIds).toEqual([one]);
    expect({ other, count }).toEqual({ other: { count: 0, told: 0 }, count: 9 });
    expect(await test.queue.deadLetters.groups({}, { limit: 1 })).toMatchObject({
      groups: [{ count: 7 }],
      other: { count: 2, told: 0 },
      count: 9,
    });
  });

  it('counts what the bulk verbs would be applied to: those that were told only where asked for', async () => {
    const test = await world(WITH_ERP);
    await fails(test, '/notes', says('no'));
    await tellsCaller(test, '/notes', says('no'));
    expect(await test.queue.deadLetters.groups()).toMatchObject({ groups: [{ count: 1, told: 0 }], count: 1 });
    const all = await test.queue.deadLetters.groups({ includeTold: true });
    expect(all).toMatchObject({ groups: [{ count: 2, told: 1 }], count: 2 });
    const { signature } = all.groups[0] as (typeof all.groups)[0];
    expect(await test.queue.deadLetters.replay({ signature }, { expect: 1 })).toMatchObject({ done: 1 });
  });

  it('gives the signature by which every verb finds the group', async () => {
    const test = await world(WITH_ERP);
    const wanted = [await fails(test, '/tickets/1', says('no')), await fails(test, '/tickets/2', says('no'))];
    await fails(test, '/notes', says('no'));
    const { groups } = await test.queue.deadLetters.groups();
    const { signature } = groups[0] as (typeof groups)[0];
    const { deadLetters } = test.queue;
    expect((await deadLetters.list({ signature })).requests.map(({ id }) => id)).toEqual(wanted);
    expect(await deadLetters.stats({ signature })).toMatchObject({ count: 2 });
    expect(await deadLetters.groups({ signature: [signature, 'x'] })).toMatchObject({
      groups: [{ count: 2 }],
      count: 2,
    });
    expect(await deadLetters.replay({ signature }, { dryRun: true })).toMatchObject({ matched: 2, done: 0 });
    expect(await deadLetters.purge({ signature }, { expect: 2 })).toMatchObject({ matched: 2, done: 2 });
    expect(await deadLetters.groups()).toMatchObject({ groups: [{ path: '/notes' }], count: 1 });
  });

  it('tells a transport error by its code', async () => {
    const test = await world({ ...WITH_ERP, maxAttempts: 1 });
    await test.queue.enqueue({ method: 'PUT', url: at('/a/1'), body: 'x' }, { deadline: test.clock.now() + 5_000 });
    test.queue.pause();
    await test.queue.enqueue({ method: 'PUT', url: at('/b/1'), body: 'x' }, { deadline: test.clock.now() + 5_000 });
    await test.clock.advance(60_000);
    const { groups } = await test.queue.deadLetters.groups();
    expect(groups.map(({ label }) => label)).toContain('api PUT /b/{id}: expired');
  });

  it('keeps at most a thousand kinds apart, and counts the rest', () => {
    const groups = new LetterGroups();
    for (let n = 0; n < 3_000; n += 1) groups.add(letter({ zone: `z${n % 1_500}`, told: n >= 2_900 }));
    const { groups: kept, other, count } = groups.read(MAX_GROUPS);
    expect([kept.length, kept.every((group) => group.count === 2), other.count, count]).toEqual([
      1_000,
      true,
      1_000,
      3_000,
    ]);
    expect(other.told).toBe(100);
  });

  it('leaves the event loop its turn while it reads many', async () => {
    const test = await world(WITH_ERP);
    test.server.script.always(says('no'));
    const items = Array.from({ length: 3_000 }, () => ({ request: { method: 'POST', url: at('/a'), body: 'x' } }));
    await test.queue.enqueueMany(items);
    await test.clock.advanceUntil(async () => (await test.queue.counts()).dead === 3_000, 600_000);
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    expect(await test.queue.deadLetters.groups()).toMatchObject({ groups: [{ count: 3_000 }] });
    isOver = true;
    expect(turns).toBeGreaterThan(25);
  });

  it('refuses a limit that is none', async () => {
    const { queue } = await world(WITH_ERP);
    for (const limit of [0, -1, 1.5, Number.NaN, 1_001]) {
      expect((await errorOf(queue.deadLetters.groups({}, { limit }))).code).toBe('REQUEST_INVALID');
    }
    expect((await errorOf(queue.deadLetters.list({}, { limit: 0 }))).code).toBe('REQUEST_INVALID');
  });
});

describe('deadLetters.stats', () => {
  it('counts by zone, reason and class of status, and tells the oldest, the newest and the bytes', async () => {
    const test = await world(WITH_ERP);
    const began = test.clock.now();
    const first = await fails(test, '/a', says('no', 400));
    await test.clock.advance(1_000);
    await fails(test, '/a', says('no', 404));
    await fails(test, '/b', says('no', 501));
    await tellsCaller(test, '/a', says('no', 400));
    await test.queue.deadLetters.replay({ ids: [first] });
    await test.clock.settle();
    expect(await test.queue.deadLetters.stats()).toEqual({
      count: 3,
      replayed: 1,
      untouched: 2,
      told: 1,
      byZone: { api: 3 },
      byReason: { rejected: 3 },
      byStatus: { '4xx': 2, '5xx': 1 },
      bytes: 15,
      oldestAt: began,
      newestAt: began + 1_000,
    });
    expect(await test.queue.deadLetters.stats({ includeTold: true })).toMatchObject({ count: 4, told: 1 });
    expect(await test.queue.deadLetters.total()).toBe(4);
    expect(await test.queue.deadLetters.total('other')).toBe(0);
  });

  it('is empty where nothing died', async () => {
    const { queue } = await world();
    const none = { count: 0, told: 0, bytes: 0, byZone: {}, oldestAt: null, newestAt: null };
    expect(await queue.deadLetters.stats()).toMatchObject(none);
    expect(await queue.deadLetters.stats({ status: '5xx' })).toMatchObject(none);
    expect(await queue.deadLetters.groups()).toEqual({ groups: [], other: { count: 0, told: 0 }, count: 0 });
  });

  it('counts what was never sent under none', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x' }, { deadline: test.clock.now() + 5 });
    await test.clock.advance(60_000);
    expect(await test.queue.deadLetters.stats()).toMatchObject({ byStatus: { none: 1 }, byReason: { expired: 1 } });
  });
});

describe('a filter of dead letters', () => {
  it('narrows down by status, class, method, end and whether it was replayed', async () => {
    const test = await world(WITH_ERP);
    const a = await fails(test, '/a', says('no', 400));
    await test.clock.advance(1_000);
    const b = await fails(test, '/b', says('no', 405), 'PUT');
    const middle = test.clock.now();
    await test.clock.advance(1_000);
    const c = await fails(test, '/c', says('no', 501));
    await test.queue.deadLetters.replay({ ids: [a] });
    await test.clock.settle();
    const { deadLetters } = test.queue;
    const ids = async (filter: Parameters<typeof deadLetters.list>[0]) =>
      (await deadLetters.list(filter)).requests.map(({ id }) => id);
    expect(await ids({ status: 405 })).toEqual([b]);
    expect(await ids({ status: '4xx' })).toEqual([a, b]);
    expect(await ids({ status: ['5xx', 400] })).toEqual([a, c]);
    expect(await ids({ status: [] })).toEqual([]);
    expect(await ids({ method: 'put' })).toEqual([b]);
    expect(await ids({ method: ['PUT', 'POST'], status: '4xx' })).toEqual([a, b]);
    expect(await ids({ endedBefore: middle })).toEqual([a]);
    expect(await ids({ endedAfter: middle })).toEqual([b, c]);
    expect(await ids({ replayed: true })).toEqual([a]);
    expect(await ids({ replayed: false })).toEqual([b, c]);
    expect(await ids({ error: 'ECONNRESET' })).toEqual([]);
    expect(await ids({ reason: 'rejected', zone: 'api' })).toEqual([a, b, c]);
  });

  it('finds the code of a transport error in what had no answer', () => {
    const attempt = { n: 1, at: 0, phase: 'sent', outcome: 'unknown', status: null, error: 'ECONNRESET', origin: 'o' };
    const reset = letter({ attempts: [attempt] });
    expect(letterFilter({ error: ['ECONNRESET'] }).isMeant(reset)).toBe(true);
    expect(letterFilter({ error: 'ETIMEDOUT' }).isMeant(reset)).toBe(false);
    expect(letterFilter({ status: '5xx' }).isMeant(reset)).toBe(false);
    expect(letterFilter({ error: 'ECONNRESET' }).isMeant(letter({ attempts: [attempt], state: 'held' }))).toBe(false);
  });

  it('that is wrong is refused by every verb with all its problems, naming what was probably meant', async () => {
    const { queue } = await world();
    const wrong = {
      signatur: 'x',
      status: '4x',
      endedAfter: 'yesterday',
      reason: ['rejectd'],
      ids: 'a',
      replayed: 1,
      state: 'held',
      method: [7],
    } as never;
    const { deadLetters } = queue;
    for (const verb of ['list', 'groups', 'stats', 'replay', 'purge'] as const) {
      const error = await errorOf(deadLetters[verb](wrong));
      expect(error.code).toBe('REQUEST_INVALID');
      expect(error.details).toMatchObject({
        problems: [
          { path: 'filter.signatur', expected: "a known name (did you mean 'signature'?)" },
          { path: 'filter.status', got: '4x' },
          { path: 'filter.endedAfter', expected: 'epoch milliseconds' },
          { path: 'filter.reason', expected: "a known name (did you mean 'rejected'?)", got: 'rejectd' },
          { path: 'filter.ids', expected: 'an array of strings' },
          { path: 'filter.replayed', expected: 'true or false' },
          { path: 'filter.state' },
          { path: 'filter.method' },
        ],
      });
      for (const other of [null, 'zone', 7, []]) {
        expect((await errorOf(deadLetters[verb](other as never))).code).toBe('REQUEST_INVALID');
      }
    }
  });

  it('that means nearly all is empty for the bulk verbs', async () => {
    const { queue } = await world();
    for (const filter of [{}, { includeTold: true }, { replayed: false }, { zone: undefined, status: undefined }]) {
      expect((await errorOf(queue.deadLetters.purge(filter))).code).toBe('BULK_REFUSED');
      expect((await errorOf(queue.deadLetters.replay(filter))).code).toBe('BULK_REFUSED');
    }
    expect(await queue.deadLetters.purge({ replayed: true })).toMatchObject({ matched: 0 });
  });
});

/** A record with what the parts under test read. */
function letter(given: { zone?: string; told?: boolean; attempts?: readonly object[]; state?: string }): StoredRequest {
  const { zone = 'api', told = false, attempts = [], state = 'dead' } = given;
  const content = { method: 'POST', path: '/a', headers: [], body: null };
  const ended = { state, reason: 'rejected', effect: 'action', told, result: null, replayedAs: null, endedAt: 1 };
  return { id: zone, zone, content, progress: { attempts }, acceptedAt: 0, ...ended } as unknown as StoredRequest;
}
