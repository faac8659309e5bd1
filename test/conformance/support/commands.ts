import fc from 'fast-check';
import type { Effect, Intent, Json } from '../../../src/queue/types/request.ts';
import { REASONS, REQUEST_STATES } from '../../../src/queue/types/states.ts';

/** Small domains, so that random requests meet in lanes, channels, keys and dependencies. */
const pick = fc.noBias(fc.nat({ max: 30 }));
const channel = fc.constantFrom('x', 'x', 'y', 'y', 'w');
/** A channel is of one zone. */
const ZONES = { x: 'x', y: 'z', w: 'x' } as const;
const senders = ['', 'client:c', 'process:worker-1', 'process:gone'] as const;
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 2 });
const optionalField = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
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

const flowRank = fc.record({
  form: fc.constant('flow' as const),
  group: fc.constantFrom('x', 'x', 'g'),
  flow: fc.constantFrom('f1', 'f2', 'f3', 'ä'),
  weight: fc.constantFrom(1, 1, 3, 0.3, 7),
});
/** Of the size of flow ranks, so that each form now and then is better than another. */
const value = (min: number, max: number) =>
  fc.record({ form: fc.constant('value' as const), value: fc.integer({ min, max }) });
const rankOf = (min: number, max: number) =>
  fc.oneof(
    { weight: 3, arbitrary: value(min, max) },
    { weight: 1, arbitrary: fc.constant({ form: 'negatedSeq' as const }) },
    { weight: 2, arbitrary: flowRank },
  );

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

const result = fc.nat({ max: 40 });

/** Few, so that writes and firings meet; in an order that is not the one of code units. */
const scheduleName = fc.constantFrom('a', 'a', 'b', '\uffee', '🌙');
/** Added to the version that is expected to be stored: mostly nothing. */
const stale = onceIn(6, fc.constantFrom(1, -1), 0);
const dueIn = optional(fc.oneof(soon, fc.double({ min: -20, max: 60, noNaN: true })));
const scheduleData = fc.constantFrom<Json>(null, 0, 'ä"\u0000', { at: 1.5, list: [[], {}] });

const fires = fc.record({ name: scheduleName, stale, dueIn, data: scheduleData });

/** A place to take: that of any request, or (null) of the last one of its lane, which mostly may be taken. */
const replaces = fc.record({
  pick: onceIn(6, pick, null),
  resultBytes: onceIn(3, result, null),
});

const newRequest = fc
  .record({
    /** Offers an earlier id again instead of a new one. */
    again: onceIn(8, pick, null),
    channel,
    effect: fc.constantFrom<Effect>('action', 'action', 'action', 'create', 'relative', 'read', 'absolute', 'delete'),
    sender: fc.constantFrom(...senders),
    ephemeral: fc.boolean(),
    harmless: fc.boolean(),
    lane: optional(fc.constantFrom('a', 'a', 'b', 's')),
    after: fc.oneof(
      { weight: 2, arbitrary: fc.constant<number[]>([]) },
      { weight: 1, arbitrary: fc.array(pick, { maxLength: 2 }) },
    ),
    principal: fc.constantFrom('ann', 'bob'),
    key: onceIn(6, fc.constantFrom('k1', 'k2'), null),
    fingerprint: optional(fc.constantFrom('00000000000000f1', '00000000000000f2')),
    digest: optional(fc.constantFrom('d1', 'd2')),
    join: fc.oneof(
      { weight: 2, arbitrary: fc.constant({ rule: 'none' as const }) },
      { weight: 1, arbitrary: fc.constant({ rule: 'tail' as const }) },
      { weight: 1, arbitrary: fc.record({ rule: fc.constant('window' as const), ago: fc.nat({ max: 80 }) }) },
    ),
    rank: rankOf(-3, 9),
    priority: fc.integer({ min: 1, max: 10 }),
    notBeforeIn: onceIn(5, soon, null),
    expiresIn: onceIn(4, soon, null),
    tags: fc.subarray(['t', 'u']),
    bytes: fc.nat({ max: 50 }),
    onFailure: fc.constantFrom(undefined, 'continue' as const, 'halt' as const, 'cascade' as const, 'cascade' as const),
    intent: onceIn(
      5,
      fc.constantFrom<Intent>({}, { resource: 'ä"\u0000', localId: 'l' }, { yields: '/id/0', onUnknown: 'drop' }),
      undefined,
    ),
    replaces: onceIn(5, replaces, null),
    carried: onceIn(6, carried, null),
    fires: onceIn(6, fires, null),
  })
  .map((request) => {
    const zone = ZONES[request.channel];
    if (request.replaces === null) return { ...request, zone };
    return { ...request, zone, lane: request.lane ?? 'a', carried: null };
  });

