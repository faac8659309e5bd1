import assert from 'node:assert/strict';
import type { Entry, EntryLane } from '../../../src/queue/backends/memory/Entry.ts';
import type { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import { isTerminal } from '../../../src/queue/types/states.ts';

const same = (actual: Iterable<Entry>, expected: Iterable<Entry>, what: string): void => {
  const ids = (entries: Iterable<Entry>) => [...entries].map(({ input }) => input.id).sort();
  assert.deepEqual(ids(actual), ids(expected), what);
};

/** Compares every index and counter of a memory store with what a look at all its requests gives. */
export function assertConsistent(storage: MemoryStorage, after: string): void {
  const entries = [...storage.entries.values()];
  const live = entries.filter(({ state }) => !isTerminal(state));
  const ended = entries.filter(({ state }) => isTerminal(state));
  const inState = (state: string) => live.filter((entry) => entry.state === state);

  assert.equal(storage.live, live.length, `live after ${after}`);
  assert.equal(
    storage.liveBytes,
    sum(live, ({ input }) => input.bytes),
    `liveBytes after ${after}`,
  );
  const size = ({ input, result }: Entry) => input.bytes + (result?.body?.byteLength ?? 0);
  assert.equal(storage.endedBytes, sum(ended, size), `endedBytes after ${after}`);
  assertCounters(storage, entries, after);

  const partitions = [...storage.partitions()];
  same(storage.sending, inState('sending'), `sending after ${after}`);
  for (const state of ['ready', 'scheduled', 'unknown'] as const) {
    same(
      partitions.flatMap((partition) => [...partition[state]]),
      inState(state),
      `${state} index after ${after}`,
    );
  }
  for (const partition of partitions) {
    const own = live.filter((entry) => entry.partition === partition);
    assert.equal(partition.live, own.length, `live of a partition after ${after}`);
    if (partition.members !== null) same(partition.members, own, `members after ${after}`);
    for (const entry of own) assert.equal(entry.input.sender, partition.sender);
    for (const entry of partition.ready) assert.equal(entry.heapKey, entry.rank, `key of ready after ${after}`);
    for (const entry of partition.scheduled)
      assert.equal(entry.heapKey, entry.dueAt, `key of scheduled after ${after}`);
    for (const node of partition.expiry) assert.equal(node.heapKey, node.entry.input.expiresAt);
  }
  const expiring = live.filter(
    ({ state, input, progress }) =>
      input.expiresAt !== null && state !== 'sending' && state !== 'unknown' && !progress.unresolved,
  );
  same(
    partitions.flatMap(({ expiry }) => [...expiry].map(({ entry }) => entry)),
    expiring,
    `expiry after ${after}`,
  );

  same(storage.accepted.since(0), entries, `accepted log after ${after}`);
  same(storage.ended.since(0), ended, `ended log after ${after}`);
  same([...storage.endedWell.since(0), ...storage.endedDead.since(0)], ended, `purge logs after ${after}`);
  assertLanes(storage, live, after);
  assertPlaces(live, after);
  assertTies(live, entries, after);
  for (const { input, state, reason, bundle } of entries) {
    if (bundle !== null)
      assert.deepEqual([state, reason], ['dead', 'abandoned'], `bundle of ${input.id} after ${after}`);
  }
  for (const { boundAt } of storage.bindings.values()) assert.ok(boundAt >= storage.oldestBoundAt, `bound ${after}`);
}

function assertCounters(storage: MemoryStorage, entries: readonly Entry[], after: string): void {
  const counted = new Map<string, number>();
  for (const { input, state } of entries) {
    const name = JSON.stringify([input.zone, input.channel, isTerminal(state) ? '' : input.sender, state]);
    counted.set(name, (counted.get(name) ?? 0) + 1);
  }
  for (const tally of storage.tallies()) {
    for (const state of new Set(entries.map((entry) => entry.state))) {
      const name = JSON.stringify([tally.zone, tally.channel, tally.sender, state]);
      assert.equal(tally.count(state), counted.get(name) ?? 0, `count of ${name} after ${after}`);
      counted.delete(name);
    }
  }
  assert.deepEqual([...counted], [], `counters that are missing after ${after}`);
  assertTraffic(storage, entries, after);
}

function assertTraffic({ traffic }: MemoryStorage, entries: readonly Entry[], after: string): void {
  const sums = new Map<string, number>();
  for (const { state, input } of entries) {
    for (const channel of [undefined, input.channel]) {
      const name = JSON.stringify([input.zone, channel]);
      sums.set(name, (sums.get(name) ?? 0) + (state === 'sending' ? 1 : 0));
    }
  }
  for (const [name, sum] of sums) {
    const [zone, channel] = JSON.parse(name) as [string, string | null];
    assert.equal(traffic.sending(zone, channel ?? undefined), sum, `traffic of ${name} after ${after}`);
  }
}

function assertLanes(storage: MemoryStorage, live: readonly Entry[], after: string): void {
  for (const [name, lane] of storage.lanes) {
    const members = linked(lane);
    same(
      members,
      live.filter(({ input }) => input.lane === name),
      `lane ${name} after ${after}`,
    );
    assert.ok(members.length > 0, `lane ${name} is dropped once empty, after ${after}`);
    for (const [index, { state, seq }] of members.entries()) {
      if (index === 0) continue;
      assert.ok(state === 'blocked' || state === 'held', `${state} behind the head of ${name} after ${after}`);
      assert.ok(seq > (members[index - 1]?.seq ?? 0), `order of lane ${name} after ${after}`);
    }
    const waiting = members.slice(1).filter(({ state }) => state === 'blocked');
    same(lane.waiting ?? [], waiting, `waiting of lane ${name} after ${after}`);
  }
  const aliases = [...storage.lanes].flatMap(([name, lane]) =>
    (lane.aliases ?? []).map((alias) => [alias, name] as const),
  );
  assert.deepEqual([...storage.aliases].sort(), aliases.sort(), `aliases after ${after}`);
  for (const [alias] of aliases) assert.ok(!storage.lanes.has(alias), `${alias} has members after ${after}`);
  const laned = new Set(live.flatMap(({ input }) => input.lane ?? []));
  assert.deepEqual([...storage.lanes.keys()].sort(), [...laned].sort(), `lanes after ${after}`);
}

/** Who is waited for, and by whom, is what live requests say. */
function assertTies(live: readonly Entry[], entries: readonly Entry[], after: string): void {
  for (const entry of entries) {
    const { id } = entry.input;
    const naming = live.filter(({ input }) => input.after.includes(id));
    assert.equal(entry.ties?.awaitedBy ?? 0, naming.length, `awaited ${id} after ${after}`);
    same(entry.ties?.dependants ?? [], isTerminal(entry.state) ? [] : naming, `dependants of ${id} after ${after}`);
  }
}

/** What is blocked has something ahead of it; what is ready or scheduled has nothing. */
function assertPlaces(live: readonly Entry[], after: string): void {
  for (const entry of live) {
    const { state, lane, ties, input } = entry;
    const open = (ties?.predecessors ?? []).filter((predecessor) => !isTerminal(predecessor.state)).length;
    assert.equal(ties?.open ?? 0, open, `open predecessors of ${input.id} after ${after}`);
    const isBehind = lane !== null && lane.head !== entry;
    if (state === 'blocked') assert.ok(isBehind || open > 0, `${input.id} is blocked by nothing after ${after}`);
    if (state === 'ready' || state === 'scheduled') {
      assert.ok(!isBehind && open === 0, `${input.id} is ${state} too early after ${after}`);
    }
  }
}

function linked(lane: EntryLane): Entry[] {
  const members: Entry[] = [];
  for (let entry = lane.head; entry !== null; entry = entry.laneAfter) members.push(entry);
  assert.equal(lane.tail, members.at(-1) ?? null);
  return members;
}

function sum(entries: readonly Entry[], of: (entry: Entry) => number): number {
  return entries.reduce((total, entry) => total + of(entry), 0);
}
