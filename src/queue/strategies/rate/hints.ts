/** How much is left of a quota. */
export interface RateHint {
  /** Calls per window. */
  readonly limit: number | null;
  /** Calls left of the window. */
  readonly remaining: number | null;
  /** From now until the quota is renewed, at most a day. */
  readonly resetMs: number | null;
}

/** What the headers of an answer say about the rate of calls; null is what they do not say. */
export interface RateHints extends RateHint {
  /** How long the server asks to wait, at most a day. */
  readonly retryAfterMs: number | null;
  /** Most calls at once. */
  readonly concurrency: number | null;
}

/** What one family of headers tells. */
export interface Told {
  readonly quotas: readonly RateHint[];
  readonly concurrency: number | null;
}
