import type { HttpResponse } from '../../types/request.ts';

const JSON_TYPE = /^[^/]+\/(?:[^;]+\+)?json$/;

/** Thrown for a body that is not what its content type says. Internal: callers see `RESPONSE_INVALID`. */
export class MalformedBody extends Error {}

/**
 * The body by its content type: JSON (`…/json`, `…+json`) parsed, `text/…` as text in its charset, anything else as bytes;
 * undefined when it is empty.
 *
 * @throws MalformedBody
 */
export function parseBody(response: HttpResponse): unknown {
  const { body } = response;
  if (body.length === 0) return undefined;
  const contentType = response.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === 'application/json' || JSON_TYPE.test(type)) return parseJson(body);
  if (type.startsWith('text/')) return decodeText(body, contentType.slice(type.length));
  return body;
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8(body));
  } catch (cause) {
    throw new MalformedBody('The body is not valid JSON.', { cause });
  }
}

/** JSON is UTF-8 (RFC 8259), a byte order mark may be ignored. */
function utf8(body: Uint8Array): string {
  const marked = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8', marked ? 3 : 0);
}

function decodeText(body: Uint8Array, parameters: string): string {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(parameters)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(body);
  } catch (cause) {
    throw new MalformedBody(`The body's charset ${JSON.stringify(charset)} is not known.`, { cause });
  }
}
