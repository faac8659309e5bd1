import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { bearerToken } from '../../src/client/auth/bearerToken.ts';
import { holdfastError } from '../../src/errors.ts';
import type { RequestInput, RequestOptions, Settled } from '../../src/queue/types/calls.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { answer, park, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { arrivals, at, record, world } from './harness.ts';

const HOUR_MS = 3_600_000;
const ZONE = 'api';
const get = (path = '/notes/1', headers: Record<string, string> = {}): RequestInput => ({
  method: 'GET',
  url: at(path),
  headers,
});

async function remembering(staleReads = { maxAgeMs: HOUR_MS } as { maxAgeMs: number; maxBytes?: number }) {
  const test = await world({ zones: { [ZONE]: { origins: [at('')], staleReads } } });
  return test;
}

async function read(test: TestQueue, input = get(), options: RequestOptions = {}): Promise<Settled> {
  const settled = test.queue.call(input, options).settled();
  await test.clock.settle();
  return settled;
}

/** What a read is answered with at once, or undefined where it waits. Called off then, so that it is in nobody's way. */
async function atOnce(test: TestQueue, input = get(), options: RequestOptions = {}): Promise<Settled | undefined> {
  const abort = new AbortController();
  let settled: Settled | undefined;
  test.queue
    .call(input, { ...options, signal: abort.signal })
    .settled()
    .then(
      (end) => (settled = end),
      () => undefined,
    );
  await test.clock.settle();
  abort.abort();
  await test.clock.settle();
  return settled;
}

function headerOf({ response }: Settled, name: string): string | undefined {
  return response?.headers.find(([one]) => one === name)?.[1];
}

function says(settled: Settled | undefined): unknown {
  return settled?.response && JSON.parse(Buffer.from(settled.response.body).toString());
}

function answerWith(test: TestQueue, body: string, headers: HeaderList = []): void {
  test.server.script.next(answer({ status: 200, headers, body: { body } }));
}

