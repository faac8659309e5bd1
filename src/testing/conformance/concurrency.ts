import assert from 'node:assert/strict';
import { group } from './group.ts';
import { NO_LIMITS } from './Trial.ts';

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

export const concurrencyGroup = group('concurrency', (test, handles) => {
  test('verbs of one handle take effect in call order', async (t) => {
    const results = await Promise.all([
      t.enqueue([t.request()]),
      t.enqueue([t.request()]),
      t.claim(1),
      t.enqueue([t.request()]),
      t.claim(9),
    ]);
    const seqs = [results[0], results[1], results[3]].map(([one]) => (one?.status === 'accepted' ? one.seq : 0));
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
    assert.deepEqual(
      results[2].map(({ seq }) => seq),
      [seqs[0]],
    );
    assert.deepEqual(
      results[4].map(({ seq }) => seq),
      [seqs[1], seqs[2]],
    );
  });

  handles('two handles that claim at once never receive the same request', async (t) => {
    const other = await t.open('worker-2');
    await t.enqueue(Array.from({ length: 60 }, () => t.request()));
    const rounds = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        t.claim(4, { worker: n % 2 ? 'worker-2' : t.worker }, n % 2 ? other : t.backend),
      ),
    );
    const claimed = rounds.flat().map(({ id }) => id);
    assert.equal(claimed.length, 60);
    assert.equal(new Set(claimed).size, 60);
    assert.deepEqual(await t.counts(), { sending: 60 });
  });

  handles('two handles that accept the same id or key store one', async (t) => {
    const other = await t.open('worker-2');
    const request = t.request({ key: 'k' });
    const rival = t.request({ key: 'k' });
    const batch = { atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    const results = await Promise.all([
      t.backend.requests.enqueue({ requests: [request], ...batch }),
      other.requests.enqueue({ requests: [request], ...batch }),
      other.requests.enqueue({ requests: [rival], ...batch }),
    ]);
    const stored = new Set(results.flatMap(([one]) => (one?.status === 'refused' ? [] : [one?.id])));
    assert.equal(stored.size, 1);
    assert.deepEqual(await t.counts(), { ready: 1 });
  });

  handles('handles share one order of acceptance and one lane', async (t) => {
    const other = await t.open('worker-2');
    const batch = { atomic: false, now: t.now, limits: NO_LIMITS, claim: null };
    const first = await t.accept({ lane: 'l' });
    const [second] = await other.requests.enqueue({ requests: [t.request({ lane: 'l' })], ...batch });
    assert.ok(second?.status === 'accepted' && second.seq > first.seq);
    assert.equal(second.state, 'blocked');
    await t.succeed(await t.lease(first.id, { worker: 'worker-2' }, other));
    await t.lease(second.id, { worker: 'worker-2' }, other);
  });

  handles('watch tells of what another handle committed', async (t) => {
    const other = await t.open('worker-2');
    const told = deferred();
    const undo = other.requests.watch(() => told.resolve());
    await t.accept();
    await told.promise;
    undo();
    undo();
  });

  handles('watch tells nothing after its undo', async (t) => {
    const other = await t.open('worker-2');
    let calls = 0;
    const undo = other.requests.watch(() => {
      calls += 1;
    });
    const still = deferred();
    undo();
    other.requests.watch(() => still.resolve());
    await t.accept();
    await still.promise;
    assert.equal(calls, 0);
  });
});
