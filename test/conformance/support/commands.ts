import fc from 'fast-check';
import { REASONS, REQUEST_STATES } from '../../../src/queue/types/states.ts';

/** Small domains, so that random requests meet in lanes, channels, keys and dependencies. */
const pick = fc.nat({ max: 30 });
const channel = fc.constantFrom('x', 'y');
/** A channel is of one zone. */
const ZONES = { x: 'x', y: 'z' } as const;
const senders = ['', 'client:c', 'process:worker-1', 'process:gone'] as const;
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 2 });
/** There once in so many times: what is nearly always refused, or leads nowhere, must not be all that is played. */
const onceIn = <T, Nil>(times: number, value: fc.Arbitrary<T>, nil: Nil) =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(nil) }, { weight: 1, arbitrary: value });
const soon = fc.integer({ min: -20, max: 60 });
const state = fc.constantFrom(...REQUEST_STATES);
const move = fc.record({
  state,
  reason: fc.constantFrom(...REASONS),
  dueIn: fc.option(soon, { nil: undefined }),
});

/** What a request brings from another store. */
const carried = fc.record({
  isHeld: fc.boolean(),
  reason: fc.constantFrom(...REASONS),
  dueIn: optional(soon),
  token: fc.nat({ max: 3 }),
  firstSentIn: optional(soon),
  unresolved: fc.boolean(),
  callers: fc.integer({ min: 0, max: 3 }),
  resultBytes: optional(fc.nat({ max: 40 })),
  told: fc.boolean(),
});

const newRequest = fc
  .record({
    /** Offers an earlier id again instead of a new one. */
    again: onceIn(8, pick, null),
    channel,
    sender: fc.constantFrom(...senders),
    ephemeral: fc.boolean(),
    harmless: fc.boolean(),
    lane: optional(fc.constantFrom('a', 'b')),
    after: fc.oneof(
      { weight: 3, arbitrary: fc.constant<number[]>([]) },
      { weight: 1, arbitrary: fc.array(pick, { maxLength: 2 }) },
    ),
    principal: fc.constantFrom('ann', 'bob'),
    key: onceIn(4, fc.constantFrom('k1', 'k2'), null),
    fingerprint: optional(fc.constantFrom('00000000000000f1', '00000000000000f2')),
    digest: optional(fc.constantFrom('d1', 'd2')),
    join: fc.oneof(
      { weight: 2, arbitrary: fc.constant({ rule: 'none' as const }) },
      { weight: 1, arbitrary: fc.constant({ rule: 'tail' as const }) },
      { weight: 1, arbitrary: fc.record({ rule: fc.constant('window' as const), ago: fc.nat({ max: 80 }) }) },
    ),
    rank: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ form: fc.constant('value' as const), value: fc.integer({ min: -3, max: 9 }) }),
      },
      { weight: 1, arbitrary: fc.constant({ form: 'negatedSeq' as const }) },
    ),
    priority: fc.integer({ min: 1, max: 10 }),
    notBeforeIn: onceIn(3, soon, null),
    expiresIn: onceIn(3, soon, null),
    tags: fc.subarray(['t', 'u']),
    bytes: fc.nat({ max: 50 }),
    carried: onceIn(3, carried, null),
  })
  .map((request) => ({ ...request, zone: ZONES[request.channel] }));

const change = fc.record({
  pick,
  from: onceIn(4, fc.subarray([...REQUEST_STATES]), null),
  neverSent: onceIn(4, fc.boolean(), undefined),
  callers: onceIn(5, fc.integer({ min: 1, max: 2 }), undefined),
  reason: onceIn(8, fc.constantFrom(...REASONS), undefined),
  to: fc.option(move, { nil: undefined, freq: 3 }),
  patch: fc.record(
    {
      priority: fc.integer({ min: 1, max: 10 }),
      rank: fc.integer({ min: -5, max: 12 }),
      expiresIn: fc.option(soon, { nil: null }),
      sender: fc.constantFrom(...senders),
      base: fc.constantFrom(null, 1, { v: [2] }),
      unresolved: fc.boolean(),
      told: fc.boolean(),
      callers: fc.integer({ min: -1, max: 2 }),
      resultBytes: fc.nat({ max: 9 }),
    },
    { requiredKeys: [] },
  ),
});

