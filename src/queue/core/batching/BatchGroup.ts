import type { Clock, Timer } from '../../../system/clock.ts';
import type { Arrival, Called, Group } from '../called.ts';
import { Waiting } from './Waiting.ts';

/** So long those that are ready for the wire wait for the others, which then go in another round. */
const PATIENCE_MS = 250;

/** Sends requests that are ready, in as few calls as it can, and answers each. Never rejects. */
export type Round = (ready: readonly Waiting[]) => Promise<void>;

/**
 * Requests that were claimed together to share a call. Each is prepared by itself, and they meet here at the wire: once all of them
 * have arrived or left, those that are there are sent. Who arrives again (with another credential) is of the next round. It is over
 * when all have left.
 */
export class BatchGroup implements Group {
  /** Resolves when the last has left. */
  readonly over: Promise<void>;
  /** Those that have not left, in their order. */
  readonly #present: Set<string>;
  readonly #arrived = new Map<string, Waiting>();
  readonly #round: Round;
  readonly #clock: Clock;
  readonly #ended: () => void;
  #isSending = false;
  #patience: Timer | undefined;

  /** `ended`: the last has left. */
  constructor(ids: readonly string[], round: Round, clock: Clock, ended: () => void) {
    this.#present = new Set(ids);
    this.#round = round;
    this.#clock = clock;
    let resolve = (): void => undefined;
    this.over = new Promise((onOver) => {
      resolve = onOver;
    });
    this.#ended = () => {
      resolve();
      ended();
    };
  }

  arrive(arrival: Arrival): Promise<Called> {
    return new Promise((resolve) => {
      const waiting = new Waiting(arrival, resolve, (left) => {
        if (this.#arrived.get(left.id) === left) this.#arrived.delete(left.id);
      });
      if (!waiting.isOver) this.#arrived.set(waiting.id, waiting);
      this.#look();
    });
  }

  leave(id: string): void {
    if (this.#present.delete(id)) this.#look();
  }

  #look(): void {
    if (this.#isSending) return;
    if (this.#arrived.size === 0) {
      this.#stopWaiting();
      if (this.#present.size === 0) this.#ended();
    } else if (this.#arrived.size >= this.#present.size) this.#go();
    else this.#patience ??= this.#clock.schedule(PATIENCE_MS, () => this.#go());
  }

  #go(): void {
    this.#stopWaiting();
    if (this.#isSending || this.#arrived.size === 0) return;
    const ready = Array.from(this.#present, (id) => this.#arrived.get(id)).filter((one) => one !== undefined);
    this.#arrived.clear();
    this.#isSending = true;
    void this.#round(ready).finally(() => {
      this.#isSending = false;
      this.#look();
    });
  }

  #stopWaiting(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
  }
}
