import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { RequestState } from '../../../src/queue/types/states.ts';
import { REQUEST_STATES } from '../../../src/queue/types/states.ts';
import type { Move } from '../../../src/queue/types/store.ts';
import { newRequest, opening } from './support.ts';

/** Each opens a database of its own: about 200 ms. */
const RUNS = 40;
const START = 1_700_000_000_000;
const CHANNELS = ['a', 'b'];
const SENDERS = ['', 'client:c', 'process:w2'];
const WORKERS = ['w1', 'w2'];

const index = fc.nat({ max: 15 });
const state = fc.constantFrom(...REQUEST_STATES);
const moveOf = fc.record({
  state: fc.constantFrom<RequestState>('ready', 'scheduled', 'held', 'unknown', 'succeeded', 'dead', 'cancelled'),
  reason: fc.constantFrom('retry', 'applied', 'operator', 'rejected', 'released', 'unanswered'),
  in: fc.option(fc.integer({ min: -50, max: 300 }), { nil: undefined }),
});

const newcomer = fc.record({
  n: index,
  channel: fc.constantFrom(...CHANNELS),
  sender: fc.constantFrom(...SENDERS),
  lane: fc.constantFrom(null, null, 'l1', 'l2'),
  after: fc.uniqueArray(index, { maxLength: 2 }),
  withAfter: fc.constantFrom(false, false, true),
  key: fc.constantFrom(null, null, null, 'k1', 'k2'),
  digest: fc.constantFrom('d1', 'd2'),
  join: fc.constantFrom('none', 'none', 'tail', 'window'),
  rank: fc.option(fc.integer({ min: -5, max: 5 }), { nil: null }),
  priority: fc.integer({ min: 1, max: 10 }),
  notBefore: fc.constantFrom(null, null, 20, 200),
  expires: fc.constantFrom(null, null, 50, 400),
  flags: fc.record({ ephemeral: fc.boolean(), harmless: fc.boolean() }),
  principal: fc.constantFrom('ann', 'bob'),
});

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      verb: fc.constant('enqueue' as const),
      requests: fc.array(newcomer, { minLength: 1, maxLength: 3 }),
      atomic: fc.boolean(),
      claims: fc.constantFrom(0, 1, 5),
      maxSize: fc.constantFrom(6, 1000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant('claim' as const),
      channels: fc.subarray(CHANNELS, { minLength: 1 }),
      senders: fc.subarray(SENDERS, { minLength: 1 }),
      calls: fc.integer({ min: 1, max: 3 }),
      worker: fc.constantFrom(...WORKERS),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      verb: fc.constant('settle' as const),
      items: fc.array(
        fc.record({
          n: index,
          stale: fc.constantFrom(false, false, false, true),
          next: moveOf,
          notSent: fc.boolean(),
          result: fc.boolean(),
          end: fc.option(index, { nil: undefined }),
          amend: fc.option(index, { nil: undefined }),
          bind: fc.boolean(),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant('amend' as const),
      n: index,
      from: fc.subarray([...REQUEST_STATES], { minLength: 3 }),
      neverSent: fc.boolean(),
      to: fc.option(moveOf, { nil: undefined }),
      patch: fc.record(
        {
          rank: fc.integer({ min: -9, max: 9 }),
          sender: fc.constantFrom(...SENDERS),
          told: fc.boolean(),
          callers: fc.integer({ min: -1, max: 1 }),
          expires: fc.constantFrom(null, 30, 500),
          base: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ verb: fc.constant('claimUnknown' as const), limit: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('recover' as const) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('expire' as const), limit: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant('purge' as const),
      limit: fc.integer({ min: 1, max: 4 }),
      keptMs: fc.constantFrom(0, 100),
      maxRecords: fc.constantFrom(0, 3, 100),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('renew' as const), n: index }) },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant('look' as const),
      order: fc.constantFrom('accepted' as const, 'ended' as const),
      state,
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 150 }) }) },
);
type Generated<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Command = Generated<typeof command>;

