import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { RequestInput, RequestOptions } from '../../src/queue/types/calls.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { at, errorOf, folder, onFile, record, world } from './harness.ts';

const post = (more: object = {}): RequestInput => ({ method: 'POST', url: at('/notes'), body: {}, ...more });

/** Nothing was stored, nothing was sent, nothing waits. */
async function expectUntouched(test: TestQueue): Promise<void> {
  await test.clock.settle();
  expect((await test.queue.find({})).requests).toEqual([]);
  expect(test.server.ledger.entries).toEqual([]);
  expect((await test.queue.health()).waitingCallers).toBe(0);
}

const cyclic: Record<string, unknown> = {};
Object.assign(cyclic, { self: cyclic });

const BAD_REQUESTS: readonly (readonly [what: string, request: unknown, named: string])[] = [
  ['no request at all', undefined, 'request'],
  ['null as request', null, 'request'],
  ['no URL', { method: 'POST' }, 'url'],
  ['an empty URL', post({ url: '' }), 'url'],
  ['a relative URL', post({ url: '/notes' }), 'url'],
  ['a URL without a host', post({ url: 'https://' }), 'url'],
  ['a URL of another protocol', post({ url: 'ftp://api.test/notes' }), 'url'],
  ['a file URL', post({ url: 'file:///etc/passwd' }), 'url'],
  ['credentials in the URL', post({ url: 'https://ann:pw@api.test/notes' }), 'url'],
  ['no method', { url: at('/notes') }, 'method'],
  ['an empty method', post({ method: '' }), 'method'],
  ['a method that is no token', post({ method: 'PO ST' }), 'method'],
  ['a method with a line break', post({ method: 'POST\r\nX: 1' }), 'method'],
  ['CONNECT', post({ method: 'CONNECT', body: undefined }), 'method'],
  ['TRACE', post({ method: 'TRACE', body: undefined }), 'method'],
  ['a GET with a body', post({ method: 'GET' }), 'body'],
  ['a HEAD with a body', post({ method: 'head' }), 'body'],
  ['a header with a line break', post({ headers: { 'x-a': 'a\r\nx-b: c' } }), 'x-a'],
  ['a header with a null byte', post({ headers: { 'x-a': 'a\0' } }), 'x-a'],
  ['a header beyond Latin-1', post({ headers: { 'x-a': 'ключ' } }), 'x-a'],
  ['a header name with a line break', post({ headers: [['x-a\r\nx-b', 'c']] }), 'x-b'],
  ['a header name with a space', post({ headers: { 'x a': 'c' } }), 'x a'],
  ['an empty header name', post({ headers: [['', 'c']] }), 'headers'],
  ['a secret header with a line break', post({ headers: { authorization: 'Bearer a\r\nx: y' } }), 'authorization'],
  ['a header that is an object', post({ headers: { 'x-a': {} } }), 'x-a'],
  ['a header that is null', post({ headers: { 'x-a': null } }), 'x-a'],
  ['headers that are null', post({ headers: null }), 'headers'],
  ['headers that are a number', post({ headers: 5 }), 'headers'],
  ['headers with a name that is no text', post({ headers: [[1, 'x']] }), 'headers'],
  ['headers with a pair that is none', post({ headers: [null] }), 'headers'],
  ['a body that holds itself', post({ body: cyclic }), 'body'],
  ['a BigInt in the body', post({ body: { n: 1n } }), 'body'],
  ['a BigInt as body', post({ body: 1n }), 'body'],
  ['a function as body', post({ body: () => 1 }), 'body'],
  ['a symbol as body', post({ body: Symbol('s') }), 'body'],
  ['a web stream as body', post({ body: new Blob(['x']).stream() }), 'body'],
  ['a Node stream as body', post({ body: Readable.from(['x']) }), 'body'],
  [
    'an async iterable as body',
    post({
      body: (async function* () {
        yield 'x';
      })(),
    }),
    'body',
  ],
  ['a promise as body', post({ body: Promise.resolve('x') }), 'body'],
  [
    'a body that throws when it is turned into JSON',
    post({
      body: {
        toJSON: () => {
          throw new Error('no');
        },
      },
    }),
    'body',
  ],
  ['a body that turns into nothing', post({ body: { toJSON: () => undefined } }), 'body'],
  ['a misspelled field', post({ heders: { 'x-a': '1' } }), 'headers'],
];

