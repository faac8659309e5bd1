import { holdfastError } from '../../../errors.ts';
import type { Clock, Timer } from '../../../system/clock.ts';
import type { Ask, Call, Caller, LinkOptions, LoadedScript } from './call.ts';
import { askedSince, recalled, unsend } from './call.ts';
import type { Connection } from './connection.ts';
import { failure, judge, unanswered } from './errors.ts';
import type { Packable } from './msgpack.ts';
import { Packer, Unpacker } from './msgpack.ts';
import type { Verb } from './script.ts';
import { MOST_UNANSWERED } from './script.ts';

/** How often it is looked whether the server still answers. */
const LOOK_MS = 1_000;
/** So long without any answer, something being asked, means that the connection is dead. */
const SILENT_MS = 4_000;
/** A connection nobody uses is tried so often, so that its death is known before it is needed. */
const IDLE_MS = 2_000;
/** How soon a call is made again that the server could not serve just now. */
const AGAIN_MS = 50;
/** How soon another server is looked for where this one takes no writes. */
const ELSEWHERE_MS = 200;
/** So long may it take until a connection can be used, from the try on. */
const HANDSHAKE_MS = 7_000;
/** After an outage everyone else gets so long to come back, too, before anybody takes them for dead. */
const GRACE_MS = 2_000;

/**
 * The way to the server: calls go out in order and without waiting for each other, survive the loss of the connection, and take
 * effect once, since the server keeps the answers of the last ones. A call that stays unanswered is given up in time; the
 * link itself goes on trying for as long as it is open.
 */
export class RedisLink implements Caller {
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
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** When it is to be looked next. */
  #lookAt = 0;
  #bytesRead = 0;
  /** When the present try to connect began, the connection was lost, and it came back from an outage. Monotonic ms. */
  #triedAt = 0;
  #lostAt: number | undefined;
  #backAt = Number.NEGATIVE_INFINITY;
  #commits = 0;
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

  /** The connection was away for so long that nobody could renew a lease, and is back for a moment only. */
  get isBackJustNow(): boolean {
    return this.#clock.monotonicNow() - this.#backAt < GRACE_MS;
  }

  open(): void {
    this.#triedAt = this.#clock.monotonicNow();
    this.#lookAt = this.#triedAt;
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
    if (!ask.writes || commit === undefined) return new Unpacker(answer);
    this.#commits += 1;
    try {
      await this.#commit(commit, call);
    } catch (error) {
      this.#undo(ask.undo, answer);
      throw holdfastError(error) ?? unanswered(this.#connection.where, verb, true, error);
    } finally {
      this.#commits -= 1;
    }
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
      try {
        await commit();
        if (epoch === this.#epoch) return;
      } catch (error) {
        const isLate = this.#clock.monotonicNow() - call.askedAt >= this.#options.commandTimeoutMs;
        if (isLate || holdfastError(error) !== undefined || judge(error) !== undefined) throw error;
      }
      isSure = false;
    }
  }

  /** `isFirst`: before all calls that wait. */
  #make(
    verb: Verb,
    payload: Packable,
    { writes, leaseNow, undo }: Ask,
    isFirst = false,
  ): Promise<{ call: Call; answer: Buffer }> {
    const { leaseMs, news } = this.#options;
    const length = leaseMs();
    const number = writes ? ++this.#lastNumber : 0;
    const time = length === null ? (leaseNow ?? 0) : false;
    const argument = this.#packer.pack([verb, number, time, length ?? 0, this.#handle, news, payload]);
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(unanswered(this.#connection.where, verb, false, new Error('the store was closed')));
        return;
      }
      const call: Call = {
        verb,
        number,
        argument,
        askedAt: this.#clock.monotonicNow(),
        epoch: 0,
        sends: 0,
        isGivenUp: false,
        resolve: (answer) => resolve({ call, answer }),
        reject,
        undo,
      };
      if (isFirst) this.#calls.unshift(call);
      else this.#calls.push(call);
      if (this.#calls.length === 1) this.#connection.keepAlive(true);
      this.#pump();
    });
  }

