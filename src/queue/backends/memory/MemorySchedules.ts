import type { Firing, Json } from '../../types/request.ts';
import type { ScheduleStore, StoredSchedule } from '../../types/schedule.ts';
import type { EnqueueResult } from '../../types/store.ts';
import { checkSchedule, notFired, versionOf } from '../schedules.ts';
import { Ordered } from './Ordered.ts';

type Query<Verb extends keyof ScheduleStore> = Parameters<ScheduleStore[Verb]>[0];

/** A schedule as kept: never changed, replaced by the next one. */
export interface ScheduleRow {
  readonly name: string;
  readonly version: number;
  readonly dueAt: number | null;
  readonly text: string;
}

/** The schedules of a memory store, and the verbs of {@link ScheduleStore}, each in one synchronous step. */
export class MemorySchedules {
  /** Grows with every change. */
  revision = 0;
  readonly #rows = new Map<string, ScheduleRow>();
  readonly #byName = new Ordered<{ readonly name: string }>((a, b) => compareText(a.name, b.name));
  readonly #byDue = new Ordered<ScheduleRow & { readonly dueAt: number }>(
    (a, b) => a.dueAt - b.dueAt || compareText(a.name, b.name),
  );
  /** The highest version of those that were deleted. */
  #floor = 0;

  set(query: Query<'set'>): number | undefined {
    checkSchedule(query);
    const { name, dueAt, data, ifVersion } = query;
    const found = this.#rows.get(name)?.version ?? 0;
    if (ifVersion !== undefined && ifVersion !== found) return undefined;
    const version = (found === 0 ? this.#floor : found) + 1;
    this.#put({ name, version, dueAt, text: JSON.stringify(data) });
    return version;
  }

  get({ names }: Query<'get'>): (StoredSchedule | undefined)[] {
    return names.map((name) => {
      const row = this.#rows.get(name);
      return row === undefined ? undefined : toSchedule(row);
    });
  }

  list({ after, limit }: Query<'list'>): StoredSchedule[] {
    const found: StoredSchedule[] = [];
    for (const { name } of this.#byName.from(after === null ? undefined : { name: after })) {
      if (found.length >= limit) break;
      if (name !== after) found.push(toSchedule(this.#rows.get(name) as ScheduleRow)); // indexed as long as it is there
    }
    return found;
  }

  delete({ name, ifVersion }: Query<'delete'>): boolean {
    const row = this.#rows.get(name);
    if (row === undefined || (ifVersion !== undefined && ifVersion !== row.version)) return false;
    this.#floor = Math.max(this.#floor, row.version);
    this.#remove(row);
    this.#byName.remove(row);
    return true;
  }

  due({ now, limit, after }: Query<'due'>): StoredSchedule[] {
    const found: StoredSchedule[] = [];
    for (const row of this.#byDue.from(after && { ...after, version: 0, text: '' })) {
      if (found.length >= limit || row.dueAt > now) break;
      if (after === undefined || row.dueAt !== after.dueAt || row.name !== after.name) found.push(toSchedule(row));
    }
    return found;
  }

  nextDueAt(): number | null {
    return this.#byDue.first()?.dueAt ?? null;
  }

  /** Why a request may not be accepted as this firing, if so. */
  refusal(firing: Firing): Extract<EnqueueResult, { status: 'refused' }> | undefined {
    const found = this.#rows.get(firing.name)?.version ?? 0;
    return found !== 0 && versionOf(firing) === found ? undefined : notFired(firing.name, found);
  }

  /** Advances a schedule that is at the version of the firing. Gives what it was. */
  fire({ name, version, dueAt, data }: Firing): ScheduleRow {
    const before = this.#rows.get(name) as ScheduleRow; // see `refusal`
    this.#put({ name, version: version + 1, dueAt, text: JSON.stringify(data) });
    return before;
  }

  /** Takes back the last {@link fire} of this schedule. */
  restore(row: ScheduleRow): void {
    this.#put(row);
  }

  #put(row: ScheduleRow): void {
    const before = this.#rows.get(row.name);
    if (before === undefined) this.#byName.add({ name: row.name });
    else this.#remove(before);
    this.#rows.set(row.name, row);
    if (isTimed(row)) this.#byDue.add(row);
    this.revision += 1;
  }

  #remove(row: ScheduleRow): void {
    this.#rows.delete(row.name);
    if (isTimed(row)) this.#byDue.remove(row);
    this.revision += 1;
  }
}

function isTimed(row: ScheduleRow): row is ScheduleRow & { readonly dueAt: number } {
  return row.dueAt !== null;
}

function toSchedule({ name, version, dueAt, text }: ScheduleRow): StoredSchedule {
  return { name, version, dueAt, data: JSON.parse(text) as Json }; // written by `set` or `fire`
}

/** Order of the UTF-8 bytes. That of code units differs from it only where one half of a pair meets a unit above all pairs. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return placeOf(left) - placeOf(right);
  }
  return a.length - b.length;
}

function placeOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
