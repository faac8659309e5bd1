import type { FaultPoint } from '../../../src/testing/faultPoints.ts';

/** What a child is told to do. JSON on its command line. */
export interface KillOrder {
  /** Folder of the compiled package. */
  readonly dist: string;
  readonly database: string;
  readonly origin: string;
  /** Whether it drains what it finds, and checks the database, before it works. */
  readonly drains: boolean;
  readonly firstIntent: number;
  readonly intents: number;
  /** Lanes are called `<name>-<n>`, so that two processes do not share any. */
  readonly name: string;
  readonly lanes: number;
  /** Callers at once. */
  readonly callers: number;
  /** Of the queue: how long a claim of a process outlives it where nobody can tell that it is gone. */
  readonly leaseMs: number;
  /** Where to die; null: nowhere. `from` says whether the draining counts too. */
  readonly fault: { readonly point: FaultPoint; readonly nth: number; readonly from: 'start' | 'load' } | null;
}

/** A phase of a request's life as the promise names it, and the points that lie in it. */
export const PHASES = {
  'while accepting': ['accept:beforeCommit', 'accept:duringCommit', 'accept:afterCommit'],
  'after the fence, before the first byte': ['fence:afterCommit', 'send:beforeFirstByte'],
  'after the last byte, before the answer': ['send:afterLastByte'],
  "after the answer, before the settlement's commit": ['answer:beforeSettle', 'settle:beforeCommit'],
  'while or after settling': ['settle:duringCommit', 'settle:afterCommit'],
} as const satisfies Record<string, readonly FaultPoint[]>;

export type Phase = keyof typeof PHASES;

export function phaseOf(point: FaultPoint): Phase {
  const found = Object.entries(PHASES).find(([, points]) => (points as readonly FaultPoint[]).includes(point));
  return (found as [Phase, unknown])[0]; // the phases cover every point: the type of PHASES and a test say so
}

/** Twenty kills: five while accepting, four in each phase up to the settlement, three at the settlement. */
const CYCLE: readonly FaultPoint[] = [
  'accept:beforeCommit',
  'fence:afterCommit',
  'send:afterLastByte',
  'answer:beforeSettle',
  'settle:duringCommit',
  'accept:duringCommit',
  'send:beforeFirstByte',
  'send:afterLastByte',
  'settle:beforeCommit',
  'settle:afterCommit',
  'accept:afterCommit',
  'fence:afterCommit',
  'send:afterLastByte',
  'answer:beforeSettle',
  'settle:duringCommit',
  'accept:duringCommit',
  'send:beforeFirstByte',
  'send:afterLastByte',
  'settle:beforeCommit',
  'accept:afterCommit',
];

/** The point of the `n`th kill, from 0. */
export function pointOf(n: number): FaultPoint {
  return CYCLE[n % CYCLE.length] as FaultPoint; // in range
}
