import * as z from 'zod';
import type { Problem } from '../../../errors.ts';
import { priorityNumber } from '../../strategies/priority.ts';
import type { FlowRules } from '../../strategies/scheduling/flows.ts';
import { DEFAULT_FLOWS, MOST_APART, weightsOf } from '../../strategies/scheduling/flows.ts';
import type { Priority } from '../../types/calls.ts';
import { field, isRecord, oneOf } from './fields.ts';
import type { FlowOptions } from './options.ts';

const MOST = 1_000;
const LEAST = 1 / MOST;
/** More names than that are no configuration, but data. */
const MOST_FLOWS = 1_000;

export const weight = field<number>(`a number from ${LEAST} to ${MOST}`, isWeight);

export const FLOW_SHAPE = {
  by: oneOf('priority', 'tag', 'principal').optional(),
  weights: z.record(z.string(), weight, { error: 'an object of weights by flow' }).optional(),
};

/** What the weights say of each other, and of what they are given to. */
export function flowProblems(flows: unknown): Problem[] {
  const { by = DEFAULT_FLOWS.by, weights } = isRecord(flows) ? flows : {};
  if (!isRecord(weights)) return [];
  const names = Object.keys(weights);
  const problems = by === 'priority' ? priorityProblems(names) : [];
  if (names.length > MOST_FLOWS) {
    problems.push({ path: 'flows.weights', expected: `at most ${MOST_FLOWS} flows`, got: String(names.length) });
  }
  const isComplete = by === 'priority' || by === 'tag' || by === 'principal';
  if (problems.length > 0 || !isComplete || !Object.values(weights).every(isWeight)) return problems;
  const all = weightsOf(resolveFlows({ by, weights: weights as Record<string, number> })); // just seen
  const apart = Math.max(...all) / Math.min(...all);
  if (apart <= MOST_APART) return [];
  const others = by === 'priority' ? 'a priority without one weighs its number' : 'a flow without one weighs 1';
  const got = `one that is ${Math.round(apart)} times another (${others})`;
  return [{ path: 'flows.weights', expected: `weights at most ${MOST_APART} times one another`, got }];
}

function priorityProblems(names: readonly string[]): Problem[] {
  const problems: Problem[] = [];
  const levels = new Map<number, string>();
  for (const name of names) {
    const path = `flows.weights.${name}`;
    const level = levelOf(name);
    const other = level === undefined ? undefined : levels.get(level);
    if (level === undefined) {
      problems.push({ path, expected: '1 to 10 or the name of a priority', got: JSON.stringify(name) });
    } else if (other !== undefined) {
      problems.push({ path, expected: 'a priority that stands once', got: `${name}, which is '${other}' as well` });
    } else levels.set(level, name);
  }
  return problems;
}

/** Complete and frozen, priorities by number. */
export function resolveFlows({ by = DEFAULT_FLOWS.by, weights = {} }: FlowOptions = {}): FlowRules {
  const named = Object.entries(weights).map(([name, one]) => [by === 'priority' ? String(levelOf(name)) : name, one]);
  return Object.freeze({ by, weights: Object.freeze(Object.fromEntries(named)) });
}

function levelOf(name: string): number | undefined {
  return priorityNumber(/^\d+$/.test(name) ? Number(name) : (name as Priority)); // says itself whether it is one
}

function isWeight(value: unknown): boolean {
  return typeof value === 'number' && value >= LEAST && value <= MOST;
}
