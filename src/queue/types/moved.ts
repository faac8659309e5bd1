import type { Reason, RequestState } from './states.ts';

/** A request other than the one named that the step moved: unblocked, held for a dead predecessor. */
export interface MovedRequest {
  readonly id: string;
  readonly zone: string;
  readonly channel: string;
  readonly state: RequestState;
  readonly reason: Reason;
  readonly dueAt: number | null;
}
