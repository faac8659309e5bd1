import { isTerminal } from '../../../types/states.ts';
import { stateOf } from '../../codec.ts';
import type { PackedEnqueueResult, PackedRequest } from '../protocol.ts';
import { JOIN_TAIL, JOIN_WINDOW, JOINED, REFUSED } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { ROW, SENDING } from '../Rows.ts';
import { lendRank, raise } from '../ranks.ts';

/** The request that a newcomer joins by its key or its join rule; undefined when it stands for itself. */
export function join(rows: Rows, request: PackedRequest): PackedEnqueueResult | undefined {
  const key = request[9];
  if (key !== null) {
    const found = rows.sql(`SELECT ${ROW}, digest FROM request WHERE key = ? AND key IS NOT NULL`).get(key);
    if (found !== undefined) {
      const row = rows.row(found);
      if (request[22] !== undefined) return [REFUSED, 'keyConflict', `the key belongs to request ${row.id}`];
      if (found[19] !== request[11]) return [REFUSED, 'keyConflict', `${row.id} was accepted with other content`];
      return share(rows, row, request);
    }
  }
  if (request[22] !== undefined) return undefined;
  const row = candidate(rows, request);
  return row === undefined ? undefined : share(rows, row, request);
}

function candidate(rows: Rows, request: PackedRequest): Row | undefined {
  const line = request[6];
  const fp = request[10];
  const digest = request[11];
  if (digest === null) return undefined;
  if (request[12] === JOIN_TAIL && line !== null) {
    const found = rows
      .sql(
        `SELECT ${ROW}, digest, principal, lane FROM request WHERE line = ? AND line IS NOT NULL ORDER BY line DESC, seq DESC LIMIT 1`,
      )
      .get(line);
    if (found === undefined || found[19] !== digest || found[20] !== request[8] || found[21] !== request[5]) {
      return undefined;
    }
    const row = rows.row(found);
    return row.firstSent === null && row.state !== SENDING ? row : undefined;
  }
  if (request[12] === JOIN_WINDOW && fp !== null) {
    const found = rows
      .sql(
        `SELECT ${ROW} FROM request WHERE fp = ? AND fp IS NOT NULL AND accepted >= ? AND digest = ? ORDER BY seq DESC LIMIT 1`,
      )
      .get(fp, request[13], digest);
    return found === undefined ? undefined : rows.row(found);
  }
  return undefined;
}

function share(rows: Rows, row: Row, request: PackedRequest): PackedEnqueueResult {
  row.callers += 1;
  if (isTerminal(stateOf(row.state))) {
    rows.sql('UPDATE request SET callers = ? WHERE seq = ?').run(row.callers, row.seq);
    return [JOINED, row.id, row.seq, row.state];
  }
  row.priority = Math.max(row.priority, request[14]);
  const isRaised = raise(rows, row, request[15]);
  row.expires = row.expires === null || request[17] === null ? null : Math.max(row.expires, request[17]);
  rows
    .sql('UPDATE request SET callers = ?, priority = ?, rank = ?, turn = ?, expires = ? WHERE seq = ?')
    .run(row.callers, row.priority, row.rank, row.turn, row.expires, row.seq);
  if (isRaised) lendRank(rows, row);
  return [JOINED, row.id, row.seq, row.state];
}
