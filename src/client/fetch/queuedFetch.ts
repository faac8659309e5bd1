import { defaultMaxListeners, getMaxListeners, setMaxListeners } from 'node:events';
import { holdfastError } from '../../errors.ts';
import { withoutSecrets } from '../../queue/strategies/headers.ts';
import type { FetchFront, FetchOptions, FetchQueue, QueuedRequestInit } from '../../queue/types/fetch.ts';
import type { FetchTerms } from '../../queue/types/request.ts';
import { asksForStream, isBlocked, isBypassedByNature, isForm, isOverHttp } from './bypass.ts';
import { fetchFailure } from './failure.ts';
import type { FetchBody } from './fetchBody.ts';
import { readCall } from './fetchBody.ts';
import type { SplitOptions } from './fetchOptions.ts';
import { over, splitOptions } from './fetchOptions.ts';
import { materialise } from './materialise.ts';
import type { Hop } from './platform.ts';
import { Platform } from './platform.ts';
import { asyncPreference } from './prefer.ts';
import { dispatchThrough } from './queueDispatcher.ts';
import { STATUS_ORIGIN, statusPage } from './statusPage.ts';
import type { FetchVisit, Ground } from './visit.ts';
import { visit } from './visit.ts';
import type { WireHandler } from './wireHandler.ts';

/** As many as the platform's fetch allows. */
const MAX_LISTENERS = 1_500;

type Input = string | URL | Request;

/** The ways into a queue that speak the platform's language. */
export function createFetchFront(queue: FetchQueue): FetchFront {
  const platform = new Platform();
  const ground = { queue, platform };
  return {
    fetch: (input, init, bound) => queuedFetch(ground, input, init, bound),
    dispatch: (hop, handler, bound) => dispatchThrough({ queue, platform, bound }, hop as Hop, handler as WireHandler),
  };
}

/**
 * One call of `fetch` through a queue. What is wrong with the input is found at once, by the platform's own `Request`; so are the
 * calls told apart that are none of the queue's.
 */
async function queuedFetch(
  ground: Ground,
  input: Input,
  init: QueuedRequestInit | undefined,
  bound: FetchOptions | undefined,
): Promise<Response> {
  const { queue, platform } = ground;
  const own = input instanceof Request ? input.signal : undefined;
  const signal = init?.signal === undefined ? own : (init.signal ?? undefined);
  if (signal?.aborted === true || !isOverHttp(input)) return platform.fetch(input, init);
  const { request, body: given } = readCall(input, init, queue.maxBytes);
  if (request.url.startsWith(`${STATUS_ORIGIN}/`)) return materialise(platform.fetch, await statusPage(queue, request));
  if (signal !== undefined) allowListeners(signal);
  const url = new URL(request.url);
  let split: SplitOptions;
  try {
    split = splitOptions(over(queue.settingsOf(url, request.method), bound, init?.queue));
  } catch (error) {
    throw fetchFailure(error);
  }
  const { settings, options } = split;
  // What a form holds says whether it may be stored.
  const isRead = settings.mode === undefined && isForm(request.headers) && 'read' in given && !isBlocked(url);
  const body: FetchBody = isRead ? { now: await given.read(signal) } : given;
  const mode = settings.mode ?? (isBypassedByNature(request.headers, body) ? 'bypass' : 'queue');
  if (mode === 'bypass' || isBlocked(url)) return bypassed(ground, request, init, body);

  const preference = settings.honorPrefer === true ? asyncPreference(request.headers.get('prefer')) : undefined;
  const headers: (readonly [string, string])[] = [...request.headers].filter(
    ([name]) => preference === undefined || name !== 'prefer',
  );
  if (preference !== undefined && preference.others !== null) headers.push(['prefer', preference.others]);
  const call: FetchVisit = {
    url,
    input: { method: request.method, url: request.url, headers, body: 'now' in body ? body.now : null },
    read: 'read' in body ? body.read : undefined,
    isStream: 'read' in body && body.isStream,
    terms: termsOf(request),
    options,
    settings,
    signal,
    preference,
    streams: asksForStream(request.headers, body),
    dispatcher: (init as { readonly dispatcher?: unknown } | undefined)?.dispatcher,
  };
  try {
    return await visit(ground, call);
  } catch (error) {
    throw isReasonOf(signal, error) || holdfastError(error) === undefined ? error : fetchFailure(error);
  }
}

/** One signal may serve many calls at once, which is no leak. A limit that its owner set stays. */
function allowListeners(signal: AbortSignal): void {
  if (getMaxListeners(signal) === defaultMaxListeners) setMaxListeners(MAX_LISTENERS, signal);
}

function isReasonOf(signal: AbortSignal | undefined, error: unknown): boolean {
  return signal?.aborted === true && error === signal.reason;
}

/** Straight to the platform, with the body that was taken out of the request, if one was. */
function bypassed(
  { platform }: Ground,
  request: Request,
  init: QueuedRequestInit | undefined,
  body: FetchBody,
): Promise<Response> {
  const { referrer, referrerPolicy } = request;
  // The process's own may be a queue's.
  const { dispatcher = platform.dispatcher } = (init ?? {}) as { readonly dispatcher?: unknown };
  const plain = { referrer, referrerPolicy, dispatcher, ...(init?.signal !== undefined && { signal: init.signal }) };
  const isTaken = 'now' in body && body.now !== null && (request.body === null || request.bodyUsed);
  return platform.fetch(request, isTaken ? { ...plain, body: body.now as string } : plain);
}

/** What differs from the defaults of the platform. */
function termsOf(request: Request): FetchTerms {
  const { method, redirect, referrer, referrerPolicy, mode, credentials, cache, integrity } = request;
  return {
    ...(method !== method.toUpperCase() && { method }),
    ...(redirect !== 'follow' && { redirect }),
    ...(referrer !== 'about:client' && { referrer: withoutSecrets(referrer) }),
    ...(referrerPolicy !== '' && { referrerPolicy }),
    ...(mode !== 'cors' && { mode }),
    ...(credentials !== 'same-origin' && { credentials }),
    ...(cache !== 'default' && { cache }),
    ...(integrity !== '' && { integrity }),
  };
}
