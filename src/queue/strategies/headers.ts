import type { Problem } from '../../errors.ts';
import type { HeaderList } from '../types/request.ts';

/** The headers of a call, sorted by what may be done with them. Names are lower-case; order is kept. */
export interface SplitHeaders {
  /** Stored with the request and sent on every attempt. */
  readonly stored: HeaderList;
  /** Credentials: attached at send time, never stored. */
  readonly secret: HeaderList;
  /** Different on each attempt by nature (trace ids, dates, the SDK's retry count): never stored, sent while its caller lives. */
  readonly volatile: HeaderList;
}

export interface SplitQuery {
  /** Path and query without secrets. */
  readonly path: string;
  /** The parameters cut out, as they stood, joined by `&`; '' when there were none. */
  readonly secretQuery: string;
}

/** Tells stored, secret and volatile headers and query parameters apart. */
export interface HeaderRules {
  /** Hop-by-hop headers and those that the transport writes itself are dropped. */
  splitHeaders(headers: HeaderList): SplitHeaders;
  splitQuery(path: string): SplitQuery;
}

type Kind = 'stored' | 'secret' | 'volatile' | 'dropped';

/** Owned by the connection (RFC 9110 section 7.6.1) or by the transport, which knows what it frames and can decode. */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'accept-encoding',
  'expect',
]);

/** Headers that SDKs change on every attempt: they would keep equal requests apart and be stale after a wait. */
const VOLATILE: ReadonlySet<string> = new Set([
  'x-stainless-retry-count',
  'x-stainless-timeout',
  'x-stripe-client-telemetry',
  'x-retry-count',
  'retry-attempt',
  'client-request-id',
  'sdkversion',
  'amz-sdk-request',
  'amz-sdk-invocation-id',
  'x-amz-date',
  'x-ms-client-request-id',
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
  'x-request-id',
  'x-correlation-id',
  'user-agent',
  'date',
]);

const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'twilio-client-validation',
]);

/** `author` and `authority` are content, not credentials: they would be lost with the process that accepted the request. */
const SECRET_NAME =
  /secret|token|(?:api|access|private|subscription|functions|shared)[-_]?key|auth(?!or(?!i[sz]))|signature|credential|passw(?:or)?d|passphrase|(?:^|[-_])jwt(?:$|[-_])|^(?:sig|hmac|pwd)$/i;

/** Positions in a listing are called tokens too, but give nobody access; each page would be another principal. */
const PAGE_TOKEN = /^\$?(?:next|page|continuation|skip|sync|start)[-_]?(?:page)?[-_]?token$/i;

/** Names come from callers, so the memory for them is bounded. */
const MAX_REMEMBERED = 512;

/**
 * The rules with `secretNames` (any case) added to what is secret; they remember names they have seen. `keyHeader` carries the
 * idempotency key, which is stored whatever it is called.
 */
export function createHeaderRules(secretNames: ReadonlySet<string>, keyHeader?: string): HeaderRules {
  const secrets = lowerCased(secretNames);
  const key = keyHeader?.toLowerCase();
  const known = new Map<string, { readonly name: string; readonly kind: Kind }>();
  const look = (raw: string): { readonly name: string; readonly kind: Kind } => {
    const found = known.get(raw);
    if (found !== undefined) return found;
    const name = raw.toLowerCase();
    const entry = { name, kind: name === key ? ('stored' as const) : kindOf(name, secrets) };
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(raw, entry);
    return entry;
  };
  return {
    splitHeaders: (headers) => split(headers, look),
    splitQuery: (path) => cutQuery(path, secrets),
  };
}

/** Whether a header of an answer, by its lower-case name, is a credential; a challenge only asks for one. */
export function isSecretAnswer(name: string): boolean {
  if (name === 'www-authenticate' || name === 'authentication-info') return false;
  return SECRET_HEADERS.has(name) || (SECRET_NAME.test(name) && !PAGE_TOKEN.test(name.replace(/^x-/, '')));
}