  #waiting(): number {
    return this.#calls.reduce((count, { isGivenUp, verb }) => count + (isGivenUp || verb === 'look' ? 0 : 1), 0);
  }

  #ready(): void {
    const now = this.#clock.monotonicNow();
    this.#epoch += 1;
    this.#isReady = true;
    this.#cause = undefined;
    this.#heardAt = now;
    const awayMs = this.#lostAt === undefined ? 0 : now - this.#lostAt;
    this.#lostAt = undefined;
    const leaseMs = this.#options.leaseMs();
    if (leaseMs !== null && awayMs > leaseMs / 3 && this.#handle !== '') this.#comeBack(now);
    this.#pump();
  }

  /** Says before anything else that this handle lives, and lets the others say so. */
  #comeBack(now: number): void {
    this.#backAt = now;
    this.#make('back', this.#options.back(), { writes: false }, true).catch(() => undefined);
  }

  #lost(cause: unknown): void {
    const now = this.#clock.monotonicNow();
    if (this.#isReady) this.#lostAt = now;
    this.#triedAt = now;
    this.#isReady = false;
    this.#cause = cause ?? this.#cause;
    for (const call of this.#calls) unsend(call, this.#answeredAt);
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
    let previous = 0;
    for (const call of this.#calls) {
      if (call.epoch === 0) {
        if (oldest > 0 && call.number >= oldest + MOST_UNANSWERED) break;
        this.#send(call, previous);
      }
      if (call.number > 0 && !call.isGivenUp) previous = call.number;
    }
  }

  /** `previous`: number of the call before it that is to take effect first. */
  #send(call: Call, previous: number): void {
    const epoch = this.#epoch;
    call.epoch = epoch;
    const isRecall = call.isGivenUp;
    const argument = isRecall ? this.#recall(call) : call.argument;
    const script = this.#options.scripts.get(isRecall ? 'recall' : call.verb) as LoadedScript; // every verb has one
    call.sends += 1;
    this.#connection.run(script, argument, `${epoch} ${previous}`).then(
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
    return this.#packer.pack(['recall', 0, 0, 0, this.#handle, this.#options.news, [number]]);
  }

  /** `answer` undefined: it never took effect. */
  #receive(call: Call, answer: Buffer | undefined): void {
    call.askedAt = askedSince(call, this.#answeredAt);
    this.#heardAt = this.#clock.monotonicNow();
    this.#answeredAt = this.#heardAt;
    this.#cause = undefined;
    this.#remove(call);
    if (answer !== undefined) {
      if (call.isGivenUp) this.#undo(call.undo, answer);
      else call.resolve(answer);
    }
    this.#answered();
  }

  #undo(undo: Ask['undo'], answer: Buffer): void {
    try {
      undo?.(new Unpacker(answer), this);
    } catch {
      // The leases lapse.
    }
  }

  #refused(call: Call, error: unknown): void {
    unsend(call, this.#answeredAt);
    const verdict = judge(error) ?? { verdict: 'wait' as const };
    this.#cause = error;
    switch (verdict.verdict) {
      case 'unknownScript':
        this.#load();
        return;
      case 'elsewhere':
        this.#again ??= this.#clock.schedule(ELSEWHERE_MS, () => {
          this.#again = undefined;
          this.#reset();
        });
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
    this.#connection.load([...new Set(this.#options.scripts.values())]).then(loaded, (error: unknown) => {
      this.#cause = error;
      this.#clock.schedule(AGAIN_MS, loaded);
    });
  }

  /** Gives up what waited for too long, and a connection that is silent. */
  #look(): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.schedule(LOOK_MS, () => this.#look());
    const now = this.#clock.monotonicNow();
    this.#standStill(now);
    this.#lookAt = now + LOOK_MS;
    for (const call of [...this.#calls]) {
      if (!call.isGivenUp && now - askedSince(call, this.#answeredAt) >= this.#options.commandTimeoutMs)
        this.#giveUp(call, this.#cause);
    }
    this.#answered();
    if (!this.#isReady) {
      if (now - this.#triedAt >= HANDSHAKE_MS) this.#reset();
      return;
    }
    const { bytesRead } = this.#connection;
    if (bytesRead !== this.#bytesRead) this.#heardAt = now; // part of an answer that takes its time
    this.#bytesRead = bytesRead;
    const silentMs = now - this.#heardAt;
    const isAsked = this.#calls.some(({ epoch }) => epoch !== 0);
    if (isAsked && silentMs >= SILENT_MS + (this.#commits > 0 ? this.#options.commitMs : 0)) {
      this.#cause = new Error(`no answer for ${Math.round(silentMs)} ms`);
      this.#reset();
    } else if (!isAsked) {
      if (silentMs >= IDLE_MS) this.call('look', false, { writes: false }).catch(() => undefined);
      else this.#heardAt = Math.max(this.#heardAt, now - IDLE_MS);
    }
  }

  /** While this process did not run, nobody was silent: answers may have come that it has not read yet. */
  #standStill(now: number): void {
    const ms = now - this.#lookAt;
    const moved = (at: number): number => Math.min(at + ms, now); // some of it came only afterwards
    this.#heardAt = moved(this.#heardAt);
    this.#answeredAt = moved(this.#answeredAt);
    this.#triedAt = moved(this.#triedAt);
    for (const call of this.#calls) call.askedAt = moved(call.askedAt);
  }

  /** Gives the connection up and has another one made. */
  #reset(): void {
    this.#lost(undefined);
    this.#connection.reset();
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
