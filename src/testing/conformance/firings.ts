import assert from 'node:assert/strict';
import type { Backend } from '../../queue/types/backend.ts';
import type { Firing, NewRequest } from '../../queue/types/request.ts';
import type { EnqueueResult } from '../../queue/types/store.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { NO_LIMITS } from './Trial.ts';

/** A request that fires the schedule `s`, and what the schedule is then. */
function firing(t: Trial, version: number, fields: Partial<NewRequest> = {}, fires: Partial<Firing> = {}): NewRequest {
  return t.request({ fires: { name: 's', version, dueAt: t.now + version, data: version, ...fires }, ...fields });
}

/** Of the schedule `s`; undefined where there is none. */
async function standing(t: Trial, backend: Backend = t.backend): Promise<readonly unknown[] | undefined> {
  const [found] = await backend.schedules.get({ names: ['s'] });
  return found && [found.version, found.dueAt, found.data];
}

function outcomes(results: readonly EnqueueResult[]): string[] {
  return results.map((result) => (result.status === 'refused' ? result.why : result.status));
}

async function total(t: Trial): Promise<number> {
  return Object.values(await t.counts()).reduce((sum, count) => sum + count, 0);
}

async function start(t: Trial): Promise<void> {
  await t.backend.schedules.set({ name: 's', dueAt: t.now, data: 0 });
}

