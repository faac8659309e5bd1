import { HoldfastError } from '../errors.ts';

export type QueryValue = string | number | bigint | boolean | undefined;
/** Search parameters: an array repeats its name, undefined is left out. */
export type Query = URLSearchParams | Readonly<Record<string, QueryValue | readonly QueryValue[]>>;

/** The paths that need no parsing: what a URL's path and query may hold as they are, without a fragment. */
const PLAIN = /^[\w\-.~!$&'()*+,;=:@%/?]*$/;
const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\//i;
/** Segments that URL parsing would resolve: `.` and `..`, also percent-encoded. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/i;
/** Characters that URL parsing would drop (tab, line ends), turn into `/` or cut off. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const ALTERED = /[\x00-\x1f\x7f\\#]/;

/** The URLs below one base. */
export class ClientUrl {
  readonly origin: string;
  /** Without trailing slash. */
  readonly base: string;

  /** @throws CONFIG_INVALID */
  constructor(baseUrl: string | URL) {
    const url = parse(String(baseUrl));
    const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
    if (url === undefined || !isHttp || url.username || url.password || url.search || url.hash) {
      const expected = 'an absolute http(s) URL without credentials, query and fragment';
      // What was given is not repeated: it may hold a password.
      const problems = [{ path: 'baseUrl', expected, got: url === undefined ? 'no URL' : 'another URL' }];
      throw new HoldfastError('CONFIG_INVALID', `baseUrl is not ${expected}.`, { problems });
    }
    this.origin = url.origin;
    this.base = url.origin + url.pathname.replace(/\/+$/, '');
  }

  /**
   * `path` below the base, with or without a leading slash, or an absolute URL of the same origin (a `next` link). Paths that
   * would mean something else once parsed are refused rather than rewritten.
   *
   * @throws REQUEST_INVALID
   */
  resolve(path: string, query?: Query | undefined): string {
    const url = this.#join(path);
    const search = query === undefined ? '' : searchOf(query);
    if (search === '') return url;
    return `${url}${url.includes('?') ? '&' : '?'}${search}`;
  }

  #join(path: string): string {
    if (typeof path !== 'string') throw invalid('path', 'a string', typeof path);
    if (ABSOLUTE.test(path)) return this.#sameOrigin(path);
    if (path.startsWith('//')) throw invalid('path', `a path of ${this.origin}`, 'the start of another origin');
    if (!PLAIN.test(path) || path.includes('.') || path.includes('%2')) assertUnambiguous(path);
    let url = this.base;
    if (path === '' || path[0] === '?') url += url.length === this.origin.length ? `/${path}` : path;
    else url += path[0] === '/' ? path : `/${path}`;
    return PLAIN.test(path) ? url : new URL(url).href;
  }

  #sameOrigin(given: string): string {
    const url = parse(given);
    if (url?.origin === this.origin && !url.username && !url.password) {
      assertUnambiguous(given.replace(ABSOLUTE, ''));
      return url.href;
    }
    // Another origin would be sent this client's credentials and queued for the wrong server.
    throw invalid('path', `a path, or a URL of ${this.origin}`, url === undefined ? 'no URL' : 'another origin');
  }
}

function assertUnambiguous(path: string): void {
  const end = path.indexOf('?');
  if (DOT_SEGMENT.test(end < 0 ? path : path.slice(0, end))) {
    throw invalid('path', 'a path without "." and ".." segments', 'one with');
  }
  if (ALTERED.test(path)) {
    throw invalid('path', 'a path without "#", "\\" and control characters (encode them)', 'one with');
  }
}

function searchOf(query: Query): string {
  if (query instanceof URLSearchParams) return query.toString();
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === undefined) continue;
      if (one === null || typeof one === 'object' || typeof one === 'function' || typeof one === 'symbol') {
        throw invalid(
          `query.${name}`,
          'text, a number, a boolean, or an array of these',
          one === null ? 'null' : typeof one,
        );
      }
      search.append(name, String(one));
    }
  }
  return search.toString();
}

function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function invalid(path: string, expected: string, got: string): HoldfastError {
  return new HoldfastError('REQUEST_INVALID', `The ${path} of a call must be ${expected}, not ${got}.`, {
    problems: [{ path, expected, got }],
  });
}
