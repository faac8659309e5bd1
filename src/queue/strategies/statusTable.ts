import type { ConflictTrigger } from '../types/events.ts';
import type { Effect, Outcome } from '../types/request.ts';
import type { Reason } from '../types/states.ts';

/**
 * What to do about an answer:
 * - `apply`: it is done. `noop`: what it was for is already so.
 * - `reject`: the server refused it for good.
 * - `retry`: try again, later. `retryOnce`: at once, but not twice in a row.
 * - `hold`: someone or something must decide (`holdReason`), unless a caller waits who takes the answer.
 * - `resolve`: it may have been applied; where a fault says that another send could help, resend what is harmless, else find out.
 * - `refreshAuth`: get a new credential, else hold for one.
 */
export type Action = 'apply' | 'noop' | 'reject' | 'retry' | 'retryOnce' | 'hold' | 'resolve' | 'refreshAuth';

/** Whose fault a failure is: a fault of the zone ends a request only if the zone serves others meanwhile. */
export type Fault = 'none' | 'request' | 'zone';

/** What an answer means for the request it answers. */
export interface StatusVerdict {
  /** What this attempt proved. */
  readonly outcome: Outcome;
  readonly action: Action;
  /** With `hold` and `refreshAuth`: what it is held for. */
  readonly holdReason: Reason | null;
  readonly fault: Fault;
  /** A Retry-After in it is meant for everyone who calls the zone. */
  readonly pausesZone: boolean;
  /** It came from something between us and the zone. */
  readonly captive: boolean;
  /** Another send with the same key would prove no more. */
  readonly isKeySpent?: true | undefined;
  /** What may be reconciled, where somebody declared how. */
  readonly conflict?: ConflictTrigger | undefined;
}

/** Requests a row is about. `update` is a PUT or PATCH. */
type Subject = 'read' | 'delete' | 'update' | 'post' | 'write' | 'any';

interface StatusRow {
  /** Statuses, or an inclusive range. */
  readonly statuses: readonly number[] | { readonly from: number; readonly to: number };
  readonly subject: Subject;
  readonly verdict: StatusVerdict;
  /** What differs when an earlier attempt of the request may have been applied. */
  readonly after?: Partial<StatusVerdict>;
}

const PLAIN = { holdReason: null, fault: 'none', pausesZone: false, captive: false } as const;
const APPLIED: StatusVerdict = { ...PLAIN, outcome: 'applied', action: 'apply' };
const REJECTED: StatusVerdict = { ...PLAIN, outcome: 'notApplied', action: 'reject' };
const UNKNOWN: StatusVerdict = { ...PLAIN, outcome: 'unknown', action: 'resolve', fault: 'request' };
/** No fault that another send could get past: the same path redirects again. */
const REDIRECTED: StatusVerdict = { ...UNKNOWN, fault: 'none' };
const RETRIED: StatusVerdict = { ...PLAIN, outcome: 'notApplied', action: 'retry', fault: 'request' };
const ZONE_FAULT: StatusVerdict = { ...RETRIED, fault: 'zone' };
const ONCE_MORE: StatusVerdict = { ...PLAIN, outcome: 'notApplied', action: 'retryOnce' };
const held = (holdReason: Reason): StatusVerdict => ({ ...PLAIN, outcome: 'notApplied', action: 'hold', holdReason });
const inConflict = (conflict: ConflictTrigger): StatusVerdict => ({ ...held('conflict'), conflict });
/** The answer to this attempt says nothing of an earlier one that may have been applied: find out first. */
const RESOLVE = { action: 'resolve' } as const;

/**
 * What every status means. The first row that fits counts. A redirect of a write is never followed: its path belongs to the request.
 */
