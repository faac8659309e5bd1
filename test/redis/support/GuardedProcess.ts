import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Reads process ids, remembers the last, and at the end of its input kills that process and removes the folder. Its
 * input ends with us, however we end: SIGKILL included.
 */
const GUARD = 'pid=; while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"; rm -rf "$1"';

/** A server process with a temporary folder of its own. Neither outlives this process, however it ends. */
export class GuardedProcess {
  readonly folder: string;
  readonly #guard: ChildProcess;
  readonly #guardEnded: Promise<unknown>;
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
    // A session of its own: Ctrl-C reaches the whole group in the foreground, and the guard must outlive us.
    this.#guard = spawn('sh', ['-c', GUARD, 'sh', this.folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guardEnded = once(this.#guard, 'exit');
    this.#guard.unref();
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it; its output goes to the log in its folder. */
  start(command: string, args: readonly string[]): void {
    if (this.#child !== undefined) throw new Error(`${command} runs already, as process ${this.#child.pid}`);
    if (this.#guard.stdin?.writable !== true) throw new Error(`${command} was disposed of`);
    const log = openSync(join(this.folder, 'log'), 'a');
    const child = spawn(command, args, { cwd: this.folder, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.unref();
    this.#child = child;
    this.#guard.stdin.write(`${child.pid ?? ''}\n`);
    this.#ended = new Promise<void>((resolve) => {
      const end = (): void => {
        if (this.#child === child) this.#child = undefined;
        if (this.#guard.stdin?.writable === true) this.#guard.stdin.write('\n');
        resolve();
      };
      child.once('exit', end);
      child.once('error', end);
    });
  }

  /** Sends a signal, if it runs. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Sends a signal that ends it, also while it is stopped, and waits until it has ended. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.signal(signal);
    this.signal('SIGCONT');
    await this.#ended;
  }

  /** The end of what it printed. */
  log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8').slice(-3_000);
  }

  /** Kills it and removes its folder. Idempotent. */
  async dispose(): Promise<void> {
    await this.end('SIGKILL');
    this.#guard.stdin?.end();
    await this.#guardEnded;
  }
}
