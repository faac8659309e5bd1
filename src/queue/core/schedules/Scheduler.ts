import type { Timer } from '../../../system/clock.ts';
import { repaired } from '../../strategies/schedule/plan.ts';
import type { Place, StoredSchedule } from '../../types/schedule.ts';
import type { Engine } from '../Engine.ts';
import { isSetAside } from '../migration/schedules.ts';
import type { Desk } from '../submission.ts';
import { messageOf } from '../tell.ts';
import { LatestWrite } from './LatestWrite.ts';
import { readSchedule, readTimed, written } from './record.ts';
import { Step } from './Step.ts';

/** Schedules fired, or looked through, per step, so that none holds the store or the event loop for long. */
const STEP = 64;
const PAGE = 256;
/** Pages that are looked through for the next own one, where others have theirs in between. */
const MOST_PAGES = 16;
/** Longest sleep before the clocks are compared again: wall clocks jump. The store is not asked for that. */
const LONGEST_SLEEP_MS = 5_000;
/** What another process wrote is looked at so long after the first news of it. */
const NEWS_MS = 2_000;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** A smaller difference of the clocks is left alone. */
const SMALLEST_STEP_MS = 1_000;

/** All that is due up to a place is of other processes, as it was found; to be found out anew from a monotonic time on. */
interface Foreign {
  readonly upTo: Place;
  readonly until: number;
}

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
  readonly #latestWrite: LatestWrite;
  #foreign: Foreign | undefined;
  /** Wall time minus monotonic time when last compared. */
  #offset = 0;

  constructor(engine: Engine, desk: Desk) {
    this.#engine = engine;
    this.#step = new Step(engine, desk);
    this.#latestWrite = new LatestWrite(engine.context);
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

  /** To be called before a schedule is written. */
  async beforeWrite(): Promise<void> {
    if (await this.#latestWrite.keep()) this.#wantsSweep = true;
  }

  /** What was left to other processes may be fired here now. */
  lookAgain(): void {
    this.#foreign = undefined;
    if (this.#hasLooked && this.#dueAt !== Number.POSITIVE_INFINITY) this.#run();
  }

  /** A schedule is due then (wall time). */
  due(at: number | null): void {
    if (at !== null && at <= (this.#foreign?.upTo.dueAt ?? Number.NEGATIVE_INFINITY)) this.#foreign = undefined;
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
      if (!isNone && (await this.#latestWrite.isAhead())) this.#wantsSweep = true;
      this.#hasLooked = true;
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
    const known = (this.#foreign?.until ?? 0) > clock.monotonicNow() ? this.#foreign : undefined;
    this.#foreign = known;
    let after = known?.upTo;
    let isAgain = false;
    while (!this.#isStopped) {
      const now = clock.now();
      const due = await backend.schedules.due({ now, limit: STEP, after });
      if (due.length > 0) await this.beforeWrite();
      const done = await this.#step.run(due, now);
      // One that does not fit is no reason to keep others waiting ever longer.
      if (done.moved > 0) this.#failures = 0;
      if (done.error !== undefined) throw done.error;
      // Looked at again at once it would be a busy loop.
      if (done.moved === 0 && due.length > done.foreign) throw new Error('what is due could not be read');
      isAgain ||= done.isMoreDue;
      if (done.foreign > 0) after = placeOf(due.at(-1)) ?? after;
      if (due.length === STEP) continue;
      if (!isAgain) return this.#nextDueAt(after, known);
      isAgain = false;
      after = known?.upTo;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** What only other processes can fire stays due, and hides nothing that is due later. */
  async #nextDueAt(after: Place | undefined, known: Foreign | undefined): Promise<number> {
    const { clock, backend } = this.#engine.context;
    if (after === undefined) return (await backend.schedules.nextDueAt()) ?? Number.POSITIVE_INFINITY;
    // Who can fire them may be gone, or come, also while this process runs.
    const until = known?.until ?? clock.monotonicNow() + MAX_RETRY_MS;
    this.#foreign = { upTo: after, until };
    const latest = clock.now() + Math.max(0, until - clock.monotonicNow());
    let place: Place | undefined = after;
    for (let left = MOST_PAGES; left > 0 && place !== undefined && place.dueAt < latest; left -= 1) {
      const page: StoredSchedule[] = await backend.schedules.due({ now: latest, limit: STEP, after: place });
      const own = page.find((one) => this.#step.isOurs(one));
      if (own !== undefined) return own.dueAt ?? latest;
      place = page.length < STEP ? undefined : placeOf(page.at(-1));
    }
    return Math.min(latest, place?.dueAt ?? latest);
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
        if (page.length < PAGE) return this.#latestWrite.reset();
        after = page.at(-1)?.name ?? null;
      }
    } catch (error) {
      this.#wantsSweep = true;
      throw error;
    }
  }
}

function placeOf(schedule: StoredSchedule | undefined): Place | undefined {
  return schedule === undefined || schedule.dueAt === null ? undefined : { dueAt: schedule.dueAt, name: schedule.name };
}
