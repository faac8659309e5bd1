import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import { ApiClient } from '../../../src/index.ts';
import type { FetchOptions, QueuedRequestInit } from '../../../src/queue/types/fetch.ts';
import { detailsOf, failure, stored } from './support/looks.ts';
import { open, serve } from './support/queues.ts';

const PRIORITIES = { init: 10, with: 9, run: 8, rule: 7, plain: 5 } as const;

/** Priorities in the store, in the order of acceptance. */
async function priorities(queue: QueueManager): Promise<number[]> {
  return (await queue.find({})).requests.map(({ priority }) => priority);
}

async function tags(queue: QueueManager): Promise<(readonly string[])[]> {
  return (await queue.find({})).requests.map((request) => request.tags);
}

function post(options?: FetchOptions): QueuedRequestInit {
  return { method: 'POST', body: 'a', ...(options !== undefined && { queue: options }) };
}

describe('options of a request', () => {
  it('are the nearest of call, bound fetch, scope and rule', async () => {
    const server = await serve();
    const url = `${server.origin}/notes`;
    const rules = [{ path: '/notes', priority: PRIORITIES.rule }];
    const queue = await open('memory', { zones: { api: { origins: [server.origin], rules } } });
    const bound = queue.with({ priority: PRIORITIES.with });
    const scope = queue.with({ priority: PRIORITIES.run });

    await scope.run(() => bound.fetch(url, post({ priority: PRIORITIES.init })));
    await scope.run(() => bound.fetch(url, post()));
    await scope.run(() => queue.fetch(url, post()));
    await queue.fetch(url, post());
    await queue.fetch(`${server.origin}/other`, post());
    expect(await priorities(queue)).toEqual([10, 9, 8, 7, 5]);
  });

  it('are left as they are by what is undefined', async () => {
    const server = await serve();
    const url = `${server.origin}/notes`;
    const rules = [{ path: '/notes', priority: PRIORITIES.rule }];
    const queue = await open('memory', { zones: { api: { origins: [server.origin], rules } } });
    const nothing = { priority: undefined, tags: undefined, lane: undefined, key: undefined, respond: undefined };

    await queue.with({ priority: PRIORITIES.with }).fetch(url, post(nothing));
    await queue.with({ priority: PRIORITIES.run }).run(() => queue.with(nothing).fetch(url, post()));
    await queue.fetch(url, { ...post(), queue: undefined });
    await queue.with(nothing).run(() => queue.fetch(url, post()));
    expect(await priorities(queue)).toEqual([9, 8, 7, 7]);
  });

  it('nest, and a nested scope leaves open what it does not say', async () => {
    const server = await serve();
    const queue = await open('memory');
    const url = `${server.origin}/notes`;
    const outer = queue.with({ priority: 'high', tags: ['outer'] });
    await outer.run(async () => {
      await queue.with({ tags: ['inner'] }).run(() => queue.fetch(url, post()));
      await queue.with({ priority: undefined, tags: undefined }).run(() => queue.fetch(url, post()));
      await queue.fetch(url, post({ priority: 'low' }));
    });
    await queue.fetch(url, post());
    expect(await priorities(queue)).toEqual([8, 8, 3, 5]);
    expect(await tags(queue)).toEqual([['inner'], ['outer'], ['outer'], []]);
  });

  it('hold for every way in within a scope', async () => {
    const server = await serve();
    const queue = await open('memory');
    const api = new ApiClient({ queue, baseUrl: server.origin });
    const url = `${server.origin}/notes`;
    await queue.with({ tags: ['scope'], mode: 'bypass', respond: 'accepted' }).run(async () => {
      await api.post('/notes', { a: 1 });
      await (await queue.enqueue({ method: 'POST', url, body: 'a' })).result();
      await (await queue.enqueue({ method: 'POST', url, body: 'b' }, { tags: ['own'] })).result();
      const [many] = await queue.enqueueMany([{ request: { method: 'POST', url, body: 'c' } }]);
      await many?.result();
    });
    expect(await tags(queue)).toEqual([['scope'], ['scope'], ['own'], ['scope']]);
  });

  it('reach calls made after an await, and end with the scope', async () => {
    const server = await serve();
    const queue = await open('memory');
    const url = `${server.origin}/notes`;
    const one = queue.with({ tags: ['one'] }).run(async () => {
      await queue.fetch(url, post());
      await new Promise((resolve) => setImmediate(resolve));
      return queue.fetch(url, post());
    });
    const two = queue.with({ tags: ['two'] }).run(() => queue.fetch(url, post()));
    await Promise.all([one, two]);
    await queue.fetch(url, post());
    expect((await tags(queue)).map(([tag]) => tag).sort()).toEqual(['one', 'one', 'two', undefined]);
  });

  it('hold for a dispatcher', async () => {
    const server = await serve();
    const queue = await open('memory');
    const { dispatcher } = queue.with({ tags: ['bound'], priority: 2 });
    await fetch(server.origin, { dispatcher } as RequestInit);
    await queue.with({ tags: ['scope'] }).run(() => fetch(server.origin, { dispatcher: queue.dispatcher } as never));
    expect(await tags(queue)).toEqual([['bound'], ['scope']]);
  });
});

