import type { Level } from './queue/types/events.ts';
import type { HttpResponse } from './queue/types/request.ts';

/**
 * Every error this package throws, by code: whether trying the same call again can help, and what it means.
 * `docs/errors.md` repeats this table; a test keeps them equal.
 */
export const ERROR_CODES = {
  CONFIG_INVALID: { retryable: false, meaning: 'The configuration has problems; `details.problems` lists every one.' },
  REQUEST_INVALID: { retryable: false, meaning: 'The request cannot be stored or sent as given. Nothing was stored.' },
  QUEUE_FULL: { retryable: true, meaning: '`maxSize` or `maxBytes` is reached. Nothing was stored.' },
  LOAD_SHED: {
    retryable: true,
    meaning:
      'Too much is under way for a call of its priority; `details.retryAfterMs` says when to try again. Nothing was stored.',
  },
  ATTEMPT_TIMEOUT: {
    retryable: true,
    meaning:
      'An attempt was not answered in time: `details.timeoutMs`, and what that was worked out from. The cause of other errors, and the reason of the signal of a call.',
  },
  QUEUE_CLOSED: {
    retryable: false,
    meaning: 'The queue was closed. `details.accepted` true: the request is stored and will be sent, do not repeat it.',
  },
  REQUEST_EXPIRED: { retryable: false, meaning: 'Its deadline or time-to-live passed before it could be sent.' },
  REQUEST_CANCELLED: { retryable: false, meaning: 'A caller cancelled it before it was sent.' },
  REQUEST_REJECTED: { retryable: false, meaning: 'The server refused it for good; `details.response` is the answer.' },
  REQUEST_DISCARDED: { retryable: false, meaning: 'A person or a policy ended it without sending it (again).' },
  ATTEMPTS_EXHAUSTED: {
    retryable: true,
    meaning: 'It kept failing and was given up; `details.response` is the last answer, if any.',
  },
  OUTCOME_UNKNOWN: {
    retryable: false,
    meaning: 'It may or may not have been applied and is held for a decision (`queue.held`). Do not repeat it blindly.',
  },
  CONFLICT: { retryable: false, meaning: 'The server has another version; the request is held for a decision.' },
  AUTH_REQUIRED: {
    retryable: false,
    meaning: 'No valid credential of its principal; the request is held until there is one.',
  },
  REQUEST_HELD: { retryable: false, meaning: 'The request is held for a decision; `details.reason` says why.' },
  KEY_CONFLICT: { retryable: false, meaning: 'The same key, or local id, was accepted before with other content.' },
  RESULT_PENDING: { retryable: true, meaning: 'The request had not settled when the wait ended; it goes on.' },
  RESULT_GONE: { retryable: false, meaning: 'It settled, but its answer was not kept.' },
  RESPONSE_INVALID: {
    retryable: false,
    meaning: 'The answer is not what the schema says; `details.issues` lists where. The request succeeded.',
  },
  REQUEST_NOT_FOUND: { retryable: false, meaning: 'No such request is stored (any more).' },
  ILLEGAL_MOVE: { retryable: false, meaning: 'The request is not in a state in which this can be done.' },
  ZONE_UNREACHABLE: {
    retryable: true,
    meaning:
      'The zone takes no call: it has never answered and its address or certificate is refused, or its caller would not wait (`offline`).',
  },
  BACKEND_UNAVAILABLE: {
    retryable: true,
    meaning:
      'The store cannot be reached, opened or used. Nothing was stored; with `details.mayBeDone` true it may have been.',
  },
  BACKEND_REFUSED: {
    retryable: false,
    meaning: 'The store refuses this client, or its settings would lose requests; `details.reason` says why.',
  },
  BACKEND_CORRUPT: { retryable: false, meaning: 'The store is not a database of this package, or is damaged.' },
  BACKEND_NEWER: { retryable: false, meaning: 'The store was written by a newer version of this package.' },
  STORAGE_FULL: {
    retryable: true,
    meaning: 'The disk, or the memory of the server, is full. What is stored is intact; nothing was added.',
  },
  SCHEDULE_INVALID: {
    retryable: false,
    meaning: 'The schedule cannot be kept as given; `details.problems` lists every problem. Nothing was changed.',
  },
  SCHEDULE_NOT_FOUND: { retryable: false, meaning: 'There is no schedule of that name.' },
  SCHEDULE_CHANGED: {
    retryable: true,
    meaning: 'The schedule was fired, changed or removed by somebody else meanwhile. Nothing was stored.',
  },
  DEPENDENCY_MISSING: {
    retryable: false,
    meaning: 'An optional package is not installed; `details.package` names it.',
  },
  BULK_REFUSED: {
    retryable: false,
    meaning: 'A bulk verb was refused: an empty filter, another count than expected, or a move that is under way.',
  },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One problem of a configuration or request: where, what was expected, what was given. */
export interface Problem {
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

interface KnownDetails {
  CONFIG_INVALID: { readonly problems: readonly Problem[] };
  REQUEST_INVALID: { readonly problems: readonly Problem[] };
  SCHEDULE_INVALID: { readonly problems: readonly Problem[] };
  LOAD_SHED: { readonly level: Level; readonly retryAfterMs: number; readonly priority: number };
  ATTEMPT_TIMEOUT: {
    readonly id: string;
    readonly zone: string;
    readonly timeoutMs: number;
    /** Usual 99th percentile of such calls, null where too few were seen. */
    readonly p99Ms: number | null;
    readonly samples: number;
  };
  QUEUE_CLOSED: { readonly accepted: boolean; readonly id?: string };
  REQUEST_REJECTED: { readonly id: string; readonly zone: string; readonly response: HttpResponse };
  ATTEMPTS_EXHAUSTED: { readonly id: string; readonly zone: string; readonly response?: HttpResponse };
  OUTCOME_UNKNOWN: { readonly id: string; readonly zone: string; readonly response?: HttpResponse };
  RESPONSE_INVALID: {
    readonly id: string;
    readonly issues: readonly { readonly message: string; readonly path: string }[];
  };
  KEY_CONFLICT: { readonly key: string };
  DEPENDENCY_MISSING: { readonly package: string };
}

/** What `details` holds, by code. Codes not listed carry what helps: `id`, `zone`, `path`, `reason`. */
export type ErrorDetails<C extends ErrorCode> = C extends keyof KnownDetails
  ? KnownDetails[C]
  : { readonly id?: string; readonly zone?: string; readonly [key: string]: unknown };

const BRAND = Symbol.for('holdfast.error');

/** The one error class. Recognise it by `code` through {@link holdfastError}, never by message. */
export class HoldfastError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name: string = 'HoldfastError';
  readonly code: C;
  readonly retryable: boolean;
  readonly details: ErrorDetails<C>;

  constructor(code: C, message: string, details: ErrorDetails<C>, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.details = details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Without response bodies and headers: safe for logs. */
  toJSON(): Record<string, unknown> {
    const { response, ...details } = this.details as { response?: HttpResponse };
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      details: response === undefined ? details : { ...details, status: response.status },
    };
  }
}

function isHoldfastError(value: unknown): value is HoldfastError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/**
 * Our error in `error` itself or in what it wraps (`cause`, `detail`, `errors`), if its code is one of `codes` (any when
 * none is given); `details` is narrowed by the code.
 */
export function holdfastError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): HoldfastError<C> | undefined {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [error];
  while (waiting.length > 0) {
    const current = waiting.shift();
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    if (isHoldfastError(current) && (codes.length === 0 || codes.includes(current.code as C))) {
      return current as HoldfastError<C>; // the code was just checked
    }
    const { cause, detail, errors } = current as { cause?: unknown; detail?: unknown; errors?: unknown };
    waiting.push(cause, detail, ...(Array.isArray(errors) ? errors : []));
  }
  return undefined;
}
