import type { AliveQuery, StoredWorker } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

/** Renews a worker's lease of life. Writes its whole identity: others may have taken it for dead and removed it. */
export function keepAlive(rows: Rows, { worker, identity, leaseNow, leaseMs }: AliveQuery): null {
  if (identity === null) {
    rows.sql('UPDATE worker SET alive_until = ? + lease_ms WHERE worker = ?').run(leaseNow, worker);
    return null;
  }
  rows
    .sql(
      `INSERT INTO worker(worker, boot_id, pid_namespace, pid, process_start, alive_until, lease_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET alive_until = excluded.alive_until, lease_ms = excluded.lease_ms`,
    )
    .run(
      identity.worker,
      identity.bootId,
      identity.pidNamespace,
      identity.pid,
      identity.processStart,
      leaseNow + leaseMs,
      leaseMs,
    );
  return null;
}

export function leave(rows: Rows, worker: string): null {
  rows.sql('DELETE FROM worker WHERE worker = ?').run(worker);
  return null;
}

export function workers(rows: Rows): StoredWorker[] {
  return rows
    .sql('SELECT worker, boot_id, pid_namespace, pid, process_start, alive_until, lease_ms FROM worker')
    .all()
    .map(([worker, bootId, pidNamespace, pid, processStart, aliveUntil, leaseMs]) => ({
      // Types are those of the columns in the STRICT table.
      worker: worker as string,
      bootId: bootId as string,
      pidNamespace: pidNamespace as string,
      pid: pid as number,
      processStart: processStart as string,
      aliveUntil: aliveUntil as number,
      leaseMs: leaseMs as number,
    }));
}
