const LEAST_WEIGHT = 1e-6;
const MOST_WEIGHT = 1e6;

/** By how much a request of a flow moves its flow on: within bounds in which no sum of them leaves what a number can hold. */
export function shareOf(weight: number): number {
  if (Number.isNaN(weight)) return 1;
  return 1 / Math.min(MOST_WEIGHT, Math.max(LEAST_WEIGHT, weight));
}

/** The flow in which those of a flow take turns that come back: beside it, so that they wait for each other, not for all that is new. */
export function againOf(flow: string): string {
  return `${flow} (again)`;
}
