import { HoldfastError } from '../../errors.ts';
import { headerValue } from '../../queue/strategies/headerValue.ts';
import type { RequestHandle, RequestInput, RequestOptions, Settled } from '../../queue/types/calls.ts';
import type { FetchQueue } from '../../queue/types/fetch.ts';
import type { FetchTerms, HeaderList } from '../../queue/types/request.ts';
import type { SplitOptions } from './fetchOptions.ts';
import { materialise } from './materialise.ts';
import type { Platform } from './platform.ts';
import type { AsyncPreference } from './prefer.ts';
import { acceptedAnswer } from './statusPage.ts';

/** Where calls go, and what makes their responses. */
export interface Ground {
  readonly queue: FetchQueue;
  readonly platform: Platform;
}

/** One call of `fetch`, ready for the queue. */
export interface FetchVisit {
  readonly url: URL;
  readonly input: RequestInput & { readonly url: string; readonly headers: HeaderList };
  /** Reads the body, where that takes time. */
  readonly read: ((signal?: AbortSignal) => Promise<Uint8Array>) | undefined;
  /** It is read before the call takes its place: nobody is to wait behind it. */
  readonly isStream: boolean;
  readonly terms: FetchTerms;
  readonly options: RequestOptions;
  readonly settings: SplitOptions['settings'];
  readonly signal: AbortSignal | undefined;
  readonly preference: AsyncPreference | undefined;
  readonly streams: boolean;
  readonly dispatcher: unknown;
}

/** Statuses that SDKs try again by themselves. */
const RETRIED_BY_SDKS: ReadonlySet<number> = new Set([408, 409, 425, 429]);
const NO_RETRY: HeaderList = [
  ['x-should-retry', 'false'],
  ['stripe-should-retry', 'false'],
];

const DEGRADED: HeaderList = [['x-holdfast-degraded', 'true']];

/** Gives a call to the queue and waits for its answer, or for a reason to go before. */
export async function visit(ground: Ground, given: FetchVisit): Promise<Response> {
  const call = given.isStream ? await withBody(given) : given;
  const { queue } = ground;
  const { settings, preference, url } = call;
  const { offline = 'wait' } = settings;
  if (offline === 'reject') {
    const why = queue.standstillOf(url, call.input.method);
    if (why !== undefined) throw why;
  }
  const isAccepted = settings.respond === 'accepted' || preference?.waitMs === 0;
  if (!isAccepted && preference === undefined && offline === 'wait') {
    return answered(ground, call, await submit(queue, call, call.signal, false).settled());
  }
  return leavable(ground, call, isAccepted);
}

async function withBody(call: FetchVisit): Promise<FetchVisit> {
  const body = (await call.read?.(call.signal)) ?? null;
  return { ...call, input: { ...call.input, body }, read: undefined, isStream: false };
}

/** A call whose caller may go before it has ended; from then on its signal says nothing any more. */
async function leavable(ground: Ground, call: FetchVisit, isAccepted: boolean): Promise<Response> {
  const { queue, platform } = ground;
  const { settings, signal, preference, url, input, options } = call;
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = (): void => abort.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const handle = submit(queue, call, abort.signal, settings.offline !== 'reject');
  const leave = new AbortController();
  const undo: (() => void)[] = [() => signal?.removeEventListener('abort', onAbort)];
  const accepted = async (): Promise<Response> => {
    const { id } = await handle.accepted();
    const key = options.key ?? headerValue(input.headers, 'idempotency-key');
    return materialise(platform.fetch, acceptedAnswer(id, input, { key, isPreferred: preference !== undefined }));
  };
  let settled: Promise<Settled> | undefined;
  try {
    if (isAccepted) return await accepted();
    settled = handle.settled({ signal: leave.signal });
    settled.catch(ignore); // whoever leaves does not hear of it
    const gone = new Promise<'patience' | HoldfastError>((resolve) => {
      if (preference !== undefined) undo.push(queue.after(preference.waitMs, () => resolve('patience')));
      if (settings.offline !== undefined && settings.offline !== 'wait') undo.push(queue.onStandstill(url, resolve));
    });
    const first = await Promise.race([settled, gone]);
    if (first !== 'patience' && !(first instanceof HoldfastError)) return await answered(ground, call, first);
    const isReject = first !== 'patience' && settings.offline === 'reject';
    if (isReject && (await queue.withdraw(handle))) throw first;
    const { id } = await handle.accepted();
    // It ended meanwhile, or is in doubt, which is told as well.
    if (isReject && !(await isWaiting(queue, id))) return await answered(ground, call, await settled);
    // From here on the answer is kept, for whoever asks later. One that was given meanwhile is taken.
    leave.abort();
    const late = await settled.catch(ignore);
    if (late !== undefined) return await answered(ground, call, late);
    if (first === 'patience' || settings.offline === 'accept') return await accepted();
    throw kept(id, first);
  } finally {
    leave.abort();
    settled?.then(({ response }) => response?.live?.release(), ignore); // of no effect on what was taken
    for (const step of undo) step();
  }
}

