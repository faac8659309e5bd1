import type { Json } from '../types/request.ts';

/**
 * Whether `remote` shows every field that was sent: objects by the fields sent, arrays by
 * position, everything else by value. Fields that were not sent do not count; own properties only.
 */
export function showsFields(remote: Json, sent: Json): boolean {
  if (isList(sent)) {
    return (
      isList(remote) &&
      remote.length === sent.length &&
      sent.every((item, index) => showsFields(remote[index] ?? null, item))
    );
  }
  if (typeof sent === 'object' && sent !== null) {
    if (typeof remote !== 'object' || remote === null || isList(remote)) return false;
    return Object.entries(sent).every(([name, value]) => showsField(remote, name, value));
  }
  return remote === sent;
}

function showsField(remote: { readonly [key: string]: Json }, name: string, value: Json): boolean {
  // A merge patch deletes a field by null: absent and null both show it.
  if (!Object.hasOwn(remote, name)) return value === null;
  return showsFields(remote[name] ?? null, value);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
