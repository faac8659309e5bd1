import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { Body } from '../../../src/queue/types/request.ts';
import type { RequestStore } from '../../../src/queue/types/store.ts';
import { accept, all, CLOCK, claimAll, emptied, enqueue, idsIn, recordOf, request, useWorld } from './support.ts';

const world = useWorld();

/** What the backend tells of requests that ended or were set aside on their way, all of it. */
async function told(requests: RequestStore): ReturnType<RequestStore['expire']> {
  return requests.expire({ now: CLOCK.now(), limit: 100 });
}

/** Accepts something during an outage, has the store changed by another process, and lets it recover. */
async function meanwhile(spill: () => Promise<void>, elsewhere: () => Promise<void>): Promise<void> {
  world().fail();
  await spill();
  world().recover();
  await elsewhere();
  await emptied(await world().spill('witness'));
}

/** Has a request succeed at a time. */
async function succeed(store: Backend, at: number): Promise<void> {
  const id = await accept(store, { rank: { form: 'value', value: -1 } });
  const [claimed] = await claimAll(store, [''], 1);
  if (claimed?.id !== id || claimed.lease === null) throw new Error('another one was claimed');
  const next = { state: 'succeeded', reason: 'applied' } as const;
  const settlement = { id, token: claimed.lease.token, next, progress: claimed.progress };
  await store.requests.settle({ now: at, settlements: [settlement] });
}

