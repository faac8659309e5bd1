import { describe, expect, it } from 'vitest';
import type { IdempotencyOption, ProbeFunction, ProbeVerdict } from '../../src/queue/core/config/options.ts';
import type { OnUnknown } from '../../src/queue/types/request.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import type { NetworkStep } from '../../src/testing/FakeServer.ts';
import { answer, applyThenReset, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import type { RestApiOptions } from '../support/RestApi.ts';
import { RestApi } from '../support/RestApi.ts';
import { at, headerIn, record, world } from './harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const FIVE_MINUTES = { header: 'idempotency-key', ttlMs: 10 * MINUTE_MS, replayHeader: 'idempotent-replayed' };
const NOTE = { method: 'POST', url: at('/notes'), body: { n: 1 } } as const;

/** A queue of an API that knows keys as told. */
async function rest(
  zone: object = {},
  options: RestApiOptions & { readonly keyHeader?: string | null } = {},
  config: object = {},
) {
  const test = await world({ zones: { api: { origins: [TEST_ORIGIN], ...zone } }, ...config });
  const { keyHeader, ...restOptions } = options;
  const api = new RestApi(restOptions);
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond, keyHeader });
  return { test, api, server };
}

/** What arrived, with the values of these headers. */
function arrived(server: Awaited<ReturnType<typeof rest>>['server'], ...headers: readonly string[]) {
  return server.ledger.entries.map(({ request }) => [
    request.method,
    ...headers.map((name) => headerIn(request, name)),
  ]);
}

async function reached(test: TestQueue, id: string): Promise<string> {
  const stored = await test.queue.get(id);
  return `${stored?.state} ${stored?.reason}`;
}

describe('a key on the wire', () => {
  it.each<[what: string, idempotency: IdempotencyOption, header: string, value: (id: string) => string]>([
    ['of the draft is quoted', 'ietf', 'idempotency-key', (id) => `"${id}"`],
    ['of Stripe is bare', 'stripe', 'idempotency-key', (id) => id],
    ['of Repeatable Requests has a header of its own', 'oasis', 'repeatability-request-id', (id) => id],
    ['of your own is as you say', { header: 'X-Request', quoting: 'string' }, 'x-request', (id) => `"${id}"`],
  ])('%s, and is the same on every send, also after a crash', async (_, idempotency, header, value) => {
    const { test, server } = await rest({ idempotency }, { keyHeader: header });
    server.script.next(unavailable(), applyThenReset, unavailable());
    const { id } = await test.queue.enqueue(NOTE);
    await test.clock.advance(5_000);
    await test.crash();
    await test.clock.advance(10 * MINUTE_MS);
    expect(arrived(server, header).length).toBeGreaterThanOrEqual(4);
    expect(new Set(arrived(server, header).map(([, key]) => key))).toEqual(new Set([value(id)]));
    expect(server.ledger.applied()).toBe(1);
  });

  it('bears the time of its first send, unchanged, where the API asks for it', async () => {
    const { test, server } = await rest({ idempotency: 'oasis' }, { keyHeader: 'repeatability-request-id' });
    test.network.online = false;
    const { id } = await test.queue.enqueue(NOTE);
    await test.clock.advance(HOUR_MS);
    test.network.online = true;
    server.script.next(unavailable(), applyThenReset, unavailable());
    await test.clock.advance(3 * MINUTE_MS);
    const times = arrived(server, 'repeatability-first-sent').map(([, time]) => time);
    expect(new Set(times).size).toBe(1);
    const record = await test.queue.get(id);
    expect(times[0]).toBe(new Date(record?.firstSentAt ?? 0).toUTCString());
    expect(await reached(test, id)).toBe('succeeded applied');
  });

  it('is sent for the methods that are known by it, and never for a read', async () => {
    const sent = new Map<string, readonly unknown[]>();
    for (const idempotency of ['ietf', 'stripe', 'stripe-v2'] as const) {
      const { test, server } = await rest({ idempotency });
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const hasBody = method !== 'GET' && method !== 'DELETE';
        await test.queue.enqueue({ method, url: at('/notes/1'), body: hasBody ? {} : undefined });
        await test.clock.advance(1_000);
      }
      const keyed = server.ledger.entries.filter(({ request }) => headerIn(request, 'idempotency-key') !== undefined);
      sent.set(
        idempotency,
        keyed.map(({ request }) => request.method),
      );
    }
    expect(Object.fromEntries(sent)).toEqual({
      ietf: ['POST', 'PUT', 'PATCH', 'DELETE'],
      stripe: ['POST', 'PUT', 'PATCH'],
      'stripe-v2': ['POST', 'DELETE'],
    });
  });

  it('is the one its caller gave, as it was given', async () => {
    const { test, server } = await rest({ idempotency: 'ietf' });
    await test.queue.enqueue({ ...NOTE, headers: { 'idempotency-key': '"mine"' } });
    await test.queue.enqueue(NOTE, { key: 'yours' });
    await test.clock.advance(1_000);
    expect(arrived(server, 'idempotency-key')).toEqual([
      ['POST', '"mine"'],
      ['POST', '"yours"'],
    ]);
  });
});

