import type { Json } from '../types/request.ts';
import type { Equals } from './conflict.ts';
import type { JsonObject } from './jsonValue.ts';
import { fieldOf, isJsonObject } from './jsonValue.ts';
import { showsFields } from './sameFields.ts';

/**
 * Whether `remote` shows every field that was sent, where `equals` may take one for shown that the server writes in another way.
 * Fields that were not sent do not count.
 */
export function showsSent(remote: Json, sent: JsonObject, equals?: Equals): boolean {
  if (!isJsonObject(remote)) return false;
  return Object.entries(sent).every(
    ([field, value]) =>
      showsFields(remote, Object.fromEntries([[field, value]])) ||
      equals?.(field, value, fieldOf(remote, field)) === true,
  );
}
