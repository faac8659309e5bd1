import { isClosed } from '../strategies/connectivity.ts';
import { keysMethod } from '../strategies/dialects.ts';
import { isHarmless } from '../strategies/effect.ts';
import type { Attempt, StoredRequest } from '../types/request.ts';
import type { Reason, RequestState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';
import type { ConflictRecord } from './conflictLog.ts';
import { conflictsOf } from './conflictLog.ts';
import type { Context } from './context.ts';
import { headOfLane } from './idle.ts';
import type { Outlook } from './outlook.ts';
import { nextOf } from './outlook.ts';
import { isKeyed } from './resendRules.ts';
import type { Resources } from './resources.ts';
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
    | 'breaker'
    | 'rate'
    | 'zoneUnknown'
    | 'client'
    | 'process'
    | 'credential'
    | 'permit'
    | 'decision'
    | 'dispatch'
    | 'probe'
    | 'reference'
    | 'principal'
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
  /** What all of that comes down to: the end of the chain of requests it waits for, and what that one waits for; undefined where it waits for no request. */
  readonly root:
    | { readonly id: string; readonly state: RequestState; readonly waitsFor: readonly WaitsFor[] }
    | undefined;
  /** Epoch ms at which it, or what it comes down to, may go on by itself; null where nothing but a decision, an answer or another process moves it. */
  readonly wakesAt: number | null;
  /** Id of the request whose failure ended it, or null. */
  readonly bundle: string | null;
  readonly attempts: readonly Attempt[];
  /** Conflicts that were decided for it, oldest first, as far as they are remembered: the last 1,000 of all requests. */
  readonly conflicts: readonly ConflictRecord[];
  /** What would become of it next; null once it ended, and where its zone is not known here. */
  readonly next: Outlook | null;
}

/** What explaining needs of a running queue. */
export interface Explainer {
  readonly context: Context;
  readonly zones: Zones;
  readonly resources: Resources;
  knows(principal: string): boolean;
}

/** Chains of requests are followed so far: longer ones are told by where that ends. */
const MAX_CHAIN = 100;
/** Of what one waits for, so many are looked into. */
const MAX_CAUSES = 10;

/** Works out where a request stands, as this process sees it. */
export async function explain(request: StoredRequest, queue: Explainer): Promise<Explanation> {
  const { zones } = queue;
  const waits = isTerminal(request.state) ? [] : await waitsFor(request, queue);
  const root = await rootOf(waits, queue);
  const times = [...waits, ...(root?.waitsFor ?? [])].map(({ until }) => until).filter((until) => until !== null);
  return {
    id: request.id,
    state: request.state,
    reason: request.reason,
    guarantee: guaranteeOf(request, zones),
    waitsFor: waits,
    root,
    wakesAt: times.length === 0 ? null : Math.min(...times),
    bundle: request.bundle ?? null,
    attempts: request.progress.attempts,
    conflicts:
      request.progress.rounds === undefined ? [] : await conflictsOf(queue.context.backend.history, request.id),
    next: isTerminal(request.state) ? null : nextOf(request, queue),
  };
}

/** Of several things it waits for, the one that only a person can move counts: until then nothing else helps. */
async function rootOf(waits: readonly WaitsFor[], queue: Explainer): Promise<Explanation['root']> {
  let first: Explanation['root'];
  for (const cause of waits.filter(isForRequest).slice(0, MAX_CAUSES)) {
    const root = await endOf(cause, queue);
    if (root?.state === 'held') return root;
    first ??= root;
  }
  return first;
}

/** From request to request, as far as one waits for another. */
async function endOf(cause: WaitsFor, queue: Explainer): Promise<Explanation['root']> {
  let next: WaitsFor | undefined = cause;
  let root: Explanation['root'];
  for (let left = MAX_CHAIN; next !== undefined && left > 0; left -= 1) {
    const [record] = await queue.context.backend.requests.get({ ids: [next.of] });
    if (record === undefined) break;
    const further: readonly WaitsFor[] = isTerminal(record.state) ? [] : await waitsFor(record, queue);
    root = { id: record.id, state: record.state, waitsFor: further };
    next = further.find(isForRequest);
  }
  return root;
}

function isForRequest({ what }: WaitsFor): boolean {
  return what === 'lane' || what === 'request';
}

