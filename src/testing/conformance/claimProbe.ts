import assert from 'node:assert/strict';
import { MOST_PASSED, PROBE_CANDIDATES } from '../../queue/types/claimTerms.ts';
import type { Effect, NewRequest, StoredRequest } from '../../queue/types/request.ts';
import type { ClaimQuery } from '../../queue/types/store.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { ids } from './Trial.ts';

type Channel = ClaimQuery['channels'][number];

const ranked = (value: number) => ({ rank: { form: 'value', value } }) as const;
const READ = { effect: 'read' } as const;

function probe(t: Trial, fields: Partial<Channel> = {}): Promise<StoredRequest[]> {
  const channels = [{ channel: 'api', senders: [''], calls: 1, perCall: 1, probe: 'harmless', ...fields } as const];
  return t.claim(0, { channels });
}

async function fill(t: Trial, count: number, fields: (n: number) => Partial<NewRequest> = ranked): Promise<void> {
  await t.enqueue(Array.from({ length: count }, (_, n) => t.request(fields(n))));
}

function partsOf(...names: readonly string[]): NonNullable<Channel['parts']> {
  return names.map((name) => ({ channel: name, calls: 1 }));
}

const UNAVAILABLE = { status: 503, headers: [], body: null };

export const claimProbeGroup = group('claim of a probe', (test) => {
  test('leases the best whose repetition is harmless', async (t) => {
    await t.accept(ranked(1));
    const second = await t.accept({ ...READ, ...ranked(3) });
    const first = await t.accept({ ...READ, ...ranked(2) });
    const claimed = await probe(t);
    assert.deepEqual(claimed, [await t.get(first.id)]);
    assert.equal(claimed[0]?.state, 'sending');
    assert.deepEqual(ids(await probe(t)), [second.id]);
    assert.deepEqual(await t.counts(), { sending: 2, ready: 1 });
  });

  test('only what reads, replaces or deletes is harmless', async (t) => {
    const effects: readonly Effect[] = ['action', 'create', 'relative', 'delete', 'absolute', 'read'];
    await t.enqueue(effects.map((effect, n) => t.request({ effect, harmless: n < 3, ...ranked(n) })));
    const order: Effect[] = [];
    for (let n = 0; n < effects.length; n += 1) order.push(...(await probe(t)).map(({ effect }) => effect));
    assert.deepEqual(order, ['delete', 'absolute', 'read', 'action', 'create', 'relative']);
  });

  test('looks among the first so many, and takes the best where none of them will do', async (t) => {
    await fill(t, PROBE_CANDIDATES);
    const read = await t.accept({ ...READ, ...ranked(PROBE_CANDIDATES) });
    const [best] = await probe(t);
    assert.equal(best?.rank, 0);
    assert.deepEqual(ids(await probe(t)), [read.id]);
  });

  test('looks at the senders together', async (t) => {
    const senders = ['', 'client:a', 'client:b'];
    await fill(t, PROBE_CANDIDATES, (n) => ({ sender: senders[n % 2] ?? '', ...ranked(n) }));
    const read = await t.accept({ ...READ, sender: 'client:b', ...ranked(PROBE_CANDIDATES) });
    const foreign = await t.accept({ ...READ, sender: 'client:c', ...ranked(-1) });
    assert.equal((await probe(t, { senders }))[0]?.rank, 0);
    assert.deepEqual(ids(await probe(t, { senders })), [read.id]);
    await t.stands(foreign.id, 'ready');
  });

  test('what was tried before is read as it is now', async (t) => {
    const held = await t.take({ ...READ, ...ranked(5) });
    await t.settle(held, { state: 'ready', reason: 'retry' });
    const other = await t.take({ ...ranked(1) });
    await t.settle(other, { state: 'ready', reason: 'retry' });
    assert.deepEqual(ids(await probe(t)), [held.id]);
  });

  test('ends what is past its deadline before it, and leaves what is behind it', async (t) => {
    const late = await t.accept({ ...READ, expiresAt: t.now + 1, ...ranked(1) });
    await t.accept(ranked(2));
    const later = await t.accept({ expiresAt: t.now + 1, ...ranked(3) });
    const read = await t.accept({ ...READ, ...ranked(4) });
    const behind = await t.accept({ ...READ, expiresAt: t.now + 1, ...ranked(5) });
    t.now += 1;
    assert.deepEqual(ids(await probe(t)), [read.id]);
    await t.stands(late.id, 'dead');
    await t.stands(later.id, 'dead');
    await t.stands(behind.id, 'ready');
  });

  test('what is past its deadline is none of those it looks among', async (t) => {
    await fill(t, PROBE_CANDIDATES + 3, (n) => ({ expiresAt: t.now + 1, ...ranked(n) }));
    await fill(t, PROBE_CANDIDATES - 1, (n) => ranked(100 + n));
    const read = await t.accept({ ...READ, ...ranked(200) });
    t.now += 1;
    assert.deepEqual(ids(await probe(t)), [read.id]);
    assert.deepEqual(await t.counts(), { dead: PROBE_CANDIDATES + 3, ready: PROBE_CANDIDATES - 1, sending: 1 });
  });

  test('what comes forward behind an ended one is looked at in its turn', async (t) => {
    await t.accept({ ...READ, ...ranked(1), lane: 'm' });
    await t.accept({ lane: 'l', expiresAt: t.now + 1, ...ranked(0) });
    const next = await t.accept({ ...READ, lane: 'l', ...ranked(0.5) });
    t.now += 1;
    assert.deepEqual(ids(await probe(t)), [next.id]);
  });

  test('the best is the best of what is left', async (t) => {
    await t.accept(ranked(1));
    await t.accept({ lane: 'l', expiresAt: t.now + 1, ...ranked(2) });
    const next = await t.accept({ lane: 'l', ...ranked(9) });
    await t.amend({ id: next.id, from: ['blocked'], patch: { rank: { form: 'value', value: 0 } } });
    await t.accept({ lane: 'm', expiresAt: t.now + 1, ...ranked(3) });
    const best = await t.accept({ lane: 'm', ...ranked(-1) });
    t.now += 1;
    assert.deepEqual(ids(await probe(t)), [best.id]);
  });

  test('is one request, whatever may share a call', async (t) => {
    await fill(t, 3);
    assert.equal((await probe(t, { perCall: 5 })).length, 1);
    assert.deepEqual(await probe(t, { calls: 0 }), []);
  });

  test('is bound by what may be sending', async (t) => {
    await fill(t, 2);
    const read = await t.accept({ ...READ, ...ranked(9) });
    const within = (sending: number) => [{ zone: 'api', sending }];
    assert.deepEqual(await probe(t, { within: within(0) }), []);
    assert.deepEqual(ids(await probe(t, { within: within(1) })), [read.id]);
    assert.deepEqual(await probe(t, { within: within(1) }), []);
  });

  test('looks no further than where there is room', async (t) => {
    const best = await t.accept({ zone: 'a', ...ranked(1) });
    await t.accept({ zone: 'b', ...ranked(2) });
    await t.accept({ zone: 'a', ...READ, ...ranked(3) });
    assert.deepEqual(ids(await probe(t, { within: [{ zone: 'b', sending: 0 }] })), [best.id]);
  });

  test('what is due is among those it looks at, and other channels are claimed from as ever', async (t) => {
    await fill(t, 2);
    const due = await t.accept({ ...READ, notBefore: t.now + 1, ...ranked(5) });
    const others = [await t.accept({ channel: 'other' }), await t.accept({ channel: 'other', ...READ })];
    t.now += 1;
    const rest = { senders: [''], perCall: 1 };
    const channels = [
      { channel: 'api', calls: 1, probe: 'harmless', ...rest } as const,
      { channel: 'other', calls: 9, ...rest },
    ];
    assert.deepEqual(ids(await t.claim(0, { channels })), ids([due, ...others]));
  });

  test('nothing to try is an empty answer', async (t) => {
    assert.deepEqual(await probe(t), []);
    await t.accept({ expiresAt: t.now + 1 });
    t.now += 1;
    assert.deepEqual(await probe(t), []);
    assert.deepEqual(await t.counts(), { dead: 1 });
  });

  test('looks at all parts in one order, and leases one', async (t) => {
    const best = await t.accept({ channel: 'p', ...ranked(1) });
    const read = await t.accept({ channel: 'q', ...READ, ...ranked(2) });
    const other = await t.accept({ channel: 'p', ...READ, ...ranked(3) });
    const parts = partsOf('p', 'q');
    const claimed = await probe(t, { parts });
    assert.deepEqual(claimed, [await t.get(read.id)]);
    assert.deepEqual(ids(await probe(t, { parts })), [other.id]);
    assert.deepEqual(ids(await probe(t, { parts })), [best.id]);
  });

  test('looks among so many of the parts together', async (t) => {
    await fill(t, PROBE_CANDIDATES, (n) => ({ channel: n % 2 === 0 ? 'p' : 'q', ...ranked(n) }));
    await t.accept({ channel: 'q', ...READ, ...ranked(PROBE_CANDIDATES) });
    assert.equal((await probe(t, { parts: partsOf('p', 'q') }))[0]?.rank, 0);
    assert.equal((await probe(t, { parts: partsOf('p', 'q') }))[0]?.effect, 'read');
  });

  test('leaves parts without calls alone, and names it was not given', async (t) => {
    const late = await t.accept({ channel: 'p', expiresAt: t.now + 1, ...ranked(0) });
    await t.accept({ channel: 'p', ...READ, ...ranked(1) });
    await t.accept({ ...READ, ...ranked(1) });
    const write = await t.accept({ channel: 'q', ...ranked(2) });
    t.now += 1;
    const parts = [
      { channel: 'p', calls: 0 },
      { channel: 'q', calls: 1 },
      { channel: 'none', calls: 1 },
    ];
    assert.deepEqual(ids(await probe(t, { parts })), [write.id]);
    assert.deepEqual(await probe(t, { parts }), []);
    await t.stands(late.id, 'ready');
  });

  test('of parts, those that have room are looked at up to the first that has none', async (t) => {
    const write = await t.accept({ channel: 'p', ...ranked(1) });
    await t.accept({ channel: 'q', ...ranked(2) });
    await t.accept({ channel: 'p', ...READ, ...ranked(3) });
    const within = [{ zone: 'api', channel: 'q', sending: 0 }];
    assert.deepEqual(ids(await probe(t, { parts: partsOf('p', 'q'), within })), [write.id]);
  });
});

