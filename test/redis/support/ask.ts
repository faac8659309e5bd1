import { Redis } from 'ioredis';

/** The reply to one command, over a connection of its own to a server on loopback; rejects when there is none in 2 s. */
export async function ask(port: number, password: string | undefined, command: readonly string[]): Promise<unknown> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: 1_000,
    commandTimeout: 2_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The promises below reject with the same error.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const [name, ...args] = command;
    return await redis.call(name as string, ...args);
  } finally {
    redis.disconnect();
  }
}
