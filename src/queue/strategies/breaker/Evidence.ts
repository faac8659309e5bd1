import { Baseline } from './Baseline.ts';
import type { WindowCounts } from './CallWindow.ts';
import { CallWindow } from './CallWindow.ts';
import type { BreakerReason } from './change.ts';
import { Latency } from './Latency.ts';
import type { BreakerPolicy } from './policy.ts';
import { failsInARow, failsTooOften, isDegraded, isTooSlow } from './rules.ts';

/** A run of failures ends where none was seen for so many windows: at few calls a run takes long, but an hour's silence ends it. */
const RUN_WINDOWS = 10;

/** What the calls of a zone showed, and what that says: the latest ones in the window, the usual ones in the baselines. */
export class Evidence {
  #policy: BreakerPolicy;
  readonly #window: CallWindow;
  readonly #baseline = new Baseline();
  readonly #latency = new Latency();
  /** Failures since the last success. */
  #run = 0;
  #lastFailureAt = 0;

  constructor(policy: BreakerPolicy) {
    this.#policy = policy;
    this.#window = new CallWindow(policy.windowMs);
  }

  get baseline(): number {
    return this.#baseline.rate;
  }

  set baseline(rate: number) {
    this.#baseline.set(rate);
  }

  get threshold(): number {
    return this.#baseline.threshold;
  }

  /** Up to date at `now`; to be read at once. */
  window(now: number): WindowCounts {
    this.#window.moveTo(now);
    return this.#window;
  }

  isDegraded(now: number): boolean {
    return isDegraded(this.window(now));
  }

  forgetCalls(): void {
    this.#window.clear();
    this.#run = 0;
  }

  update(policy: BreakerPolicy): void {
    this.#policy = policy;
    this.#window.resize(policy.windowMs);
  }

  /** Counts a call; {@link reasonToOpen}, {@link relapses} and {@link learn} are about the one counted last. */
  count(isFailure: boolean, isSlow: boolean, now: number): void {
    this.#window.add(isFailure, isSlow, now);
    if (isFailure) {
      this.#run = now - this.#lastFailureAt > RUN_WINDOWS * this.#policy.windowMs ? 1 : this.#run + 1;
      this.#lastFailureAt = now;
    } else this.#run = 0;
  }

  isSlow(durationMs: number): boolean {
    return durationMs > (this.#policy.slowCallMs ?? this.#latency.slowMs);
  }

  /** Why a closed breaker opens after this call. */
  reasonToOpen(isFailure: boolean, isSlow: boolean): BreakerReason | undefined {
    if (isFailure && failsTooOften(this.#window, this.#baseline, this.#policy.minimumCalls)) return 'failureRate';
    if (isFailure && this.#isTellingRun()) return 'consecutiveFailures';
    return isSlow && isTooSlow(this.#window) ? 'slowCalls' : undefined;
  }

  /**
   * Whether a recovering breaker opens again after this call. The zone is on trial, so its failure rate need not be significant,
   * but below `minimumCalls` a rate is a matter of one or two calls: a zone that is well and has its usual failures could
   * never recover. A zone that is gone shows it sooner, by the run.
   */
  relapses(isFailure: boolean): boolean {
    if (!isFailure) return false;
    const { calls, failureRate } = this.#window;
    return this.#isTellingRun() || (calls >= this.#policy.minimumCalls && failureRate >= this.#baseline.threshold);
  }

  /** From a call that opened nothing. */
  learn(isFailure: boolean, durationMs: number, isRecovering: boolean, now: number): void {
    const { failureRate } = this.#window;
    if (!isRecovering && failureRate < this.#baseline.threshold) {
      this.#baseline.learn(failureRate, this.#policy.windowMs, now);
    }
    // Also while recovering: a zone that answers, only slower than before, is not opened for it again and again.
    if (!isFailure && (isRecovering || !isDegraded(this.#window))) this.#latency.learn(durationMs);
  }

  #isTellingRun(): boolean {
    return failsInARow(this.#run, this.#window.calls, this.#baseline.rate, this.#policy);
  }
}
