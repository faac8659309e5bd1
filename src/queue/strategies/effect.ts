import type { Effect, HeaderList } from '../types/request.ts';
import { headerValue } from './headerValue.ts';

/**
 * What a request does on the server, as far as method and content type tell. `declaresEntity` is true
 * when an entity, a local id or `yields` was declared with it. `relative` is never inferred.
 */
export function inferEffect(
  r: { readonly method: string; readonly headers: HeaderList },
  declaresEntity = false,
): Effect {
  switch (r.method.toUpperCase()) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'QUERY':
      return 'read';
    case 'PUT':
      return 'absolute';
    case 'DELETE':
      return 'delete';
    case 'PATCH':
      return isMergePatch(r.headers) ? 'absolute' : 'action';
    default:
      return declaresEntity ? 'create' : 'action';
  }
}

/**
 * True when a second send cannot do more than the first, so that a lost lease makes the request ready again instead of
 * unknown. `conditional`: it carries a precondition that the first send, had it been applied, would have made false.
 */
export function isHarmless(effect: Effect, conditional: boolean): boolean {
  return conditional || effect === 'read' || effect === 'absolute' || effect === 'delete';
}

/** True when a precondition guards the write: `If-Match`, `If-Unmodified-Since`, or `If-None-Match: *` (RFC 9110 section 13). */
export function isConditional(headers: HeaderList): boolean {
  return (
    headerValue(headers, 'if-match') !== undefined ||
    headerValue(headers, 'if-unmodified-since') !== undefined ||
    headerValue(headers, 'if-none-match')?.trim() === '*'
  );
}

function isMergePatch(headers: HeaderList): boolean {
  const type = headerValue(headers, 'content-type');
  return type !== undefined && /^\s*application\/merge-patch\+json\s*(?:;|$)/i.test(type);
}
