import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { problemWords } from '../../problemWords.ts';
import type { RequestInput, RequestOptions } from '../types/calls.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Where a call goes. */
export interface Target {
  readonly zone: Zone;
  readonly method: string;
  /** With query, starting with `/`. */
  readonly path: string;
}

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Z-]+$/;

/** Paths and queries that a URL parser would give back as they are: no escapes to add, no dot segments to resolve. */
const PLAIN_PATH = /^\/(?!.*\/\.)[\w\-~!$&()*+,;=:@%/?.]*$/;
const PLAIN_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'GET']);

/**
 * The target of a call whose URL needs no parsing, as nearly all of an API client's: an origin seen before and a plain path. Undefined
 * when it is not that simple.
 */
function plainTarget(input: RequestInput, options: RequestOptions, zones: Zones): Target | undefined {
  const { method, url } = input;
  if (typeof url !== 'string' || options.zone !== undefined || !PLAIN_METHODS.has(method)) return undefined;
  if (method === 'GET' && input.body !== undefined && input.body !== null) return undefined;
  const start = url.indexOf('/', 8);
  const zone = start === -1 ? undefined : zones.knownOrigin(url.slice(0, start));
  const path = url.slice(start);
  return zone !== undefined && PLAIN_PATH.test(path) ? { zone, method, path } : undefined;
}

/** Reads method, URL and zone of a call; throws REQUEST_INVALID with everything that is wrong with them. */
export function parseTarget(input: RequestInput, options: RequestOptions, zones: Zones): Target {
  const plain = plainTarget(input, options, zones);
  if (plain !== undefined) return plain;
  const problems: Problem[] = [];
  const url = parseUrl(input.url, problems);
  const method = typeof input.method === 'string' ? input.method.toUpperCase() : '';
  if (!METHOD.test(method) || method === 'CONNECT' || method === 'TRACE') {
    problems.push({
      path: 'method',
      expected: 'an HTTP method other than CONNECT and TRACE',
      got: String(input.method),
    });
  }
  if ((method === 'GET' || method === 'HEAD') && input.body !== undefined && input.body !== null) {
    problems.push({ path: 'body', expected: `none on ${method}`, got: typeof input.body });
  }
  if (url === undefined || problems.length > 0) throw invalidRequest(problems);

  const zone = options.zone === undefined ? zones.ofOrigin(url.origin) : zones.mustBeNamed(options.zone);
  if (!zone.policy.origins.includes(url.origin)) {
    throw invalidRequest([{ path: 'url', expected: `an origin of zone "${zone.name}"`, got: url.origin }]);
  }
  return { zone, method, path: url.pathname + url.search };
}

function parseUrl(given: string | URL, problems: Problem[]): URL | undefined {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    problems.push({ path: 'url', expected: 'an absolute http: or https: URL', got: withoutSecrets(String(given)) });
    return undefined;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    problems.push({ path: 'url', expected: 'http: or https:', got: url.protocol });
  }
  if (url.username !== '' || url.password !== '') {
    problems.push({ path: 'url', expected: 'no credentials in the URL', got: 'a user name or password' });
  }
  return url;
}

/** As far as it can be repeated in a message: without query, fragment and user. */
function withoutSecrets(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//');
}

/** REQUEST_INVALID that says everything at once: of a request, or of any other call of the queue. */
export function invalidRequest(problems: readonly Problem[]): HoldfastError<'REQUEST_INVALID'> {
  return new HoldfastError('REQUEST_INVALID', `the call is invalid: ${problemWords(problems)}`, { problems });
}
