import type { PackedShared, Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

export function sharedGet(rows: Rows, [key, now]: Verbs['sharedGet']['takes']): PackedShared | undefined {
  return rows
    .sql('SELECT value, version, expires FROM shared WHERE key = ? AND (expires IS NULL OR expires > ?)')
    .get(key, now) as PackedShared | undefined; // types are those of the columns
}

/** Versions ascend over all keys, so that a deleted and rewritten value never has one it had before. */
export function sharedSet(
  rows: Rows,
  [key, value, expires, now, ifVersion]: Verbs['sharedSet']['takes'],
): number | undefined {
  if (ifVersion !== null && ifVersion !== (sharedGet(rows, [key, now])?.[1] ?? 0)) return undefined;
  const version = ((rows.sql('SELECT shared_version FROM meta').get()?.[0] as number | undefined) ?? 0) + 1;
  rows.sql('UPDATE meta SET shared_version = ?').run(version);
  rows
    .sql('INSERT OR REPLACE INTO shared(key, value, version, expires) VALUES (?, ?, ?, ?)')
    .run(key, value, version, expires);
  return version;
}

export function sharedDelete(rows: Rows, key: string): boolean {
  return rows.sql('DELETE FROM shared WHERE key = ?').run(key) === 1;
}

export function sharedList(
  rows: Rows,
  [prefix, now, limit]: Verbs['sharedList']['takes'],
): (readonly [string, PackedShared])[] {
  return (
    rows
      .sql(
        `SELECT key, value, version, expires FROM shared
       WHERE key >= ? AND substr(key, 1, length(?)) = ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?`,
      )
      .all(prefix, prefix, prefix, now, limit)
      // Types are those of the columns.
      .map(([key, value, version, expires]) => [
        key as string,
        [value as string, version as number, expires as number | null],
      ])
  );
}

export function acquire(rows: Rows, [key, holder, permits, now, expires]: Verbs['acquire']['takes']): boolean {
  rows.sql('DELETE FROM semaphore WHERE key = ? AND expires <= ?').run(key, now);
  const extended = rows.sql('UPDATE semaphore SET expires = ? WHERE key = ? AND holder = ?').run(expires, key, holder);
  if (extended === 1) return true;
  const taken = rows.sql('SELECT count(*) FROM semaphore WHERE key = ?').get(key)?.[0] as number; // count always answers
  if (taken >= permits) return false;
  rows.sql('INSERT INTO semaphore(key, holder, expires) VALUES (?, ?, ?)').run(key, holder, expires);
  return true;
}

export function release(rows: Rows, [key, holder]: Verbs['release']['takes']): boolean {
  return rows.sql('DELETE FROM semaphore WHERE key = ? AND holder = ?').run(key, holder) === 1;
}

/** GCRA: a bucket is the instant at which it would be full again. */
export function take(rows: Rows, [key, cost, ratePerSecond, burst, now]: Verbs['take']['takes']): number {
  if (cost > burst) return Number.POSITIVE_INFINITY;
  const perToken = 1000 / ratePerSecond;
  const window = burst * perToken;
  const stored = rows.sql('SELECT full_at FROM bucket WHERE key = ?').get(key)?.[0] as number | undefined; // REAL
  // Never further ahead than an empty bucket: a clock that stepped back must not stall it.
  const fullAt = Math.min(Math.max(stored ?? now, now), now + window);
  const next = fullAt + cost * perToken;
  const waitMs = next - window - now;
  // What is left of a rounding error is not worth a wait.
  const isTaken = waitMs <= 1e-6;
  rows.sql('INSERT OR REPLACE INTO bucket(key, full_at) VALUES (?, ?)').run(key, isTaken ? next : fullAt);
  return isTaken ? 0 : Math.ceil(waitMs);
}
