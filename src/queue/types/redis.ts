import type { ConnectionOptions } from 'node:tls';

/** Host and port of one Redis server. */
export interface RedisAddress {
  /** @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** @default 6379 (26379 for sentinels) */
  readonly port?: number | undefined;
}

/** Where the Redis or Valkey server is: one address, a URL, a cluster or the sentinels that know it. Options accept `undefined`. */
export interface RedisOptions extends RedisAddress {
  /** `redis://user:password@host:port/db` or `rediss://…` for TLS; instead of `host` and `port`. */
  readonly url?: string | undefined;
  /** Some nodes of a cluster; the others are found. Not together with `db`. */
  readonly cluster?: readonly RedisAddress[] | undefined;
  /** Sentinels that know the master named by `sentinelName`. */
  readonly sentinels?: readonly RedisAddress[] | undefined;
  /** Name of the master the sentinels watch. @default 'mymaster' */
  readonly sentinelName?: string | undefined;
  /** Of the sentinels, where they ask for one. */
  readonly sentinelPassword?: string | undefined;
  /** Of the server's access list. @default its default user */
  readonly username?: string | undefined;
  /** Of that user. @default none */
  readonly password?: string | undefined;
  /** Number of the database. @default 0 */
  readonly db?: number | undefined;
  /** True for TLS with the system's authorities, or options of `tls.connect`. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Stands before every key: `<keyPrefix>:{<name>}:…`. @default 'holdfast' */
  readonly keyPrefix?: string | undefined;
  /** A write counts as committed once so many replicas have it (`WAIT`). @default 0 */
  readonly waitReplicas?: number | undefined;
  /**
   * A write counts as committed once the append-only files of the master and of so many replicas are synced (`WAITAOF`, Redis 7.2
   * and later). Not together with `waitReplicas`.
   */
  readonly waitAof?: number | undefined;
  /** How long a write waits for replicas or the append-only file before it is an error. Ms. @default 5_000 */
  readonly waitTimeoutMs?: number | undefined;
  /** How long a verb waits while the server does not answer or cannot be reached before it is an error. Ms. @default 5_000 */
  readonly commandTimeoutMs?: number | undefined;
  /** Open also where the server may evict keys, which loses requests. @default false */
  readonly allowEviction?: boolean | undefined;
}
