import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { FetchOptions, QueueManager } from '../../../src/index.ts';
import { answer, hang, park } from '../../../src/testing/serverSteps.ts';
import { DIST } from '../../processes/support/child.ts';
import { arrivals, final, rejection, soon, stored, until } from './support/looks.ts';
import { folder, open, openFile, STORES, serve } from './support/queues.ts';
import { streaming } from './support/streaming.ts';

const PROBES = fileURLToPath(new URL('./support/probes.mjs', import.meta.url));
const LIMIT_MS = 100_000;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

type Given = RequestInit & { readonly queue?: FetchOptions };
type Call = (url: string, signal: AbortSignal) => Parameters<QueueManager['fetch']>;

describe('a call past the queue is called off by its signal', () => {
  const ways: Record<string, Given> = {
    'an event stream': { headers: { accept: 'text/event-stream' } },
    'an event stream that is asked for by POST': {
      method: 'POST',
      body: 'a',
      headers: { accept: 'text/event-stream' },
    },
    'what says so': { queue: { mode: 'bypass' } },
    'a token request': { method: 'POST', headers: FORM, body: 'grant_type=client_credentials' },
  };
  /** The signal stands in init, or in the request. */
  const calls = Object.entries(ways).flatMap(([what, given]): { what: string; where: string; call: Call }[] => [
    { what, where: 'init', call: (url, signal) => [url, { ...given, signal }] },
    {
      what,
      where: 'its request',
      call: (url, signal) => {
        const { queue, ...init } = given;
        return [new Request(url, { ...init, signal }), queue === undefined ? {} : { queue }];
      },
    },
  ]);

  it.each(calls)('before its head: $what, by the signal of $where', async ({ call }) => {
    const server = await serve();
    server.script.always(hang);
    const queue = await open('memory');
    const abort = new AbortController();
    const waiting = queue.fetch(...call(server.origin, abort.signal));
    waiting.catch(() => undefined);
    await until(() => server.ledger.entries.length === 1, 'it arrives');
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await rejection(waiting)).toBe(reason);
    expect(await stored(queue)).toBe(0);
  });

  it.each(calls)('after its head: $what, by the signal of $where', async ({ call }) => {
    const { origin, answers } = await streaming('data: 1\n\n');
    const queue = await open('memory');
    const abort = new AbortController();
    const response = await soon(queue.fetch(...call(origin, abort.signal)), 'the head');
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('data: 1\n\n');
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await rejection(reader?.read() ?? Promise.resolve())).toBe(reason);
    await until(() => answers[0]?.req.socket.destroyed === true, 'its connection is closed');
  });
});

describe.each(STORES)('a signal that init takes away from a request, on %s,', (store) => {
  it.each([undefined, 'bypass'] as const)('is not heard while the call goes on: mode %s', async (mode) => {
    const server = await serve();
    server.script.always(park);
    const queue = await open(store);
    const abort = new AbortController();
    const request = new Request(server.origin, { method: 'POST', body: 'a', signal: abort.signal });
    const call = queue.fetch(request, { signal: null, queue: { mode } });
    call.catch(() => undefined);
    await until(() => server.parked === 1, 'it arrives');
    abort.abort(new Error('of no effect'));
    await queue.counts();
    server.release();
    const response = await soon(call, 'the answer');
    expect([response.status, await response.json()]).toEqual([201, { n: 1, method: 'POST', path: '/' }]);
  });
});