describe('an answer to what was sent again', () => {
  it('that is marked as an old one says that the first send did it; without a mark nobody can tell', async () => {
    const reasons = new Map<string, string>();
    for (const idempotency of ['stripe', 'ietf'] as const) {
      const { test, server } = await rest({ idempotency });
      const resolved = record(test.queue, 'request:resolved');
      server.script.next(applyThenReset);
      const { id } = await test.queue.enqueue(NOTE);
      await test.clock.advance(10 * MINUTE_MS);
      reasons.set(idempotency, await reached(test, id));
      expect(resolved).toMatchObject([{ requestId: id, how: 'resend', state: 'succeeded' }]);
    }
    expect(Object.fromEntries(reasons)).toEqual({ stripe: 'succeeded appliedEarlier', ietf: 'succeeded applied' });
  });

  it('that says nothing of it leaves it in doubt, however many there are', async () => {
    const { test, server } = await rest({ idempotency: FIVE_MINUTES });
    server.script.next(applyThenReset);
    server.script.always(({ n }) => (n % 3 === 0 ? unavailable() : refuse({ status: n % 3 === 1 ? 429 : 401 })));
    const { id } = await test.queue.enqueue(NOTE);
    await test.clock.advance(MINUTE_MS);
    const stored = await test.queue.get(id);
    expect(stored?.progress).toMatchObject({ unresolved: true });
    expect(stored?.progress.attempts.at(-1)).toMatchObject({ outcome: 'notApplied' });
    server.script.always(unavailable());
    for (const { id: held } of (await test.queue.held.list()).requests)
      await test.queue.held.resolve(held, 'probe', 'x');
    await test.clock.advance(2 * HOUR_MS);
    expect(await reached(test, id)).toBe('held unknown');
    expect(server.ledger.applied()).toBe(1);
  });

  it('that refuses it for good is proof only where the server knows it by its key', async () => {
    const ends = new Map<string, string>();
    for (const [name, zone] of [
      ['keyed', { idempotency: 'stripe' }],
      ['unkeyed', { retryAnswered5xx: true }],
    ] as const) {
      const { test, server } = await rest(zone);
      server.script.next(refuse({ status: 500 }), refuse({ status: 422, body: { error: 'no' } }));
      const { id } = await test.queue.enqueue(NOTE);
      await test.clock.advance(10 * MINUTE_MS);
      ends.set(name, await reached(test, id));
    }
    expect(Object.fromEntries(ends)).toEqual({ keyed: 'dead rejected', unkeyed: 'held unknown' });
  });
});

