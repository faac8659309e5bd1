import type { EnqueueBatch, EnqueueResult } from '../types/store.ts';
import type { Admission, AdmissionRules, Admitted } from './admit.ts';
import { admit } from './admit.ts';
import type { Context } from './context.ts';
import { leaseUntil } from './context.ts';
import type { Detached } from './detached.ts';
import { Drain } from './drain.ts';
import type { Entry } from './entry.ts';
import { endOfStep, reasonOf } from './entry.ts';
import { FreshBindings } from './freshBindings.ts';
import type { Allowance } from './gates/newcomers.ts';
import { takePermits } from './gates/newcomers.ts';
import type { IntakeEvents } from './intakeEvents.ts';
import type { ReadLeaders } from './ReadLeaders.ts';
import { standIns } from './references.ts';
import { culprit, refusal } from './refusal.ts';
import { otherOfLocalId } from './repetitions.ts';
import type { Shedding } from './shedding.ts';
import { Sieve } from './sieve.ts';
import { asItself } from './squashing.ts';
import type { Submission } from './submission.ts';
import type { Zones } from './zones.ts';

/**
 * The way in: keeps calls in the order in which they were made, joins identical reads, and hands what one turn of the
 * event loop brought to the store in one step. Where a channel has permits and no backlog, the same step claims.
 */
export class Intake {
  /** Reads that identical ones join instead of being stored. */
  readonly reads: ReadLeaders;
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #rules: AdmissionRules;
  readonly #detached: Detached;
  readonly #sieve: Sieve | undefined;
  readonly #events: IntakeEvents;
  #waiting: Entry[] = [];
  readonly #storing = new Set<readonly Entry[]>();
  /** What is to take the place of another request is with the store: those behind it wait for what becomes of it. */
  #isReplacing = false;
  readonly #bindings = new FreshBindings();
  #underway = 0;
  readonly #drain = new Drain(() => this.pending);

  constructor(
    context: Context,
    zones: Zones,
    rules: AdmissionRules,
    parts: { readonly reads: ReadLeaders; readonly detached: Detached; readonly shedding: Shedding | undefined },
    events: IntakeEvents,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#rules = rules;
    this.reads = parts.reads;
    this.#detached = parts.detached;
    this.#sieve = parts.shedding && new Sieve(parts.shedding, context.backend.requests);
    this.#events = events;
  }

  /** Takes calls; those of one `push` with `atomic` are accepted together or not at all. Never throws. */
  push(calls: readonly { readonly submission: Submission; readonly admission: Admission }[], atomic: boolean): void {
    const batch = atomic ? { isRefused: false } : undefined;
    const entries = calls.map((call): Entry => ({ ...call, admitted: undefined, isRenamed: false, since: 0, batch }));
    for (const entry of entries) this.#waiting.push(entry);
    for (const entry of entries) this.#admit(entry);
    this.#events.wake();
  }

  /** Takes one call: the hot path of {@link push}. */
  pushOne(submission: Submission, admission: Admission): void {
    const entry: Entry = { submission, admission, admitted: undefined, isRenamed: false, since: 0, batch: undefined };
    this.#waiting.push(entry);
    this.#admit(entry);
    this.#events.wake();
  }

  /** Calls neither stored nor refused yet. */
  get pending(): number {
    return this.#waiting.length + this.#underway;
  }

