import type { StoredRequest } from '../../../src/queue/types/request.ts';
import type { LedgerEntry } from '../../../src/testing/ServerLedger.ts';
import type { Intent } from './order.ts';
import type { Acceptance, Told } from './Producers.ts';

export interface Evidence {
  readonly accepted: readonly Acceptance[];
  readonly told: readonly Told[];
  /** What the server did, in order. */
  readonly entries: readonly LedgerEntry[];
  /** All that the store has, by id. */
  readonly records: ReadonlyMap<string, StoredRequest>;
}

/** What speaks against the promise. Empty lists: nothing does. */
export interface Findings {
  /** Accepted, and never applied. */
  readonly lost: readonly number[];
  /** Applied more than once, accepted or not. */
  readonly duplicated: readonly number[];
  /** Ids of accepted requests that did not succeed, or are not in the store. */
  readonly unfinished: readonly string[];
  /** Ids of requests in the store that can still move or did not succeed, whoever knows of them. */
  readonly stuck: readonly string[];
  /** Lanes whose requests were applied in another order than accepted. */
  readonly disordered: readonly string[];
  /** Processes whose requests were accepted in another order than called. */
  readonly misaccepted: readonly string[];
  /** Callers that were told something else than the success of their own request. */
  readonly misinformed: readonly Told[];
}

export const NO_FINDINGS: Findings = {
  lost: [],
  duplicated: [],
  unfinished: [],
  stuck: [],
  disordered: [],
  misaccepted: [],
  misinformed: [],
};

export function judge({ accepted, told, entries, records }: Evidence): Findings {
  const times = new Map<number, number>();
  for (const { intent } of appliedOf(entries)) times.set(intent, (times.get(intent) ?? 0) + 1);
  return {
    lost: accepted.filter(({ intent }) => !times.has(intent)).map(({ intent }) => intent),
    duplicated: [...times].filter(([, count]) => count > 1).map(([intent]) => intent),
    unfinished: accepted.filter(({ id }) => records.get(id)?.state !== 'succeeded').map(({ id }) => id),
    stuck: [...records.values()].filter(({ state }) => state !== 'succeeded').map(({ id }) => id),
    disordered: disorderedLanes(entries, records),
    misaccepted: misaccepted(accepted, records),
    misinformed: told.filter(({ intent, state, answered }) => state !== 'succeeded' || answered !== intent),
  };
}

/** What was applied, in order. */
export function appliedOf(entries: readonly LedgerEntry[]): Intent[] {
  return entries
    .filter(({ outcome }) => outcome === 'applied')
    .map(({ request }) => JSON.parse(request.body) as Intent);
}

/** The store says what was accepted when; the server, what it applied when. */
function disorderedLanes(entries: readonly LedgerEntry[], records: ReadonlyMap<string, StoredRequest>): string[] {
  const seqs = new Map<number, number>();
  for (const { content, seq } of records.values()) {
    seqs.set((JSON.parse(Buffer.from(content.body ?? []).toString()) as Intent).intent, seq);
  }
  const last = new Map<string, number>();
  const found = new Set<string>();
  for (const { intent, lane } of appliedOf(entries)) {
    if (lane === null) continue;
    const seq = seqs.get(intent) ?? Number.NEGATIVE_INFINITY; // not in the store: that is found elsewhere
    if (seq < (last.get(lane) ?? Number.NEGATIVE_INFINITY)) found.add(lane);
    last.set(lane, Math.max(seq, last.get(lane) ?? seq));
  }
  return [...found];
}

/** Intents of a process are numbered in the order of its calls; one that was refused first took its place later. */
function misaccepted(accepted: readonly Acceptance[], records: ReadonlyMap<string, StoredRequest>): string[] {
  const last = new Map<string, number>();
  const found = new Set<string>();
  for (const { by, id } of accepted.filter(({ refusals }) => refusals === 0).sort((a, b) => a.intent - b.intent)) {
    const seq = records.get(id)?.seq ?? Number.POSITIVE_INFINITY;
    if (seq < (last.get(by) ?? Number.NEGATIVE_INFINITY)) found.add(by);
    last.set(by, seq);
  }
  return [...found];
}
