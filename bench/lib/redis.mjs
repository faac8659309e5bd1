import { execFileSync } from 'node:child_process';
import { serve } from './spawn.mjs';

/** The server that is started; REDIS_SERVER names another one, such as a Valkey. */
export const SERVER = process.env.REDIS_SERVER ?? 'redis-server';

/** How a server keeps what it is given: not at all, or with a sync before every answer. */
export const PLAIN = Object.freeze(['--save', '', '--appendonly', 'no']);
export const ALWAYS = Object.freeze(['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']);

/** Version of the server as it says it, or undefined where there is none. */
export function redisVersion() {
  try {
    const said = execFileSync(SERVER, ['--version'], { encoding: 'utf8' });
    return /v=(\S+)/.exec(said)?.[1] ?? said.trim();
  } catch {
    return undefined;
  }
}

/** Runs with a server of its own, empty and on a free port of loopback, which is gone afterwards. */
export async function withRedis(settings, work) {
  const server = await serve('redisServer', { settings });
  try {
    return await work(server.redis);
  } finally {
    await server.stop();
  }
}
