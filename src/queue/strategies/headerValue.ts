import type { HeaderList } from '../types/request.ts';

/** The first value of a header, by lower-case name; undefined when there is none. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (const header of headers) {
    const candidate = header[0];
    if (candidate === name || (candidate.length === name.length && candidate.toLowerCase() === name)) return header[1];
  }
  return undefined;
}