/** A URL as it may be stored: without parameters that are secrets by their name. */
export function withoutSecrets(url: string): string {
  return cutQuery(url, NO_NAMES).path;
}

/** Puts parameters that {@link HeaderRules.splitQuery} cut out back, behind the others. */
export function joinQuery(path: string, secretQuery: string): string {
  if (secretQuery === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${secretQuery}`;
}

const NO_NAMES: ReadonlySet<string> = new Set();
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Adds a problem for every header that cannot go on the wire as given: a name that is no token, or a value with control
 * characters (header injection) or characters outside Latin-1. Values never stand in the messages.
 */
export function assertHeaders(headers: HeaderList, problems: Problem[]): void {
  for (const [name, value] of headers) {
    const path = `headers[${JSON.stringify(name)}]`;
    if (!TOKEN.test(name))
      problems.push({ path, expected: 'a header name (RFC 9110 token)', got: JSON.stringify(name) });
    const at = badCharacter(value);
    if (at === -1) continue;
    const code = value.charCodeAt(at).toString(16).padStart(4, '0');
    problems.push({
      path,
      expected: 'a value of visible Latin-1 characters, spaces and tabs',
      got: `the character U+${code.toUpperCase()} at position ${at}`,
    });
  }
}

/** Position of the first character that RFC 9110 section 5.5 does not allow in a field value, or -1. */
function badCharacter(value: string): number {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return index;
  }
  return -1;
}

function kindOf(name: string, secrets: ReadonlySet<string>): Kind {
  if (secrets.has(name)) return 'secret';
  if (DROPPED.has(name)) return 'dropped';
  if (SECRET_HEADERS.has(name) || SECRET_NAME.test(name)) return 'secret';
  return VOLATILE.has(name) ? 'volatile' : 'stored';
}

function split(
  headers: HeaderList,
  look: (raw: string) => { readonly name: string; readonly kind: Kind },
): SplitHeaders {
  const parts = { stored: [], secret: [], volatile: [] } as Record<Exclude<Kind, 'dropped'>, [string, string][]>;
  const listed = namedByConnection(headers);
  for (const [raw, value] of headers) {
    const { name, kind } = look(raw);
    if (kind === 'dropped' || (kind !== 'secret' && listed?.has(name))) continue;
    parts[kind].push([name, name === 'referer' ? withoutSecrets(value) : value]);
  }
  return parts;
}

/** Headers that `Connection` declares to be hop-by-hop; undefined without that header, as nearly always. */
function namedByConnection(headers: HeaderList): ReadonlySet<string> | undefined {
  let names: Set<string> | undefined;
  for (const [raw, value] of headers) {
    if (raw.length !== 10 || raw.toLowerCase() !== 'connection') continue;
    names ??= new Set();
    for (const name of value.split(',')) names.add(name.trim().toLowerCase());
  }
  return names;
}

function cutQuery(path: string, secrets: ReadonlySet<string>): SplitQuery {
  const start = path.indexOf('?');
  if (start === -1) return { path, secretQuery: '' };
  const kept: string[] = [];
  const cut: string[] = [];
  for (const parameter of path.slice(start + 1).split('&')) {
    const end = parameter.indexOf('=');
    const name = decodeName(end === -1 ? parameter : parameter.slice(0, end));
    const isSecret = secrets.has(name.toLowerCase()) || (SECRET_NAME.test(name) && !PAGE_TOKEN.test(name));
    (isSecret ? cut : kept).push(parameter);
  }
  if (cut.length === 0) return { path, secretQuery: '' };
  const base = path.slice(0, start);
  return { path: kept.length === 0 ? base : `${base}?${kept.join('&')}`, secretQuery: cut.join('&') };
}

function decodeName(raw: string): string {
  if (!raw.includes('%') && !raw.includes('+')) return raw;
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    return raw; // a stray % is legal in a query: the name as it stands is all there is
  }
}

function lowerCased(names: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...names].map((name) => name.toLowerCase()));
}