describe('a failure that is stored with the key', () => {
  const stored: NetworkStep = refuse({ status: 500, headers: [['idempotent-replayed', 'true']], body: {} });

  it.each<[method: string, path: string, end: string]>([
    ['POST', '/notes', 'held unknown'],
    ['PUT', '/notes/7', 'succeeded appliedEarlier'],
  ])('ends the sends of a %s', async (method, path, end) => {
    const { test, api, server } = await rest({ idempotency: 'stripe' });
    server.script.next(answer({ status: 500, body: {} }));
    server.script.always((request) => (request.method === method ? stored : undefined));
    const { id } = await test.queue.enqueue({ method, url: at(path), body: { n: 1 } });
    await test.clock.advance(5_000);
    if (method === 'PUT') api.edit(path, { n: 1 });
    await test.clock.advance(2 * HOUR_MS);
    expect(server.ledger.entries.filter(({ request }) => request.method === method)).toHaveLength(2);
    expect(await reached(test, id)).toBe(end);
  });

  it('is told to a waiting caller as what it is: nobody knows', async () => {
    const { test, server } = await rest({ idempotency: 'stripe' });
    server.script.next(applyThenReset);
    server.script.always(stored);
    const end = test.queue.call(NOTE).settled();
    await test.clock.advance(HOUR_MS);
    expect(await end).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(server.ledger.entries).toHaveLength(2);
  });
});

describe('a key that is no proof', () => {
  it('is in use: it waits as long as it is asked to, and spends nothing', async () => {
    const { test, server } = await rest({ idempotency: 'ietf' });
    const inUse = refuse({
      status: 409,
      headers: [['retry-after', '20']],
      body: { title: 'Idempotency-Key is already in use' },
    });
    server.script.next(applyThenReset, ...Array.from({ length: 12 }, () => inUse));
    const { id } = await test.queue.enqueue(NOTE);
    await test.clock.advance(3 * MINUTE_MS);
    expect(server.ledger.entries.length).toBeLessThanOrEqual(10);
    await test.clock.advance(5 * MINUTE_MS);
    expect(await reached(test, id)).toBe('succeeded applied');
    expect((await test.queue.get(id))?.progress).toMatchObject({ faults: 1, unresolved: false });
  });

  it('is nearly too old: what was not sent again by then is found out otherwise', async () => {
    const { test, server } = await rest({ idempotency: FIVE_MINUTES });
    test.network.online = false;
    const [late, early] = [await test.queue.enqueue(NOTE), await test.queue.enqueue(NOTE)];
    await test.clock.advance(HOUR_MS);
    server.script.next(applyThenReset, applyThenReset);
    test.network.online = true;
    expect(await test.clock.advanceUntil(() => server.ledger.applied() === 2, 3 * MINUTE_MS)).toBe(true);
    // A zone that cut off both is tried again after a minute and a fifth at most.
    await test.clock.advance(1.5 * MINUTE_MS);
    for (const { id } of [late, early]) expect(await reached(test, id)).toMatch(/^succeeded/);

    server.script.next(applyThenReset);
    const { id } = await test.queue.enqueue(NOTE);
    test.network.online = false;
    await test.clock.advance(8 * MINUTE_MS);
    test.network.online = true;
    await test.clock.advance(3 * MINUTE_MS);
    expect(await reached(test, id)).toBe('held unknown');
    expect(server.ledger.applied()).toBe(3);
  });

  it('is ignored: once an answer says so nothing is sent again for its sake', async () => {
    const { test, server } = await rest({ idempotency: 'ietf' }, { keyHeader: null });
    server.script.next(answer({ status: 201, headers: [['Idempotency-Status', 'ignored']], body: { id: 1 } }));
    const first = await test.queue.enqueue(NOTE);
    await test.clock.advance(1_000);
    expect(await reached(test, first.id)).toBe('succeeded applied');
    server.script.next(applyThenReset);
    const { id } = await test.queue.enqueue(NOTE);
    await test.clock.advance(HOUR_MS);
    expect(await reached(test, id)).toBe('held unknown');
    expect(server.ledger.applied()).toBe(2);
    expect((await test.queue.explain(id)).guarantee).toBe('atMostOnce');
  });

  it('is of a first send that is too long ago for the server: that says nothing of it', async () => {
    const { test, server } = await rest({ idempotency: 'oasis' }, { keyHeader: 'repeatability-request-id' });
    server.script.next(applyThenReset);
    server.script.always(refuse({ status: 412 }));
    const { id } = await test.queue.enqueue(NOTE);
    const guarded = { 'if-match': '"v1"', 'content-type': 'application/merge-patch+json' };
    server.script.next(applyThenReset);
    const patched = await test.queue.enqueue({ method: 'PATCH', url: at('/notes/7'), headers: guarded, body: {} });
    await test.clock.advance(HOUR_MS);
    expect(await reached(test, id)).toBe('held unknown');
    expect(await reached(test, patched.id)).toBe('held unknown');
    expect(arrived(server).filter(([method]) => method === 'POST')).toHaveLength(2);
    expect(arrived(server).filter(([method]) => method === 'PATCH')).toHaveLength(2);
  });
});

