import { HoldfastError } from '../../errors.ts';
import type { Timer } from '../../system/clock.ts';
import { importanceOf, isShed, Levels } from '../strategies/limits/levels.ts';
import type { Level } from '../types/events.ts';
import { isTerminal } from '../types/states.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import type { Context } from './context.ts';
import { messageOf } from './tell.ts';

const LOOK_MS = 1_000;
/** Of the heap's limit: above that, collecting garbage takes most of the time there is. */
const FULL_HEAP = 0.9;
/** Low and bulk wait where the strain is high or more. */
const MIN_PRIORITY = 5;
/** Who is refused may come back after this, at the latest after twice that: not all at once. The pressure is smoothed over 5 s, and a level stays for 10. */
const RETRY_AFTER_MS: Readonly<Record<Level, number>> = {
  normal: 5_000,
  elevated: 5_000,
  high: 10_000,
  critical: 10_000,
};

/** Undefined where the queue is not to shed load. */
export function sheddingOf(context: Context, eased: () => void): Shedding | undefined {
  const limits = context.config.shedding;
  return limits === null ? undefined : new Shedding(context, limits, eased);
}

/**
 * How near the queue and its process are to what they can take, looked at once a second, and which new calls are refused for that. What
 * was accepted is never touched.
 */
export class Shedding {
  readonly #context: Context;
  readonly #limits: NonNullable<ResolvedConfiguration['shedding']>;
  readonly #eased: () => void;
  readonly #levels = new Levels();
  /** Of what sending adds to: event loop and store. A queue or a heap that is full empties only by sending, whatever it holds. */
  readonly #strain = new Levels();
  /** Monotonic ms at which each step of the store that is under way began, the oldest first. */
  readonly #stepsBegan = new Map<object, number>();
  /** Of the steps of the store that ended since the last look. */
  #steps = 0;
  #stepsMs = 0;
  #fill = 0;
  #isCounting = false;
  #timer: Timer | undefined;

  /** `eased`: what waited for a lower level may be sent. */
  constructor(context: Context, limits: NonNullable<ResolvedConfiguration['shedding']>, eased: () => void) {
    this.#context = context;
    this.#limits = limits;
    this.#eased = eased;
  }

  get level(): Level {
    return this.#levels.level;
  }

  start(): void {
    this.#context.gauges.start();
    void this.#count();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#context.gauges.stop();
  }

  /** Requests below this priority are not sent at present. */
  minPriority(): number {
    const { level } = this.#strain;
    return level === 'high' || level === 'critical' ? MIN_PRIORITY : 1;
  }

  /** Why a new call of that priority is refused; undefined where it is not. */
  admits(priority: number): HoldfastError<'LOAD_SHED'> | undefined {
    const { level, pressure } = this.#levels;
    const { number: random } = this.#context.random;
    if (!isShed(importanceOf(priority), pressure, level, random)) return undefined;
    const retryAfterMs = Math.round(RETRY_AFTER_MS[level] * (1 + random()));
    const message = `a call of priority ${priority} was refused: the load of the queue is ${level}; nothing was stored, try again in ${retryAfterMs} ms`;
    return new HoldfastError('LOAD_SHED', message, { level, retryAfterMs, priority });
  }

  /** Runs a step of the store, whose time tells how busy that is. */
  async timed<T>(step: () => Promise<T>): Promise<T> {
    const { clock } = this.#context;
    const began = clock.monotonicNow();
    const key = {};
    this.#stepsBegan.set(key, began);
    try {
      return await step();
    } finally {
      this.#stepsBegan.delete(key);
      this.#steps += 1;
      this.#stepsMs += clock.monotonicNow() - began;
    }
  }

  #arm(): void {
    this.#timer = this.#context.clock.schedule(LOOK_MS, () => {
      this.#look();
      void this.#count();
      this.#arm();
    });
  }

  #look(): void {
    const { gauges, clock, emitter } = this.#context;
    const now = clock.monotonicNow();
    const { eventLoopDelayMs, storeMs } = this.#limits;
    const [from, before] = [this.level, this.minPriority()];
    const strain = Math.max(gauges.eventLoopDelayMs() / eventLoopDelayMs, this.#storeMs(now) / storeMs);
    this.#strain.observe(strain, now);
    const to = this.#levels.observe(Math.max(strain, this.#fill, gauges.heapUsed() / FULL_HEAP), now);
    if (to !== from) emitter.emit('queue:levelChanged', { from, to, pressure: this.#levels.pressure });
    if (this.minPriority() < before) this.#eased();
  }

  /** How long a step of the store took lately; one that does not end counts for as long as it takes. */
  #storeMs(now: number): number {
    const mean = this.#steps === 0 ? 0 : this.#stepsMs / this.#steps;
    this.#steps = 0;
    this.#stepsMs = 0;
    const [oldest = now] = this.#stepsBegan.values();
    return Math.max(mean, now - oldest);
  }

  /**
   * How full the queue is. A backlog that waits for a zone that is away is no overload: it counts for the room it takes, as what does not fit does
   * not fit, and nothing counts for how long it has waited.
   */
  async #count(): Promise<void> {
    if (this.#isCounting) return;
    this.#isCounting = true;
    const { backend, config, logger } = this.#context;
    try {
      let live = 0;
      let size = 0;
      for (const { state, count, bytes } of await backend.requests.count({})) {
        if (isTerminal(state)) continue;
        live += count;
        size += bytes;
      }
      this.#fill = Math.max(live / config.maxSize, size / config.maxBytes);
    } catch (error) {
      logger.warn('how full the queue is was not found out', { error: messageOf(error) });
    } finally {
      this.#isCounting = false;
    }
  }
}
