import type { HoldfastError } from '../../../errors.ts';
import { holdfastError } from '../../../errors.ts';
import { deepEqual } from '../../strategies/deepEqual.ts';
import type { DueTimes } from '../../strategies/schedule/dueTimes.ts';
import type { Position } from '../../strategies/schedule/plan.ts';
import { positionAfter, repaired } from '../../strategies/schedule/plan.ts';
import type { Json } from '../../types/request.ts';
import type { StoredSchedule } from '../../types/schedule.ts';
import type { Engine } from '../Engine.ts';
import { QueuedRequest } from '../handles/QueuedRequest.ts';
import { isSetAside } from '../migration/schedules.ts';
import type { Desk } from '../submission.ts';
import { invalidRequest } from '../target.ts';
import { assertName, readDefinition } from './definition.ts';
import { changedSchedule, invalidSchedule, movingSchedule, newerSchedule, unknownSchedule } from './errors.ts';
import { fire } from './firing.ts';
import type { ScheduleDefinition, ScheduleOptions, SchedulePage, ScheduleState } from './options.ts';
import type { ReadSchedule, ScheduleRecord } from './record.ts';
import { newRecord, readSchedule, readTimed, stateOf, written } from './record.ts';
import type { Scheduler } from './Scheduler.ts';
import { neverDue } from './timing.ts';

/** Times that a change is tried while others change the same schedule. */
const MOST_TRIES = 16;
const MOST_LISTED = 1_000;

/**
 * Recurring requests, by name. They are kept in the store: whoever opens it fires them, each due time once, however many processes do. Each
 * firing is an ordinary request.
 */
export class Schedules {
  readonly #engine: Engine;
  readonly #desk: Desk;
  readonly #scheduler: Scheduler;

  constructor(engine: Engine, desk: Desk, scheduler: Scheduler) {
    this.#engine = engine;
    this.#desk = desk;
    this.#scheduler = scheduler;
  }

  /**
   * Makes a schedule of that name, or gives the one there is this definition. Where it has it already, nothing is written. Another one counts
   * from the next due time on; what was fired and counted stays, and one that is paused stays paused.
   *
   * @throws SCHEDULE_INVALID with every problem
   */
  async set(name: string, options: ScheduleOptions): Promise<ScheduleState> {
    assertName(name);
    const { definition, times } = await readDefinition(name, options, this.#engine.zones);
    return this.#change(name, (schedule) => {
      const now = this.#now;
      if (schedule !== undefined && isSame(schedule.record.definition, definition)) {
        return broughtBack(schedule, now);
      }
      const problem = neverDue(definition, times, now);
      if (problem !== undefined) throw invalidSchedule(name, [problem]);
      if (schedule === undefined)
        return newRecord(definition, positionAfter(times, now, []), now, this.#engine.context.ids.next());
      return redefined(schedule, definition, times, now);
    });
  }

  /** Undefined where there is none of that name. */
  async get(name: string): Promise<ScheduleState | undefined> {
    const schedule = await this.#read(name);
    return schedule && stateOf(name, schedule.record);
  }

  /** By name, ascending. Those that a newer version of this package wrote are left out. */
  async list(options: { readonly after?: string | null; readonly limit?: number } = {}): Promise<SchedulePage> {
    const { after = null, limit = 100 } = options;
    assertCount('limit', limit);
    const page = await this.#store.list({ after, limit });
    const schedules = page
      .map((stored) => readSchedule(stored))
      .filter((one) => one !== undefined)
      .map(({ name, record }) => stateOf(name, record));
    return { schedules, next: page.length < limit ? null : (page.at(-1)?.name ?? null) };
  }