describe('what nobody can find out', () => {
  const asks = (verdict: ProbeVerdict, asked: string[]): ProbeFunction => {
    return async ({ request }) => {
      asked.push(request.id);
      return verdict;
    };
  };

  it.each<[onUnknown: OnUnknown, verdict: ProbeVerdict | undefined, hasCaller: boolean, end: string, code: string]>([
    ['hold', undefined, false, 'held unknown, 1 applied', ''],
    ['hold', undefined, true, 'held unknown, 1 applied', 'OUTCOME_UNKNOWN'],
    ['hold', { outcome: 'inconclusive' }, true, 'held unknown, 1 applied', 'OUTCOME_UNKNOWN'],
    ['resend', undefined, false, 'succeeded applied, 2 applied', ''],
    ['resend', undefined, true, 'succeeded applied, 2 applied', 'none'],
    ['resend', { outcome: 'inconclusive' }, false, 'succeeded applied, 2 applied', ''],
    ['resend', { outcome: 'applied' }, true, 'succeeded appliedEarlier, 1 applied', 'none'],
    ['drop', undefined, false, 'dead dropped, 1 applied', ''],
    ['drop', undefined, true, 'dead dropped, 1 applied', 'OUTCOME_UNKNOWN'],
    ['drop', { outcome: 'inconclusive' }, true, 'dead dropped, 1 applied', 'OUTCOME_UNKNOWN'],
    ['drop', { outcome: 'applied' }, false, 'succeeded appliedEarlier, 1 applied', ''],
    ['drop', { outcome: 'notApplied' }, true, 'succeeded applied, 2 applied', 'none'],
  ])('ends as was declared: %s, probed %j, caller %s: %s', async (onUnknown, verdict, hasCaller, end, code) => {
    const asked: string[] = [];
    const { test, server } = await rest(verdict === undefined ? {} : { probe: asks(verdict, asked) });
    server.script.next(applyThenReset);
    const handle = hasCaller ? test.queue.call(NOTE, { onUnknown }) : undefined;
    const settled = handle?.settled();
    const { id } = handle === undefined ? await test.queue.enqueue(NOTE, { onUnknown }) : await handle.accepted();
    await test.clock.advance(HOUR_MS);
    expect(`${await reached(test, id)}, ${server.ledger.applied()} applied`).toBe(end);
    expect(asked).toHaveLength(verdict === undefined ? 0 : verdict.outcome === 'inconclusive' ? 4 : 1);
    if (settled !== undefined) expect((await settled).error?.code ?? 'none').toBe(code);
    const { guarantee } = await test.queue.explain(id);
    expect(guarantee).toBe(onUnknown === 'resend' ? 'atLeastOnce' : 'atMostOnce');
  });
});