/** Accepts one that was sent before, and is ready again. */
async function sent(t: Trial, fields: Partial<NewRequest>): Promise<string> {
  const held = await t.take(fields);
  await t.settle(held, { state: 'ready', reason: 'retry' });
  return held.id;
}

function fresh(t: Trial, fields: Partial<Channel> = {}): Promise<StoredRequest[]> {
  return probe(t, { probe: 'fresh', ...fields });
}

export const claimFreshProbeGroup = group('claim of a probe with what was never sent', (test) => {
  test('one that was never sent goes before what is harmless and before what is better', async (t) => {
    const best = await sent(t, ranked(1));
    const read = await sent(t, { ...READ, ...ranked(0) });
    const never = await t.accept(ranked(3));
    await t.accept({ ...READ, ...ranked(4) });
    const claimed = await fresh(t);
    assert.deepEqual(claimed, [await t.get(never.id)]);
    await t.stands(best, 'ready');
    await t.stands(read, 'ready');
  });

  test('of several that were never sent it is the first, whatever they do', async (t) => {
    const first = await t.accept(ranked(1));
    const read = await t.accept({ ...READ, ...ranked(2) });
    assert.deepEqual(ids(await fresh(t)), [first.id]);
    assert.deepEqual(ids(await fresh(t)), [read.id]);
  });

  test('where all were sent it is the best that is harmless, and else the best', async (t) => {
    const worst = await sent(t, { ...READ, ...ranked(3) });
    const read = await sent(t, { ...READ, ...ranked(2) });
    const best = await sent(t, ranked(1));
    const second = await sent(t, ranked(0.5));
    assert.deepEqual(ids(await fresh(t)), [read]);
    assert.deepEqual(ids(await fresh(t)), [worst]);
    assert.deepEqual(ids(await fresh(t)), [second]);
    assert.deepEqual(ids(await fresh(t)), [best]);
    assert.deepEqual(await fresh(t), []);
  });

  test('what was answered that the server is not available counts as sent', async (t) => {
    const held = await t.take(ranked(1));
    await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now + 5 }, { result: UNAVAILABLE });
    const never = await t.accept(ranked(2));
    t.now += 5;
    assert.deepEqual(ids(await fresh(t)), [never.id]);
    assert.deepEqual(ids(await fresh(t)), [held.id]);
  });

  test('what was leased and proved not sent counts as never sent', async (t) => {
    const before = await sent(t, { ...READ, ...ranked(1) });
    const held = await t.take(ranked(0));
    await t.settle(held, { state: 'ready', reason: 'retry' }, { notSent: true });
    await t.amend({ id: held.id, from: ['ready'], patch: { rank: { form: 'value', value: 2 } } });
    assert.deepEqual(ids(await fresh(t)), [held.id]);
    assert.deepEqual(ids(await fresh(t)), [before]);
  });

  test('looks for one that was never sent among the first so many', async (t) => {
    await fill(t, PROBE_CANDIDATES);
    for (const { id, lease } of await t.claim(PROBE_CANDIDATES)) {
      await t.settle({ id, token: lease?.token ?? 0 }, { state: 'ready', reason: 'retry' });
    }
    const never = await t.accept(ranked(PROBE_CANDIDATES));
    assert.equal((await fresh(t))[0]?.rank, 0);
    assert.deepEqual(ids(await fresh(t)), [never.id]);
  });

  test('ends what is past its deadline before one that was never sent, and leaves what is behind', async (t) => {
    const over = { expiresAt: t.now + 1 };
    await sent(t, { ...READ, ...ranked(1) });
    const late = await t.accept({ ...over, ...ranked(2) });
    const never = await t.accept(ranked(3));
    const behind = await t.accept({ ...over, ...ranked(4) });
    t.now += 1;
    assert.deepEqual(ids(await fresh(t)), [never.id]);
    await t.stands(late.id, 'dead');
    await t.stands(behind.id, 'ready');
  });

  test('looks for one that was never sent in all parts, within what may be sending', async (t) => {
    const before = await sent(t, { channel: 'p', ...ranked(1) });
    const never = await t.accept({ channel: 'q', ...ranked(2) });
    const parts = partsOf('p', 'q');
    const within = (sending: number) => [{ zone: 'api', sending }];
    assert.deepEqual(await fresh(t, { parts, within: within(0) }), []);
    assert.deepEqual(ids(await fresh(t, { parts, within: within(1) })), [never.id]);
    assert.deepEqual(await fresh(t, { parts, within: within(1) }), []);
    assert.deepEqual(ids(await fresh(t, { parts, within: within(2) })), [before]);
  });
});

