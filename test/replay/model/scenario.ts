import fc from 'fast-check';
import type { FaultPoint } from '../../../src/testing/faultPoints.ts';
import { FAULT_POINTS } from '../../../src/testing/faultPoints.ts';
import type { Fault } from './faults.ts';
import { FAULTS } from './faults.ts';

/** What the queue can lean on to find out what became of a request. */
export const FLAVOURS = ['bare', 'keyed', 'probed', 'conditional'] as const;

export type Flavour = (typeof FLAVOURS)[number];

/**
 * What the app asks for: `create` makes a ticket; `patch` and `replace` set fields of one, `amend` sets them by a PATCH that is no merge patch; `child`
 * makes a note that names a ticket; `act` is a POST that makes nothing others refer to.
 */
export const KINDS = ['create', 'patch', 'amend', 'replace', 'delete', 'child', 'act'] as const;

export type Kind = (typeof KINDS)[number];

export const FIELDS = ['title', 'color', 'size'] as const;

export type Field = (typeof FIELDS)[number];

/** One wish of the app. Where there is nothing at the slot yet, or nothing any more, it makes something there first, in its place. */
export interface Ask {
  readonly kind: Kind;
  /** Which of the things the app works on. */
  readonly slot: number;
  readonly field: Field;
  /** A value that is easily taken for none; null: one of its own. */
  readonly value: 0 | '' | false | 'nothing' | null;
  /** Refers to the thing by the id of the server as soon as that is known, else by its local id. */
  readonly byServerId: boolean;
  /** An `act` or `child` that names its ticket: in the body, or below its path; an `act` stands in its lane then. */
  readonly place: 'body' | 'path' | 'none';
  /** What a `child` makes gets a local id. */
  readonly isNamed: boolean;
  /** A caller waits for it. */
  readonly isAwaited: boolean;
  /** The server refuses it, for good. */
  readonly isBad: boolean;
  /** Accepted at most once by a key: asked for again where a crash kept the answer. */
  readonly isRepeatable: boolean;
  /** It is not sent any more after so long; null: without limit. */
  readonly deadlineMs: number | null;
  /** Asked for in the same turn as the one after it. */
  readonly isTogether: boolean;
}

/** What happens beside what the app asks for. */
export type Incident =
  | { readonly what: 'crash' }
  /** Dies when the point is passed, whenever that is. */
  | { readonly what: 'dieAt'; readonly point: FaultPoint; readonly nth: number }
  | { readonly what: 'pass'; readonly ms: number }
  /** No call leaves the machine for so long. */
  | { readonly what: 'offline'; readonly ms: number }
  | { readonly what: 'wall'; readonly ms: number }
  /** The app looks what the server has. */
  | { readonly what: 'read'; readonly slot: number }
  /** Somebody else changes a field, or removes the thing. */
  | { readonly what: 'edit'; readonly slot: number; readonly field: Field }
  | { readonly what: 'remove'; readonly slot: number };

export interface Step {
  readonly event: Incident | null;
  readonly ask: Ask;
}

/** A whole run, as data: it is made by chance, played without any. */
export interface Scenario {
  /** Picks ids and jitter. */
  readonly seed: number;
  readonly flavour: Flavour;
  /** Things that are on the server from the beginning; as many slots again are empty. */
  readonly things: 1 | 2;
  readonly hasLocation: boolean;
  /** Of the resource, where there is one. */
  readonly onGone: 'drop' | 'hold' | 'recreate';
  readonly deleteWins: boolean;
  readonly steps: readonly Step[];
  /** For the calls that arrive, in order, probes included; afterwards nothing fails any more. */
  readonly faults: readonly Fault[];
}

const often = <T>(value: T, weight: number) => ({ arbitrary: fc.constant(value), weight });

