import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { ask } from './ask.ts';
import { findRedis } from './findRedis.ts';
import { freePort } from './freePort.ts';
import { GuardedProcess } from './GuardedProcess.ts';
import type { RedisServerOptions } from './RedisServer.ts';
import { RedisServer } from './RedisServer.ts';

const UP_WITHIN_MS = 50_000;
/** A master that does not answer for so long is held for dead. Sentinels ask once a second: with less, they see ghosts. */
const DOWN_AFTER_MS = 2_000;

/**
 * One sentinel that watches a master with one replica, all on loopback. Whoever starts one disposes of it. A failover
 * takes about three seconds; a former master that comes back takes writes for about eight more, until the sentinel
 * tells it whom to follow.
 */
export class Sentinel {
  readonly host: string = '127.0.0.1';
  readonly port: number;
  /** Under which the sentinel knows the master. */
  readonly name: string = 'main';
  /** The first master and its replica; {@link Sentinel.master} says who is which now. */
  readonly servers: readonly RedisServer[];
  readonly #process: GuardedProcess = new GuardedProcess();

  private constructor(port: number, servers: readonly RedisServer[]) {
    this.port = port;
    this.servers = servers;
  }

  /** Starts all three with the options of the servers, and waits until the sentinel knows both servers. */
  static async start(options: RedisServerOptions = {}): Promise<Sentinel> {
    // Either may become the other's replica.
    const { password, args = [] } = options;
    const both = { ...options, args: [...(password === undefined ? [] : ['--masterauth', password]), ...args] };
    const master = await RedisServer.start(both);
    const servers = [master];
    const sentinel = new Sentinel(await freePort(), servers);
    try {
      servers.push(await RedisServer.replicaOf(master, both));
      await sentinel.#start();
      return sentinel;
    } catch (error) {
      await sentinel.dispose();
      throw error;
    }
  }

  /** The master as the sentinel sees it now. */
  async master(): Promise<RedisServer> {
    const address = (await this.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name)) as [string, string] | null;
    const master = this.servers.find(({ port }) => `${port}` === address?.[1]);
    if (master === undefined) throw new Error(`the sentinel knows no master: ${String(address)}`);
    return master;
  }

  /** Waits until the sentinel names another master than `former`, and that one says it is. */
  async waitForFailover(former: RedisServer, withinMs: number = UP_WITHIN_MS): Promise<RedisServer> {
    const master = await vi.waitFor(
      async () => {
        const now = await this.master();
        if (now === former) throw new Error(`no failover yet\n${this.log()}`);
        return now;
      },
      { timeout: withinMs, interval: 50 },
    );
    await master.waitForInfo('replication', 'role:master', withinMs);
    return master;
  }

  /** The reply to one command, over a connection of its own. */
  ask(...command: string[]): Promise<unknown> {
    return ask(this.port, undefined, command);
  }

  /** The end of what the sentinel printed. */
  log(): string {
    return this.#process.log();
  }

  /** Kills the sentinel and its servers and removes their folders. Idempotent. */
  async dispose(): Promise<void> {
    await Promise.all([this.#process.dispose(), ...this.servers.map((server) => server.dispose())]);
  }

  async #start(): Promise<void> {
    const [master] = this.servers as [RedisServer];
    const lines = [
      `port ${this.port}`,
      'bind 127.0.0.1',
      'protected-mode no',
      `dir ${this.#process.folder}`,
      `sentinel monitor ${this.name} ${master.host} ${master.port} 1`,
      `sentinel down-after-milliseconds ${this.name} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${this.name} 3000`,
      ...(master.password === undefined ? [] : [`sentinel auth-pass ${this.name} ${master.password}`]),
    ];
    // A file: sentinels write into it what they learn.
    const file = join(this.#process.folder, 'sentinel.conf');
    writeFileSync(file, `${lines.join('\n')}\n`);
    this.#process.start(findRedis().binary as string, [file, '--sentinel']); // its servers run, so there is one
    await vi.waitFor(
      async () => {
        if (this.#process.pid === undefined) return;
        const info = String(await this.ask('INFO', 'sentinel'));
        if (!info.includes('status=ok') || !info.includes('slaves=1')) throw new Error(`${info}\n${this.log()}`);
      },
      { timeout: UP_WITHIN_MS, interval: 50 },
    );
    if (this.#process.pid === undefined) throw new Error(`the sentinel has ended\n${this.log()}`);
  }
}
