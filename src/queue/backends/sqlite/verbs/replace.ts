import { reasonCode, stateOf } from '../../codec.ts';
import { HAS_RESULT, HAS_WAITERS } from '../flags.ts';
import { end, putResult, Report } from '../moves.ts';
import type { PackedEnqueueResult, PackedRequest } from '../protocol.ts';
import { ACCEPTED, REFUSED } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { BLOCKED, ROW, SUCCEEDED, SUPERSEDED } from '../Rows.ts';

const SQUASHED = reasonCode('squashed');
const NOOP = reasonCode('noop');

/** The request whose place the newcomer may take, or why it may not. */
export function replaceable(rows: Rows, request: PackedRequest, id: string): Row | PackedEnqueueResult {
  const refuse = (why: string): PackedEnqueueResult => [REFUSED, 'replaced', `${id} ${why}`];
  const line = request[6];
  const found =
    line === null
      ? undefined
      : rows
          .sql(
            `SELECT ${ROW}, principal, lane FROM request WHERE line = ? AND line IS NOT NULL ORDER BY line DESC, seq DESC LIMIT 1`,
          )
          .get(line);
  if (found === undefined) return refuse('is not in its lane');
  const row = rows.row(found);
  if (row.id !== id || found[20] !== request[5]) return refuse('is not the last of its lane');
  if (row.state > BLOCKED) return refuse(`is ${stateOf(row.state)}`);
  if (row.firstSent !== null) return refuse('was sent');
  if (found[19] !== request[8]) return refuse('is of another principal');
  if (request[7]?.includes(id) || isAwaited(rows, row)) return refuse('is waited for');
  return row;
}

function isAwaited(rows: Rows, { flags, seq }: Row): boolean {
  if ((flags & HAS_WAITERS) === 0) return false;
  return rows.sql('SELECT 1 FROM wait WHERE predecessor = ? LIMIT 1').get(seq) !== undefined;
}

/** The newcomer with the better priority of the two. */
export function withBetter(request: PackedRequest, replaced: Row): PackedRequest {
  const better = [...request];
  better[14] = Math.max(request[14], replaced.priority);
  return better as unknown as PackedRequest; // the same with another number
}

/** Ends what is replaced. It was the last of its lane, which is not free: the newcomer takes its place. */
export function giveWay(rows: Rows, replaced: Row, newcomer: string, now: number): void {
  end(rows, { ...replaced, line: null }, SUPERSEDED, SQUASHED, now, new Report());
  rows.sql('UPDATE request SET replayed_as = ? WHERE seq = ?').run(newcomer, replaced.seq);
}

/** Adds the callers of what was replaced, and ends the newcomer where nothing is left to do. */
export function takeOver(
  rows: Rows,
  request: PackedRequest,
  replaced: Row,
  accepted: PackedEnqueueResult,
  now: number,
): PackedEnqueueResult {
  const row = rows.byId(request[0]) as Row; // just stored
  rows.sql('UPDATE request SET callers = callers + ? WHERE seq = ?').run(replaced.callers, row.seq);
  const result = request[23]?.result ?? null;
  if (result === null) return accepted;
  putResult(rows, row.seq, result);
  row.flags |= HAS_RESULT;
  end(rows, row, SUCCEEDED, NOOP, now, new Report());
  return [ACCEPTED, row.seq, row.state, null, null];
}
