import { headOf, raiseHead } from './moves.ts';
import type { PackedFlow, PackedRank } from './protocol.ts';
import type { Row, Rows } from './Rows.ts';
import { BLOCKED, SUCCEEDED } from './Rows.ts';

export interface Rank {
  readonly value: number;
  /** As stored. */
  readonly turn: string | null;
  /** The flow that is charged when it is used. */
  readonly flow: PackedFlow | null;
}

/** The rank of a newcomer, or that of the one whose place it takes if that is as good. */
export function newRank({ ledger }: Rows, form: PackedRank, replaced: Row | undefined): Rank {
  const isFlow = typeof form === 'object' && form !== null;
  const value = isFlow ? ledger.flows.coming(form) : (form ?? -ledger.comingSeq);
  if (replaced !== undefined && replaced.rank <= value) {
    return { value: replaced.rank, turn: replaced.turn, flow: null };
  }
  return { value, turn: isFlow ? JSON.stringify(form) : null, flow: isFlow ? form : null };
}

/** Computes the rank of a stored request anew. The caller writes it. */
export function rerank({ ledger: { flows } }: Rows, row: Row, form: PackedRank, now: number): void {
  if (typeof form !== 'object' || form === null) {
    row.rank = form ?? -row.seq;
    row.turn = null;
  } else if (row.state < SUCCEEDED) {
    row.rank = flows.coming(form);
    row.turn = JSON.stringify(form);
    flows.charge(form, row.rank, now);
  }
}

/** Gives a live request the rank of a form if that is better, at nobody's cost. The caller writes it. True where it did. */
export function raise({ ledger: { flows } }: Rows, row: Row, form: PackedRank): boolean {
  if (form === null) return false;
  const isFlow = typeof form === 'object';
  const rank = isFlow ? flows.coming(form) : form;
  if (rank >= row.rank) return false;
  row.rank = rank;
  row.turn = isFlow ? JSON.stringify(form) : null;
  return true;
}

/** A blocked request that was given a rank lends it to the head of its lane. */
export function lendRank(rows: Rows, row: Row): void {
  if (row.state !== BLOCKED || row.line === null) return;
  const head = headOf(rows, row.line);
  if (head !== undefined && head.seq !== row.seq) raiseHead(rows, head, row);
}
