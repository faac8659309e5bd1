import type { Problem } from '../../errors.ts';
import type { OnFailure, StoredRequest } from '../types/request.ts';
import type { RequestState } from '../types/states.ts';
import type { Engine } from './Engine.ts';
import type { Guarantee, WaitsFor } from './explain.ts';
import { guaranteeOf, waitsFor } from './explain.ts';
import type { Outlook } from './outlook.ts';
import { nextOf } from './outlook.ts';
import { invalidRequest } from './target.ts';

export interface PlanOptions {
  /** Most requests to tell of. @default 1_000 */
  readonly limit?: number | undefined;
  /** When the way is expected to be free again, epoch ms: what expires by then is told. @default now */
  readonly at?: number | undefined;
}

/** One request of the plan. */
export interface PlannedRequest {
  readonly id: string;
  readonly zone: string;
  readonly method: string;
  /** With local ids where the server's are not known. */
  readonly path: string;
  readonly lane: string | null;
  readonly state: RequestState;
  /**
   * - `send`: it would be sent
   * - `expire`: its deadline will have passed, or that of one which takes it along
   * - `resolve`: what became of it would be found out first
   * - `wait`: something but time and order keeps it, as `waitsFor` says
   */
  readonly would: 'send' | 'expire' | 'resolve' | 'wait';
  /** Ids of requests of this plan that go before it. */
  readonly after: readonly string[];
  readonly waitsFor: readonly WaitsFor[];
  readonly guarantee: Guarantee;
  /** It is known already that something else has been written since what it is based on: by a request before it that may not be merged with it. */
  readonly mayConflict: boolean;
  readonly next: Outlook | null;
}

export interface ReplayPlan {
  /** In the order in which they would be sent, as far as that is fixed: lanes do not wait for each other. */
  readonly requests: readonly PlannedRequest[];
  /** Not all are told of. */
  readonly isPartial: boolean;
  readonly totals: Readonly<Record<PlannedRequest['would'], number>>;
}

/** What is known of those before a request. */
interface SoFar {
  readonly when: number;
  /** The last one of each lane. */
  readonly lanes: Map<string, StoredRequest>;
  readonly fates: Map<string, PlannedRequest['would']>;
  /** What the end of those that will have expired does to others, by their id and by their lane. */
  readonly ends: Map<string, OnFailure>;
}

const LIVE = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held'] as const;
const PAGE = 200;
/** Waits that end by themselves once the way is free. */
const PASSING: ReadonlySet<WaitsFor['what']> = new Set([
  'lane',
  'request',
  'time',
  'zoneOffline',
  'zonePace',
  'breaker',
  'rate',
  'permit',
]);

/** What would be sent, in which order, with which expiries and conflicts: worked out from what is stored, and nothing is sent. */
export async function replayPlan(engine: Engine, { limit = 1_000, at }: PlanOptions): Promise<ReplayPlan> {
  const { backend, clock } = engine.context;
  const when = at ?? clock.now();
  const problems: Problem[] = [];
  if (!Number.isSafeInteger(limit) || limit < 1) {
    problems.push({ path: 'limit', expected: 'a whole number above 0', got: String(limit) });
  }
  if (!Number.isFinite(when)) problems.push({ path: 'at', expected: 'epoch milliseconds', got: String(at) });
  if (problems.length > 0) throw invalidRequest(problems);
  const found: StoredRequest[] = [];
  let after: number | null = null;
  do {
    const size = Math.min(PAGE, limit - found.length);
    const page = await backend.requests.find({ filter: { state: LIVE }, order: 'accepted', after, limit: size });
    found.push(...page.requests);
    after = page.next;
  } while (after !== null && found.length < limit);
  const planned: PlannedRequest[] = [];
  const so: SoFar = { when, lanes: new Map(), fates: new Map(), ends: new Map() };
  for (const request of inOrder(found)) {
    const one = await plan(request, engine, so);
    planned.push(one);
    so.fates.set(one.id, one.would);
    if (request.lane !== null) so.lanes.set(request.lane, request);
  }
  const totals = { send: 0, expire: 0, resolve: 0, wait: 0 };
  for (const { would } of planned) totals[would] += 1;
  return { requests: planned, isPartial: after !== null, totals };
}