const settlement = fc.record({
  pick,
  /** Added to the current token: mostly nothing. */
  stale: fc.constantFrom(0, 0, 0, 0, 1, -1),
  next: fc.oneof(
    { weight: 2, arbitrary: move },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        { state: 'succeeded' as const, reason: 'applied' as const, dueIn: undefined },
        { state: 'dead' as const, reason: 'rejected' as const, dueIn: undefined },
        { state: 'scheduled' as const, reason: 'retry' as const, dueIn: 5 },
        { state: 'unknown' as const, reason: 'unanswered' as const, dueIn: 3 },
      ),
    },
  ),
  notSent: fc.boolean(),
  unresolved: fc.boolean(),
  resultBytes: optional(fc.nat({ max: 40 })),
  bind: optional(fc.constantFrom('local-1', 'local-2')),
  end: fc.array(
    fc.record({ pick, state: fc.constantFrom('dead' as const, 'superseded' as const, 'cancelled' as const) }),
    { maxLength: 2 },
  ),
  amend: fc.array(change, { maxLength: 1 }),
});

const filter = fc.record(
  {
    picks: fc.array(pick, { maxLength: 4 }),
    key: fc.constantFrom('k1', 'k2'),
    state: fc.oneof(state, fc.subarray([...REQUEST_STATES])),
    reason: fc.constantFrom(...REASONS),
    zone: fc.constantFrom('x', 'z'),
    lane: fc.constantFrom('a', 'b'),
    principal: fc.constantFrom('ann', 'bob'),
    tags: fc.subarray(['t', 'u']),
    before: soon,
    after: soon,
  },
  { requiredKeys: [] },
);

const verb = <Name extends string, Fields>(
  name: Name,
  fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> },
): fc.Arbitrary<Fields & { verb: Name }> => fc.record(fields).map((given) => ({ verb: name, ...(given as Fields) })); // all keys are required

const limit = fc.integer({ min: 1, max: 5 });
const askedSenders = fc.subarray([...senders], { minLength: 1 });

/** One verb, or a step of the clocks. Numbers in `pick` choose among the ids accepted so far. */
export const command = fc.oneof(
  {
    weight: 10,
    arbitrary: verb('enqueue', {
      requests: fc.array(newRequest, { minLength: 1, maxLength: 4 }),
      atomic: fc.boolean(),
      maxSize: fc.constantFrom(6, 1000, 1000),
      maxBytes: fc.constantFrom(150, 100_000, 100_000),
      calls: optional(fc.integer({ min: 0, max: 3 })),
    }),
  },
  {
    weight: 6,
    arbitrary: verb('claim', { channels: fc.uniqueArray(channel, { minLength: 1 }), askedSenders, calls: limit }),
  },
  { weight: 8, arbitrary: verb('settle', { settlements: fc.array(settlement, { minLength: 1, maxLength: 4 }) }) },
  { weight: 6, arbitrary: verb('amend', { changes: fc.array(change, { minLength: 1, maxLength: 3 }) }) },
  { weight: 2, arbitrary: verb('claimUnknown', { askedSenders, limit, until: soon }) },
  { weight: 1, arbitrary: verb('renew', { picks: fc.array(pick, { maxLength: 3 }), until: fc.nat({ max: 90_000 }) }) },
  { weight: 2, arbitrary: verb('recover', { limit }) },
  { weight: 2, arbitrary: verb('expire', { limit }) },
  {
    weight: 2,
    arbitrary: verb('purge', {
      limit,
      keepAfter: fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 3),
      picks: fc.option(fc.array(pick, { maxLength: 3 }), { nil: undefined, freq: 2 }),
      retention: fc.record({
        succeededMs: fc.nat({ max: 60 }),
        deadMs: fc.nat({ max: 60 }),
        maxRecords: fc.constantFrom(0, 3, 1000),
        maxBytes: fc.constantFrom(60, 100_000),
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: verb('find', { filter, order: fc.constantFrom('accepted' as const, 'ended' as const), limit }),
  },
  { weight: 1, arbitrary: verb('count', { filter }) },
  {
    weight: 3,
    arbitrary: verb('nextDueAt', { channels: fc.uniqueArray(channel), askedSenders, afterIn: optional(soon) }),
  },
  // mostly forwards, sometimes back, sometimes far
  {
    weight: 5,
    arbitrary: verb('step', {
      now: fc.constantFrom(1, 5, 20, 60, -30, 86_400_000, -86_400_000),
      leaseNow: fc.constantFrom(1, 5, 20_000),
    }),
  },
);

export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;
export type CarriedCommand = typeof carried extends fc.Arbitrary<infer T> ? T : never;
export type ChangeCommand = typeof change extends fc.Arbitrary<infer T> ? T : never;
export type MoveCommand = typeof move extends fc.Arbitrary<infer T> ? T : never;
