import type { Json } from '../../types/request.ts';
import type { ScheduleStore, StoredSchedule } from '../../types/schedule.ts';
import { checkSchedule } from '../schedules.ts';
import type { Call, PackedSchedule } from './protocol.ts';

/** Schedules, as calls to the thread that owns the database. */
export function schedulesOver(call: Call): ScheduleStore {
  return {
    async set(query) {
      checkSchedule(query);
      const { name, dueAt, data, ifVersion } = query;
      return call('scheduleSet', [name, dueAt, JSON.stringify(data), ifVersion ?? null], (version) => version);
    },
    get: ({ names }) =>
      call('scheduleGet', names, (found) => found.map((packed) => (packed === undefined ? undefined : unpack(packed)))),
    list: ({ after, limit }) => call('scheduleList', [after, limit], (found) => found.map(unpack)),
    delete: ({ name, ifVersion }) => call('scheduleDelete', [name, ifVersion ?? null], (deleted) => deleted),
    due: ({ now, limit, after }) =>
      call('scheduleDue', [now, limit, after?.dueAt ?? null, after?.name ?? ''], (found) => found.map(unpack)),
    nextDueAt: () => call('scheduleNext', null, (at) => at),
  };
}

function unpack([name, version, dueAt, data]: PackedSchedule): StoredSchedule {
  return { name, version, dueAt, data: JSON.parse(data) as Json }; // written by `set` or a firing
}
