import type { Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

export function append(rows: Rows, entries: Verbs['append']['takes']): number[] {
  const insert = rows.sql('INSERT INTO history(stream, at, data) VALUES (?, ?, ?) RETURNING seq');
  return entries.map(([stream, at, data]) => insert.get(stream, at, data)?.[0] as number); // RETURNING always answers
}

export function history(rows: Rows, [stream, after, limit]: Verbs['history']['takes']): Verbs['history']['gives'] {
  return rows
    .sql('SELECT seq, at, data FROM history WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?')
    .all(stream, after, limit) as unknown as Verbs['history']['gives']; // types are those of the columns
}

export function trim(rows: Rows, [stream, keep, before]: Verbs['trim']['takes']): number {
  return rows
    .sql(
      `DELETE FROM history WHERE stream = ? AND (at < ? OR seq NOT IN (
         SELECT seq FROM history WHERE stream = ? ORDER BY seq DESC LIMIT ?))`,
    )
    .run(stream, before, stream, keep);
}
