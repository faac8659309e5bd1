import type { ClaimPart } from '../../types/claimTerms.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { Channel } from './Channel.ts';
import type { Tier } from './channelName.ts';
import { tierName } from './channelName.ts';

/** Least priority of what is stored with the tier; that of `main` may go if only critical ones may not be enough. */
const LEAST: Readonly<Record<Tier, number>> = Object.freeze({ critical: 10, main: 5, low: 3, bulk: 1 });

/**
 * What each tier of a channel may have of the permits of `via`: with `hasShares`, of a zone's limit `low` and `bulk` use no more than their
 * share, but one call where they use none; and nothing of what is below `minPriority` goes. Undefined where there is but one tier,
 * and it may have all. Without shares, tiers are what was stored under another strategy: they are claimed in one order with the rest.
 */
export function partsOfClaim(
  channel: Channel,
  via: Channel,
  permits: number,
  { minPriority, hasShares }: { readonly minPriority: number; readonly hasShares: boolean },
  now: number,
): readonly ClaimPart[] | undefined {
  if (channel.tiers.size === 1 && minPriority <= LEAST.main) return undefined;
  return Array.from(channel.tiers, (tier) => {
    const room = hasShares ? roomOf(tier, via, now) : permits;
    const calls = mayGo(tier, minPriority) ? Math.min(permits, room) : 0;
    return { channel: tierName(channel.name, tier), calls };
  });
}

/** Whether anything of a tier goes while nothing below that priority does. */
export function mayGo(tier: Tier, minPriority: number): boolean {
  return LEAST[tier] >= minPriority;
}

function roomOf(tier: Tier, { zone }: Channel, now: number): number {
  if (tier === 'main' || tier === 'critical') return Number.POSITIVE_INFINITY;
  const share = zone.policy.priorityShares[tier];
  const inUse = zone.inUseByTier[tier];
  return Math.max(Math.ceil(zone.gates.limit(now) * share), 1) - inUse;
}

/** Whether a part that was full may have more. */
export function isKeptBack(
  claimed: readonly StoredRequest[],
  parts: readonly ClaimPart[] | undefined,
  perCall: number,
): boolean {
  if (parts === undefined) return false;
  return parts.some(
    ({ channel, calls }) => claimed.filter((request) => request.channel === channel).length >= calls * perCall,
  );
}
