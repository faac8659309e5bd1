import type { EventSource } from '../types/events.ts';
import type { TerminalState } from '../types/states.ts';

/** What has happened in this process since the queue started. Every number is exact. */
export interface QueueStats {
  readonly accepted: number;
  readonly deduplicated: number;
  /** Attempts started. */
  readonly dispatched: number;
  readonly retried: number;
  readonly unknown: number;
  readonly held: number;
  readonly released: number;
  readonly settled: Readonly<Record<TerminalState, number>>;
  /** New calls refused for the load (`LOAD_SHED`). */
  readonly shed: number;
  /** Reads answered with an answer of before (`staleReads`); they are in no other number. */
  readonly servedStale: number;
  /** Epoch ms of the last success, or null. */
  readonly lastSuccessAt: number | null;
}

/** Taps the events of a queue and counts them. */
export class Counters {
  #accepted = 0;
  #deduplicated = 0;
  #dispatched = 0;
  #retried = 0;
  #unknown = 0;
  #held = 0;
  #released = 0;
  readonly #settled: Record<TerminalState, number> = { succeeded: 0, dead: 0, cancelled: 0, superseded: 0 };
  #shed = 0;
  #servedStale = 0;
  #lastSuccessAt: number | null = null;
  readonly #undo: readonly (() => void)[];

  constructor(events: EventSource) {
    this.#undo = [
      events.on('request:accepted', () => void this.#accepted++),
      events.on('request:deduplicated', () => void this.#deduplicated++),
      events.on('request:dispatched', () => void this.#dispatched++),
      events.on('request:retrying', () => void this.#retried++),
      events.on('request:unknown', () => void this.#unknown++),
      events.on('request:held', () => void this.#held++),
      events.on('request:released', () => void this.#released++),
      events.on('queue:shed', () => void this.#shed++),
      events.on('read:servedStale', () => void this.#servedStale++),
      events.on('request:settled', ({ state, at }) => {
        this.#settled[state]++;
        if (state === 'succeeded') this.#lastSuccessAt = at;
      }),
    ];
  }

  read(): QueueStats {
    return {
      accepted: this.#accepted,
      deduplicated: this.#deduplicated,
      dispatched: this.#dispatched,
      retried: this.#retried,
      unknown: this.#unknown,
      held: this.#held,
      released: this.#released,
      settled: { ...this.#settled },
      shed: this.#shed,
      servedStale: this.#servedStale,
      lastSuccessAt: this.#lastSuccessAt,
    };
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }
}
