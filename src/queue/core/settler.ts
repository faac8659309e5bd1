import { resolved } from '../strategies/progress.ts';
import type { ConflictAction } from '../types/events.ts';
import type { HttpResponse } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Change, Settlement, SettleResult } from '../types/store.ts';
import type { BackendHealth } from './backendHealth.ts';
import { bindingOf, serverIdIn } from './bindings.ts';
import type { Context } from './context.ts';
import { Drain } from './drain.ts';
import { forgetEvidence, keepEvidence } from './evidence.ts';
import type { SentRequest } from './sentRequest.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';

/** How an attempt, or a look at an unknown request, ended. */
export interface SettleJob {
  readonly request: SentRequest;
  readonly settlement: Settlement;
  /** The answer for callers, when there is one. */
  readonly response?: HttpResponse | undefined;
  /** Why there is none. */
  readonly cause?: unknown;
  /** Set when this resolves an earlier unknown outcome. */
  readonly resolvedBy?: 'resend' | 'probe' | 'lateAnswer' | 'reconcile' | undefined;
  /** What became of the conflict it met. */
  readonly reconciled?: { readonly strategy: string; readonly action: ConflictAction } | undefined;
  /** Its callers were answered before the commit. */
  readonly isTold?: boolean | undefined;
  /** There was no attempt: what is on record is of earlier ones, and was told then. */
  readonly isPutBack?: boolean | undefined;
}

export interface SettlerEvents {
  due(at: number): void;
  wake(): void;
  hint(zone: string): void;
  /** Local ids are given their server ids by what is handed to the store now. */
  bound(localIds: readonly string[]): void;
  /** The lease of this token is over, whatever it led to. */
  released(id: string, token: number): void;
}

/** How long after a failed commit the settlements are tried again. */
const RETRY_MS = 250;

/**
 * Records how attempts ended, those of one turn in one commit, and tells only afterwards. While the store refuses, it keeps
 * the settlements and tries again: an answer that was received is not thrown away.
 */
export class Settler {
  readonly #context: Context;
  readonly #teller: Teller;
  readonly #health: BackendHealth;
  readonly #events: SettlerEvents;
  #jobs: SettleJob[] = [];
  #underway = 0;
  #retrying = 0;
  #isClosed = false;
  readonly #drain = new Drain(() => this.pending);

  constructor(context: Context, teller: Teller, health: BackendHealth, events: SettlerEvents) {
    this.#context = context;
    this.#teller = teller;
    this.#health = health;
    this.#events = events;
  }

  add(job: SettleJob): void {
    this.#jobs.push(withMark(job));
    this.#events.wake();
  }

  /** Settlements not committed yet. */
  get pending(): number {
    return this.#jobs.length + this.#underway + this.#retrying;
  }

  drained(): Promise<void> {
    return this.#drain.drained();
  }

  /** Gives up on what the store still refuses: it comes back as unknown once its lease lapsed. */
  close(): void {
    this.#isClosed = true;
    this.#retrying = 0;
    this.#drain.check();
  }

  flush(): void {
    if (this.#jobs.length === 0) return;
    const jobs = this.#jobs;
    this.#jobs = [];
    for (const { settlement } of jobs) {
      if (settlement.bind !== undefined) this.#events.bound(settlement.bind.map(({ localId }) => localId));
    }
    void this.#commit(jobs);
  }

  async #commit(jobs: readonly SettleJob[]): Promise<void> {
    this.#underway += jobs.length;
    const { backend, clock } = this.#context;
    let results: readonly SettleResult[] | undefined;
    try {
      const settlements = jobs.map((job) => job.settlement);
      results = await backend.requests.settle({ now: clock.now(), settlements });
      this.#health.worked('settle');
    } catch (error) {
      this.#health.failed(error, 'settle');
      this.#retryLater(jobs);
    } finally {
      this.#underway -= jobs.length;
    }
    // What is committed is told once, whatever telling it leads to.
    const told = results?.length ?? 0;
    for (let index = 0; index < told; index += 1)
      this.#tell(jobs[index] as SettleJob, results?.[index] as SettleResult); // one each
    this.#drain.check();
  }

