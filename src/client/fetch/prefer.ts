/** What of a `Prefer` header (RFC 7240) concerns when to answer, and what else it holds. */
export interface AsyncPreference {
  /** So long the caller would wait for the end before it takes a 202. */
  readonly waitMs: number;
  /** The other preferences, to be sent on; null when there are none. */
  readonly others: string | null;
}

/** Undefined where the header does not ask for `respond-async`. */
export function asyncPreference(header: string | null): AsyncPreference | undefined {
  if (header === null) return undefined;
  const preferences = header.split(',').map((one) => one.trim());
  if (!preferences.some(isAsync)) return undefined;
  const wait = preferences.map((one) => /^wait\s*=\s*"?(\d{1,9})"?$/i.exec(one)?.[1]).find((one) => one !== undefined);
  const others = preferences.filter((one) => one !== '' && !isAsync(one) && !/^wait\s*=/i.test(one));
  return {
    waitMs: wait === undefined ? 0 : Number(wait) * 1_000,
    others: others.length === 0 ? null : others.join(', '),
  };
}

function isAsync(preference: string): boolean {
  return preference.toLowerCase() === 'respond-async';
}
