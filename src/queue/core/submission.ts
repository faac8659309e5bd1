import { HoldfastError } from '../../errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { Accepted, CancelOptions, RequestHandle, Settled, WaitOptions } from '../types/calls.ts';
import type { Callers } from './callers.ts';
import type { Moment } from './moment.ts';
import type { Departure, Withdrawn } from './withdrawal.ts';

/** What a submission asks of the queue. */
export interface Desk {
  readonly callers: Callers;
  readonly clock: Clock;
  /** The present moment, shared by all that is accepted in it. */
  moment(): Moment;
  /** The acceptance of a stored request; rejects with REQUEST_NOT_FOUND. */
  find(id: string): Promise<Accepted>;
  /** Tells the callers of a request, soon, what the store knows: if it ended, is held, or is gone. */
  lookUp(id: string): void;
  /** One of its callers takes it back. */
  leave(id: string): Promise<Withdrawn>;
  /** Cancels it, for someone who is none of its callers, if nothing was sent and, without `force`, at most one caller shares it. */
  cancel(id: string, force: boolean): Promise<boolean>;
  /** Its caller is gone: cancel it, close the wire of a read, or let a sent write go on. */
  abandon(id: string, reason: unknown, departure: Departure): Promise<Withdrawn>;
}

interface Acceptance {
  readonly promise: Promise<Accepted>;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

const ignore = (): undefined => undefined;
const NOT_LEAVING: Promise<Withdrawn> = Promise.resolve('tooLate');

/** A call given to the queue, from admission on: the handle that its caller holds. */
export class Submission implements RequestHandle {
  /** Changes once, when it joins another request. */
  id: string;
  readonly wantsResponse: boolean;
  readonly #desk: Desk;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => void this.#abandon();
  #followers: Submission[] | undefined;
  #accepted: Accepted | undefined;
  #acceptedIn: Moment | undefined;
  #error: { readonly reason: unknown } | undefined;
  /** Set where it was answered without being stored: nobody else knows how it ended. */
  #answer: Settled | undefined;
  #acceptance: Acceptance | undefined;
  /** Waits that the signal would end. */
  #waits = 0;
  /** What came of its latest wish to leave: it is counted off once. */
  #leaving: Promise<Withdrawn> = NOT_LEAVING;

