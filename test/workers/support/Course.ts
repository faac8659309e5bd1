import type { Intent } from './order.ts';

/** So long without an application is noted: everybody waits for the same thing. */
const SILENCE_MS = 500;

/** How a campaign went in time, by the clock of the server. */
export class Course {
  /** Called with the number of applications so far, at each. */
  onApplied: (count: number) => void = () => undefined;
  readonly #startedAt = Date.now();
  readonly #latencies: number[] = [];
  #lastAt = Date.now();
  readonly #silences: number[] = [];

  /** Something was applied now. */
  applied({ at }: Intent): void {
    const now = Date.now();
    this.#latencies.push(now - at);
    if (this.count > 1 && now - this.#lastAt >= SILENCE_MS) this.#silences.push(now - this.#lastAt);
    this.#lastAt = now;
    this.onApplied(this.count);
  }

  /** Since the last application, or the beginning. */
  get quietMs(): number {
    return Date.now() - this.#lastAt;
  }

  get count(): number {
    return this.#latencies.length;
  }

  /** Seconds, rate, times without an application, and how long requests took from the call to the server. */
  get summary(): string {
    const seconds = (this.#lastAt - this.#startedAt) / 1000;
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    const silences = this.#silences.toSorted((a, b) => b - a);
    return [
      `${seconds.toFixed(1)} s (${Math.round(this.count / seconds)} a second)`,
      `${silences.length} silences of ${SILENCE_MS} ms or more${silences.length === 0 ? '' : `, in ms: ${silences.slice(0, 5).join(', ')}`}`,
      `from call to server: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
    ].join('; ');
  }
}