/** The order of the ready index, in which the head of a lane has the best rank of all that waits in it; never before what a request waits for. */
function inOrder(requests: readonly StoredRequest[]): StoredRequest[] {
  const ranks = headRanks(requests);
  const isBefore = (a: StoredRequest, b: StoredRequest): boolean => {
    const [first = 0, second = 0] = [ranks.get(a.id), ranks.get(b.id)];
    return first < second || (first === second && a.seq < b.seq);
  };
  const { waitsFor, leads } = precedence(requests);
  // Last comes what is next.
  const runnable: StoredRequest[] = [];
  const enter = (request: StoredRequest): void => {
    let [low, high] = [0, runnable.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(request, runnable[middle] as StoredRequest)) low = middle + 1;
      else high = middle;
    }
    runnable.splice(low, 0, request);
  };
  for (const request of requests) if (!waitsFor.has(request.id)) enter(request);
  const ordered: StoredRequest[] = [];
  for (let next = runnable.pop(); next !== undefined; next = runnable.pop()) {
    ordered.push(next);
    for (const one of leads.get(next.id) ?? []) {
      const left = (waitsFor.get(one.id) ?? 1) - 1;
      waitsFor.set(one.id, left);
      if (left === 0) enter(one);
    }
  }
  return ordered;
}

/** The rank of each once it is the head of its lane. */
function headRanks(requests: readonly StoredRequest[]): ReadonlyMap<string, number> {
  const best = new Map<string, number>();
  const ranks = new Map<string, number>();
  for (const { id, lane, rank } of [...requests].reverse()) {
    const own = lane === null ? rank : Math.min(rank, best.get(lane) ?? rank);
    if (lane !== null) best.set(lane, own);
    ranks.set(id, own);
  }
  return ranks;
}

/** For how many each waits, if it waits, and who waits for each. */
function precedence(requests: readonly StoredRequest[]) {
  const ids = new Set(requests.map(({ id }) => id));
  const lastOf = new Map<string, string>();
  const waitsFor = new Map<string, number>();
  const leads = new Map<string, StoredRequest[]>();
  for (const request of requests) {
    const { id, lane, after } = request;
    const before = new Set(after.filter((one) => ids.has(one)));
    const inLane = lane === null ? undefined : lastOf.get(lane);
    if (inLane !== undefined) before.add(inLane);
    if (lane !== null) lastOf.set(lane, id);
    if (before.size > 0) waitsFor.set(id, before.size);
    for (const one of before) leads.set(one, [...(leads.get(one) ?? []), request]);
  }
  return { waitsFor, leads };
}

async function plan(request: StoredRequest, engine: Engine, so: SoFar): Promise<PlannedRequest> {
  const { id, zone, content, lane, state } = request;
  const waits = await waitsFor(request, engine);
  const before = lane === null ? undefined : so.lanes.get(lane);
  const after = [...new Set([...request.after.filter((one) => so.fates.has(one)), ...(before ? [before.id] : [])])];
  return {
    id,
    zone,
    method: content.method,
    path: content.path,
    lane,
    state,
    would: fateOf(request, waits, after, so),
    after,
    waitsFor: waits,
    guarantee: guaranteeOf(request, engine.zones),
    mayConflict: mayConflict(request, before),
    next: nextOf(request, engine),
  };
}

function fateOf(
  request: StoredRequest,
  waits: readonly WaitsFor[],
  after: readonly string[],
  so: SoFar,
): PlannedRequest['would'] {
  const { id, state, lane, expiresAt, progress } = request;
  if (state === 'unknown') return 'resolve';
  if (state !== 'sending') {
    const isPast = expiresAt !== null && expiresAt <= so.when && !progress.unresolved;
    if (isPast || isTakenAlong(request, so)) {
      const policy = request.onFailure ?? 'continue';
      // One that is taken along takes along who waits for it, whatever it says of its own failure.
      so.ends.set(id, isPast ? policy : 'cascade');
      if (lane !== null && policy !== 'continue' && so.ends.get(lane) !== 'cascade') so.ends.set(lane, policy);
      return 'expire';
    }
  }
  const isKept = waits.some(({ what }) => !PASSING.has(what));
  const isHalted = lane !== null && so.ends.get(lane) === 'halt';
  const isBehind = after.some((one) => so.fates.get(one) === 'wait');
  return isKept || isHalted || isBehind || request.after.some((one) => so.ends.has(one)) ? 'wait' : 'send';
}

/** It ends with one that will have expired before it. */
function isTakenAlong({ lane, after }: StoredRequest, { ends }: SoFar): boolean {
  return (lane !== null && ends.get(lane) === 'cascade') || after.some((one) => ends.get(one) === 'cascade');
}

/** Based on a version that the request before it in its lane replaces, where nothing tells it what that leads to. */
function mayConflict(request: StoredRequest, before: StoredRequest | undefined): boolean {
  const precondition = request.content.headers.find(([name]) => name === 'if-match')?.[1];
  if (precondition === undefined || before === undefined) return false;
  return request.intent?.resource === undefined && before.effect !== 'read';
}
