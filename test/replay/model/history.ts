import type { Json, StoredRequest } from '../../../src/queue/types/request.ts';
import type { Reason, RequestState } from '../../../src/queue/types/states.ts';
import type { Fault } from './faults.ts';
import type { Kind, Scenario } from './scenario.ts';

export type Fields = { readonly [key: string]: Json };

/** A ticket, or a note with a local id: what one wish makes and others may be about. */
export interface Thing {
  readonly n: number;
  /** Where it is, if it was there from the beginning; else the answer of its maker tells. */
  readonly path: string | null;
  /** What it was then. */
  readonly fields: Fields | null;
}

/** A wish of the app, as it was given to the queue. */
export interface Wish {
  /** In the order in which they were asked for. Sent with each request. */
  readonly n: number;
  readonly kind: Kind;
  /** What it makes or changes, by number; null: nothing that anything else is about. */
  readonly thing: number | null;
  /** What its body or path names besides. */
  readonly refersTo: number | null;
  /** Waits its turn with those that change `thing`. */
  readonly isInLane: boolean;
  /** Fields it means to set; the whole for a `replace`. */
  readonly fields: Fields;
  /** What the app knew of the thing, and how long the log was then; null where it knew nothing. */
  readonly base: { readonly fields: Fields; readonly at: number } | null;
  readonly isAwaited: boolean;
  readonly isBad: boolean;
  readonly hasDeadline: boolean;
  /** Life of the queue in which it was asked for first. */
  readonly life: number;
}

/** What the queue made of a wish. */
export interface Answer {
  readonly wish: Wish;
  /** `unheard`: the process died before it knew. */
  readonly acceptance: 'accepted' | 'unheard' | { readonly refused: string };
  /** What is stored of it: one record, if all is well. */
  readonly records: readonly Report[];
  /** What a waiting caller was told; null where none was, or died. */
  readonly told: { readonly state: RequestState; readonly reason: Reason } | null;
  /** A caller of the last life waits for ever. */
  readonly isHanging: boolean;
  /** Asked for once more after a crash, by the same key. */
  readonly isAskedAgain: boolean;
  /** How often its end was announced. */
  readonly ends: number;
}

export type Report = Pick<
  StoredRequest,
  'id' | 'seq' | 'state' | 'reason' | 'effect' | 'told' | 'bundle' | 'after' | 'lane' | 'firstSentAt'
>;

/** What happened on the server, in order. */
export type Happening =
  /** A call reached it; `by`: the wish, null for a look of the queue; `guard`: the version it is for. */
  | {
      readonly what: 'arrival';
      readonly by: number | null;
      readonly call: string;
      readonly guard: string | null;
      readonly fault: Fault;
    }
  /** Something was made, changed or removed; `by` null: by somebody else. */
  | {
      readonly what: 'change';
      readonly by: number | null;
      readonly path: string;
      readonly before: Fields | null;
      readonly after: Fields | null;
    };

/** A run, as it is judged. */
export interface History {
  readonly scenario: Pick<Scenario, 'flavour' | 'onGone' | 'deleteWins' | 'hasLocation'>;
  readonly things: readonly Thing[];
  readonly answers: readonly Answer[];
  readonly log: readonly Happening[];
  /** What the server has in the end, by path. */
  readonly server: ReadonlyMap<string, Fields>;
  readonly crashes: number;
  readonly faults: number;
}
