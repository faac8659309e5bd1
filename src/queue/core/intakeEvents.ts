import type { NewRequest } from '../types/request.ts';
import type { EnqueueResult, RequestPatch } from '../types/store.ts';
import type { Admitted } from './admit.ts';
import type { Channel } from './gates/Channel.ts';

/** What the intake tells the other stages. */
export interface IntakeEvents {
  /** Claimed in the commit that accepted it: holds a permit, may be sent. */
  claimed(request: NewRequest, token: number, channel: Channel): void;
  accepted(admitted: Admitted, result: Extract<EnqueueResult, { status: 'accepted' }>): void;
  /** It joined a request: one in the store, which counts its callers, or one of this process. */
  joined(admitted: Admitted, result: Extract<EnqueueResult, { status: 'joined' }>, isStored: boolean): void;
  /** A read that is stored or about to be was joined by one that is more urgent, or that may wait longer. */
  raised(id: string, patch: RequestPatch): void;
  /** A request was refused: nothing of it needs to be remembered. */
  refused(id: string, error: unknown): void;
  /** Entries wait for the end of this turn. */
  wake(): void;
}
