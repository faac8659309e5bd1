import { HoldfastError } from '../../errors.ts';

/** Under which names Node's own client has what the platform's fetch calls otherwise. */
const SYSTEM_NAMES: Readonly<Record<string, { readonly code: string; readonly message?: string }>> = {
  UND_ERR_SOCKET: { code: 'ECONNRESET', message: 'socket hang up' },
  UND_ERR_CONNECT_TIMEOUT: { code: 'ETIMEDOUT' },
  UND_ERR_HEADERS_TIMEOUT: { code: 'ETIMEDOUT' },
  UND_ERR_BODY_TIMEOUT: { code: 'ETIMEDOUT' },
};

/** An error of a connection (`code: 'ECONNREFUSED'`) or of the queue (`code: 'QUEUE_FULL'`). */
export type WireError = Error & { code?: string };

/**
 * Why a call of `fetch` failed, for SDKs that know the errors of Node's own client: the error of the connection where there is one, in
 * that client's words, else the queue's. In either `holdfastError` finds the queue's.
 */
export function wireError(failure: unknown): WireError {
  const cause = failure instanceof TypeError ? failure.cause : undefined;
  if (cause instanceof HoldfastError) return cause;
  if (!(cause instanceof Error)) return failure instanceof Error ? failure : new Error(String(failure));
  const { code } = cause as WireError;
  const system = code === undefined ? undefined : SYSTEM_NAMES[code];
  const error = system === undefined ? copyOf(cause) : named(system.code, system.message ?? cause.message);
  return Object.defineProperty(error, 'detail', { value: failure });
}

/** Joined callers have one error; an SDK may write on its own. */
function copyOf(error: Error): Error {
  const copy = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error)) as Error;
  return Object.defineProperties(copy, Object.getOwnPropertyDescriptors(error));
}

function named(code: string, message: string): WireError {
  return Object.assign(new Error(message), { code });
}

/** The queue did not send it, or gave up, for reasons of its own. */
export function isOfQueue(error: unknown): boolean {
  return error instanceof HoldfastError;
}
