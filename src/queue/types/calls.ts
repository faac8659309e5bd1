import type { HoldfastError } from '../../errors.ts';
import type { AuthProvider } from './auth.ts';
import type { Effect, HttpResponse, Json, OnFailure, OnUnknown } from './request.ts';
import type { Reason, TerminalState } from './states.ts';

/** `critical` 10, `high` 8, `normal` 5, `low` 3, `bulk` 1. */
export type PriorityName = 'critical' | 'high' | 'normal' | 'low' | 'bulk';
/** A name, or a whole number from 1 (least) to 10. */
export type Priority = PriorityName | number;

/** What `fetch` takes as headers; undefined values are left out. */
export type HeadersInput =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | Iterable<readonly [string, string]>;

/** What to send. */
export interface RequestInput {
  /** In any case: `post` is sent as `POST`. */
  readonly method: string;
  /** Absolute `http:` or `https:` URL. */
  readonly url: string | URL;
  readonly headers?: HeadersInput | undefined;
  /** A string, bytes, `FormData`, `Blob`, `URLSearchParams`, or a plain value that is sent as JSON with its content type. */
  readonly body?: unknown;
}

declare const LOCAL_ID: unique symbol;

/**
 * Stands for an id the server will give. A text like any other: put it where the id belongs, in a path, a query or a JSON body, keep it with your own
 * data, and use it after a restart.
 */
export type LocalId = string & { readonly [LOCAL_ID]: true };

/** How to queue it. Every field is optional; the nearest of call, client, zone and configuration wins. */
export interface RequestOptions {
  /** 1–10 or a name. @default 'normal' (5) */
  readonly priority?: Priority | undefined;
  /** Ordering key within principal and zone; null for none. @default the path for PUT, PATCH and DELETE */
  readonly lane?: string | null | undefined;
  /** @default inferred from method and content type */
  readonly effect?: Effect | undefined;
  /**
   * By what the queue knows the request again: accepted once while its record is kept. The server is told it only where the zone declares
   * `idempotency`. @default an Idempotency-Key header the caller sent
   */
  readonly key?: string | undefined;
  /** Epoch ms or Date before which it is not sent. */
  readonly notBefore?: number | Date | undefined;
  /** Epoch ms or Date after which it is not sent any more. @default none for writes, `readTtlMs` for reads */
  readonly deadline?: number | Date | undefined;
  /** Ids of requests that must have succeeded first. */
  readonly after?: readonly string[] | undefined;
  /** Names of your own, to find, wait for and subscribe to requests by, and to make flows of. @default none */
  readonly tags?: readonly string[] | undefined;
  /** False: it never joins another request. @default true */
  readonly dedupe?: boolean | undefined;
  /** Whose request it is. @default derived from its credentials */
  readonly principal?: string | undefined;
  /** Name of the zone. @default the zone whose origins match the URL, else one made from the origin */
  readonly zone?: string | undefined;
  /** What the write is based on, as it was read: for probes and conflicts. */
  readonly base?: Json | undefined;
  /**
   * A local id, as `queue.localId` gives it, to which its result gives the server id. Others may use it in their path, query or JSON body before
   * there is one: they wait for this request. It opens the lane of that entity, and makes the effect of a POST `create`.
   */
  readonly localId?: string | undefined;
  /** JSON pointer to the server id in its result. Without one there, the last segment of `Location` counts. @default '/id' */
  readonly yields?: string | undefined;
  /** What becomes of those behind it in its lane, and of those that wait for it, when it ends `dead`. @default 'cascade' for a `create`, else 'continue' */
  readonly onFailure?: OnFailure | undefined;
  /** What becomes of it where nobody can find out whether it was applied. @default 'hold' */
  readonly onUnknown?: OnUnknown | undefined;
  /** Name of a resource of this queue whose rules apply: see `ApiClient.resource`. */
  readonly resource?: string | undefined;
  /** Never sent: cancelled. A sent read that nobody else asked for: the wire is closed. A sent write: the caller detaches, the request goes on. */
  readonly signal?: AbortSignal | undefined;
}

/** A client constructed on the queue: requests that need its credentials wait until a client of that name is there. */
export interface ClientBinding {
  readonly name: string;
  readonly auth?: AuthProvider | undefined;
  readonly principal?: string | undefined;
}

/** How a request ended or was set aside, as told to a caller. */
export interface Settled {
  readonly id: string;
  readonly zone: string;
  /** `held` when it was set aside: the caller is told at once and the request stays. */
  readonly state: TerminalState | 'held';
  readonly reason: Reason;
  /** The answer, when there was one and it is at hand. */
  readonly response: HttpResponse | undefined;
  /** Why it did not succeed, ready to be thrown; undefined when it succeeded. */
  readonly error: HoldfastError | undefined;
  /** It joined a request that was there. */
  readonly deduplicated: boolean;
  /** The answer is one of before, given as the zone takes no call (`staleReads`); its header `age` says how old it is. Nothing was stored. */
  readonly degraded?: true | undefined;
}

export interface Accepted {
  readonly id: string;
  readonly seq: number;
  /** It joined a request that was there. */
  readonly deduplicated: boolean;
}

/** A call given to the queue. Nothing here rejects unless it is asked for: an unread handle causes no unhandled rejection. */
export interface RequestHandle {
  /** Resolves once the request is stored; rejects with why it was not. */
  accepted(): Promise<Accepted>;
  /**
   * Makes the caller wait, and resolves when the request ended or was held; a failure is a value, not a rejection. Rejects only
   * when the request was never accepted, with `QUEUE_CLOSED` when the queue closes meanwhile, `RESULT_PENDING` after `timeoutMs`,
   * `REQUEST_NOT_FOUND`, or the reason of `signal` (which only ends this wait).
   */
  settled(options?: WaitOptions): Promise<Settled>;
  /**
   * True when this cancelled the request, false when it was too late or others share it: they keep it going, and once all of them
   * have cancelled it is. A handle made from an id is no caller of its own: it cancels what one caller at most shares.
   */
  cancel(options?: CancelOptions): Promise<boolean>;
}

export interface CancelOptions {
  /** Also where others share it. Callers that died before they could cancel are counted too. @default false */
  readonly force?: boolean | undefined;
}

export interface WaitOptions {
  /** @default none */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What clients need of a queue. */
export interface CallQueue {
  /** Takes a call, synchronously: calls are accepted in the order of these calls. Bad input is reported by the handle. */
  call(input: RequestInput, options?: RequestOptions, client?: ClientBinding): RequestHandle;
  /** A handle on a request stored earlier, here or elsewhere. */
  callHandle(id: string): RequestHandle;
  /** Makes requests of that client sendable by this process. Two clients of one name are `CONFIG_INVALID`. Returns its undo. */
  register(client: ClientBinding): () => void;
}
