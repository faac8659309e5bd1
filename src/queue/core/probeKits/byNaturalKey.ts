import type { Equals } from '../../strategies/conflict.ts';
import { deepEqual } from '../../strategies/deepEqual.ts';
import { valueNamed } from '../../strategies/jsonPointer.ts';
import type { JsonObject } from '../../strategies/jsonValue.ts';
import { showsSent } from '../../strategies/showsSent.ts';
import type { Json, StoredRequest } from '../../types/request.ts';
import type { ProbeFunction } from '../config/options.ts';
import type { ListOptions } from './lookup.ts';
import { appliedAs, INCONCLUSIVE, NOT_APPLIED, readList, sentFields } from './lookup.ts';

/** How {@link byNaturalKey} looks. */
export interface NaturalKeyOptions extends ListOptions {
  /** Path, with query, of the list that has what the request made, if it did: filtered by the key, so that it is short. */
  readonly path: (request: StoredRequest, sent: JsonObject) => string;
  /** The key: fields, by name or JSON pointer, that no two things share; or whether an item has the key that was sent. */
  readonly match: readonly string[] | ((item: Json, sent: JsonObject) => boolean);
  /** Whether the server shows a field as it was sent; asked where the values differ. */
  readonly equals?: Equals | undefined;
}

/**
 * Probes a create by fields that no two things share. It was applied where exactly one thing has the key and shows all that was sent, and was not
 * where none has it. One that has the key and shows something else was made by somebody else, or changed since: that shows nothing.
 */
export function byNaturalKey(options: NaturalKeyOptions): ProbeFunction {
  return async (context) => {
    const { request } = context;
    const sent = sentFields(request);
    if (sent === undefined || !hasKey(sent, options.match)) return INCONCLUSIVE;
    const list = await readList(context, options.path(request, sent), options);
    if (list === undefined) return INCONCLUSIVE;
    const found = list.items.filter((item) => isMatch(item, sent, options));
    if (found.length === 0) return list.isPartial ? INCONCLUSIVE : NOT_APPLIED;
    const [item = null] = found;
    return found.length === 1 && showsSent(item, sent, options.equals) ? appliedAs(item, options) : INCONCLUSIVE;
  };
}

/** What was sent without its key is found nowhere, applied or not. */
function hasKey(sent: JsonObject, match: NaturalKeyOptions['match']): boolean {
  if (typeof match === 'function') return true;
  return match.length > 0 && match.every((field) => (valueNamed(sent, field) ?? null) !== null);
}

function isMatch(item: Json, sent: JsonObject, { match, equals }: NaturalKeyOptions): boolean {
  if (typeof match === 'function') return match(item, sent);
  return match.every((field) => {
    const local = valueNamed(sent, field) ?? null;
    const remote = valueNamed(item, field) ?? null;
    return deepEqual(local, remote) || equals?.(field, local, remote) === true;
  });
}