describe('rules of a zone', () => {
  it('fit by method and pattern, the first one counts', async () => {
    const server = await serve();
    const rules = [
      { path: '/imports/**', method: 'post', tags: ['imports'] },
      { path: '/notes/*', tags: ['note'] },
      { path: '/notes/*/parts/**', tags: ['parts'] },
      { path: '/a.b', tags: ['dot'] },
      { path: '/notes/7', tags: ['never'] },
    ];
    const queue = await open('memory', { zones: { api: { origins: [server.origin], rules } } });
    const tagOf = async (path: string, method = 'POST'): Promise<string | undefined> => {
      const before = await stored(queue);
      await queue.fetch(server.origin + path, { method, queue: { respond: 'accepted' } });
      return (await queue.find({})).requests[before]?.tags[0];
    };
    expect(await tagOf('/imports/a')).toBe('imports');
    expect(await tagOf('/imports/a/b/c?x=/notes/7')).toBe('imports');
    expect(await tagOf('/imports/a', 'PUT')).toBeUndefined();
    expect(await tagOf('/imports')).toBeUndefined();
    expect(await tagOf('/notes/7')).toBe('note');
    expect(await tagOf('/notes/7?a=b')).toBe('note');
    expect(await tagOf('/notes/7/parts/1/2')).toBe('parts');
    expect(await tagOf('/notes/7/other')).toBeUndefined();
    expect(await tagOf('/notes/')).toBe('note');
    expect(await tagOf('/a.b')).toBe('dot');
    expect(await tagOf('/aXb')).toBeUndefined();
  });

  it('stand over their zone, and that over the configuration', async () => {
    const server = await serve();
    const other = await serve();
    const rules = [
      { path: '/wait', respond: 'settled' },
      { path: '/past', mode: 'bypass' },
    ] as const;
    const zones = { api: { origins: [server.origin], respond: 'accepted', rules } } as const;
    const queue = await open('memory', { zones });
    const statusOf = async (url: string, options?: FetchOptions): Promise<number> =>
      (await queue.fetch(url, post(options))).status;
    expect(await statusOf(`${server.origin}/wait`)).toBe(201);
    expect(await statusOf(`${server.origin}/notes`)).toBe(202);
    expect(await statusOf(`${server.origin}/notes`, { respond: 'settled' })).toBe(201);
    expect(await statusOf(`${other.origin}/notes`)).toBe(201);
    const before = await stored(queue);
    expect(await statusOf(`${server.origin}/past`, { respond: 'settled' })).toBe(201);
    expect(await stored(queue)).toBe(before);

    const all = await open('memory', { respond: 'accepted', zones: { api: { origins: [server.origin] } } });
    expect((await all.fetch(`${server.origin}/notes`, post())).status).toBe(202);
    expect((await all.fetch(`${other.origin}/notes`, post())).status).toBe(202);
    const settled = await open('memory', {
      respond: 'accepted',
      zones: { api: { origins: [server.origin], respond: 'settled' } },
    });
    expect((await settled.fetch(`${server.origin}/notes`, post())).status).toBe(201);
  });

  it('hold in a scope that says nothing of them', async () => {
    const server = await serve();
    const zones = { api: { origins: [server.origin], mode: 'bypass' } } as const;
    const queue = await open('memory', { zones });
    await queue.with({ mode: undefined, tags: ['a'] }).run(() => queue.fetch(server.origin, post()));
    expect(await stored(queue)).toBe(0);
  });

  it('make a read of what reads', async () => {
    const server = await serve();
    const rules = [{ path: '/search', method: 'POST', effect: 'read' }] as const;
    const queue = await open('memory', { zones: { api: { origins: [server.origin], rules } } });
    const url = `${server.origin}/search`;
    const answers = await Promise.all([queue.fetch(url, post()), queue.fetch(url, post())]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(server.ledger.entries.length).toBe(1);
  });
});

describe('options that are wrong', () => {
  const refused = async (queue: QueueManager, options: unknown) => {
    const { name, message, error, ours } = await failure(
      queue.fetch('http://127.0.0.1:1024/notes', post(options as FetchOptions)),
    );
    expect([name, message]).toEqual(['TypeError', 'fetch failed']);
    expect(error.cause).toBe(ours);
    expect(ours?.code).toBe('REQUEST_INVALID');
    return detailsOf(ours).problems;
  };

  it('are named with what was probably meant', async () => {
    const queue = await open('memory');
    const expected = async (name: string): Promise<string | undefined> =>
      (await refused(queue, { [name]: 1 }))[0]?.expected;
    expect(await expected('priorty')).toContain("'priority'");
    expect(await expected('deadlin')).toContain("'deadline'");
    expect(await stored(queue)).toBe(0);
  });

  it('are named with the setting that was probably meant', async () => {
    const queue = await open('memory');
    const expected = async (name: string): Promise<string | undefined> =>
      (await refused(queue, { [name]: 1 }))[0]?.expected;
    expect(await expected('respnd')).toContain("'respond'");
    expect(await expected('ofline')).toContain("'offline'");
    expect(await expected('attemptTimeout')).toContain("'attemptTimeoutMs'");
  });

  it('are refused where the call goes past the queue too', async () => {
    const server = await serve();
    const queue = await open('memory');
    const init = { queue: { mode: 'bypass', priorty: 1 } } as QueuedRequestInit;
    const { ours } = await failure(queue.fetch(server.origin, init));
    expect(ours?.code).toBe('REQUEST_INVALID');
  });

  it.each([
    [{ respond: 'later' }, 'respond'],
    [{ offline: 'no' }, 'offline'],
    [{ mode: 'past' }, 'mode'],
    [{ honorPrefer: 'yes' }, 'honorPrefer'],
    [{ noRetryHeaders: 0 }, 'noRetryHeaders'],
    [{ attemptTimeoutMs: 0 }, 'attemptTimeoutMs'],
    [{ attemptTimeoutMs: Number.NaN }, 'attemptTimeoutMs'],
    [{ attemptTimeoutMs: '5' }, 'attemptTimeoutMs'],
    [{ priority: 11 }, 'priority'],
    [{ priority: null }, 'priority'],
    [{ key: '' }, 'key'],
    [{ lane: 7 }, 'lane'],
    [{ deadline: 'soon' }, 'deadline'],
    [{ tags: 'a' }, 'tags'],
    [{ dedupe: 'no' }, 'dedupe'],
    [{ effect: 'write' }, 'effect'],
    [{ zone: 'nowhere' }, 'zone'],
    [{ signal: new AbortController().signal }, 'signal'],
    [{ base: () => 1 }, 'base'],
  ])('%j', async (options, path) => {
    const queue = await open('memory');
    expect((await refused(queue, options))[0]?.path).toBe(path);
    expect(await stored(queue)).toBe(0);
  });

  it.each([null, 'high', 7, true])('as a whole: %j', async (options) => {
    const queue = await open('memory');
    expect((await refused(queue, options))[0]?.path).toBe('queue');
  });

  it('of a scope and a bound fetch', async () => {
    const queue = await open('memory');
    const url = 'http://127.0.0.1:1024/notes';
    const wrong = { priorty: 7 } as FetchOptions;
    expect((await failure(queue.with(wrong).fetch(url))).ours?.code).toBe('REQUEST_INVALID');
    expect((await failure(queue.with(wrong).run(() => queue.fetch(url)))).ours?.code).toBe('REQUEST_INVALID');
    const { error } = await failure(fetch(url, { dispatcher: queue.with(wrong).dispatcher } as RequestInit));
    expect(error.message).toBe('fetch failed');
    const mode = { mode: 'no' } as unknown as FetchOptions;
    const refusal = await failure(fetch(url, { dispatcher: queue.with(mode).dispatcher } as RequestInit));
    expect(refusal.ours?.code).toBe('REQUEST_INVALID');
  });
});