/** Plays commands on one backend; two players given the same commands must tell the same. */
class Player {
  readonly #backend: Backend;
  readonly #tokens = new Map<string, number>();
  #now = START;
  #leaseNow = 1_000_000;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async play(one: Command): Promise<unknown> {
    const { requests } = this.#backend;
    const now = this.#now;
    const channels = CHANNELS.map((channel) => ({ channel, senders: SENDERS }));
    switch (one.verb) {
      case 'enqueue': {
        const results = await requests.enqueue({
          requests: one.requests.map((request) => this.#request(request)),
          atomic: one.atomic,
          now,
          limits: { maxSize: one.maxSize, maxBytes: 1_000_000 },
          claim:
            one.claims === 0
              ? null
              : { worker: 'w1', leaseUntil: this.#leaseNow + 100, allowance: [{ channel: 'a', calls: one.claims }] },
        });
        for (const result of results) {
          if (result.status === 'accepted' && result.token !== null) this.#tokens.set(result.id, result.token);
        }
        return results.map((result) => (result.status === 'refused' ? { ...result, detail: '' } : result));
      }
      case 'claim': {
        const { claimed, ended } = await requests.claim({
          worker: one.worker,
          now,
          leaseUntil: this.#leaseNow + 100,
          channels: one.channels.map((channel) => ({ channel, senders: one.senders, calls: one.calls, perCall: 1 })),
        });
        this.#remember(claimed);
        return { claimed, ended };
      }
      case 'claimUnknown': {
        const claimed = await requests.claimUnknown({ worker: 'w1', now, until: now + 60, limit: one.limit, channels });
        this.#remember(claimed);
        return claimed;
      }
      case 'settle':
        return requests.settle({
          now,
          settlements: one.items.map((item) => ({
            id: idOf(item.n),
            token: (this.#tokens.get(idOf(item.n)) ?? 1) + (item.stale ? 1 : 0),
            next: this.#move(item.next),
            progress: { ...NO_PROGRESS, faults: item.n },
            notSent: item.notSent,
            result: item.result ? { status: 200, headers: [['a', 'b']], body: new Uint8Array([1, 2, 3]) } : undefined,
            end:
              item.end === undefined || item.end === item.n
                ? undefined
                : [{ id: idOf(item.end), state: 'dead', reason: 'abandoned' }],
            amend:
              item.amend === undefined || item.amend === item.n
                ? undefined
                : [{ id: idOf(item.amend), from: REQUEST_STATES, to: this.#move(item.next), patch: { told: true } }],
            bind: item.bind
              ? [{ localId: `local${item.n}`, serverId: 's', type: 't', zone: 'z', requestId: idOf(item.n) }]
              : undefined,
          })),
        });
      case 'amend': {
        const { expires, base, ...patch } = one.patch;
        return requests.amend({
          now,
          changes: [
            {
              id: idOf(one.n),
              from: one.from,
              neverSent: one.neverSent,
              to: one.to === undefined ? undefined : this.#move(one.to),
              patch: {
                ...patch,
                ...(expires !== undefined && { expiresAt: expires === null ? null : now + expires }),
                ...(base === true && { base: { v: [1, 'ü'] } }),
              },
            },
          ],
        });
      }
      case 'recover': {
        const { recovered, ended, more } = await requests.recover({
          worker: 'w1',
          now,
          leaseNow: this.#leaseNow,
          limit: 1000,
        });
        return { recovered: byId(recovered), ended: ended.map(({ id }) => id).sort(), more };
      }
      case 'expire':
        return requests.expire({ now, limit: one.limit });
      case 'purge':
        return requests.purge({
          now,
          limit: one.limit,
          keepAfter: Number.MAX_SAFE_INTEGER,
          retention: { succeededMs: one.keptMs, deadMs: one.keptMs * 2, maxRecords: one.maxRecords, maxBytes: 60 },
        });
      case 'renew':
        return requests.renew({
          worker: 'w1',
          leases: [{ id: idOf(one.n), token: this.#tokens.get(idOf(one.n)) ?? 1 }],
          leaseUntil: this.#leaseNow + 200,
        });
      case 'look':
        return [
          await requests.find({ filter: { state: [one.state, 'dead'] }, order: one.order, after: 2, limit: one.limit }),
          await requests.nextDueAt({ channels }),
          await requests.bindings({ localIds: ['local1', 'local2', 'local3'] }),
        ];
      case 'wait':
        this.#now += one.ms;
        this.#leaseNow += one.ms;
        return undefined;
    }
  }

  async everything(): Promise<unknown> {
    const { requests } = this.#backend;
    const all = await requests.find({ filter: {}, order: 'accepted', after: null, limit: 1000 });
    const ended = await requests.find({ filter: {}, order: 'ended', after: null, limit: 1000 });
    const counts = await requests.count({});
    const looked = await requests.count({ filter: {} });
    return [all, ended.requests.map(({ id }) => id), byName(counts), byName(looked)];
  }

  #remember(claimed: readonly { readonly id: string; readonly lease: { readonly token: number } | null }[]): void {
    for (const { id, lease } of claimed) if (lease !== null) this.#tokens.set(id, lease.token);
  }

  #move(move: Generated<typeof moveOf>): Move {
    // Any pair of state and reason will do: stores take what they are given.
    return {
      state: move.state,
      reason: move.reason,
      dueAt: move.in === undefined ? undefined : this.#now + move.in,
    } as Move;
  }

  #request(fields: Generated<typeof newcomer>) {
    const at = (ms: number | null): number | null => (ms === null ? null : this.#now + ms);
    return newRequest({
      id: idOf(fields.n),
      zone: fields.channel,
      channel: fields.channel,
      sender: fields.sender,
      lane: fields.lane,
      after: fields.withAfter ? fields.after.filter((n) => n !== fields.n).map(idOf) : [],
      key: fields.key,
      digest: fields.digest,
      fingerprint: '00ff00ff00ff00ff',
      join:
        fields.join === 'window'
          ? { rule: 'window', since: this.#now - 100 }
          : { rule: fields.join as 'none' | 'tail' },
      rank: fields.rank === null ? { form: 'negatedSeq' } : { form: 'value', value: fields.rank },
      priority: fields.priority,
      notBefore: at(fields.notBefore),
      expiresAt: at(fields.expires),
      acceptedAt: this.#now,
      principal: fields.principal,
      ...fields.flags,
    });
  }
}

function idOf(n: number): string {
  return `01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, '0')}`;
}

function byId<T extends { readonly id: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function byName(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();
}

describe('SQLite against the memory oracle', () => {
  it('gives the same answers to random sequences of verbs', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 60 }), async (commands) => {
        const backends: Backend[] = [new MemoryBackend(), new SQLiteBackend({ path: ':memory:' })];
        try {
          for (const backend of backends) await backend.open(opening('w1', { leaseNow: 1_000_000, leaseMs: 1e9 }));
          const [oracle, subject] = backends.map((backend) => new Player(backend)) as [Player, Player];
          for (const one of commands) {
            expect(await subject.play(one)).toEqual(await oracle.play(one));
            expect(await subject.everything()).toEqual(await oracle.everything());
          }
        } finally {
          for (const backend of backends) await backend.close();
        }
      }),
      {
        numRuns: RUNS,
        interruptAfterTimeLimit: 60_000,
      },
    );
  });
});
