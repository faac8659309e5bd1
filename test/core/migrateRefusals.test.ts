import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import { QuickSetup } from '../../src/QuickSetup.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { SQLiteBackend } from '../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { MigrationEnd } from '../../src/queue/core/migration/ends.ts';
import type { MigrateOptions } from '../../src/queue/core/migration/migrateOptions.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import type { MigrationResult } from '../../src/queue/core/migration/result.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import type { Trial } from '../../src/testing/conformance/Trial.ts';
import { ids } from '../../src/testing/conformance/Trial.ts';
import { allOf, carried, drain, pairs, recordsOf } from './support/migration.ts';

const pair = pairs();

/** Why each refused request stays, by id. */
function whyOf({ refused }: MigrationResult): Record<string, string> {
  return Object.fromEntries(refused.map(({ id, why, detail }) => [id, detail === null ? why : `${why} ${detail}`]));
}

async function live(t: Trial): Promise<string[]> {
  const requests = await allOf(t);
  return ids(requests.filter(({ endedAt }) => endedAt === null));
}

describe('a request that is in somebody’s hands', () => {
  it('stays, with what comes behind it in its lane and after it, on and on', async () => {
    const { from, to, move } = await pair('sqlite', 'sqlite');
    const sending = await from.take({ lane: 'l' });
    const behind = await from.accept({ lane: 'l' });
    const after = await from.accept({ after: [behind.id] });
    const inLane = await from.accept({ lane: 'm' });
    const behindAfter = await from.accept({ lane: 'm', after: [after.id] });
    const free = [await from.accept(), await from.accept({ lane: 'n' })];
    const stays = [sending.id, behind.id, after.id, inLane.id, behindAfter.id];
    const before = await recordsOf(from, stays);
    const result = await move({ limit: 2 });
    expect(result.moved).toBe(2);
    expect(result.refusedCount).toBe(5);
    expect(whyOf(result)).toMatchObject({ [sending.id]: 'sending', [behind.id]: `order ${sending.id}` });
    expect(await recordsOf(from, stays)).toEqual(before);
    expect(ids(await allOf(to))).toEqual(ids(free));
    expect((await from.succeed(sending)).status).toBe('settled');
    expect((await drain(from)).sort()).toEqual([...stays].slice(1).sort());
  });

  it('keeps back what it comes after: that could not go without it', async () => {
    const { from, move } = await pair();
    const first = await from.accept({ lane: 'l' });
    const second = await from.accept({ lane: 'l' });
    const bound = await from.accept({ after: [second.id], sender: `process:${from.worker}` });
    const result = await move({ limit: 1 });
    expect(result.moved).toBe(0);
    expect(whyOf(result)[bound.id]).toBe('process');
    expect(Object.keys(whyOf(result)).sort()).toEqual([first.id, second.id, bound.id].sort());
    expect(await drain(from, ['', `process:${from.worker}`])).toEqual([first.id, second.id, bound.id]);
  });

  it('stays while its outcome is unknown', async () => {
    const { from, move } = await pair();
    const held = await from.take({ lane: 'l' });
    await from.settle(held, { state: 'unknown', reason: 'unanswered', dueAt: from.now + 5 });
    const behind = await from.accept({ lane: 'l' });
    expect(whyOf(await move())).toEqual({ [held.id]: 'unknown', [behind.id]: `order ${held.id}` });
    expect((await from.get(held.id)).dueAt).toBe(from.now + 5);
  });

  it('stays when it is claimed just before it is to be set aside', async () => {
    const { from, to, clock } = await pair('memory', 'memory');
    const lane = [await from.accept({ lane: 'l' }), await from.accept({ lane: 'l' })];
    const other = await from.accept({ rank: { form: 'value', value: 9 } });
    let wasClaimed = false;
    const racing = hookBackend(from.backend, {
      before: async (verb) => {
        if (verb !== 'amend' || wasClaimed) return;
        wasClaimed = true;
        await from.lease(lane[0]?.id ?? '');
      },
    });
    const result = await migrateQueue(racing, to.backend, { clock });
    expect(result.moved).toBe(1);
    expect(whyOf(result)).toEqual({ [lane[0]?.id ?? '']: 'sending', [lane[1]?.id ?? '']: `order ${lane[0]?.id}` });
    expect(ids(await allOf(to))).toEqual([other.id]);
    expect((await from.get(lane[1]?.id ?? '')).sender).toBe('');
  });
});

