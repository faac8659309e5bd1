import type { Body } from '../../queue/types/request.ts';

const [QUOTE, COMMA, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x22, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d];

/**
 * JSON is cut and joined here as text: `JSON.parse` would round large numbers and drop repeated keys, and whoever sent or asked alone
 * would have got the bytes as they are. All functions but the first two take text that they accepted. None recurses.
 */

/** The text of a body that is JSON; undefined for any other. */
export function rawJson(body: Body): string | undefined {
  const text = typeof body === 'string' ? body : body === null ? undefined : utf8(body);
  return text !== undefined && isJsonText(text) ? text.trim() : undefined;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text of bytes that are UTF-8, without its byte order mark; undefined for others. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined; // in another encoding, or cut within a character
  }
}

/** The items of an array; undefined for anything else. */
export function rawItems(raw: string): string[] | undefined {
  return raw.startsWith('[') ? split(raw) : undefined;
}

/** The members of an object in their order, repeated ones included; undefined for anything else. */
export function rawMembers(raw: string): (readonly [name: string, value: string])[] | undefined {
  if (!raw.startsWith('{')) return undefined;
  return split(raw).map((part) => {
    const end = endOfString(part, 0);
    const name = JSON.parse(part.slice(0, end)) as string; // the key of a member
    return [name, part.slice(part.indexOf(':', end) + 1).trim()] as const;
  });
}

/** What a JSON pointer (RFC 6901) points at. Of repeated keys the last counts, as for `JSON.parse`. */
export function rawAt(raw: string, pointer: string): string | undefined {
  let value: string | undefined = raw;
  for (const name of pointerNames(pointer)) {
    if (value === undefined) return undefined;
    const items = rawItems(value);
    if (items === undefined) value = rawMembers(value)?.findLast(([key]) => key === name)?.[1];
    else value = /^(?:0|[1-9]\d*)$/.test(name) ? items[Number(name)] : undefined;
  }
  return value;
}

/** The object in which `pointer` leads to `raw`, and nowhere else; `raw` itself where it is ''. */
export function wrapRaw(raw: string, pointer: string): string {
  return pointerNames(pointer).reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, raw);
}

/** The object of these members. */
export function joinRaw(members: readonly (readonly [name: string, value: string])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** A string by its value, or a number by its digits as they stand; undefined for anything else. Ids are compared by this. */
export function rawScalar(raw: string | undefined): string | undefined {
  if (raw === undefined) return undefined;
  if (raw.startsWith('"')) return JSON.parse(raw) as string;
  return /^-?\d/.test(raw) ? raw : undefined;
}

function pointerNames(pointer: string): string[] {
  const names = pointer.split('/').slice(1);
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What stands between the commas of an array or object, by one pass over its text. */
function split(raw: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 1; at < raw.length - 1; at++) {
    const code = raw.charCodeAt(at);
    if (code === QUOTE) at = endOfString(raw, at) - 1;
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth += 1;
    else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth -= 1;
    else if (code === COMMA && depth === 0) {
      parts.push(raw.slice(start, at).trim());
      start = at + 1;
    }
  }
  const last = raw.slice(start, -1).trim();
  if (last !== '') parts.push(last);
  return parts;
}

/** Behind the quote that ends the string which begins at `start`. */
function endOfString(raw: string, start: number): number {
  let end = raw.indexOf('"', start + 1);
  while (isEscaped(raw, end)) end = raw.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(raw: string, at: number): boolean {
  let first = at;
  while (raw[first - 1] === '\\') first -= 1;
  return (at - first) % 2 === 1;
}
