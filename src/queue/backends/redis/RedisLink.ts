import type { HoldfastError } from '../../../errors.ts';
import type { Clock, Timer } from '../../../system/clock.ts';
import type { Connection } from './connection.ts';
import { failure, judge, unanswered } from './errors.ts';
import type { Packable } from './msgpack.ts';
import { Packer, Unpacker } from './msgpack.ts';
import type { Script, Verb } from './script.ts';
import { MOST_UNANSWERED, partOf } from './script.ts';

/** How often it is looked whether the server still answers. */
const LOOK_MS = 1_000;
/** So long without any answer, something being asked, means that the connection is dead. */
const SILENT_MS = 4_000;
/** A connection nobody uses is tried so often, so that its death is known before it is needed. */
const IDLE_MS = 2_000;
/** How soon a call is made again that the server could not serve just now. */
const AGAIN_MS = 50;

export interface LinkOptions {
  readonly script: Script;
  readonly keys: readonly string[];
  /** Channel of news about changes. */
  readonly news: string;
  /** A call not answered for so long is given up. */
  readonly commandTimeoutMs: number;
  /** Ms a lease lasts; null: the caller's times are used as they are. */
  readonly leaseMs: () => number | null;
  /** Waits until a write has the durability that was asked for. */
  readonly commit?: (() => Promise<void>) | undefined;
}

interface Call {
  readonly verb: string;
  /** 0: it only reads. */
  readonly number: number;
  readonly argument: Buffer;
  readonly givenAt: number;
  /** Epoch of the connection it was sent on; 0: not sent since the last loss. */
  epoch: number;
  /** How often it was sent. */
  sends: number;
  /** Its caller was told that there is no answer. */
  isGivenUp: boolean;
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: HoldfastError) => void;
  readonly undo: ((answer: Unpacker) => void) | undefined;
}

/** What a verb is asked with. */
export interface Ask {
  readonly writes: boolean;
  readonly leaseNow?: number | undefined;
  /** Given the answer when it comes after its caller was told that there is none. */
  readonly undo?: ((answer: Unpacker) => void) | undefined;
}

/**
 * The way to the server: calls go out in order and without waiting for each other, survive the loss of the connection, and take
 * effect once, since the server keeps the answers of the last ones. A call that stays unanswered is given up in time; the
 * link itself goes on trying for as long as it is open.
 */
export class RedisLink {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #options: LinkOptions;
  readonly #packer = new Packer();
  /** Calls without an answer, in call order. */
  #calls: Call[] = [];
  #lastNumber = 0;
  #epoch = 0;
  #isReady = false;
  #isLoading = false;
  #isClosed = false;
  #handle = '';
  #cause: unknown;
  #heardAt = 0;
  #timer: Timer | undefined;
  #again: Timer | undefined;
  #idle: Set<() => void> = new Set();

  constructor(connection: Connection, clock: Clock, options: LinkOptions) {
    this.#connection = connection;
    this.#clock = clock;
    this.#options = options;
  }

  get packer(): Packer {
    return this.#packer;
  }

  /** Known to the server by this name from now on. */
  set handle(handle: string) {
    this.#handle = handle;
  }

  get handle(): string {
    return this.#handle;
  }

