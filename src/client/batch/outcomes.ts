import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { BatchAnswer, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { HeaderList } from '../../queue/types/request.ts';
import { rawJson } from './rawJson.ts';

const JSON_TYPE = 'application/json';
const NO_BODY: readonly number[] = [204, 205, 304];

export function missing({ id }: BatchMember): BatchOutcome {
  return { id, kind: 'missing' };
}

export function notServed({ id }: BatchMember): BatchOutcome {
  return { id, kind: 'notServed' };
}

/** With `text` as its body, which some statuses do not have; `type` is its content type. */
export function answered(
  { id }: BatchMember,
  status: number,
  text: string | undefined,
  type: string = JSON_TYPE,
  headers: HeaderList = [],
): BatchOutcome {
  const body = text === undefined || NO_BODY.includes(status) ? new Uint8Array() : new TextEncoder().encode(text);
  const own: HeaderList = body.length === 0 ? [] : [['content-type', type]];
  return { id, kind: 'answered', response: { status, headers: [...own, ...headers], body } };
}

/** The JSON text of an answer; undefined for a page, for rubbish and for nothing. */
export function answerJson(answer: BatchAnswer): string | undefined {
  return rawJson(answer.body);
}

/** The type of an answer where it is one of JSON; so that parts of it can have it too. */
export function jsonTypeOf({ headers }: BatchAnswer): string {
  const type = headerValue(headers, 'content-type');
  return type !== undefined && isJsonType(type) ? type : JSON_TYPE;
}

export function isJsonType(type: string): boolean {
  return /^\s*(?:application|text)\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type);
}

/** A final status that a server gave as a number, or as its digits. */
export function statusOf(raw: string | undefined): number | undefined {
  const digits = /^"?([2-5]\d\d)"?$/.exec(raw ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A header by a value that a server gave within JSON; none where it cannot be one. */
export function headerOf(name: string, value: string | undefined): HeaderList {
  return value !== undefined && isHeaderText(value) ? [[name, value]] : [];
}

/** Visible Latin-1 characters, spaces and tabs. */
export function isHeaderText(value: string): boolean {
  return /^[\t\x20-\x7e\xa0-\xff]*$/.test(value);
}
