import { createHash } from 'node:crypto';
import type { StoredRequest } from '../types/request.ts';
import type { Reason } from '../types/states.ts';
import { answeredError } from './answeredError.ts';
import { pathTemplate } from './pathTemplate.ts';

/** What requests that failed in the same way have in common. */
export interface Signature {
  /** The same for the same failure in every process: 16 hex digits. */
  readonly id: string;
  /** For people: where it was sent and what came of it. */
  readonly label: string;
  readonly zone: string;
  readonly method: string;
  /** Path with ids replaced by `{id}`. */
  readonly path: string;
  readonly reason: Reason;
  /** Status of the last answer, or null. */
  readonly status: number | null;
  /** Code of the transport error where there was no answer, or null. */
  readonly error: string | null;
  /** What the answer says, without what differs from case to case; or empty. */
  readonly message: string;
}

type Failed = Pick<StoredRequest, 'zone' | 'content' | 'reason' | 'progress' | 'result'>;

const ID_DIGITS = 16;

/** Status of the answer that ended a request, or code of the transport error where the last attempt had none. */
export function failureOf({
  progress,
  result,
}: Pick<Failed, 'progress' | 'result'>): Pick<Signature, 'status' | 'error'> {
  const last = progress.attempts.at(-1);
  if (last === undefined || (last.status === null && last.error === null)) {
    return { status: result?.status ?? null, error: null };
  }
  return { status: last.status, error: last.status === null ? last.error : null };
}

/** By what failed requests are grouped: where it was sent, why it ended, and what the server said, without ids, numbers and quotations. */
export function signatureOf(request: Failed): Signature {
  const { zone, content, reason, result } = request;
  const { method } = content;
  const path = pathTemplate(content.path);
  const { status, error } = failureOf(request);
  // An earlier answer says nothing of a last attempt that had none.
  const message = result !== null && result.status === status ? answeredError(result) : '';
  const identity = JSON.stringify([zone, method, path, reason, status, error, message]);
  const id = createHash('sha256').update(identity).digest('hex').slice(0, ID_DIGITS);
  const what = [status ?? error, reason].filter((part) => part !== null).join(' ');
  const label = `${zone} ${method} ${path}: ${what}${message === '' ? '' : ` (${message})`}`;
  return { id, label, zone, method, path, reason, status, error, message };
}
