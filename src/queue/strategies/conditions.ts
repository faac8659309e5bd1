import type { HeaderList } from '../types/request.ts';

/** Headers by which a write is meant for one version of a thing only, by lower-case name. */
export const PRECONDITIONS: ReadonlySet<string> = new Set(['if-match', 'if-none-match', 'if-unmodified-since']);

/** Whether the answer depends on what the client has or knows, beside what it asks for: such a request has no equal, and shares no answer. */
export function hasCondition(headers: HeaderList): boolean {
  return headers.some(([name]) => /^(?:if-.+|range|expect)$/i.test(name));
}