describe('a request whose reason changes while it is set aside', () => {
  it('is taken with the one it has in the end', async () => {
    const { from, to, clock } = await pair();
    const { id } = await from.accept({ carried: carried({ isHeld: true, reason: 'auth' }) });
    let times = 0;
    const racing = hookBackend(from.backend, {
      before: async (verb) => {
        if (verb !== 'amend' || times++ > 0) return;
        await from.move(id, { state: 'ready', reason: 'released' });
        await from.settle(await from.lease(id), { state: 'held', reason: 'unknown' });
      },
    });
    expect((await migrateQueue(racing, to.backend, { clock })).moved).toBe(1);
    await to.stands(id, 'held', 'unknown');
  });

  it('stays where it keeps changing', async () => {
    const { from, to, clock } = await pair();
    const { id } = await from.accept({ carried: carried({ isHeld: true, reason: 'auth' }) });
    let isAuth = true;
    const racing = hookBackend(from.backend, {
      before: async (verb, query) => {
        if (verb !== 'amend' || !JSON.stringify(query).includes('(moving)')) return;
        isAuth = !isAuth;
        await from.move(id, { state: 'held', reason: isAuth ? 'auth' : 'operator' });
      },
    });
    expect(whyOf(await migrateQueue(racing, to.backend, { clock }))).toEqual({ [id]: 'busy' });
    expect(await to.counts()).toEqual({});
  });
});

describe('a request that is changed while its copy is there', () => {
  it('is not moved where it ended, and its copy goes', async () => {
    const { from, to, move } = await pair('sqlite', 'sqlite');
    const { id } = await from.accept();
    const other = await from.accept();
    let cancelled: Promise<unknown> | undefined;
    const result = await move({
      onProgress: ({ phase }) => {
        if (phase === 'copy') cancelled = from.move(id, { state: 'cancelled', reason: 'caller' });
      },
    });
    await cancelled;
    expect(result).toMatchObject({ moved: 1, refusedCount: 0 });
    await from.stands(id, 'cancelled', 'caller');
    expect(ids(await allOf(to))).toEqual([other.id]);
  });

  it('stays where somebody takes the fence away, with what is still behind it; its copy goes', async () => {
    const { from, to, move } = await pair();
    const held = await from.accept({ lane: 'l', carried: carried({ isHeld: true, reason: 'auth' }) });
    const behind = await from.accept({ lane: 'l' });
    const other = await from.accept();
    const released: Promise<unknown>[] = [];
    const result = await move({
      onProgress: ({ phase }) => {
        if (phase === 'copy') released.push(from.move(held.id, { state: 'ready', reason: 'released' }, { sender: '' }));
      },
    });
    await Promise.all(released);
    expect(result.moved).toBe(1);
    expect(ids(await allOf(to))).toEqual([other.id]);
    expect(await drain(from)).toEqual([held.id, behind.id]);
  });

  it('ends there as it does here where its deadline passes meanwhile', async () => {
    const { from, to, move } = await pair();
    const { id } = await from.accept({ expiresAt: from.now + 5 });
    await move({
      onProgress: ({ phase }) => {
        if (phase === 'copy') void to.requests.expire({ now: from.now + 5, limit: 9 });
      },
    });
    await to.stands(id, 'dead', 'expired');
    await from.stands(id, 'superseded', 'moved');
  });
});

describe('a move by a filter', () => {
  it('takes what matches, and only whole groups', async () => {
    const { from, to, move } = await pair('sqlite', 'memory');
    const [free, other] = [await from.accept({ tags: ['t'] }), await from.accept()];
    const mixed = [await from.accept({ lane: 'l', tags: ['t'] }), await from.accept({ lane: 'l' })];
    const first = await from.accept({ tags: ['t'] });
    const second = await from.accept({ after: [first.id] });
    const third = await from.accept({ tags: ['t'], after: [other.id] });
    const lane = [await from.accept({ lane: 'm', tags: ['t'] }), await from.accept({ lane: 'm', tags: ['t', 'u'] })];
    const result = await move({ filter: { tags: ['t'] }, limit: 2 });
    expect(ids(await allOf(to))).toEqual([free.id, ...ids(lane)]);
    expect(whyOf(result)).toEqual({
      [mixed[0]?.id ?? '']: `order ${mixed[1]?.id}`,
      [first.id]: `order ${second.id}`,
      [third.id]: `order ${other.id}`,
    });
    expect(result.refusedCount).toBe(3);
  });

  it('matches a held request by the reason it is held for', async () => {
    const { from, to, move } = await pair();
    const auth = await from.accept({ carried: carried({ isHeld: true, reason: 'auth' }) });
    await from.accept({ carried: carried({ isHeld: true, reason: 'operator' }) });
    expect((await move({ filter: { state: 'held', reason: 'auth' } })).moved).toBe(1);
    await to.stands(auth.id, 'held', 'auth');
  });
});

