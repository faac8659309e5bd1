import { putResult } from '../moves.ts';
import type { PackedCarried } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

/** Stores what a new request brings from another store and its row does not have yet. */
export function bring(rows: Rows, seq: number, { callers, progress, result }: PackedCarried): void {
  rows.sql('UPDATE request SET callers = ?, progress = ? WHERE seq = ?').run(callers, progress, seq);
  if (result !== null) putResult(rows, seq, result);
}
