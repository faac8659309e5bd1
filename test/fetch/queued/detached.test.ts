import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import type { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { applyThenReset, park } from '../../../src/testing/serverSteps.ts';
import { failure, rejection, soon, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const SDK = { authorization: 'Bearer sk-test-51', 'content-type': 'application/json' };

/** Makes a call that is aborted once it has arrived, as by an SDK's own timeout. */
async function abandon(queue: QueueManager, server: ScriptedServer, init: RequestInit): Promise<void> {
  server.script.next(park);
  const abort = new AbortController();
  const before = server.parked;
  const call = queue.fetch(`${server.origin}/charges`, { ...init, signal: abort.signal });
  await until(() => server.parked === before + 1, 'it arrives');
  const reason = new Error('timed out');
  abort.abort(reason);
  expect(await rejection(call)).toBe(reason);
}

/** What was set off has had its turns, in the store too. */
async function breath(queue: QueueManager): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    await queue.counts();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

function charge(headers: Record<string, string> = {}, amount = 7): RequestInit {
  return { method: 'POST', headers: { ...SDK, ...headers }, body: JSON.stringify({ amount, to: 'b' }) };
}

function form(note: string): RequestInit {
  const body = new FormData();
  body.append('note', note);
  body.append('file', new Blob(['bytes\0'], { type: 'application/pdf' }), 'a.pdf');
  return { method: 'POST', headers: { authorization: SDK.authorization }, body };
}

describe.each(STORES)('a write that its caller left, on %s', (store) => {
  const retried = async (
    first: () => RequestInit,
    second: () => RequestInit,
    isAtOnce = false,
  ): Promise<[Response, ScriptedServer]> => {
    const server = await serve({ keyHeader: null });
    const queue = await open(store);
    await abandon(queue, server, first());
    if (!isAtOnce) await breath(queue);
    const retry = queue.fetch(`${server.origin}/charges`, second());
    setImmediate(() => server.release());
    const response = await soon(retry, 'the answer to the retry');
    await until(async () => (await queue.counts()).sending === 0, 'all is done');
    return [response, server];
  };

  it('is joined by the same call made at once', async () => {
    const [response, server] = await retried(charge, charge, true);
    expect([response.status, await response.json()]).toEqual([201, { n: 1, method: 'POST', path: '/charges' }]);
    expect(response.url).toBe(`${server.origin}/charges`);
    expect(server.ledger.applied('/charges')).toBe(1);
  });

  it('is joined by the same call made later, also once it has ended', async () => {
    const server = await serve({ keyHeader: null });
    const queue = await open(store);
    await abandon(queue, server, charge());
    await until(async () => (await queue.counts()).sending === 1, 'it goes on');
    await breath(queue);
    server.release();
    await until(async () => (await queue.counts()).succeeded === 1, 'it ends');
    const response = await soon(queue.fetch(`${server.origin}/charges`, charge()), 'the answer to the retry');
    expect([response.status, await response.json()]).toEqual([201, { n: 1, method: 'POST', path: '/charges' }]);
    expect(server.ledger.applied('/charges')).toBe(1);
    // Once joined, the same call is a new intent.
    await queue.fetch(`${server.origin}/charges`, charge());
    expect(server.ledger.applied('/charges')).toBe(2);
  });

  it('is joined whatever the headers that SDKs change', async () => {
    const headers = (n: number) => ({
      'x-stainless-retry-count': `${n}`,
      'x-stainless-timeout': `${60 + n}`,
      'x-stripe-client-telemetry': `{"n":${n}}`,
      'amz-sdk-request': `attempt=${n}; max=3`,
      'amz-sdk-invocation-id': 'of-both',
      'x-request-id': `r${n}`,
      traceparent: `00-${n}`,
      'retry-attempt': `${n}`,
      'user-agent': `sdk/${n}`,
    });
    const [response, server] = await retried(
      () => charge(headers(0)),
      () => charge(headers(1)),
    );
    expect(response.status).toBe(201);
    expect(server.ledger.applied('/charges')).toBe(1);
  });

  it('is joined by the same form, whose boundary is another', async () => {
    const [response, server] = await retried(
      () => form('a'),
      () => form('a'),
    );
    expect(response.status).toBe(201);
    expect(server.ledger.applied('/charges')).toBe(1);
  });

  it('is joined by a call that is aborted in turn, and by the one after that', async () => {
    const server = await serve({ keyHeader: null });
    const queue = await open(store);
    await abandon(queue, server, charge());
    await breath(queue);
    const abort = new AbortController();
    const second = queue.fetch(`${server.origin}/charges`, { ...charge(), signal: abort.signal });
    await until(async () => (await queue.health()).waitingCallers === 1, 'the second one waits');
    await breath(queue);
    abort.abort(new Error('again'));
    await rejection(second);
    await breath(queue);
    const third = queue.fetch(`${server.origin}/charges`, charge());
    setImmediate(() => server.release());
    expect(await (await soon(third, 'the third')).json()).toMatchObject({ n: 1 });
    expect(server.ledger.applied('/charges')).toBe(1);
  });

  it('is not joined by another body, another form or another credential', async () => {
    const cases: [() => RequestInit, () => RequestInit][] = [
      [charge, () => charge({}, 8)],
      [() => form('a'), () => form('b')],
      [charge, () => charge({ authorization: 'Bearer sk-other' })],
      [charge, () => charge({ 'x-account': 'b' })],
      [() => charge({ 'amz-sdk-invocation-id': 'a' }), () => charge({ 'amz-sdk-invocation-id': 'b' })],
    ];
    for (const [first, second] of cases) {
      const [response, server] = await retried(first, second);
      expect(response.status).toBe(201);
      expect(server.ledger.applied('/charges')).toBe(2);
    }
  });

  it('is known by its key, whatever becomes of its caller', async () => {
    const keyed = () => charge({ 'idempotency-key': 'stripe-node-retry-1' });
    const [response, server] = await retried(keyed, keyed);
    expect(await response.json()).toMatchObject({ n: 1 });
    expect(server.ledger.applied('/charges')).toBe(1);
    const keyedForm = (): RequestInit => ({ ...form('a'), headers: { 'idempotency-key': 'k' } });
    const [, other] = await retried(keyedForm, keyedForm);
    expect(other.ledger.applied('/charges')).toBe(1);
  });

  it('gives a retry a large answer too', async () => {
    const body = 'x'.repeat(300_000);
    const server = await serve({ keyHeader: null, respond: () => ({ status: 201, body }) });
    const queue = await open(store);
    await abandon(queue, server, charge());
    await breath(queue);
    const retry = queue.fetch(`${server.origin}/charges`, charge());
    await until(async () => (await queue.health()).waitingCallers === 1, 'the retry waits');
    await breath(queue);
    server.release();
    expect((await (await soon(retry, 'the answer')).text()).length).toBe(body.length);
    expect(server.ledger.applied('/charges')).toBe(1);
  });
});

describe.each(STORES)('a write whose answer was lost, on %s', (store) => {
  it('is sent once, and every retry is told that nobody knows', async () => {
    const server = await serve({ keyHeader: null });
    server.script.next(applyThenReset);
    const queue = await open(store);
    for (let n = 0; n < 3; n += 1) {
      const { ours, error } = await failure(
        queue.fetch(`${server.origin}/charges`, charge({ 'retry-attempt': `${n}` })),
      );
      expect(ours?.code, `call ${n}`).toBe('OUTCOME_UNKNOWN');
      expect(error.message).toBe('fetch failed');
      if (n === 0) expect(error.cause.code).toMatch(/^(?:ECONNRESET|UND_ERR_SOCKET)$/);
    }
    expect(server.ledger.entries.length).toBe(1);
    expect(await queue.counts()).toMatchObject({ held: 1 });
    // Another intent is another request.
    expect((await queue.fetch(`${server.origin}/charges`, charge({}, 8))).status).toBe(201);
  });

  it('is sent again with its key, by the queue and then by nobody', async () => {
    const server = await serve();
    server.script.next(applyThenReset);
    const queue = await open(store);
    const keyed = charge({ 'idempotency-key': 'k-1' });
    for (let n = 0; n < 3; n += 1) {
      const response = await soon(queue.fetch(`${server.origin}/charges`, keyed), `call ${n}`);
      expect([response.status, await response.json()]).toMatchObject([201, { n: 1 }]);
    }
    expect(server.ledger.entries.map(({ outcome }) => outcome)).toEqual(['applied', 'replayed']);
  });
});