const ignore = (): undefined => undefined;

/** Whether a request waits to be sent. */
async function isWaiting(queue: FetchQueue, id: string): Promise<boolean> {
  const record = await queue.get(id);
  return record !== undefined && ['ready', 'scheduled', 'blocked'].includes(record.state);
}

/** Why the caller goes without an answer, though its request stays. */
function kept(id: string, why: HoldfastError): HoldfastError {
  const message = `${why.message}; request ${id} is stored and will be sent, do not repeat it`;
  return new HoldfastError(why.code, message, { ...why.details, id, accepted: true }, { cause: why.cause });
}

function submit(queue: FetchQueue, call: FetchVisit, signal: AbortSignal | undefined, durable: boolean): RequestHandle {
  const { input, options, terms, read, streams, dispatcher, settings } = call;
  const isAbortable = call.signal !== undefined;
  const caller = { streams, isAbortable, dispatcher, timeoutMs: settings.attemptTimeoutMs };
  // What goes another way may get another answer.
  const dedupe = options.dedupe ?? dispatcher === undefined;
  return queue.fetchCall(input, { ...options, dedupe, signal }, { terms, body: read?.(call.signal), durable, caller });
}

/** The response of a request that ended or was set aside; throws what it failed with where there is none. */
function answered(ground: Ground, call: FetchVisit, settled: Settled): Promise<Response> {
  const { response, error } = settled;
  const { input, terms, signal, settings } = call;
  // What is held has not ended, whatever its last answer was.
  if (response === undefined || (settled.state === 'held' && error !== undefined)) {
    response?.live?.release();
    throw error ?? gone(settled);
  }
  const isFailure = response.status >= 500 || RETRIED_BY_SDKS.has(response.status);
  const noRetry = isFailure && settings.noRetryHeaders !== false ? NO_RETRY : undefined;
  const headers = settled.degraded === true ? DEGRADED : noRetry;
  const taken = response.live?.take({ headers, signal });
  if (taken !== undefined) return taken;
  if (response.live?.isPartial === true) {
    // Another caller has it. Answers that are long, or take long, are not shared: each is asked for by itself.
    if (!response.live.isRepeatable || call.read !== undefined) throw gone(settled);
    return visit(ground, { ...call, options: { ...call.options, dedupe: false } });
  }
  const { url, method } = input;
  // As it came, with its encodings, where that is at hand.
  const given = { ...response, ...response.live?.whole() };
  const list = headers === undefined ? given.headers : replaced(given.headers, headers);
  return materialise(ground.platform.fetch, { url, method, terms, signal, response: { ...given, headers: list } });
}

function replaced(headers: HeaderList, by: HeaderList): HeaderList {
  return [...headers.filter(([name]) => !by.some(([other]) => other === name)), ...by];
}

function gone({ id, zone }: Settled): HoldfastError {
  return new HoldfastError('RESULT_GONE', `request ${id} was answered, but its answer was not kept`, { id, zone });
}
