import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import { answer, unavailable } from '../../../src/testing/serverSteps.ts';
import { arrivals, rejection, soon, stored, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const SOON_MS = 2_000;

/** A body that never comes to its end, and what its reader said when it went. */
function stalled(first?: string) {
  const cancelled: unknown[] = [];
  let isPulled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        if (first !== undefined) controller.enqueue(new TextEncoder().encode(first));
      },
      pull: () => {
        isPulled = true;
        return new Promise(() => undefined);
      },
      cancel: (reason) => void cancelled.push(reason),
    },
    { highWaterMark: 0 },
  );
  return { body, cancelled, isPulled: () => isPulled };
}

function upload(body: ReadableStream, signal: AbortSignal): RequestInit {
  return { method: 'POST', body, duplex: 'half', signal } as RequestInit;
}

describe.each(STORES)('a body that is a stream and stalls, on %s,', (store) => {
  it.each([undefined, 'a beginning'])('holds back nothing else, having begun with %s', async (first) => {
    const server = await serve();
    const queue = await open(store);
    const abort = new AbortController();
    const { body, cancelled, isPulled } = stalled(first);
    const call = queue.fetch(`${server.origin}/upload`, upload(body, abort.signal));
    call.catch(() => undefined);
    await until(isPulled, 'the stream is read');

    const read = await soon(queue.fetch(`${server.origin}/read`), 'a read', SOON_MS);
    expect(read.status).toBe(200);
    const write = await soon(queue.fetch(`${server.origin}/write`, { method: 'POST', body: 'b' }), 'a write', SOON_MS);
    expect(write.status).toBe(201);
    const enqueued = queue.enqueue({ method: 'POST', url: `${server.origin}/enqueued`, body: 'c' });
    await soon(Promise.resolve(enqueued), 'an enqueue', SOON_MS);
    await soon(queue.idle(), 'all but the upload', SOON_MS);
    expect(arrivals(server).sort()).toEqual(['GET /read', 'POST /enqueued c', 'POST /write b']);

    const reason = new Error('no more');
    abort.abort(reason);
    expect(await rejection(call)).toBe(reason);
    expect(cancelled).toEqual([reason]);
    expect(server.ledger.entries.length).toBe(3);
    expect(await stored(queue)).toBe(3);
  });

  it('is let go by its abort, also where it is a form', async () => {
    const queue = await open(store);
    const abort = new AbortController();
    const { body, cancelled, isPulled } = stalled('a=b');
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const call = queue.fetch('http://127.0.0.1:1024/', { ...upload(body, abort.signal), headers });
    call.catch(() => undefined);
    await until(isPulled, 'the stream is read');
    const reason = new Error('no more');
    abort.abort(reason);
    expect(await rejection(call)).toBe(reason);
    expect(cancelled).toEqual([reason]);
    expect(await stored(queue)).toBe(0);
  });
});

describe.each(STORES)('bytes that their owner changes after the call, on %s, are sent as they were', (store) => {
  const GIVEN = 'amount=100';
  const kinds = {
    Buffer: () => Buffer.from(GIVEN),
    Uint8Array: () => new Uint8Array(new TextEncoder().encode(GIVEN)),
    DataView: () => new DataView(new TextEncoder().encode(GIVEN).slice().buffer),
    ArrayBuffer: () => new TextEncoder().encode(GIVEN).slice().buffer,
  };
  const overwrite = (bytes: ArrayBuffer | ArrayBufferView): void => {
    const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes);
    new Uint8Array(buffer, byteOffset, byteLength).fill(0x58);
  };
  /** All is stored, and nothing is sent yet. */
  const accepted = async (queue: QueueManager, count: number): Promise<void> =>
    until(async () => (await stored(queue)) === count, 'it is stored');

  it.each(Object.entries(kinds))('by fetch, in a retry too: %s', async (_, make) => {
    const server = await serve();
    server.script.next(unavailable(), answer());
    const queue = await open(store);
    const bytes = make();
    const atOnce = queue.fetch(server.origin, { method: 'PUT', body: bytes });
    overwrite(bytes);
    await soon(atOnce, 'the answer');
    expect(arrivals(server)).toEqual([`PUT / ${GIVEN}`, `PUT / ${GIVEN}`]);

    queue.pause();
    const other = make();
    const later = queue.fetch(`${server.origin}/later`, { method: 'POST', body: other });
    await accepted(queue, 2);
    overwrite(other);
    queue.resume();
    await soon(later, 'the answer');
    expect(arrivals(server).at(-1)).toBe(`POST /later ${GIVEN}`);
  });

  it.each(Object.entries(kinds))('by enqueue: %s', async (_, make) => {
    const server = await serve();
    const queue = await open(store);
    queue.pause();
    const early = make();
    const first = queue.enqueue({ method: 'POST', url: `${server.origin}/a`, body: early });
    overwrite(early);
    await first;
    const late = make();
    await queue.enqueue({ method: 'POST', url: `${server.origin}/b`, body: late });
    overwrite(late);
    queue.resume();
    await soon(queue.idle(), 'the end');
    expect(arrivals(server).sort()).toEqual([`POST /a ${GIVEN}`, `POST /b ${GIVEN}`]);
  });
});