describe('the move to the store', () => {
  it('ends a request whose key another process used meanwhile, and names the one that stands for it', async () => {
    const backend = await world().open();
    const store = await world().store();
    const twin = await accept(store, { key: 'k', digest: 'd' });
    let id = '';
    await meanwhile(
      async () => {
        await accept(backend);
        id = await accept(backend, { key: 'k', digest: 'd', lane: 'a' });
      },
      async () => undefined,
    );
    expect(await recordOf(store, id)).toMatchObject({ state: 'superseded', reason: 'squashed', replayedAs: twin });
    expect(await recordOf(backend, id)).toMatchObject({ state: 'superseded' });
    expect((await told(backend.requests)).ended).toMatchObject([{ id, state: 'superseded', reason: 'squashed' }]);
    expect((await told(backend.requests)).ended).toEqual([]);
    expect((await claimAll(store)).map((record) => record.id)).not.toContain(id);
  });

  it('ends a request that repeats one of its window', async () => {
    const backend = await world().open();
    const store = await world().store();
    const since = CLOCK.now() - 60_000;
    const window = { fingerprint: 'f'.repeat(16), digest: 'd', join: { rule: 'window', since } } as const;
    const twin = await accept(store, window);
    let id = '';
    await meanwhile(
      async () => {
        id = await accept(backend, window);
      },
      async () => undefined,
    );
    expect(await recordOf(store, id)).toMatchObject({ state: 'superseded', reason: 'squashed', replayedAs: twin });
    const [joined] = await enqueue(store, [request(window)]);
    expect(joined).toMatchObject({ status: 'joined', id: twin });
  });

  it('makes a dead letter of a request whose key belongs to another content', async () => {
    const backend = await world().open();
    const store = await world().store();
    await accept(store, { key: 'k', digest: 'other' });
    let id = '';
    await meanwhile(
      async () => {
        id = await accept(backend, { key: 'k', digest: 'd', lane: 'a' });
      },
      async () => undefined,
    );
    expect(await recordOf(store, id)).toMatchObject({ state: 'dead', reason: 'discarded', key: null });
    expect((await told(backend.requests)).ended).toMatchObject([{ id, state: 'dead', reason: 'discarded' }]);
    expect(await claimAll(store)).toHaveLength(1);
  });

  it('holds a request whose predecessor the store does not know or that failed', async () => {
    const backend = await world().open();
    const store = await world().store();
    const failed = await accept(store);
    const to = { state: 'cancelled', reason: 'caller' } as const;
    await store.requests.amend({ now: CLOCK.now(), changes: [{ id: failed, from: ['ready'], to }] });
    const good = await accept(store);
    let ids: string[] = [];
    let waits = '';
    await meanwhile(
      async () => {
        ids = [
          await accept(backend, { after: [request().id], lane: 'a' }),
          await accept(backend, { after: [failed, good] }),
        ];
        waits = await accept(backend, { after: [good], lane: 'a' });
      },
      async () => undefined,
    );
    for (const id of ids) {
      expect(await recordOf(store, id)).toMatchObject({
        state: 'held',
        reason: 'dependency',
        firstSentAt: null,
        progress: { unresolved: false },
      });
    }
    expect(await recordOf(store, waits)).toMatchObject({ state: 'blocked', after: [good] });
    const { moved } = await told(backend.requests);
    expect(moved.map(({ id, state, reason }) => [id, state, reason])).toEqual(
      ids.map((id) => [id, 'held', 'dependency']),
    );
  });

  it('lets a request wait for another that was spilled before it', async () => {
    const backend = await world().open();
    let ids: string[] = [];
    await meanwhile(
      async () => {
        const first = await accept(backend);
        ids = [first, await accept(backend, { after: [first] })];
      },
      async () => undefined,
    );
    const stored = await all(await world().store());
    expect(stored.map(({ id, state }) => [id, state])).toEqual([
      [ids[0], 'ready'],
      [ids[1], 'blocked'],
    ]);
  });

  it('takes a batch apart that went in whole, rather than lose it', async () => {
    const backend = await world().open();
    const store = await world().store();
    await accept(store, { key: 'k', digest: 'other' });
    const first = request();
    const batch = [first, request({ key: 'k', digest: 'd' }), request({ after: [first.id] })];
    await meanwhile(
      async () => {
        await enqueue(backend, batch, { atomic: true });
      },
      async () => undefined,
    );
    const states = await Promise.all(batch.map(async ({ id }) => (await recordOf(store, id)).state));
    expect(states).toEqual(['ready', 'dead', 'blocked']);
  });

  it('pays no heed to limits: what was accepted is not turned away', async () => {
    const backend = await world().open();
    const limits = { maxSize: 2, maxBytes: 1000 };
    await enqueue(backend, [request(), request()], { limits });
    await meanwhile(
      async () => {
        const results = await enqueue(backend, [request(), request()], { limits });
        expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
      },
      async () => undefined,
    );
    expect(await idsIn(await world().store())).toHaveLength(4);
    expect((await enqueue(backend, [request()], { limits }))[0]).toMatchObject({ status: 'refused', why: 'full' });
  });

  it('keeps bodies as they are, large ones too', async () => {
    const backend = await world().open();
    const bytes = new Uint8Array(3_000_000).map((_, index) => index % 251);
    const bodies = [bytes, 'text \u0000 ü', null, bytes.slice(7)];
    const made = bodies.map((body) =>
      request({ content: { method: 'PUT', path: '/x', headers: [], body }, bytes: 3_000_000 }),
    );
    await meanwhile(
      async () => {
        for (const one of made) await enqueue(backend, [one]);
      },
      async () => undefined,
    );
    const stored = await all(await world().store());
    expect(stored.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    const texts = (some: readonly Body[]): unknown[] =>
      some.map((body) => (body instanceof Uint8Array ? createHash('sha256').update(body).digest('hex') : body));
    expect(texts(stored.map(({ content }) => content.body))).toEqual(texts(bodies));
  });

  it('keeps the order of last in, first out', async () => {
    const backend = await world().open();
    const lifo = { rank: { form: 'negatedSeq' } } as const;
    const before = await accept(backend, lifo);
    let ids: string[] = [];
    await meanwhile(
      async () => {
        ids = [await accept(backend, lifo), await accept(backend, lifo)];
      },
      async () => undefined,
    );
    expect((await claimAll(await world().store())).map(({ id }) => id)).toEqual([...ids.reverse(), before]);
  });

  it('tells those who watch', async () => {
    const backend = await world().open();
    const calls = vi.fn();
    const undo = backend.requests.watch(calls);
    await meanwhile(
      async () => {
        await accept(backend);
      },
      async () => {
        calls.mockClear();
      },
    );
    await expect.poll(() => calls.mock.calls.length).toBeGreaterThan(0);
    undo();
  });

  it('asks a person about a request that the store may have had and deleted since', async () => {
    const backend = await world().open();
    const store = await world().store();
    const old = CLOCK.now() - 7_200_000;
    let ids: string[] = [];
    await meanwhile(
      async () => {
        // With the store when it failed; these two were accepted long ago, as after a long outage.
        const first = [request({ acceptedAt: old }), request({ acceptedAt: old, harmless: true }), request()];
        await enqueue(backend, first);
        ids = [...first.map(({ id }) => id), await accept(backend, { acceptedAt: old })];
      },
      async () => undefined,
    );
    const states = await Promise.all(ids.map(async (id) => (await recordOf(store, id)).state));
    expect(states).toEqual(['held', 'ready', 'ready', 'ready']);
    expect(await recordOf(store, ids[0] as string)).toMatchObject({
      reason: 'unknown',
      progress: { unresolved: true },
      firstSentAt: old,
    });
  });

  it('asks nobody where the store still has what it had then', async () => {
    const backend = await world().open();
    const store = await world().store();
    const old = CLOCK.now() - 7_200_000;
    const ids: string[] = [];
    await meanwhile(
      async () => {
        ids.push(await accept(backend, { acceptedAt: old }));
      },
      () => succeed(store, old - 1),
    );
    await meanwhile(
      async () => {
        ids.push(await accept(backend));
      },
      () => succeed(store, CLOCK.now()),
    );
    for (const id of ids) expect((await recordOf(store, id)).state).toBe('ready');
  });

  it('does not send again what had arrived after all', async () => {
    const backend = await world().open();
    const store = await world().store();
    const one = request();
    await meanwhile(
      async () => {
        await enqueue(backend, [one]);
      },
      async () => {
        await enqueue(store, [one]);
      },
    );
    expect(await idsIn(store)).toEqual([one.id]);
  });
});
