import type { ClaimTerms } from '../../types/claimTerms.ts';
import { MOST_PASSED, PROBE_CANDIDATES } from '../../types/claimTerms.ts';

/** How much further it is looked for each time. */
const FURTHER = 4;

/**
 * With which request to find out whether a channel works, after so many others failed in a row. At first with the best whose repetition
 * is harmless. Then it may be the request that was at fault: one that was never sent is tried, and from then on any of those that wait,
 * further and further back. So whatever stands in front cannot keep the zone from all others.
 */
export function probeTerms(
  failed: number,
  knowsKeys: boolean,
  random: () => number,
): Pick<ClaimTerms, 'probe' | 'past'> {
  // Where the API knows requests by their keys, a repetition of any is harmless.
  if (failed < 1) return knowsKeys ? {} : { probe: 'harmless' };
  if (failed < 2) return { probe: 'fresh' };
  const spread = Math.min(MOST_PASSED, PROBE_CANDIDATES * FURTHER ** (failed - 1));
  return { probe: failed % 2 === 0 ? 'harmless' : 'fresh', past: Math.floor(random() * spread) };
}
