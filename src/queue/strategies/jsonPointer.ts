import type { Json } from '../types/request.ts';
import { isJsonArray, isJsonObject } from './jsonValue.ts';

/** What a JSON pointer (RFC 6901) points at; undefined where there is nothing, and for what is no pointer. '' is the whole. */
export function valueAt(document: Json, pointer: string): Json | undefined {
  if (pointer === '') return document;
  if (!pointer.startsWith('/')) return undefined;
  let value: Json | undefined = document;
  for (const escaped of pointer.slice(1).split('/')) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (isJsonArray(value)) value = /^(?:0|[1-9]\d*)$/.test(name) ? value[Number(name)] : undefined;
    else if (isJsonObject(value) && Object.hasOwn(value, name)) value = value[name];
    else return undefined;
  }
  return value;
}

/** What a JSON pointer, or the bare name of a top-level field, points at. */
export function valueNamed(document: Json, field: string): Json | undefined {
  if (field.startsWith('/')) return valueAt(document, field);
  return isJsonObject(document) && Object.hasOwn(document, field) ? document[field] : undefined;
}