describe('a read whose zone takes no call', () => {
  it('is answered with the last good answer, marked, and is not stored', async () => {
    const test = await remembering();
    const events = record(test.queue, 'read:servedStale', 'request:accepted');
    answerWith(test, 'first');
    await read(test);
    answerWith(test, 'second', [['etag', '"2"']]);
    const fresh = await read(test);
    expect([says(fresh), fresh.degraded, headerOf(fresh, 'age')]).toEqual([{ body: 'second' }, undefined, undefined]);
    test.queue.pause(ZONE);
    await test.clock.advance(90_500);
    const stale = await read(test);
    expect(stale).toMatchObject({ zone: ZONE, state: 'succeeded', degraded: true, deduplicated: false });
    expect([says(stale), stale.error, headerOf(stale, 'etag'), headerOf(stale, 'age')]).toEqual([
      { body: 'second' },
      undefined,
      '"2"',
      '90',
    ]);
    expect(headerOf(stale, 'warning')).toBeUndefined();
    expect(await test.queue.get(stale.id)).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ name: 'read:servedStale', zone: ZONE, requestId: stale.id, ageMs: 90_500 });
    expect(test.queue.stats()).toMatchObject({ accepted: 2, servedStale: 1 });
    expect(arrivals(test.server)).toHaveLength(2);
  });

  it('is told so by the result of a client', async () => {
    const test = await remembering();
    const api = new ApiClient({ queue: test.queue, baseUrl: at('') });
    answerWith(test, 'it');
    const fresh = await api.get('/notes/1').withResponse();
    expect('degraded' in fresh).toBe(false);
    test.queue.pause(ZONE);
    expect(await api.get('/notes/1').withResponse()).toMatchObject({ data: { body: 'it' }, degraded: true });
    expect(await api.get('/notes/1')).toEqual({ body: 'it' });
    api.close();
  });

  it('is told so by the response of fetch', async () => {
    const test = await remembering();
    answerWith(test, 'it', [['age', '5']]);
    const fresh = await test.queue.fetch(at('/notes/1'));
    expect([await fresh.json(), fresh.headers.get('x-holdfast-degraded')]).toEqual([{ body: 'it' }, null]);
    test.queue.pause(ZONE);
    await test.clock.advance(10_000);
    for (const offline of ['wait', 'reject'] as const) {
      const stale = await test.queue.fetch(at('/notes/1'), { queue: { offline } });
      expect(stale.url).toBe(at('/notes/1'));
      expect([await stale.json(), stale.headers.get('x-holdfast-degraded'), stale.headers.get('age')]).toEqual([
        { body: 'it' },
        'true',
        '15',
      ]);
    }
    const other = await test.queue.fetch(at('/notes/2'), { queue: { offline: 'reject' } }).catch((error) => error);
    expect(holdfastError(other)?.code).toBe('ZONE_UNREACHABLE');
    const write = { method: 'POST', body: 'x', queue: { offline: 'reject' } } as const;
    const refused = await test.queue.fetch(at('/notes/1'), write).catch((error) => error);
    expect(holdfastError(refused)?.code).toBe('ZONE_UNREACHABLE');
    expect(test.queue.stats().accepted).toBe(2);
  });

  it('is told so by the dispatcher', async () => {
    const test = await remembering();
    const { request } = await import('undici');
    const ask = () => request(at('/notes/1'), { dispatcher: test.queue.dispatcher as never });
    answerWith(test, 'it');
    await (await ask()).body.json();
    test.queue.pause(ZONE);
    const { headers, body } = await ask();
    expect([headers['x-holdfast-degraded'], await body.json()]).toEqual(['true', { body: 'it' }]);
  });

  it('is answered alike where the server cannot be reached, asks for no calls, or all is paused', async () => {
    const ways: ((test: TestQueue) => Promise<void>)[] = [
      async (test) => {
        test.network.online = false;
        test.queue.call(get('/other'));
        await test.clock.advanceUntil(
          async () => (await test.queue.health()).zones[0]?.connectivity === 'down',
          60_000,
        );
      },
      async (test) => {
        test.server.script.next(unavailable(600));
        test.queue.call(get('/other'));
        await test.clock.settle();
      },
      async (test) => test.queue.pause(),
    ];
    for (const makeAway of ways) {
      const test = await remembering();
      answerWith(test, 'it');
      await read(test);
      await makeAway(test);
      expect(await atOnce(test)).toMatchObject({ degraded: true });
      expect(await atOnce(test, get('/notes/2'))).toBeUndefined();
    }
  });

  it('is answered also after the server failed', async () => {
    const test = await remembering();
    answerWith(test, 'it');
    await read(test);
    test.server.script.next(refuse({ status: 501 }));
    expect((await read(test)).response?.status).toBe(501);
    test.queue.pause(ZONE);
    expect(says(await atOnce(test))).toEqual({ body: 'it' });
  });

  it('has a handle like any other', async () => {
    const test = await remembering();
    await read(test);
    test.queue.pause(ZONE);
    const abort = new AbortController();
    const handle = test.queue.call(get(), { signal: abort.signal });
    const { id } = await handle.accepted();
    expect(await handle.settled()).toMatchObject({ id, degraded: true });
    expect(await handle.settled({ timeoutMs: 10 })).toMatchObject({ id, degraded: true });
    expect([await handle.cancel(), await handle.cancel({ force: true })]).toEqual([false, false]);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    abort.abort();
    await test.clock.settle();
    expect(test.clock.keepingAlive).toBe(0);
  });

  it('gets bytes of its own', async () => {
    const test = await remembering();
    answerWith(test, 'it');
    (await read(test)).response?.body.fill(0);
    test.queue.pause(ZONE);
    (await read(test)).response?.body.fill(0);
    expect(says(await read(test))).toEqual({ body: 'it' });
  });

  it('waits as ever where it waited already', async () => {
    const test = await remembering();
    test.server.script.next(park);
    const first = test.queue.call(get()).settled();
    await test.clock.settle();
    test.server.release();
    await first;
    test.server.script.always(unavailable());
    let isSettled = false;
    const waiting = test.queue
      .call(get())
      .settled()
      .finally(() => {
        isSettled = true;
      });
    await test.clock.settle();
    test.queue.pause(ZONE);
    await test.clock.advance(1_000);
    expect(isSettled).toBe(false);
    // Who comes later need not.
    expect(await atOnce(test)).toMatchObject({ degraded: true });
    test.server.script.always(answer());
    test.queue.resume(ZONE);
    await test.clock.advanceUntil(() => isSettled, 600_000);
    expect((await waiting).degraded).toBeUndefined();
  });
});

