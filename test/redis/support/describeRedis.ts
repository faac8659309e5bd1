import { describe } from 'vitest';
import { findRedis } from './findRedis.ts';
import { RedisServer } from './RedisServer.ts';

/** A group of tests that start servers of their own: left out where there is none to start. */
export function describeRedis(name: string, define: () => void): void {
  describe.skipIf(findRedis().binary === undefined)(name, define);
}

/** A group of tests that use one {@link plainRedis}: left out where there is neither a server to start nor `REDIS_URL`. */
export function describePlainRedis(name: string, define: () => void): void {
  const { binary, url } = findRedis();
  describe.skipIf(binary === undefined && url === undefined)(name, define);
}

export interface PlainRedis {
  readonly url: string;
  /** Ends the server if it was started for this; leaves the one of `REDIS_URL` alone. */
  dispose(): Promise<void>;
}

/** A server to use, not to break: one of our own if there is one to start, otherwise that of `REDIS_URL`. */
export async function plainRedis(): Promise<PlainRedis> {
  const { binary, url } = findRedis();
  if (binary !== undefined) return RedisServer.start();
  if (url === undefined) throw new Error('no redis-server on the PATH and no REDIS_URL');
  return { url, dispose: () => Promise.resolve() };
}
