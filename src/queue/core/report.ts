import type { BreakerStatus } from '../strategies/breaker/change.ts';
import type { BackendCapabilities } from '../types/backend.ts';
import type { Level } from '../types/events.ts';
import type { RequestState } from '../types/states.ts';
import { REQUEST_STATES } from '../types/states.ts';
import type { CountRow } from '../types/store.ts';
import type { Engine } from './Engine.ts';
import type { Zone } from './zone.ts';

/** How many requests are in each state. */
export type Counts = Readonly<Record<RequestState, number>>;

/** How a zone is, as this process sees it. */
export interface ZoneHealth {
  readonly zone: string;
  readonly connectivity: 'unknown' | 'up' | 'down' | 'captive';
  readonly paused: boolean;
  /** Whether it is left alone for failing; null where it has no breaker. */
  readonly breaker: BreakerStatus | null;
  /** Calls under way. */
  readonly inFlight: number;
  readonly maxConcurrency: number;
}

export interface QueueHealth {
  /** `degraded`: a zone takes no calls, or the store is failing. */
  readonly status: 'ok' | 'degraded';
  /** How near it is to what it can take; `normal` without `shedding`. */
  readonly level: Level;
  readonly backend: BackendCapabilities & { readonly failing: boolean };
  readonly zones: readonly ZoneHealth[];
  readonly counts: Counts;
  /** Callers of this process that wait for an answer. */
  readonly waitingCallers: number;
}

export function countsOf(rows: readonly CountRow[]): Counts {
  const counts = Object.fromEntries(REQUEST_STATES.map((state) => [state, 0])) as Record<RequestState, number>;
  for (const row of rows) counts[row.state] += row.count;
  return counts;
}

function zoneHealth(zone: Zone, now: number): ZoneHealth {
  return {
    zone: zone.name,
    connectivity: zone.connectivity.status,
    paused: zone.paused,
    breaker: zone.gates.breaker?.status(now) ?? null,
    inFlight: zone.gates.bulkhead.inUse,
    maxConcurrency: zone.gates.limits.maxConcurrency,
  };
}

/** How the queue is, as this process sees it. */
export async function healthOf(engine: Engine): Promise<QueueHealth> {
  const { backend, clock } = engine.context;
  const now = clock.monotonicNow();
  const zones = Array.from(engine.zones.all, (zone) => zoneHealth(zone, now));
  const isAway = Array.from(engine.zones.all).some((zone) => zone.isAway(now));
  const failing = engine.isStoreFailing;
  return {
    status: isAway || failing ? 'degraded' : 'ok',
    level: engine.shedding?.level ?? 'normal',
    backend: { ...backend.capabilities, failing },
    zones,
    counts: countsOf(await backend.requests.count({})),
    waitingCallers: engine.callers.size,
  };
}
