import { jsonOf } from '../../strategies/json.ts';
import { valueNamed } from '../../strategies/jsonPointer.ts';
import type { Json, StoredRequest } from '../../types/request.ts';
import type { ProbeFunction } from '../config/options.ts';
import type { ListOptions } from './lookup.ts';
import { appliedAs, INCONCLUSIVE, NOT_APPLIED, readList } from './lookup.ts';

/** How {@link byStamp} looks. */
export interface StampOptions extends ListOptions {
  /** Field of the body, by name or JSON pointer, that holds the stamp, or a text with the stamp in it. */
  readonly field: string;
  /** Where an item has that field. @default the same */
  readonly itemField?: string | undefined;
  /** Path, with query, of the list of those that have the stamp. */
  readonly path: (request: StoredRequest, stamp: string) => string;
}

/** What a request is known by in a field of what it makes: its id. */
export function stampOf({ id }: Pick<StoredRequest, 'id'>): string {
  return id;
}

/**
 * Probes a create by its stamp: an id of its own that was sent in a field the API stores and can filter by. It was applied where exactly one thing
 * bears the stamp, and was not where none does. A request that was sent without its stamp is found nowhere, which shows nothing.
 */
export function byStamp(options: StampOptions): ProbeFunction {
  const { field, itemField = field } = options;
  return async (context) => {
    const { request } = context;
    const stamp = stampOf(request);
    if (!bears(jsonOf(request.content.body) ?? null, field, stamp)) return INCONCLUSIVE;
    const list = await readList(context, options.path(request, stamp), options);
    if (list === undefined) return INCONCLUSIVE;
    const found = list.items.filter((item) => bears(item, itemField, stamp));
    if (found.length === 0) return list.isPartial ? INCONCLUSIVE : NOT_APPLIED;
    const [item = null] = found;
    return found.length === 1 ? appliedAs(item, options) : INCONCLUSIVE;
  };
}

/** Some servers write ids in capitals. */
function bears(document: Json, field: string, stamp: string): boolean {
  const value = valueNamed(document, field);
  return typeof value === 'string' && value.toLowerCase().includes(stamp.toLowerCase());
}
