/** Fewer letters begin names that have nothing to do with what was meant. */
const SHORTEST_BEGINNING = 3;

/**
 * The candidate that `name` was most likely meant to be, for messages about unknown keys: the one with the fewest slips, else the only one that
 * begins with it; undefined when none is close. Differences in letter case do not count as distance.
 */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.floor(Math.max(wanted.length, 3) / 3) + 1; // about one slip in three letters
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? (wanted.length >= SHORTEST_BEGINNING ? onlyOneThatBegins(wanted, candidates) : undefined);
}

function onlyOneThatBegins(wanted: string, candidates: readonly string[]): string | undefined {
  const [first, ...others] = candidates.filter((candidate) => candidate.toLowerCase().startsWith(wanted));
  return others.length === 0 ? first : undefined;
}

/** Levenshtein distance by rows; `limit` when it is that or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = at(previous, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substituted, at(previous, j) + 1, at(row, j - 1) + 1));
    }
    previous = row;
  }
  return Math.min(at(previous, b.length), limit);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
