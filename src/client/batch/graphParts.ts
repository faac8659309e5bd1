import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { BatchAnswer, BatchCandidate, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { HeaderList } from '../../queue/types/request.ts';
import { hasBody } from './jsonMember.ts';
import { answerJson, isHeaderText, isJsonType, missing, notServed, statusOf } from './outcomes.ts';
import { joinRaw, rawAt, rawItems, rawJson, rawMembers, rawScalar } from './rawJson.ts';

type Members = readonly (readonly [name: string, value: string])[];

/** Not of the answer itself, but of the way it came, or not for anybody to keep. */
const NOT_ITS_OWN: readonly string[] = [
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'set-cookie',
];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BASE64 = /^[\w+/-]*={0,2}$/;
const NO_BODY: readonly number[] = [204, 205, 304];

/** Headers and body of a request as members of its part; undefined where they do not fit into one. */
export function graphBody(candidate: BatchCandidate): Members | undefined {
  const headers = candidate.headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  const listed = headerObject(headers);
  if (listed === undefined) return undefined;
  const own: Members = headers.length === 0 ? [] : [['headers', listed]];
  if (!hasBody(candidate)) return own;
  const type = headerValue(headers, 'content-type');
  if (type === undefined || headerValue(headers, 'content-encoding') !== undefined) return undefined; // it would be taken for JSON
  if (!isJsonType(type))
    return [...own, ['body', JSON.stringify(Buffer.from(candidate.body ?? '').toString('base64'))]];
  const body = rawJson(candidate.body);
  return body === undefined ? undefined : [...own, ['body', body]];
}

/** Undefined where a name stands twice, which an object cannot say. */
function headerObject(headers: HeaderList): string | undefined {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  return names.size < headers.length
    ? undefined
    : joinRaw(headers.map(([name, value]) => [name, JSON.stringify(value)]));
}

/** All parts of the answers, by id in lower case; null where two of an id differ. */
export function graphResponses(answers: readonly BatchAnswer[]): Map<string, string | null> {
  const found = new Map<string, string | null>();
  for (const answer of answers) {
    const raw = answerJson(answer);
    const list = raw === undefined ? undefined : rawAt(raw, '/responses');
    for (const part of (list === undefined ? undefined : rawItems(list)) ?? []) {
      const id = rawScalar(rawAt(part, '/id'))?.toLowerCase();
      if (id !== undefined) found.set(id, found.has(id) && found.get(id) !== part ? null : part);
    }
  }
  return found;
}

export function graphOutcome(part: string, member: BatchMember, isDoubtful: boolean): BatchOutcome {
  const status = statusOf(rawAt(part, '/status'));
  if (status === undefined || (status === 429 && isDoubtful)) return missing(member);
  if (status === 424) return notServed(member);
  const headers = headersOf(rawAt(part, '/headers'));
  const raw = rawAt(part, '/body');
  if (raw === undefined || raw === 'null' || NO_BODY.includes(status)) {
    return { id: member.id, kind: 'answered', response: { status, headers, body: new Uint8Array() } };
  }
  const type = headerValue(headers, 'content-type');
  const typed: HeaderList = type === undefined ? [['content-type', 'application/json'], ...headers] : headers;
  const body = bodyOf(raw, type);
  return { id: member.id, kind: 'answered', response: { status, headers: typed, body } };
}

function headersOf(raw: string | undefined): HeaderList {
  return ((raw === undefined ? undefined : rawMembers(raw)) ?? []).flatMap(([name, text]) => {
    const value = rawScalar(text);
    const isOwn = TOKEN.test(name) && !NOT_ITS_OWN.includes(name.toLowerCase());
    return isOwn && value !== undefined && isHeaderText(value) ? [[name.toLowerCase(), value] as const] : [];
  });
}

/** JSON as it stands, and anything else in base64; a text that is not base64 is what it says. */
function bodyOf(raw: string, type: string | undefined): Uint8Array {
  const isText = raw.startsWith('"') && type !== undefined && !isJsonType(type);
  const text = isText ? (rawScalar(raw) ?? '') : raw;
  const isBase64 = isText && BASE64.test(text) && text.replace(/=+$/, '').length % 4 !== 1;
  return isBase64 ? new Uint8Array(Buffer.from(text, 'base64')) : new TextEncoder().encode(text);
}
