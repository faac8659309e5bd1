import { holdfastError } from '../../errors.ts';
import type { FetchQueue } from '../../queue/types/fetch.ts';
import type { HeaderList, StoredRequest } from '../../queue/types/request.ts';
import type { Materials } from './materialise.ts';

/** Where accepted requests are looked up: `.invalid` is never resolved (RFC 6761), `queue.fetch` itself answers. */
export const STATUS_ORIGIN = 'https://queue.invalid';
const RETRY_AFTER_S = '1';

/** Words of the status, as long-running operations have them. */
type Status = 'NotStarted' | 'Running' | 'Held' | 'Succeeded' | 'Failed' | 'Canceled';

function statusUrl(id: string): string {
  return `${STATUS_ORIGIN}/requests/${id}`;
}

/** `202 Accepted`: it is stored, and where to ask how it goes. */
export function acceptedAnswer(
  id: string,
  asked: { readonly url: string; readonly method: string },
  more: { readonly key: string | undefined; readonly isPreferred: boolean },
): Materials {
  const headers: (readonly [string, string])[] = [
    ['location', statusUrl(id)],
    ['retry-after', RETRY_AFTER_S],
  ];
  if (more.key !== undefined) headers.push(['idempotency-key', more.key]);
  if (more.isPreferred) headers.push(['preference-applied', 'respond-async']);
  return json(asked, 202, { id, status: 'NotStarted', links: linksOf(id) }, headers);
}

/** Answers GET (and HEAD) with how a request stands or the answer it got, and DELETE by cancelling it. */
export async function statusPage(queue: FetchQueue, request: Request): Promise<Materials> {
  const { method, url } = request;
  const id = /^\/requests\/([^/]+)$/.exec(new URL(url).pathname)?.[1];
  if (id === undefined) return problem(request, 404, 'There is nothing here.');
  if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE') {
    return problem(request, 405, 'A request can be looked up and cancelled.', [['allow', 'GET, HEAD, DELETE']]);
  }
  const record = await queue.get(id);
  if (record === undefined) return problem(request, 404, `No request ${id} is stored (any more).`);
  return method === 'DELETE' ? cancel(queue, request, record) : look(request, record);
}

async function cancel(queue: FetchQueue, request: Request, { id }: StoredRequest): Promise<Materials> {
  const isCancelled = await queue.callHandle(id).cancel().catch(ignoreNotFound);
  if (isCancelled) return json(request, 200, { id, status: 'Canceled' });
  return problem(request, 409, `Request ${id} can be cancelled no more: it was sent, has ended, or is shared.`);
}

function ignoreNotFound(error: unknown): boolean {
  if (holdfastError(error, 'REQUEST_NOT_FOUND') !== undefined) return false;
  throw error;
}

function look(request: Request, record: StoredRequest): Materials {
  const { id, state, reason, result } = record;
  switch (state) {
    case 'ready':
    case 'scheduled':
    case 'blocked':
    case 'sending':
    case 'unknown':
    case 'held': {
      const status: Status = state === 'held' ? 'Held' : record.firstSentAt === null ? 'NotStarted' : 'Running';
      const body = { id, status, state, reason, enqueuedAt: record.acceptedAt, links: linksOf(id) };
      return json(request, 202, body, [['retry-after', RETRY_AFTER_S]]);
    }
    case 'succeeded':
    case 'dead': {
      if (result === null) return problem(request, 504, `Request ${id} ended without an answer (${reason}).`);
      const { body } = result;
      if (body === null)
        return problem(request, 410, `Request ${id} was answered ${result.status}; its body was not kept.`);
      const { url, method } = request;
      return { url, method, response: { ...result, url: undefined, body } };
    }
    case 'cancelled':
    case 'superseded':
      return problem(request, 410, `Request ${id} was ${state} (${reason}).`);
    default:
      return state satisfies never;
  }
}

function linksOf(id: string): { readonly self: string; readonly cancel: string } {
  return { self: statusUrl(id), cancel: statusUrl(id) };
}

/** RFC 9457. */
function problem(request: Request, status: number, detail: string, headers: HeaderList = []): Materials {
  return json(request, status, { type: 'about:blank', status, detail }, headers, 'application/problem+json');
}

function json(
  { url, method }: { readonly url: string; readonly method: string },
  status: number,
  value: object,
  headers: HeaderList = [],
  type = 'application/json',
): Materials {
  const response = {
    status,
    headers: [['content-type', type], ...headers] as HeaderList,
    body: Buffer.from(JSON.stringify(value)),
  };
  return { url, method, response };
}
