import { expect, onTestFinished } from 'vitest';
import { createUndiciTransport } from '../../../../src/client/transport/UndiciTransport.ts';
import type { QueueOptions } from '../../../../src/queue/core/config/options.ts';
import { isIdle } from '../../../../src/queue/core/idle.ts';
import { QueueManager } from '../../../../src/queue/core/QueueManager.ts';
import type { Counts } from '../../../../src/queue/core/report.ts';
import type { Backend } from '../../../../src/queue/types/backend.ts';
import type { Clock } from '../../../../src/system/clock.ts';
import { systemClock } from '../../../../src/system/clock.ts';
import { FakeClock } from '../../../../src/testing/FakeClock.ts';
import { LOOPBACK_CERTIFICATE } from '../../../client/support/certificate.ts';
import type { Site } from './Site.ts';
import type { StoreAt } from './stores.ts';
import { backendAt } from './stores.ts';
import { Traffic } from './Traffic.ts';

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const TRUST = { ca: LOOPBACK_CERTIFICATE };

export type GroundConfig = Omit<QueueOptions, 'backend'>;

/**
 * Queues on a real store and real sockets whose time is the test's: it passes from timer to timer, and stands still while the store, the
 * network and the servers work. What a server parks hangs, and keeps no time from passing.
 */
export class Ground {
  readonly at: StoreAt;
  /** Runs timers. Begins at the present, so that what other processes stored lies in the past. */
  readonly #ticks = new FakeClock({ now: systemClock.now(), monotonicNow: systemClock.monotonicNow(), turns: 2 });
  readonly #traffic = new Traffic();
  readonly #sites: readonly Site[];
  readonly #open = new Set<QueueManager>();
  readonly #backends = new WeakMap<QueueManager, Backend>();
  #leapt = 0;
  readonly clock: Clock = {
    now: () => this.#ticks.now() + this.#leapt,
    monotonicNow: () => this.#ticks.monotonicNow() + this.#leapt,
    schedule: (ms, callback, options) => this.#ticks.schedule(ms, callback, options),
  };

  constructor(at: StoreAt, sites: readonly Site[]) {
    this.at = at;
    this.#sites = sites;
    onTestFinished(() => this.#closeAll());
  }

  /** A started queue on the store. */
  async queue(config: GroundConfig): Promise<QueueManager> {
    const backend = this.#traffic.watch(backendAt(this.at));
    const queue = new QueueManager({
      config: { retry: { baseDelayMs: 200, maxDelayMs: 2_000 }, ...config },
      clock: this.clock,
      backend,
      transport: this.#traffic.watch(createUndiciTransport({ clock: this.clock, tls: TRUST })),
    });
    this.#open.add(queue);
    this.#backends.set(queue, backend);
    await queue.start();
    return queue;
  }

  /** Ends a queue as an orderly process does. */
  async close(queue: QueueManager): Promise<void> {
    if (!this.#open.delete(queue)) return;
    let isClosed = false;
    const closing = queue.close().finally(() => {
      isClosed = true;
    });
    await this.until(() => isClosed, MINUTE_MS);
    await closing;
  }

  /** Waits, without time passing, until nothing is under way but what a server parks. */
  calm(): Promise<void> {
    return this.#traffic.calm(() => this.#sites.reduce((sum, { server }) => sum + server.parked, 0));
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Lets time pass until something holds, for at most so long; says whether it came to hold. */
  until(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
    return this.#ticks.advanceUntil(async () => {
      await this.calm();
      return condition();
    }, withinMs);
  }

  /** Time passes at once, as for a machine that was asleep: timers run late. */
  leap(ms: number): void {
    this.#leapt += ms;
  }

  /** Lets time pass until nothing can move by itself: ended, held, or behind what is held. */
  async drained(queue: QueueManager, withinMs = HOUR_MS): Promise<Counts> {
    const { requests } = this.#backends.get(queue) as Backend; // every queue of the ground has one
    const isDone = await this.until(() => isIdle(requests, {}), withinMs);
    const counts = await queue.counts();
    expect(isDone, `not idle after ${withinMs} ms: ${JSON.stringify(counts)}`).toBe(true);
    return counts;
  }

  async #closeAll(): Promise<void> {
    for (const queue of [...this.#open]) await this.close(queue);
  }
}
