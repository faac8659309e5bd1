import type { Body, Json } from '../types/request.ts';

/** The text of a body; undefined where there is none. */
export function textOf(body: Body): string | undefined {
  if (body === null) return undefined;
  if (typeof body === 'string') return body;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

/** The value of a body that is JSON; undefined for any other. */
export function jsonOf(body: Body): Json | undefined {
  const text = textOf(body);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Json; // JSON.parse gives nothing else
  } catch {
    return undefined; // it cannot be looked into, and nothing more is asked here
  }
}
