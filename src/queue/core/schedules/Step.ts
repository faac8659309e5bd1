import type { HoldfastError } from '../../../errors.ts';
import { holdfastError } from '../../../errors.ts';
import type { Missed, Plan, Position } from '../../strategies/schedule/plan.ts';
import { plan } from '../../strategies/schedule/plan.ts';
import type { StoredSchedule } from '../../types/schedule.ts';
import { isTerminal } from '../../types/states.ts';
import type { Engine } from '../Engine.ts';
import { OF_THE_QUEUE } from '../queueTrouble.ts';
import type { Desk } from '../submission.ts';
import { messageOf } from '../tell.ts';
import type { Zone } from '../zone.ts';
import { fire } from './firing.ts';
import type { ReadSchedule, ScheduleRecord } from './record.ts';
import { putOffMs, readTimed, written } from './record.ts';

/** A due time that fails for a reason of its own is tried again after 1 s, doubled up to this. */
const MAX_RETRY_MS = 60_000;
/** What the same call would meet again and again. */
const FOR_GOOD: ReadonlySet<string> = new Set(['REQUEST_INVALID', 'KEY_CONFLICT', 'CONFIG_INVALID']);

/** What came of one step. */
export interface Done {
  /** Schedules that only another process can fire. */
  readonly foreign: number;
  /** Schedules that are not due any more as they were read. */
  readonly moved: number;
  /** One of them is due again already. */
  readonly isMoreDue: boolean;
  /** Why the queue takes nothing; undefined where it does. */
  readonly error: unknown;
}

interface Counts {
  moved: number;
  isMoreDue: boolean;
  error: unknown;
}

/** Fires the schedules that are due, side by side: each once, for the due time its plan says. */
export class Step {
  readonly #engine: Engine;
  readonly #desk: Desk;
  #isStopped = false;

