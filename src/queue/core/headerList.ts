import type { Problem } from '../../errors.ts';
import type { HeadersInput } from '../types/calls.ts';
import type { HeaderList } from '../types/request.ts';

const NONE: HeaderList = Object.freeze([]);

/** Headers in any accepted shape as a list, names in lower case. Values that are no strings are reported. */
export function listHeaders(input: HeadersInput | undefined, problems: Problem[]): HeaderList {
  if (input === undefined) return NONE;
  if (typeof input !== 'object' || input === null) {
    problems.push({
      path: 'headers',
      expected: 'an object, Headers or pairs',
      got: input === null ? 'null' : typeof input,
    });
    return NONE;
  }
  const list: [string, string][] = [];
  const add = (name: string, value: unknown): void => {
    if (typeof value === 'string') list.push([name.toLowerCase(), value]);
    else if (typeof value === 'number' || typeof value === 'boolean') list.push([name.toLowerCase(), String(value)]);
    else problems.push({ path: `headers.${name}`, expected: 'a string', got: value === null ? 'null' : typeof value });
  };
  if (typeof (input as Iterable<unknown>)[Symbol.iterator] === 'function') {
    for (const pair of input as Iterable<readonly [string, string]>) {
      if (Array.isArray(pair) && typeof pair[0] === 'string') add(pair[0], pair[1]);
      else problems.push({ path: 'headers', expected: 'pairs of name and value', got: typeof pair });
    }
    return list;
  }
  const record = input as Readonly<Record<string, string | readonly string[] | undefined>>;
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) add(name, one);
    else add(name, value);
  }
  return list;
}

/** The first value of a header, by its lower-case name. */
export function headerOf(headers: HeaderList, name: string): string | null {
  for (const header of headers) if (header[0] === name) return header[1];
  return null;
}
