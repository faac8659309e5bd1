import { createHash } from 'node:crypto';
import type { Body, FetchTerms, HeaderList } from '../types/request.ts';
import { canonicalJson } from './canonicalJson.ts';
import { headerValue } from './headerValue.ts';

/** What makes two requests the same: `path` with its query, `headers` as stored. */
export interface FingerprintInput {
  readonly method: string;
  readonly zone: string;
  readonly path: string;
  readonly principal: string;
  readonly lane: string | null;
  readonly headers: HeaderList;
  readonly body: Body;
  /** Set on calls of `fetch`: which redirects are followed makes another answer. */
  readonly terms?: FetchTerms | undefined;
  /** Keyed digest of the secrets that came with the call: whoever cannot show the same ones must not be given its answer. */
  readonly secret?: string | undefined;
}

/** Stands for the random boundary of a multipart body. A body that holds it already is left as it is. */
const BOUNDARY = 'holdfast-canonical-boundary-4b1d0c';

/**
 * One text (or bytes, for a body that is not text) per content: equal exactly for requests that mean the same, whatever the order of query
 * parameters, header names and JSON keys, and whatever the multipart boundary. Numbers and strings stay as they were written, so
 * that no two different contents become equal by rounding.
 */
export function canonicalContent(r: FingerprintInput): string | Uint8Array {
  const type = headerValue(r.headers, 'content-type');
  const text = bodyText(r.body);
  const characters = text ?? latin1(r.body as Uint8Array); // no text: bytes
  const boundary = boundaryOf(type, characters);
  const body =
    boundary === undefined ? canonicalText(characters, type) : characters.replaceAll(`--${boundary}`, `--${BOUNDARY}`);
  const head = JSON.stringify([
    r.method.toUpperCase(),
    r.zone,
    sortedQuery(r.path),
    r.principal,
    r.lane,
    sortedHeaders(r.headers, boundary),
    r.body === null ? 0 : text === undefined ? 2 : 1,
    ...(r.secret === undefined ? [] : [r.secret]),
    ...(r.terms === undefined ? [] : [r.terms]),
  ]);
  // The head is JSON on one line, so the first line break parts it from the body.
  if (text !== undefined) return `${head}\n${body}`;
  return Buffer.concat([Buffer.from(`${head}\n`), Buffer.from(body, 'latin1')]);
}

/** Confirms that two contents are equal: SHA-256, base64url. */
export function digestOf(canonical: string | Uint8Array): string {
  return createHash('sha256').update(canonical).digest('base64url');
}

const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body as text, also of bytes that are one in UTF-8; undefined for other bytes. */
function bodyText(body: Body): string | undefined {
  if (body === null) return '';
  if (typeof body === 'string') return body;
  try {
    return STRICT_UTF8.decode(body);
  } catch {
    return undefined;
  }
}

/** Latin-1 maps bytes to characters one to one, and back. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function canonicalText(text: string, type: string | undefined): string {
  return type !== undefined && /^\s*[^;]*[/+]json\s*(?:;|$)/i.test(type) ? (canonicalJson(text) ?? text) : text;
}

/** The boundary to replace; undefined when the body is not multipart, or holds what would stand in its place. */
function boundaryOf(type: string | undefined, body: string): string | undefined {
  if (type === undefined || !/^\s*multipart\//i.test(type) || body.includes(BOUNDARY)) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(type);
  return match?.[1] ?? match?.[2];
}

function sortedQuery(path: string): string {
  const start = path.indexOf('?');
  if (start === -1) return path;
  const parameters = path.slice(start + 1).split('&');
  if (parameters.length < 2) return path;
  return `${path.slice(0, start)}?${sortByName(parameters.map((text) => [nameOf(text), text] as const))
    .map(([, text]) => text)
    .join('&')}`;
}

function nameOf(parameter: string): string {
  const end = parameter.indexOf('=');
  return end === -1 ? parameter : parameter.slice(0, end);
}

function sortedHeaders(headers: HeaderList, boundary: string | undefined): HeaderList {
  const lower = headers.map(([name, value]): readonly [string, string] => {
    const key = name.toLowerCase();
    return [key, key === 'content-type' && boundary !== undefined ? value.replace(boundary, BOUNDARY) : value];
  });
  return sortByName(lower);
}

/** Stable: equal names keep their order, which may mean something. */
function sortByName<T extends readonly [name: string, ...rest: readonly string[]]>(list: T[]): T[] {
  return list.length < 2 ? list : list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}
