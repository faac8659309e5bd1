import type { Problem } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import { failureOf, signatureOf } from '../strategies/signature.ts';
import type { RequestFilter, StoredRequest } from '../types/request.ts';
import { REASONS } from '../types/states.ts';
import { invalidFilter } from './filter.ts';

/** All statuses that begin with the same digit. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx';

/** Which dead letters are meant, in every verb. Fields are combined with AND; an array means "any of". */
export interface DeadLetterFilter extends Omit<RequestFilter, 'state'> {
  /** Also those whose waiting caller was given the answer, and may have acted on it. @default only those named by `ids` */
  readonly includeTold?: boolean | undefined;
  /** `signature` of a group: what failed in the same way. */
  readonly signature?: string | readonly string[] | undefined;
  /** Status of the last answer, or its class. */
  readonly status?: number | StatusClass | readonly (number | StatusClass)[] | undefined;
  /** Code of the transport error of a last attempt that had no answer. */
  readonly error?: string | readonly string[] | undefined;
  readonly method?: string | readonly string[] | undefined;
  /** Epoch ms, exclusive. */
  readonly endedBefore?: number | undefined;
  /** Epoch ms, inclusive. */
  readonly endedAfter?: number | undefined;
  /** Whether it was replayed. */
  readonly replayed?: boolean | undefined;
}

/** A filter that was checked: what the store can match, and what it cannot. */
export interface LetterFilter {
  readonly stored: RequestFilter;
  /** Nothing narrows it down: refused for bulk verbs. */
  readonly isEmpty: boolean;
  /** Whether it is a dead letter that matches, told or not. */
  matches(request: StoredRequest): boolean;
  /** Whether it is also meant: of those whose caller was told only if asked for. */
  isMeant(request: StoredRequest): boolean;
}

interface Kind {
  readonly expected: string;
  is(value: unknown): boolean;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isReason = (value: unknown): boolean => (REASONS as readonly unknown[]).includes(value);
const isStatus = (value: unknown): boolean =>
  typeof value === 'number' ? Number.isInteger(value) && value >= 100 && value <= 599 : /^[1-5]xx$/.test(String(value));

function list(expected: string, is: (value: unknown) => boolean): Kind {
  return { expected, is: (value) => Array.isArray(value) && value.every(is) };
}

function oneOrMore(expected: string, is: (value: unknown) => boolean): Kind {
  return { expected, is: (value) => (Array.isArray(value) ? value.every(is) : is(value)) };
}

const TEXT: Kind = { expected: 'a string', is: isText };
const TEXTS = list('an array of strings', isText);
const ANY_TEXT = oneOrMore('a string, or an array of them', isText);
const FLAG: Kind = { expected: 'true or false', is: (value) => typeof value === 'boolean' };
const INSTANT: Kind = {
  expected: 'epoch milliseconds',
  is: (value) => typeof value === 'number' && Number.isFinite(value),
};

const KINDS: Readonly<Record<keyof DeadLetterFilter, Kind>> = {
  ids: TEXTS,
  key: TEXT,
  reason: oneOrMore(`one or more of ${REASONS.join(', ')}`, isReason),
  zone: TEXT,
  lane: TEXT,
  principal: TEXT,
  tags: TEXTS,
  acceptedBefore: INSTANT,
  acceptedAfter: INSTANT,
  bundle: TEXT,
  includeTold: FLAG,
  signature: ANY_TEXT,
  status: oneOrMore("a status, a class such as '5xx', or an array of them", isStatus),
  error: ANY_TEXT,
  method: ANY_TEXT,
  endedBefore: INSTANT,
  endedAfter: INSTANT,
  replayed: FLAG,
};

/** Takes a filter apart. @throws REQUEST_INVALID with every problem of it */
export function letterFilter(filter: DeadLetterFilter): LetterFilter {
  const problems = problemsOf(filter);
  if (problems.length > 0) throw invalidFilter(problems);
  const { includeTold, signature, status, error, method, endedBefore, endedAfter, replayed, ...stored } = filter;
  const withTold = includeTold ?? stored.ids !== undefined;
  const signatures = setOf(signature);
  const statuses = setOf<number | string>(status);
  const errors = setOf(error);
  const methods = setOf(method === undefined ? undefined : anyOf(method).map((one) => one.toUpperCase()));
  const narrowing = { ...stored, signature, status, error, method, endedBefore, endedAfter };
  const matches = (request: StoredRequest): boolean => {
    if (request.state !== 'dead' || request.effect === 'read') return false;
    if (replayed !== undefined && (request.replayedAs !== null) !== replayed) return false;
    if (methods !== undefined && !methods.has(request.content.method.toUpperCase())) return false;
    const endedAt = request.endedAt ?? 0; // dead: it has ended
    if (endedBefore !== undefined && endedAt >= endedBefore) return false;
    if (endedAfter !== undefined && endedAt < endedAfter) return false;
    if (statuses !== undefined || errors !== undefined) {
      const failure = failureOf(request);
      if (errors !== undefined && !errors.has(failure.error ?? '')) return false;
      if (statuses !== undefined && !hasStatus(statuses, failure.status)) return false;
    }
    return signatures === undefined || signatures.has(signatureOf(request).id);
  };
  return {
    stored: { ...stored, state: 'dead' },
    // What was replayed may be cleared away as a whole; what was not is nearly all there is.
    isEmpty: replayed !== true && Object.values(narrowing).every((value) => value === undefined),
    matches,
    isMeant: (request) => (withTold || !request.told) && matches(request),
  };
}

/** Class of a status, as filters and statistics name it. */
export function statusClass(status: number): string {
  return `${Math.floor(status / 100)}xx`;
}

function problemsOf(filter: unknown): Problem[] {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    return [{ path: 'filter', expected: 'an object', got: filter === null ? 'null' : typeof filter }];
  }
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(filter)) {
    const path = `filter.${name}`;
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name as keyof DeadLetterFilter] : undefined; // its own keys
    if (kind === undefined) {
      problems.push({ path, expected: suggestion(name, Object.keys(KINDS)), got: 'an unknown field' });
    } else if (value !== undefined && !kind.is(value)) {
      const unknown = name === 'reason' ? anyOf(value).find((one) => !isReason(one)) : undefined;
      const expected = typeof unknown === 'string' ? suggestion(unknown, REASONS) : kind.expected;
      problems.push({ path, expected, got: described(unknown ?? value) });
    }
  }
  return problems;
}

function hasStatus(wanted: ReadonlySet<number | string>, status: number | null): boolean {
  return status !== null && (wanted.has(status) || wanted.has(statusClass(status)));
}

function setOf<T>(value: T | readonly T[] | undefined): ReadonlySet<T> | undefined {
  return value === undefined ? undefined : new Set(anyOf(value));
}

function anyOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]; // narrowed by the line's own test
}

function described(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === null ? 'null' : Array.isArray(value) ? 'an array of other things' : typeof value;
}
