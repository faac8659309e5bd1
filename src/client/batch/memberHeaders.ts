import type { HeaderList } from '../../queue/types/request.ts';

/** They say who asks, or how the answer may travel: never what is asked for. */
const NEVER_MATTER: readonly string[] = [
  'content-length',
  'accept-encoding',
  'date',
  'user-agent',
  'traceparent',
  'tracestate',
  'baggage',
  'x-request-id',
  'x-correlation-id',
  'request-id',
  'client-request-id',
];

/**
 * The headers that members of one call have alike, sorted: by these they are told apart, and these go on the call. `ignored`: what else does not
 * matter, by lower-case name.
 */
export function headersThatMatter(headers: HeaderList, ignored: readonly string[] = []): HeaderList {
  return headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !NEVER_MATTER.includes(name) && !ignored.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Those of `given` that are not named in `own`, and then `own`. */
export function withHeaders(given: HeaderList, own: HeaderList): HeaderList {
  const names = own.map(([name]) => name);
  return [...given.filter(([name]) => !names.includes(name)), ...own];
}