  constructor(engine: Engine, desk: Desk) {
    this.#engine = engine;
    this.#desk = desk;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Whether this process can fire it: it knows its zone and its client, and how it is written. */
  isOurs(stored: StoredSchedule): boolean {
    return this.#ours(stored) !== undefined;
  }

  async run(due: readonly StoredSchedule[], now: number): Promise<Done> {
    const ours = due.map((stored) => this.#ours(stored)).filter((one) => one !== undefined);
    const counts: Counts = { moved: 0, isMoreDue: false, error: undefined };
    const open = await this.#openOf(ours.map(({ schedule }) => schedule));
    const underWay: Promise<void>[] = [];
    for (const { schedule, zone } of ours) {
      if (this.#isStopped) break;
      const { dueAt } = schedule.record.position;
      if (dueAt === null) continue;
      const by = lookedAtBy(schedule.record, dueAt, now);
      if (dueAt > by) continue;
      const { definition, position } = schedule.record;
      const planned = plan(schedule.times, { ...position, dueAt }, definition, by);
      underWay.push(this.#carryOut(schedule, zone, planned, open, now, counts));
      // Many due times take a while to look through: others have their turn.
      if (planned.missed !== null) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await Promise.all(underWay);
    return { ...counts, foreign: due.length - ours.length };
  }

  #ours(stored: StoredSchedule): { readonly schedule: ReadSchedule; readonly zone: Zone } | undefined {
    const schedule = readTimed(stored);
    const zone = schedule && this.#engine.zones.named(schedule.record.definition.zone);
    if (schedule === undefined || zone === undefined) return undefined;
    const { client } = schedule.record.definition.options;
    return client === undefined || this.#engine.client(client) !== undefined ? { schedule, zone } : undefined;
  }

  /** Ids of the last requests that have not ended, of schedules that go by that. */
  async #openOf(schedules: readonly ReadSchedule[]): Promise<ReadonlySet<string>> {
    const ids = schedules
      .filter(({ record: { definition } }) => definition.overlap === 'skip' || definition.overlap === 'replace')
      .map(({ record }) => record.last?.requestId)
      .filter((id) => id !== undefined);
    if (ids.length === 0) return new Set();
    const found = await this.#engine.context.backend.requests.get({ ids });
    return new Set(found.filter((one) => one !== undefined && !isTerminal(one.state)).map((one) => one?.id ?? ''));
  }

  async #carryOut(
    schedule: ReadSchedule,
    zone: Zone,
    planned: Plan,
    open: ReadonlySet<string>,
    now: number,
    counts: Counts,
  ): Promise<void> {
    try {
      const { record } = schedule;
      const { fire: due, missed, whenFired, whenPassed } = planned;
      const { overlap } = record.definition;
      const before = record.last?.requestId ?? '';
      const isOverlap = overlap === 'skip' && open.has(before);
      if (due === null) await this.#pass(schedule, whenPassed, missed, {}, now, counts);
      else if (isOverlap) {
        const passed = { due, cause: 'overlap', code: null } as const;
        await this.#pass(schedule, whenPassed, missed, { passed }, now, counts);
      } else {
        // First, so that the due time still fires where this process dies in between.
        if (overlap === 'replace' && open.has(before)) await this.#engine.withdrawal.cancel(before, true);
        await this.#fire(schedule, zone, due, planned, now, counts);
      }
      if (whenFired.dueAt !== null && whenFired.dueAt <= now) counts.isMoreDue = true;
    } catch (error) {
      counts.error = error;
    }
  }

  async #fire(
    schedule: ReadSchedule,
    zone: Zone,
    due: number,
    { missed, whenFired, whenPassed }: Plan,
    now: number,
    counts: Counts,
  ): Promise<void> {
    const { emitter } = this.#engine.context;
    const { name } = schedule;
    const fired = { dueAt: due, position: whenFired, missed: missed?.count ?? 0 };
    try {
      const { id } = await fire(this.#engine, this.#desk, zone, schedule, fired).accepted();
      counts.moved += 1;
      this.#tellLate(name, missed);
      const lateMs = Math.max(0, now - due - putOffMs(schedule.record, due));
      emitter.emit('schedule:fired', { name, dueAt: due, requestId: id, lateMs });
    } catch (error) {
      const code = holdfastError(error)?.code ?? 'UNKNOWN';
      if (code === 'SCHEDULE_CHANGED') counts.moved += 1;
      else if (OF_THE_QUEUE.has(code)) throw error;
      else if (FOR_GOOD.has(code)) await this.#refused(schedule, due, missed, whenPassed, error, now, counts);
      else await this.#postpone(schedule, error, now, counts);
    }
  }

  /** The request cannot be accepted, now or later: this due time is given up, and the schedule goes on. */
  #refused(
    schedule: ReadSchedule,
    due: number,
    missed: Missed | null,
    position: Position,
    error: unknown,
    now: number,
    counts: Counts,
  ): Promise<void> {
    const { code, message } = problemOf(error);
    const { name } = schedule;
    this.#engine.context.logger.error('a schedule cannot fire: its request is refused', { name, code, error: message });
    const passed = { due, cause: 'refused', code } as const;
    return this.#pass(schedule, position, missed, { passed, problem: { at: now, code, message } }, now, counts);
  }

  /** Goes on without a firing. */
  async #pass(
    schedule: ReadSchedule,
    position: Position,
    missed: Missed | null,
    why: {
      readonly passed?: { readonly due: number; readonly cause: 'overlap' | 'refused'; readonly code: string | null };
      readonly problem?: ScheduleRecord['problem'];
    },
    now: number,
    counts: Counts,
  ): Promise<void> {
    const { record, name } = schedule;
    const { passed, problem } = why;
    const isWritten = await this.#write(schedule, {
      ...record,
      position,
      writtenAt: now,
      missed: record.missed + (missed?.count ?? 0) + (passed === undefined ? 0 : 1),
      overlapped: record.overlapped + (passed?.cause === 'overlap' ? 1 : 0),
      problem: problem ?? record.problem,
      tries: 0,
      retryAt: null,
    });
    counts.moved += 1;
    if (!isWritten) return;
    this.#tellLate(name, missed);
    if (passed === undefined) return;
    const { due, cause, code } = passed;
    const { emitter } = this.#engine.context;
    emitter.emit('schedule:missed', { name, from: due, to: due, count: 1, isExact: true, cause, code });
  }

  /** Its credential provider is down, say: it stays due, and lets others pass. */
  async #postpone(schedule: ReadSchedule, error: unknown, now: number, counts: Counts): Promise<void> {
    const { record, name } = schedule;
    const { code, message } = problemOf(error);
    const retryAt = now + Math.min(MAX_RETRY_MS, 1_000 * 2 ** Math.min(record.tries, 10));
    this.#engine.context.logger.warn('a schedule could not fire and is tried again', { name, code, error: message });
    const problem = { at: now, code, message };
    await this.#write(schedule, { ...record, writtenAt: now, problem, tries: record.tries + 1, retryAt });
    counts.moved += 1;
  }

  async #write({ name, version }: ReadSchedule, record: ScheduleRecord): Promise<boolean> {
    const { schedules } = this.#engine.context.backend;
    return (await schedules.set({ name, ...written(record), ifVersion: version })) !== undefined;
  }

  #tellLate(name: string, missed: Missed | null): void {
    if (missed === null) return;
    this.#engine.context.emitter.emit('schedule:missed', { name, ...missed, cause: 'late', code: null });
  }
}

/**
 * What is put off is looked at as if its time had not come before, and what had to wait for the one before it, which was put off further, as if
 * it came with that: neither is late, and those behind it are not missed.
 */
function lookedAtBy(record: ScheduleRecord, dueAt: number, now: number): number {
  if (record.definition.jitterMs === 0) return now;
  const by = now - putOffMs(record, dueAt);
  if (by < dueAt) return by;
  const waited = (record.last?.firedAt ?? dueAt) - dueAt;
  return Math.max(dueAt, Math.min(by, now - waited));
}

function problemOf(error: unknown): { readonly code: HoldfastError['code'] | 'UNKNOWN'; readonly message: string } {
  return { code: holdfastError(error)?.code ?? 'UNKNOWN', message: messageOf(error) };
}
