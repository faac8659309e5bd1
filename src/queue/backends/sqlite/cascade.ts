import { CASCADE, HAS_WAITERS, ON_FAILURE } from './flags.ts';
import type { Row, Rows } from './Rows.ts';
import { BLOCKED, HELD, READY, ROW, SCHEDULED } from './Rows.ts';

const WAITING: ReadonlySet<number> = new Set([READY, SCHEDULED, BLOCKED, HELD]);

export function cascades(row: Row): boolean {
  return (row.flags & ON_FAILURE) === CASCADE;
}

/**
 * Who is abandoned with a request that fails, the last accepted first: what waits for it and, with `takesLane`, what is behind
 * it in its lane; the same of each that was found, where that cascades itself. What is being sent or unknown is left alone.
 */
export function victimsOf(rows: Rows, failed: Row, takesLane: boolean): Row[] {
  const victims = new Map<number, Row>();
  const open: Row[] = [failed];
  const seen = new Lanes(rows);
  const add = (row: Row): void => {
    if (!WAITING.has(row.state) || victims.has(row.seq)) return;
    victims.set(row.seq, row);
    open.push(row);
  };
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    const isLaneLost = row === failed ? takesLane : cascades(row);
    if (isLaneLost && row.line !== null) for (const behind of seen.behind(row.line, row.seq)) add(behind);
    if ((row.flags & HAS_WAITERS) === 0) continue;
    const waiters = rows.sql('SELECT waiter FROM wait WHERE predecessor = ?').all(row.seq);
    for (const [seq] of waiters) if (!victims.has(seq as number)) add(rows.bySeq(seq as number)); // integer column
  }
  return [...victims.values()].sort((a, b) => b.seq - a.seq);
}

/** Walks each lane once, however many of it cascade. */
class Lanes {
  readonly #rows: Rows;
  /** From where on the members of a lane were given. */
  readonly #given = new Map<number, number>();

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  behind(line: number, seq: number): Row[] {
    const until = this.#given.get(line) ?? Number.MAX_SAFE_INTEGER;
    if (seq >= until) return [];
    this.#given.set(line, seq);
    return this.#rows
      .sql(`SELECT ${ROW} FROM request WHERE line = ? AND line IS NOT NULL AND seq > ? AND seq < ?`)
      .all(line, seq, until)
      .map((found) => this.#rows.row(found));
  }
}