export function guaranteeOf(request: StoredRequest, zones: Zones): Guarantee {
  const zone = zones.named(request.zone);
  const policy = zone?.policy;
  if (request.effect === 'read') return 'atLeastOnce';
  if (request.intent?.onUnknown === 'resend') return 'atLeastOnce';
  if (isHarmless(request.effect, false)) return 'exactlyOnce';
  const dialect = zone?.ignoresKeys === true ? undefined : policy?.idempotency;
  if (dialect !== undefined && keysMethod(dialect, request.content.method)) return 'exactlyOnce';
  // A key of the caller's own: sent again with it, but nobody declared that the API knows such keys.
  if (zone !== undefined && isKeyed(request, zone)) return 'atLeastOnce';
  return policy?.retryAnswered5xx === true ? 'atLeastOnce' : 'atMostOnce';
}

export async function waitsFor(request: StoredRequest, queue: Explainer): Promise<WaitsFor[]> {
  const { context } = queue;
  switch (request.state) {
    case 'held': {
      // A deadline does not settle a doubt.
      const until = request.progress.unresolved ? null : request.expiresAt;
      if (request.reason === 'principal') return [{ what: 'principal', of: request.principal, until }];
      return [
        ...(request.reason === 'dependency' ? await unbound(request, context) : []),
        { what: 'decision', of: request.reason, until },
      ];
    }
    case 'unknown': {
      const missing = missingFor(request, queue);
      return missing.length > 0 ? missing : [{ what: 'probe', of: request.reason, until: request.dueAt }];
    }
    case 'scheduled':
      if (request.reason === 'spilled') return [{ what: 'store', of: request.reason, until: null }];
      // Its time has come, and it was not taken up.
      if (request.dueAt !== null && request.dueAt <= context.clock.now()) return gates(request, queue);
      return [{ what: 'time', of: request.reason, until: request.dueAt }, ...missingFor(request, queue)];
    case 'blocked':
      return [...(await blockers(request, context)), ...missingFor(request, queue)];
    case 'ready':
      return gates(request, queue);
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

/** Local ids that nobody said what they stand for. */
async function unbound({ refs }: StoredRequest, { backend }: Context): Promise<WaitsFor[]> {
  const localIds = [...new Set(refs.map(({ localId }) => localId))];
  const bindings = localIds.length === 0 ? [] : await backend.requests.bindings({ localIds });
  return localIds
    .filter((_, index) => bindings[index] === undefined)
    .map((localId) => ({ what: 'reference', of: localId, until: null }));
}

/** What this process lacks to do anything about it. */
function missingFor(request: StoredRequest, { context, zones, knows }: Explainer): WaitsFor[] {
  if (zones.named(request.zone) === undefined) return [{ what: 'zoneUnknown', of: request.zone, until: null }];
  const waits: WaitsFor[] = [];
  if (!zones.canSend(request.sender, knows)) waits.push(senderWait(request.sender));
  if (!context.config.dispatch) waits.push({ what: 'dispatch', of: context.config.name, until: null });
  return waits;
}

function gates(request: StoredRequest, queue: Explainer): WaitsFor[] {
  const { context, zones } = queue;
  const waits = missingFor(request, queue);
  const zone = zones.named(request.zone);
  if (zone === undefined) return waits;
  if (zone.paused) waits.push({ what: 'zonePaused', of: zone.name, until: null });
  const now = context.clock.monotonicNow();
  const wall = (monotonic: number | null): number | null =>
    monotonic === null ? null : Math.round(context.clock.now() + Math.max(0, monotonic - now));
  if (isClosed(zone.connectivity)) {
    waits.push({ what: 'zoneOffline', of: zone.name, until: wall(finite(zone.reopensAt(now))) });
  } else if (now < zone.notBefore) {
    waits.push({ what: 'zonePace', of: zone.name, until: wall(zone.notBefore) });
  }
  for (const gates of zones.channelNamed(zone, request.channel).scopes) {
    if (!gates.isClosed(now)) continue;
    const isBroken = gates.breaker !== null && gates.breaker.allows(now) === 0;
    const at = gates.nextAt(now);
    const until = Number.isFinite(at) ? wall(at) : null;
    waits.push({ what: isBroken ? 'breaker' : 'rate', of: gates.scope, until });
  }
  if (waits.length === 0) waits.push({ what: 'permit', of: zone.name, until: null });
  return waits;
}

function finite(at: number | null): number | null {
  return at === null || !Number.isFinite(at) ? null : at;
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