  /** Whether a call was given to the store, which has not answered. */
  isStoring(id: string): boolean {
    for (const entries of this.#storing) if (entries.some((entry) => entry.submission.id === id)) return true;
    return false;
  }

  /** Calls neither stored nor refused yet, by id. */
  get pendingIds(): ReadonlySet<string> {
    const ids = new Set(this.#waiting.map((entry) => entry.submission.id));
    for (const entries of this.#storing) for (const { submission } of entries) ids.add(submission.id);
    return ids;
  }

  /** Resolves when every call taken so far is stored or refused. */
  drained(): Promise<void> {
    return this.#drain.drained();
  }

  /** The queue closes: refuses what is still in admission, a batch whole, and hands on what waited behind it. */
  end(error: unknown): void {
    const late = this.#waiting.filter((entry) => entry.admitted === undefined);
    const batches = new Set(late.map((entry) => entry.batch));
    batches.delete(undefined);
    const refused = new Set(this.#waiting.filter((one) => one.admitted === undefined || batches.has(one.batch)));
    this.#waiting = this.#waiting.filter((entry) => !refused.has(entry));
    for (const entry of refused) this.#fail(entry, error);
    this.flush();
  }

  /** Local ids are given their server ids: calls that looked for these before look again. */
  bound(localIds: readonly string[]): void {
    if (this.#waiting.length > 0) this.#bindings.note(localIds);
  }

  /** Hands every call that is admitted, and before which none is still in admission, to the store. */
  flush(): void {
    if (this.#isReplacing || this.#isLookedAtAgain()) return;
    this.#lookForFresh();
    let ready = 0;
    while (ready < this.#waiting.length && this.#waiting[ready]?.admitted !== undefined) {
      const next = this.#waiting[ready]?.admitted;
      const isReplacement = next?.request.replaces !== undefined;
      if ((isReplacement && ready > 0) || next?.refusal !== undefined || this.#isMadeBefore(ready)) break;
      ready += 1;
      if (isReplacement) break;
    }
    // A batch goes to the store whole: it waits for the last of its calls.
    const unready = this.#waiting[ready]?.batch;
    while (unready !== undefined && ready > 0 && this.#waiting[ready - 1]?.batch === unready) ready -= 1;
    if (ready === 0) return this.#drain.check();
    const given = this.#waiting.splice(0, ready).filter((entry) => !this.#callOff(entry) && !this.#join(entry));
    const entries = this.#sieve?.sift(given, (entry, error) => this.#fail(entry, error)) ?? given;
    if (this.#waiting[0]?.admitted !== undefined) this.#events.wake();
    if (entries.length === 0) return this.#drain.check();
    const [first] = entries;
    if (first?.admitted?.otherwise !== undefined) this.#isReplacing = true;
    for (let start = 0; start < entries.length; ) {
      const end = endOfStep(entries, start);
      const step = start === 0 && end === entries.length ? entries : entries.slice(start, end);
      void this.#store(step, step[0]?.batch !== undefined);
      start = end;
    }
  }

  /** What the same local id is to stand for is about to be stored: only then can this be compared with it. */
  #isMadeBefore(index: number): boolean {
    const entry = this.#waiting[index] as Entry; // index < length
    if (entry.admission.options.localId === undefined) return false;
    const before = [...this.#storing].flat().concat(this.#waiting.slice(0, index));
    const other = otherOfLocalId(entry.admitted as Admitted, before); // admitted: see flush
    if (other !== undefined) entry.admitted = { ...(entry.admitted as Admitted), refusal: other };
    return other !== undefined;
  }

  /** What is refused for what was in its lane when it was made is looked at again once all calls before it are stored. */
  #isLookedAtAgain(): boolean {
    const [next] = this.#waiting;
    if (next?.admitted?.refusal === undefined) return false;
    if (this.#storing.size > 0) return true;
    next.admitted = undefined;
    this.#admit(next);
    return true;
  }

  #lookForFresh(): void {
    for (const entry of this.#waiting) {
      if (!this.#bindings.isLateFor(entry.admitted?.request.refs ?? [], entry.since)) continue;
      entry.admitted = undefined;
      this.#admit(entry);
    }
  }

  #admit(entry: Entry): void {
    if (entry.batch?.isRefused === true) return;
    entry.since = this.#bindings.now;
    const isNext = this.#waiting[0] === entry && this.#storing.size === 0;
    try {
      const admitted = admit(entry.admission, this.#context, this.#zones, this.#rules);
      if (!(admitted instanceof Promise)) {
        entry.admitted = admitted;
        return;
      }
      admitted.then(
        (result) => {
          const isFinal = isNext || entry.batch !== undefined;
          if (isFinal && result.refusal !== undefined) return this.#refuse(entry, result.refusal);
          entry.admitted = entry.batch === undefined ? result : asItself(result);
          this.#events.wake();
        },
        (error: unknown) => this.#refuse(entry, error),
      );
    } catch (error) {
      this.#refuse(entry, error);
    }
  }

  /** Refuses what its caller called off before it could be stored. A batch goes whole, and is cancelled one by one. */
  #callOff(entry: Entry): boolean {
    const signal = entry.batch === undefined ? entry.submission.abortedBy : undefined;
    if (signal === undefined) return false;
    this.#fail(entry, signal.reason);
    return true;
  }

  /** Joins a request of this process, where one fits. Called in call order: what was accepted in between decides. */
  #join(entry: Entry): boolean {
    const admitted = entry.admitted as Admitted; // admitted: see flush
    const { request, readDigest, place } = admitted;
    if (readDigest !== null) return this.reads.join(entry, admitted, readDigest);
    if (request.effect !== 'read') this.reads.closeFor({ place, lane: request.lane });
    // In a batch all or none are accepted: none of it may be accepted by a join of its own.
    const mayJoin = entry.batch === undefined && admitted.mayJoin;
    const left = this.#detached.find(request, admitted, mayJoin);
    if (left === undefined) return false;
    entry.submission.accept({ id: left, seq: 0, deduplicated: true });
    this.#events.joined(admitted, { status: 'joined', id: left, seq: 0, state: 'sending' }, true);
    return true;
  }

  /** A batch goes whole, once: what else is wrong with it changes nothing. */
  #refuse(entry: Entry, error: unknown): void {
    const { batch } = entry;
    if (batch === undefined) {
      const index = this.#waiting.lastIndexOf(entry);
      if (index !== -1) this.#waiting.splice(index, 1);
      this.#fail(entry, error);
    } else if (!batch.isRefused) {
      batch.isRefused = true;
      const waiting = this.#waiting;
      this.#waiting = waiting.filter((one) => one.batch !== batch);
      for (const one of waiting) if (one.batch === batch) this.#fail(one, error);
    }
    this.#events.wake();
  }

  async #store(entries: readonly Entry[], atomic: boolean): Promise<void> {
    this.#underway += entries.length;
    this.#storing.add(entries);
    const { config, backend, clock, worker } = this.#context;
    const newcomers = entries.map((entry) => entry.admitted as Admitted); // admitted: see flush
    const takenAt = clock.monotonicNow();
    const isShed = entries[0]?.shedWith !== undefined;
    const mayClaim = config.dispatch && !isShed;
    const allowance = mayClaim ? takePermits(newcomers, this.#zones.turns, takenAt) : new Map<string, Allowance>();
    try {
      const requests = newcomers.map(({ request }) => request);
      const batch: EnqueueBatch = {
        requests,
        atomic,
        now: clock.now(),
        limits: { maxSize: config.maxSize, maxBytes: config.maxBytes },
        claim:
          allowance.size === 0
            ? null
            : {
                worker,
                leaseUntil: leaseUntil(this.#context),
                allowance: Array.from(allowance, ([name, { channel, calls }]) => ({
                  channel: name,
                  calls,
                  within: channel.within,
                })),
              },
      };
      const results = await (this.#sieve?.enqueue(batch, isShed) ?? backend.requests.enqueue(batch));
      const refused = atomic ? culprit(requests, results) : undefined;
      if (refused !== undefined) for (const entry of entries) this.#fail(entry, refused);
      else
        for (let index = 0; index < entries.length; index += 1)
          this.#deliver(entries[index] as Entry, results[index] as EnqueueResult, allowance); // one each
    } catch (error) {
      for (const entry of entries) this.#fail(entry, error);
    } finally {
      for (const { channel, calls: unused } of allowance.values()) {
        if (unused === 0) continue;
        this.#zones.turns.took(channel.zone, -unused);
        channel.giveBack(unused, takenAt);
        this.#events.wake();
      }
      this.#underway -= entries.length;
      this.#storing.delete(entries);
      if (this.#isReplacing || this.#waiting[0]?.admitted?.refusal !== undefined) {
        this.#isReplacing = false;
        this.#events.wake();
      }
      this.#drain.check();
    }
  }

  #deliver(entry: Entry, result: EnqueueResult, allowance: Map<string, Allowance>): void {
    const admitted = entry.admitted as Admitted; // admitted: see flush
    const { request, channel } = admitted;
    if (result.status === 'refused' && result.why === 'replaced' && admitted.otherwise !== undefined) {
      // What it was to replace was sent meanwhile: it is stored as itself, before those that wait behind it.
      entry.admitted = { ...admitted, request: admitted.otherwise, otherwise: undefined };
      this.#waiting.unshift(entry);
      return;
    }
    if (result.status === 'refused' && result.why === 'dependency' && !entry.isRenamed && entry.batch === undefined) {
      entry.isRenamed = true;
      return void this.#nameStandIns(entry, admitted, result);
    }
    if (result.status === 'refused') return this.#fail(entry, refusal(result, request));
    const isRepetition = admitted.repeats !== undefined;
    if (result.status === 'joined' || isRepetition) {
      this.reads.forget(request.id);
      entry.submission.accept({ id: result.id, seq: result.seq, deduplicated: true });
      return this.#events.joined(admitted, { ...result, status: 'joined' }, !isRepetition);
    }
    const used = result.token === null ? undefined : allowance.get(request.channel);
    if (used !== undefined) used.calls -= 1;
    entry.submission.accept({ id: request.id, seq: result.seq, deduplicated: false });
    this.#events.accepted(admitted, result);
    if (result.token !== null) this.#events.claimed(request, result.token, channel);
  }

  /** What it is to wait for may have become another request before it was sent. */
  async #nameStandIns(entry: Entry, admitted: Admitted, refused: Parameters<typeof refusal>[0]): Promise<void> {
    const { request } = admitted;
    this.#underway += 1;
    try {
      const after = await standIns(this.#context.backend.requests, request.after);
      if (after === undefined) throw refusal(refused, request);
      entry.admitted = { ...admitted, request: { ...request, after } };
      this.#waiting.unshift(entry);
      this.#events.wake();
    } catch (error) {
      this.#fail(entry, error);
    } finally {
      this.#underway -= 1;
      this.#drain.check();
    }
  }

  #fail(entry: Entry, error: unknown): void {
    const reason = reasonOf(entry, error);
    entry.submission.refuse(reason);
    this.#events.refused(entry.admission.id, reason);
  }
}