  constructor(id: string, desk: Desk, signal?: AbortSignal, wantsResponse = false) {
    this.id = id;
    this.#desk = desk;
    this.#signal = signal;
    this.wantsResponse = wantsResponse;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  accepted(): Promise<Accepted> {
    if (this.#error !== undefined) return Promise.reject(this.#error.reason);
    if (this.#accepted !== undefined) return Promise.resolve(this.#accepted);
    if (this.#acceptance === undefined) {
      let settle: Omit<Acceptance, 'promise'> | undefined;
      const promise = new Promise<Accepted>((resolve, reject) => {
        settle = { resolve, reject };
      });
      this.#acceptance = { promise, ...(settle as Omit<Acceptance, 'promise'>) }; // set synchronously above
    }
    return this.#acceptance.promise;
  }

  settled(options?: WaitOptions): Promise<Settled> {
    if (this.#error !== undefined) return Promise.reject(this.#error.reason);
    if (this.#signal?.aborted === true) return Promise.reject(this.#signal.reason);
    if (this.#answer !== undefined) return Promise.resolve(this.#answer);
    const waiting = this.#desk.callers.wait(this.id, this);
    if (this.#accepted !== undefined && this.#acceptedIn?.isOver !== false) this.#desk.lookUp(this.id);
    if (this.#signal === undefined && options === undefined) return waiting;
    const signals = [this.#signal, options?.signal].filter((signal) => signal !== undefined);
    if (signals.length === 0 && options?.timeoutMs === undefined) return waiting;
    return this.#bounded(waiting, signals, options?.timeoutMs);
  }

  /** Its caller called it off. */
  get abortedBy(): AbortSignal | undefined {
    return this.#signal?.aborted === true ? this.#signal : undefined;
  }

  /** Its request ended: there is nothing left to call off, and a signal that outlives it must not keep it. */
  ended(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  get isDeduplicated(): boolean {
    return this.#accepted?.deduplicated === true;
  }

  async cancel(options?: CancelOptions): Promise<boolean> {
    const { id } = await this.accepted();
    if (this.#answer !== undefined) return false;
    if (options?.force === true) return this.#desk.cancel(id, true);
    return (await this.#leave(() => this.#desk.leave(id))) === 'cancelled';
  }

  /** It is stored, or joined one that is. */
  accept(accepted: Accepted): void {
    if (accepted.id !== this.id) this.#desk.callers.rename(this.id, accepted.id);
    this.id = accepted.id;
    this.#accepted = accepted;
    if (this.#acceptance !== undefined) {
      if (!accepted.deduplicated) this.#acceptedIn = this.#desk.moment();
      this.#acceptance.resolve(accepted);
    }
    // What it joined may have ended already, or end elsewhere.
    if (accepted.deduplicated && this.#desk.callers.has(accepted.id)) this.#desk.lookUp(accepted.id);
    for (const follower of this.#followers ?? []) follower.accept({ ...accepted, deduplicated: true });
    this.#followers = undefined;
  }

  /** It has its answer, and is not stored. */
  answer(settled: Settled): void {
    this.#answer = settled;
    this.accept({ id: this.id, seq: 0, deduplicated: false });
    this.#desk.callers.tell(this.id, settled);
  }

  refuse(error: unknown): void {
    this.#error = { reason: error };
    this.#acceptance?.reject(error);
    this.#desk.callers.fail(this.id, error);
    for (const follower of this.#followers ?? []) follower.refuse(error);
    this.#followers = undefined;
  }

  /** An identical call of this process shares this one's request. */
  lead(follower: Submission): void {
    this.#desk.callers.rename(follower.id, this.id);
    follower.id = this.id;
    if (this.#error !== undefined) follower.refuse(this.#error.reason);
    else if (this.#accepted !== undefined) follower.accept({ ...this.#accepted, deduplicated: true });
    else if (this.#followers === undefined) this.#followers = [follower];
    else this.#followers.push(follower);
  }

  #bounded(
    waiting: Promise<Settled>,
    signals: readonly AbortSignal[],
    timeoutMs: number | undefined,
  ): Promise<Settled> {
    return new Promise((resolve, reject) => {
      const stop = (error: unknown): void => {
        release();
        this.#desk.callers.leave(this.id, waiting);
        // It may have been told in this very turn.
        waiting.then(({ response }) => response?.live?.release(), ignore);
        reject(error);
      };
      const onAbort = (event: Event): void => stop((event.target as AbortSignal).reason);
      const timer =
        timeoutMs === undefined
          ? undefined
          : this.#desk.clock.schedule(timeoutMs, () => stop(this.#pending(timeoutMs)));
      const release = (): void => {
        timer?.cancel();
        for (const signal of signals) signal.removeEventListener('abort', onAbort);
        if (!isOver) this.#waits -= 1;
        isOver = true;
      };
      let isOver = false;
      this.#waits += 1;
      for (const signal of signals) {
        if (signal.aborted) return stop(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
      }
      waiting.then(resolve, reject).finally(release);
    });
  }

  #pending(timeoutMs: number): HoldfastError {
    const message = `request ${this.id} had not settled after ${timeoutMs} ms; it goes on, ask again with queue.handle`;
    return new HoldfastError('RESULT_PENDING', message, { id: this.id });
  }

  async #abandon(): Promise<void> {
    if (this.#error !== undefined) return;
    const departure = { at: this.#desk.clock.now(), wasWaiting: this.#waits > 0 };
    try {
      const { id } = await this.accepted();
      await this.#leave(() => this.#desk.abandon(id, this.#signal?.reason, departure));
    } catch {
      // It was never accepted: there is nothing to call off, and the caller was told why.
    }
  }

  #leave(leave: () => Promise<Withdrawn>): Promise<Withdrawn> {
    const leaving = this.#leaving.then((before) => (before === 'tooLate' ? leave() : 'left'));
    this.#leaving = leaving.catch(() => 'tooLate');
    return leaving;
  }
}

/** A handle on a request that was stored earlier, here or elsewhere. Who holds it is none of the callers that are counted. */
export class StoredSubmission implements RequestHandle {
  readonly #submission: Submission;
  readonly #desk: Desk;
  readonly #id: string;

  constructor(id: string, desk: Desk) {
    this.#id = id;
    this.#desk = desk;
    this.#submission = new Submission(id, desk);
    this.#submission.accept({ id, seq: 0, deduplicated: false });
  }

  accepted(): Promise<Accepted> {
    return this.#desk.find(this.#id);
  }

  settled(options?: WaitOptions): Promise<Settled> {
    return this.#submission.settled(options);
  }

  cancel(options?: CancelOptions): Promise<boolean> {
    return this.#desk.cancel(this.#id, options?.force === true);
  }
}
