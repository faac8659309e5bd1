/** Speaks of the credential, the pace or the connection, and so of every member. */
const OF_ALL: ReadonlySet<number> = new Set([401, 402, 407, 408, 421, 425, 429]);
/** There is no such endpoint, or not for this caller: that says nothing of any member. */
const NO_ENDPOINT: ReadonlySet<number> = new Set([301, 307, 308, 403, 404, 405, 406, 410, 415, 501]);

/**
 * What a status that is no success means for the members of a call. `halves`: the fault of a member, or of their number, is found out by
 * halves. `singly`: the server takes no such call. `all`: it is the answer to each.
 */
export function refusalOf(status: number): 'halves' | 'singly' | 'all' {
  if (NO_ENDPOINT.has(status)) return 'singly';
  if (status >= 400 && status <= 499 && !OF_ALL.has(status)) return 'halves';
  return 'all';
}
