import { createHmac } from 'node:crypto';
import type { HeaderList } from '../types/request.ts';
import { headerValue } from './headerValue.ts';

/** Whose request it is when it carries no credential at all. */
export const ANONYMOUS = 'anonymous';

/**
 * Whose request it is, by its credentials: the Basic user name (`basic:<name>`), a
 * JWT's issuer and subject (`jwt:<iss>|<sub>`), else a keyed digest of all secrets (`key:<32 hex digits>`), so that two
 * opaque tokens are two principals and none can be read back; `anonymous` without any. Tokens are not verified: they are the
 * caller's own, and only tell its requests apart from those of others.
 */
export function derivePrincipal(secret: HeaderList, secretQuery: string, digestKey: Uint8Array): string {
  if (secret.length === 0 && secretQuery === '') return ANONYMOUS;
  const authorization = headerValue(secret, 'authorization');
  const named = authorization === undefined ? undefined : (basicUser(authorization) ?? jwtSubject(authorization));
  return named ?? `key:${secretDigest(secret, secretQuery, digestKey).slice(0, 32)}`;
}

function basicUser(authorization: string): string | undefined {
  const encoded = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // A user name of its own is needed: APIs that take a key as the password give everyone the same empty name.
  return colon > 0 ? `basic:${text.slice(0, colon)}` : undefined;
}

function jwtSubject(authorization: string): string | undefined {
  const payload = /^bearer +[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]* *$/i.exec(authorization)?.[1];
  if (payload === undefined) return undefined;
  const claims = parseObject(Buffer.from(payload, 'base64url').toString('utf8'));
  const { iss, sub } = claims ?? {};
  if (typeof sub !== 'string' || sub === '') return undefined;
  return `jwt:${escapeBar(typeof iss === 'string' ? iss : '')}|${escapeBar(sub)}`;
}

function parseObject(text: string): { readonly iss?: unknown; readonly sub?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined; // three dots do not make a JWT: it is an opaque token then
  }
}

/** Keeps `iss|sub` unambiguous. */
function escapeBar(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('|', '%7C');
}

/**
 * Keyed digest of all secrets of a call, 64 hex digits: equal for equal secrets, whatever their order. What a principal only claims, this
 * proves, so calls whose credentials differ are never taken for one.
 */
export function secretDigest(secret: HeaderList, secretQuery: string, digestKey: Uint8Array): string {
  const sorted = [...secret].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const parameters = secretQuery === '' ? [] : secretQuery.split('&').sort();
  return createHmac('sha256', digestKey)
    .update(JSON.stringify([sorted, parameters]))
    .digest('hex');
}
