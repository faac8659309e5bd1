import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
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

/** Reads method, URL and zone of a call; throws REQUEST_INVALID with everything that is wrong with them. */
export function parseTarget(input: RequestInput, options: RequestOptions, zones: Zones): Target {
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
    problems.push({ path: 'url', expected: 'an absolute http: or https: URL', got: String(given) });
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

/** REQUEST_INVALID that says everything at once. */
export function invalidRequest(problems: readonly Problem[]): HoldfastError<'REQUEST_INVALID'> {
  const words = problems.map((problem) => `${problem.path}: expected ${problem.expected}, got ${problem.got}`);
  return new HoldfastError('REQUEST_INVALID', `the request is invalid: ${words.join('; ')}`, { problems });
}
