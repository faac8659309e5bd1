import { basic, plain } from './answer.ts';

/** A request as the SDK has it, signed already. */
export interface SmithyRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Its URL with the query written as it was signed: sorted, and escaped by RFC 3986. */
export function urlOf({ protocol, hostname, port, path, query = {} }: SmithyRequest): string {
  const pairs = Object.keys(query)
    .sort()
    .flatMap((name) => [query[name] ?? null].flat().map((value) => pairOf(name, value)));
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  return `${protocol}//${host}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
}

/** How to fetch it: redirects are the SDK's. */
export function initOf({ method, headers: given, body, username, password }: SmithyRequest): RequestInit {
  const headers = plain(new Headers(given));
  if (username !== undefined || password !== undefined) {
    headers.set('authorization', basic(username ?? '', password ?? ''));
  }
  const isBare = method === 'GET' || method === 'HEAD';
  const init = { method, headers, body: isBare ? null : (body ?? null), duplex: 'half', redirect: 'manual' };
  return init as RequestInit;
}

function pairOf(name: string, value: string | null): string {
  return value === null ? escaped(name) : `${escaped(name)}=${escaped(value)}`;
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
