import { Worker } from 'node:worker_threads';
import type { ErrorDetails } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';
import type { FromWorker, PackedError, ToWorker, Verb, Verbs } from './protocol.ts';

/**
 * The worker of the built package, also when this file runs as TypeScript (in this package's tests): not every supported Node
 * loads TypeScript in a thread, and one file is loaded sooner than many. Building the package first is the tests' business.
 */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? '../../../../lib/worker.js' : './worker.js',
  import.meta.url,
);

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The caller's end of the thread that owns the database. Calls of one turn travel in one message and none waits for the
 * answer of another; answers come in the order of the calls. The thread keeps the process alive only while one is pending.
 */
export class WorkerLink {
  readonly #worker: Worker;
  readonly #onChange: () => void;
  #outbox: unknown[] = [];
  #pending: Pending[] = [];
  #answered = 0;
  #lost: unknown;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    // Flags of the application's command line (loaders, `--input-type`) are not meant for this thread, some even stop it.
    this.#worker = new Worker(WORKER_URL, { execArgv: [] });
    this.#worker.unref();
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread ended')));
  }

  /** Adds a call to the next message. `decode` makes of the answer what the caller gets. */
  call<V extends Verb, T>(verb: V, takes: Verbs[V]['takes'], decode: (answer: Verbs[V]['gives']) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
      this.#outbox.push(verb, takes);
      this.#expect({ resolve: (answer) => resolve(decode(answer as Verbs[V]['gives'])), reject });
    });
  }

  /** Opens or closes the database, in order with the calls. */
  control(message: Extract<ToWorker, { open: unknown } | { close: unknown }>): Promise<void> {
    this.#flush();
    return new Promise<void>((resolve, reject) => {
      this.#expect({ resolve: () => resolve(), reject });
      this.#worker.postMessage(message);
    });
  }

  watch(isWatched: boolean): void {
    this.#worker.postMessage({ watch: isWatched } satisfies ToWorker);
  }

  /** Ends the thread. To be called once nothing is pending. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #expect(pending: Pending): void {
    if (this.#lost !== undefined) {
      pending.reject(lostThread(this.#lost));
      return;
    }
    if (this.#pending.length === this.#answered) this.#worker.ref();
    this.#pending.push(pending);
  }

  #flush(): void {
    const calls = this.#outbox;
    if (calls.length === 0) return;
    this.#outbox = [];
    this.#worker.postMessage(calls);
  }

  #receive(message: FromWorker): void {
    if ('changed' in message) {
      this.#onChange();
      return;
    }
    const { answers, errors } = message;
    const failed = errors === null ? undefined : new Map(errors);
    for (let index = 0; index < answers.length; index += 1) {
      const pending = this.#pending[this.#answered] as Pending; // one answer per call, in order
      this.#answered += 1;
      const error = failed?.get(index);
      if (error !== undefined) pending.reject(unpackError(error));
      else settle(pending, answers[index]);
    }
    this.#forgetAnswered();
  }

  #forgetAnswered(): void {
    if (this.#answered === this.#pending.length) {
      this.#pending = [];
      this.#answered = 0;
      this.#worker.unref();
    } else if (this.#answered >= 1024) {
      this.#pending = this.#pending.slice(this.#answered);
      this.#answered = 0;
    }
  }

  #fail(error: unknown): void {
    this.#lost ??= error;
    const left = this.#pending.slice(this.#answered);
    this.#pending = [];
    this.#answered = 0;
    for (const { reject } of left) reject(lostThread(error));
  }
}

function settle(pending: Pending, answer: unknown): void {
  try {
    pending.resolve(answer);
  } catch (error) {
    pending.reject(error); // a record that cannot be decoded fails its own call
  }
}

function lostThread(cause: unknown): HoldfastError<'BACKEND_UNAVAILABLE'> {
  const message = 'The thread of the SQLite store is gone; open the store again.';
  return new HoldfastError('BACKEND_UNAVAILABLE', message, {}, { cause });
}

function unpackError({ code, message, details, cause }: PackedError): HoldfastError {
  const known = details as ErrorDetails<typeof code>; // made for this code by the other side
  return new HoldfastError(code, message, known, cause === null ? undefined : { cause: new Error(cause) });
}
