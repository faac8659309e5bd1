import type { BackendCapabilities } from '../types/backend.ts';
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
  /** Calls under way. */
  readonly inFlight: number;
  readonly maxConcurrency: number;
}

export interface QueueHealth {
  /** `degraded`: a zone is offline or the store is failing. */
  readonly status: 'ok' | 'degraded';
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

function zoneHealth(zone: Zone): ZoneHealth {
  return {
    zone: zone.name,
    connectivity: zone.connectivity.status,
    paused: zone.paused,
    inFlight: zone.bulkhead.inUse,
    maxConcurrency: zone.policy.maxConcurrency,
  };
}

/** How the queue is, as this process sees it. */
export async function healthOf(engine: Engine): Promise<QueueHealth> {
  const { backend } = engine.context;
  const zones = Array.from(engine.zones.all, zoneHealth);
  const isOffline = zones.some((zone) => zone.connectivity === 'down' || zone.connectivity === 'captive');
  const failing = engine.isStoreFailing;
  return {
    status: isOffline || failing ? 'degraded' : 'ok',
    backend: { ...backend.capabilities, failing },
    zones,
    counts: countsOf(await backend.requests.count({})),
    waitingCallers: engine.callers.size,
  };
}
