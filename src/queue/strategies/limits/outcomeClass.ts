import type { HttpResponse } from '../../types/request.ts';
import type { TransportFailure, TransportResult } from '../../types/transport.ts';
import type { FaultScope } from '../decision.ts';
import { errorCode, evidenceOf, isEndedByUs, isMalformed, isUnresolvable } from '../transportErrors.ts';
import type { DropKind } from './ConcurrencyLimit.ts';
import type { RetryKind } from './RetryBudget.ts';

/**
 * What an attempt shows the gates:
 * - `success`: the zone and the endpoint work; also an answer that the request does not like
 * - `endpointFault`: what was asked for fails, by itself
 * - `zoneFault`: the zone fails, or is not reached
 * - `throttled`: it works, and was asked for too much
 * - `offline`: this machine has no network
 * - `neutral`: nothing
 */
export type GateOutcome = 'success' | 'endpointFault' | 'zoneFault' | 'throttled' | 'offline' | 'neutral';

type Answered = Extract<TransportResult, { readonly phase: 'answered' }>;
type TransportError = TransportFailure['error'];

/** They come from something between us and the zone. */
const FROM_BETWEEN: ReadonlySet<number> = new Set([407, 511]);
/** The server says that it never does that, or not in this version. */
const REFUSALS: ReadonlySet<number> = new Set([501, 505]);
const GATEWAY_FAULTS: ReadonlySet<number> = new Set([502, 503, 504, 529]);
/** Statuses that a limit on calls at once was seen to be told by. */
const MAY_TELL_OF_THREADS: ReadonlySet<number> = new Set([500, 503]);
/**
 * Autotask: "The Autotask API thread threshold of 3 threads has been exceeded.", code `Itgenatr005`. Narrow, as traces of other failures name
 * threads and limits too.
 */
const THREAD_LIMIT =
  /itgenatr005|(?<![a-z])threads?[ _-]?(?:limit|threshold)|\bthreads\b[^.:"\n]{0,60}\bexceeded|\blimit of \d+ (?:\w+ )?threads\b/i;
/** A message stands at the beginning; a large body is not searched. */
const SEARCHED_BYTES = 2_048;
const TIMEOUT_CODE = /TIMEOUT|TIMEDOUT/;
/** The body was there, and we could not take it. */
const OWN_BODY_FAULTS: ReadonlySet<string | null> = new Set(['BODY_TOO_LARGE', 'BODY_UNDECODABLE']);

/**
 * What an attempt shows the gates. Captive answers are to be told apart before. With a `scope`, somebody who knows the API says whose fault it
 * is: that does not make a limit, or a call that showed nothing, a fault.
 */
export function gateOutcome(
  result: TransportResult,
  override?: { readonly scope?: FaultScope | undefined },
): GateOutcome {
  const own = ownOutcome(result);
  const scope = override?.scope;
  if (scope === undefined || own === 'offline' || own === 'neutral') return own;
  if (scope === 'none') return result.phase === 'answered' ? 'success' : 'neutral';
  if (own === 'throttled') return own;
  return scope === 'endpoint' ? 'endpointFault' : 'zoneFault';
}

/** What it means for the limit on calls at once of whom the outcome blames; undefined: nothing. */
export function dropKind(result: TransportResult, outcome: GateOutcome): DropKind | undefined {
  if (outcome === 'throttled') return 'throttled';
  if (outcome !== 'endpointFault' && outcome !== 'zoneFault') return undefined;
  const error = result.phase === 'answered' ? result.bodyError : result.error;
  if (error === undefined) return 'unavailable';
  const code = errorCode(error);
  if (code === 'ECONNREFUSED') return 'refused';
  if (isTimeout(error)) return 'timeout';
  // An address that is wrong, or a name server that fails, is not relieved by fewer calls.
  return isUnresolvable(code) || code === 'EAI_AGAIN' ? undefined : 'unavailable';
}

/** What a retry of it costs; undefined: nothing, as no request came to the server, or it was not the server that ended it. */
export function retryKind(result: TransportResult, outcome: GateOutcome, hasHint: boolean): RetryKind | undefined {
  if (result.phase === 'notSent' || outcome === 'offline' || outcome === 'neutral') return undefined;
  const error = result.phase === 'answered' ? result.bodyError : result.error;
  if (error !== undefined && isTimeout(error)) return 'timeout';
  return outcome === 'throttled' && hasHint ? 'throttled' : 'transient';
}

function ownOutcome(result: TransportResult): GateOutcome {
  if (result.phase !== 'answered' && (isEndedByUs(result.error) || isMalformed(result.error))) return 'neutral';
  // What another origin did, its zone is not blamed for: that answered.
  if (result.isForeign === true) return 'success';
  if (result.phase === 'answered') return result.isDone === true ? 'success' : answeredOutcome(result);
  return evidenceOf(result) === 'networkDown' ? 'offline' : 'zoneFault';
}

function answeredOutcome({ response, bodyError }: Answered): GateOutcome {
  const outcome = statusOutcome(response);
  if (outcome !== 'success' || bodyError === undefined) return outcome;
  if (isEndedByUs(bodyError)) return 'neutral';
  return OWN_BODY_FAULTS.has(errorCode(bodyError)) ? 'success' : 'zoneFault';
}

function statusOutcome(response: HttpResponse): GateOutcome {
  const { status } = response;
  if (status === 429) return 'throttled';
  if (FROM_BETWEEN.has(status)) return 'neutral';
  if (status < 500 || REFUSALS.has(status)) return 'success';
  if (MAY_TELL_OF_THREADS.has(status) && THREAD_LIMIT.test(beginning(response.body))) return 'throttled';
  // 520 to 530: a CDN that got no answer of its origin.
  return GATEWAY_FAULTS.has(status) || (status >= 520 && status <= 530) ? 'zoneFault' : 'endpointFault';
}

function isTimeout(error: TransportError): boolean {
  return TIMEOUT_CODE.test(errorCode(error) ?? '');
}

function beginning(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, SEARCHED_BYTES)).toString('latin1');
}
