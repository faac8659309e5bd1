import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QuickSetup } from '../../src/QuickSetup.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { park, refuse, unavailable } from '../../src/testing/serverSteps.ts';

let folder: string;
let server: ScriptedServer;
const queues: QueueManager[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-shared-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  await Promise.all(queues.splice(0).map((queue) => queue.close({ deadlineMs: 500 })));
  await server.close();
  rmSync(folder, { recursive: true });
});

/** A queue with a connection of its own to the one file, as another process would have. */
async function open(options: Parameters<typeof QuickSetup.sqlite>[1] = {}): Promise<QueueManager> {
  const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), {
    retry: { baseDelayMs: 20, maxDelayMs: 200 },
    zones: { api: { origins: [server.origin], idempotency: 'stripe' } },
    ...options,
  });
  queues.push(queue);
  return queue;
}

function send(queue: QueueManager, body: unknown, lane?: string, headers?: Record<string, string>) {
  return queue.call({ method: 'POST', url: `${server.origin}/notes`, body, headers }, { lane }).settled();
}

describe('two queues on one file', () => {
  it('share the work, hold lanes across both, and tell each end once', async () => {
    const [a, b] = [await open(), await open()];
    const ended: string[] = [];
    for (const queue of [a, b]) queue.on('request:settled', ({ requestId }) => ended.push(requestId));
    const dispatched = [0, 0];
    [a, b].forEach((queue, which) => {
      queue.on('request:dispatched', () => {
        dispatched[which] = (dispatched[which] ?? 0) + 1;
      });
    });
    const order: number[][] = Array.from({ length: 10 }, () => []);
    let n = 0;
    // Accepted by one or the other in turn; the order of a lane is the order of acceptance.
    for (let round = 0; round < 20; round += 1) {
      const own = Array.from({ length: 10 }, (_, lane) => ({ lane, n: n + lane }));
      n += 10;
      const queue = round % 2 === 0 ? a : b;
      await queue.enqueueMany(
        own.map((one) => ({
          request: { method: 'POST', url: `${server.origin}/notes`, body: { n: one.n } },
          options: { lane: `l${one.lane}` },
        })),
      );
      for (const one of own) order[one.lane]?.push(one.n);
    }
    await server.ledger.until((ledger) => ledger.applied() === 200);
    await Promise.all([a.idle(), b.idle()]);
    const numbers = server.ledger.entries.map((entry) => (JSON.parse(entry.request.body) as { n: number }).n);
    expect(numbers.length).toBe(200);
    for (const [lane, expected] of order.entries()) {
      expect(numbers.filter((one) => one % 10 === lane)).toEqual(expected);
    }
    expect(ended.length).toBe(200);
    expect(new Set(ended).size).toBe(200);
    expect(await a.counts()).toMatchObject({ succeeded: 200, held: 0, dead: 0 });
  });

  it('give a caller of one the answer of what the other sent', async () => {
    const a = await open({ dispatch: false });
    const b = await open();
    const answers = Promise.all(Array.from({ length: 20 }, (_, n) => send(a, { n })));
    for (const settled of await answers) {
      expect(settled).toMatchObject({ state: 'succeeded', response: { status: 201 } });
    }
    expect(server.ledger.applied()).toBe(20);
    expect((await b.counts()).succeeded).toBe(20);
  });

  it('tell a caller of one what the other could not do', async () => {
    server.script.always(refuse({ status: 422, body: { error: 'no' } }));
    const a = await open({ dispatch: false });
    await open();
    expect(await send(a, {})).toMatchObject({ state: 'dead', reason: 'rejected' });
  });

  it('hold no live caller’s request for want of a credential while both work', async () => {
    // One call in five fails: by chance that may be as many in a row as open a breaker.
    const zones = { api: { origins: [server.origin], idempotency: 'stripe', breaker: false } } as const;
    const [a, b] = [await open({ zones }), await open({ zones })];
    const held: string[] = [];
    for (const queue of [a, b]) queue.on('request:held', ({ reason }) => held.push(reason));
    server.script.always((request) => (request.n % 5 === 0 ? unavailable() : undefined));
    const calls = Array.from({ length: 60 }, (_, n) =>
      send(n % 2 === 0 ? a : b, { n }, `l${n % 6}`, { authorization: n % 2 === 0 ? 'Bearer anna' : 'Bearer bert' }),
    );
    for (const settled of await Promise.all(calls)) expect(settled.state).toBe('succeeded');
    expect(held).toEqual([]);
    for (const { request } of server.ledger.entries) {
      const { n } = JSON.parse(request.body) as { n: number };
      const token = request.headers.find(([name]) => name === 'authorization')?.[1];
      expect(token).toBe(n % 2 === 0 ? 'Bearer anna' : 'Bearer bert');
    }
  });

  it('do not resend a refused request for every piece of work of the other', async () => {
    const [a, b] = [await open(), await open()];
    server.script.always((request) =>
      request.headers.some(([name, value]) => name === 'authorization' && value === 'Bearer bad')
        ? refuse({ status: 401, body: {} })
        : undefined,
    );
    const isHeld = new Promise<void>((resolve) => {
      a.on('request:held', () => resolve());
    });
    await a.enqueue({
      method: 'POST',
      url: `${server.origin}/refused`,
      headers: { authorization: 'Bearer bad' },
      body: {},
    });
    await isHeld;
    for (let n = 0; n < 10; n += 1) {
      await send(b, { n });
      await send(a, { n }, undefined, { authorization: 'Bearer good' });
    }
    await a.idle();
    expect(server.ledger.entries.filter((entry) => entry.resource === '/refused').length).toBe(1);
    expect(await a.counts()).toMatchObject({ held: 1 });
  });

  it('go on with what the one that closed has left', async () => {
    const [a, b] = [await open(), await open()];
    server.script.next(park);
    const left = await a.enqueue({ method: 'POST', url: `${server.origin}/notes`, body: { n: 1 } }, { lane: 'one' });
    await server.ledger.until((ledger) => ledger.entries.length === 1);
    await a.enqueue({ method: 'POST', url: `${server.origin}/notes`, body: { n: 2 } }, { lane: 'one' });
    await a.close({ deadlineMs: 50 });
    await server.ledger.until((ledger) => ledger.entries.length === 3);
    await b.idle();
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed', 'applied']);
    expect(await b.get(left.id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a queue reopened on its file', () => {
  it('strands nothing in the sender of the process that closed', async () => {
    await server.stop();
    const a = await open();
    const live = { authorization: 'Bearer anna' };
    const write = await a.enqueue({ method: 'POST', url: `${server.origin}/notes`, headers: live, body: {} });
    const read = a.call({ method: 'GET', url: `${server.origin}/me`, headers: live });
    const told = read.settled().catch((error: { code?: string }) => error.code);
    const waiting = new Promise<void>((resolve) => {
      a.on('request:retrying', () => resolve());
    });
    await waiting;
    await a.close();
    expect(await told).toBe('QUEUE_CLOSED');
    await server.start();
    const b = await open();
    await b.idle();
    expect(await b.get(write.id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(await b.counts()).toMatchObject({ ready: 0, scheduled: 0, blocked: 0, sending: 0, unknown: 0, held: 1 });
    expect(await send(b, {}, undefined, live)).toMatchObject({ state: 'succeeded' });
    await server.ledger.until((ledger) => ledger.applied() === 2);
    await b.idle();
    expect(await b.get(write.id)).toMatchObject({ state: 'succeeded' });
    expect(server.ledger.entries.some((entry) => entry.request.method === 'GET')).toBe(false);
  });
});
