import { stringify } from 'node:querystring';
import { holdfastError } from '../../errors.ts';
import type { FetchOptions, FetchQueue } from '../../queue/types/fetch.ts';
import type { HeaderList } from '../../queue/types/request.ts';
import { http } from '../../system/http.ts';
import { isBypassedByNature } from './bypass.ts';
import { asError, fetchFailure } from './failure.ts';
import { over, splitOptions } from './fetchOptions.ts';
import type { Hop, Platform } from './platform.ts';
import type { WireHandler, WireSink } from './wireHandler.ts';
import { listening, passing, sinkOf } from './wireHandler.ts';

const DEGRADED: HeaderList = [['x-holdfast-degraded', 'true']];

interface QueueParts {
  readonly queue: FetchQueue;
  readonly platform: Platform;
  readonly bound: FetchOptions | undefined;
}

/**
 * One hop of a client over undici, through a queue: retries happen before the handler hears of a status. Redirects are the client's own,
 * each a request by itself. Upgrades and event streams go past the queue.
 */
export function dispatchThrough({ queue, platform, bound }: QueueParts, hop: Hop, handler: WireHandler): boolean {
  const headers = headersOf(hop.headers);
  const { origin } = new URL(String(hop.origin));
  // Behind the origin, whatever the path looks like: else it could name another host.
  const url = new URL(`${origin}${pathOf(hop)}`);
  if (url.origin !== origin) throw new TypeError(`the path of a hop must begin with /, got ${hop.path}`);
  const { settings, options } = splitOptions(over(queue.settingsOf(url, hop.method), bound));
  const isEventStream = headers.some(([name, value]) => name === 'accept' && /\btext\/event-stream\b/i.test(value));
  const isOthers = hop.method === 'CONNECT' || (hop.upgrade ?? null) !== null;
  if (isOthers || (settings.mode ?? (isEventStream ? 'bypass' : 'queue')) === 'bypass') {
    return platform.dispatcher.dispatch(hop, handler);
  }
  const sink = sinkOf(handler);
  const abort = new AbortController();
  // Early, so that whoever waits can call it off.
  sink.start((reason) => abort.abort(reason));
  const past = (body: unknown): void => {
    // It has been told that it started.
    const started = (stop: (reason: Error) => void): void => {
      const end = (): void => stop(asError(abort.signal.reason));
      if (abort.signal.aborted) end();
      else abort.signal.addEventListener('abort', end, { once: true });
    };
    platform.dispatcher.dispatch(
      { ...hop, body },
      listening(handler, { started, headed: (head, resume) => sink.head(head, resume), ...passing(sink) }),
    );
  };
  const isOpen = settings.mode === undefined;
  carry(queue, { hop, url, headers }, { ...options, signal: abort.signal }, sink, isOpen ? past : undefined).catch(
    (error: unknown) => {
      sink.fail(abort.signal.aborted ? asError(abort.signal.reason) : wireError(error));
    },
  );
  return true;
}

/** undici takes the query apart from the path as well. */
function pathOf({ path, query }: Hop): string {
  const text = query === undefined || query === null ? '' : stringify(query as Record<string, string>);
  return text === '' ? path : `${path}?${text}`;
}

async function carry(
  queue: FetchQueue,
  { hop, url, headers }: { readonly hop: Hop; readonly url: URL; readonly headers: HeaderList },
  options: Parameters<FetchQueue['call']>[1],
  sink: WireSink,
  past: ((body: unknown) => void) | undefined,
): Promise<void> {
  const body = await readBody(hop.body, queue.maxBytes);
  if (
    past !== undefined &&
    isBypassedByNature(new Headers(headers as [string, string][]), { now: body instanceof Uint8Array ? body : null })
  )
    return past(body);
  const handle = queue.call({ method: hop.method, url, headers, body }, options);
  const { state, response, error, degraded } = await handle.settled();
  // What is held has not ended, whatever its last answer was.
  if (state === 'held' && error !== undefined) throw error;
  if (response === undefined) throw error ?? new Error('the answer of this request was not kept');
  const { status, statusText = http.STATUS_CODES[status] ?? '' } = response;
  let isPaused = false;
  let resumed: () => void = () => undefined;
  const resume = (): void => {
    isPaused = false;
    resumed();
  };
  const answered = degraded === true ? [...response.headers, ...DEGRADED] : response.headers;
  isPaused = !sink.head({ status, statusText, headers: answered }, resume);
  if (isPaused) await new Promise<void>((resolve) => (resumed = resolve));
  if (response.body.byteLength > 0) sink.data(response.body);
  sink.complete();
}

/** What the connection failed with, where it is that: clients over undici look at its code. */
function wireError(error: unknown): Error {
  const { cause } = fetchFailure(error);
  const ours = holdfastError(error);
  const wire = asError(cause);
  if (ours !== undefined && ours !== wire) Object.defineProperty(wire, 'detail', { value: ours, configurable: true });
  return wire;
}

/** Header lists of undici: alternating names and values, pairs, or an object. */
function headersOf(given: unknown): HeaderList {
  if (given === undefined || given === null) return [];
  const list: [string, string][] = [];
  const add = (name: unknown, value: unknown): void => {
    for (const one of [value].flat()) list.push([String(name).toLowerCase(), String(one)]);
  };
  if (Array.isArray(given) && !Array.isArray(given[0])) {
    for (let at = 0; at + 1 < given.length; at += 2) add(given[at], given[at + 1]);
  } else {
    const isIterable = typeof (given as Iterable<unknown>)[Symbol.iterator] === 'function';
    const pairs = isIterable ? (given as Iterable<[unknown, unknown]>) : Object.entries(given);
    for (const [name, value] of pairs) add(name, value);
  }
  return list;
}

/** Bodies of undici: what the queue takes, and iterables of bytes, which are read. */
async function readBody(body: unknown, maxBytes: number): Promise<unknown> {
  if (typeof body === 'string') return Buffer.from(body); // which implies no type
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return body ?? null;
  if (!(Symbol.asyncIterator in body) && !(Symbol.iterator in body)) return body;
  if (body instanceof FormData || body instanceof URLSearchParams) return body;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<string | Uint8Array>) {
    const buffer = Buffer.from(chunk as Uint8Array);
    bytes += buffer.byteLength;
    if (bytes > maxBytes) throw new RangeError(`the body is larger than ${maxBytes} bytes (maxBytes)`);
    chunks.push(buffer);
  }
  return chunks.length === 0 ? null : Buffer.concat(chunks, bytes);
}
