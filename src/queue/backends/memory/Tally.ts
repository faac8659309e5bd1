import type { RequestState } from '../../types/states.ts';
import { REQUEST_STATES } from '../../types/states.ts';

const INDEX = Object.freeze(Object.fromEntries(REQUEST_STATES.map((state, index) => [state, index]))) as Readonly<
  Record<RequestState, number>
>; // made from the whole list of states

/** Exact numbers of one (zone, channel, sender); those of ended requests are kept under the sender `''`. */
export class Tally {
  readonly zone: string;
  readonly channel: string;
  readonly sender: string;
  /** Where its requests are counted once they have ended. */
  readonly ended: Tally;
  readonly #counts: number[] = REQUEST_STATES.map(() => 0);
  readonly #bytes: number[] = REQUEST_STATES.map(() => 0);

  constructor(zone: string, channel: string, sender: string, ended: Tally | null) {
    this.zone = zone;
    this.channel = channel;
    this.sender = sender;
    this.ended = ended ?? this;
  }

  add(state: RequestState, count: number, bytes: number): void {
    const index = INDEX[state];
    this.#counts[index] = (this.#counts[index] as number) + count; // one slot per state
    this.#bytes[index] = (this.#bytes[index] as number) + bytes;
  }

  count(state: RequestState): number {
    return this.#counts[INDEX[state]] as number;
  }

  bytes(state: RequestState): number {
    return this.#bytes[INDEX[state]] as number;
  }

  get isEmpty(): boolean {
    return this.#counts.every((count) => count === 0);
  }
}
