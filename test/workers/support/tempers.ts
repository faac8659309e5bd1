import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { applyThenReset, slow, unavailable } from '../../../src/testing/serverSteps.ts';

/** How a server behaves, drawn anew for each request that arrives. */
export type Temper = (random: () => number) => () => ServerStep | undefined;

/** Two in a hundred go wrong at the server too, and of the rest half take a few milliseconds. */
export const unsteady: Temper = (random) => () => {
  const draw = random();
  if (draw < 0.01) return applyThenReset;
  if (draw < 0.02) return unavailable();
  return draw < 0.5 ? slow(1 + Math.floor(6 * random())) : undefined;
};

/** Answers everything it applies, some of it only after `longMs`. */
export function busy(longMs: number): Temper {
  return (random) => () => {
    const draw = random();
    if (draw < 0.04) return slow(longMs);
    if (draw < 0.06) return unavailable();
    return draw < 0.5 ? slow(1 + Math.floor(6 * random())) : undefined;
  };
}
