import type { BatchCall } from '../../queue/types/batch.ts';

/**
 * Path and query of the page that an answer names, by URL or relative to the call. Its origin is left out: pages are asked of the zone they
 * belong to, whatever a server says. Undefined where it names none, or the page that was just asked for.
 */
export function nextPath(url: string | undefined, call: BatchCall): string | undefined {
  if (url === undefined || url === '') return undefined;
  const base = `http://zone.invalid${call.path}`;
  if (!URL.canParse(url, base)) return undefined;
  const { protocol, pathname, search } = new URL(url, base);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const path = pathname + search;
  return path === call.path ? undefined : path;
}
