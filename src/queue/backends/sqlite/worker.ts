import type { MessagePort } from 'node:worker_threads';
import { parentPort, receiveMessageOnPort, threadId } from 'node:worker_threads';
import { HoldfastError } from '../../../errors.ts';
import { loadBetterSqlite3 } from './betterSqlite3.ts';
import { connect } from './connection.ts';
import type { Database, Driver } from './driver.ts';
import { packError } from './errors.ts';
import type { Operation } from './Group.ts';
import { Group } from './Group.ts';
import type { FromWorker, OpenQuery, PackedError, ToWorker, Verb } from './protocol.ts';
import { Reserve } from './Reserve.ts';
import { Patience, pause } from './waiting.ts';

/** Operations per commit: bounds how long the first of them waits for the last. */
const LARGEST_GROUP = 1000;
const WATCH_EVERY_MS = 25;

/** The thread that owns the database: drains its port, commits in groups, answers in the order asked. */
class Session {
  readonly #port: MessagePort;
  #path = '';
  #driver: Driver | undefined;
  #database: Database | undefined;
  #group: Group | undefined;
  #waiting: Operation[] = [];
  #isWatched = false;
  #isPolling = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Takes a message and every other one that has arrived meanwhile. */
  receive(first: ToWorker): void {
    let message: ToWorker | undefined = first;
    while (message !== undefined) {
      if (isCalls(message)) this.#queue(message);
      else this.#control(message);
      if (this.#waiting.length >= LARGEST_GROUP) this.#commit();
      message = receiveMessageOnPort(this.#port)?.message as ToWorker | undefined; // only the backend sends here
    }
    this.#commit();
  }

  #queue(calls: readonly unknown[]): void {
    // Verbs and what they take, alternating.
    for (let at = 0; at < calls.length; at += 2) this.#waiting.push([calls[at] as Verb, calls[at + 1]]);
  }

  #commit(): void {
    const operations = this.#waiting;
    if (operations.length === 0) return;
    this.#waiting = [];
    if (this.#group === undefined) {
      const error = packError(new HoldfastError('BACKEND_UNAVAILABLE', 'The database is not open.', {}), this.#path);
      this.#send({ answers: operations.map(() => undefined), errors: operations.map((_, index) => [index, error]) });
      return;
    }
    const { answers, errors } = this.#group.run(operations, () => this.#tellChange());
    const packed = errors.map(([index, error]): [number, PackedError] => [index, packError(error, this.#path)]);
    this.#send({ answers, errors: packed.length === 0 ? null : packed });
  }

  #control(message: Exclude<ToWorker, readonly unknown[]>): void {
    this.#commit();
    if ('watch' in message) {
      this.#isWatched = message.watch;
      if (this.#isWatched && !this.#isPolling) void this.#poll();
      return;
    }
    try {
      if ('open' in message) this.#open(message.open);
      else this.#close();
      this.#send({ answers: [null], errors: null });
    } catch (error) {
      this.#send({ answers: [undefined], errors: [[0, packError(error, this.#path)]] });
    }
    if ('close' in message) this.#port.close();
  }

  #open(query: OpenQuery): void {
    this.#path = query.path;
    const patience = new Patience(query.busyTimeoutMs, process.pid * 64 + threadId);
    const { path, durability } = query;
    this.#driver ??= loadBetterSqlite3(); // kept for as long as this thread lives
    this.#database = connect(this.#driver, { path, durability, patience });
    try {
      const group = new Group(this.#database, patience, new Reserve(path));
      for (const [, error] of group.run([['keepAlive', { ...query, worker: query.identity.worker }]], () => undefined)
        .errors)
        throw error;
      this.#group = group;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #close(): void {
    this.#isWatched = false;
    this.#group = undefined;
    this.#database?.close();
    this.#database = undefined;
  }

  async #poll(): Promise<void> {
    this.#isPolling = true;
    for (;;) {
      await pause(WATCH_EVERY_MS);
      if (!this.#isWatched || this.#group === undefined) break;
      let changed: boolean;
      try {
        changed = this.#group.sawForeignCommit();
      } catch {
        continue; // somebody is recovering or checkpointing the file: the next look will tell
      }
      if (changed) this.#tellChange();
    }
    this.#isPolling = false;
  }

  #tellChange(): void {
    if (this.#isWatched) this.#send({ changed: true });
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}

function isCalls(message: ToWorker): message is readonly unknown[] {
  return Array.isArray(message);
}

if (parentPort !== null) {
  const session = new Session(parentPort);
  parentPort.on('message', (message: ToWorker) => session.receive(message));
}
