/*
 * What many requests have in common is stored as a number: its position in a list. Lists only ever grow at their end. A
 * request of half a kilobyte is a tenth smaller for it.
 */

export const EFFECTS = ['read', 'absolute', 'delete', 'create', 'action', 'relative'] as const;
export const AUTHS = ['none', 'zone', 'live'] as const;
export const BODY_KINDS = { none: 0, text: 1, bytes: 2 } as const;
export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'];

/** The principal of a call without any credential: not stored. */
export const ANONYMOUS = 'anonymous';

/** As JSON. The first is what no header at all is. */
export const COMMON_HEADERS: readonly string[] = [
  '[]',
  '[["content-type","application/json"]]',
  '[["accept","application/json"],["content-type","application/json"]]',
  '[["content-type","application/json"],["accept","application/json"]]',
  '[["accept","application/json"]]',
];

/** Fields of a content's head, without what only calls of `fetch` have: method, path, kind of body, headers. */
export const CONTENT_FIELDS = 4;
