import type { FlowSource } from '../../types/scheduling.ts';

/** How requests are told apart for their share, and how large that is. */
export interface FlowRules {
  readonly by: FlowSource;
  /** By flow. Of priorities by number, and those that are absent weigh that number; others weigh 1. */
  readonly weights: Readonly<Record<string, number>>;
}

/** A flow in its channel, with the weight a request of it has. */
export interface WeightedFlow {
  readonly flow: string;
  readonly weight: number;
}

/** The shares of priorities as they are without a word of configuration. */
export const DEFAULT_FLOWS: FlowRules = Object.freeze({ by: 'priority', weights: Object.freeze({}) });

/**
 * The largest weight over the least: the flow of the least waits for at most so many requests of the other, for each of its own. More
 * would be starving by another name.
 */
export const MOST_APART = 1_000;

/** The flow of a request. By tag it is the first that has a weight, else the first, else ''. */
export function flowOf(
  { by, weights }: FlowRules,
  request: { readonly priority: number; readonly tags: readonly string[]; readonly principal: string },
): WeightedFlow {
  switch (by) {
    case 'priority': {
      const flow = String(request.priority);
      return { flow, weight: ownWeight(weights, flow) ?? request.priority };
    }
    case 'tag': {
      const flow = request.tags.find((tag) => Object.hasOwn(weights, tag)) ?? request.tags[0] ?? '';
      return { flow, weight: ownWeight(weights, flow) ?? 1 };
    }
    case 'principal':
      return { flow: request.principal, weight: ownWeight(weights, request.principal) ?? 1 };
    default:
      return by satisfies never;
  }
}

/** All weights that occur under the rules, those included that nobody gave. */
export function weightsOf({ by, weights }: FlowRules): number[] {
  if (by !== 'priority') return [1, ...Object.values(weights)];
  return Array.from({ length: 10 }, (_, index) => ownWeight(weights, String(index + 1)) ?? index + 1);
}

function ownWeight(weights: FlowRules['weights'], flow: string): number | undefined {
  return Object.hasOwn(weights, flow) ? weights[flow] : undefined;
}