describe.each(STORES)('a form whose caller leaves while it is read, on %s,', (store) => {
  it.each([undefined, 'accepted'] as const)('is neither kept nor sent: respond %s', async (respond) => {
    const server = await serve();
    const queue = await open(store);
    const abort = new AbortController();
    let isPulled = false;
    let goOn: () => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        isPulled = true;
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        if (abort.signal.aborted) return; // a stream that was cancelled takes no more
        controller.enqueue(new TextEncoder().encode('a=b'));
        controller.close();
      },
    });
    const init = { method: 'POST', headers: FORM, body, duplex: 'half', signal: abort.signal } as RequestInit;
    const call = queue.fetch(server.origin, { ...init, queue: { respond } });
    call.catch(() => undefined);
    await until(() => isPulled, 'it is read');
    const reason = new Error('left');
    abort.abort(reason);
    goOn();
    expect(await rejection(call)).toBe(reason);
    await soon(queue.idle(), 'nothing is left to do');
    expect(await stored(queue)).toBe(0);
    expect((await queue.health()).waitingCallers).toBe(0);
    // What comes after it is sent as ever.
    expect((await soon(queue.fetch(`${server.origin}/next`), 'the next call')).status).toBe(200);
    expect(arrivals(server)).toEqual(['GET /next']);
  });
});

it('nothing is remembered of calls that were called off while their bodies were read', {}, async () => {
  const server = await serve();
  const args = ['--expose-gc', PROBES, DIST, 'leavings', server.origin];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS });
  const { stored: kept, calls, left } = JSON.parse(stdout).found;
  expect([kept, calls]).toEqual([0, 16]);
  // The frame that made the last one may still hold it.
  expect(left).toBeLessThanOrEqual(1);
  expect(server.ledger.entries).toEqual([]);
});

describe.each([201, 302, 303, 307])('secrets in and around an answer %i are in no file', (status) => {
  const scene = async () => {
    const server = await serve();
    server.script.always(
      answer({
        status,
        headers: [
          ['location', 'https://files.example/kept-path?page=2&access_token=tok-secret-1'],
          ['content-location', 'https://files.example/kept-place?access_token=tok-secret-2'],
          ['x-auth-token', 'tok-secret-3'],
          ['x-note', 'kept-note'],
        ],
      }),
    );
    const path = await folder();
    const queue = await openFile(join(path, 'queue.db'));
    const headers = { referer: 'https://app.example/kept-referer?token=tok-secret-4', 'x-mine': 'kept-mine' };
    const init = { method: 'POST', body: 'a', redirect: 'manual', headers } as const;
    const idle = async (): Promise<boolean> => {
      const { ready, scheduled, sending } = await queue.counts();
      return ready + scheduled + sending === 0;
    };
    /** What of it stands in the queue's files. */
    const found = async (): Promise<string[]> => {
      const files = await readdir(path);
      const texts = await Promise.all(files.map((name) => readFile(join(path, name), 'latin1')));
      return [...new Set(texts.join('\n').match(/tok-secret-\d|kept-[a-z]+/g))].sort();
    };
    /** While it is open, and after. */
    const check = async (): Promise<void> => {
      await until(idle, 'it has ended');
      const kept = ['kept-mine', 'kept-note', 'kept-path', 'kept-place', 'kept-referer'];
      expect(await found()).toEqual(kept);
      await queue.close();
      expect(await found()).toEqual(kept);
    };
    return { server, queue, init, check };
  };

  it('where the caller waits, who is given them all', async () => {
    const { server, queue, init, check } = await scene();
    const { headers } = await queue.fetch(server.origin, init);
    expect(headers.get('x-auth-token')).toBe('tok-secret-3');
    expect(headers.get('location')).toContain('access_token=tok-secret-1');
    expect(headers.get('content-location')).toContain('access_token=tok-secret-2');
    await check();
  });

  it('where the answer is asked for later', async () => {
    const { server, queue, init, check } = await scene();
    const accepted = await queue.fetch(server.origin, { ...init, queue: { respond: 'accepted' } });
    expect(accepted.status).toBe(202);
    // Whether a 302 to a write means that it was done, its owner must say.
    if (status !== 302) {
      const late = await final(queue, accepted.headers.get('location') ?? '');
      expect([late.status, late.headers.get('x-auth-token')]).toEqual([status, null]);
      expect(late.headers.get('location')).toBe('https://files.example/kept-path?page=2');
    }
    await check();
  });
});
