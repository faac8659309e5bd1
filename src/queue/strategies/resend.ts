import type { Progress, StoredRequest } from '../types/request.ts';
import { isConditional } from './effect.ts';

/** What {@link mayResend} looks at. */
export interface ResendInput {
  readonly request: Pick<StoredRequest, 'content' | 'effect' | 'progress' | 'firstSentAt'>;
  /** The server knows the request by a key. */
  readonly keyed: boolean;
  /** How long it remembers a key; null when it does not say, then no longer than `resendWindowMs` is counted on. */
  readonly keyTtlMs: number | null;
  readonly resendWindowMs: number;
  /** Declared: an answered 5xx is retried for every effect, at least once. @default false */
  readonly retryAnswered5xx?: boolean | undefined;
  /** Declared: sent again where nothing can tell whether it was applied, at least once. @default false */
  readonly isBlind?: boolean | undefined;
}

/** Share of a key's lifetime that is counted on: clocks differ, and the first send may have been on its way for long. */
const TRUSTED_SHARE = 0.8;

/**
 * True at `at` (epoch ms) while the server can be counted on to know the request by its key, so that a resend cannot be
 * applied twice. Counted from the first send: time offline before it costs nothing.
 */
function isWithinKeyWindow(
  input: Omit<ResendInput, 'request'> & { readonly request: Pick<StoredRequest, 'firstSentAt' | 'progress'> },
  at: number,
): boolean {
  const { request, keyed, keyTtlMs, resendWindowMs } = input;
  if (!keyed || request.progress.isKeySpent === true) return false;
  const { keyedAt } = request.progress;
  return at < (keyedAt ?? request.firstSentAt ?? at) + (keyTtlMs === null ? resendWindowMs : TRUSTED_SHARE * keyTtlMs);
}

/**
 * Whether a request that may have been applied already may be sent again at `at` (epoch ms) without asking first (G4):
 * - a read, always
 * - one with a precondition: had it been applied, the server now refuses it
 * - a keyed one, until 0.8 of the key's lifetime after its first send
 * - an absolute write or delete, within `resendWindowMs` of the first send that may have been applied: later someone else may have changed
 *   the thing meanwhile, and a resend would undo that. Sends that were provably not applied do not open the window.
 * - any, where the zone declares that answered 5xx are retried and nothing else is in doubt, or its author that it is sent again in any case
 *
 * Ask again when it is dispatched: a closed gate may have kept it longer than its backoff.
 */
export function mayResend(input: ResendInput, at: number): boolean {
  const { request, resendWindowMs } = input;
  const { effect, progress } = request;
  if (effect === 'read' || isConditional(request.content.headers)) return true;
  if (isWithinKeyWindow(input, at) || input.isBlind === true) return true;
  if (input.retryAnswered5xx === true && isOnlyAnswered(progress)) return true;
  if (effect !== 'absolute' && effect !== 'delete') return false;
  return at < (progress.unresolvedSince ?? request.firstSentAt ?? at) + resendWindowMs;
}

/** Every attempt in doubt was answered, so `retryAnswered5xx` speaks of all of them. Doubt of another origin has no time of its own. */
function isOnlyAnswered(progress: Progress): boolean {
  const inDoubt = progress.attempts.filter((attempt) => attempt.outcome === 'unknown');
  return progress.unresolvedSince !== undefined && inDoubt.every((attempt) => attempt.phase === 'answered');
}
