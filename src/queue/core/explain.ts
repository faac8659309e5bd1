import { isClosed } from '../strategies/connectivity.ts';
import { isHarmless } from '../strategies/effect.ts';
import type { Attempt, StoredRequest } from '../types/request.ts';
import type { Reason, RequestState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';
import type { Context } from './context.ts';
import { headOfLane } from './idle.ts';
import { isKeyed } from './resendRules.ts';
import { readSender } from './senders.ts';
import type { Zones } from './zones.ts';

/** What can be promised about a request (G6). */
export type Guarantee = 'exactlyOnce' | 'atLeastOnce' | 'atMostOnce';

/** One thing a request waits for. */
export interface WaitsFor {
  readonly what:
    | 'lane'
    | 'request'
    | 'time'
    | 'zoneOffline'
    | 'zonePaused'
    | 'zonePace'
    | 'zoneUnknown'
    | 'client'
    | 'process'
    | 'credential'
    | 'permit'
    | 'decision'
    | 'dispatch'
    | 'probe'
    | 'store';
  /** Id, name or reason of it. */
  readonly of: string;
  /** Epoch ms at which it may end by itself, or null. */
  readonly until: number | null;
}

/** Where a request stands and why. */
export interface Explanation {
  readonly id: string;
  readonly state: RequestState;
  readonly reason: Reason;
  readonly guarantee: Guarantee;
  readonly waitsFor: readonly WaitsFor[];
  readonly attempts: readonly Attempt[];
}

/** Works out where a request stands, as this process sees it. */
export async function explain(
  request: StoredRequest,
  context: Context,
  zones: Zones,
  knowsPrincipal: (principal: string) => boolean,
): Promise<Explanation> {
  return {
    id: request.id,
    state: request.state,
    reason: request.reason,
    guarantee: guaranteeOf(request, zones),
    waitsFor: isTerminal(request.state) ? [] : await waitsFor(request, context, zones, knowsPrincipal),
    attempts: request.progress.attempts,
  };
}

function guaranteeOf(request: StoredRequest, zones: Zones): Guarantee {
  const policy = zones.named(request.zone)?.policy;
  if (request.effect === 'read') return 'atLeastOnce';
  if (policy?.idempotency !== undefined || isHarmless(request.effect, false)) return 'exactlyOnce';
  // A key of the caller's own: sent again with it, but nobody declared that the API knows such keys.
  if (policy !== undefined && isKeyed(request, policy)) return 'atLeastOnce';
  return policy?.retryAnswered5xx === true ? 'atLeastOnce' : 'atMostOnce';
}

async function waitsFor(
  request: StoredRequest,
  context: Context,
  zones: Zones,
  knowsPrincipal: (principal: string) => boolean,
): Promise<WaitsFor[]> {
  switch (request.state) {
    case 'held':
      return [{ what: 'decision', of: request.reason, until: request.expiresAt }];
    case 'unknown':
      return [{ what: 'probe', of: request.reason, until: request.dueAt }];
    case 'scheduled':
      if (request.reason === 'spilled') return [{ what: 'store', of: request.reason, until: null }];
      return [{ what: 'time', of: request.reason, until: request.dueAt }];
    case 'blocked':
      return blockers(request, context);
    case 'ready':
      return gates(request, context, zones, knowsPrincipal);
    default:
      return [];
  }
}

async function blockers(request: StoredRequest, context: Context): Promise<WaitsFor[]> {
  const store = context.backend.requests;
  const head = await headOfLane(store, request);
  const predecessors = await store.get({ ids: request.after });
  const waits: WaitsFor[] = [];
  if (head !== undefined && head.id !== request.id) waits.push({ what: 'lane', of: head.id, until: null });
  for (const one of predecessors) {
    if (one !== undefined && !isTerminal(one.state)) waits.push({ what: 'request', of: one.id, until: null });
  }
  return waits;
}

function gates(
  request: StoredRequest,
  context: Context,
  zones: Zones,
  knowsPrincipal: (principal: string) => boolean,
): WaitsFor[] {
  const zone = zones.named(request.zone);
  if (zone === undefined) return [{ what: 'zoneUnknown', of: request.zone, until: null }];
  const waits: WaitsFor[] = [];
  if (!zones.canSend(request.sender, knowsPrincipal)) waits.push(senderWait(request.sender));
  if (!context.config.dispatch) waits.push({ what: 'dispatch', of: context.config.name, until: null });
  if (zone.paused) waits.push({ what: 'zonePaused', of: zone.name, until: null });
  const now = context.clock.monotonicNow();
  const wall = (monotonic: number | null): number | null =>
    monotonic === null ? null : context.clock.now() + Math.max(0, monotonic - now);
  if (isClosed(zone.connectivity)) {
    waits.push({ what: 'zoneOffline', of: zone.name, until: wall(zone.reopensAt(now)) });
  } else if (now < zone.notBefore) {
    waits.push({ what: 'zonePace', of: zone.name, until: wall(zone.notBefore) });
  }
  if (waits.length === 0) waits.push({ what: 'permit', of: zone.name, until: null });
  return waits;
}

function senderWait(sender: string): WaitsFor {
  const kind = readSender(sender);
  switch (kind.kind) {
    case 'client':
      return { what: 'client', of: kind.name, until: null };
    case 'process':
      return { what: 'process', of: kind.worker, until: null };
    case 'principal':
      return { what: 'credential', of: kind.principal, until: null };
    case 'anyone':
      return { what: 'permit', of: '', until: null };
  }
}
