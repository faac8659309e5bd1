import { HoldfastError } from '../../../errors.ts';
import type { Durability } from '../../types/backend.ts';
import type { RedisOptions } from '../../types/redis.ts';
import type { Connection } from './connection.ts';

/** What the server says of itself, as far as it matters here. */
export interface ServerFacts {
  /** For instance `7.0.15`. */
  readonly version: string;
  readonly evictionPolicy: string;
  /** `always`, `everysec` or `no`; `off` without an append-only file; `unknown` where the server does not tell. */
  readonly appendSync: string;
}

/** Reads the settings that decide what a committed write survives. Servers that hide `CONFIG` are taken at their least. */
export async function askServer(connection: Connection): Promise<ServerFacts> {
  const info = fieldsOf(String(await connection.ask('INFO')));
  const sync = info.get('aof_enabled') === '1' ? await setting(connection, 'appendfsync') : 'off';
  return {
    version: info.get('valkey_version') ?? info.get('redis_version') ?? '0',
    evictionPolicy: info.get('maxmemory_policy') ?? 'unknown',
    appendSync: sync,
  };
}

async function setting(connection: Connection, name: string): Promise<string> {
  try {
    const answer = await connection.ask('CONFIG', 'GET', name);
    return Array.isArray(answer) && answer.length > 1 ? String(answer[1]) : 'unknown';
  } catch {
    return 'unknown'; // managed servers forbid the command
  }
}

function fieldsOf(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** What a write survives once it was answered: replicas count only where a write waits for them. */
export function durabilityOf({ appendSync }: ServerFacts, options: RedisOptions): Durability {
  if ((options.waitReplicas ?? 0) > 0 || (options.waitAof ?? 0) > 0) return 'replicated';
  if (appendSync === 'always' || options.waitAof !== undefined) return 'disk';
  return appendSync === 'off' || appendSync === 'unknown' ? 'none' : 'process';
}

/** @throws `BACKEND_REFUSED` where the server would lose requests by itself or cannot do what is asked. */
export function checkServer(facts: ServerFacts, options: RedisOptions, where: string): void {
  const { evictionPolicy, version } = facts;
  if (evictionPolicy !== 'noeviction' && evictionPolicy !== 'unknown' && options.allowEviction !== true) {
    throw new HoldfastError(
      'BACKEND_REFUSED',
      `Redis at ${where} evicts keys when its memory is full (maxmemory-policy ${evictionPolicy}), which would lose requests. ` +
        'Set it to noeviction, or `allowEviction: true`.',
      { server: where, reason: `maxmemory-policy ${evictionPolicy}` },
    );
  }
  if (options.waitAof !== undefined && !isAtLeast(version, 7, 2)) {
    throw new HoldfastError(
      'BACKEND_REFUSED',
      `Redis ${version} at ${where} has no WAITAOF, which \`waitAof\` needs: 7.2 or later.`,
      { server: where, reason: `version ${version}` },
    );
  }
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map(Number);
  return first > major || (first === major && second >= minor);
}
