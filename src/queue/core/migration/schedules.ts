import type { Json } from '../../types/request.ts';
import type { StoredSchedule } from '../../types/schedule.ts';
import { isRecord } from '../config/fields.ts';
import { refused } from './Journal.ts';
import type { MigrationParts } from './parts.ts';

/** Times a schedule is looked at again that fired, or was changed, while it was to be set aside. */
const MAX_TRIES = 20;

/** Marks a schedule that is set aside. */
const ASIDE = '(moving)';

/** What a schedule is, apart from being set aside. */
type Plan = Pick<StoredSchedule, 'dueAt' | 'data'>;

/** Beside the data of a schedule that is set aside: when it is due, and its data where they have no fields. */
interface Moving {
  readonly dueAt: number | null;
  readonly data?: Json | undefined;
}

type ScheduleParts = Pick<MigrationParts, 'from' | 'to' | 'journal' | 'report' | 'pageSize'>;

/**
 * Moves schedules, one by one: set aside here, so that it is not due any more; copied there, unless that store has one of its name, which
 * stays as it is; deleted here. So at no time is one due in both stores, and at each a store has it. Every step can be done again. To be
 * called where there is no way back: who has a copy there does not get the one here back. `setAside`: those that an interrupted call left so.
 */
export async function moveSchedules(parts: ScheduleParts, which: 'all' | 'setAside'): Promise<void> {
  const { from, to, journal, report, pageSize } = parts;
  for (let after: string | null = null; ; ) {
    const page: StoredSchedule[] = await from.schedules.list({ after, limit: pageSize });
    for (const schedule of page) {
      if (which === 'setAside' && readAside(schedule.data) === undefined) continue;
      await journal.keep();
      const { name } = schedule;
      const plan = await setAside(parts, schedule);
      if (plan === undefined) continue;
      await to.schedules.set({ name, ...plan, ifVersion: 0 });
      if (await from.schedules.delete({ name })) report.scheduleMoved();
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.name;
  }
}

/** Makes those that are set aside what they were. */
export async function giveBackSchedules({
  from,
  journal,
  pageSize,
}: Omit<ScheduleParts, 'to' | 'report'>): Promise<void> {
  for (let after: string | null = null; ; ) {
    const page: StoredSchedule[] = await from.schedules.list({ after, limit: pageSize });
    for (const { name, version, data } of page) {
      await journal.keep();
      const plan = readAside(data);
      if (plan !== undefined) await from.schedules.set({ name, ...plan, ifVersion: version });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.name;
  }
}

/** What the schedule is, once it cannot be due here; undefined where it was deleted meanwhile. */
async function setAside({ from }: ScheduleParts, schedule: StoredSchedule): Promise<Plan | undefined> {
  const { name } = schedule;
  let found: StoredSchedule | undefined = schedule;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (found === undefined) return undefined;
    const { dueAt, data, version } = found;
    const before = readAside(data);
    if (before !== undefined) return before;
    const set = await from.schedules.set({ name, dueAt: null, data: aside({ dueAt, data }), ifVersion: version });
    if (set !== undefined) return { dueAt, data };
    [found] = await from.schedules.get({ names: [name] });
  }
  throw refused(`the schedule ${JSON.stringify(name)} keeps changing; call again when it does not`, { name });
}

/** The fields of the data stay where they are: whoever looks finds a schedule that is not due. */
function aside({ dueAt, data }: Plan): Json {
  return isRecord(data) ? { ...(data as object), [ASIDE]: { dueAt } } : { [ASIDE]: { dueAt, data } };
}

function readAside(stored: Json): Plan | undefined {
  if (!isRecord(stored)) return undefined;
  const { [ASIDE]: moving, ...rest } = stored;
  if (!isRecord(moving)) return undefined;
  const { dueAt, data } = moving as unknown as Moving; // as `aside` wrote it
  return { dueAt, data: data === undefined ? (rest as Json) : data };
}

/** Whether a schedule is set aside: who changed it now would change what was copied already. */
export function isSetAside({ data }: Pick<StoredSchedule, 'data'>): boolean {
  return readAside(data) !== undefined;
}
