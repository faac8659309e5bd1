import type { Json } from '../../queue/types/request.ts';
import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, OptionCheck } from './batchOptions.ts';
import { isPathPattern, literalLength, PATTERN_EXPECTED, partNames } from './pathPattern.ts';

/** How several things are asked for at once. Parts of the single path may stand in `path`. */
export type IdQuery =
  | {
      readonly path: string;
      /** The parameter that the ids stand in: `?ids=1,2,3`. */
      readonly parameter: string;
      /** What is between them; `repeat`: the parameter once for each, `?id=1&id=2`. @default ',' */
      readonly separator?: string | undefined;
    }
  | {
      readonly path: string;
      /** The JSON body of a POST that asks for these ids: numbers with `idType: 'number'`. */
      readonly body: (ids: readonly (string | number)[]) => Json;
    };

/** Where to find single things, how to ask for several, and what the answer looks like. */
export interface IdBatchOptions extends BatchOptions {
  /** The path of one: `/tickets/{id}`. Other parts tell kinds apart: `/v1/{entity}/{id}`. */
  readonly path: string;
  readonly query: IdQuery;
  /** With `number`, only whole numbers are ids. @default 'string' */
  readonly idType?: 'string' | 'number' | undefined;
  /** What an id looks like where paths such as `/users/me` are none. @default any text */
  readonly idPattern?: RegExp | undefined;
  /** JSON pointer to the list in the answer. @default '' (the whole) */
  readonly items?: string | undefined;
  /** JSON pointer to the id in an item. @default '/id' */
  readonly id?: string | undefined;
  /** JSON pointer to the item in the answer to a single read: `/item` for `{"item":{…}}`. @default '' (the whole) */
  readonly wrap?: string | undefined;
  /** What a single read answers for an id that is not there. @default { status: 404 } without a body */
  readonly absent?: { readonly status?: number | undefined; readonly body?: Json | undefined } | undefined;
  /** JSON pointer to the URL of the next page, which is asked for by the same verb and body. @default one page */
  readonly nextUrl?: string | undefined;
  /** What becomes of single reads with a query string: it goes on the query's path as well, or they go alone. @default 'pass' with `parameter`, 'alone' with `body` */
  readonly search?: 'pass' | 'alone' | undefined;
  /** The longest URL of a query with `parameter`, origin included. @default 2048 */
  readonly maxUrlLength?: number | undefined;
  /** Headers that do not change the answer: by all others, requests are told apart. @default none */
  readonly ignoreHeaders?: readonly string[] | undefined;
}

const KNOWN: Readonly<Record<Exclude<keyof IdBatchOptions, keyof BatchOptions>, true>> = {
  path: true,
  query: true,
  idType: true,
  idPattern: true,
  items: true,
  id: true,
  wrap: true,
  absent: true,
  nextUrl: true,
  search: true,
  maxUrlLength: true,
  ignoreHeaders: true,
};

/** Kept free for what the adapter does not know: the origin, and credentials that stand in the query. */
const ORIGIN_LENGTH = 256;

/** What a query with a parameter has room for. Members are counted by their paths, so room is measured by those. */
export interface UrlBudget {
  /** The most characters in the query for each character of a member's path. */
  readonly factor: number;
  /** Characters of a member in the query beside its id. */
  readonly perId: number;
  /** For all paths of members together. */
  readonly bytes: number;
}

/** @throws CONFIG_INVALID with everything that is wrong with them */
export function assertIdBatchOptions(options: IdBatchOptions): void {
  const check = new OptionCheck('idBatch');
  const given = checkBatchOptions(check, options, Object.keys(KNOWN));
  const { path, query, idType, idPattern, items, id, wrap, absent, nextUrl, search, maxUrlLength, ignoreHeaders } =
    given;
  const isPath = isPathPattern(path) && partNames(path).includes('id');
  check.expect('path', isPath, `${PATTERN_EXPECTED}; {id} is one of them`, path);
  checkQuery(check, query, isPath ? partNames(path) : []);
  check.oneOf('idType', idType, undefined, 'string', 'number');
  check.expect('idPattern', idPattern === undefined || idPattern instanceof RegExp, 'a regular expression', idPattern);
  for (const [name, value] of Object.entries({ items, id, wrap, nextUrl })) check.pointer(name, value);
  if (absent !== undefined) {
    const { status, body } = check.keys('absent', absent, ['status', 'body']);
    check.status('absent.status', status);
    check.json('absent.body', body);
  }
  check.oneOf('search', search, undefined, 'pass', 'alone');
  check.count('maxUrlLength', maxUrlLength, 1);
  check.headerNames('ignoreHeaders', ignoreHeaders);
  check.done();
  const budget = urlBudget(options);
  if (budget === undefined || budget.bytes >= 2 * literalLength(options.path) + 2) return;
  check.expect('maxUrlLength', false, 'room for two ids, and 256 for the origin', options.maxUrlLength);
  check.done();
}

function checkQuery(check: OptionCheck, query: unknown, known: readonly string[]): void {
  const { path, parameter, separator, body } = check.keys('query', query, ['path', 'parameter', 'separator', 'body']);
  const isPath = isPathPattern(path) && partNames(path).every((name) => name !== 'id' && known.includes(name));
  check.expect('query.path', isPath, "a path that starts with '/', without query, with parts of `path` but {id}", path);
  const isOne = (parameter === undefined) !== (body === undefined);
  check.expect('query', isOne, 'either a parameter or a body', query);
  const isName = parameter === undefined || (typeof parameter === 'string' && parameter !== '');
  check.expect('query.parameter', isName, 'the name of a parameter', parameter);
  const isSeparator = separator === undefined || (typeof separator === 'string' && separator !== '');
  check.expect('query.separator', isSeparator, "a text such as ',', or 'repeat'", separator);
  check.callback('query.body', body);
}

/** Undefined for a POST. */
export function urlBudget({ path, query, maxUrlLength = 2_048 }: IdBatchOptions): UrlBudget | undefined {
  if (!('parameter' in query) || query.parameter === undefined) return undefined;
  const { parameter, separator = ',' } = query;
  const name = encodeURIComponent(parameter).length;
  const perId = separator === 'repeat' ? name + 2 : separatorText(separator).length;
  const factor = Math.max(1, perId / literalLength(path));
  const rest = maxUrlLength - ORIGIN_LENGTH - query.path.length - name - 4;
  return { factor, perId, bytes: Math.floor(rest / factor) };
}

/** As it stands in a query. */
export function separatorText(separator: string): string {
  return /^[,;:.!*~_-]+$/.test(separator) ? separator : encodeURIComponent(separator);
}
