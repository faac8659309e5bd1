import type { Clock, Timer } from '../../../system/clock.ts';
import type { Carrier } from './Carrier.ts';
import type { Entrance } from './Entrance.ts';
import { isOutage } from './outage.ts';
import type { Primary } from './Primary.ts';
import type { Spill } from './Spill.ts';

/**
 * Has the spill moved to the store, oldest first, a page at a time, until nothing is left and the way in is open again. Tries
 * again after an interval; while the store cannot be reached, each try lasts as long as its verbs are patient.
 */
export class Mover {
  readonly #primary: Primary;
  readonly #spill: Spill;
  readonly #entrance: Entrance;
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  readonly #retryMs: number;
  readonly #progressed: (ended: readonly string[]) => void;
  #worker: string | undefined;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #trouble: unknown;

  /** `progressed` is called when the store has more than before, with those that ended or are held on their way. */
  constructor(
    parts: {
      readonly primary: Primary;
      readonly spill: Spill;
      readonly entrance: Entrance;
      readonly carrier: Carrier;
      readonly clock: Clock;
    },
    retryMs: number,
    progressed: (ended: readonly string[]) => void,
  ) {
    this.#primary = parts.primary;
    this.#spill = parts.spill;
    this.#entrance = parts.entrance;
    this.#carrier = parts.carrier;
    this.#clock = parts.clock;
    this.#retryMs = retryMs;
    this.#progressed = progressed;
  }

  /** What keeps requests in the spill although the store can be reached, if anything does. */
  get trouble(): unknown {
    return this.#trouble;
  }

  start(worker: string): void {
    this.#worker = worker;
    this.later();
  }

  /** Looks after an interval, unless it is about to. */
  later(): void {
    if (!this.#isIdle() || this.#timer !== undefined) return;
    this.#timer = this.#clock.schedule(this.#retryMs, () => this.now());
  }

  /** Looks at once, unless it does so already. */
  now(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#isIdle()) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.later();
    });
  }

  /** Resolves when nothing is under way. */
  async rest(): Promise<void> {
    await this.#running;
  }

  /** Moves no more; what is left stays in the spill. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #isIdle(): boolean {
    return !this.#isStopped && this.#worker !== undefined && this.#running === undefined && this.#entrance.isSpilling;
  }

  async #run(): Promise<void> {
    const worker = this.#worker as string; // see `#isIdle`
    try {
      let goesOn = true;
      while (goesOn && !this.#isStopped && this.#entrance.isSpilling) goesOn = await this.#step(worker);
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = isOutage(error) ? undefined : error;
      if (this.#carrier.news.length > 0) this.#progressed(this.#carrier.news);
    }
    if (this.#entrance.isSpilling) this.#entrance.release(Number.POSITIVE_INFINITY);
    // Another process may go on at once. Where this fails too, its lease lapses.
    await this.#spill.stopMoving(worker).catch(() => undefined);
  }

  /** Moves one page. False when that did not move all of it. */
  async #step(worker: string): Promise<boolean> {
    const leaseNow = this.#clock.monotonicNow();
    // Proves that the store is there, and that this worker lives: before anything is noted as attempted.
    await this.#primary.run((store) => store.keepAlive({ worker, leaseNow }));
    const isMine = await this.#spill.mayMove(worker);
    let page = await this.#spill.nextPage();
    if (page.isLast) {
      await this.#entrance.hold();
      page = await this.#spill.nextPage();
    }
    const { length } = page.entries;
    if (length > 0 && !isMine) return false;
    const carried = length === 0 ? 'all' : await this.#carrier.carry(page.entries);
    if (page.isLast && carried === 'all') this.#entrance.open();
    else this.#entrance.release(length / 2);
    if (length > 0) this.#progressed(this.#carrier.news);
    return carried !== 'some';
  }
}
