/** Codes of failures that the transport itself causes; all others are those of Node and undici. */
export type TransportErrorCode =
  /** The whole-call timeout passed. */
  | 'CALL_TIMEOUT'
  /** The call's signal closed the wire; `cause` is its reason. */
  | 'CALL_ABORTED'
  /** The transport was closed. */
  | 'TRANSPORT_CLOSED'
  /** The answer was larger than `maxResponseBytes`. */
  | 'BODY_TOO_LARGE'
  /** The answer is not what its content-encoding says. */
  | 'BODY_UNDECODABLE'
  /** The connection wanted to send the call a second time, which is refused. */
  | 'CALL_REPEATED';

export interface TransportError extends Error {
  readonly code: TransportErrorCode;
}

/** An error as reported in a `TransportResult`: a value there, never thrown. */
export function transportError(code: TransportErrorCode, message: string, cause?: unknown): TransportError {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}
