import { describe, expect, it } from 'vitest';
import { refreshingToken } from '../../src/client/auth/refreshingToken.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { applyThenReset, refuse } from '../../src/testing/serverSteps.ts';
import { call, drain, enqueue, expectNoPermitsHeld, KEYED, MINUTE_MS, testQueues } from './support/queues.ts';

const start = testQueues();

function tokenOf(request: ReceivedRequest): string | undefined {
  return request.headers.find(([name]) => name === 'authorization')?.[1];
}

/** A zone whose provider refreshes through `refresh`; the server takes the tokens of `valid` only. */
async function withTokens(refresh: (refused: string) => string | Promise<string>, valid: ReadonlySet<string>) {
  const clock = new FakeClock();
  const auth = refreshingToken({ token: 'old', refresh, principal: 'anna', clock });
  const test = await start({ clock, config: { zones: { api: { ...KEYED.api, auth } } } });
  test.server.script.always((request) =>
    valid.has(tokenOf(request)?.slice(7) ?? '') ? undefined : refuse({ status: 401, body: {} }),
  );
  return test;
}

function statesOf(test: TestQueue, ids: readonly string[]) {
  return Promise.all(ids.map(async (id) => (await test.queue.get(id))?.state));
}

describe('a storm of 401', () => {
  it('on 100 lanes is one refresh', async () => {
    let refreshes = 0;
    const test = await withTokens(
      async () => {
        refreshes += 1;
        return 'new';
      },
      new Set(['new']),
    );
    const ids: string[] = [];
    for (let n = 0; n < 100; n += 1)
      ids.push((await enqueue(test.queue, 'POST', '/notes', { n }, { lane: `l${n}` })).id);
    await drain(test, MINUTE_MS);
    expect(refreshes).toBe(1);
    expect(new Set(await statesOf(test, ids))).toEqual(new Set(['succeeded']));
    expect(test.server.ledger.applied()).toBe(100);
    for (const id of ids) expect(await test.queue.get(id)).toMatchObject({ progress: { faults: 0 } });
    await expectNoPermitsHeld(test.queue);
  });

  it('whose refresh fails holds what nobody waits for, and is not one refresh each', async () => {
    let refreshes = 0;
    const test = await withTokens(async () => {
      refreshes += 1;
      throw new Error('the account is closed');
    }, new Set());
    const ids: string[] = [];
    for (let n = 0; n < 100; n += 1) ids.push((await enqueue(test.queue, 'POST', '/notes', { n })).id);
    const waiting = call(test.queue, 'POST', '/notes');
    await drain(test, MINUTE_MS);
    expect(new Set(await statesOf(test, ids))).toEqual(new Set(['held']));
    expect(waiting.told()).toMatchObject({ state: 'held', error: { code: 'AUTH_REQUIRED' } });
    expect(refreshes).toBeLessThanOrEqual(2);
    await expectNoPermitsHeld(test.queue);
  });

  it('gives a reader the answer when the refresh fails', async () => {
    const test = await withTokens(() => Promise.reject(new Error('closed')), new Set());
    const reader = call(test.queue, 'GET', '/me');
    await test.clock.advance(MINUTE_MS);
    expect(reader.told()).toMatchObject({ state: 'dead', response: { status: 401 } });
  });

  it('gives the caller who brought the credential the answer', async () => {
    const test = await start();
    test.server.script.always(refuse({ status: 401, body: {} }));
    const waiting = call(test.queue, 'POST', '/notes', {}, { headers: { authorization: 'Bearer mine' } });
    await test.clock.advance(MINUTE_MS);
    expect(waiting.told()).toMatchObject({
      state: 'dead',
      response: { status: 401 },
      error: { code: 'REQUEST_REJECTED' },
    });
  });

  it('that ended in holds is over once a later refresh brings a credential', async () => {
    const valid = new Set<string>();
    let isOpen = false;
    const test = await withTokens(() => {
      if (!isOpen) throw new Error('closed for the night');
      return 'new';
    }, valid);
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) ids.push((await enqueue(test.queue, 'POST', '/notes', { n })).id);
    await drain(test, MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ held: 20 });
    isOpen = true;
    valid.add('new');
    await test.clock.advance(MINUTE_MS);
    await enqueue(test.queue, 'POST', '/morning');
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ held: 0, succeeded: 21 });
  });
});

describe('a live credential', () => {
  it('that is new releases what was refused with the old one', async () => {
    const test = await start();
    test.server.script.always((request) =>
      tokenOf(request) === 'Bearer good' ? undefined : refuse({ status: 401, body: {} }),
    );
    const old = { authorization: 'Bearer bad' };
    const { id } = await enqueue(test.queue, 'POST', '/notes', {}, { headers: old, principal: 'anna' });
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'auth' });
    await enqueue(test.queue, 'POST', '/others', {}, { headers: { authorization: 'Bearer good' }, principal: 'anna' });
    await test.clock.advance(1_000);
    // Its own caller's credential was refused; the newer one of the same principal takes its place.
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('of somebody else releases nothing', async () => {
    const test = await start();
    test.server.script.always((request) =>
      tokenOf(request) === 'Bearer good' ? undefined : refuse({ status: 401, body: {} }),
    );
    const { id } = await enqueue(test.queue, 'POST', '/notes', {}, { headers: { authorization: 'Bearer bad' } });
    await test.clock.settle();
    for (const token of ['good', 'other', 'third']) {
      await enqueue(test.queue, 'POST', '/others', {}, { headers: { authorization: `Bearer ${token}` } });
      await test.clock.advance(MINUTE_MS);
    }
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(test.server.ledger.entries.filter((entry) => entry.resource === '/notes').length).toBe(1);
  });
});

describe('a provider that fails', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('no network for tokens');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no network for tokens'))],
  ])('(%s) makes the request wait, with nothing in doubt', async (_, fail) => {
    let works = true;
    const credential = () =>
      works ? { headers: [['authorization', 'Bearer t']] as const, version: 1, principal: 'anna' } : fail();
    const test = await start({ config: { zones: { api: { ...KEYED.api, auth: { credential } } } } });
    test.network.online = false;
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    const waiting = call(test.queue, 'PUT', '/notes/1');
    await test.clock.advance(1_000);
    works = false;
    test.network.online = true;
    await test.clock.advance(5 * MINUTE_MS);
    const waits = await test.queue.get(id);
    expect(['ready', 'scheduled']).toContain(waits?.state);
    expect(waits).toMatchObject({ progress: { unresolved: false, faults: 0 } });
    expect(test.server.ledger.entries).toEqual([]);
    works = true;
    await drain(test, 2 * MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    expect(waiting.told()).toMatchObject({ state: 'succeeded' });
    await expectNoPermitsHeld(test.queue);
  });

  it('after a send in doubt leaves the doubt and resends with the same key', async () => {
    let works = true;
    const credential = () => {
      if (!works) throw new Error('no network for tokens');
      return { headers: [['authorization', 'Bearer t']] as const, version: 1, principal: 'anna' };
    };
    const test = await start({ config: { zones: { api: { ...KEYED.api, auth: { credential } } } } });
    test.server.script.next(applyThenReset);
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.settle();
    works = false;
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ progress: { unresolved: true } });
    works = true;
    await drain(test, MINUTE_MS);
    expect(test.server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
  });
});
