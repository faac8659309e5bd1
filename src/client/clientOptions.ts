import type { Problem } from '../errors.ts';
import { HoldfastError } from '../errors.ts';
import { problemWords } from '../problemWords.ts';
import type { Schema } from '../queue/core/handles/schema.ts';
import type { AuthProvider } from '../queue/types/auth.ts';
import type { CallQueue, HeadersInput, RequestOptions } from '../queue/types/calls.ts';
import { suggestion } from '../suggestion.ts';
import type { Query } from './clientUrl.ts';

/** Options of one call; those of the queue win over the client's. */
export interface CallOptions<T = unknown> extends RequestOptions {
  /** Over the client's headers, name by name. */
  readonly headers?: HeadersInput | undefined;
  readonly query?: Query | undefined;
  /** What the answer's body must be: any Standard Schema. Its output is the type of the result. @default unchecked */
  readonly schema?: Schema<T> | undefined;
}

/** Options of a client. A `key` and a `localId` belong to one call and have no default. */
export interface ApiClientOptions extends Omit<RequestOptions, 'key' | 'localId'> {
  readonly queue: CallQueue;
  /** What paths are appended to: `https://api.example.com/v1`. */
  readonly baseUrl: string | URL;
  /** Stored with each request that needs `auth`: keep it the same across restarts. @default baseUrl */
  readonly name?: string | undefined;
  readonly auth?: AuthProvider | undefined;
  /** Sent with every call. */
  readonly headers?: HeadersInput | undefined;
}

type Keys<T> = Readonly<Record<keyof T, 'queue' | 'client'>>;

/** Every option by name, and whether the queue takes it as it is. The type keeps the table complete. */
const REQUEST_OPTIONS: Keys<RequestOptions> = {
  priority: 'queue',
  lane: 'queue',
  effect: 'queue',
  key: 'queue',
  notBefore: 'queue',
  deadline: 'queue',
  after: 'queue',
  tags: 'queue',
  dedupe: 'queue',
  principal: 'queue',
  zone: 'queue',
  base: 'queue',
  localId: 'queue',
  yields: 'queue',
  onFailure: 'queue',
  onUnknown: 'queue',
  resource: 'queue',
  signal: 'queue',
};
const CALL_OPTIONS: Keys<CallOptions> = { ...REQUEST_OPTIONS, headers: 'client', query: 'client', schema: 'client' };
const { key: _, localId: __, ...CLIENT_DEFAULTS } = REQUEST_OPTIONS;
const CLIENT_OPTIONS: Keys<ApiClientOptions> = {
  ...CLIENT_DEFAULTS,
  queue: 'client',
  baseUrl: 'client',
  name: 'client',
  auth: 'client',
  headers: 'client',
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * What of `options` is for the queue, over `defaults`; `defaults` itself when there is nothing. Undefined overrides nothing.
 *
 * @throws CONFIG_INVALID for unknown keys, naming the nearest one
 */
export function callRequestOptions(
  options: CallOptions | undefined,
  defaults: RequestOptions | undefined,
): RequestOptions | undefined {
  return options === undefined ? defaults : pick(options, CALL_OPTIONS, 'call', defaults);
}

/** The defaults a client gives its calls. @throws CONFIG_INVALID for unknown keys, naming the nearest one */
export function clientRequestOptions(options: ApiClientOptions): RequestOptions | undefined {
  return pick(options, CLIENT_OPTIONS, 'ApiClient', undefined);
}

function pick(
  options: object,
  known: Readonly<Record<string, 'queue' | 'client'>>,
  what: string,
  defaults: RequestOptions | undefined,
): RequestOptions | undefined {
  let picked: Mutable<Record<string, unknown>> | undefined;
  let problems: Problem[] | undefined;
  for (const key of Object.keys(options)) {
    const value: unknown = options[key as keyof typeof options]; // one of its own keys
    if (!Object.hasOwn(known, key)) {
      problems ??= [];
      problems.push(unknownKey(key, Object.keys(known)));
    } else if (value !== undefined && known[key] === 'queue') {
      picked ??= { ...defaults };
      picked[key] = value;
    }
  }
  if (problems !== undefined) {
    const message = `Unknown option of ${what}: ${problemWords(problems)}`;
    throw new HoldfastError('CONFIG_INVALID', message, { problems });
  }
  return picked ?? defaults;
}

function unknownKey(key: string, known: readonly string[]): Problem {
  return { path: key, expected: suggestion(key, known), got: 'an unknown option' };
}
