import type { Binding } from '../../types/binding.ts';
import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';

/** Binds local ids that are not bound yet, in the step of a request that is still as it was. */
export function bind(storage: MemoryStorage, bindings: readonly Binding[], by: Entry): void {
  for (const { alias, ...binding } of bindings) {
    if (storage.bindings.has(binding.localId)) continue;
    storage.bindings.set(binding.localId, Object.freeze(binding));
    storage.oldestBoundAt = Math.min(storage.oldestBoundAt, binding.boundAt);
    if (alias !== undefined) addAlias(storage, alias.local, alias.server, by);
  }
}

function addAlias({ lanes, aliases }: MemoryStorage, local: string, server: string, by: Entry): void {
  const lane = lanes.get(local);
  if (lane === undefined || lanes.has(server) || aliases.has(server)) return;
  if (lane.head === by && lane.tail === by) return;
  aliases.set(server, lane.name);
  lane.aliases ??= [];
  lane.aliases.push(server);
}

/**
 * Forgets bindings made before an instant by requests whose record is gone, at most `limit`. Returns how many. All of them are
 * looked at, but only where one is that old.
 */
export function forgetBindings(storage: MemoryStorage, before: number, limit: number): number {
  if (storage.oldestBoundAt >= before) return 0;
  const { bindings, entries } = storage;
  const orphans = [...bindings.values()]
    .filter(({ boundAt, requestId }) => boundAt < before && !entries.has(requestId))
    .sort((a, b) => a.boundAt - b.boundAt || (a.localId < b.localId ? -1 : 1))
    .slice(0, limit);
  for (const { localId } of orphans) bindings.delete(localId);
  storage.oldestBoundAt = Number.POSITIVE_INFINITY;
  for (const { boundAt } of bindings.values()) storage.oldestBoundAt = Math.min(storage.oldestBoundAt, boundAt);
  return orphans.length;
}
