import type { Timer } from '../../../system/clock.ts';
import { repaired } from '../../strategies/schedule/plan.ts';
import type { Engine } from '../Engine.ts';
import { isSetAside } from '../migration/schedules.ts';
import type { Desk } from '../submission.ts';
import { messageOf } from '../tell.ts';
import { readSchedule, readTimed, written } from './record.ts';
import { Step } from './Step.ts';

/** Schedules fired, or looked through, per step, so that none holds the store or the event loop for long. */
const STEP = 64;
const PAGE = 256;
/** Those of other processes that are read past in one step. */
const MOST_FOREIGN = 960;
/** Longest sleep before the clocks are compared again: wall clocks jump. The store is not asked for that. */
const LONGEST_SLEEP_MS = 5_000;
/** What another process wrote is looked at so long after the first news of it. */
const NEWS_MS = 2_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** A smaller difference of the clocks is left alone. */
const SMALLEST_STEP_MS = 1_000;

/**
 * Fires what is due. One timer serves all schedules: it wakes for the earliest due time, and while nothing is due the store is not asked. Level
 * triggered: a look finds whatever is due, whoever missed it. Two processes may try the same due time; the store lets one.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #step: Step;
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #isStopped = true;
  #running: Promise<void> | undefined;
  #again = false;
  /** Wall time of the earliest due time that is known. */
  #dueAt = Number.POSITIVE_INFINITY;
  /** Monotonic times: of the look at news, and before which nothing is tried again. */
  #newsAt = Number.POSITIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #hasLooked = false;
  /** A clock went back, or may have before this process began. */
  #wantsSweep = false;
  /** Wall time minus monotonic time when last compared. */
  #offset = 0;

  constructor(engine: Engine, desk: Desk) {
    this.#engine = engine;
    this.#step = new Step(engine, desk);
  }

  start(): void {
    const { backend, config } = this.#engine.context;
    if (!config.dispatch) return;
    this.#isStopped = false;
    this.#offset = this.#clockOffset;
    this.#unwatch = backend.requests.watch(() => this.#news());
    this.#run();
  }

  /** Fires nothing more; resolves when a firing under way is stored or refused. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unwatch?.();
    this.#timer?.cancel();
    this.#step.stop();
    await this.#running;
  }

  /** A schedule is due then (wall time). */
  due(at: number | null): void {
    if (at === null || at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#arm();
  }

  get #clockOffset(): number {
    const { clock } = this.#engine.context;
    return clock.now() - clock.monotonicNow();
  }

  /** Another process wrote to the store: it may have been a schedule. */
  #news(): void {
    if (this.#newsAt !== Number.POSITIVE_INFINITY) return;
    this.#newsAt = this.#engine.context.clock.monotonicNow() + NEWS_MS;
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isStopped || this.#running !== undefined) return;
    const { clock } = this.#engine.context;
    const now = clock.monotonicNow();
    const soonest = Math.min(this.#dueAt - clock.now(), this.#newsAt - now);
    if (soonest === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.max(1, Math.min(Math.max(soonest, this.#notBefore - now), LONGEST_SLEEP_MS));
    this.#timer = clock.schedule(delayMs, () => this.#wake());
  }

  #wake(): void {
    const { clock } = this.#engine.context;
    const offset = this.#clockOffset;
    if (offset < this.#offset - SMALLEST_STEP_MS) this.#wantsSweep = true;
    this.#offset = offset;
    const now = clock.monotonicNow();
    const isTime = this.#wantsSweep || clock.now() >= this.#dueAt || now >= this.#newsAt;
    if (isTime && now >= this.#notBefore) this.#run();
    else this.#arm();
  }

  #run(): void {
    if (this.#isStopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#timer?.cancel();
    this.#running = this.#look()
      .then(
        () => {
          this.#failures = 0;
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#running = undefined;
        if (this.#again) this.#run();
        else this.#arm();
      });
  }

  #failed(error: unknown): void {
    const { clock, random, logger } = this.#engine.context;
    if (this.#isStopped) return;
    this.#failures += 1;
    const delayMs = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (this.#failures - 1)) * (0.5 + random.number() / 2);
    logger.warn('schedules could not fire and are tried again', { error: messageOf(error), inMs: delayMs });
    this.#notBefore = clock.monotonicNow() + delayMs;
    this.#dueAt = Math.min(this.#dueAt, clock.now());
  }

  async #look(): Promise<void> {
    const { schedules } = this.#engine.context.backend;
    this.#newsAt = Number.POSITIVE_INFINITY;
    if (!this.#hasLooked) {
      // Of a queue without schedules this is all that is ever asked.
      const isNone = (await schedules.list({ after: null, limit: 1 })).length === 0;
      this.#hasLooked = true;
      this.#wantsSweep = !isNone;
      if (isNone) return;
    }
    this.#dueAt = Number.POSITIVE_INFINITY;
    const next = await this.#fireDue();
    this.#dueAt = Math.min(this.#dueAt, next); // meanwhile another may have become due
    if (this.#wantsSweep) await this.#sweep();
  }

  /** Fires all that is due, in steps; gives the time at which something is due next. */
  async #fireDue(): Promise<number> {
    const { clock, backend } = this.#engine.context;
    for (let foreign = 0; !this.#isStopped; ) {
      const now = clock.now();
      const limit = STEP + Math.min(foreign, MOST_FOREIGN);
      const due = await backend.schedules.due({ now, limit });
      const done = await this.#step.run(due, now);
      foreign = done.foreign;
      // One that does not fit is no reason to keep others waiting ever longer.
      if (done.moved > 0) this.#failures = 0;
      if (done.error !== undefined) throw done.error;
      // Looked at again at once it would be a busy loop.
      if (done.moved === 0 && due.length > foreign) throw new Error('what is due could not be read');
      const isLast = due.length < limit && !done.isMoreDue;
      // Where all that was read is of others, what is behind it is read, too.
      const isAll = due.length < limit || foreign > MOST_FOREIGN;
      if (isLast || (done.moved === 0 && isAll)) return this.#nextDueAt(foreign);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** What only other processes can fire stays due, and hides nothing that is due later. */
  async #nextDueAt(foreign: number): Promise<number> {
    const { clock, backend } = this.#engine.context;
    if (foreign === 0) return (await backend.schedules.nextDueAt()) ?? Number.POSITIVE_INFINITY;
    const first = await backend.schedules.due({ now: Number.MAX_SAFE_INTEGER, limit: foreign + 1 });
    const own = first.find((one) => this.#step.isOurs(one))?.dueAt ?? Number.POSITIVE_INFINITY;
    // Who can fire them may be gone, and who can fire them may be constructed here meanwhile.
    return Math.min(own ?? Number.POSITIVE_INFINITY, clock.now() + MAX_RETRY_MS);
  }

  /** Brings schedules to the present time that were written by a clock that was ahead. */
  async #sweep(): Promise<void> {
    const { clock, backend } = this.#engine.context;
    this.#wantsSweep = false;
    try {
      for (let after: string | null = null; !this.#isStopped; ) {
        const page = await backend.schedules.list({ after, limit: PAGE });
        const now = clock.now();
        for (const stored of page) {
          const isOurs = readSchedule(stored)?.record;
          if (isOurs === undefined || isOurs.isPaused || isOurs.writtenAt <= now || isSetAside(stored)) continue;
          const schedule = readTimed(stored);
          if (schedule === undefined) continue;
          const { record, times, name, version } = schedule;
          const position = repaired(times, record.position, now);
          const isPutOff = (record.retryAt ?? now) > now + MAX_RETRY_MS;
          if (position === undefined && !isPutOff) continue;
          const next = written({ ...record, position: position ?? record.position, retryAt: null, writtenAt: now });
          await backend.schedules.set({ name, ...next, ifVersion: version });
          this.#again = true; // it may be due at another time now
        }
        if (page.length < PAGE) return;
        after = page.at(-1)?.name ?? null;
      }
    } catch (error) {
      this.#wantsSweep = true;
      throw error;
    }
  }
}
