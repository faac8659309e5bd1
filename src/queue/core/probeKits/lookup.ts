import { headerValue } from '../../strategies/headerValue.ts';
import { jsonOf } from '../../strategies/json.ts';
import { valueAt } from '../../strategies/jsonPointer.ts';
import type { JsonObject } from '../../strategies/jsonValue.ts';
import { isJsonArray, isJsonObject } from '../../strategies/jsonValue.ts';
import type { HttpResponse, Json, StoredRequest } from '../../types/request.ts';
import type { ProbeContext, ProbeVerdict } from '../config/options.ts';

export const NOT_APPLIED: ProbeVerdict = Object.freeze({ outcome: 'notApplied' });
export const INCONCLUSIVE: ProbeVerdict = Object.freeze({ outcome: 'inconclusive' });

/** How the list is read in which a probe looks for what a request made. */
export interface ListOptions {
  /** @default 'GET' */
  readonly method?: 'GET' | 'QUERY' | 'POST' | undefined;
  /** What to ask, sent as JSON; for a QUERY, or a POST that only reads. @default none */
  readonly body?: ((request: StoredRequest) => Json) | undefined;
  /** JSON pointer to the list in the answer. @default '' (the answer is the list) */
  readonly items?: string | undefined;
  /** JSON pointer to what is there, and not null, only while the answer is not the whole list. @default a `Link` header with `rel="next"` */
  readonly next?: string | undefined;
  /** JSON pointer to the server id in an item. @default '/id' */
  readonly id?: string | undefined;
}

/** What was found where a request may have made something. */
export interface Listing {
  readonly items: readonly Json[];
  /** There is more that was not read. */
  readonly isPartial: boolean;
}

const NOTHING: Listing = Object.freeze({ items: [], isPartial: false });

/** Reads a list; undefined where the answer is none. What is not found (404) is empty. */
export async function readList(
  context: ProbeContext,
  path: string,
  options: ListOptions,
): Promise<Listing | undefined> {
  const { method = 'GET', body, items = '', next } = options;
  const asks = body === undefined ? undefined : JSON.stringify(body(context.request));
  const response = await context.send({
    method,
    path,
    ...(asks !== undefined && { headers: [['content-type', 'application/json']], body: asks }),
  });
  if (response.status === 404) return NOTHING;
  if (!isSuccess(response)) return undefined;
  const answer = jsonOf(response.body);
  const list = answer === undefined ? undefined : valueAt(answer, items);
  if (answer === undefined || !isJsonArray(list)) return undefined;
  const more = next === undefined ? undefined : valueAt(answer, next);
  const isPartial = response.status === 206 || hasNext(response) || (more !== undefined && more !== null);
  return { items: list, isPartial };
}

/** Whether it is an answer with what was asked for. */
export function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

/** The fields a request sent; undefined where it sent none. */
export function sentFields({ content }: StoredRequest): JsonObject | undefined {
  const sent = jsonOf(content.body);
  return isJsonObject(sent) && Object.keys(sent).length > 0 ? sent : undefined;
}

/** Applied, by the item that shows it. */
export function appliedAs(item: Json, { id = '/id' }: ListOptions): ProbeVerdict {
  const serverId = valueAt(item, id);
  const isId = (typeof serverId === 'string' && serverId !== '') || isExactInteger(serverId);
  return isId ? { outcome: 'applied', serverId } : { outcome: 'applied' };
}

/** Larger ones were rounded when they were read: another thing may have that id. */
function isExactInteger(value: Json | undefined): value is number {
  return Number.isSafeInteger(value);
}

function hasNext({ headers }: HttpResponse): boolean {
  return /;\s*rel="?[^";,]*\bnext\b/i.test(headerValue(headers, 'link') ?? '');
}
