import { HoldfastError, holdfastError } from '../../errors.ts';

/**
 * What `fetch` rejects with: a `TypeError` "fetch failed", as SDKs recognise it. Its cause is the transport's own error where there
 * is one, with the code that SDKs look for, else ours; `holdfastError` finds ours in either case.
 */
export function fetchFailure(error: unknown): TypeError {
  const ours = holdfastError(error);
  if (ours === undefined) return error instanceof TypeError ? error : new TypeError('fetch failed', { cause: error });
  const cause = wireErrorOf(ours) ?? ours;
  const failure = new TypeError('fetch failed', { cause });
  // Beside the cause, which is the platform's business.
  if (cause !== ours) Object.defineProperty(failure, 'detail', { value: ours });
  return failure;
}

/** The error of the connection, under the names that the platform's fetch gives it. */
function wireErrorOf(ours: HoldfastError): Error | undefined {
  const timeout = holdfastError(ours.cause, 'ATTEMPT_TIMEOUT');
  const cause = timeout?.cause ?? ours.cause;
  if (!(cause instanceof Error) || cause instanceof HoldfastError || !('code' in cause)) return undefined;
  if (cause.code !== 'CALL_TIMEOUT') return cause;
  const platforms = new Error('Headers Timeout Error', { cause: timeout ?? cause });
  return Object.assign(platforms, { name: 'HeadersTimeoutError', code: 'UND_ERR_HEADERS_TIMEOUT' });
}

/** Whatever was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
