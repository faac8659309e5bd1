import type { HttpResponse } from '../types/request.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import { isAuthentic } from './authentic.ts';
import type { ConnectivityEvidence } from './connectivity.ts';
import type { Classification, DecisionInput, ErrorKind, FaultScope } from './decision.ts';
import { speaksOfReplay } from './dialects.ts';
import { headerValue } from './headerValue.ts';
import type { Fault, StatusVerdict } from './statusTable.ts';
import { statusVerdict } from './statusTable.ts';
import { evidenceOf, isEndedByUs, isMalformed } from './transportErrors.ts';

type Answered = Extract<TransportResult, { readonly phase: 'answered' }>;

/** What an attempt means, answered or not. */
export interface Verdict extends StatusVerdict {
  readonly evidence: ConnectivityEvidence;
  /** Try again at once: nothing is wrong with the request or the zone. */
  readonly atOnce: boolean;
  /** Whose fault it is, where the zone's own rule says so. */
  readonly scope?: FaultScope | undefined;
  /** No other try can succeed, by the zone's own rule. */
  readonly isPermanent?: true | undefined;
  readonly policyError: unknown;
}

/** Applied, whatever was found by looking up how it went. */
const DONE: Verdict = {
  outcome: 'applied',
  action: 'apply',
  holdReason: null,
  fault: 'none',
  pausesZone: false,
  captive: false,
  evidence: 'reachable',
  atOnce: false,
  policyError: undefined,
};
/** Somebody else answered, and on plain http it went no further: nothing was sent to the zone. */
const NOT_THE_ZONE: Verdict = Object.freeze({
  outcome: 'notApplied',
  action: 'retry',
  holdReason: null,
  fault: 'zone',
  pausesZone: false,
  captive: true,
  evidence: 'captive',
  atOnce: false,
  policyError: undefined,
});
/** By its certificate it was the zone, or a gateway that speaks for it: it may have been passed on. */
const PERHAPS_NOT_THE_ZONE: Verdict = Object.freeze({ ...NOT_THE_ZONE, outcome: 'unknown', action: 'resolve' });
const UNANSWERED = { holdReason: null, pausesZone: false, captive: false, policyError: undefined } as const;

/** What the attempt means for the request, before anybody asks what may be done about it. */
export function verdictOf(input: DecisionInput): Verdict {
  const { result } = input;
  const verdict = ownVerdict(input);
  if (result.isForeign !== true) return verdict;
  // What another origin did, its zone is not blamed for.
  const fault: Fault = verdict.fault === 'zone' ? 'request' : verdict.fault;
  return { ...verdict, fault, pausesZone: false, captive: false, evidence: 'reachable' };
}

function ownVerdict(input: DecisionInput): Verdict {
  const { result } = input;
  if (result.phase === 'answered' && result.isDone === true) return DONE;
  if (result.phase === 'answered') return answered(input, result);
  const ended = isEndedByUs(result.error);
  const evidence = evidenceOf(result);
  if (result.phase === 'sent') {
    return {
      ...UNANSWERED,
      outcome: 'unknown',
      action: 'retry',
      fault: ended ? 'none' : input.isProbe === true ? 'zone' : 'request',
      evidence,
      atOnce: ended,
    };
  }
  const { kind, error: policyError } = ended ? NO_KIND : askOfError(input, result.error);
  const isMadeWrong = kind === undefined || kind === 'unknown' ? isMalformed(result.error) : false;
  const fault: Fault = ended ? 'none' : isMadeWrong ? 'request' : 'zone';
  const verdict = { ...UNANSWERED, outcome: 'notApplied', action: 'retry', fault, evidence, atOnce: ended } as const;
  return { ...verdict, policyError, ...(kind === 'permanent' && { isPermanent: true }) };
}

const NO_KIND = Object.freeze({ kind: undefined, error: undefined });
const KINDS: ReadonlySet<unknown> = new Set<ErrorKind>(['transient', 'permanent', 'unknown']);

/** As {@link ask}, of a call that did not reach the server. */
function askOfError({ classifyError }: DecisionInput, failure: TransportFailure['error']) {
  if (classifyError === undefined) return NO_KIND;
  try {
    const kind = classifyError(failure);
    if (kind === undefined || KINDS.has(kind)) return { kind, error: undefined };
    return { kind: undefined, error: unknownAnswer('classifyError', kind, KINDS) };
  } catch (error) {
    return { kind: undefined, error };
  }
}

function answered(input: DecisionInput, result: Answered): Verdict {
  const { response } = result;
  const { effect, content, progress } = input.request;
  const { origins = [], expect } = input.zone;
  const isTold = result.isForeign === true || result.isPart === true;
  if (!isTold && !isAuthentic(input.request, response, { origin: input.origin, origins, expect })) {
    return input.origin.startsWith('http://') ? NOT_THE_ZONE : PERHAPS_NOT_THE_ZONE;
  }
  const table = statusVerdict(response.status, { method: content.method, effect }, progress.unresolved);
  const asked = ask(input, response);
  const base =
    classified(asked.classification, table) ?? keyVerdict(input, response) ?? hinted(response, table) ?? table;
  const verdict = effect === 'read' && result.bodyError !== undefined ? lostBody(result.bodyError, base) : base;
  const evidence = verdict.captive ? 'captive' : 'reachable';
  const { scope, error: policyError } = asked;
  const atOnce = verdict.action === 'retryOnce';
  return { ...verdict, evidence, atOnce, policyError, ...(scope !== undefined && { scope }) };
}

