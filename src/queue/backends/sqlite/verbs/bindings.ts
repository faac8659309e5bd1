import type { Binding } from '../../../types/binding.ts';
import { hash53 } from '../../codec.ts';
import { headOf } from '../moves.ts';
import type { Row, Rows } from '../Rows.ts';

/** Stores what local ids stand for; one that is bound stays as it is, and so does its lane. `own` is the request that binds. */
export function bind(rows: Rows, bindings: readonly Binding[], own: Row): void {
  for (const { localId, serverId, type, zone, requestId, boundAt, alias } of bindings) {
    const isNumber = typeof serverId === 'number';
    const stored = rows
      .sql(
        'INSERT INTO binding(local_id, server_id, type, zone, request_id, numeric, bound) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      )
      .run(localId, String(serverId), type, zone, requestId, isNumber ? 1 : 0, boundAt);
    if (stored === 1 && alias !== undefined) connect(rows, alias, own);
  }
}

/** Lets newcomers of the server lane into the local one, where that has more to do and the other has nothing. */
function connect(rows: Rows, { local, server }: { readonly local: string; readonly server: string }, own: Row): void {
  const { aliases } = rows.ledger;
  if (local === server || aliases.localOf(server) !== undefined || headOf(rows, hash53(server)) !== undefined) return;
  const others = rows.sql('SELECT 1 FROM request WHERE line = ? AND line IS NOT NULL AND seq <> ? LIMIT 1');
  if (others.get(hash53(local), own.seq) !== undefined) aliases.add(server, local);
}

export function binding(rows: Rows, localId: string): Binding | undefined {
  const found = rows
    .sql('SELECT server_id, type, zone, request_id, numeric, bound FROM binding WHERE local_id = ?')
    .get(localId) as [string, string, string, string, number, number] | undefined; // types are those of the columns
  if (found === undefined) return undefined;
  const [serverId, type, zone, requestId, isNumber, boundAt] = found;
  return { localId, serverId: isNumber === 1 ? Number(serverId) : serverId, type, zone, requestId, boundAt };
}

/** Bindings outlive the record that made them for a while: whoever still names the local id is to find the entity. Returns how many are gone. */
export function forgetBindings(rows: Rows, before: number, limit: number): number {
  return rows
    .sql(
      `DELETE FROM binding WHERE local_id IN (SELECT local_id FROM binding WHERE bound < ?
         AND NOT EXISTS (SELECT 1 FROM request WHERE id = binding.request_id) ORDER BY bound, local_id LIMIT ?)`,
    )
    .run(before, limit);
}
