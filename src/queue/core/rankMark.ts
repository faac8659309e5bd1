import type { SharedState, SharedValue } from '../types/backend.ts';
import type { Json } from '../types/request.ts';
import { DEFAULTS } from './config/defaults.ts';
import { configurationProblems } from './config/problems.ts';
import { resolveFlows } from './config/schedulingSchema.ts';
import type { Strategy } from './ranking.ts';

/** By which strategy a store is ranked, and how far: kept in it, for all processes that share it. */
export interface RankMark {
  readonly strategy: Strategy;
  /** Epoch ms at which it was set. Also tells its flows from those of strategies before. */
  readonly at: number;
  /** What was accepted up to there (a `seq`) is ranked by it; null: nothing yet. */
  readonly after: number | null;
  /** Requests that were being sent when it was their turn: they are ranked when they come back. */
  readonly late: readonly string[];
  /** Requests that were given another rank. */
  readonly requests: number;
  /** All that waited was looked at, what came in by the old strategy meanwhile excepted. */
  readonly isThrough: boolean;
  readonly isDone: boolean;
}

/** As stored, with the version that tells whether it was changed since. */
export interface StoredMark {
  readonly mark: RankMark;
  readonly version: number;
}

/** Where a store keeps its mark. */
export const MARK_KEY = 'strategy';

/** What a store is ranked by in which nobody ever said anything else. */
export const UNMARKED: Strategy = Object.freeze({
  priorityStrategy: DEFAULTS.priorityStrategy,
  ageingMs: DEFAULTS.ageingMs,
  flows: DEFAULTS.flows,
});

/** A strategy that was set just now. */
export function freshMark(strategy: Strategy, at: number): RankMark {
  return { strategy, at, after: null, late: [], requests: 0, isThrough: false, isDone: false };
}

/** Whether both give all requests the same order: what a strategy does not go by is not compared. */
export function isSameOrder(one: Strategy, other: Strategy): boolean {
  if (one.priorityStrategy !== other.priorityStrategy) return false;
  switch (one.priorityStrategy) {
    case 'priority':
      return one.ageingMs === other.ageingMs;
    case 'weighted':
      return one.flows.by === other.flows.by && isSameWeights(one.flows.weights, other.flows.weights);
    default:
      return true;
  }
}

function isSameWeights(one: Strategy['flows']['weights'], other: Strategy['flows']['weights']): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => Object.hasOwn(other, name) && one[name] === other[name]);
}

export function markToJson({ strategy, ...rest }: RankMark): Json {
  const { priorityStrategy, ageingMs, flows } = strategy;
  return { ...rest, strategy: { priorityStrategy, ageingMs, flows: { by: flows.by, weights: flows.weights } } };
}

/** Undefined for what a later version may have written. */
export function readMark({ value, version }: SharedValue): StoredMark | undefined {
  if (typeof value !== 'object' || value === null || !('strategy' in value)) return undefined;
  const { strategy, ...rest } = value as unknown as RankMark; // checked field by field below
  const isShaped =
    configurationProblems(strategy).length === 0 &&
    typeof strategy.ageingMs === 'number' &&
    typeof rest.at === 'number' &&
    (rest.after === null || typeof rest.after === 'number') &&
    Array.isArray(rest.late) &&
    typeof rest.requests === 'number';
  if (!isShaped) return undefined;
  return { version, mark: { ...rest, strategy: { ...strategy, flows: resolveFlows(strategy.flows) } } };
}

/**
 * What a store was given has ranks of elsewhere: whoever works on it looks through all that waits again. What has its rank by the strategy
 * keeps it. A mark of a later version is left as it is.
 */
export async function expireRanks(shared: SharedState, now: number): Promise<void> {
  for (;;) {
    const stored = await shared.get({ key: MARK_KEY, now });
    const mark = stored === undefined ? freshMark(UNMARKED, now) : readMark(stored)?.mark;
    if (mark === undefined) return;
    const value = markToJson({ ...mark, after: null, requests: 0, isThrough: false, isDone: false });
    const ifVersion = stored?.version ?? 0;
    // Another version since: who looks through it at present has just told how far it is.
    if ((await shared.set({ key: MARK_KEY, value, expiresAt: null, now, ifVersion })) !== undefined) return;
  }
}
