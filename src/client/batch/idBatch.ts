import { hasCondition } from '../../queue/strategies/conditions.ts';
import { percentDecoded } from '../../queue/strategies/percentDecoded.ts';
import type { BatchAdapter, BatchCandidate } from '../../queue/types/batch.ts';
import { limitsOf, lowerCased } from './batchOptions.ts';
import type { IdBatchOptions } from './idBatchOptions.ts';
import { assertIdBatchOptions, urlBudget } from './idBatchOptions.ts';
import type { SingleRead } from './idQuery.ts';
import { findItems, idQuery, nextUrlOf } from './idQuery.ts';
import { headersThatMatter } from './memberHeaders.ts';
import { nextPath } from './nextPage.ts';
import { answered, jsonTypeOf, missing } from './outcomes.ts';
import { pathPattern } from './pathPattern.ts';
import { wrapRaw } from './rawJson.ts';

const WHOLE_NUMBER = /^(?:0|-?[1-9]\d*)$/;

/**
 * Makes one query of single reads by id, for APIs that can be asked for several things at once. An id that a complete answer does not name is
 * answered as `absent` says; nothing is concluded from an answer that is incomplete or names what nobody asked for.
 *
 * @throws CONFIG_INVALID with everything that is wrong with the options
 */
export function idBatch(options: IdBatchOptions): BatchAdapter {
  assertIdBatchOptions(options);
  const { wrap = '', nextUrl, absent = {} } = options;
  const readSingle = singleReader(options);
  const ignored = lowerCased(options.ignoreHeaders);
  const limits = limitsOf(options, { name: 'idBatch', maxItems: 100 });
  const absentBody = absent.body === undefined ? undefined : JSON.stringify(absent.body);

  return {
    ...limits,
    maxBytes: Math.min(limits.maxBytes, urlBudget(options)?.bytes ?? limits.maxBytes),
    carriesHeaders: false,
    key(candidate) {
      const single = readSingle(candidate);
      if (single === undefined) return null;
      return JSON.stringify([single.parts, single.search, headersThatMatter(candidate.headers, ignored)]);
    },
    compose(members) {
      const singles = members.map((member) => mustBe(readSingle(member)));
      const headers = headersThatMatter(members[0]?.headers ?? [], ignored);
      return idQuery(options, singles, headers);
    },
    ...(nextUrl !== undefined && {
      next(answer, call) {
        const path = nextPath(nextUrlOf(answer, nextUrl), call);
        return path === undefined ? undefined : { ...call, path };
      },
    }),
    outcomes(answers, members) {
      const ids = members.map((member) => readSingle(member)?.id);
      const { items, isPartial } = findItems(answers, new Set(ids), options);
      const [first] = answers;
      return members.map((member, index) => {
        const item = items.get(ids[index] ?? '');
        if (first === undefined || item === null || (item === undefined && isPartial)) return missing(member);
        if (item === undefined) return answered(member, absent.status ?? 404, absentBody);
        return answered(member, 200, wrapRaw(item, wrap), jsonTypeOf(first));
      });
    },
  };
}

function mustBe(single: SingleRead | undefined): SingleRead {
  if (single === undefined)
    throw new TypeError('idBatch was given a member that is no read of a single thing by its id');
  return single;
}

/** What tells a read of a single thing, and its id, from any other request. */
function singleReader(options: IdBatchOptions): (candidate: BatchCandidate) => SingleRead | undefined {
  const { query, idType = 'string', idPattern } = options;
  const pattern = pathPattern(options.path);
  const looksRight = idPattern && new RegExp(idPattern.source, idPattern.flags.replaceAll(/[gy]/g, ''));
  const budget = urlBudget(options);
  const parameter = 'parameter' in query ? query.parameter : undefined;
  const separator = 'parameter' in query ? (query.separator ?? ',') : undefined;
  const passesSearch = (options.search ?? (parameter === undefined ? 'alone' : 'pass')) === 'pass';

  const fitsQuery = (id: string, search: string, pathLength: number): boolean => {
    if (budget === undefined || parameter === undefined || separator === undefined) return true;
    if (separator !== 'repeat' && id.includes(separator)) return false; // it would be read as two
    if (new URLSearchParams(search).has(parameter)) return false;
    return encodeURIComponent(id).length + budget.perId <= budget.factor * pathLength;
  };

  return ({ method, path, headers, body, effect }) => {
    if (method !== 'GET' || effect !== 'read' || (body !== null && body.length > 0)) return undefined;
    if (hasCondition(headers)) return undefined;
    const match = pattern.match(path);
    if (match === undefined || (match.search !== '' && !passesSearch)) return undefined;
    const { id: part = '', ...parts } = match.parts;
    const id = percentDecoded(part);
    if (id === undefined) return undefined;
    if (idType === 'number' && !(WHOLE_NUMBER.test(id) && Number.isSafeInteger(Number(id)))) return undefined;
    if (looksRight?.test(id) === false) return undefined;
    const shared = Object.values(parts).join('').length + match.search.length;
    return fitsQuery(id, match.search, path.length - shared) ? { id, parts, search: match.search } : undefined;
  };
}
