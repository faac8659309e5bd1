import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a machine offers the tests of Redis. */
export interface FoundRedis {
  /** The server's executable; undefined when none is on the `PATH`. Tests that start or kill servers need it. */
  readonly binary: string | undefined;
  /** `REDIS_URL`: a running server. Tests that only use a server can do with it; they keep to keys of their own. */
  readonly url: string | undefined;
}

/** Valkey speaks the same protocol and takes the same arguments. */
const SERVERS = ['redis-server', 'valkey-server'];

export function findRedis(env: NodeJS.ProcessEnv = process.env): FoundRedis {
  const { PATH = '', REDIS_URL } = env;
  const places = SERVERS.flatMap((server) => PATH.split(delimiter).map((folder) => join(folder, server)));
  return { binary: places.find(isExecutable), url: REDIS_URL === '' ? undefined : REDIS_URL };
}

/** Why tests of Redis will be left out, as a line to be printed; undefined when none will be. */
export function missingRedis({ binary, url }: FoundRedis): string | undefined {
  if (binary !== undefined) return undefined;
  return url === undefined
    ? 'no redis-server on the PATH and no REDIS_URL: THE TESTS OF REDIS ARE NOT RUN'
    : 'no redis-server on the PATH: of the tests of Redis, ONLY THOSE THAT CAN DO WITH REDIS_URL ARE RUN';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