  open(): void {
    this.#connection.open({
      ready: () => this.#ready(),
      lost: (cause) => this.#lost(cause),
    });
    this.#look();
  }

  /** Ends without waiting: what is unanswered is given up. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#again?.cancel();
    this.#connection.close();
    for (const call of this.#calls.splice(0)) this.#giveUp(call, new Error('the store was closed'));
    this.#settleIdle();
  }

  /** Resolves when every call made so far has its answer. */
  settled(): Promise<void> {
    if (this.#waiting() === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.add(resolve));
  }

  async call(verb: Verb, payload: Packable, ask: Ask): Promise<Unpacker> {
    const { commit } = this.#options;
    const { call, answer } = await this.#make(verb, payload, ask);
    if (ask.writes && commit !== undefined) await this.#commit(commit, call);
    return new Unpacker(answer);
  }

  /**
   * Replicas are waited for on the connection that made the write. Where it was lost since, or may not have made it, another write is
   * made on the present one: what replicas have of that, they have of all before.
   */
  async #commit(commit: () => Promise<void>, call: Call): Promise<void> {
    let isSure = call.sends === 1;
    for (let epoch = call.epoch; ; epoch = this.#epoch) {
      if (!isSure) await this.#make('touch', false, { writes: true });
      await commit();
      if (epoch === this.#epoch) return;
      isSure = false;
    }
  }

  #make(verb: Verb, payload: Packable, { writes, leaseNow, undo }: Ask): Promise<{ call: Call; answer: Buffer }> {
    const { leaseMs, news } = this.#options;
    const length = leaseMs();
    const number = writes ? ++this.#lastNumber : 0;
    const time = length === null ? (leaseNow ?? 0) : false;
    const argument = this.#packer.pack([verb, number, time, length ?? 0, this.#handle, news, payload, partOf(verb)]);
    return new Promise((resolve, reject) => {
      const call: Call = {
        verb,
        number,
        argument,
        givenAt: this.#clock.monotonicNow(),
        epoch: 0,
        sends: 0,
        isGivenUp: false,
        resolve: (answer) => resolve({ call, answer }),
        reject,
        undo,
      };
      this.#calls.push(call);
      if (this.#calls.length === 1) this.#connection.keepAlive(true);
      this.#pump();
    });
  }

  #waiting(): number {
    return this.#calls.reduce((count, { isGivenUp }) => count + (isGivenUp ? 0 : 1), 0);
  }

  #ready(): void {
    this.#epoch += 1;
    this.#isReady = true;
    this.#cause = undefined;
    this.#heardAt = this.#clock.monotonicNow();
    this.#pump();
  }

  #lost(cause: unknown): void {
    this.#isReady = false;
    this.#cause = cause ?? this.#cause;
    for (const call of this.#calls) call.epoch = 0;
    const verdict = judge(cause);
    if (verdict?.verdict !== 'fail') return;
    // No waiting mends a wrong password.
    for (const call of this.#calls.splice(0)) this.#fail(call, verdict.code, verdict.advice, cause);
    this.#answered();
  }

  /** Sends what is not on its way, in call order. */
  #pump(): void {
    if (!this.#isReady || this.#isLoading || this.#isClosed) return;
    const oldest = this.#calls.find(({ number }) => number > 0)?.number ?? 0;
    for (const call of this.#calls) {
      if (call.epoch !== 0) continue;
      if (oldest > 0 && call.number >= oldest + MOST_UNANSWERED) break;
      this.#send(call);
    }
  }

  #send(call: Call): void {
    const { script, keys } = this.#options;
    const epoch = this.#epoch;
    call.epoch = epoch;
    const isRecall = call.isGivenUp;
    const argument = isRecall ? this.#recall(call) : call.argument;
    call.sends += 1;
    this.#connection.run(script.sha, keys, argument).then(
      (answer) => {
        if (call.epoch === epoch) this.#receive(call, isRecall ? recalled(answer) : answer);
      },
      (error: unknown) => {
        if (call.epoch === epoch) this.#refused(call, error);
      },
    );
  }

  /** Asks what became of a call instead of making it, now that nobody waits for it. */
  #recall({ number }: Call): Buffer {
    return this.#packer.pack(['recall', 0, 0, 0, this.#handle, this.#options.news, [number], partOf('recall')]);
  }

  /** `answer` undefined: it never took effect. */
  #receive(call: Call, answer: Buffer | undefined): void {
    this.#heardAt = this.#clock.monotonicNow();
    this.#remove(call);
    if (answer !== undefined) {
      if (call.isGivenUp) call.undo?.(new Unpacker(answer));
      else call.resolve(answer);
    }
    this.#answered();
  }

  #refused(call: Call, error: unknown): void {
    call.epoch = 0;
    const verdict = judge(error) ?? { verdict: 'wait' as const };
    this.#cause = error;
    switch (verdict.verdict) {
      case 'unknownScript':
        this.#load();
        return;
      case 'elsewhere':
        this.#connection.reset();
        return;
      case 'wait':
        this.#again ??= this.#clock.schedule(AGAIN_MS, () => {
          this.#again = undefined;
          this.#pump();
        });
        return;
      case 'fail':
        this.#remove(call);
        this.#fail(call, verdict.code, verdict.advice, error);
        this.#answered();
        return;
      default:
        verdict satisfies never;
    }
  }

  #load(): void {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const loaded = (): void => {
      this.#isLoading = false;
      this.#pump();
    };
    this.#connection.load(this.#options.script.text).then(loaded, (error: unknown) => {
      this.#cause = error;
      this.#clock.schedule(AGAIN_MS, loaded);
    });
  }

  /** Gives up what waited for too long, and a connection that is silent. */
  #look(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.schedule(LOOK_MS, () => this.#look());
    const now = this.#clock.monotonicNow();
    for (const call of [...this.#calls]) {
      if (!call.isGivenUp && now - call.givenAt >= this.#options.commandTimeoutMs) this.#giveUp(call, this.#cause);
    }
    this.#answered();
    if (!this.#isReady) return;
    const silentMs = now - this.#heardAt;
    const isAsked = this.#calls.some(({ epoch }) => epoch !== 0);
    if (isAsked && silentMs >= SILENT_MS) {
      this.#cause = new Error(`no answer for ${Math.round(silentMs)} ms`);
      this.#isReady = false;
      for (const call of this.#calls) call.epoch = 0;
      this.#connection.reset();
    } else if (!isAsked) {
      if (silentMs >= IDLE_MS) this.call('look', false, { writes: false }).catch(() => undefined);
      else this.#heardAt = Math.max(this.#heardAt, now - IDLE_MS);
    }
  }

  #giveUp(call: Call, cause: unknown): void {
    call.reject(unanswered(this.#connection.where, call.verb, call.sends > 0 && call.number > 0, cause));
    call.isGivenUp = true;
    // What was sent and can be undone is asked for once more when there is a connection again.
    if (call.number === 0 || call.sends === 0 || call.undo === undefined || this.#isClosed) this.#remove(call);
  }

  #fail(call: Call, code: Parameters<typeof failure>[0], advice: string, cause: unknown): void {
    call.reject(failure(code, advice, this.#connection.where, cause));
  }

  #remove(call: Call): void {
    const index = this.#calls.indexOf(call);
    if (index !== -1) this.#calls.splice(index, 1);
  }

  #answered(): void {
    if (this.#calls.length === 0) this.#connection.keepAlive(false);
    this.#settleIdle();
    this.#pump();
  }

  #settleIdle(): void {
    if (this.#idle.size === 0 || this.#waiting() > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}

/** What a call answered that took effect unheard. */
function recalled(answer: Buffer): Buffer | undefined {
  const from = new Unpacker(answer);
  from.array();
  return from.isNothing() ? undefined : from.bytes();
}
