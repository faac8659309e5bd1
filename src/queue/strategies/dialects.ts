import type { HeaderList } from '../types/request.ts';
import { headerValue } from './headerValue.ts';

/** How an API knows a write by its key. */
export interface IdempotencyDialect {
  /** Lower-case name of the header the key goes in. */
  readonly header: string;
  /** How long the server remembers a key, from its first use; null where it does not say. */
  readonly ttlMs: number | null;
  /** `bare`: the key as it is. `string`: quoted, as a structured field (RFC 8941). */
  readonly quoting: 'bare' | 'string';
  /** Methods in capitals that are keyed; null: every write. */
  readonly methods: readonly string[] | null;
  /** Lower-case name of the header that says when the key was first sent, or null. */
  readonly firstSentHeader: string | null;
  /** Lower-case name of the header that marks an answer as the stored one of an earlier send, by `true`; or null. */
  readonly replayHeader: string | null;
  /** Header by which an endpoint says that it does not look at keys, in lower case; or null. */
  readonly ignoredHeader: { readonly name: string; readonly value: string } | null;
  /** Failures are stored too: a 5xx that is marked as replayed comes again for every send with this key. */
  readonly storesFailures: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * - `ietf`: draft-ietf-httpapi-idempotency-key-header
 * - `stripe`: Stripe's API v1, and many that copy it
 * - `stripe-v2`: Stripe's API v2, which executes failed work again
 * - `oasis`: Repeatable Requests 1.0, with the 5 minutes Azure Communication Services remembers a key
 */
export const DIALECTS: Readonly<Record<'ietf' | 'stripe' | 'stripe-v2' | 'oasis', IdempotencyDialect>> = Object.freeze({
  ietf: Object.freeze({
    header: 'idempotency-key',
    ttlMs: DAY_MS,
    quoting: 'string',
    methods: null,
    firstSentHeader: null,
    replayHeader: null,
    ignoredHeader: Object.freeze({ name: 'idempotency-status', value: 'ignored' }),
    storesFailures: false,
  }),
  stripe: Object.freeze({
    header: 'idempotency-key',
    ttlMs: DAY_MS,
    quoting: 'bare',
    methods: Object.freeze(['POST', 'PUT', 'PATCH']), // Stripe itself has only POST; many that copy it have the others
    firstSentHeader: null,
    replayHeader: 'idempotent-replayed',
    ignoredHeader: null,
    storesFailures: true,
  }),
  'stripe-v2': Object.freeze({
    header: 'idempotency-key',
    ttlMs: 30 * DAY_MS,
    quoting: 'bare',
    methods: Object.freeze(['POST', 'DELETE']),
    firstSentHeader: null,
    replayHeader: 'idempotent-replayed',
    ignoredHeader: null,
    storesFailures: false,
  }),
  oasis: Object.freeze({
    header: 'repeatability-request-id',
    ttlMs: 5 * MINUTE_MS,
    quoting: 'bare',
    methods: null,
    firstSentHeader: 'repeatability-first-sent',
    replayHeader: null, // `Repeatability-Result: accepted` says that the key was looked at, not that the answer is an old one
    ignoredHeader: null,
    storesFailures: false,
  }),
});

/** What goes on the wire for a key that was or is first sent at `firstSentAt` (epoch ms): the same on every send of it. */
export function keyHeaders(dialect: IdempotencyDialect, key: string, firstSentAt: number): HeaderList {
  const value = dialect.quoting === 'bare' ? key : `"${key.replace(/[\\"]/g, '\\$&')}"`;
  const headers: [string, string][] = [[dialect.header, value]];
  // The form of a Date header (RFC 9110 section 5.6.7), which is what toUTCString writes.
  if (dialect.firstSentHeader !== null) headers.push([dialect.firstSentHeader, new Date(firstSentAt).toUTCString()]);
  return headers;
}

/** Whether a write of this method is keyed. */
export function keysMethod(dialect: IdempotencyDialect, method: string): boolean {
  return dialect.methods === null || dialect.methods.includes(method);
}

/** Whether the answer is marked as the stored one of an earlier send. */
export function speaksOfReplay(dialect: IdempotencyDialect, headers: HeaderList): boolean {
  if (dialect.replayHeader === null) return false;
  return headerValue(headers, dialect.replayHeader)?.trim().toLowerCase() === 'true';
}

/** Whether the answer says that the endpoint does not look at keys: a resend is then not safe by its key. */
export function ignoresKeys(dialect: IdempotencyDialect, headers: HeaderList): boolean {
  if (dialect.ignoredHeader === null) return false;
  const { name, value } = dialect.ignoredHeader;
  return headerValue(headers, name)?.trim().toLowerCase() === value;
}
