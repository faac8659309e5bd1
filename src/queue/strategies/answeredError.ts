import type { Json, StoredResult } from '../types/request.ts';
import { headerValue } from './headerValue.ts';
import { jsonOf, textOf } from './json.ts';
import type { JsonObject } from './jsonValue.ts';
import { fieldOf, isJsonArray, isJsonObject } from './jsonValue.ts';
import { maskedText } from './maskedText.ts';

/** Larger bodies are not looked into: reading many of them would hold up the event loop. */
const MAX_READ = 64 * 1_024;
/** Named fields of a form that were refused. */
const MAX_FIELDS = 4;

const CODES = ['code', 'errorCode', 'error_code', 'type', 'status', 'reason', 'name', 'Code'] as const;
const MESSAGES = [
  'message',
  'Message',
  'title',
  'detail',
  'error_description',
  'error_message',
  'errorMessage',
  'faultstring',
  'description',
  'msg',
] as const;
/** Where an error stands within an answer. */
const WITHIN = ['error', 'errors', 'Error', 'fault', 'Fault', 'detail'] as const;
/** Errors within errors. */
const MAX_DEPTH = 3;

/**
 * What an answer says of its error, normalised: type and title of a problem (RFC 9457), or code and message of the usual shapes of JSON errors; of other texts the
 * first line, of a page its title. Empty where it says nothing.
 */
export function answeredError(result: StoredResult | null): string {
  const body = result?.body ?? null;
  if (result === null || body === null || body.byteLength === 0 || body.byteLength > MAX_READ) return '';
  const type = headerValue(result.headers, 'content-type') ?? '';
  const value = jsonOf(body);
  if (value !== undefined) return textIn(value, 0) ?? '';
  return textual(textOf(body) ?? '', type);
}

function textIn(value: Json, depth: number): string | undefined {
  if (typeof value === 'string') return maskedText(value) || undefined;
  if (depth > MAX_DEPTH) return undefined;
  if (isJsonArray(value)) return value.length === 0 ? undefined : textIn(value[0] as Json, depth + 1); // not empty
  if (!isJsonObject(value)) return undefined;
  return problemIn(value) ?? nested(value, depth) ?? errorIn(value) ?? fieldsIn(value, depth);
}

/** A problem by its type or title: its detail is about one case only. */
function problemIn(object: JsonObject): string | undefined {
  const title = textAt(object, 'title');
  if (title === undefined) return undefined;
  const type = textAt(object, 'type') ?? codeAt(object, 'code');
  return joined(type === 'about:blank' ? undefined : type, maskedText(title));
}

function nested(object: JsonObject, depth: number): string | undefined {
  for (const name of WITHIN) {
    const inner = fieldOf(object, name);
    if (inner === null || (name === 'detail' && typeof inner === 'string')) continue;
    const text = textIn(inner, depth + 1);
    if (text === undefined) continue;
    // OAuth has the code in `error` and says the rest beside it.
    return typeof inner === 'string' ? joined(text, messageIn(object)) : text;
  }
  return undefined;
}

function errorIn(object: JsonObject): string | undefined {
  const name = CODES.find((candidate) => codeAt(object, candidate) !== undefined);
  return joined(name && codeAt(object, name), messageIn(object));
}

function messageIn(object: JsonObject): string | undefined {
  const name = MESSAGES.find((candidate) => textAt(object, candidate) !== undefined);
  const message = name === undefined ? undefined : textAt(object, name);
  return message === undefined ? undefined : maskedText(message);
}

/** `{ "email": ["is taken"] }`: which fields, and what is wrong with the first. */
function fieldsIn(object: JsonObject, depth: number): string | undefined {
  const names = Object.keys(object)
    .filter((name) => isJsonArray(object[name]))
    .sort();
  const [first] = names;
  if (depth === 0 || first === undefined) return undefined;
  const listed = maskedText(names.slice(0, MAX_FIELDS).join(', '));
  return joined(listed, textIn(fieldOf(object, first), depth + 1));
}

/** Codes are words or numbers: a number that is one is kept, as it says which error it is. */
function codeAt(object: JsonObject, name: string): string | undefined {
  const value = fieldOf(object, name);
  if (typeof value === 'number') return String(value);
  return textAt(object, name);
}

function textAt(object: JsonObject, name: string): string | undefined {
  const value = fieldOf(object, name);
  return typeof value === 'string' && value.trim() !== '' ? value.trim().slice(0, 200) : undefined;
}

function joined(code: string | undefined, message: string | undefined): string | undefined {
  if (code === undefined || code === message) return message;
  return message === undefined ? code : `${code}: ${message}`;
}

function textual(text: string, type: string): string {
  const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1];
  if (title !== undefined) return maskedText(title);
  const code = /<code>([^<]*)<\/code>/i.exec(text)?.[1];
  const message = /<(?:message|faultstring)>([^<]*)</i.exec(text)?.[1];
  if (code !== undefined || message !== undefined) return joined(code, message && maskedText(message)) ?? '';
  return /html|xml|octet|image|audio|video/i.test(type) ? '' : maskedText(text.trimStart().split('\n', 1)[0] ?? '');
}
