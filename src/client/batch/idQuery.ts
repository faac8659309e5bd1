import { assertJson } from '../../queue/strategies/jsonValue.ts';
import type { BatchAnswer, BatchCall } from '../../queue/types/batch.ts';
import type { HeaderList } from '../../queue/types/request.ts';
import type { IdBatchOptions } from './idBatchOptions.ts';
import { separatorText } from './idBatchOptions.ts';
import { withHeaders } from './memberHeaders.ts';
import { answerJson } from './outcomes.ts';
import { fillPath } from './pathPattern.ts';
import { rawAt, rawItems, rawScalar } from './rawJson.ts';

/** A single read. */
export interface SingleRead {
  readonly id: string;
  /** Of its path, but for the id. */
  readonly parts: Readonly<Record<string, string>>;
  readonly search: string;
}

/** The query that stands for single reads which have all but the id alike. */
export function idQuery(
  { query, idType, maxUrlLength = 2_048 }: IdBatchOptions,
  singles: readonly SingleRead[],
  headers: HeaderList,
): BatchCall {
  const { parts = {}, search = '' } = singles[0] ?? {};
  const path = fillPath(query.path, parts);
  const ids = [...new Set(singles.map(({ id }) => id))];
  if ('body' in query && query.body !== undefined) {
    const body: unknown = query.body(idType === 'number' ? ids.map(Number) : ids);
    assertJson(body, 'the body of a query for several ids');
    const all = withHeaders(headers, [['content-type', 'application/json']]);
    return { method: 'POST', path: path + search, headers: all, body: JSON.stringify(body) };
  }
  if (!('parameter' in query)) throw new TypeError('a query has a parameter or a body');
  const { parameter, separator = ',' } = query;
  const name = encodeURIComponent(parameter);
  const values = ids.map(encodeURIComponent);
  const asked =
    separator === 'repeat'
      ? values.map((value) => `${name}=${value}`).join('&')
      : `${name}=${values.join(separatorText(separator))}`;
  const whole = `${path}?${asked}${search.length < 2 ? '' : `&${search.slice(1)}`}`;
  if (whole.length > maxUrlLength) throw new RangeError(`a query of ${ids.length} ids is longer than a URL may be`);
  return { method: 'GET', path: whole, headers, body: null };
}

/** What the answers say of all ids. */
export interface FoundItems {
  /** By id; null where two of an id differ. */
  readonly items: ReadonlyMap<string, string | null>;
  /** Something cannot be understood, was not asked for, or there is more: an id that is not among them may still be there. */
  readonly isPartial: boolean;
}

export function findItems(
  answers: readonly BatchAnswer[],
  asked: ReadonlySet<string | undefined>,
  { items: at = '', id: idAt = '/id', nextUrl }: IdBatchOptions,
): FoundItems {
  const items = new Map<string, string | null>();
  const last = answers.at(-1);
  let isPartial = last === undefined || nextUrlOf(last, nextUrl) !== undefined;
  for (const answer of answers) {
    const raw = answerJson(answer);
    const list = raw === undefined ? undefined : rawItems(rawAt(raw, at) ?? '');
    if (list === undefined || answer.status !== 200) isPartial = true;
    for (const item of list ?? []) {
      const id = rawScalar(rawAt(item, idAt));
      if (id === undefined || !asked.has(id)) isPartial = true;
      else items.set(id, items.has(id) && items.get(id) !== item ? null : item);
    }
  }
  return { items, isPartial };
}

/** The URL of the page behind an answer; undefined where it is the last. */
export function nextUrlOf(answer: BatchAnswer, at: string | undefined): string | undefined {
  const raw = at === undefined ? undefined : answerJson(answer);
  const url = raw === undefined || at === undefined ? undefined : rawAt(raw, at);
  return url?.startsWith('"') ? rawScalar(url) || undefined : undefined;
}
