import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import type { RedisBackendOptions } from '../../src/queue/backends/redis/RedisBackend.ts';
import type { Verb } from '../../src/queue/backends/redis/script.ts';
import { loadScripts } from '../../src/queue/backends/redis/script.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { EnqueueResult } from '../../src/queue/types/store.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import type { RedisServerOptions } from './support/RedisServer.ts';
import { RedisServer } from './support/RedisServer.ts';

const MANY = 2_000;

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serverWith(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  open.push(() => server.dispose());
  return server;
}

async function storeOn(server: RedisServer, options: RedisBackendOptions = {}): Promise<Backend> {
  const backend = await openStore({ port: server.port, ...options });
  open.push(() => backend.close());
  return backend;
}

/** Calls of one turn, each with a request of its own. */
function enqueueMany(backend: Backend, count: number = MANY): Promise<EnqueueResult[]>[] {
  return Array.from({ length: count }, () => enqueue(backend, newRequest()));
}

/** Places in the order of acceptance, in the order of the calls. */
async function seqsOf(calls: readonly Promise<EnqueueResult[]>[]): Promise<number[]> {
  const results = await Promise.all(calls);
  return results.map(([one]) => (one?.status === 'accepted' ? one.seq : Number.NaN));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const scriptOf = (verb: Verb): string => loadScripts().get(verb)?.text ?? '';

/** Fulfils when the server has that many requests. */
async function waitForStored(server: RedisServer, least: number): Promise<void> {
  await vi.waitFor(
    async () => expect(Number(await server.ask('HLEN', 'holdfast:{queue}:records'))).toBeGreaterThanOrEqual(least),
    { timeout: 20_000, interval: 5 },
  );
}

/** What Lua has of its own, and words that may stand before a bracket. */
const KNOWN = new Set(
  'and function if in ipairs next not or pairs return tonumber tostring type unpack until while'.split(' '),
);

/** Whether a name is that of a function, a variable or a parameter somewhere in a script. */
function declares(text: string, name: string): boolean {
  const places = [`function ${name}\\(`, `local [^=\\n]*\\b${name}\\b`, `function\\s?\\w*\\([^)]*\\b${name}\\b`];
  return new RegExp(places.join('|')).test(text);
}

const numbersOf = (text: string, pattern: RegExp): Set<number> =>
  new Set([...text.matchAll(pattern)].map(([, number]) => Number(number)));

describe('a script', () => {
  it.each([...loadScripts()])('that runs %s has what it calls, and uses every key', (verb, { text, keys }) => {
    expect(text).toContain(`.${verb} = function`);
    const called = new Set([...text.matchAll(/(?<![\w.:])([a-zA-Z]\w*)\(/g)].map(([, name]) => name as string));
    expect([...called].filter((name) => !KNOWN.has(name) && !declares(text, name))).toEqual([]);
    const set = numbersOf(text, /q\[(\d+)\](?=(?:, q\[\d+\])* = )/g);
    expect([...numbersOf(text, /q\[(\d+)\]/g)].filter((number) => !set.has(number))).toEqual([]);
    expect([...numbersOf(text, /KEYS\[(\d+)\]/g)].sort((a, b) => a - b)).toEqual(keys.map((_, index) => index + 1));
  });
});

describeRedis('scripts that a server does not have', () => {
  it('are loaded once for two thousand calls of one turn, which are accepted in call order', async () => {
    const server = await serverWith();
    const backend = await storeOn(server);
    await server.ask('SCRIPT', 'FLUSH');
    await server.ask('CONFIG', 'RESETSTAT');
    expect(await seqsOf(enqueueMany(backend))).toEqual(upTo(MANY));
    const stats = String(await server.ask('INFO', 'commandstats'));
    const loads = Number(/cmdstat_script\|load:calls=(\d+)/.exec(stats)?.[1]);
    expect(loads).toBe(Number(/number_of_cached_scripts:(\d+)/.exec(String(await server.ask('INFO', 'memory')))?.[1]));
  });

  it('may be forgotten again and again in the middle of calls: all are accepted once, in call order', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 30_000 });
    const calls = enqueueMany(backend);
    for (const stored of [1, 500, 1_000, 1_500]) {
      await waitForStored(server, stored);
      await server.ask('SCRIPT', 'FLUSH');
    }
    expect(await seqsOf(calls)).toEqual(upTo(MANY));
    expect(Number(await server.ask('HLEN', 'holdfast:{queue}:records'))).toBe(MANY);
  });

  it('are not there after a restart in the middle of calls: all are accepted once, in call order', async () => {
    const server = await serverWith({ appendonly: 'always' });
    const backend = await storeOn(server, { commandTimeoutMs: 30_000 });
    const calls = enqueueMany(backend);
    await waitForStored(server, 200);
    await server.kill();
    await server.restart();
    expect(await seqsOf(calls)).toEqual(upTo(MANY));
    expect(Number(await server.ask('HLEN', 'holdfast:{queue}:records'))).toBe(MANY);
  });

  it('are waited for by what is asked behind a call that needs them, though its own is there', async () => {
    const server = await serverWith();
    const backend = await storeOn(server);
    await server.ask('SCRIPT', 'FLUSH');
    await server.ask('SCRIPT', 'LOAD', scriptOf('get'));
    const request = newRequest();
    const [, found] = await Promise.all([enqueue(backend, request), backend.requests.get({ ids: [request.id] })]);
    expect(found[0]?.id).toBe(request.id);
  });

  it('are no reason any more for what fails once they are loaded', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 1_000 });
    await server.ask('SCRIPT', 'FLUSH');
    await enqueue(backend, newRequest());
    server.pause();
    const error = await enqueue(backend, newRequest()).catch((reason: unknown) => reason);
    server.resume();
    expect(holdfastError(error, 'BACKEND_UNAVAILABLE')?.details).toMatchObject({ reason: 'no answer' });
  }, 30_000);
});

describeRedis('a call that waits', () => {
  it('is not given up for time in which its own process stood still', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 2_000 });
    const calls = enqueueMany(backend, 100);
    execFileSync('sleep', ['5']);
    expect(await seqsOf(calls)).toEqual(upTo(100));
  }, 30_000);

  it('since its process stood still is given up as soon as any other', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 1_000 });
    server.pause();
    execFileSync('sleep', ['7']);
    const before = performance.now();
    const error = await enqueue(backend, newRequest()).catch((reason: unknown) => reason);
    expect(performance.now() - before).toBeLessThan(5_000);
    server.resume();
    expect(holdfastError(error, 'BACKEND_UNAVAILABLE')).toBeDefined();
  }, 30_000);

  it('for others of its process is not given up while these are answered', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 2_500 });
    const calls = enqueueMany(backend, 30_000);
    expect(await seqsOf(calls)).toEqual(upTo(30_000));
  });

  it('at the server for others is not given up while these are answered', async () => {
    const server = await serverWith();
    const backend = await storeOn(server, { commandTimeoutMs: 3_000 });
    await backend.history.append({ entries: Array.from({ length: 1_000 }, (_, at) => ({ stream: 's', at, data: 1 })) });
    const read = async (): Promise<number> =>
      (await backend.history.query({ stream: 's', after: 0, limit: 1_000 })).length;
    expect(new Set(await Promise.all(Array.from({ length: 5_000 }, read)))).toEqual(new Set([1_000]));
  });
});
