import { isOpaque } from './pathTemplate.ts';

/** What is looked at of a text. */
const MAX_READ = 4_096;
const MAX_LENGTH = 160;

const LOCAL_ID = /local\.[A-Za-z][\w-]{0,39}\.[0-9a-f]{8}-[0-9a-f-]{27}/g;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
/** ISO 8601 dates, with or without a time. */
const INSTANT =
  /\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?\b/gi;
/** As in headers: `Sun, 06 Nov 1994 08:49:37 GMT`. */
const HTTP_DATE =
  /\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? \d{1,2}[ -][a-z]{3}[ -]\d{2,4} \d{2}:\d{2}:\d{2}(?: GMT)?/gi;
const CLOCK_TIME = /\b\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?\b/gi;
/** A single quote within a word is an apostrophe. */
const QUOTED = /"[^"]*"|`[^`]*`|\u201c[^\u201d]*\u201d|(?<![\p{L}\p{N}])'[^']*'(?![\p{L}\p{N}])/gu;
const ADDRESS = /[^\s@<>()[\],;:{}]{1,64}@[^\s@<>()[\],;:{}]{1,128}/g;
const WORD = /[A-Za-z0-9]{5,}/g;
/** A number with its unit. */
const MEASURE = /^\d+[A-Za-z]+$/;
/** Of letters and digits: so many digits are no part of a name, nor do these change places so often in one. */
const MANY_DIGITS = 5;
const MANY_PARTS = 5;
const NUMBER = /(?<![A-Za-z0-9{])[+-]?\d+(?:[.,:]\d+)*/g;

/**
 * A message with what differs from one case to the next replaced: quoted texts and addresses by `{text}`, ids by `{id}`, times by `{time}`,
 * numbers by `{n}`. Bounded.
 */
export function maskedText(text: string): string {
  const masked = text
    .slice(0, MAX_READ)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(LOCAL_ID, '{id}')
    .replace(QUOTED, '{text}')
    .replace(UUID, '{id}')
    .replace(INSTANT, '{time}')
    .replace(HTTP_DATE, '{time}')
    .replace(CLOCK_TIME, '{time}')
    .replace(ADDRESS, '{text}')
    .replace(WORD, (word, at: number, whole: string) => (isId(word) && !isCode(word, at, whole) ? '{id}' : word))
    .replace(NUMBER, '{n}');
  return masked.length > MAX_LENGTH ? `${masked.slice(0, MAX_LENGTH - 3)}...` : masked;
}

function isId(word: string): boolean {
  if (!/[a-z]/i.test(word)) return false;
  if (isOpaque(word)) return true;
  const digits = word.replaceAll(/\D/g, '').length;
  const parts = word.match(/\d+|\D+/g) ?? [];
  return !MEASURE.test(word) && (digits >= MANY_DIGITS || parts.length >= MANY_PARTS);
}

/** `AADSTS50034: …`: what it begins with says which error it is. */
function isCode(word: string, at: number, whole: string): boolean {
  return at === 0 && whole[word.length] === ':' && /^[A-Z]+\d+$/.test(word);
}