describe('a request that the other store refuses', () => {
  it('stays as it was, with what goes with it; the others are moved', async () => {
    const { from, to, move } = await pair('sqlite', 'sqlite');
    await to.accept({ key: 'taken', digest: 'd', id: to.id(400) });
    const there = await to.accept({ id: from.id(77) });
    const first = await from.accept({ lane: 'l' });
    const conflict = await from.accept({ lane: 'l', key: 'taken', digest: 'd' });
    const after = await from.accept({ after: [first.id], carried: carried({ dueAt: from.now + 9, reason: 'retry' }) });
    const present = await from.accept({ id: there.id, sender: 'client:c' });
    const free = await from.accept({ lane: 'm' });
    const stays = [first.id, conflict.id, after.id, present.id];
    const before = await recordsOf(from, stays);
    const result = await move({ limit: 2 });
    expect(result.moved).toBe(1);
    expect(whyOf(result)).toEqual({
      [conflict.id]: expect.stringMatching(/^keyConflict .*key belongs to/),
      [present.id]: 'present',
      [first.id]: `order ${conflict.id}`,
      [after.id]: `order ${conflict.id}`,
    });
    expect(await recordsOf(from, stays)).toEqual(before);
    expect((await live(to)).sort()).toEqual([to.id(400), there.id, free.id].sort());
  });

  it('stays where the limits of its configuration are reached', async () => {
    const { from, to, clock } = await pair('memory', 'memory');
    for (let n = 0; n < 5; n += 1) await from.accept({ lane: n > 2 ? 'l' : null });
    const destination = { backend: to.backend, maxSize: 4 };
    const result = await migrateQueue(from.backend, destination, { clock });
    expect(result.moved).toBe(3);
    expect(whyOf(result)).toEqual({
      [from.id(5)]: expect.stringContaining('full'),
      [from.id(4)]: `order ${from.id(5)}`,
    });
    expect(await from.counts()).toEqual({ ready: 1, blocked: 1, superseded: 3 });
    expect(await to.counts()).toEqual({ ready: 3 });
    expect((await migrateQueue(from.backend, to.backend, { clock })).moved).toBe(2);
  });

  it('stays where its principal is a digest by another key', async () => {
    const { from, to, move } = await pair();
    const key = { key: 'principal:digestKey', expiresAt: null, now: from.now };
    await to.backend.shared.set({ ...key, value: 'YQ==' });
    const opaque = await from.accept({ auth: 'live', principal: 'key:abc', sender: 'principal:key:abc' });
    await from.accept({ auth: 'zone', principal: 'basic:ann' });
    const result = await move();
    expect(result.moved).toBe(1);
    expect(whyOf(result)).toEqual({ [opaque.id]: 'principal' });
  });

  it('stays where it refers to what is known here only', async () => {
    const { from, move } = await pair();
    const binding = { localId: 'local-1', serverId: '7', type: 'note', zone: 'api', requestId: from.id(1) };
    await from.done({}, { bind: [{ ...binding, boundAt: from.now }] });
    const bound = await from.accept({ refs: [{ at: '/path', localId: 'local-1' }] });
    await from.accept({ refs: [{ at: '/path', localId: 'local-2' }] });
    const result = await move();
    expect(result.moved).toBe(1);
    expect(whyOf(result)).toEqual({ [bound.id]: 'reference' });
  });
});

describe('a move that is stopped', () => {
  const everything = async (t: Trial): Promise<unknown[]> => recordsOf(t, ids(await allOf(t)));

  it.each(['setAside', 'copy'])('by its signal while it does %s gives everything back', async (phase) => {
    const { from, to, move } = await pair('sqlite', 'sqlite');
    for (let n = 0; n < 6; n += 1) await from.accept({ lane: n > 2 ? 'l' : null });
    await from.accept({ carried: carried({ isHeld: true, reason: 'auth' }) });
    const before = await everything(from);
    const stop = new AbortController();
    const onProgress: MigrateOptions['onProgress'] = (told) => told.phase === phase && stop.abort(new Error('enough'));
    await expect(move({ limit: 2, signal: stop.signal, onProgress })).rejects.toThrow('enough');
    expect(await everything(from)).toEqual(before);
    expect(await live(to)).toEqual([]);
    expect((await move()).moved).toBe(7);
  });

  it('by what the other store throws gives everything back, if that can be asked again', async () => {
    const { from, to, clock, move } = await pair();
    for (let n = 0; n < 5; n += 1) await from.accept();
    const before = await everything(from);
    let calls = 0;
    const failing = hookBackend(to.backend, {
      before: (verb) => {
        if (verb === 'enqueue' && ++calls === 2) throw new Error('no');
      },
    });
    await expect(migrateQueue(from.backend, failing, { clock, limit: 2 })).rejects.toThrow('no');
    expect(await everything(from)).toEqual(before);
    expect(await live(to)).toEqual([]);
    expect((await move()).moved).toBe(5);
  });

  it('by the other store being gone leaves what it set aside to the next call', async () => {
    const { from, to, clock, move } = await pair();
    for (let n = 0; n < 5; n += 1) await from.accept();
    let isDown = false;
    const failing = hookBackend(to.backend, {
      before: () => {
        if (isDown) throw new Error('gone');
      },
      after: (verb) => {
        isDown ||= verb === 'enqueue';
      },
    });
    await expect(migrateQueue(from.backend, failing, { clock, limit: 2 })).rejects.toThrow('gone');
    expect(await from.claim()).toEqual([]);
    expect(await to.claim()).toEqual([]);
    expect((await move()).moved).toBe(5);
    expect(await to.counts()).toEqual({ ready: 5 });
  });
});

