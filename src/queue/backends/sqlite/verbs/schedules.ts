import { notFired } from '../../schedules.ts';
import type { SqlValue } from '../driver.ts';
import type { PackedEnqueueResult, PackedFiring, PackedSchedule, Verbs } from '../protocol.ts';
import { REFUSED } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

const COLUMNS = 'name, version, due, data';

export function scheduleSet(
  rows: Rows,
  [name, due, data, ifVersion]: Verbs['scheduleSet']['takes'],
): number | undefined {
  const found = versionAt(rows, name);
  if (ifVersion !== null && ifVersion !== found) return undefined;
  if (found !== 0) return advance(rows, { name, version: found, due, data });
  const version = floor(rows) + 1;
  rows.sql(`INSERT INTO schedule(${COLUMNS}) VALUES (?, ?, ?, ?)`).run(name, version, due, data);
  return version;
}

export function scheduleGet(rows: Rows, names: readonly string[]): (PackedSchedule | undefined)[] {
  return names.map((name) => {
    const found = rows.sql(`SELECT ${COLUMNS} FROM schedule WHERE name = ?`).get(name);
    return found === undefined ? undefined : packed(found);
  });
}

export function scheduleList(rows: Rows, [after, limit]: Verbs['scheduleList']['takes']): PackedSchedule[] {
  // No name is empty, so that all come after ''.
  return rows
    .sql(`SELECT ${COLUMNS} FROM schedule WHERE name > ? ORDER BY name LIMIT ?`)
    .all(after ?? '', limit)
    .map(packed);
}

export function scheduleDelete(rows: Rows, [name, ifVersion]: Verbs['scheduleDelete']['takes']): boolean {
  const found = versionAt(rows, name);
  if (found === 0 || (ifVersion !== null && ifVersion !== found)) return false;
  rows.sql('DELETE FROM schedule WHERE name = ?').run(name);
  if (found > floor(rows)) rows.sql('UPDATE meta SET schedule_floor = ?').run(found);
  return true;
}

export function scheduleDue(rows: Rows, [now, limit, due, name]: Verbs['scheduleDue']['takes']): PackedSchedule[] {
  const isDue = 'due <= ? AND due IS NOT NULL';
  const isAfter = due === null ? isDue : `${isDue} AND (due, name) > (?, ?)`;
  return rows
    .sql(`SELECT ${COLUMNS} FROM schedule WHERE ${isAfter} ORDER BY due, name LIMIT ?`)
    .all(...(due === null ? [now, limit] : [now, due, name, limit]))
    .map(packed);
}

export function scheduleNext(rows: Rows): number | null {
  const first = rows.sql('SELECT due FROM schedule WHERE due IS NOT NULL ORDER BY due LIMIT 1').get();
  return (first?.[0] as number | undefined) ?? null; // REAL
}

/** Why a request may not be accepted as this firing, if so. */
export function firingRefusal(rows: Rows, { name, version }: PackedFiring): PackedEnqueueResult | undefined {
  const found = versionAt(rows, name);
  if (found !== 0 && found === version) return undefined;
  const { why, detail } = notFired(name, found);
  return [REFUSED, why, detail];
}

/** Writes what follows upon a version that is stored. Gives the next one. */
export function advance(rows: Rows, { name, version, due, data }: PackedFiring): number {
  rows.sql('UPDATE schedule SET version = ?, due = ?, data = ? WHERE name = ?').run(version + 1, due, data, name);
  return version + 1;
}

function versionAt(rows: Rows, name: string): number {
  return (rows.sql('SELECT version FROM schedule WHERE name = ?').get(name)?.[0] as number | undefined) ?? 0; // INTEGER
}

function floor(rows: Rows): number {
  return rows.sql('SELECT schedule_floor FROM meta').get()?.[0] as number; // its one row is always there
}

function packed(columns: readonly SqlValue[]): PackedSchedule {
  return columns as unknown as PackedSchedule; // types are those of the columns
}
