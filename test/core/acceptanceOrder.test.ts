import { describe, expect, it } from 'vitest';
import type { Credential } from '../../src/queue/types/auth.ts';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, deferred, errorOf, folder, onFile, realServer, record, world } from './harness.ts';

const post = (body: unknown) => ({ method: 'POST', url: at('/log'), body });

async function seqs(queue: { find(filter: object): Promise<{ requests: readonly { content: { body: unknown } }[] }> }) {
  const { requests } = await queue.find({});
  return requests.map(({ content }) =>
    typeof content.body === 'string' ? content.body : new TextDecoder().decode(content.body as Uint8Array),
  );
}

describe('the order of acceptance', () => {
  it('is the order of the calls', async () => {
    const test = await world();
    test.queue.pause();
    await Promise.all(Array.from({ length: 50 }, (_, n) => test.queue.enqueue(post(`${n}`))));
    expect(await seqs(test.queue)).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`));
  });

  it('is the order of the calls when a body in between has to be read first', async () => {
    const test = await world();
    test.queue.pause();
    const form = new FormData();
    form.set('a', 'b');
    await Promise.all([
      test.queue.enqueue(post('0')),
      test.queue.enqueue(post(new Blob(['1']))),
      test.queue.enqueue(post('2')),
      test.queue.enqueue(post(new Blob(['3'.repeat(100_000)]))),
      test.queue.enqueue(post('4')),
    ]);
    expect((await seqs(test.queue)).map((body) => body[0])).toEqual(['0', '1', '2', '3', '4']);
  });

  it('is the order of the calls when a credential in between has to be fetched first', async () => {
    const test = await world();
    test.queue.pause();
    const token = deferred<Credential>();
    const slow = { name: 'slow', auth: { credential: () => token.promise } };
    test.queue.register(slow);
    const calls = [test.queue.call(post('0')), test.queue.call(post('1'), {}, slow), test.queue.call(post('2'))].map(
      (handle) => handle.accepted(),
    );
    await test.clock.settle();
    token.resolve({ headers: [['authorization', 'Bearer t']], version: 1 });
    const accepted = await Promise.all(calls);
    expect(accepted.map(({ seq }) => seq)).toEqual(accepted.map(({ seq }) => seq).sort((a, b) => a - b));
    expect(await seqs(test.queue)).toEqual(['0', '1', '2']);
  });

  it('is not held up by a call that is refused', async () => {
    const test = await world();
    test.queue.pause();
    const failing = { name: 'failing', auth: { credential: () => Promise.reject(new Error('no token')) } };
    test.queue.register(failing);
    const refused = test.queue.call(post('1'), {}, failing).accepted();
    const after = test.queue.enqueue(post('2'));
    await expect(refused).rejects.toThrow();
    await after;
    expect(await seqs(test.queue)).toEqual(['2']);
  });

  it('is the order of the calls in one lane on a real server and a file', async () => {
    const server = await realServer();
    const queue = await onFile(`${await folder()}/q.db`);
    const url = `${server.origin}/log`;
    const bodies = Array.from({ length: 30 }, (_, n) => (n % 3 === 1 ? new Blob([`${n}`]) : `${n}`));
    await Promise.all(bodies.map((body) => queue.enqueue({ method: 'POST', url, body }, { lane: 'one' })));
    await queue.idle();
    expect(server.ledger.entries.map(({ request }) => request.body)).toEqual(bodies.map((_, n) => `${n}`));
  });
});

describe('enqueueMany', () => {
  it('keeps the order of its items and accepts them in one step', async () => {
    const test = await world();
    test.queue.pause();
    const one = test.queue.enqueue(post('0'));
    const many = test.queue.enqueueMany([
      { request: post('1') },
      { request: post(new Blob(['2'])) },
      { request: post('3') },
    ]);
    const last = test.queue.enqueue(post('4'));
    await Promise.all([one, many, last]);
    expect(await seqs(test.queue)).toEqual(['0', '1', '2', '3', '4']);
    expect((await many).map(({ deduplicated }) => deduplicated)).toEqual([false, false, false]);
  });

  it('accepts nothing when one of its items is invalid', async () => {
    const test = await world();
    const events = record(test.queue, 'request:accepted');
    const error = await errorOf(
      test.queue.enqueueMany([{ request: post('1') }, { request: { method: 'POST', url: 'nowhere' } }]),
    );
    expect(error).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(error.message).toContain('url');
    expect((await test.queue.find({})).requests).toEqual([]);
    expect(events).toEqual([]);
  });

  it('accepts nothing when an item whose body is read later turns out too large', async () => {
    const test = await world({ maxBytes: 10 });
    const items = [{ request: post('1') }, { request: post(new Blob(['x'.repeat(11)])) }, { request: post('3') }];
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('REQUEST_INVALID');
    await test.clock.settle();
    expect((await test.queue.find({})).requests).toEqual([]);
    expect(arrivals(test.server)).toEqual([]);
  });

  it('accepts nothing when there is no room for all of them', async () => {
    const test = await world({ maxSize: 2 });
    test.queue.pause();
    const items = ['1', '2', '3'].map((body) => ({ request: post(body) }));
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('QUEUE_FULL');
    expect(await test.queue.counts()).toMatchObject({ ready: 0 });
    await test.queue.enqueueMany(items.slice(0, 2));
    expect(await test.queue.counts()).toMatchObject({ ready: 2 });
  });

  it('accepts nothing when the key of one was accepted with other content', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueue(post('0'), { key: 'k' });
    const items = [{ request: post('1') }, { request: post('2'), options: { key: 'k' } }];
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('KEY_CONFLICT');
    expect(await test.queue.counts()).toMatchObject({ ready: 1 });
  });

  it('accepts nothing when a caller called one off before', async () => {
    const test = await world();
    test.queue.pause();
    const signal = AbortSignal.abort();
    await expect(
      test.queue.enqueueMany([{ request: post('1') }, { request: post('2'), options: { signal } }]),
    ).rejects.toThrow();
    await test.clock.settle();
    expect((await test.queue.find({})).requests).toEqual([]);
  });

  it('names an unknown option of an item', async () => {
    const test = await world();
    const options = { prioriti: 'high' } as object;
    const error = await errorOf(test.queue.enqueueMany([{ request: post('1'), options }]));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(error.message).toContain('priority');
  });

  it('refuses an index that is not of an earlier item', async () => {
    const test = await world();
    for (const after of [1, 2, -1, 0.5]) {
      const error = await errorOf(
        test.queue.enqueueMany([{ request: post('1') }, { request: post('2'), options: { after: [after] } }]),
      );
      expect(error).toMatchObject({ code: 'REQUEST_INVALID' });
      expect(error.message).toContain('after');
    }
    expect((await test.queue.find({})).requests).toEqual([]);
  });

  it('accepts an empty list', async () => {
    const test = await world();
    expect(await test.queue.enqueueMany([])).toEqual([]);
  });
});

describe('after', () => {
  it('sends an item once the earlier ones it names by index have succeeded', async () => {
    const test = await world();
    test.server.script.always(park);
    const [, , last] = await test.queue.enqueueMany([
      { request: post('1') },
      { request: post('2') },
      { request: post('3'), options: { after: [0, 1] } },
    ]);
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['POST /log 1', 'POST /log 2']);
    test.server.release(1);
    await test.clock.settle();
    expect(await test.queue.get(last?.id ?? '')).toMatchObject({ state: 'blocked', reason: 'dependency' });
    test.server.release(1);
    await test.clock.settle();
    expect(arrivals(test.server)).toHaveLength(3);
  });

  it('sends a request once the one it names by id has succeeded', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = await test.queue.enqueue(post('1'));
    const second = await test.queue.enqueue(post('2'), { after: [first.id] });
    await test.clock.settle();
    expect(arrivals(test.server)).toHaveLength(1);
    test.server.release();
    expect(await second.settled()).toMatchObject({ state: 'succeeded' });
  });

  it('refuses an id that is not known, and one that ended without success', async () => {
    const test = await world();
    const error = await errorOf(test.queue.enqueue(post('1'), { after: ['nobody'] }));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(error.message).toContain('nobody');
    test.server.script.next(refuse({ status: 400 }));
    const dead = await test.queue.enqueue(post('2'));
    await test.clock.settle();
    expect((await errorOf(test.queue.enqueue(post('3'), { after: [dead.id] }))).code).toBe('REQUEST_INVALID');
    expect((await test.queue.find({})).requests).toHaveLength(1);
  });

  it.each(['rejected', 'cancelled', 'expired'] as const)('holds what follows a request that ended %s', async (how) => {
    const test = await world();
    const events = record(test.queue, 'request:held');
    test.queue.pause();
    const deadline = how === 'expired' ? test.clock.now() + 1_000 : undefined;
    const first = await test.queue.enqueue(post('1'), { deadline });
    const second = test.queue.call(post('2'), { after: [first.id] });
    const { id } = await second.accepted();
    const told = second.settled();
    if (how === 'cancelled') await first.cancel();
    if (how === 'rejected') test.server.script.next(refuse({ status: 400 }));
    if (how === 'rejected') test.queue.resume();
    await test.clock.advance(7_000);
    expect(await told).toMatchObject({ state: 'held', reason: 'dependency', error: { code: 'REQUEST_HELD' } });
    expect(events).toMatchObject([{ requestId: id, reason: 'dependency' }]);
    expect(await test.queue.counts()).toMatchObject({ held: 1 });
    test.queue.resume();
    await test.queue.held.resolve(id, 'resend', 'me');
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });
});
