import type { TransportFailure } from '../types/transport.ts';
import type { ConnectivityEvidence } from './connectivity.ts';

/** The machine itself has no way out: every zone is offline. */
const NETWORK_DOWN: ReadonlySet<string> = new Set(['ENETDOWN', 'ENETUNREACH']);

/** We ended the call ourselves: it says nothing of the zone, and is no fault of the request. */
const ENDED_BY_US: ReadonlySet<string> = new Set([
  'CALL_ABORTED',
  'TRANSPORT_CLOSED',
  'CALL_REPEATED',
  'BATCH_NOT_SERVED',
  'ABORT_ERR',
  'UND_ERR_ABORTED',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

const TIMEOUTS: ReadonlySet<string> = new Set([
  'CALL_TIMEOUT',
  'ETIMEDOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** The HTTP client refused to put the call together: another try ends the same way. */
const MALFORMED =
  /^(?:UND_ERR_INVALID_ARG|UND_ERR_REQ_CONTENT_LENGTH_MISMATCH|UND_ERR_NOT_SUPPORTED|ERR_INVALID_|ERR_HTTP_)/;

/** Codes of OpenSSL for a certificate that is refused, as Node reports them (`tls` "X509 certificate error codes"). */
const CERTIFICATE =
  /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT|INVALID_CA$|PATH_LENGTH_EXCEEDED$|INVALID_PURPOSE$|HOSTNAME_MISMATCH$)/;

/** The code of a transport error, or null: for the record of attempts, and for the rules below. */
export function errorCode(error: TransportFailure['error']): string | null {
  return typeof error.code === 'string' ? error.code : null;
}

/** True for an address that does not exist or a certificate that is refused: a mistake in the address, unless it worked before. */
export function isUnresolvable(code: string | null): boolean {
  return code === 'ENOTFOUND' || (code !== null && CERTIFICATE.test(code));
}

/** True when the signal of the call closed its wire. */
export function isClosedByCaller(error: TransportFailure['error']): boolean {
  const code = errorCode(error);
  return code === null ? error.name === 'AbortError' : code === 'CALL_ABORTED' || code === 'ABORT_ERR';
}

/** True when the call was ended here: closing, or a caller that gave up. */
export function isEndedByUs(error: TransportFailure['error']): boolean {
  const code = errorCode(error);
  return code === null ? error.name === 'AbortError' : ENDED_BY_US.has(code);
}

/** True when the request cannot be put on the wire as it is, wherever it is sent. */
export function isMalformed(error: TransportFailure['error']): boolean {
  return MALFORMED.test(errorCode(error) ?? '');
}

/** What a call without an answer shows of its zone. A connection that was reset shows that somebody was there. */
export function evidenceOf(result: TransportFailure): ConnectivityEvidence {
  const code = errorCode(result.error);
  if (isEndedByUs(result.error) || isMalformed(result.error)) return 'neutral';
  if (code !== null && NETWORK_DOWN.has(code)) return 'networkDown';
  if (result.phase === 'notSent') return 'unreachable';
  return code !== null && TIMEOUTS.has(code) ? 'unanswered' : 'neutral';
}
