import { vi } from 'vitest';
import { ask } from './ask.ts';
import { findRedis } from './findRedis.ts';
import { freePort } from './freePort.ts';
import { GuardedProcess } from './GuardedProcess.ts';

export interface RedisServerOptions {
  /** Of the append-only file: none, or synced every second or before every answer. @default 'no' */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  readonly password?: string;
  /** As in `redis.conf`: `'64mb'`. */
  readonly maxmemory?: string;
  /** @default a free one */
  readonly port?: number;
  /** More arguments for the server; they come last, so they win. */
  readonly args?: readonly string[];
}

const UP_WITHIN_MS = 50_000;
/** Another process may take the free port before the server does. */
const MAX_ATTEMPTS = 5;

/**
 * A real Redis server on a port of loopback, with a data folder of its own. Whoever starts one disposes of it. Its
 * default keeps nothing on disk; with an append-only file, a restart finds what it held.
 */
export class RedisServer {
  readonly host: string = '127.0.0.1';
  readonly port: number;
  readonly password: string | undefined;
  readonly #process: GuardedProcess;
  readonly #command: string;
  readonly #args: readonly string[];

  private constructor(command: string, port: number, options: RedisServerOptions) {
    this.#process = new GuardedProcess();
    this.#command = command;
    this.port = port;
    this.password = options.password;
    this.#args = argumentsFor(port, this.#process.folder, options);
  }

  /** Starts a server and waits until it answers. Throws with the server's log if it does not. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const { binary } = findRedis();
    if (binary === undefined) throw new Error('no redis-server on the PATH');
    const withBus = options.args?.includes('--cluster-enabled') === true;
    for (let attempt = 1; ; attempt += 1) {
      const server = new RedisServer(binary, options.port ?? (await freePort(withBus)), options);
      try {
        await server.restart();
        return server;
      } catch (error) {
        const isTaken = String(error).includes('Address already in use');
        await server.dispose();
        if (!isTaken || options.port !== undefined || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** Starts a replica and waits until it holds what `master` holds. The replica takes the master's password. */
  static async replicaOf(master: RedisServer, options: RedisServerOptions = {}): Promise<RedisServer> {
    const { password } = master;
    const access = password === undefined ? [] : ['--masterauth', password];
    const replica = await RedisServer.start({
      ...(password === undefined ? {} : { password }),
      ...options,
      args: ['--replicaof', `${master.host} ${master.port}`, ...access, ...(options.args ?? [])],
    });
    try {
      await replica.waitForInfo('replication', 'master_link_status:up');
    } catch (error) {
      await replica.dispose();
      throw error;
    }
    return replica;
  }

  /** With the password, if it has one. */
  get url(): string {
    const access = this.password === undefined ? '' : `:${encodeURIComponent(this.password)}@`;
    return `redis://${access}${this.host}:${this.port}`;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.pid !== undefined;
  }

  /** Its data folder. */
  get folder(): string {
    return this.#process.folder;
  }

  /** The reply to one command, over a connection of its own. */
  ask(...command: string[]): Promise<unknown> {
    return ask(this.port, this.password, command);
  }

  /** Waits until a section of `INFO` has the text; throws with the server's log when it has not, or when it ended. */
  async waitForInfo(section: string, text: string, withinMs: number = UP_WITHIN_MS): Promise<void> {
    await vi.waitFor(
      async () => {
        if (!this.isRunning) return;
        const info = String(await this.ask('INFO', section));
        if (!info.includes(text)) throw new Error(`no '${text}' in ${info}\n${this.log()}`);
      },
      { timeout: withinMs, interval: 20 },
    );
    if (!this.isRunning) throw new Error(`the server on port ${this.port} has ended\n${this.log()}`);
  }

  /** Ends it as an administrator would: what its settings promise is on disk. Fulfils when it has ended; idempotent. */
  stop(): Promise<void> {
    return this.#process.end('SIGTERM');
  }

  /** Ends it as a crash would. Fulfils when it has ended; idempotent. */
  kill(): Promise<void> {
    return this.#process.end('SIGKILL');
  }

  /** Stops it if it runs, starts it on the same port and folder with the same arguments, and waits until it answers. */
  async restart(): Promise<void> {
    await this.stop();
    this.#process.start(this.#command, this.#args);
    // Not any answer: a server of another test could listen on the port.
    await this.waitForInfo('server', `process_id:${this.pid}\r`);
  }

  /** Stops its execution: connections stay open and nothing answers. */
  pause(): void {
    this.#process.signal('SIGSTOP');
  }

  resume(): void {
    this.#process.signal('SIGCONT');
  }

  /** The end of what the server printed. */
  log(): string {
    return this.#process.log();
  }

  /** Kills it and removes its folder. Idempotent. */
  dispose(): Promise<void> {
    return this.#process.dispose();
  }
}

function argumentsFor(port: number, folder: string, options: RedisServerOptions): string[] {
  const { appendonly = 'no', password, maxmemory, args = [] } = options;
  return [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--protected-mode', 'no', '--daemonize', 'no'],
    ...['--dir', folder, '--save', ''],
    // A replica would wait five seconds for others before it is sent the data.
    ...['--repl-diskless-sync-delay', '0'],
    ...(appendonly === 'no' ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', appendonly]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...(maxmemory === undefined ? [] : ['--maxmemory', maxmemory]),
    ...args,
  ];
}
