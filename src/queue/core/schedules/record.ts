import type { DueTimes } from '../../strategies/schedule/dueTimes.ts';
import { jitterOf } from '../../strategies/schedule/jitter.ts';
import type { Position } from '../../strategies/schedule/plan.ts';
import { timesOf } from '../../strategies/schedule/timing.ts';
import type { Json } from '../../types/request.ts';
import type { StoredSchedule } from '../../types/schedule.ts';
import type { ScheduleDefinition, ScheduleState } from './options.ts';

/** Of what is stored. Another one is not read, nor fired: a newer version of this package wrote it. */
const LAYOUT = 1;

/** What is stored of a schedule. */
export interface ScheduleRecord
  extends Pick<ScheduleState, 'generation' | 'last' | 'fired' | 'missed' | 'overlapped' | 'problem'> {
  readonly layout: typeof LAYOUT;
  readonly definition: ScheduleDefinition;
  readonly position: Position;
  readonly isPaused: boolean;
  /** What its jitter is drawn by: another one in each store, so that many who have the same schedule do not fire at the same time. */
  readonly salt: string;
  /** Wall time of the process that wrote it: it tells of a clock that went back since. */
  readonly writtenAt: number;
  /** Times its present due time was tried in vain. */
  readonly tries: number;
  /** Epoch ms before which that is not tried again. */
  readonly retryAt: number | null;
}

/** A schedule as it was read, with its due times. */
export interface ReadSchedule {
  readonly name: string;
  readonly version: number;
  /** When it is looked at; null: not by itself. */
  readonly dueAt: number | null;
  readonly record: ScheduleRecord;
  readonly times: DueTimes;
}

/**
 * What is stored; undefined where another version of this package wrote it. Its due times are worked out when they are asked for, which throws
 * where this process does not know the time zone.
 */
export function readSchedule({ name, version, dueAt, data }: StoredSchedule): ReadSchedule | undefined {
  const record = data as unknown as ScheduleRecord; // as `written` has it, where the layout is ours
  if (record?.layout !== LAYOUT) return undefined;
  let times: DueTimes | undefined;
  return {
    name,
    version,
    dueAt,
    record,
    get times() {
      times ??= timesOf(record.definition);
      return times;
    },
  };
}

/** As {@link readSchedule}; undefined also where its due times cannot be worked out here: another process may know them. */
export function readTimed(stored: StoredSchedule): ReadSchedule | undefined {
  const schedule = readSchedule(stored);
  try {
    return schedule?.times === undefined ? undefined : schedule;
  } catch {
    return undefined;
  }
}

/** By how much the firing for a due time is put off. */
export function putOffMs({ definition, salt }: ScheduleRecord, dueAt: number): number {
  return jitterOf(definition.jitterMs, salt, dueAt);
}

/** A record as it goes to the store, and when it is to be looked at. */
export function written(record: ScheduleRecord): { readonly dueAt: number | null; readonly data: Json } {
  const { position, isPaused, retryAt } = record;
  const firesAt = position.dueAt === null ? null : position.dueAt + putOffMs(record, position.dueAt);
  const dueAt = firesAt === null || retryAt === null ? firesAt : Math.max(retryAt, firesAt);
  return { dueAt: isPaused ? null : dueAt, data: record as unknown as Json }; // made of JSON alone
}

/** The record of a schedule that is new. */
export function newRecord(
  definition: ScheduleDefinition,
  position: Position,
  now: number,
  salt: string,
): ScheduleRecord {
  return {
    layout: LAYOUT,
    generation: 1,
    definition,
    position,
    isPaused: false,
    salt,
    writtenAt: now,
    last: null,
    fired: 0,
    missed: 0,
    overlapped: 0,
    problem: null,
    tries: 0,
    retryAt: null,
  };
}

/** A schedule as it is shown. */
export function stateOf(name: string, record: ScheduleRecord): ScheduleState {
  const { generation, definition, position, last, fired, missed, overlapped, problem, isPaused } = record;
  const state = isPaused ? 'paused' : position.dueAt === null ? 'over' : 'active';
  const { dueAt } = position;
  return {
    name,
    state,
    generation,
    definition,
    dueAt: isPaused ? null : dueAt,
    last,
    fired,
    missed,
    overlapped,
    problem,
  };
}
