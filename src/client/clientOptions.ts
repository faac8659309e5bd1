import type { Problem } from '../errors.ts';
import { HoldfastError } from '../errors.ts';
import { problemWords } from '../problemWords.ts';
import { REQUEST_OPTIONS } from '../queue/core/checkCall.ts';
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

/** What the client keeps to itself, of calls and of clients: the rest is the queue's. The types keep both complete. */
const OF_CALLS = { headers: true, query: true, schema: true } satisfies Own<CallOptions>;
const OF_CLIENTS = {
  queue: true,
  baseUrl: true,
  name: true,
  auth: true,
  headers: true,
} satisfies Own<ApiClientOptions>;
const OF_ONE_CALL: readonly string[] = ['key', 'localId'];

const CALL_OPTIONS = optionsOf(OF_CALLS, [...REQUEST_OPTIONS]);
const CLIENT_OPTIONS = optionsOf(
  OF_CLIENTS,
  [...REQUEST_OPTIONS].filter((name) => !OF_ONE_CALL.includes(name)),
);

type Own<T> = Readonly<Record<Exclude<keyof T, keyof RequestOptions>, true>>;
type Known = ReadonlyMap<string, 'queue' | 'client'>;

function optionsOf(own: object, ofQueue: readonly string[]): Known {
  const keys = (names: readonly string[], whose: 'queue' | 'client') => names.map((name) => [name, whose] as const);
  return new Map([...keys(ofQueue, 'queue'), ...keys(Object.keys(own), 'client')]);
}

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
  known: Known,
  what: string,
  defaults: RequestOptions | undefined,
): RequestOptions | undefined {
  let picked: Mutable<Record<string, unknown>> | undefined;
  let problems: Problem[] | undefined;
  for (const key of Object.keys(options)) {
    const value: unknown = options[key as keyof typeof options]; // one of its own keys
    const whose = known.get(key);
    if (whose === undefined) {
      problems ??= [];
      problems.push({ path: key, expected: suggestion(key, [...known.keys()]), got: 'an unknown option' });
    } else if (value !== undefined && whose === 'queue') {
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
