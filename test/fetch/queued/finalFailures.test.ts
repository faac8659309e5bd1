import { describe, expect, it } from 'vitest';
import { answer, applyThenReset, refuse, unavailable } from '../../../src/testing/serverSteps.ts';
import { at, world } from '../../core/harness.ts';
import { failure, soon } from './support/looks.ts';
import { open, serve } from './support/queues.ts';

const POST = { method: 'POST', body: 'a' } as const;

function hints({ headers }: Response): (string | null)[] {
  return [headers.get('x-should-retry'), headers.get('stripe-should-retry')];
}

describe('a final failure', () => {
  it.each([500, 409, 425, 501, 505])('of %i tells SDKs to leave it at that', async (status) => {
    const server = await serve();
    server.script.always(refuse({ status, body: { error: 'no' } }));
    const queue = await open('memory', { maxAttempts: 2 });
    const response = await soon(queue.fetch(server.origin, POST), 'the answer');
    expect(response.status).toBe(status);
    expect(hints(response)).toEqual(['false', 'false']);
    expect(await response.json()).toEqual({ error: 'no' });
  });

  it.each([500, 408])('of a read that failed too often with %i does too', async (status) => {
    const server = await serve();
    server.script.always(refuse({ status, body: { error: 'no' } }));
    const queue = await open('memory', { maxAttempts: 3 });
    const response = await soon(queue.fetch(server.origin), 'the answer');
    expect(response.status).toBe(status);
    expect(hints(response)).toEqual(['false', 'false']);
    expect(await response.json()).toEqual({ error: 'no' });
    expect(server.ledger.entries.length).toBeGreaterThan(1);
  });

  it.each([429, 503, 502])('of a read that met %i for too long does too', async (status) => {
    const test = await world();
    test.server.script.always(refuse({ status, body: { error: 'no' } }));
    let response: Response | undefined;
    const call = test.queue.fetch(at('/notes')).then((given) => {
      response = given;
    });
    expect(await test.clock.advanceUntil(() => response !== undefined, 10 * 60_000)).toBe(true);
    await call;
    expect([response?.status, ...hints(response as Response)]).toEqual([status, 'false', 'false']);
    expect(await response?.json()).toEqual({ error: 'no' });
  });

  it('bears them also for those who joined it', async () => {
    const server = await serve();
    server.script.always(refuse({ status: 500, body: { error: 'no' } }));
    const queue = await open('memory', { maxAttempts: 2 });
    const both = await Promise.all([queue.fetch(server.origin), queue.fetch(server.origin)]);
    expect(both.map(hints)).toEqual([
      ['false', 'false'],
      ['false', 'false'],
    ]);
  });

  it('says so in place of what the server says of retries', async () => {
    const server = await serve();
    const headers = [
      ['x-should-retry', 'true'],
      ['stripe-should-retry', 'true'],
    ] as const;
    server.script.always(refuse({ status: 500, headers, body: { error: 'no' } }));
    const queue = await open('memory', { maxAttempts: 2 });
    expect(hints(await queue.fetch(server.origin, POST))).toEqual(['false', 'false']);
    const joined = await Promise.all([queue.fetch(server.origin), queue.fetch(server.origin)]);
    expect(joined.map(hints)).toEqual([
      ['false', 'false'],
      ['false', 'false'],
    ]);
  });

  it.each([200, 301, 400, 401, 403, 404, 422])('is none of %i', async (status) => {
    const server = await serve();
    server.script.always(refuse({ status, body: {} }));
    const queue = await open('memory');
    expect(hints(await queue.fetch(server.origin, POST))).toEqual([null, null]);
  });

  it('bears nothing of ours where that is not wanted, or past the queue', async () => {
    const server = await serve();
    server.script.always(refuse({ status: 500, body: {} }));
    const queue = await open('memory');
    const off = { ...POST, queue: { noRetryHeaders: false } };
    expect(hints(await queue.fetch(server.origin, off))).toEqual([null, null]);
    const past = { ...POST, queue: { mode: 'bypass' } } as const;
    expect(hints(await queue.fetch(server.origin, past))).toEqual([null, null]);
    const bound = queue.with({ noRetryHeaders: false });
    expect(hints(await bound.fetch(server.origin, POST))).toEqual([null, null]);
  });
});

describe('statuses that the platform would try again by itself', () => {
  it.each(['GET', 'POST'])('421 is given to the caller of a %s in the end', async (method) => {
    const server = await serve();
    server.script.always(refuse({ status: 421, body: { error: 'elsewhere' } }));
    const queue = await open('memory');
    const body = method === 'POST' ? 'a' : null;
    const response = await soon(queue.fetch(server.origin, { method, body }), 'the answer', 4_000);
    expect([response.status, await response.json()]).toEqual([421, { error: 'elsewhere' }]);
    expect(server.ledger.entries.length).toBe(2);
  });

  it('401 and 407 are given to the caller', async () => {
    const server = await serve();
    const queue = await open('memory', { maxAttempts: 2 });
    const headers = [['www-authenticate', 'Basic realm="a"']] as const;
    server.script.next(refuse({ status: 401, headers, body: { error: 'who' } }));
    const response = await queue.fetch(server.origin, POST);
    expect([response.status, await response.json()]).toEqual([401, { error: 'who' }]);
  });
});

describe('a request that is held', () => {
  it('rejects its caller, though the last attempt was answered', async () => {
    const server = await serve();
    const zones = { api: { origins: [server.origin], idempotency: 'ietf' } } as const;
    const queue = await open('memory', { zones });
    // Applied and not answered; a later refusal says nothing of that.
    server.script.next(applyThenReset, refuse({ status: 403, body: { error: 'not any more' } }));
    const { ours } = await failure(queue.fetch(server.origin, POST));
    expect(ours?.code).toBe('OUTCOME_UNKNOWN');
    expect(await queue.counts()).toMatchObject({ held: 1 });
  });

  it('rejects its caller while it waits for a credential', async () => {
    const server = await serve();
    const auth = { credential: () => ({ headers: [['authorization', 'Bearer old']] as const, version: 1 }) };
    const queue = await open('memory', { zones: { api: { origins: [server.origin], auth } } });
    server.script.next(refuse({ status: 401, body: { error: 'who' } }));
    const { ours } = await failure(queue.fetch(server.origin, POST));
    expect(ours?.code).toBe('AUTH_REQUIRED');
    expect(await queue.counts()).toMatchObject({ held: 1 });
  });
});

it('what was retried inside is not told', async () => {
  const server = await serve();
  server.script.next(unavailable(), refuse({ status: 500, body: {} }), answer({ status: 200, body: 'fine' }));
  const queue = await open('memory');
  const response = await queue.fetch(server.origin);
  expect([response.status, await response.text(), ...hints(response)]).toEqual([200, 'fine', null, null]);
});