/** One that is accepted and goes on, unless those before it in its lane or those it comes after do not. */
const plainRequest = newRequest.map((request) => ({
  ...request,
  again: null,
  sender: '' as const,
  key: null,
  notBeforeIn: null,
  expiresIn: null,
  replaces: null,
  carried: null,
  fires: null,
}));

/** A few local ids, so that some are bound already; lanes of which the second often is empty. */
const binding = fc.record({
  localId: fc.constantFrom('l1', 'l2', 'l3', 'l4', 'l5', 'l6'),
  serverId: fc.constantFrom<string | number>(7, '7', 0, '', -1.5, 2 ** 53 - 1, 'ä'),
  boundIn: fc.constantFrom(0, 0, -10, 5),
  alias: optionalField(fc.record({ local: fc.constantFrom('a', 'a', 'b'), server: fc.constantFrom('s', 's', 'b') })),
});
const bindings = fc.array(binding, { minLength: 1, maxLength: 2 });

const change = fc.record({
  pick,
  from: onceIn(6, fc.subarray([...REQUEST_STATES]), null),
  neverSent: onceIn(6, fc.boolean(), undefined),
  callers: onceIn(8, fc.integer({ min: 1, max: 2 }), undefined),
  reason: onceIn(8, fc.constantFrom(...REASONS), undefined),
  to: fc.oneof(
    { weight: 2, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: move },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        { state: 'ready' as const, reason: 'released' as const, dueIn: undefined },
        { state: 'held' as const, reason: 'operator' as const, dueIn: undefined },
        { state: 'dead' as const, reason: 'discarded' as const, dueIn: undefined },
        { state: 'cancelled' as const, reason: 'caller' as const, dueIn: undefined },
      ),
    },
  ),
  bind: onceIn(5, bindings, undefined),
  patch: fc.record(
    {
      priority: fc.integer({ min: 1, max: 10 }),
      rank: rankOf(-5, 12),
      raise: fc.oneof(value(-5, 12), flowRank),
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
  stale: onceIn(8, fc.constantFrom(1, -1), 0),
  next: fc.oneof(
    { weight: 2, arbitrary: move },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        { state: 'ready' as const, reason: 'accepted' as const, dueIn: undefined },
        { state: 'succeeded' as const, reason: 'applied' as const, dueIn: undefined },
        { state: 'dead' as const, reason: 'rejected' as const, dueIn: undefined },
        { state: 'dead' as const, reason: 'exhausted' as const, dueIn: undefined },
        { state: 'scheduled' as const, reason: 'retry' as const, dueIn: 5 },
        { state: 'unknown' as const, reason: 'unanswered' as const, dueIn: 3 },
        { state: 'superseded' as const, reason: 'remoteWins' as const, dueIn: undefined },
      ),
    },
  ),
  notSent: fc.boolean(),
  unresolved: fc.boolean(),
  generation: onceIn(4, fc.nat({ max: 3 }), undefined),
  resultBytes: optional(result),
  patch: onceIn(
    4,
    fc.record(
      {
        body: fc.constantFrom(null, '', 'ä', new Uint8Array(), new Uint8Array([0, 255])),
        base: fc.constantFrom(null, 3),
      },
      { requiredKeys: [] },
    ),
    undefined,
  ),
  bind: onceIn(2, bindings, undefined),
  end: fc.array(
    fc.record({
      pick,
      state: fc.constantFrom('dead' as const, 'superseded' as const, 'cancelled' as const),
      reason: fc.constantFrom('squashed' as const, 'squashed' as const, 'moved' as const, 'spilled' as const),
    }),
    { maxLength: 2 },
  ),
  amend: fc.array(change, { maxLength: 1 }),
});

const fields = fc.record(
  {
    picks: fc.array(pick, { maxLength: 4 }),
    key: fc.constantFrom('k1', 'k2'),
    state: fc.oneof(state, fc.subarray([...REQUEST_STATES])),
    reason: fc.constantFrom(...REASONS),
    zone: fc.constantFrom('x', 'z'),
    lane: fc.constantFrom('a', 'b', 's'),
    principal: fc.constantFrom('ann', 'bob'),
    tags: fc.subarray(['t', 'u']),
    before: soon,
    after: soon,
  },
  { requiredKeys: [] },
);

/** A bundle is one of those there are, if any. */
const filter = fc.oneof(
  { weight: 2, arbitrary: fields },
  {
    weight: 1,
    arbitrary: fc.record(
      { bundle: pick, principal: fc.constantFrom('ann', 'bob'), state: fc.constant('dead' as const) },
      { requiredKeys: ['bundle'] },
    ),
  },
);