describe('bad input', () => {
  let folder: string | undefined;
  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });
  const path = (name: string): string => {
    folder ??= mkdtempSync(join(tmpdir(), 'holdfast-migrate-'));
    return join(folder, name);
  };
  const database = async (name: string): Promise<{ kind: 'sqlite'; path: string }> => {
    await (await QuickSetup.sqlite(path(name))).close();
    return { kind: 'sqlite', path: path(name) };
  };
  const problems = async (from: unknown, to: unknown, options?: unknown): Promise<string[]> => {
    const call = migrateQueue(from as MigrationEnd, to as MigrationEnd, options as MigrateOptions);
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return (holdfastError(error, 'CONFIG_INVALID')?.details.problems ?? []).map(
      (one) => `${one.path}: ${one.expected}`,
    );
  };

  it('that names one store twice is refused', async () => {
    const from = await database('a.db');
    expect(await problems(from, { ...from })).toEqual(['to: another store than `from`']);
    expect(await problems(from, { backend: from, name: 'other' })).toEqual(['to: another store than `from`']);
    const memory = new MemoryBackend();
    expect(await problems(memory, memory)).toEqual(['to: another store than `from`']);
  });

  it('that names a store and a copy of it is refused', async () => {
    const from = await database('a.db');
    expect(await migrateQueue(from, await database('b.db'))).toMatchObject({ moved: 0 });
    copyFileSync(path('a.db'), path('copy.db'));
    expect(await problems(from, { kind: 'sqlite', path: path('copy.db') })).toEqual(['to: another store than `from`']);
  });

  it('that names no store, or one that ends with the call, is refused', async () => {
    const there = await database('a.db');
    expect(await problems({ kind: 'sqlite', path: path('none.db') }, there)).toEqual(['from: a database that exists']);
    expect(await problems({ kind: 'memory' }, there)).toEqual([expect.stringMatching(/^from: a store that outlives/)]);
    expect(await problems(there, { kind: 'memory' })).toEqual([expect.stringMatching(/^to: a store that outlives/)]);
    expect(await problems(there, {})).toEqual([expect.stringMatching(/^to: a store that outlives/)]);
    expect(await problems(there, { kind: 'sqlite', path: ':memory:' })).toEqual([
      expect.stringMatching(/^to: a store/),
    ]);
    expect(await problems(undefined, there)).toEqual(['from: an object']);
    expect(await problems(there, null)).toEqual(['to: an object']);
    expect(await problems(there, { kind: 'sqlit' })).toEqual([expect.stringMatching(/^to\.backend\.kind: one of/)]);
    expect(await problems(there, { kind: 'sqlite', pth: 'x' })).toEqual([expect.stringMatching(/^to\.backend\.pth/)]);
    expect(await problems(there, { bakend: there })).toEqual([expect.stringMatching(/^to\.bakend: .*backend/)]);
  });

  it('in options is refused, all of it at once', async () => {
    const [a, b] = [await database('a.db'), await database('b.db')];
    const found = await problems(a, b, { limit: 0, signal: 1, onProgress: 2, clock: {}, filtr: {} });
    expect(found.map((one) => one.split(':')[0])).toEqual(
      ['limit', 'signal', 'onProgress', 'clock', 'filtr'].map((name) => `options.${name}`),
    );
    expect(found.at(-1)).toContain('filter');
    await expect(migrateQueue(a, b, { filter: { stat: 1 } as object })).rejects.toThrow('state');
    expect(await problems(a, b, { limit: 1001 })).toHaveLength(1);
    expect(await migrateQueue(a, b, { limit: undefined })).toMatchObject({ moved: 0 });
  });

  it('that is a closed backend is told as such', async () => {
    const closed = new SQLiteBackend({ path: path('a.db') });
    await closed.close();
    const call = migrateQueue(await database('b.db'), closed);
    await expect(call).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });
});
