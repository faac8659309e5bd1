import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
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
  /** Of its own for each use, so that what tests leave on a server of somebody else's can be told from what is his. */
  readonly keyPrefix: string;
  /** Ends the server if it was started for this; on the one of `REDIS_URL` it removes what stands under the prefix. */
  dispose(): Promise<void>;
}

/** A server to use, not to break: one of our own if there is one to start, otherwise that of `REDIS_URL`. */
export async function plainRedis(): Promise<PlainRedis> {
  const { binary, url } = findRedis();
  const keyPrefix = `holdfast-test-${randomUUID()}`;
  if (binary !== undefined) {
    const server = await RedisServer.start();
    return { url: server.url, keyPrefix, dispose: () => server.dispose() };
  }
  if (url === undefined) throw new Error('no redis-server on the PATH and no REDIS_URL');
  return { url, keyPrefix, dispose: () => removeUnder(url, keyPrefix) };
}

async function removeUnder(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url);
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
  redis.disconnect();
}
