import { HoldfastError } from '../../errors.ts';
import type { Settled } from '../types/calls.ts';
import type { HttpResponse, StoredRequest } from '../types/request.ts';
import type { Reason, TerminalState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';

/** What every outcome names. */
interface Subject {
  readonly id: string;
  readonly zone: string;
  readonly content: { readonly method: string; readonly path: string };
}

/** What a caller is told of a request that ended or was held. */
export function settledOf(
  request: Subject,
  state: TerminalState | 'held',
  reason: Reason,
  response: HttpResponse | undefined,
  cause?: unknown,
): Settled {
  return {
    id: request.id,
    zone: request.zone,
    state,
    reason,
    response,
    error: state === 'succeeded' ? undefined : errorOf(request, state, reason, response, cause),
    deduplicated: false,
  };
}

/** The same from a stored record; undefined while the request is still on its way. */
export function settledOfRecord(record: StoredRequest, cause?: unknown): Settled | undefined {
  if (!isTerminal(record.state) && record.state !== 'held') return undefined;
  const { result } = record;
  const response = result === null || result.body === null ? undefined : { ...result, body: result.body };
  return settledOf(record, record.state, record.reason, response, cause);
}

/** What a write failed with whose outcome is looked for. */
export function inDoubtError(request: Subject, cause: unknown): HoldfastError {
  const { id, zone, content } = request;
  const what = `${content.method} ${content.path} (request ${id}, zone ${zone})`;
  const message = `${what} may or may not have been applied; the queue goes on to find out`;
  return new HoldfastError('OUTCOME_UNKNOWN', message, { id, zone }, { cause });
}

/** The error of the connection that the last attempt failed with, as far as it is recorded. */
export function lostConnection({ progress }: Pick<StoredRequest, 'progress'>): Error | undefined {
  const last = progress.attempts.at(-1);
  if (last === undefined || last.error === null || last.phase === 'answered') return undefined;
  return Object.assign(new Error(`the connection failed: ${last.error}`), { code: last.error });
}

function errorOf(
  request: Subject,
  state: TerminalState | 'held',
  reason: Reason,
  response: HttpResponse | undefined,
  cause: unknown,
): HoldfastError {
  const { id, zone } = request;
  const what = `${request.content.method} ${request.content.path} (request ${id}, zone ${zone})`;
  const details = response === undefined ? { id, zone, reason } : { id, zone, reason, response };
  const options = cause === undefined ? undefined : { cause };
  if (state === 'cancelled')
    return new HoldfastError('REQUEST_CANCELLED', `${what} was cancelled before it was sent`, details, options);
  if (state === 'superseded')
    return new HoldfastError('REQUEST_DISCARDED', `${what} was superseded (${reason})`, details, options);
  if (state === 'held') return heldError(what, reason, details, options);
  switch (reason) {
    case 'expired':
      return new HoldfastError('REQUEST_EXPIRED', `${what} could not be sent before its deadline`, details, options);
    case 'rejected':
      if (response !== undefined) {
        return new HoldfastError(
          'REQUEST_REJECTED',
          `${what} was refused by the server with status ${response.status}`,
          { ...details, response },
          options,
        );
      }
      return new HoldfastError(
        'ATTEMPTS_EXHAUSTED',
        `${what} was refused by the server; its answer was not kept`,
        details,
        options,
      );
    case 'unreachable':
      return new HoldfastError(
        'ZONE_UNREACHABLE',
        `${what}: the zone has never answered and refuses connections for good`,
        details,
        options,
      );
    case 'exhausted':
      return new HoldfastError(
        'ATTEMPTS_EXHAUSTED',
        `${what} kept failing and was given up${lastAnswer(response)}`,
        details,
        options,
      );
    case 'dropped':
      return new HoldfastError(
        'OUTCOME_UNKNOWN',
        `${what} may or may not have been applied; nobody could find out, and it was given up as declared`,
        details,
        options,
      );
    default:
      return new HoldfastError('REQUEST_DISCARDED', `${what} was ended without success (${reason})`, details, options);
  }
}

function heldError(
  what: string,
  reason: Reason,
  details: { readonly id: string; readonly zone: string; readonly reason: Reason; readonly response?: HttpResponse },
  options: { readonly cause: unknown } | undefined,
): HoldfastError {
  switch (reason) {
    case 'unknown':
      return new HoldfastError(
        'OUTCOME_UNKNOWN',
        `${what} may or may not have been applied; it is held for a decision`,
        details,
        options,
      );
    case 'auth':
    case 'principal':
      return new HoldfastError(
        'AUTH_REQUIRED',
        `${what} waits for a valid credential of its principal`,
        details,
        options,
      );
    case 'conflict':
      return new HoldfastError(
        'CONFLICT',
        `${what} conflicts with the server's version; it is held for a decision`,
        details,
        options,
      );
    case 'unreachable':
      return new HoldfastError(
        'ZONE_UNREACHABLE',
        `${what}: the zone has never answered and refuses connections; the request is held`,
        details,
        options,
      );
    default:
      return new HoldfastError('REQUEST_HELD', `${what} is held (${reason})`, details, options);
  }
}

function lastAnswer(response: HttpResponse | undefined): string {
  return response === undefined ? '' : `; the last answer had status ${response.status}`;
}
