import { nativeFetch } from './nativeFetch.ts';
import type { Fetch } from './types.ts';

/**
 * What a queue does that stores a call as text and replays it later: the obvious way, and wrong. No case group may be one that this
 * passes.
 */
export function createNaiveFetch(): Fetch {
  const stored: string[] = [];
  const naive: Fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = await request.text();
    const headers = Object.fromEntries(request.headers);
    stored.push(JSON.stringify({ method: request.method, url: request.url, headers, body }));
    return replay(stored.shift() as string);
  };
  return (input, init) => {
    const answer = naive(input, init);
    // A case that ran into its limit no longer listens.
    answer.catch(() => undefined);
    return answer;
  };
}

async function replay(record: string): Promise<Response> {
  const { method, url, headers, body } = JSON.parse(record) as Record<'method' | 'url' | 'body', string> & {
    readonly headers: Record<string, string>;
  };
  const answer = await nativeFetch(url, { method, headers, ...(body === '' ? {} : { body }) });
  const text = await answer.text();
  return new Response(text, { status: answer.status, headers: Object.fromEntries(answer.headers) });
}