describe('an answer of before is not given', () => {
  it('while the zone takes calls', async () => {
    const test = await remembering();
    answerWith(test, 'old');
    await read(test);
    answerWith(test, 'new');
    expect(await read(test)).not.toHaveProperty('degraded');
    expect(arrivals(test.server)).toHaveLength(2);
  });

  it('where the zone does not say so', async () => {
    const test = await world({ zones: { [ZONE]: { origins: [at('')] } } });
    await read(test);
    test.queue.pause(ZONE);
    expect(await atOnce(test)).toBeUndefined();
  });

  it('once it is too old, by whichever clock', async () => {
    const ages: [string, (test: TestQueue) => Promise<void> | void, boolean][] = [
      ['just in time', (test) => test.clock.advance(HOUR_MS), true],
      ['too late', (test) => test.clock.advance(HOUR_MS + 1), false],
      [
        'with the wall set back',
        (test) => {
          test.clock.setWall(test.clock.now() - 24 * HOUR_MS);
          return test.clock.advance(HOUR_MS + 1);
        },
        false,
      ],
      ['after a sleep of the machine', (test) => test.clock.setWall(test.clock.now() + HOUR_MS + 1), false],
    ];
    for (const [name, pass, isGiven] of ages) {
      const test = await remembering();
      await read(test);
      test.queue.pause(ZONE);
      await pass(test);
      expect([name, (await atOnce(test)) !== undefined]).toEqual([name, isGiven]);
    }
  });

  it('which was old already when it came', async () => {
    const test = await remembering({ maxAgeMs: 60_000 });
    answerWith(test, 'it', [['age', '50']]);
    await read(test);
    test.queue.pause(ZONE);
    await test.clock.advance(9_000);
    expect(headerOf(await read(test), 'age')).toBe('59');
    await test.clock.advance(2_000);
    expect(await atOnce(test)).toBeUndefined();
  });

  it('to another principal', async () => {
    const test = await remembering();
    const anns = get('/me', { authorization: 'Bearer ann' });
    answerWith(test, 'of ann');
    await read(test, anns);
    answerWith(test, 'of bob');
    await read(test, get('/me'), { principal: 'bob' });
    const api = new ApiClient({ queue: test.queue, baseUrl: at(''), auth: bearerToken('carl') });
    answerWith(test, 'of carl');
    await Promise.all([api.get('/me'), test.clock.settle()]);
    api.close();
    test.queue.pause(ZONE);
    expect(says(await atOnce(test, anns))).toEqual({ body: 'of ann' });
    expect(says(await atOnce(test, get('/me'), { principal: 'bob' }))).toEqual({ body: 'of bob' });
    expect(await atOnce(test, get('/me'))).toBeUndefined();
    expect(await atOnce(test, get('/me'), { principal: 'ann' })).toBeUndefined();
    expect(await atOnce(test, get('/me', { authorization: 'Bearer eve' }))).toBeUndefined();
    // A name alone does not show that it is hers.
    expect(await atOnce(test, get('/me', { authorization: 'Bearer eve' }), { principal: 'bob' })).toBeUndefined();
  });

  it('to a principal that is away', async () => {
    const test = await remembering();
    await read(test, get(), { principal: 'ann' });
    await test.queue.principals.leave('ann');
    test.queue.pause(ZONE);
    expect(await read(test, get(), { principal: 'ann' })).toMatchObject({ state: 'held', reason: 'principal' });
    await test.queue.principals.enter('ann');
    expect(await atOnce(test, get(), { principal: 'ann' })).toMatchObject({ degraded: true });
  });

  it('that the server did not want kept, or nobody can tell for whom it is', async () => {
    for (const header of [
      ['cache-control', 'private, No-Store'],
      ['vary', '*'],
    ] as const) {
      const test = await remembering();
      answerWith(test, 'old');
      await read(test);
      answerWith(test, 'secret', [header]);
      await read(test);
      test.queue.pause(ZONE);
      expect(await atOnce(test)).toBeUndefined();
    }
  });

  it('to who asks for a fresh one, or wants no other to share it', async () => {
    const test = await remembering();
    await read(test);
    const fresh = get('/notes/1', { 'cache-control': 'no-cache' });
    await read(test, fresh);
    await read(test, get('/notes/1'), { dedupe: false });
    test.queue.pause(ZONE);
    expect(await atOnce(test, fresh)).toBeUndefined();
    expect(await atOnce(test, get(), { dedupe: false })).toBeUndefined();
    expect(await atOnce(test, get(), { notBefore: test.clock.now() + 1_000 })).toBeUndefined();
    expect(await atOnce(test)).toMatchObject({ degraded: true });
  });

  it('in place of a failure, or after one that says that it is gone', async () => {
    const test = await remembering();
    test.server.script.always((request) => (request.path === '/gone' ? refuse({ status: 404 }) : undefined));
    await read(test, get('/gone'));
    test.server.script.always(() => undefined);
    await read(test);
    test.server.script.next(refuse({ status: 404 }));
    await read(test);
    test.queue.pause(ZONE);
    expect(await atOnce(test, get('/gone'))).toBeUndefined();
    expect(await atOnce(test)).toBeUndefined();
  });

  it('where a rule of the zone says that it was none', async () => {
    const classify = ({ headers }: { readonly headers: HeaderList }) =>
      headers.some(([name]) => name === 'x-failed') ? ('rejected' as const) : undefined;
    const test = await world({
      zones: { [ZONE]: { origins: [at('')], staleReads: { maxAgeMs: HOUR_MS }, classify } },
    });
    answerWith(test, 'failed', [['x-failed', 'yes']]);
    expect((await read(test)).state).toBe('dead');
    test.queue.pause(ZONE);
    expect(await atOnce(test)).toBeUndefined();
  });

  it('after a write to what it shows, or to its lane, was accepted', async () => {
    const test = await remembering();
    const inLane = { lane: 'a' };
    test.server.script.next(park);
    const early = test.queue.call(get('/notes/9')).settled();
    await test.clock.settle();
    for (const path of ['/notes/1', '/notes/2', '/notes/3?a=b']) await read(test, get(path));
    await read(test, get('/lane'), inLane);
    test.queue.pause(ZONE);
    for (const path of ['/notes/1', '/notes/3', '/notes/9']) {
      await test.queue.enqueue({ method: 'PUT', url: at(path), body: 'mine' });
    }
    await test.queue.enqueue({ method: 'POST', url: at('/act'), body: 'x' }, inLane);
    test.server.release();
    await early;
    for (const path of ['/notes/1', '/notes/3?a=b', '/notes/9']) expect(await atOnce(test, get(path))).toBeUndefined();
    expect(await atOnce(test, get('/lane'), inLane)).toBeUndefined();
    expect(await atOnce(test, get('/notes/2'))).toMatchObject({ degraded: true });
  });
});

