import type { HttpResponse, StoredResult } from '../types/request.ts';
import { withoutSecrets } from './headers.ts';

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

/** The part of an answer that is kept with a request: without cookies, and without a body that is too large or was lost. */
export function storedResult(response: HttpResponse, bodyLost: boolean, maxBytes: number): StoredResult {
  const isLost = bodyLost || response.live?.isPartial === true || response.body.byteLength > maxBytes;
  const { status, statusText, url } = response;
  return {
    status,
    headers: response.headers.filter(([name]) => !NOT_STORED.has(name.toLowerCase())),
    ...(statusText !== undefined && { statusText }),
    ...(url !== undefined && { url: withoutSecrets(url) }),
    body: isLost ? null : response.body,
  };
}
