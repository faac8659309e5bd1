/** Requests among which a probe looks for one whose repetition is harmless. */
export const PROBE_CANDIDATES = 16;
/** Requests that a probe passes over at most. */
export const MOST_PASSED = 1_024;

/** How many requests may be `sending` at once in a zone, whoever leased them and for whatever sender. */
export interface SendingLimit {
  readonly zone: string;
  /** Set: in this channel of the zone alone, and those of `with`, together. */
  readonly channel?: string | undefined;
  readonly with?: readonly string[] | undefined;
  readonly sending: number;
}

/** Requests of a channel that are stored under a name of their own. */
export interface ClaimPart {
  readonly channel: string;
  /** At most so many HTTP calls of them. */
  readonly calls: number;
}

/** On what terms a claim leases from a channel. What is absent costs nothing. */
export interface ClaimTerms {
  /** HTTP calls it has permits for. */
  readonly calls: number;
  /** Requests that may share one call. */
  readonly perCall: number;
  /**
   * No request is leased that would bring what is `sending` in its zone, or in its channel of that zone, above one of these;
   * limits of other zones and channels say nothing about it. So they hold over all processes that share the store. What the same
   * claim leased before counts, for other channels too. Asked before deadlines: where there is no room, none is ended.
   * Told by the counters that serve `count`, never by a look at requests.
   */
  readonly within?: readonly SendingLimit[] | undefined;
  /**
   * What its requests are stored under, instead of `channel` alone; each name once. They are leased in one order, of each part at most
   * its `calls`; a part that has no more is passed over, and nothing of it is read. As many as may be leased of a part are promoted of it.
   */
  readonly parts?: readonly ClaimPart[] | undefined;
  /**
   * One request is wanted to find out whether the channel works again: `calls` is 1, and one is leased whatever `perCall` says. It
   * is the best whose repetition is harmless (effect `read`, `absolute` or `delete`) among the first `PROBE_CANDIDATES` by (rank,
   * seq), over the senders together; else the best. Those past their deadline that stand before it are ended and are none of
   * these. `fresh`: the first of these that was never sent goes before others. `within` and `parts` hold for it.
   */
  readonly probe?: 'harmless' | 'fresh' | undefined;
  /**
   * With `probe`: so many of the first are passed over without a look, at most `MOST_PASSED`. What it is looked for among begins behind
   * them and goes on from the first where the last is reached; where there are not more than `past` at all, these are counted round.
   */
  readonly past?: number | undefined;
}
