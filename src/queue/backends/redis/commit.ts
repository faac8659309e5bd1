import { HoldfastError } from '../../../errors.ts';
import type { RedisOptions } from '../../types/redis.ts';
import type { Connection } from './connection.ts';

/** How long a write waits for replicas or files where nothing is said. */
export const WAIT_TIMEOUT_MS = 5_000;

/** Waits, after a write, until as many replicas or append-only files have it as was asked for; undefined where nothing was. */
export function committer(connection: Connection, options: RedisOptions): (() => Promise<void>) | undefined {
  const { waitReplicas = 0, waitAof } = options;
  const timeoutMs = options.waitTimeoutMs ?? WAIT_TIMEOUT_MS;
  if (waitAof !== undefined) {
    return async () => {
      const [local, replicas] = (await connection.ask('WAITAOF', 1, waitAof, timeoutMs)) as [number, number];
      if (local < 1 || replicas < waitAof) throw notYet(connection.where, 'append-only files', replicas, waitAof);
    };
  }
  if (waitReplicas <= 0) return undefined;
  return async () => {
    const replicas = Number(await connection.ask('WAIT', waitReplicas, timeoutMs));
    if (replicas < waitReplicas) throw notYet(connection.where, 'replicas', replicas, waitReplicas);
  };
}

function notYet(server: string, what: string, has: number, wanted: number): HoldfastError {
  return new HoldfastError(
    'BACKEND_UNAVAILABLE',
    `The write is on Redis at ${server}, but only ${has} of ${wanted} ${what} have it.`,
    { server, reason: `${has} of ${wanted} ${what}`, mayBeDone: true },
  );
}
