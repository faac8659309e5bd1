import { describe, expect, it } from 'vitest';
import type { BatchAdapter, BatchAnswer } from '../../src/queue/types/batch.ts';
import type { Logger } from '../../src/queue/types/logger.ts';
import { refused as unreachableServer } from '../../src/testing/FakeServer.ts';
import { applyThenReset, hang } from '../../src/testing/serverSteps.ts';
import { record, tokenProvider } from '../core/harness.ts';
import { itemsOf, listProtocol } from './support/protocol.ts';
import type { BatchWorld } from './support/world.ts';
import { batchWorld, enqueueAll, get, paths, post, put, ZONE } from './support/world.ts';

/** Every request was applied so often. */
function timesApplied(one: BatchWorld): number[] {
  return [...new Set(one.applied.values())].toSorted();
}

function noting(): { readonly logger: Logger; readonly errors: string[] } {
  const errors: string[] = [];
  const ignore = (): void => undefined;
  const error = (message: string): void => void errors.push(message);
  return { logger: { debug: ignore, info: ignore, warn: ignore, error }, errors };
}

describe('a batch that is too large', () => {
  it('is halved until the server takes it, and those after it are smaller', async () => {
    const one = await batchWorld();
    const split = record(one.test.queue, 'batch:split');
    one.answerCall = (items) => (items.length > 6 ? { status: 413 } : undefined);
    await enqueueAll(
      one,
      paths(20).map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    expect(one.calls.map((call) => call.length)).toEqual([20, 10, 5, 5, 10, 5, 5]);
    expect(timesApplied(one)).toEqual([1]);
    expect(one.applied.size).toBe(20);
    expect(split[0]).toMatchObject({ from: 20, to: 10, why: 413, adapter: 'list' });
    expect(one.test.queue.zones.get(ZONE).batches).toMatchObject([{ size: 5 }]);
    expect((await one.test.queue.counts()).succeeded).toBe(20);
    expect(one.test.queue.zones.get(ZONE).concurrency.inUse).toBe(0);
  });

  it('because of one member makes those after it no smaller', async () => {
    const one = await batchWorld();
    one.answerCall = (items) => (items.some(({ path }) => path === '/things/7') ? { status: 413 } : undefined);
    one.answerItem = ({ path }) => (path === '/things/7' ? { status: 413 } : undefined);
    await enqueueAll(
      one,
      paths(20).map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    expect((await one.test.queue.counts()).succeeded).toBe(19);
    expect(one.test.queue.zones.get(ZONE).batches).toMatchObject([{ size: 20 }]);
    one.calls.length = 0;
    await enqueueAll(
      one,
      paths(20, '/others').map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    expect(one.calls.map((call) => call.length)).toEqual([20]);
  });

  it.each([2, 3])('for a server that takes %i makes those after it smaller, though some went alone', async (most) => {
    const one = await batchWorld();
    one.answerCall = (items) => (items.length > most ? { status: 413 } : undefined);
    await enqueueAll(
      one,
      paths(20).map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    expect((await one.test.queue.counts()).succeeded).toBe(20);
    one.calls.length = 0;
    await enqueueAll(
      one,
      paths(20, '/others').map((path) => post(path)),
    );
    await one.test.clock.advance(100);
    expect(Math.max(...one.calls.map((call) => call.length))).toBeLessThanOrEqual(most + 1);
  });

  it('for one member alone leaves that its own answer, and the others theirs', async () => {
    const one = await batchWorld();
    one.answerCall = (items) => (items.some(({ path }) => path === '/things/7') ? { status: 400 } : undefined);
    one.answerItem = ({ path }) => (path === '/things/7' ? { status: 422, body: 'no such thing' } : undefined);
    const accepted = await enqueueAll(
      one,
      paths(12).map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    const ends = await Promise.all(accepted.map((request) => request.settled()));
    expect(ends.filter(({ state }) => state === 'succeeded')).toHaveLength(11);
    expect(ends[6]).toMatchObject({ state: 'dead', reason: 'rejected', response: { status: 422 } });
    expect(one.calls.at(-1)?.length).toBeLessThan(12);
    expect(timesApplied(one)).toEqual([1]);
  });
});

describe('a torn call', () => {
  it('leaves its writes in doubt, sends again what is harmless, and loses nothing', async () => {
    const one = await batchWorld();
    one.server.script.next(applyThenReset);
    const requests = [post('/a'), put('/b'), get('/c'), post('/d')];
    const [a, b, c, d] = await enqueueAll(one, requests);
    await one.test.clock.advance(60_000);
    const records = await Promise.all([a, b, c, d].map((request) => one.test.queue.get(request?.id ?? '')));
    expect(records.map((record) => [record?.state, record?.reason])).toEqual([
      ['held', 'unknown'],
      ['succeeded', 'applied'],
      ['succeeded', 'applied'],
      ['held', 'unknown'],
    ]);
    expect(one.applied.get('POST /a {"text":"/a"}')).toBe(1);
    expect(records[0]?.progress.unresolved).toBe(true);
  });

  it('that never came to the server costs no member an attempt', async () => {
    const one = await batchWorld();
    one.server.script.next(unreachableServer);
    await enqueueAll(
      one,
      paths(4).map((path) => post(path)),
    );
    await one.test.clock.advance(120_000);
    expect(await one.test.queue.counts()).toMatchObject({ succeeded: 4 });
    expect(timesApplied(one)).toEqual([1]);
  });

  it('that was not answered in time makes those after it smaller, once for all that were under way', async () => {
    const one = await batchWorld({ config: { attemptTimeoutMs: 1_000 } });
    one.server.script.next(hang, hang);
    await enqueueAll(
      one,
      paths(40).map((path) => put(path)),
    );
    await one.test.clock.advance(1_500);
    expect(one.test.queue.zones.get(ZONE).batches).toMatchObject([{ size: 10 }]);
    await one.test.clock.advance(60_000);
    expect((await one.test.queue.counts()).succeeded).toBe(40);
  });
});

describe('a member', () => {
  it('of which the answer says nothing is in doubt if it is a write, and read again if it is a read', async () => {
    const adapter = listProtocol();
    const one = await batchWorld({
      adapter: { ...adapter, outcomes: (answers, members) => adapter.outcomes(answers, members).slice(0, 1) },
    });
    const [, b, c] = await enqueueAll(one, [put('/a'), post('/b'), get('/c')]);
    await one.test.clock.advance(30_000);
    expect(await one.test.queue.get(b?.id ?? '')).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(await one.test.queue.get(c?.id ?? '')).toMatchObject({ state: 'succeeded' });
  });

  it('that was not served for the sake of another goes again, and no attempt is counted', async () => {
    const one = await batchWorld();
    let isPoisoned = true;
    one.answerItem = ({ path }) => {
      if (path === '/things/1') return { status: 409 };
      return isPoisoned ? { status: 424 } : undefined;
    };
    const accepted = await enqueueAll(
      one,
      paths(5).map((path) => post(path)),
    );
    one.test.queue.on('batch:sent', () => {
      isPoisoned = false;
    });
    await one.test.clock.advance(50);
    expect(one.calls).toEqual([paths(5), paths(5).slice(1)]);
    const served = await one.test.queue.get(accepted[2]?.id ?? '');
    expect(served).toMatchObject({ state: 'succeeded', progress: { faults: 0 } });
  });

  it('goes alone where a batch served none of its members', async () => {
    const one = await batchWorld();
    one.answerItem = ({ id }) => (id === '' ? undefined : { status: 424 });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect(one.calls).toEqual([paths(3), ...paths(3).map((path) => [path])]);
    expect((await one.test.queue.counts()).succeeded).toBe(3);
  });

  it('that is asked to wait waits by itself', async () => {
    const one = await batchWorld();
    const limited = record(one.test.queue, 'zone:limited');
    let isBusy = true;
    one.answerItem = ({ path }) =>
      path === '/things/2' && isBusy ? { status: 429, headers: [['Retry-After', '30']] } : undefined;
    await enqueueAll(
      one,
      paths(4).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect((await one.test.queue.counts()).succeeded).toBe(3);
    expect(limited).toEqual([]);
    isBusy = false;
    await one.test.clock.advance(29_000);
    expect(one.calls).toHaveLength(1);
    await one.test.clock.advance(2_000);
    expect(one.calls).toEqual([paths(4), ['/things/2']]);
  });

  it('that fails keeps what is behind it in its lane, and nothing of other lanes', async () => {
    const one = await batchWorld();
    let left = 2;
    one.answerItem = ({ path, body }) => {
      if (path !== '/a' || body !== '{"n":1}' || left === 0) return undefined;
      left -= 1;
      return { status: 503 };
    };
    const order: string[] = [];
    const answer = one.answerItem;
    one.answerItem = (item) => {
      const given = answer(item);
      if (given === undefined) order.push(`${item.path} ${item.body}`);
      return given;
    };
    await enqueueAll(one, [put('/a', { n: 1 }), put('/a', { n: 2 }), put('/b', { n: 1 }), put('/b', { n: 2 })]);
    await one.test.clock.advance(120_000);
    const of = (path: string): string[] => order.filter((one) => one.startsWith(path));
    expect(of('/a')).toEqual(['/a {"n":1}', '/a {"n":2}']);
    expect(of('/b')).toEqual(['/b {"n":1}', '/b {"n":2}']);
    for (const call of one.calls) expect(new Set(call).size).toBe(call.length);
  });
});

describe('the answer to a whole call', () => {
  it('with a time to wait is that of every member, and closes the zone for so long', async () => {
    const one = await batchWorld();
    const limited = record(one.test.queue, 'zone:limited');
    let isBusy = true;
    one.answerCall = () => (isBusy ? { status: 503, headers: [['retry-after', '20']] } : undefined);
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect(limited).toHaveLength(1);
    isBusy = false;
    await one.test.clock.advance(15_000);
    expect(one.calls).toHaveLength(1);
    await one.test.clock.advance(60_000);
    expect((await one.test.queue.counts()).succeeded).toBe(3);
    expect(timesApplied(one)).toEqual([1]);
  });

  it('of 401 renews the credential once, and sends them again together', async () => {
    const provider = tokenProvider('old', 'me');
    let refreshes = 0;
    const refresh = async (): Promise<boolean> => {
      refreshes += 1;
      provider.token = 'new';
      return true;
    };
    const auth = { credential: () => provider.credential(), refresh };
    const one = await batchWorld({ zone: { auth } });
    const seen: (string | undefined)[] = [];
    one.answerCall = (_, { headers }) => {
      const given = headers.find(([name]) => name === 'authorization')?.[1];
      seen.push(given);
      return given === 'Bearer new' ? undefined : { status: 401 };
    };
    await enqueueAll(
      one,
      paths(6).map((path) => post(path)),
    );
    await one.test.clock.advance(1_000);
    expect(seen).toEqual(['Bearer old', 'Bearer new']);
    expect(refreshes).toBe(1);
    expect((await one.test.queue.counts()).succeeded).toBe(6);
  });
});

describe('an adapter that fails', () => {
  const broken = (): never => {
    throw new Error('broken');
  };

  it('in putting a call together has its requests sent singly, and is told of once', async () => {
    const { logger, errors } = noting();
    const one = await batchWorld({ adapter: listProtocol({ compose: broken }), config: { logger } });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    await enqueueAll(
      one,
      paths(3, '/more').map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect(one.calls).toHaveLength(6);
    expect((await one.test.queue.counts()).succeeded).toBe(6);
    expect(errors).toHaveLength(1);
  });

  it('in saying what may share a call is not asked for more', async () => {
    const { logger, errors } = noting();
    const one = await batchWorld({ adapter: listProtocol({ key: broken }), config: { logger } });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.settle();
    expect(one.calls).toEqual(paths(3).map((path) => [path]));
    expect(errors).toHaveLength(1);
  });

  it('in reading an answer leaves its members as if nobody spoke of them', async () => {
    const { logger } = noting();
    const rubbish = () => 'rubbish' as never;
    const one = await batchWorld({ adapter: listProtocol({ outcomes: rubbish }), config: { logger } });
    await enqueueAll(one, [post('/a'), post('/b')]);
    await one.test.clock.advance(50);
    expect(await one.test.queue.counts()).toMatchObject({ held: 2 });
  });

  it('with outcomes of nobody, or two of one, is believed in the first of each', async () => {
    const { logger, errors } = noting();
    const adapter = listProtocol();
    const one = await batchWorld({
      config: { logger },
      adapter: {
        ...adapter,
        outcomes: (answers, members) => [
          { id: 'nobody', kind: 'missing' },
          ...adapter.outcomes(answers, members),
          ...members.map(({ id }) => ({ id, kind: 'missing' }) as const),
        ],
      },
    });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect((await one.test.queue.counts()).succeeded).toBe(3);
    expect(errors).toHaveLength(1);
  });
});

describe('what goes on a call', () => {
  it('is the credential of all its members, and none of them brings its own', async () => {
    const one = await batchWorld();
    const seen: string[] = [];
    one.answerCall = (items, { headers, body }) => {
      seen.push(`${headers.find(([name]) => name === 'authorization')?.[1]} ${items.length}`);
      expect(
        itemsOf(body)
          .flatMap((item) => item.headers)
          .map(([name]) => name),
      ).not.toContain('authorization');
      return undefined;
    };
    const as = (token: string) => ({ ...put(`/${token}`), headers: { authorization: `Bearer ${token}` } });
    const same = { ...put('/other'), headers: { authorization: 'Bearer one' } };
    await enqueueAll(one, [as('one'), as('two'), same]);
    await one.test.clock.advance(50);
    expect(seen).toEqual(['Bearer one 2']);
    expect(one.calls).toHaveLength(2);
  });

  it('is no request with a key or a condition where the protocol has no place for these', async () => {
    const one = await batchWorld({ adapter: listProtocol({ carriesHeaders: false }) });
    const keyed = { ...post('/keyed'), headers: { 'idempotency-key': 'k' } };
    const conditional = { ...put('/conditional'), headers: { 'if-match': '"1"' } };
    await enqueueAll(one, [keyed, conditional, post('/a'), post('/b')]);
    await one.test.clock.advance(50);
    expect(one.calls.toSorted()).toEqual([['/a', '/b'], ['/conditional'], ['/keyed']]);
    const carrying = await batchWorld();
    await enqueueAll(carrying, [keyed, conditional, post('/a')]);
    await carrying.test.clock.advance(50);
    expect(carrying.calls).toHaveLength(1);
  });
});

describe('pages of an answer', () => {
  const paged = (): BatchAdapter => {
    const adapter = listProtocol();
    const text = (answer: BatchAnswer): string => new TextDecoder().decode(answer.body);
    return {
      ...adapter,
      outcomes: (answers, members) => answers.flatMap((answer) => adapter.outcomes([answer], members)),
      next: (answer, call) => (text(answer) === '[]' ? undefined : { ...call, path: `${call.path}/more` }),
    };
  };

  it('are asked for until the last, and a page that is lost leaves those missing that are on it', async () => {
    const one = await batchWorld({ adapter: paged() });
    const answerPage: BatchWorld['answerCall'] = (items, { path }) => {
      const page = path.split('/more').length - 1;
      const part = items.slice(2 * page, 2 * page + 2).map(({ id }) => ({ id, status: 200, body: page }));
      return { status: 200, body: JSON.stringify(part) };
    };
    one.answerCall = answerPage;
    const accepted = await enqueueAll(
      one,
      paths(5).map((path) => get(path)),
    );
    await one.test.clock.advance(50);
    const ends = await Promise.all(accepted.map((request) => request.settled()));
    expect(ends.map(({ response }) => new TextDecoder().decode(response?.body))).toEqual(['0', '0', '1', '1', '2']);
    expect(one.calls).toHaveLength(4);
    one.calls.length = 0;
    one.answerCall = (items, request) =>
      request.path.endsWith('/more') ? { status: 500 } : answerPage(items, request);
    await enqueueAll(
      one,
      paths(4, '/lost').map((path) => get(path)),
    );
    await one.test.clock.advance(120_000);
    expect(new Set(one.calls.slice(2).flat())).toEqual(new Set(['/lost/3', '/lost/4']));
    expect((await one.test.queue.counts()).succeeded).toBe(9);
  });

  it('without end are cut off', async () => {
    const adapter = listProtocol();
    const one = await batchWorld({ adapter: { ...adapter, next: (_, call) => call } });
    await enqueueAll(
      one,
      paths(2).map((path) => get(path)),
    );
    await one.test.clock.advance(50);
    expect(one.calls).toHaveLength(100);
    expect((await one.test.queue.counts()).succeeded).toBe(2);
  });
});