/** Mostly `usual`, sometimes one of the others. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(often(usual, 6 * others.length), ...others.map((other) => often(other, 1)));
}

const slot = fc.nat({ max: 3 });
const field = fc.constantFrom(...FIELDS);

const ask: fc.Arbitrary<Ask> = fc.record({
  kind: fc.oneof(
    often<Kind>('create', 4),
    often<Kind>('patch', 6),
    often<Kind>('amend', 1),
    often<Kind>('replace', 3),
    often<Kind>('delete', 2),
    often<Kind>('child', 3),
    often<Kind>('act', 3),
  ),
  slot,
  field,
  value: mostly<Ask['value']>(null, 0, '', false, 'nothing'),
  byServerId: fc.boolean(),
  place: fc.constantFrom('body', 'path', 'none'),
  isNamed: fc.boolean(),
  isAwaited: mostly<boolean>(false, true),
  isBad: fc.oneof(often(false, 24), often(true, 1)),
  isRepeatable: mostly<boolean>(false, true),
  deadlineMs: fc.oneof(
    { arbitrary: fc.constant(null), weight: 24 },
    { arbitrary: fc.integer({ min: 1_000, max: 3_600_000 }), weight: 1 },
  ),
  isTogether: mostly<boolean>(false, true),
});

const dieAt = fc.record({
  what: fc.constant('dieAt' as const),
  point: fc.constantFrom<FaultPoint>(...FAULT_POINTS),
  nth: fc.integer({ min: 1, max: 3 }),
});
const spans = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 90_000 }), weight: 8 },
  { arbitrary: fc.integer({ min: 90_000, max: 1_200_000 }), weight: 1 },
);
const pass = fc.record({ what: fc.constant('pass' as const), ms: spans });
const offline = fc.record({ what: fc.constant('offline' as const), ms: spans });
const wall = fc.record({ what: fc.constant('wall' as const), ms: fc.integer({ min: -3_600_000, max: 3_600_000 }) });
const read = fc.record({ what: fc.constant('read' as const), slot });
/** A title that both sides change is for a person to decide: seldom, so that what is held otherwise stands out. */
const edited: fc.Arbitrary<Field> = fc.oneof(
  often<Field>('title', 1),
  often<Field>('color', 12),
  often<Field>('size', 12),
);
const edit = fc.record({ what: fc.constant('edit' as const), slot, field: edited });
const remove = fc.record({ what: fc.constant('remove' as const), slot });

/** What others do to the things is for those who can notice it: without a version, the later write counts. */
function events(flavour: Flavour): fc.Arbitrary<Incident | null> {
  const shared: fc.WeightedArbitrary<Incident | null>[] = [
    { arbitrary: fc.constant(null), weight: 12 },
    { arbitrary: fc.constant({ what: 'crash' } as const), weight: 2 },
    { arbitrary: dieAt, weight: 4 },
    { arbitrary: pass, weight: 4 },
    { arbitrary: offline, weight: 2 },
    { arbitrary: wall, weight: 1 },
  ];
  if (flavour !== 'conditional') return fc.oneof(...shared);
  const theirs: fc.WeightedArbitrary<Incident | null>[] = [
    { arbitrary: read, weight: 3 },
    { arbitrary: edit, weight: 4 },
    { arbitrary: remove, weight: 1 },
  ];
  return fc.oneof(...shared, ...theirs);
}

const fault: fc.Arbitrary<Fault> = fc.oneof(often<Fault>('none', FAULTS.length), ...FAULTS.map((one) => often(one, 1)));

function scenarioOf(flavour: Flavour): fc.Arbitrary<Scenario> {
  return fc.record({
    seed: fc.nat(),
    flavour: fc.constant(flavour),
    things: fc.constantFrom(1, 2),
    hasLocation: fc.boolean(),
    onGone: mostly<Scenario['onGone']>('drop', 'recreate', 'hold'),
    deleteWins: fc.oneof(often(true, 19), often(false, 1)),
    steps: fc.array(fc.record({ event: events(flavour), ask }), { minLength: 4, maxLength: 14, size: 'max' }),
    faults: fc.array(fault, { maxLength: 40, size: 'max' }),
  });
}

export const scenario: fc.Arbitrary<Scenario> = fc.oneof(...FLAVOURS.map(scenarioOf));
