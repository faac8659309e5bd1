import type { IncomingMessage } from 'node:http';
import type {
  BatchAdapter,
  BatchAnswer,
  BatchCall,
  BatchMember,
  BatchOutcome,
} from '../../../../src/queue/types/batch.ts';
import { httpServer } from '../../support/servers.ts';

/** What a handler is asked, and what it answers. A body of a string or bytes goes as it is, anything else as JSON. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export type Handler = (asked: Asked) => Reply;

/** A server until the test ends; `state` makes what it starts from, and `use` replaces that. */
export async function serve<S>(state: () => S, handle: (state: S, asked: Asked) => Reply) {
  let current = state();
  let calls = 0;
  const { origin } = await httpServer((request, response) => {
    calls += 1;
    read(request)
      .then((asked) => {
        const { status, headers, body } = handle(current, asked);
        const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
        response.writeHead(status, { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers });
        response.end(status === 204 ? undefined : text);
      })
      .catch(() => response.destroy()); // its caller fails
  });
  return {
    origin,
    calls: () => calls,
    reset() {
      current = state();
      calls = 0;
    },
  };
}

async function read(request: IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://localhost');
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    text: Buffer.concat(chunks).toString('utf8'),
    bytes: Buffer.concat(chunks),
  };
}

export async function send(origin: string, call: BatchCall): Promise<BatchAnswer> {
  const { method, path, headers, body } = call;
  const response = await fetch(origin + path, {
    method,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
    ...(body !== null && { body: body as string | Uint8Array<ArrayBuffer> }),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: [...response.headers], body: bytes };
}

/** As an engine does: one call, its pages, and what that means. */
export async function sendTogether(
  origin: string,
  adapter: BatchAdapter,
  members: readonly BatchMember[],
): Promise<readonly BatchOutcome[]> {
  let call: BatchCall | undefined = adapter.compose(members);
  const answers: BatchAnswer[] = [];
  while (call !== undefined && answers.length < 50) {
    const answer = await send(origin, call);
    answers.push(answer);
    call = answer.status < 300 ? adapter.next?.(answer, call) : undefined;
  }
  const [first] = answers;
  if (first !== undefined && first.status > 299) return adapter.refused?.(first, members) ?? [];
  return adapter.outcomes(answers, members);
}

/** What an outcome comes to, in words that can be compared. */
export function shown(outcome: BatchOutcome | undefined): unknown {
  if (outcome?.kind !== 'answered') return outcome?.kind;
  return shownAnswer(outcome.response);
}

export function shownAnswer({ status, body }: BatchAnswer): { readonly status: number; readonly body: string } {
  return { status, body: Buffer.from(body).toString('utf8') };
}

/** Every member's outcome by id; fails where one has two. */
export function byId(outcomes: readonly BatchOutcome[]): Record<string, unknown> {
  const ids = outcomes.map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw new Error(`a member has two outcomes: ${ids.join(', ')}`);
  return Object.fromEntries(outcomes.map((outcome) => [outcome.id, shown(outcome)]));
}

export function member(id: string, content: Partial<BatchMember> & { readonly path: string }): BatchMember {
  const method = content.method ?? 'GET';
  return { id, method, headers: [], body: null, effect: method === 'GET' ? 'read' : 'action', ...content };
}

/** One that sends a value as JSON. */
export function jsonMember(id: string, method: string, path: string, value: unknown): BatchMember {
  return textMember(id, method, path, JSON.stringify(value));
}

/** One that says it sends JSON. */
export function textMember(id: string, method: string, path: string, body: string): BatchMember {
  return member(id, { method, path, headers: [['content-type', 'application/json']], body });
}

/** An answer as it comes in. */
export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): BatchAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = { 'content-type': 'application/json', ...headers };
  return { status, headers: Object.entries(all), body: new TextEncoder().encode(text) };
}

/** What members get that are sent one after the other, each by itself. */
export async function sendAlone(origin: string, members: readonly BatchMember[]): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const one of members) result[one.id] = shownAnswer(await send(origin, one));
  return result;
}
