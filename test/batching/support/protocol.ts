import type { BatchAdapter, BatchMember, BatchOutcome } from '../../../src/queue/types/batch.ts';
import type { HeaderList } from '../../../src/queue/types/request.ts';

/** A request as it stands in a call of {@link listProtocol}. */
export interface Item {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: string | null;
}

/** Its answer. */
export interface ItemAnswer {
  readonly id: string;
  readonly status: number;
  readonly headers?: HeaderList | undefined;
  readonly body?: unknown;
}

export const BATCH_PATH = '/batch';

/** `POST /batch` of a list of requests, answered with a list of answers; 424 says that a request was not looked at. */
export function listProtocol(options: Partial<BatchAdapter> = {}): BatchAdapter {
  return {
    name: 'list',
    maxItems: 100,
    carriesHeaders: true,
    key: ({ path }) => (path.startsWith('/alone') ? null : ''),
    compose: (members) => ({
      method: 'POST',
      path: BATCH_PATH,
      headers: [['content-type', 'application/json']],
      body: JSON.stringify(members.map(itemOf)),
    }),
    outcomes: ([answer]) => (JSON.parse(new TextDecoder().decode(answer?.body)) as ItemAnswer[]).map(outcomeOf),
    ...options,
  };
}

export function itemsOf(body: string): Item[] {
  return JSON.parse(body) as Item[];
}

function itemOf({ id, method, path, headers, body }: BatchMember): Item {
  return { id, method, path, headers, body: body instanceof Uint8Array ? new TextDecoder().decode(body) : body };
}

function outcomeOf({ id, status, headers = [], body }: ItemAnswer): BatchOutcome {
  if (status === 424) return { id, kind: 'notServed' };
  const bytes = new TextEncoder().encode(body === undefined ? '' : JSON.stringify(body));
  const type = [['content-type', 'application/json']] as const;
  return { id, kind: 'answered', response: { status, headers: [...headers, ...type], body: bytes } };
}
