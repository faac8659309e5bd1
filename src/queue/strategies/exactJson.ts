import type { Json } from '../types/request.ts';
import { isJsonArray, isJsonObject, MAX_DEPTH } from './jsonValue.ts';

/** Strings, so that nothing in them counts; numbers; and the colon of each member. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|:/gs;
const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * The value of a JSON text, if writing it again gives the same value: undefined where a number would be rounded or a repeated key be lost,
 * where it is nested too deep, and for what is not JSON.
 */
export function parseExactly(text: string): Json | undefined {
  const value = parse(text);
  if (value === undefined) return undefined;
  let members = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ':') members += 1;
    else if (!token.startsWith('"') && !isExact(token)) return undefined;
  }
  return countMembers(value, 0) === members ? value : undefined;
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json; // JSON.parse gives nothing else
  } catch {
    return undefined; // not JSON
  }
}

function isExact(token: string): boolean {
  const written = decimalOf(token);
  return written !== undefined && written === decimalOf(String(Number(token)));
}

/** The same for numbers of the same value: sign, significant digits, power of ten. */
function decimalOf(token: string): string | undefined {
  const match = DECIMAL.exec(token);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', power = '0'] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(power) - fraction.length + digits.length - significant.length}`;
}

/** NaN, which equals nothing, where it is nested too deep. */
function countMembers(value: Json, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN;
  const inside = (sum: number, inner: Json): number => sum + countMembers(inner, depth + 1);
  if (isJsonArray(value)) return value.reduce(inside, 0);
  if (!isJsonObject(value)) return 0;
  const values = Object.values(value);
  return values.reduce(inside, values.length);
}
