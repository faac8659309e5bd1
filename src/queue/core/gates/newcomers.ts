import type { Channel } from './Channel.ts';
import { tierOf } from './channelName.ts';
import { mayGo } from './parts.ts';
import type { ZoneTurns } from './ZoneTurns.ts';

/** A request that comes in. */
interface Newcomer {
  readonly channel: Channel;
  /** `channel`: the name it is stored under. */
  readonly request: { readonly channel: string; readonly priority: number };
}

/** Permits of a channel, for newcomers that are stored under one name. */
export interface Allowance {
  readonly channel: Channel;
  calls: number;
}

/**
 * Permits for requests that come in, by the name they are stored under, where nothing else of it may wait for them. Those that have to
 * leave room for others are left to a claim, which knows for whom; and so are those that may share a call, all where the zone fails over, or is found out
 * about, and all where others wait for a permit of the process.
 */
export function takePermits(newcomers: readonly Newcomer[], turns: ZoneTurns, now: number): Map<string, Allowance> {
  const wanted = new Map<string, Allowance>();
  if (turns.isContended) return wanted;
  for (const { channel, request } of newcomers) {
    // Only by their own tier are they told apart in the store.
    const tier = request.channel === channel.name ? 'main' : tierOf(request.priority);
    if (channel.mayHaveWork || tier === 'low' || tier === 'bulk' || !mayGo(tier, channel.minPriority(now))) continue;
    const known = wanted.get(request.channel);
    if (known === undefined) wanted.set(request.channel, { channel, calls: 1 });
    else known.calls += 1;
  }
  for (const [name, allowance] of wanted) {
    const { channel } = allowance;
    const { zone, batching } = channel;
    const isBatched = batching !== undefined && !batching.takesAlone(allowance.calls);
    const isElsewhere = zone.isDetoured || (zone.policy.failover.length > 0 && zone.isAway(now));
    const open = isElsewhere || isBatched ? 0 : Math.min(allowance.calls, channel.openForNewcomers(now));
    allowance.calls = open > 0 ? channel.take(open, now) : 0;
    turns.took(zone, allowance.calls);
    if (allowance.calls === 0) wanted.delete(name);
  }
  return wanted;
}