describe('the memory for answers of before', () => {
  it('is bounded: those unused the longest go first', async () => {
    const test = await remembering({ maxAgeMs: HOUR_MS, maxBytes: 5_000 });
    for (const n of [1, 2, 3]) {
      answerWith(test, 'x'.repeat(1_000));
      await read(test, get(`/notes/${n}`));
    }
    test.queue.pause(ZONE);
    expect(await atOnce(test, get('/notes/1'))).toBeDefined();
    test.queue.resume(ZONE);
    answerWith(test, 'x'.repeat(1_000));
    await read(test, get('/notes/4'));
    answerWith(test, 'x'.repeat(10_000));
    await read(test, get('/notes/5'));
    test.queue.pause(ZONE);
    const kept: number[] = [];
    for (const n of [1, 2, 3, 4, 5]) if ((await atOnce(test, get(`/notes/${n}`))) !== undefined) kept.push(n);
    expect(kept).toEqual([1, 3, 4]);
  });

  it('keeps one answer of each read', async () => {
    const test = await remembering({ maxAgeMs: HOUR_MS, maxBytes: 5_000 });
    await read(test, get('/other'));
    for (let n = 0; n < 20; n += 1) {
      answerWith(test, `${n} ${'x'.repeat(1_000)}`);
      await read(test);
    }
    test.queue.pause(ZONE);
    expect(await atOnce(test, get('/other'))).toBeDefined();
    expect(says(await atOnce(test))).toMatchObject({ body: expect.stringMatching(/^19 /) });
  });

  it('does not outlive the process', async () => {
    const test = await remembering();
    await read(test);
    await test.crash();
    test.queue.pause(ZONE);
    expect(await atOnce(test)).toBeUndefined();
  });

  it('hands out no cookies', async () => {
    const test = await remembering();
    answerWith(test, 'it', [['set-cookie', 'session=1']]);
    expect(headerOf(await read(test), 'set-cookie')).toBe('session=1');
    test.queue.pause(ZONE);
    expect(headerOf(await read(test), 'set-cookie')).toBeUndefined();
  });
});
