import type { HeaderList, Json } from '../queue/types/request.ts';

/** A request as a test server got it, whole. */
export interface ReceivedRequest {
  /** 1-based order of arrival at this server. */
  readonly n: number;
  readonly origin: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: HeaderList;
  readonly body: string;
}

/** What a test server says. A plain value is sent as JSON. */
export interface ServerAnswer {
  readonly status: number;
  readonly headers?: HeaderList | undefined;
  readonly body?: string | Uint8Array | Json | undefined;
}

/**
 * What happens to one request. `apply` says whether the server does what was asked, apart from whether anybody hears of
 * it: that difference is what the queue has to cope with.
 */
export type ServerStep =
  /** Applies (unless `apply` is false) and answers; `answer` absent: as the server's `respond` says. */
  | {
      readonly kind: 'answer';
      readonly apply: boolean;
      readonly answer?: ServerAnswer | undefined;
      readonly delayMs?: number | undefined;
    }
  /** Keeps the answer until the server is told to `release()`. */
  | { readonly kind: 'park'; readonly apply: boolean }
  /** Cuts the connection without a byte of an answer. */
  | { readonly kind: 'reset'; readonly apply: boolean }
  /** Never answers and keeps the connection. */
  | { readonly kind: 'hang'; readonly apply: boolean }
  /** Sends half of the answer's head, then cuts the connection. */
  | { readonly kind: 'partialHead'; readonly apply: boolean }
  /** Sends the head and half of the body, then cuts the connection. */
  | { readonly kind: 'partialBody'; readonly apply: boolean };

/** Applies the request and answers, with `answer` where given. */
export function answer(given?: ServerAnswer): ServerStep {
  return { kind: 'answer', apply: true, answer: given };
}

/** Answers without applying: 4xx and 5xx of a server that did nothing. */
export function refuse(given: ServerAnswer): ServerStep {
  return { kind: 'answer', apply: false, answer: given };
}

/** 503, not applied, with Retry-After where given. */
export function unavailable(retryAfterSeconds?: number): ServerStep {
  const headers: HeaderList = retryAfterSeconds === undefined ? [] : [['retry-after', String(retryAfterSeconds)]];
  return refuse({ status: 503, headers, body: { error: 'unavailable' } });
}

/** Applies at once and answers `delayMs` later. */
export function slow(delayMs: number): ServerStep {
  return { kind: 'answer', apply: true, delayMs };
}

/** Applies, then cuts the connection: the client cannot know. */
export const applyThenReset: ServerStep = Object.freeze({ kind: 'reset', apply: true });
/** Reads the request and cuts the connection without applying it. */
export const resetBeforeApply: ServerStep = Object.freeze({ kind: 'reset', apply: false });
/** Reads the request and never answers. */
export const hang: ServerStep = Object.freeze({ kind: 'hang', apply: false });
/** Applies and never answers. */
export const applyThenHang: ServerStep = Object.freeze({ kind: 'hang', apply: true });
/** Applies; the answer waits for `release()`. */
export const park: ServerStep = Object.freeze({ kind: 'park', apply: true });
/** Applies; half of the answer's head arrives. */
export const partialHead: ServerStep = Object.freeze({ kind: 'partialHead', apply: true });
/** Applies; the status and half of the body arrive. */
export const partialBody: ServerStep = Object.freeze({ kind: 'partialBody', apply: true });

/** What stands for the answer of a server that does nothing and is not heard: its `respond`, which may keep what it is told, is not asked. */
export const UNHEARD: ServerAnswer = Object.freeze({ status: 503 });

/** Whether any of the answer leaves the server. */
export function isHeard({ kind }: ServerStep): boolean {
  return kind !== 'hang' && kind !== 'reset' && kind !== 'partialHead';
}

/** An answer in the form of the wire: body as bytes, with its content type. */
export function encodeAnswer(given: ServerAnswer): { status: number; headers: HeaderList; body: Uint8Array } {
  const headers = given.headers ?? [];
  const { body } = given;
  if (body === undefined) return { status: given.status, headers, body: new Uint8Array(0) };
  if (body instanceof Uint8Array) return { status: given.status, headers, body };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const typed = typeof body === 'string' || headers.some(([name]) => name.toLowerCase() === 'content-type');
  return {
    status: given.status,
    headers: typed ? headers : [...headers, ['content-type', 'application/json']],
    body: new TextEncoder().encode(text),
  };
}
