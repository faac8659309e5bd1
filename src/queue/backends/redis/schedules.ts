import type { Json } from '../../types/request.ts';
import type { ScheduleStore, StoredSchedule } from '../../types/schedule.ts';
import { checkSchedule } from '../schedules.ts';
import type { Unpacker } from './msgpack.ts';
import { MOST } from './pack.ts';
import type { RedisLink } from './RedisLink.ts';

const READ = { writes: false } as const;
const WRITE = { writes: true } as const;

/** Schedules, as calls of the script. */
export function schedulesOver(link: () => RedisLink): ScheduleStore {
  return {
    async set(query) {
      checkSchedule(query);
      const { name, dueAt, data, ifVersion } = query;
      const payload = [name, dueAt ?? false, JSON.stringify(data), ifVersion ?? false];
      return (await first(link().call('scheduleSet', payload, WRITE))).numberOrNull() ?? undefined;
    },
    async get({ names }) {
      const answer = await link().call('scheduleGet', names, READ);
      return answer.list((one) => (one.isNothing() ? undefined : readSchedule(one)));
    },
    async list({ after, limit }) {
      return (await link().call('scheduleList', [after ?? false, Math.min(limit, MOST)], READ)).list(readSchedule);
    },
    delete: async ({ name, ifVersion }) =>
      (await first(link().call('scheduleDelete', [name, ifVersion ?? false], WRITE))).boolean(),
    async due({ now, limit, after }) {
      const payload = [now, Math.min(limit, MOST), after?.dueAt ?? false, after?.name ?? ''];
      return (await link().call('scheduleDue', payload, READ)).list(readSchedule);
    },
    nextDueAt: async () => (await first(link().call('scheduleNext', false, READ))).numberOrNull(),
  };
}

async function first(answer: Promise<Unpacker>): Promise<Unpacker> {
  const from = await answer;
  from.array();
  return from;
}

function readSchedule(from: Unpacker): StoredSchedule {
  from.array();
  const name = from.text();
  const version = from.number();
  return { name, version, dueAt: from.numberOrNull(), data: JSON.parse(from.text()) as Json }; // written by `set` or a firing
}
