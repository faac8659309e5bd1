import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { at, folder, headerIn, onFile, realServer, world } from './harness.ts';

const SECRET = 'hunter2-5f3a';

function received(test: TestQueue): ReceivedRequest {
  return test.server.ledger.entries.at(-1)?.request as ReceivedRequest;
}

describe('secrets', () => {
  it('are nowhere in the bytes of the database, while they wait, once sent, and after a restart', async () => {
    const server = await realServer({
      respond: () => ({ status: 200, headers: [['set-cookie', `sid=${SECRET}-cookie`]], body: { ok: true } }),
    });
    const dir = await folder();
    const path = join(dir, 'q.db');
    const queue = await onFile(path, { zones: { api: { origins: [server.origin], secretHeaders: ['x-own'] } } });
    const headers = {
      Authorization: `Bearer ${SECRET}`,
      Cookie: `sid=${SECRET}`,
      'Proxy-Authorization': SECRET,
      'X-Api-Key': SECRET,
      'X-Own': SECRET,
      'x-goog-signature': SECRET,
    };
    const url = `${server.origin}/a?api_key=${SECRET}&b=1&access_token=${SECRET}&%73ecret=${SECRET}&x-own=${SECRET}`;
    const calls = ['POST', 'PUT', 'GET'].map((method) => ({
      method,
      url,
      headers,
      body: method === 'GET' ? null : 'x',
    }));
    queue.pause();
    const waiting = await Promise.all(calls.map((call) => queue.enqueue(call)));
    expect(await bytesOf(dir)).toSatisfy((all: Buffer) => all.includes('/a?b=1') && !all.includes(SECRET));
    queue.resume();
    await queue.idle();
    for (const one of waiting) expect(await one.settled()).toMatchObject({ state: 'succeeded' });
    expect(await bytesOf(dir)).toSatisfy((all: Buffer) => !all.includes(SECRET));
    await queue.close();
    expect(await bytesOf(dir)).toSatisfy((all: Buffer) => !all.includes(SECRET));
    for (const { request } of server.ledger.entries) {
      expect(request.path).toContain(`api_key=${SECRET}`);
      expect(request.path).toContain(`x-own=${SECRET}`);
      for (const name of Object.keys(headers)) expect(headerIn(request, name.toLowerCase())).toContain(SECRET);
    }
  });

  it('are in no event, record, error, explanation and log', async () => {
    const seen: unknown[] = [];
    const log = (message: string, fields?: unknown) => void seen.push(message, fields);
    const test = await world({ logger: { debug: log, info: log, warn: log, error: log } });
    for (const name of ['request:accepted', 'request:dispatched', 'request:retrying', 'request:settled'] as const) {
      test.queue.on(name, (event) => void seen.push(event));
    }
    test.server.script.next({ kind: 'reset', apply: false }, { kind: 'answer', apply: false, answer: { status: 400 } });
    const headers = { authorization: `Bearer ${SECRET}` };
    const handle = test.queue.call({ method: 'PUT', url: at(`/a?token=${SECRET}`), body: 'x', headers });
    const settled = handle.settled();
    await test.clock.advance(60_000);
    const { error, id } = await settled;
    seen.push(error?.message, error, await test.queue.get(id), await test.queue.explain(id), await test.queue.health());
    expect(JSON.stringify(seen)).not.toContain(SECRET);
  });

  it('of an answer are given to the waiting caller and not stored', async () => {
    const test = await world();
    const answer = {
      status: 200,
      headers: [
        ['set-cookie', `sid=${SECRET}`],
        ['x-b', 'c'],
      ] as const,
      body: {},
    };
    test.server.script.next({ kind: 'answer', apply: true, answer });
    const handle = test.queue.call({ method: 'POST', url: at('/login'), body: {} });
    const live = await handle.settled();
    expect(live.response?.headers).toContainEqual(['set-cookie', `sid=${SECRET}`]);
    const stored = await test.queue.get(live.id);
    expect(stored?.result?.headers).toEqual([
      ['x-b', 'c'],
      ['content-type', 'application/json'],
    ]);
  });
});