export const claimProbePastGroup = group('claim of a probe that passes some over', (test) => {
  test('takes the best behind them, and none of them', async (t) => {
    await fill(t, 3 * PROBE_CANDIDATES);
    const [first] = await probe(t, { past: 5 });
    assert.equal(first?.rank, 5);
    const [second] = await probe(t, { past: PROBE_CANDIDATES + 1 });
    assert.equal(second?.rank, PROBE_CANDIDATES + 2);
    assert.deepEqual(await t.counts(), { ready: 3 * PROBE_CANDIDATES - 2, sending: 2 });
  });

  test('looks among the first so many behind them', async (t) => {
    await fill(t, PROBE_CANDIDATES + 3);
    const near = await t.accept({ ...READ, ...ranked(PROBE_CANDIDATES + 3) });
    await t.accept({ ...READ, ...ranked(PROBE_CANDIDATES + 6) });
    assert.equal((await probe(t, { past: 3 }))[0]?.rank, 3);
    assert.deepEqual(ids(await probe(t, { past: 3 })), [near.id]);
  });

  test('goes on from the first behind the last', async (t) => {
    const read = await t.accept({ ...READ, ...ranked(0) });
    await fill(t, 4, (n) => ranked(n + 1));
    assert.deepEqual(ids(await probe(t, { past: 3 })), [read.id]);
    assert.equal((await probe(t, { past: 3 }))[0]?.rank, 4);
  });

  test('counts round where there are no more than it passes over', async (t) => {
    await fill(t, 5);
    const ranks: unknown[] = [];
    for (const past of [1_000 + 7, 6, 1]) ranks.push((await probe(t, { past }))[0]?.rank);
    // Of five the third, of four the third, of three the second.
    assert.deepEqual(ranks, [2, 3, 1]);
    assert.equal((await probe(t, { past: 1 }))[0]?.rank, 4);
    assert.equal((await probe(t, { past: MOST_PASSED }))[0]?.rank, 0);
    assert.deepEqual(await probe(t, { past: MOST_PASSED }), []);
  });

  test('counts over parts and senders together', async (t) => {
    await fill(t, 6, (n) => ({
      channel: n % 2 === 0 ? 'p' : 'q',
      sender: n % 3 === 0 ? '' : 'client:a',
      ...ranked(n),
    }));
    const terms = { senders: ['', 'client:a'], parts: partsOf('p', 'q') };
    assert.equal((await probe(t, { ...terms, past: 3 }))[0]?.rank, 3);
    assert.equal((await probe(t, { ...terms, past: 3 }))[0]?.rank, 4);
  });

  test('ends nothing of what it passes over', async (t) => {
    const over = { expiresAt: t.now + 1 };
    const passed = await t.accept({ ...over, ...ranked(0) });
    const late = await t.accept({ ...over, ...ranked(1) });
    const next = await t.accept({ ...READ, ...ranked(2) });
    t.now += 1;
    assert.deepEqual(ids(await probe(t, { past: 1 })), [next.id]);
    await t.stands(passed.id, 'ready');
    await t.stands(late.id, 'dead');
  });

  test('takes one that was never sent before others', async (t) => {
    await sent(t, { ...READ, ...ranked(2) });
    await sent(t, ranked(1));
    const never = await t.accept(ranked(0));
    assert.deepEqual(ids(await fresh(t, { past: 1 })), [never.id]);
    assert.equal((await fresh(t, { past: 1 }))[0]?.rank, 2);
  });
});