  /** The next `count` times (epoch ms) it is due, from now on, were it not paused. @throws SCHEDULE_NOT_FOUND */
  async next(name: string, count = 1): Promise<readonly number[]> {
    assertCount('count', count);
    const { times } = await this.#mustRead(name);
    const found: number[] = [];
    for (let due = times.after(this.#now); due !== null && found.length < count; due = times.after(due))
      found.push(due);
    return found;
  }

  /** It is not due until `resume`; what would have been due meanwhile is not missed. @throws SCHEDULE_NOT_FOUND */
  pause(name: string): Promise<ScheduleState> {
    return this.#change(name, (schedule) => {
      const { record } = found(name, schedule);
      return record.isPaused ? undefined : { ...record, isPaused: true, writtenAt: this.#now };
    });
  }

  /** Goes on with the first due time that is still to come. @throws SCHEDULE_NOT_FOUND */
  resume(name: string): Promise<ScheduleState> {
    return this.#change(name, (schedule) => {
      const { record, times } = found(name, schedule);
      if (!record.isPaused) return undefined;
      const position = positionAfter(times, this.#now, record.position.fired);
      return { ...record, isPaused: false, position, tries: 0, retryAt: null, writtenAt: this.#now };
    });
  }

  /** Forgets it; what it has made stays. False where there was none. */
  async remove(name: string): Promise<boolean> {
    assertName(name);
    for (let left = MOST_TRIES; left > 0; left -= 1) {
      const [stored]: (StoredSchedule | undefined)[] = await this.#store.get({ names: [name] });
      if (stored === undefined) return false;
      if (isSetAside(stored)) throw movingSchedule(name);
      if (await this.#store.delete({ name, ifVersion: stored.version })) return true;
    }
    throw changedSchedule(name);
  }

  /** Makes its request now, out of turn, paused or not; whatever is under way of it. @throws SCHEDULE_NOT_FOUND, and what `enqueue` throws */
  async fire(name: string): Promise<QueuedRequest> {
    for (let left = MOST_TRIES; left > 0; left -= 1) {
      const schedule = found(name, await this.#read(name, 'toChange'));
      const zone = this.#engine.zones.mustBeNamed(schedule.record.definition.zone);
      const { position, definition } = schedule.record;
      const { client } = definition.options;
      if (client !== undefined && this.#engine.client(client) === undefined) throw missingClient(client);
      const submission = fire(this.#engine, this.#desk, zone, schedule, { dueAt: null, position, missed: 0 });
      try {
        const accepted = await submission.accepted();
        const told = { name, dueAt: null, requestId: accepted.id, lateMs: 0 };
        this.#engine.context.emitter.emit('schedule:fired', told);
        return new QueuedRequest(accepted, submission);
      } catch (error) {
        if (holdfastError(error, 'SCHEDULE_CHANGED') === undefined) throw error;
      }
    }
    throw changedSchedule(name);
  }

  get #store() {
    return this.#engine.context.backend.schedules;
  }

  get #now(): number {
    return this.#engine.context.clock.now();
  }

  /** Writes what `change` makes of it (undefined: nothing), anew where somebody else was faster. */
  async #change(
    name: string,
    change: (schedule: ReadSchedule | undefined) => ScheduleRecord | undefined,
  ): Promise<ScheduleState> {
    for (let left = MOST_TRIES; left > 0; left -= 1) {
      const schedule = await this.#read(name, 'toChange');
      const record = change(schedule);
      if (record === undefined) return stateOf(name, found(name, schedule).record);
      await this.#scheduler.beforeWrite();
      const next = written(record);
      const version = await this.#store.set({ name, ...next, ifVersion: schedule?.version ?? 0 });
      if (version === undefined) continue;
      this.#scheduler.due(next.dueAt);
      return stateOf(name, record);
    }
    throw changedSchedule(name);
  }

  async #read(name: string, why: 'toShow' | 'toChange' = 'toShow'): Promise<ReadSchedule | undefined> {
    assertName(name);
    const [stored]: (StoredSchedule | undefined)[] = await this.#store.get({ names: [name] });
    if (stored === undefined) return undefined;
    if (why === 'toChange' && isSetAside(stored)) throw movingSchedule(name);
    const schedule = why === 'toShow' ? readSchedule(stored) : readTimed(stored);
    if (schedule === undefined) throw newerSchedule(name);
    return schedule;
  }

  async #mustRead(name: string): Promise<ReadSchedule> {
    return found(name, await this.#read(name));
  }
}

function assertCount(path: string, given: number): void {
  if (Number.isInteger(given) && given >= 1 && given <= MOST_LISTED) return;
  throw invalidRequest([{ path, expected: `a whole number of 1 to ${MOST_LISTED}`, got: String(given) }]);
}

function found(name: string, schedule: ReadSchedule | undefined): ReadSchedule {
  if (schedule === undefined) throw unknownSchedule(name);
  return schedule;
}

function missingClient(client: string): HoldfastError<'REQUEST_INVALID'> {
  const expected = 'a client that is constructed on this queue';
  return invalidRequest([{ path: 'options.client', expected, got: JSON.stringify(client) }]);
}

function isSame(one: ScheduleDefinition, other: ScheduleDefinition): boolean {
  return deepEqual(one as unknown as Json, other as unknown as Json); // made of JSON alone
}

/** The same definition again: nothing changes, unless a clock that was ahead had put it off. */
function broughtBack({ record, times }: ReadSchedule, now: number): ScheduleRecord | undefined {
  if (record.isPaused || record.writtenAt <= now) return undefined;
  const position = repaired(times, record.position, now);
  return position && { ...record, position, tries: 0, retryAt: null, writtenAt: now };
}

function redefined(
  { record, times: before }: ReadSchedule,
  definition: ScheduleDefinition,
  times: DueTimes,
  now: number,
): ScheduleRecord {
  const { position } = record;
  const isDue = !record.isPaused && position.dueAt !== null && position.dueAt <= now;
  const next = isTimedAlike(record.definition, definition)
    ? (repaired(before, position, now) ?? position)
    : anew(times, position, isDue ? position.dueAt - 1 : now);
  return {
    ...record,
    generation: record.generation + 1,
    definition,
    position: next,
    writtenAt: now,
    problem: null,
    tries: 0,
    retryAt: null,
  };
}

/** By other times, after `instant`: what is due by the former ones and has not fired counts by the new ones. */
function anew(times: DueTimes, { fired }: Position, instant: number): Position {
  return positionAfter(
    times,
    instant,
    fired.map(([, to]) => [to, to] as const),
  );
}

function isTimedAlike(one: ScheduleDefinition, other: ScheduleDefinition): boolean {
  return (['cron', 'timeZone', 'everyMs', 'startAt', 'endAt'] as const).every((key) => one[key] === other[key]);
}
