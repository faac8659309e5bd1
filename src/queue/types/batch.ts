import type { Body, Effect, HeaderList } from './request.ts';

/** What an adapter is asked about at acceptance: a request as stored, before credentials. */
export interface BatchCandidate {
  readonly method: string;
  /** Path and query, starting with `/`, relative to the zone's origin. */
  readonly path: string;
  /** Lower-case names; without secrets. */
  readonly headers: HeaderList;
  readonly body: Body;
  readonly effect: Effect;
}

/** A request of a batch as it would go on the wire by itself. */
export interface BatchMember extends BatchCandidate {
  /** Unique within the batch, and the same in every batch it is part of: the id of the request. */
  readonly id: string;
  /** Without credentials and what else all members have alike by the queue's doing: that stands on the call. */
  readonly headers: HeaderList;
}

/** The one HTTP call that stands for all members. The engine adds what the members have in common: credentials, user agent. */
export interface BatchCall {
  readonly method: string;
  /** Path and query, starting with `/`, relative to the zone's origin. */
  readonly path: string;
  /** Of the call itself, lower-case names; they go before shared ones of the same name. */
  readonly headers: HeaderList;
  readonly body: Body;
}

export interface BatchAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/**
 * What became of one member:
 * - `answered`: as if it had been sent alone and had got this answer
 * - `notServed`: the server says that it did not look at it, for another member's sake: it waits and is sent again, at no charge
 * - `missing`: the answer does not speak of it: a write is in doubt, a read is tried again
 */
export type BatchOutcome =
  | { readonly id: string; readonly kind: 'answered'; readonly response: BatchAnswer }
  | { readonly id: string; readonly kind: 'notServed' }
  | { readonly id: string; readonly kind: 'missing' };

/**
 * A protocol by which an API takes several requests in one HTTP call. Adapters compute and keep nothing: the same arguments give the
 * same result. One that throws sends its members singly; one that gives too few outcomes leaves the others `missing`.
 */
export interface BatchAdapter {
  /** Letters, digits, `-` and `_`: stored with requests. */
  readonly name: string;
  /** The most members the protocol takes. `maxBatchSize` of the queue holds as well. */
  readonly maxItems: number;
  /** The most bytes of the bodies and paths of its members together. @default 1 MiB */
  readonly maxBytes?: number | undefined;
  /** Members the server counts against its rates: the call as `one`, or `each` of them. @default 'one' */
  readonly countsAs?: 'one' | 'each' | undefined;
  /**
   * Whether the protocol has places for headers of members: idempotency keys travel there. Without, a write that goes with a key (its zone
   * declares `idempotency`, or its caller sent one) is no member and goes alone.
   */
  readonly carriesHeaders: boolean;
  /** Null: it goes alone. Requests of one key may share a call, those of another never do. Asked once, at acceptance, and again with what is sent. */
  key(candidate: BatchCandidate): string | null;
  /** At least two members, of one key. */
  compose(members: readonly BatchMember[]): BatchCall;
  /** The rest of an answer that comes in pages: the next call, or undefined at its end. Reads only. */
  next?(answer: BatchAnswer, call: BatchCall): BatchCall | undefined;
  /** Answers with a status of 200 to 299, all pages of it; in any order, each member once. */
  outcomes(answers: readonly BatchAnswer[], members: readonly BatchMember[]): readonly BatchOutcome[];
  /**
   * An answer with another status. Undefined: 400, 413, 414, 422 and 431 are the fault of a member, or of their number, and the batch is halved
   * until it shows; any other status is the answer to every member. For all-or-nothing protocols: the poisoned member has its
   * answer, and the others were not served.
   */
  refused?(answer: BatchAnswer, members: readonly BatchMember[]): readonly BatchOutcome[] | undefined;
}
