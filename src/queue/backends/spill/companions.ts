import type { History, SharedState, SharedValue } from '../../types/backend.ts';
import type { ScheduleStore } from '../../types/schedule.ts';
import { isOutage } from './outage.ts';
import type { Primary } from './Primary.ts';
import type { Spill } from './Spill.ts';

/**
 * The store's shared values. One that is kept for ever is remembered beside the spill once it was read, and read from there while
 * the store cannot be reached: so that a queue that ran before can start without it.
 */
export function sharedOver(primary: Primary, spill: Spill): SharedState {
  const remembered = new Map<string, number>();
  return {
    async get(query) {
      let found: SharedValue | undefined;
      try {
        found = await primary.run(({ shared }) => shared.get(query));
      } catch (error) {
        const kept = isOutage(error) ? await spill.kept(query.key).catch(() => undefined) : undefined;
        if (kept === undefined) throw error;
        return kept;
      }
      if (found?.expiresAt !== null || remembered.get(query.key) === found.version) return found;
      remembered.set(query.key, found.version);
      // Where this fails, only a start without the store is lost.
      await spill.keep(query.key, found).catch(() => undefined);
      return found;
    },
    set: (query) => primary.run(({ shared }) => shared.set(query)),
    delete: (query) => primary.run(({ shared }) => shared.delete(query)),
    list: (query) => primary.run(({ shared }) => shared.list(query)),
    acquire: (query) => primary.run(({ shared }) => shared.acquire(query)),
    release: (query) => primary.run(({ shared }) => shared.release(query)),
    take: (query) => primary.run(({ shared }) => shared.take(query)),
  };
}

/** The store's: what fires while it is away is made up for when it is back, by whoever keeps the schedules. */
export function schedulesOver(primary: Primary): ScheduleStore {
  return {
    set: (query) => primary.run(({ schedules }) => schedules.set(query)),
    get: (query) => primary.run(({ schedules }) => schedules.get(query)),
    list: (query) => primary.run(({ schedules }) => schedules.list(query)),
    delete: (query) => primary.run(({ schedules }) => schedules.delete(query)),
    due: (query) => primary.run(({ schedules }) => schedules.due(query)),
    nextDueAt: () => primary.run(({ schedules }) => schedules.nextDueAt()),
  };
}

export function historyOver(primary: Primary): History {
  return {
    append: (query) => primary.run(({ history }) => history.append(query)),
    query: (query) => primary.run(({ history }) => history.query(query)),
    trim: (query) => primary.run(({ history }) => history.trim(query)),
  };
}
