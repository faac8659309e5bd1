/** Where a stored request stands. Exactly these ten; finer words are reasons. */
export const REQUEST_STATES = [
  'ready',
  'scheduled',
  'blocked',
  'sending',
  'unknown',
  'held',
  'succeeded',
  'dead',
  'cancelled',
  'superseded',
] as const;

export type RequestState = (typeof REQUEST_STATES)[number];
export type TerminalState = 'succeeded' | 'dead' | 'cancelled' | 'superseded';
/** Accepted, not under way: what `maxSize` bounds together with `unknown` and `held`. */
export type WaitingState = 'ready' | 'scheduled' | 'blocked';

const WAITING = ['ready', 'scheduled', 'blocked'] as const;

/**
 * The one table of legal moves, read by the engine, every backend and the conformance suite.
 * `ready` as a target means "as far as it can get": the backend stores `blocked` while the lane or a
 * predecessor is ahead of the request, `scheduled` while its time has not come.
 */
export const TRANSITIONS: Readonly<Record<RequestState, readonly RequestState[]>> = {
  ready: ['sending', 'blocked', 'scheduled', 'held', 'cancelled', 'superseded', 'dead'],
  scheduled: [...WAITING, 'held', 'cancelled', 'superseded', 'dead'],
  blocked: [...WAITING, 'held', 'cancelled', 'superseded', 'dead'],
  sending: ['succeeded', 'dead', 'ready', 'scheduled', 'blocked', 'held', 'unknown', 'cancelled', 'superseded'],
  unknown: ['succeeded', 'dead', 'ready', 'scheduled', 'blocked', 'held', 'unknown', 'superseded'],
  held: [...WAITING, 'succeeded', 'dead', 'unknown', 'held', 'cancelled', 'superseded'],
  succeeded: [],
  dead: [],
  cancelled: [],
  superseded: [],
};

export function isTerminal(state: RequestState): state is TerminalState {
  return TRANSITIONS[state].length === 0;
}

export function canMove(from: RequestState, to: RequestState): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Why a request is where it is. A closed set: anything else is a bug. */
export const REASONS = [
  // succeeded
  'applied',
  'appliedEarlier',
  'noop',
  'markedApplied',
  // dead
  'rejected',
  'exhausted',
  'expired',
  'abandoned',
  'discarded',
  'dropped',
  // cancelled
  'caller',
  // superseded
  'squashed',
  'remoteWins',
  // ready, scheduled
  'accepted',
  'notBefore',
  'retry',
  'released',
  // blocked
  'lane',
  'dependency',
  // held (besides `dependency`)
  'auth',
  'principal',
  'quota',
  'upgrade',
  'operator',
  'conflict',
  'unknown',
  'unreachable',
  // unknown
  'unanswered',
  'leaseLost',
  'serverError',
  // superseded, by itself in another store
  'moved',
  // scheduled: accepted while the store was away, and not there yet
  'spilled',
] as const;

export type Reason = (typeof REASONS)[number];
