import type { HttpResponse } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Settlement, SettleResult } from '../types/store.ts';
import type { BackendHealth } from './backendHealth.ts';
import type { Context } from './context.ts';
import { Drain } from './drain.ts';
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
  readonly resolvedBy?: 'resend' | 'probe' | undefined;
  /** Its callers were answered before the commit. */
  readonly isTold?: boolean | undefined;
}

export interface SettlerEvents {
  due(at: number): void;
  wake(): void;
  hint(zone: string): void;
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
    this.#jobs.push(job);
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
    for (const [index, result] of results?.entries() ?? []) this.#tell(jobs[index] as SettleJob, result); // one each
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
    this.#events.released(request.id, settlement.token);
    if (result.status === 'settled') {
      this.#settled(job, result);
    } else {
      this.#late(job, result.status);
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
      if (emitter.hears('request:retrying') && attempt !== undefined) {
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

  /** Another worker took it meanwhile: our evidence is kept for whoever resolves it, and decides nothing. */
  #late(job: SettleJob, status: 'stale' | 'notFound'): void {
    const { request, settlement } = job;
    const attempt = settlement.progress.attempts.at(-1);
    job.response?.live?.release();
    this.#context.logger.warn('a settlement came too late', { id: request.id, zone: request.zone, status });
    if (attempt === undefined) return;
    const entry = { stream: `evidence:${request.id}`, at: attempt.at, data: { ...attempt } };
    this.#context.backend.history.append({ entries: [entry] }).catch((error: unknown) => {
      this.#context.logger.warn('late evidence was not recorded', { id: request.id, error: messageOf(error) });
    });
    void this.#teller.lookUp([request.id]);
  }
}
