import type { HoldfastError } from '../../errors.ts';
import type { HeaderList } from '../types/request.ts';
import type { TransportCall, TransportResult } from '../types/transport.ts';
import type { Channel } from './gates/Channel.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { SentRequest } from './sentRequest.ts';

/** A request on its way to the wire. */
export interface Calling {
  readonly request: SentRequest;
  /** By whose gates it goes, and with whom it shares the call. */
  readonly permit: { readonly via: Channel; readonly group: Group | undefined };
  readonly abort: AbortController | undefined;
}

/** How a call went. */
export interface Called {
  readonly result: TransportResult;
  /** From its start to its end. */
  readonly durationMs: number;
  /** What it was given. */
  readonly timeoutMs: number;
}

/** A call, with why it was not answered in time where it was not. */
export interface Sent extends Called {
  readonly timeout: HoldfastError<'ATTEMPT_TIMEOUT'> | undefined;
}

/** A request of a group that is ready for the wire. */
export interface Arrival {
  readonly calling: Calling;
  /** The call it would be sent with alone: made when asked for, as most of a batch never are. */
  readonly alone: () => TransportCall;
  readonly timeoutMs: number;
  readonly secret: LiveSecret;
  readonly volatile: HeaderList;
}

/** Requests that share one permit, and calls where they can. Whoever is of it either arrives or leaves; a second arrival is another round. */
export interface Group {
  /** Resolves with the answer to this request alone. Never rejects. */
  arrive(arrival: Arrival): Promise<Called>;
  /** It sends nothing more. Idempotent. */
  leave(id: string): void;
}

/** Puts one call on the wire. */
export type Transmit = (calling: Calling, call: TransportCall) => Promise<Sent>;
