import type { TransportFailure, TransportResult } from '../../types/transport.ts';

export function failure(code: string, message: string, cause?: unknown): TransportFailure['error'] {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** The server did not look at it: it is sent again, and that is nobody's fault. */
export function notServed(): TransportResult {
  const message = 'the call it was part of was not served for the sake of another request';
  return { phase: 'notSent', error: failure('BATCH_NOT_SERVED', message) };
}

/** Nobody knows what became of it. */
export function missing(cause?: unknown): TransportResult {
  const message = 'the answer to the call it was part of says nothing of it';
  return { phase: 'sent', error: failure('BATCH_ANSWER_MISSING', message, cause) };
}
