import type { HeadersInput } from '../queue/types/calls.ts';
import type { HeaderList } from '../queue/types/request.ts';

/** Pairs with lower-case names; undefined values are left out, arrays repeat the name. Validation is the queue's. */
export function headerPairs(input: HeadersInput): HeaderList {
  const pairs: [string, string][] = [];
  if (Symbol.iterator in input) {
    for (const [name, value] of input) pairs.push([name.toLowerCase(), value]);
    return pairs;
  }
  for (const [name, value] of Object.entries(input)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) pairs.push([name.toLowerCase(), one]);
  }
  return pairs;
}

/** `call` over `client`: a name in `call` replaces all of that name in `client`. */
export function mergeHeaders(client: HeaderList | undefined, call: HeadersInput | undefined): HeaderList | undefined {
  if (call === undefined) return client;
  const pairs = headerPairs(call);
  if (client === undefined) return pairs;
  const named = new Set(pairs.map(([name]) => name));
  return [...client.filter(([name]) => !named.has(name)), ...pairs];
}