export const firingGroup = group('firings', (test, handles) => {
  test('a firing is accepted, and its schedule advanced', async (t) => {
    await start(t);
    const request = firing(t, 1);
    assert.deepEqual(outcomes(await t.enqueue([request])), ['accepted']);
    assert.deepEqual(await standing(t), [2, t.now + 1, 1]);
    assert.deepEqual(await t.backend.schedules.due({ now: t.now, limit: 9 }), []);
    assert.equal(await t.backend.schedules.nextDueAt(), t.now + 1);
    assert.equal('fires' in (await t.get(request.id)), false);
  });

  test('one that never fires again is due no more', async (t) => {
    await start(t);
    await t.enqueue([firing(t, 1, {}, { dueAt: null, data: { over: true } })]);
    assert.deepEqual(await standing(t), [2, null, { over: true }]);
    assert.equal(await t.backend.schedules.nextDueAt(), null);
  });

  test('a firing upon another version is refused by name and version', async (t) => {
    await start(t);
    await t.backend.schedules.set({ name: 's', dueAt: t.now, data: 'set meanwhile' });
    const [result] = await t.enqueue([firing(t, 1)]);
    assert.ok(result?.status === 'refused' && result.why === 'fired', JSON.stringify(result));
    assert.match(result.detail, /"s".*version 2/);
    assert.deepEqual(outcomes(await t.enqueue([firing(t, 3)])), ['fired']);
    assert.deepEqual(await standing(t), [2, t.now, 'set meanwhile']);
    assert.equal(await total(t), 0);
  });

  test('a firing of a schedule that is not there, or was deleted, is refused', async (t) => {
    assert.deepEqual(outcomes(await t.enqueue([firing(t, 0), firing(t, 1)])), ['fired', 'fired']);
    await start(t);
    await t.backend.schedules.delete({ name: 's' });
    assert.deepEqual(outcomes(await t.enqueue([firing(t, 1)])), ['fired']);
    await start(t);
    assert.deepEqual(outcomes(await t.enqueue([firing(t, 1)])), ['fired']);
    assert.equal(await total(t), 0);
  });

  test('the same request again fires nothing again', async (t) => {
    await start(t);
    const request = firing(t, 1);
    await t.enqueue([request]);
    assert.deepEqual(outcomes(await t.enqueue([request])), ['accepted']);
    const again = { ...request, fires: { name: 's', version: 2, dueAt: 0, data: 0 } };
    assert.deepEqual(outcomes(await t.enqueue([again])), ['accepted']);
    assert.deepEqual(await standing(t), [2, t.now + 1, 1]);
    await t.backend.schedules.delete({ name: 's' });
    assert.deepEqual(outcomes(await t.enqueue([request])), ['accepted']);
    assert.equal(await total(t), 1);
  });

  test('a firing that joins by its key advances its schedule', async (t) => {
    await start(t);
    const { id } = await t.accept({ key: 'k', digest: 'aa' });
    const [result] = await t.enqueue([firing(t, 1, { key: 'k', digest: 'aa' })]);
    assert.ok(result?.status === 'joined' && result.id === id);
    assert.deepEqual(await standing(t), [2, t.now + 1, 1]);
    assert.equal(await total(t), 1);
  });

  test('a firing that joins by its rule advances its schedule', async (t) => {
    await start(t);
    await t.accept({ lane: 'l', digest: 'aa', harmless: true });
    const join = { rule: 'tail' } as const;
    const batch = [1, 2].map((version) => firing(t, version, { lane: 'l', digest: 'aa', join }));
    assert.deepEqual(outcomes(await t.enqueue(batch)), ['joined', 'joined']);
    assert.deepEqual(await standing(t), [3, t.now + 2, 2]);
  });

  test('a firing that is refused leaves its schedule, whatever the reason', async (t) => {
    await start(t);
    await t.accept({ key: 'k', digest: 'aa' });
    const refused = async (fields: Partial<NewRequest>, limits = NO_LIMITS): Promise<string | undefined> =>
      outcomes(await t.enqueue([firing(t, 1, fields)], { limits }))[0];
    assert.equal(await refused({ key: 'k', digest: 'bb' }), 'keyConflict');
    assert.equal(await refused({ after: [t.id(999)] }), 'dependency');
    assert.equal(await refused({ lane: 'l', replaces: { id: t.id(999) } }), 'replaced');
    assert.equal(await refused({}, { ...NO_LIMITS, maxSize: 1 }), 'full');
    assert.equal(await refused({}, { ...NO_LIMITS, maxBytes: 15 }), 'full');
    assert.deepEqual(await standing(t), [1, t.now, 0]);
    assert.deepEqual(outcomes(await t.enqueue([firing(t, 1)])), ['accepted']);
  });

  test('whether it is its turn is asked before anything else', async (t) => {
    await start(t);
    await t.accept({ key: 'k', digest: 'aa' });
    const late = firing(t, 7, { key: 'k', digest: 'bb', after: [t.id(999)] });
    assert.deepEqual(outcomes(await t.enqueue([late], { limits: { maxSize: 0, maxBytes: 0 } })), ['fired']);
  });

  test('a second firing of a batch finds what the first left', async (t) => {
    await start(t);
    const batch = [firing(t, 1), firing(t, 1), firing(t, 2), t.request(), firing(t, 4), firing(t, 3)];
    assert.deepEqual(outcomes(await t.enqueue(batch)), [
      'accepted',
      'fired',
      'accepted',
      'accepted',
      'fired',
      'accepted',
    ]);
    assert.deepEqual(await standing(t), [4, t.now + 3, 3]);
    assert.equal(await total(t), 4);
  });

  test('in an atomic batch a refusal leaves every schedule', async (t) => {
    await start(t);
    await t.backend.schedules.set({ name: 'other', dueAt: t.now, data: 'o' });
    const other = { name: 'other', version: 1, dueAt: null, data: 'p' };
    const batch = [firing(t, 1), firing(t, 2), t.request({ fires: other }), firing(t, 2)];
    assert.deepEqual(outcomes(await t.enqueue(batch, { atomic: true })), [
      'neighbour',
      'neighbour',
      'neighbour',
      'fired',
    ]);
    assert.deepEqual(await standing(t), [1, t.now, 0]);
    assert.deepEqual(
      (await t.backend.schedules.due({ now: t.now, limit: 9 })).map(({ version }) => version),
      [1, 1],
    );
    assert.equal(await total(t), 0);
    assert.deepEqual(outcomes(await t.enqueue(batch.slice(0, 3), { atomic: true })), [
      'accepted',
      'accepted',
      'accepted',
    ]);
    assert.deepEqual(await standing(t), [3, t.now + 2, 2]);
    assert.equal(await t.backend.schedules.nextDueAt(), t.now + 2);
  });

  test('in an atomic batch a refusal for another reason leaves them as well', async (t) => {
    await start(t);
    const batch = [firing(t, 1), t.request({ after: [t.id(999)] })];
    assert.deepEqual(outcomes(await t.enqueue(batch, { atomic: true })), ['neighbour', 'dependency']);
    assert.deepEqual(await standing(t), [1, t.now, 0]);
    assert.deepEqual(await t.backend.schedules.due({ now: t.now - 1, limit: 9 }), []);
  });

  test('a firing takes the place of the one before it', async (t) => {
    await start(t);
    const first = firing(t, 1, { lane: 'l' });
    const second = firing(t, 2, { lane: 'l', replaces: { id: first.id } });
    assert.deepEqual(outcomes(await t.enqueue([first, second])), ['accepted', 'accepted']);
    await t.stands(first.id, 'superseded', 'squashed');
    assert.deepEqual(await standing(t), [3, t.now + 2, 2]);
  });

  test('a firing is leased at once where it can be', async (t) => {
    await start(t);
    const claim = { worker: t.worker, leaseUntil: t.leaseNow + 1, allowance: [{ channel: 'api', calls: 1 }] };
    const [result] = await t.enqueue([firing(t, 1)], { claim });
    assert.ok(result?.status === 'accepted' && result.token === 1);
    assert.deepEqual(await standing(t), [2, t.now + 1, 1]);
  });

  test('what cannot be stored as a firing is refused alone', async (t) => {
    await start(t);
    const batch = [firing(t, 1, {}, { dueAt: Number.NaN }), firing(t, 1.5), firing(t, Number.NaN), t.request()];
    assert.deepEqual(outcomes(await t.enqueue(batch)), ['fired', 'fired', 'fired', 'accepted']);
    assert.deepEqual(await standing(t), [1, t.now, 0]);
  });

  test('a firing may leave much in its schedule', async (t) => {
    await start(t);
    const data = { body: 'ü'.repeat(1_000_000) };
    await t.enqueue([firing(t, 1, {}, { data })]);
    assert.deepEqual(await standing(t), [2, t.now + 1, data]);
  });

  handles('of firings upon one version by several handles one is accepted', async (t) => {
    await start(t);
    const other = await t.open('worker-2');
    const batch = { atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    for (let version = 1; version <= 10; version += 1) {
      const results = await Promise.all(
        [t.backend, other, t.backend, other].map(({ requests }) =>
          requests.enqueue({ requests: [firing(t, version)], ...batch }),
        ),
      );
      assert.deepEqual(outcomes(results.flat()).toSorted(), ['accepted', 'fired', 'fired', 'fired']);
    }
    assert.equal((await standing(t, other))?.[0], 11);
    assert.equal(await total(t), 10);
  });

  handles('a deletion and a firing of another handle come one before the other', async (t) => {
    const other = await t.open('worker-2');
    const batch = { atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    for (let round = 0; round < 10; round += 1) {
      const version = (await t.backend.schedules.set({ name: 's', dueAt: t.now, data: 0 })) ?? 0;
      const [fired, deleted] = await Promise.all([
        t.backend.requests.enqueue({ requests: [firing(t, version)], ...batch }),
        other.schedules.delete({ name: 's', ifVersion: version }),
      ]);
      assert.deepEqual([outcomes(fired)[0], deleted], deleted ? ['fired', true] : ['accepted', false]);
      assert.deepEqual(await standing(t, other), deleted ? undefined : [version + 1, t.now + version, version]);
    }
  });

  handles('a firing outlives the handle that made it, with what it left', async (t) => {
    await start(t);
    const dying = await t.open('worker-2');
    const request = firing(t, 1);
    await dying.requests.enqueue({ requests: [request], atomic: false, now: t.now, limits: NO_LIMITS, claim: null });
    await t.abandon(dying);
    const heir = await t.open('worker-3');
    assert.deepEqual(await standing(t, heir), [2, t.now + 1, 1]);
    assert.equal((await t.get(request.id, heir)).state, 'ready');
    const again = { requests: [firing(t, 1), request], atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    assert.deepEqual(outcomes(await heir.requests.enqueue(again)), ['fired', 'accepted']);
  });

  handles('a firing that was on its way when its handle died is there with its advance, or not at all', async (t) => {
    await start(t);
    const dying = await t.open('worker-2');
    const request = firing(t, 1);
    const batch = { requests: [request], atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    const unheard = dying.requests.enqueue(batch).catch(() => undefined);
    await t.abandon(dying);
    const heir = await t.open('worker-3');
    await heir.requests.enqueue({ ...batch, requests: [firing(t, 1)] });
    assert.deepEqual(await standing(t, heir), [2, t.now + 1, 1]);
    await unheard;
    assert.deepEqual(await standing(t, heir), [2, t.now + 1, 1]);
    assert.equal(await total(t), 1);
  });

  handles('watch tells of a firing of another handle', async (t) => {
    await start(t);
    const other = await t.open('worker-2');
    const told = new Promise<void>((resolve) => {
      const undo = other.requests.watch(() => {
        undo();
        resolve();
      });
    });
    await t.enqueue([firing(t, 1)]);
    await told;
  });
});
