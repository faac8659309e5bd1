import type { HeaderList, HttpResponse, StoredResult } from '../types/request.ts';
import { isSecretAnswer, withoutSecrets } from './headers.ts';

/** Addresses, whose parameters may be secrets. */
const LOCATIONS: ReadonlySet<string> = new Set(['location', 'content-location']);
/** Never stored: cookies are credentials, the others belong to a connection that is gone. */
const NOT_STORED: ReadonlySet<string> = new Set([
  'set-cookie',
  'set-cookie2',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function publicHeaders(headers: HeaderList): HeaderList {
  const list: (readonly [string, string])[] = [];
  for (const header of headers) {
    const name = header[0].toLowerCase();
    if (NOT_STORED.has(name) || isSecretAnswer(name)) continue;
    list.push(LOCATIONS.has(name) ? [header[0], withoutSecrets(header[1])] : header);
  }
  return list;
}

/** The part of an answer that is kept with a request: without cookies, and without a body that is too large or was lost. */
export function storedResult(response: HttpResponse, bodyLost: boolean, maxBytes: number): StoredResult {
  const isLost = bodyLost || response.live?.isPartial === true || response.body.byteLength > maxBytes;
  const { status, statusText, url } = response;
  return {
    status,
    headers: publicHeaders(response.headers),
    ...(statusText !== undefined && { statusText }),
    ...(url !== undefined && { url: withoutSecrets(url) }),
    body: isLost ? null : response.body,
  };
}