const verb = <Name extends string, Fields>(
  name: Name,
  fields: { [Key in keyof Fields]: fc.Arbitrary<Fields[Key]> },
): fc.Arbitrary<Fields & { verb: Name }> => fc.record(fields).map((given) => ({ verb: name, ...(given as Fields) })); // all keys are required

const limit = fc.integer({ min: 1, max: 5 });
const within = fc.array(
  fc.oneof(
    fc.record({ zone: fc.constantFrom('x', 'x', 'z'), sending: fc.nat({ max: 6 }) }),
    fc.record({ zone: fc.constantFrom('x', 'x', 'z'), channel, sending: fc.nat({ max: 4 }) }),
    fc.record({
      zone: fc.constantFrom('x', 'z'),
      channel,
      with: fc.uniqueArray(channel, { maxLength: 2 }),
      sending: fc.nat({ max: 4 }),
    }),
  ),
  { maxLength: 3 },
);
/** Of names of all channels: what is stored under them is of several zones then. */
const parts = fc.uniqueArray(
  fc.record({ channel: fc.constantFrom('x', 'y', 'w', 'none'), calls: fc.nat({ max: 3 }) }),
  {
    maxLength: 3,
    selector: ({ channel }) => channel,
  },
);
/** What a claim asks of each of its channels beside its permits. */
const terms = fc.record({
  within: onceIn(2, within, undefined),
  parts: onceIn(2, parts, undefined),
  perCall: fc.constantFrom(1, 1, 2),
  probe: onceIn(4, fc.constantFrom('harmless' as const, 'fresh' as const), undefined),
  past: onceIn(2, fc.nat({ max: 20 }), undefined),
});
const askedSenders = fc.subarray([...senders], { minLength: 1 });

/** One verb, or a step of the clocks. Numbers in `pick` choose among the ids accepted so far. */
export const command = fc.oneof(
  {
    weight: 3,
    arbitrary: verb('enqueue', {
      requests: fc.array(plainRequest, { minLength: 3, maxLength: 6 }),
      atomic: fc.constant(false),
      maxSize: fc.constant(1000),
      maxBytes: fc.constant(100_000),
      calls: fc.constantFrom(null, 2),
      within: onceIn(3, within, undefined),
    }),
  },
  {
    weight: 10,
    arbitrary: verb('enqueue', {
      requests: fc.array(newRequest, { minLength: 1, maxLength: 5 }),
      atomic: onceIn(3, fc.constant(true), false),
      maxSize: onceIn(10, fc.constant(6), 1000),
      maxBytes: onceIn(10, fc.constant(150), 100_000),
      calls: onceIn(2, fc.integer({ min: 0, max: 3 }), null),
      within: onceIn(2, within, undefined),
    }),
  },
  {
    weight: 10,
    arbitrary: verb('claim', {
      channels: fc.uniqueArray(fc.tuple(channel, terms), { minLength: 1, selector: ([name]) => name }),
      askedSenders: fc.oneof(fc.constant<string[]>([...senders]), askedSenders),
      calls: limit,
    }),
  },
  { weight: 8, arbitrary: verb('settle', { settlements: fc.array(settlement, { minLength: 1, maxLength: 3 }) }) },
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
  {
    weight: 6,
    arbitrary: verb('setSchedule', {
      name: scheduleName,
      dueIn,
      data: scheduleData,
      stale: onceIn(2, stale, null),
    }),
  },
  { weight: 1, arbitrary: verb('deleteSchedule', { name: scheduleName, stale: onceIn(2, stale, null) }) },
  { weight: 2, arbitrary: verb('dueSchedules', { dueBefore: soon, limit: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: verb('listSchedules', { after: optional(scheduleName), limit: fc.nat({ max: 5 }) }) },
  // mostly forwards, sometimes back, sometimes far
  {
    weight: 5,
    arbitrary: verb('step', {
      now: onceIn(6, fc.constantFrom(86_400_000, -86_400_000), 0).chain((far) =>
        far === 0 ? fc.constantFrom(1, 5, 20, 60, -30) : fc.constant(far),
      ),
      leaseNow: fc.constantFrom(1, 5, 20_000),
    }),
  },
);

export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;
export type CarriedCommand = typeof carried extends fc.Arbitrary<infer T> ? T : never;
export type ChangeCommand = typeof change extends fc.Arbitrary<infer T> ? T : never;
export type BindingCommand = typeof binding extends fc.Arbitrary<infer T> ? T : never;
export type NewRequestCommand = typeof newRequest extends fc.Arbitrary<infer T> ? T : never;
export type MoveCommand = typeof move extends fc.Arbitrary<infer T> ? T : never;
export type PatchCommand = NonNullable<(typeof settlement extends fc.Arbitrary<infer T> ? T : never)['patch']>;
