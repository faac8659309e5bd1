import type { Clock, Timer } from '../../../system/clock.ts';
import { BatchSize } from '../../strategies/batching/BatchSize.ts';
import { BatchWindow } from '../../strategies/batching/BatchWindow.ts';
import { FoldedShare } from '../../strategies/batching/FoldedShare.ts';
import type { GuardedAdapter } from './GuardedAdapter.ts';

/** From this priority on, a request and all that wait with it go at once. */
const URGENT = 8;

/**
 * The batching of one channel: how many requests go into a call, and whether it is time to claim. That is so when as many as a call
 * holds are known to wait, when the first that nobody asked for has waited for the window, when one is urgent, and as long as claims
 * come back full. Its timer only wakes a look.
 */
export class Batching {
  readonly adapter: GuardedAdapter;
  readonly size: BatchSize;
  readonly window: BatchWindow;
  /** Requests that a call may hold at all. */
  readonly most: number;
  readonly #share: FoldedShare;
  readonly #clock: Clock;
  /** Hints of the channel when it was last asked for. */
  #asked = 0;
  /** Known to wait, of those that came since. */
  #known = 0;
  #isUrgent = false;
  /** More wait than the last claim took. */
  #isBacklog = false;
  /** Monotonic ms at which the first came since. */
  #since: number | undefined;
  #timer: Timer | undefined;

  constructor(adapter: GuardedAdapter, limits: { readonly maxSize: number; readonly windowMs: number }, clock: Clock) {
    const max = Math.min(limits.maxSize, adapter.maxItems);
    this.adapter = adapter;
    this.most = max;
    this.size = new BatchSize(max);
    this.window = new BatchWindow(limits.windowMs);
    this.#share = new FoldedShare(max);
    this.#clock = clock;
  }

  /** Requests to claim for each call. */
  get perCall(): number {
    return Math.min(this.size.size, this.#share.perCall);
  }

  /** A request was accepted that is ready. */
  arrived(priority: number): void {
    this.#known += 1;
    if (priority >= URGENT) this.#isUrgent = true;
  }

  /** Whether it is time to claim; `hints`: those of the channel. */
  isDue(hints: number, now: number): boolean {
    if (this.#isBacklog || this.#isUrgent) return true;
    if (hints === this.#asked) return false;
    this.#since ??= now;
    return this.#known >= this.size.size || now - this.#since >= this.window.ms;
  }

  /** Whether a newcomer need not wait for others, having come alone. */
  takesAlone(newcomers: number): boolean {
    return newcomers === 1 && this.window.ms === 0 && !this.#isBacklog;
  }

  /** Calls `wake` when the window is over, unless it is being waited for. */
  wakeWhenDue(now: number, wake: () => void): void {
    if (this.#since === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.schedule(Math.max(0, this.#since + this.window.ms - now), () => {
      this.#timer = undefined;
      wake();
    });
  }

  /** A claim is made. */
  asked(hints: number): void {
    this.stop();
    this.#asked = hints;
    this.#known = 0;
    this.#since = undefined;
    this.#isUrgent = false;
    this.#isBacklog = false;
  }

  /** What was asked for is still there. */
  askAgain(): void {
    this.#isBacklog = true;
  }

  /** A claim brought so many requests, which go out in so many calls; `left` are given back. */
  claimed(requests: number, calls: number, left: number): void {
    this.window.found(requests);
    this.size.wentAlone(requests);
    this.#share.folded(requests - left, calls, left);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