describe('headers', () => {
  it('that belong to the connection are dropped, with those that Connection names', async () => {
    const test = await world();
    const headers = {
      connection: 'close, X-Hop',
      'x-hop': '1',
      'keep-alive': '5',
      te: 'trailers',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      host: 'evil.test',
      'content-length': '999',
      'x-kept': '2',
    };
    const { id } = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x', headers });
    await test.clock.settle();
    expect((await test.queue.get(id))?.content.headers).toEqual([
      ['x-kept', '2'],
      ['content-type', 'text/plain;charset=UTF-8'],
    ]);
    expect(headerIn(received(test), 'x-hop')).toBeUndefined();
    expect(headerIn(received(test), 'host')).not.toBe('evil.test');
  });

  it('that change on every attempt are sent while their process lives, and not stored', async () => {
    const test = await world();
    const headers = { traceparent: '00-1', 'x-request-id': 'r1', 'user-agent': 'sdk/1' };
    const { id } = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x', headers });
    await test.clock.settle();
    expect(headerIn(received(test), 'traceparent')).toBe('00-1');
    expect(received(test).headers.filter(([name]) => name === 'user-agent')).toEqual([['user-agent', 'sdk/1']]);
    expect((await test.queue.get(id))?.content.headers).toEqual([['content-type', 'text/plain;charset=UTF-8']]);
  });

  it('given several times are kept several times, in order', async () => {
    const test = await world();
    await test.queue.enqueue({ method: 'GET', url: at('/a'), headers: { 'X-Many': ['1', '2'], 'x-none': undefined } });
    await test.clock.settle();
    expect(received(test).headers.filter(([name]) => name.startsWith('x-'))).toEqual([
      ['x-many', '1'],
      ['x-many', '2'],
    ]);
  });

  it('may be given as pairs, Headers or a record', async () => {
    const test = await world();
    for (const headers of [
      [['X-A', '1']] as const,
      new Headers({ 'X-A': '1' }),
      { 'X-A': '1' },
      new Map([['X-A', '1']]),
    ]) {
      await test.queue.enqueue({ method: 'POST', url: at('/a'), headers });
    }
    await test.clock.settle();
    expect(test.server.ledger.entries.map(({ request }) => headerIn(request, 'x-a'))).toEqual(Array(4).fill('1'));
  });
});

describe('the key for the server', () => {
  const zones = (idempotency: 'ietf' | 'stripe' | { header: string; quoting?: 'string' } | undefined) => ({
    zones: { api: { origins: [at('')], idempotency } },
  });

  async function sentKey(idempotency: Parameters<typeof zones>[0], request: object, options = {}) {
    const test = await world(zones(idempotency));
    const one = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x', ...request }, options);
    await test.clock.settle();
    return { id: one.id, keys: received(test).headers.filter(([name]) => name.includes('key')) };
  }

  it('is not sent where none is declared', async () => {
    expect((await sentKey(undefined, {})).keys).toEqual([]);
    expect((await sentKey(undefined, {}, { key: 'k' })).keys).toEqual([]);
  });

  it('is sent bare or quoted, as declared', async () => {
    const stripe = await sentKey('stripe', {});
    expect(stripe.keys).toEqual([['idempotency-key', stripe.id]]);
    const ietf = await sentKey('ietf', {}, { key: 'a"b\\c' });
    expect(ietf.keys).toEqual([['idempotency-key', '"a\\"b\\\\c"']]);
    const own = await sentKey({ header: 'X-Idem-Key' }, {}, { key: 'k' });
    expect(own.keys).toEqual([['x-idem-key', 'k']]);
  });

  it('is sent as the caller wrote it, once', async () => {
    const headers = { 'Idempotency-Key': 'mine' };
    for (const declared of [undefined, 'ietf', 'stripe'] as const) {
      expect((await sentKey(declared, { headers })).keys).toEqual([['idempotency-key', 'mine']]);
    }
  });

  it('is not sent with a read, and is the same on every attempt', async () => {
    expect((await sentKey('stripe', { method: 'GET', body: undefined })).keys).toEqual([]);
    const test = await world(zones('stripe'));
    test.server.script.next({ kind: 'reset', apply: true }, { kind: 'reset', apply: true });
    await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x' });
    await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 1, 600_000);
    expect(new Set(test.server.ledger.entries.map(({ key }) => key)).size).toBe(1);
    expect(test.server.ledger.entries.map(({ outcome }) => outcome)).toEqual(['applied', 'replayed', 'replayed']);
  });

  it('named like a secret is kept, stored and sent once', async () => {
    const test = await world(zones({ header: 'X-Request-Token' }));
    test.server.script.next(park);
    const headers = { 'x-request-token': 'mine' };
    const { id } = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: 'x', headers });
    await test.clock.settle();
    expect(received(test).headers.filter(([name]) => name === 'x-request-token')).toEqual([
      ['x-request-token', 'mine'],
    ]);
    expect(await test.queue.get(id)).toMatchObject({ principal: 'anonymous', key: 'mine' });
  });
});

async function bytesOf(dir: string): Promise<Buffer> {
  const names = await readdir(dir);
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
}
