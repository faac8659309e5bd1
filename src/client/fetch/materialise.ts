import type { FetchTerms, HeaderList, HttpResponse } from '../../queue/types/request.ts';
import { http } from '../../system/http.ts';
import type { HopDispatcher, PlatformFetch } from './platform.ts';
import { sinkOf } from './wireHandler.ts';

export interface Materials {
  /** What was asked for; of the method only whether it is HEAD matters. */
  readonly url: string;
  readonly method: string;
  readonly terms?: FetchTerms | undefined;
  readonly response: Pick<HttpResponse, 'status' | 'headers' | 'statusText' | 'url'> & {
    readonly body: Uint8Array | null;
  };
  readonly signal?: AbortSignal | undefined;
}

/**
 * A response of the platform's fetch made of a stored answer: fetch is given a dispatcher that answers at once. So it has a URL, a
 * type, guarded headers and a body like any other, which `new Response()` never gets.
 */
export function materialise(
  fetch: PlatformFetch,
  { url, method, terms, response, signal }: Materials,
): Promise<Response> {
  const { status } = response;
  const isRedirect = status >= 300 && status < 400;
  const init = {
    ...terms,
    // A stored redirect was not followed then, and is not now.
    ...(isRedirect && { redirect: terms?.redirect ?? 'manual' }),
    method: method === 'HEAD' ? 'HEAD' : 'GET', // over that of the terms
    dispatcher: answering(response),
  };
  return fetch(url, { ...(init as RequestInit), ...(signal === undefined ? undefined : { signal }) });
}

function answering({ status, statusText, headers, body, url }: Materials['response']): HopDispatcher {
  let redirect = url;
  return {
    dispatch(hop, handler) {
      const sink = sinkOf(handler);
      const answer = (code: number, text: string, list: HeaderList, content: Uint8Array | null): void => {
        sink.start(() => undefined);
        sink.head({ status: code, statusText: text, headers: list }, () => undefined);
        if (content !== null && content.byteLength > 0 && hop.method !== 'HEAD') sink.data(Buffer.from(content));
        sink.complete();
      };
      if (redirect === undefined) answer(status, statusText ?? http.STATUS_CODES[status] ?? '', headers, body);
      else {
        const location = redirect;
        redirect = undefined;
        answer(302, 'Found', [['location', location]], null);
      }
      return true;
    },
  };
}
