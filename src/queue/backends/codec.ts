import type {
  Body,
  Effect,
  FetchTerms,
  HeaderList,
  Intent,
  Json,
  NewRequest,
  Progress,
  Reference,
  RequestContent,
  StoredResult,
} from '../types/request.ts';
import { NO_PROGRESS } from '../types/request.ts';
import type { Reason, RequestState } from '../types/states.ts';
import { REASONS, REQUEST_STATES } from '../types/states.ts';

/**
 * Layout of stored records. Readers accept every version up to this one. What is only added at the end of a head, and absent from
 * those without it, needs no new one.
 */
export const RECORD_VERSION = 1;

/** The part of a request that no index and no move needs: read only when somebody wants the whole record. */
export interface Head {
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly effect: Effect;
  readonly after: readonly string[];
  readonly refs: readonly Reference[];
  readonly auth: 'none' | 'zone' | 'live';
  readonly client: string | null;
  readonly fingerprint: string | null;
  readonly idempotencyKey: string | null;
  readonly base: Json;
  readonly trace: string | null;
  readonly tags: readonly string[];
  readonly replayOf: string | null;
  readonly fetch: FetchTerms | undefined;
  readonly intent: Intent | undefined;
}

/** Places of `effect` and `tags` in the text of {@link encodeHead}, for stores that can look into JSON. */
export const EFFECT_PATH = '$[4]';
export const TAGS_PATH = '$[13]';

/** One JSON array, the version first: names of fields would cost more bytes than most of the values. */
export function encodeHead(
  head: Omit<Head, 'method' | 'path' | 'headers' | 'fetch' | 'intent'> & Pick<NewRequest, 'intent'>,
  content: Omit<RequestContent, 'body'>,
): string {
  const fields: unknown[] = [
    RECORD_VERSION,
    content.method,
    content.path,
    content.headers,
    head.effect,
    head.after,
    head.refs,
    head.auth,
    head.client,
    head.fingerprint,
    head.idempotencyKey,
    head.base,
    head.trace,
    head.tags,
    head.replayOf,
  ];
  // What nearly none has is at the end, left out as far as there is nothing after it.
  if (head.intent !== undefined) fields.push(content.fetch ?? null, head.intent);
  else if (content.fetch !== undefined) fields.push(content.fetch);
  return JSON.stringify(fields);
}

export function headOf(request: NewRequest): string {
  return encodeHead(request, request.content);
}

export function decodeHead(text: string): Head {
  // Written by `encodeHead` alone, so the layout is known.
  const fields = JSON.parse(text) as [
    number,
    string,
    string,
    HeaderList,
    Effect,
    string[],
    Reference[],
    Head['auth'],
    string | null,
    string | null,
    string | null,
    Json,
    string | null,
    string[],
    string | null,
    (FetchTerms | null)?,
    Intent?,
  ];
  return {
    method: fields[1],
    path: fields[2],
    headers: fields[3],
    effect: fields[4],
    after: fields[5],
    refs: fields[6],
    auth: fields[7],
    client: fields[8],
    fingerprint: fields[9],
    idempotencyKey: fields[10],
    base: fields[11],
    trace: fields[12],
    tags: fields[13],
    replayOf: fields[14],
    fetch: fields[15] ?? undefined,
    intent: fields[16],
  };
}

/** Null stands for {@link NO_PROGRESS}, which most requests have until they end. */
export function encodeProgress(progress: Progress): string | null {
  return progress === NO_PROGRESS ? null : JSON.stringify(progress);
}

export function decodeProgress(text: string | null): Progress {
  return text === null ? NO_PROGRESS : (JSON.parse(text) as Progress);
}

export function encodeHeaders(headers: HeaderList): string {
  return JSON.stringify(headers);
}

/** The list of headers; with what few answers have beside it, an object. */
export function encodeResultHead({ headers, statusText, url }: StoredResult): string {
  return JSON.stringify(statusText === undefined && url === undefined ? headers : { headers, statusText, url });
}

export function decodeResult(status: number, head: string, body: Uint8Array | null): StoredResult {
  const parsed = JSON.parse(head) as HeaderList | Pick<StoredResult, 'headers' | 'statusText' | 'url'>;
  return { status, ...('headers' in parsed ? parsed : { headers: parsed }), body };
}

/**
 * A body that owns its memory. A view into a larger buffer (Node pools small ones) would drag the whole of it along
 * when it is handed to another thread, and would change when its owner reuses the pool.
 */
export function ownBody(body: Body): Body {
  if (body === null || typeof body === 'string') return body;
  return body.byteLength === body.buffer.byteLength && body.constructor === Uint8Array ? body : new Uint8Array(body);
}

const STATE_CODES = new Map<string, number>(REQUEST_STATES.map((state, code) => [state, code]));
const REASON_CODES = new Map<string, number>(REASONS.map((reason, code) => [reason, code]));

/** States are stored as their position in `REQUEST_STATES`; the list only ever grows at its end. */
export function stateCode(state: RequestState): number {
  return STATE_CODES.get(state) as number; // every member of the union is in the map
}

export function stateOf(code: number): RequestState {
  const state = REQUEST_STATES[code];
  if (state === undefined) throw new Error(`no state has the code ${code}`);
  return state;
}

/** Reasons are stored as their position in `REASONS`; the list only ever grows at its end. */
export function reasonCode(reason: Reason): number {
  return REASON_CODES.get(reason) as number; // every member of the union is in the map
}

export function reasonOf(code: number): Reason {
  const reason = REASONS[code];
  if (reason === undefined) throw new Error(`no reason has the code ${code}`);
  return reason;
}

/** 53 bits of the FNV-1a family: two 32-bit lanes of different seeds. For grouping, never for confirmation. */
export function hash53(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193 ^ text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x5bd1e995);
    high ^= high >>> 15;
  }
  return ((high >>> 0) & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}