const BAD_OPTIONS: readonly (readonly [what: string, options: unknown, named: string])[] = [
  ['an unknown option', { prioriti: 'high' }, 'priority'],
  ['a priority of 0', { priority: 0 }, 'priority'],
  ['a priority of 11', { priority: 11 }, 'priority'],
  ['a priority between two', { priority: 2.5 }, 'priority'],
  ['a priority that is no number', { priority: Number.NaN }, 'priority'],
  ['an unknown priority', { priority: 'urgent' }, 'priority'],
  ['a priority named as a method of objects', { priority: 'toString' }, 'priority'],
  ['a deadline that is no number', { deadline: Number.NaN }, 'deadline'],
  ['a deadline that is no date', { deadline: new Date('tomorrow') }, 'deadline'],
  ['an infinite deadline', { deadline: Number.POSITIVE_INFINITY }, 'deadline'],
  ['a deadline as text', { deadline: '2030-01-01' }, 'deadline'],
  ['a notBefore that is no date', { notBefore: new Date('later') }, 'notBefore'],
  ['an empty key', { key: '' }, 'key'],
  ['a key that is no text', { key: 7 }, 'key'],
  ['an empty lane', { lane: '' }, 'lane'],
  ['an empty principal', { principal: '' }, 'principal'],
  ['an unknown effect', { effect: 'write' }, 'effect'],
  ['an unknown zone', { zone: 'billing' }, 'billing'],
  ['the zone of another origin', { zone: 'https://other.test' }, 'url'],
  ['tags that are one text', { tags: 'import' }, 'tags'],
  ['a tag that is no text', { tags: [7] }, 'tags'],
  ['predecessors that are one text', { after: 'id' }, 'after'],
  ['a predecessor that is no text', { after: [7] }, 'after'],
  ['an unknown predecessor', { after: ['nobody'] }, 'nobody'],
  ['a base that JSON cannot express', { base: { n: 1n } }, 'base'],
  ['a dedupe that is no boolean', { dedupe: 'no' }, 'dedupe'],
  ['a signal that is none', { signal: {} }, 'signal'],
  ['options that are text', 'high', 'options'],
];

