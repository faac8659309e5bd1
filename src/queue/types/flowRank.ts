/**
 * Self-clocked fair queueing. The store keeps, per group, its time: the highest flow rank of the group that was leased so far (0 at
 * first); and, per flow, the rank it gave last. The rank of a request is `max(time, last) + 1 / weight`, and becomes the last one of
 * its flow. So a flow with work waiting gets calls in proportion to its weight, one that was idle gets no credit, and a new one waits for
 * about one round of the others.
 *
 * A flow is charged so when a request is stored or given a rank by an amendment, in the same step; what then ends unsent was charged
 * nevertheless. A request that joins charges nothing, nor does one that takes over the rank of what it replaces, or that ends as it is
 * stored. The time advances when a request is leased, at once after it was accepted too, not when it is looked at while unknown.
 *
 * A request that was stored before and is ready, or blocked, again (due at last, released, free of what stood before it, head of its lane)
 * keeps its rank unless the time has gone past it. Then it gets one of a flow of those that come back, of the same weight, beside its own: or all
 * that failed together in an outage, or stood behind one lane, would go before whatever is new. So a flow has at most two shares, and what comes
 * back waits for what else comes back, not for the backlog of its flow. What was leased and not tried at all (see `Settlement.notSent`) keeps its rank.
 *
 * Flows whose last rank the time has reached say nothing; `purge` forgets them, at most its `limit`, and groups that have none left and neither
 * leased nor ranked anything since `now - 2 * deadMs`. Where a group has more flows than {@link SPARE_FLOWS} above what lives in the store,
 * because nothing is leased of it, its time is put forward to the highest of the excess.
 *
 * A time is a double that grows by `1 / weight` at most per request: after 1e12 requests of weight 1 it still tells apart shares of
 * weights up to 8,000; beyond, equal ranks go by order of acceptance. Only ratios of weights within a group matter.
 */
export interface FlowRank {
  readonly form: 'flow';
  /** Whose flows share one time: a channel, however its requests are stored. Another group starts at 0 and is not compared with this one. */
  readonly group: string;
  readonly flow: string;
  /** Finite and above 0; the store takes what is outside of 1e-6 to 1e6 for the nearer of the two, and what is no number for 1. */
  readonly weight: number;
}

/** Flows of one group that are remembered beyond as many as there are live requests. */
export const SPARE_FLOWS = 1024;