const CLASSIFICATIONS: ReadonlySet<unknown> = new Set<Classification>(['success', 'rejected', 'retry', 'unknown']);

/** A `classify` that throws or says nothing known must not cost the attempt its settlement: the table decides, and the error is handed on. */
function ask(input: DecisionInput, response: HttpResponse) {
  try {
    const said = input.classify?.(response);
    const { is, scope } = typeof said === 'object' && said !== null && 'is' in said ? said : { is: said };
    const isKnown = (is === undefined || CLASSIFICATIONS.has(is)) && (scope === undefined || SCOPES.has(scope));
    if (isKnown) return { classification: is as Classification | undefined, scope, error: undefined }; // just checked
    return { classification: undefined, scope: undefined, error: unknownAnswer('classify', is, CLASSIFICATIONS) };
  } catch (error) {
    return { classification: undefined, scope: undefined, error };
  }
}

const SCOPES: ReadonlySet<unknown> = new Set<FaultScope>(['endpoint', 'zone', 'none']);

function unknownAnswer(rule: string, got: unknown, known: ReadonlySet<unknown>): TypeError {
  // Nobody waits for it, so its failure would end the process.
  if (got instanceof Promise) got.catch(() => undefined);
  const what = got instanceof Promise ? 'a promise (it must answer at once)' : String(got);
  return new TypeError(`${rule} returned ${what}, not one of ${[...known].join(', ')} or undefined`);
}

function classified(classification: Classification | undefined, table: StatusVerdict) {
  if (classification === undefined) return undefined;
  const plain = { ...table, holdReason: null, captive: false, fault: 'none' } as const;
  const fault: Fault = table.fault === 'zone' ? 'zone' : 'request';
  switch (classification) {
    case 'success':
      return { ...plain, outcome: 'applied', action: 'apply' } as const;
    case 'rejected':
      return { ...plain, outcome: 'notApplied', action: 'reject' } as const;
    case 'retry':
      return { ...plain, outcome: 'notApplied', action: 'retry', fault } as const;
    case 'unknown':
      return { ...plain, outcome: 'unknown', action: 'resolve', fault } as const;
    default:
      return classification satisfies never;
  }
}

const SPEAKS_OF_KEY = /idempoten/i;

const KEY_SPENT: StatusVerdict = Object.freeze({
  outcome: 'unknown',
  action: 'resolve',
  holdReason: null,
  fault: 'none',
  pausesZone: false,
  captive: false,
  isKeySpent: true,
});

/**
 * A failure that was stored with the key comes again for every send (Stripe, API v1); and where a key bears the time of its first send, 412
 * says that this is too long ago for the server to know it (Repeatable Requests 1.0).
 */
function isSpent({ dialect, request }: DecisionInput, { status, headers }: HttpResponse): boolean {
  if (dialect === undefined) return false;
  if (status >= 500) return dialect.storesFailures && speaksOfReplay(dialect, headers);
  return status === 412 && dialect.firstSentHeader !== null && request.progress.unresolved;
}

/**
 * Answers about the key itself (draft-ietf-httpapi-idempotency-key-header): 409 while the first request with it is still being
 * processed, 422 when it came with other bytes before. The first waits with the same key. The second cannot happen unless the
 * stored bytes changed, so a person must look; a new key would only hide it.
 */
function keyVerdict(input: DecisionInput, response: HttpResponse): StatusVerdict | undefined {
  if (!input.keyed || input.request.effect === 'read') return undefined;
  const { status } = response;
  if (isSpent(input, response)) return KEY_SPENT;
  if (status !== 409 && status !== 422) return undefined;
  const speaksOfKey = SPEAKS_OF_KEY.test(beginning(response.body));
  const plain = { holdReason: null, pausesZone: false, captive: false, fault: 'none' } as const;
  if (status === 422) {
    return speaksOfKey ? { ...plain, outcome: 'unknown', action: 'hold', holdReason: 'operator' } : undefined;
  }
  if (speaksOfKey) return { ...plain, outcome: 'unknown', action: 'retry' };
  // A 409 to the resend of an unanswered call is most likely that; but as it may be a conflict, it must not wait for ever.
  return input.request.progress.unresolved
    ? { ...plain, outcome: 'unknown', action: 'retry', fault: 'request' }
    : undefined;
}

/** A 413 with Retry-After is a server short of space for now (RFC 9110 section 15.5.14). */
function hinted(response: HttpResponse, table: StatusVerdict): StatusVerdict | undefined {
  if (response.status !== 413 || headerValue(response.headers, 'retry-after') === undefined) return undefined;
  return { ...table, action: 'retry', fault: 'request' };
}

/** A read is its body: without one it is tried again, unless every answer will be as large or as broken. */
function lostBody(error: Error & { readonly code?: unknown }, verdict: StatusVerdict): StatusVerdict {
  if (verdict.action !== 'apply') return verdict;
  const isPermanent = error.code === 'BODY_TOO_LARGE' || error.code === 'BODY_UNDECODABLE';
  return isPermanent
    ? { ...verdict, action: 'reject' }
    : { ...verdict, outcome: 'unknown', action: 'retry', fault: 'request' };
}

/** Problem details stand at the beginning; a large body is not searched. */
function beginning(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 2_048)).toString('latin1');
}