export const STATUS_TABLE: readonly StatusRow[] = [
  // An answer of a read is its result, redirects included: who asked decides whether to follow them.
  { statuses: { from: 200, to: 399 }, subject: 'read', verdict: APPLIED },
  { statuses: { from: 200, to: 299 }, subject: 'any', verdict: APPLIED },
  // 303 after a POST means "done, and it is there" (RFC 9110 section 15.4.4).
  { statuses: [303], subject: 'post', verdict: APPLIED, after: REDIRECTED },
  { statuses: [301, 302, 303], subject: 'write', verdict: REDIRECTED },
  { statuses: { from: 300, to: 399 }, subject: 'any', verdict: REJECTED },
  { statuses: [401], subject: 'any', verdict: { ...held('auth'), action: 'refreshAuth' } },
  { statuses: [402], subject: 'any', verdict: held('quota') },
  // Rights may have changed since an earlier attempt, which a refusal now does not undo.
  { statuses: [403], subject: 'any', verdict: REJECTED, after: RESOLVE },
  { statuses: [404, 410], subject: 'delete', verdict: { ...PLAIN, outcome: 'applied', action: 'noop' } },
  { statuses: [404, 410], subject: 'update', verdict: inConflict('gone') },
  { statuses: [407, 511], subject: 'any', verdict: { ...ZONE_FAULT, captive: true } },
  { statuses: [408], subject: 'any', verdict: RETRIED, after: { ...UNKNOWN, action: 'retry' } },
  { statuses: [409], subject: 'read', verdict: REJECTED },
  { statuses: [409], subject: 'post', verdict: inConflict('exists'), after: RESOLVE },
  { statuses: [409], subject: 'write', verdict: inConflict('changed'), after: RESOLVE },
  // Our own earlier success may be what made the precondition false.
  { statuses: [412], subject: 'write', verdict: inConflict('changed'), after: RESOLVE },
  { statuses: [421, 425], subject: 'any', verdict: ONCE_MORE },
  { statuses: [423], subject: 'any', verdict: RETRIED },
  { statuses: [426], subject: 'any', verdict: held('upgrade') },
  { statuses: [428], subject: 'write', verdict: inConflict('required') },
  { statuses: [429], subject: 'any', verdict: { ...ZONE_FAULT, pausesZone: true } },
  { statuses: { from: 400, to: 499 }, subject: 'any', verdict: REJECTED },
  { statuses: [501, 505], subject: 'any', verdict: REJECTED },
  { statuses: [502, 504, 520, 522, 524], subject: 'any', verdict: { ...UNKNOWN, fault: 'zone' } },
  // "Not served" is an assumption, which `classify` can correct.
  { statuses: [503], subject: 'any', verdict: { ...ZONE_FAULT, pausesZone: true } },
  { statuses: [507], subject: 'any', verdict: RETRIED, after: { ...UNKNOWN } },
  { statuses: [529], subject: 'any', verdict: ZONE_FAULT, after: { ...UNKNOWN, fault: 'zone' } },
  // A CDN that did not reach its origin.
  { statuses: [521, 523, 525, 526], subject: 'any', verdict: ZONE_FAULT },
  { statuses: { from: 0, to: 999 }, subject: 'any', verdict: UNKNOWN },
];

/**
 * What the table says of `status`. `unresolved`: an earlier attempt may have been applied; a later "not applied" says nothing about
 * that one, so it stays in doubt.
 */
export function statusVerdict(
  status: number,
  request: { readonly method: string; readonly effect: Effect },
  unresolved: boolean,
): StatusVerdict {
  const row = STATUS_TABLE.find((candidate) => covers(candidate, status) && isAbout(candidate.subject, request));
  if (row === undefined) return UNKNOWN;
  return unresolved && row.after !== undefined ? { ...row.verdict, ...row.after } : row.verdict;
}

function covers(row: StatusRow, status: number): boolean {
  return 'from' in row.statuses
    ? status >= row.statuses.from && status <= row.statuses.to
    : row.statuses.includes(status);
}

function isAbout(subject: Subject, request: { readonly method: string; readonly effect: Effect }): boolean {
  switch (subject) {
    case 'any':
      return true;
    case 'read':
      return request.effect === 'read';
    case 'write':
      return request.effect !== 'read';
    case 'delete':
      return request.effect === 'delete';
    case 'update':
      return request.effect !== 'read' && (request.method === 'PUT' || request.method === 'PATCH');
    case 'post':
      return request.effect !== 'read' && request.method === 'POST';
    default:
      return subject satisfies never;
  }
}