describe('a request that cannot be stored', () => {
  it.each(BAD_REQUESTS)('is refused for %s, which the error names', async (_, request, named) => {
    const test = await world();
    const events = record(test.queue, 'request:accepted', 'request:settled');
    const error = await errorOf(test.queue.enqueue(request as RequestInput));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(error.message).toContain(named);
    const told = await errorOf(test.queue.call(request as RequestInput).settled());
    expect(told.code).toBe('REQUEST_INVALID');
    expect(events).toEqual([]);
    await expectUntouched(test);
  });

  it.each(BAD_OPTIONS)('is refused for %s, which is named', async (_, options, named) => {
    const test = await world();
    const error = await errorOf(test.queue.enqueue(post(), options as RequestOptions));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(error.message).toContain(named);
    const many = [{ request: post() }, { request: post(), options: options as RequestOptions }];
    expect((await errorOf(test.queue.enqueueMany(many))).code).toBe('REQUEST_INVALID');
    await expectUntouched(test);
  });

  it('is told everything that is wrong with it at once', async () => {
    const test = await world();
    const options = { priority: 99, deadline: Number.NaN, key: '' };
    const error = await errorOf(test.queue.enqueue(post({ headers: { 'x a': '\n' } }), options));
    const paths = (error.details as { problems: { path: string }[] }).problems.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['priority', 'deadline', 'key', 'headers["x a"]']));
  });

  it('takes options that are undefined as absent', async () => {
    const test = await world();
    const names = ['priority', 'lane', 'effect', 'key', 'notBefore', 'deadline', 'after', 'tags', 'dedupe', 'zone'];
    const { id } = await test.queue.enqueue(post(), Object.fromEntries(names.map((name) => [name, undefined])));
    expect(await test.queue.get(id)).toMatchObject({ priority: 5 });
  });

  it('is refused when its body is larger than maxBytes, also when that shows late', async () => {
    const test = await world({ maxBytes: 100 });
    for (const body of ['x'.repeat(101), new Uint8Array(101), new Blob(['x'.repeat(101)]), 'й'.repeat(51)]) {
      const error = await errorOf(test.queue.enqueue(post({ body })));
      expect(error).toMatchObject({ code: 'REQUEST_INVALID' });
      expect(error.message).toContain('maxBytes');
    }
    await expectUntouched(test);
  });

  it('repeats no secret of what was given', async () => {
    const test = await world();
    const bad = [
      post({ url: '/notes?api_key=hunter2' }),
      post({ url: 'https://ann:hunter2@api.test/' }),
      post({ url: 'ftp://api.test/?token=hunter2' }),
      post({ headers: { authorization: 'Bearer hunter2\n' } }),
      post({ headers: { cookie: 'hunter2\u0000' } }),
    ];
    for (const request of bad) {
      const error = await errorOf(test.queue.enqueue(request));
      expect(`${error.message} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain('hunter2');
    }
  });

  it('makes no unhandled rejection of a handle nobody reads', async () => {
    const test = await world();
    test.queue.call(post({ url: 'nowhere' }));
    test.queue.call(post({ body: new Blob(['x']) }), { priority: 99 });
    await expectUntouched(test);
  });

  it('is reported by the promise of a client call, not thrown', async () => {
    const test = await world();
    const api = new ApiClient({ queue: test.queue, baseUrl: at('') });
    expect((await errorOf(api.post('/notes', cyclic))).code).toBe('REQUEST_INVALID');
    expect((await errorOf(api.get('/notes', { priority: 99 }))).code).toBe('REQUEST_INVALID');
    await expectUntouched(test);
  });
});

describe('a full queue', () => {
  it('refuses by number, says so with an event, and keeps what it has', async () => {
    const test = await world({ maxSize: 2 });
    const events = record(test.queue, 'queue:full');
    test.queue.pause();
    await test.queue.enqueue(post());
    await test.queue.enqueue(post());
    const error = await errorOf(test.queue.enqueue(post()));
    expect(error).toMatchObject({ code: 'QUEUE_FULL', retryable: true });
    expect(events).toHaveLength(1);
    expect(await test.queue.counts()).toMatchObject({ ready: 2 });
    test.queue.resume();
    await test.clock.settle();
    await test.queue.enqueue(post());
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(3);
  });

  it('refuses by bytes', async () => {
    const test = await world({ maxBytes: 1_000 });
    test.queue.pause();
    await test.queue.enqueue(post({ body: 'x'.repeat(600) }));
    expect((await errorOf(test.queue.enqueue(post({ body: 'x'.repeat(600) })))).code).toBe('QUEUE_FULL');
    await test.queue.enqueue(post({ body: 'x'.repeat(100) }));
    expect(await test.queue.counts()).toMatchObject({ ready: 2 });
  });

  it('counts what is held, and not what ended', async () => {
    const test = await world({ maxSize: 1 });
    for (const _ of [1, 2, 3]) {
      await test.queue.enqueue(post());
      await test.clock.settle();
    }
    test.server.script.next({ kind: 'reset', apply: true });
    await test.queue.enqueue(post());
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ held: 1, succeeded: 3 });
    expect((await errorOf(test.queue.enqueue(post()))).code).toBe('QUEUE_FULL');
  });

  it('still takes what joins a request it has', async () => {
    const test = await world({ maxSize: 1 });
    test.queue.pause();
    const first = await test.queue.enqueue(post(), { key: 'k' });
    expect((await test.queue.enqueue(post(), { key: 'k' })).id).toBe(first.id);
  });
});

describe('a queue that does not run', () => {
  it('refuses before start, whatever is asked', async () => {
    const queue = new QueueManager();
    const asks = [
      () => queue.enqueue(post()),
      () => queue.enqueueMany([{ request: post() }]),
      () => queue.call(post()).accepted(),
      () => queue.get('id'),
      () => queue.counts(),
      () => queue.idle(),
      () => queue.deadLetters.list(),
      () => queue.held.list(),
    ];
    for (const ask of asks) {
      const error = await errorOf(ask);
      expect(error.code).toBe('BACKEND_UNAVAILABLE');
      expect(error.message).toContain('start');
    }
    await queue.close();
  });

  it('refuses after close, and says that nothing was accepted', async () => {
    const test = await world();
    const { queue } = test;
    await queue.close();
    const api = () => new ApiClient({ queue, baseUrl: at('') }).get('/notes');
    const asks = [
      () => queue.enqueue(post()),
      () => queue.enqueueMany([{ request: post() }]),
      () => queue.call(post()).settled(),
      async () => api(),
      () => queue.get('id'),
      () => queue.counts(),
      () => queue.idle(),
    ];
    for (const ask of asks) {
      expect(await errorOf(ask)).toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } });
    }
  });
});

describe('a signal that is aborted already', () => {
  it('stores and sends nothing, and is the reason', async () => {
    const test = await world();
    const signal = AbortSignal.abort(new Error('changed my mind'));
    await expect(test.queue.enqueue(post(), { signal })).rejects.toThrow('changed my mind');
    await expect(test.queue.call(post(), { signal }).settled()).rejects.toThrow('changed my mind');
    expect(await errorOf(() => Promise.reject(signal.reason)).catch(String)).toContain('not one of our errors');
    await expectUntouched(test);
  });

  it('stores nothing either when it is aborted in the same turn', async () => {
    const test = await world();
    const caller = new AbortController();
    const settled = test.queue.call(post(), { signal: caller.signal }).settled();
    caller.abort();
    await expect(settled).rejects.toThrow();
    await test.clock.settle();
    expect(test.server.ledger.entries).toEqual([]);
    expect((await test.queue.counts()).ready).toBe(0);
  });
});

describe('a filter', () => {
  it.each([
    ['an unknown field', { zoen: 'x' }, 'zone'],
    ['an unknown state', { state: 'done' }, 'state'],
    ['an unknown reason', { reason: ['apllied'] }, 'applied'],
  ])('is refused for %s', async (_, filter, named) => {
    const test = await world();
    const asks = [
      () => test.queue.find(filter as object),
      () => test.queue.counts(filter as object),
      () => test.queue.idle(filter as object),
      () => test.queue.held.list(filter as object),
      () => test.queue.deadLetters.list(filter as object),
      () => test.queue.deadLetters.purge(filter as object),
      () => test.queue.deadLetters.replay(filter as object),
    ];
    for (const ask of asks) {
      const error = await errorOf(ask);
      expect(error.code).toBe('REQUEST_INVALID');
      expect(error.message).toContain(named);
    }
  });
});

describe('on a file', () => {
  it('stores nothing of what is refused', async () => {
    const queue = await onFile(`${await folder()}/q.db`);
    const bad = [
      post({ url: '/x' }),
      post({ body: cyclic }),
      post({ headers: { a: '\r\n' } }),
      post({ method: 'a b' }),
    ];
    for (const request of bad) expect((await errorOf(queue.enqueue(request))).code).toBe('REQUEST_INVALID');
    expect((await errorOf(queue.enqueue(post(), { lain: 'x' } as object))).message).toContain('lane');
    expect((await queue.find({})).requests).toEqual([]);
  });
});
