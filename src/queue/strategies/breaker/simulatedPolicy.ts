import type { Problem } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';
import { problemWords } from '../../../problemWords.ts';
import { suggestion } from '../../../suggestion.ts';
import type { BreakerPolicy } from './policy.ts';
import { BREAKER_DEFAULTS } from './policy.ts';

/** What of a policy differs from the defaults; `undefined` is absent. */
export type PartialBreakerPolicy = { readonly [K in keyof BreakerPolicy]?: BreakerPolicy[K] | undefined };

/**
 * The whole policy to play a trace against.
 *
 * @throws CONFIG_INVALID with everything that is wrong with it
 */
export function simulatedPolicy(given: PartialBreakerPolicy): BreakerPolicy {
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const problems: Problem[] = [];
  for (const [name, value] of named) {
    const path = `policy.${name}`;
    if (!Object.hasOwn(BREAKER_DEFAULTS, name)) {
      problems.push({ path, expected: suggestion(name, Object.keys(BREAKER_DEFAULTS)), got: 'an unknown option' });
    } else if (!isBound(value) && !(name === 'slowCallMs' && value === null)) {
      problems.push({ path, expected: 'a number from 0', got: String(value) });
    }
  }
  if (problems.length > 0) {
    const message = `the policy cannot be simulated: ${problemWords(problems)}`;
    throw new HoldfastError('CONFIG_INVALID', message, { problems });
  }
  return { ...BREAKER_DEFAULTS, ...Object.fromEntries(named) };
}

function isBound(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}
