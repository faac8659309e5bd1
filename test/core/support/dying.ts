import { expect } from 'vitest';
import { migrateQueue } from '../../../src/queue/core/migration/migrateQueue.ts';
import type { Trial } from '../../../src/testing/conformance/Trial.ts';
import { ids } from '../../../src/testing/conformance/Trial.ts';
import type { Pair } from './migration.ts';
import { carried } from './migration.ts';
import { stepwise } from './steps.ts';

const SENDERS = ['', 'client:crm'];
/** A call that died gives no sign of life for so long, where it cannot be seen that its process is gone. */
const LEASE_MS = 60_001;

/** Lanes, ties, all states, and two groups that have to stay: one in hand, one that the other store refuses. */
export async function fill({ from, to }: Pair): Promise<string[]> {
  await to.accept({ id: to.id(400), key: 'taken' });
  const held = carried({ isHeld: true, reason: 'auth' });
  const requests = [
    from.request(),
    from.request({ lane: 'a' }),
    from.request({ lane: 'b', sender: 'client:crm' }),
    from.request({ lane: 'a', carried: carried({ reason: 'retry', dueAt: from.now + 5 }) }),
    from.request({ carried: carried({ reason: 'retry', dueAt: from.now + 9 }) }),
    from.request({ lane: 'b', carried: held }),
    from.request({ lane: 'a', after: [from.id(1), from.id(3)] }),
    from.request({ key: 'taken', lane: 'c' }),
    from.request({ lane: 'c' }),
    from.request({ lane: 'd', rank: { form: 'value', value: -9 } }),
    from.request({ lane: 'd' }),
    from.request({ lane: 'b' }),
  ];
  await from.enqueue(requests);
  return ids(requests);
}

/** A move that dies before its n-th verb; false if it came to its end before. */
export async function dieAt({ from, to, clock }: Pair, n: number): Promise<boolean> {
  let verbs = 0;
  return new Promise((resolve, reject) => {
    const step = (): Promise<void> | undefined => {
      verbs += 1;
      if (verbs < n) return undefined;
      resolve(true);
      return new Promise<void>(() => undefined);
    };
    const ends = [stepwise(from.backend, 'from', step), stepwise(to.backend, 'to', step)] as const;
    migrateQueue(...ends, { clock, limit: 3 }).then(() => resolve(false), reject);
  });
}

/** Does all the work there is in a store, and forgets what has ended. */
export async function work(t: Trial, done: string[]): Promise<void> {
  for (const { id } of (
    await t.requests.find({ filter: { state: 'held', reason: 'auth' }, order: 'accepted', after: null, limit: 99 })
  ).requests) {
    await t.move(id, { state: 'ready', reason: 'released' });
  }
  for (;;) {
    const [next] = await t.claim(1, { senders: SENDERS });
    if (next === undefined) break;
    done.push(next.id);
    await t.succeed({ id: next.id, token: next.lease?.token ?? 0 });
  }
  const retention = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };
  await t.requests.purge({ now: t.now + 1, limit: 1_000, keepAfter: Number.MAX_SAFE_INTEGER, retention });
}

export function tick({ from, to }: Pair): void {
  for (const t of [from, to]) {
    t.now += LEASE_MS;
    t.leaseNow += LEASE_MS;
  }
}

/** Every request was done once, in the order of its lane. */
export function expectDoneOnce(done: readonly string[], all: readonly string[], what: string): void {
  expect([...done].sort(), what).toEqual([...all].sort());
  const place = (n: number): number => done.indexOf(all[n] ?? '');
  const ordered = (...places: number[]) =>
    expect(places.map(place), what).toEqual(places.map(place).sort((a, b) => a - b));
  ordered(1, 3, 6); // lane a
  ordered(2, 5, 11); // lane b
  ordered(7, 8);
  ordered(9, 10);
  ordered(0, 6); // after
  ordered(2, 6);
}

/**
 * A move that dies before its n-th verb; then both stores are worked on, what ended is forgotten, and another call moves the rest. False if it
 * came to its end before.
 */
export async function dieAndGoOn(stores: Pair, n: number): Promise<boolean> {
  const { from, to, clock } = stores;
  const all = await fill(stores);
  const inHand = await from.lease(all[9] ?? '');
  const done: string[] = [inHand.id];
  const died = await dieAt(stores, n);
  await expectOneOffer(stores, n);
  await from.succeed(inHand);
  tick(stores);
  await work(from, done);
  await work(to, done);
  const { moved } = await migrateQueue(from.backend, to.backend, { clock, limit: 2 });
  for (let round = 0; round < 2; round += 1) {
    tick(stores);
    await work(from, done);
    await work(to, done);
  }
  const own = done.filter((id) => all.includes(id));
  expectDoneOnce(own, all, `died at ${n}, then moved ${moved}`);
  for (const t of [from, to]) expect(Object.keys(await t.counts()), `left at ${n}`).toEqual([]);
  return died;
}

/** No request is to be had in both stores. What was claimed to find out goes back unsent. */
async function expectOneOffer({ from, to }: Pair, n: number): Promise<void> {
  const offered = [await from.claim(99, { senders: SENDERS }), await to.claim(99, { senders: SENDERS })] as const;
  const there = new Set(ids(offered[1]));
  expect(
    ids(offered[0]).filter((id) => there.has(id)),
    `in both at ${n}`,
  ).toEqual([]);
  for (const [index, t] of [from, to].entries()) {
    for (const { id, lease } of offered[index] ?? []) {
      await t.settle({ id, token: lease?.token ?? 0 }, { state: 'ready', reason: 'retry' }, { notSent: true });
    }
  }
}
