import type { ConflictTrigger } from '../types/events.ts';
import type { HttpResponse, Outcome, Progress, StoredRequest, StoredResult } from '../types/request.ts';
import type { Move } from '../types/store.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import type { Expectation } from './authentic.ts';
import type { ConnectivityEvidence } from './connectivity.ts';
import type { IdempotencyDialect } from './dialects.ts';

/** What a user's `classify` says of an answer; undefined leaves it to the table. */
export type Classification = 'success' | 'rejected' | 'retry' | 'unknown';

/** Whose fault a failed answer is: only that counts against the breaker of the endpoint, of the zone, or of neither. */
export type FaultScope = 'endpoint' | 'zone' | 'none';

/** What an answer means, and whose fault it is where the status would say something else. */
export type Classified = Classification | { readonly is: Classification; readonly scope?: FaultScope | undefined };

/** `transient`: another try may succeed. `permanent`: it cannot. `unknown`: as the built-in rules say. */
export type ErrorKind = 'transient' | 'permanent' | 'unknown';

/** A user's own delay before the next attempt, in ms. A server's hint still overrides it upward. */
export type DelayFunction = (of: {
  /** Attempts that count, this one included. */
  readonly faults: number;
  readonly previousMs: number;
  /** What the server asked for, or null. */
  readonly hintMs: number | null;
  /** Null when there was no answer. */
  readonly status: number | null;
}) => number;

/** What the decision reads of the stored request. */
export type DecidedRequest = Pick<
  StoredRequest,
  'content' | 'effect' | 'progress' | 'firstSentAt' | 'expiresAt' | 'durable' | 'intent'
>;

/** What the engine knows of the zone, at this moment. */
export interface ZoneFacts {
  /** Origins it is reached through. @default that of the attempt */
  readonly origins?: readonly string[] | undefined;
  /** By what its answers are told from those of others. */
  readonly expect?: Expectation | undefined;
  /** Declared: answered 5xx are retried for every effect, at least once. */
  readonly retryAnswered5xx: boolean;
  /** The credential used can be refreshed. */
  readonly canRefresh: boolean;
  /** The zone or client declared an auth provider: a 401 is its business, not the caller's. */
  readonly declaredAuth: boolean;
  /** There is a probe that can find out whether this request was applied. */
  readonly hasProbe: boolean;
  /** Somebody declared what is to become of a conflict: then it is that one's business, not the caller's. @default false */
  readonly handlesConflict?: boolean | undefined;
  /** Epoch ms until which what the request is about may not be seen everywhere, having just been made; absent where nothing tells. */
  readonly freshUntil?: number | undefined;
  /**
   * Rises whenever the zone serves a request (see {@link Decision.served}). The wall time of the latest serves best, as it can be
   * compared after a restart and between processes; 0 before the first.
   */
  readonly served: number;
  /** Something ever answered there. */
  readonly everAnswered: boolean;
  /** Other zones answer at present. */
  readonly othersAnswer: boolean;
  /** Epoch ms at which the zone was found reachable again after an outage, or null: give-up time does not run across one. */
  readonly onlineAt?: number | null | undefined;
}

/** The retry options that apply to the request. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** The cap on delays while a caller waits. */
  readonly callerMaxDelayMs: number;
  readonly delay?: DelayFunction | undefined;
  /** For writes, and reads nobody waits for. */
  readonly giveUpAfterMs: number;
  /** For a read with a caller. */
  readonly readGiveUpAfterMs: number;
  readonly resendWindowMs: number;
  readonly maxStoredResultBytes: number;
}

/** Everything {@link decide} looks at: how an attempt ended, and what is known at that moment. */
export interface DecisionInput {
  readonly request: DecidedRequest;
  /** Lease token the attempt ran under: its number. */
  readonly token: number;
  readonly origin: string;
  readonly result: TransportResult;
  /** Epoch ms. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Somebody waits for the outcome. */
  readonly hasCaller: boolean;
  /** The server knows the request by a key: the zone declares `idempotency`, or the caller sent a key header. */
  readonly keyed: boolean;
  /** How long the server remembers a key; null when it does not say. */
  readonly keyTtlMs: number | null;
  /** How the zone knows requests by their keys; absent where it declares nothing. */
  readonly dialect?: IdempotencyDialect | undefined;
  /** It was sent to find out whether its zone works again: that this failed is the zone's fault, not its own. */
  readonly isProbe?: boolean | undefined;
  /** The credential of this attempt was already refreshed, or could not be. */
  readonly refreshed: boolean;
  readonly zone: ZoneFacts;
  readonly policy: RetryPolicy;
  readonly classify?: ((response: HttpResponse) => Classified | undefined) | undefined;
  /** Says of what kind a failure is that never reached the server. */
  readonly classifyError?: ((error: TransportFailure['error']) => ErrorKind | undefined) | undefined;
  /** Name of these two, for the record. */
  readonly profile?: string | undefined;
}

/** What to do with the request, and what the attempt showed. */
export interface Decision {
  readonly move: Move;
  readonly progress: Progress;
  /** Nothing of this attempt reached the server. */
  readonly notSent: boolean;
  /** The answer to store with it; undefined when none is kept. */
  readonly result: StoredResult | undefined;
  /** Callers are told now: it ended, or was held. The answer of this attempt, if any, is theirs. */
  readonly final: boolean;
  /** What this attempt proved; says nothing of earlier ones. */
  readonly outcome: Outcome;
  readonly connectivity: ConnectivityEvidence;
  /** Whose fault a user's `classify` says that it is; absent where it says nothing. */
  readonly scope?: FaultScope | undefined;
  /** The zone answered, and not with a fault of its own: count it for {@link ZoneFacts.served}. */
  readonly served: boolean;
  /** Epoch ms until which the server asked the whole zone to wait, or null. */
  readonly pauseZoneUntil: number | null;
  /** The server has something else than the request was made for: reconcile, and settle what came of that. Absent: nothing to reconcile. */
  readonly conflict?: ConflictTrigger | undefined;
  /** Refresh the credential, then settle; if that fails, decide again with `refreshed: true` and settle that instead. */
  readonly refreshAuth: boolean;
  /** What a user's `classify` or `delay` threw, to be logged; the built-in rule was used in its place. */
  readonly policyError: unknown;
}