  #retryLater(jobs: readonly SettleJob[]): void {
    if (this.#isClosed) return;
    this.#retrying += jobs.length;
    this.#context.clock.schedule(RETRY_MS, () => {
      if (this.#isClosed) return;
      this.#retrying -= jobs.length;
      this.#jobs.push(...jobs);
      this.#events.wake();
    });
  }

  #tell(job: SettleJob, result: SettleResult): void {
    const { request, settlement } = job;
    if (result.status === 'settled') {
      this.#events.released(request.id, settlement.token);
      this.#settled(job, result);
    } else {
      // Under way until it is heard: nobody is to be told before that what others made of it meanwhile.
      void this.#late(job, result).finally(() => this.#events.released(request.id, settlement.token));
    }
    if (settlement.next.state === 'ready') this.#events.hint(request.zone);
  }

  #settled(job: SettleJob, result: Extract<SettleResult, { status: 'settled' }>): void {
    const { request, settlement, response } = job;
    const { id: requestId, zone } = request;
    const { emitter, clock } = this.#context;
    const { state, reason, dueAt } = settlement.next;
    const attempt = settlement.progress.attempts.at(-1);
    if (job.isTold !== true) this.#teller.answer(request, result.state, reason, response, job.cause);
    for (const { localId, serverId, type } of settlement.bind ?? []) {
      emitter.emit('id:bound', { requestId, zone, localId, serverId, type });
    }
    if (job.reconciled !== undefined) emitter.emit('conflict:resolved', { requestId, zone, ...job.reconciled });
    if (job.resolvedBy !== undefined) {
      emitter.emit('request:resolved', { requestId, zone, how: job.resolvedBy, state: result.state });
    }
    if (isTerminal(result.state) && result.endedSeq !== null) {
      const durationMs = clock.now() - request.acceptedAt;
      const ended = { id: requestId, zone, state: result.state, reason, endedSeq: result.endedSeq };
      this.#teller.ended(ended, { status: response?.status ?? null, durationMs });
    } else if (result.state === 'held') {
      emitter.emit('request:held', { requestId, zone, reason });
    } else if (result.state === 'unknown') {
      emitter.emit('request:unknown', { requestId, zone, attempt: settlement.token, reason });
      this.#events.due(dueAt ?? clock.now());
    } else if (state === 'scheduled' || state === 'ready') {
      this.#events.due(dueAt ?? clock.now());
      if (emitter.hears('request:retrying') && attempt !== undefined && job.isPutBack !== true) {
        const { status, error } = attempt;
        emitter.emit('request:retrying', {
          requestId,
          zone,
          attempt: attempt.n,
          dueAt: dueAt ?? clock.now(),
          status,
          error,
        });
      }
    }
    this.#teller.allEnded(result.ended);
    this.#teller.moved(result.moved);
  }

  /**
   * Another worker took it meanwhile: our evidence is kept for whoever finds out what became of it. Where nobody is sending it again, and we saw
   * that it was applied, that is found out now.
   */
  async #late(job: SettleJob, result: Exclude<SettleResult, { status: 'settled' }>): Promise<void> {
    const { request, settlement } = job;
    const { id, zone } = request;
    const attempt = settlement.progress.attempts.at(-1);
    const serverId = job.response === undefined ? undefined : serverIdIn(request, job.response);
    job.response?.live?.release();
    this.#context.logger.warn('a settlement came too late', { id, zone, status: result.status });
    if (attempt === undefined) return;
    try {
      await keepEvidence(this.#context.backend.history, id, { attempt, serverId: serverId ?? null });
      if (attempt.outcome === 'applied' && result.status === 'stale') await this.#heard(job, serverId);
    } catch (error) {
      this.#context.logger.warn('late evidence was not recorded', { id, error: messageOf(error) });
    }
    await this.#teller.lookUp([id]);
  }

  /** What was in doubt, or held for that, was applied after all. */
  async #heard({ request, settlement }: SettleJob, serverId: string | number | undefined): Promise<void> {
    const { id, zone } = request;
    const { backend, clock, emitter } = this.#context;
    const now = clock.now();
    const binding = bindingOf(request, serverId, now);
    const change: Omit<Change, 'from'> = {
      id,
      to: { state: 'succeeded', reason: 'appliedEarlier' },
      patch: { progress: resolved(settlement.progress), result: settlement.result },
      bind: binding && [binding],
    };
    const changes: Change[] = [
      { ...change, from: ['unknown'] },
      { ...change, from: ['held'], reason: 'unknown' },
      { ...change, from: ['held'], reason: 'principal' }, // put aside in doubt, as nobody asks for who is away
    ];
    for (const result of await backend.requests.amend({ now, changes })) {
      if (result.status !== 'amended') continue;
      if (binding !== undefined) {
        const { localId, type } = binding;
        emitter.emit('id:bound', { requestId: id, zone, localId, serverId: binding.serverId, type });
      }
      emitter.emit('request:resolved', { requestId: id, zone, how: 'lateAnswer', state: result.state });
      this.#teller.allEnded(result.ended);
      this.#teller.moved(result.moved);
      await forgetEvidence(backend.history, id);
    }
  }
}

/**
 * The end of a replay marks the dead letter with it: should its mark have been lost to a crash right after acceptance, the letter is not taken for untouched
 * once the record of its replay is gone.
 */
function withMark(job: SettleJob): SettleJob {
  const { request, settlement } = job;
  if (request.replayOf === null || !isTerminal(settlement.next.state)) return job;
  const mark: Change = { id: request.replayOf, from: ['dead'], patch: { replayedAs: request.id } };
  return { ...job, settlement: { ...settlement, amend: [...(settlement.amend ?? []), mark] } };
}
