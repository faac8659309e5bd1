import { decide } from '../strategies/decide.ts';
import type { Decision, DecisionInput, RetryPolicy } from '../strategies/decision.ts';
import { mayResend } from '../strategies/resend.ts';
import type { HttpResponse, Progress } from '../types/request.ts';
import type { Move } from '../types/store.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Attachment, Credentials } from './credentials.ts';
import { NO_CREDENTIAL } from './credentials.ts';
import type { FetchCallers } from './fetchCallers.ts';
import { probeFor } from './probes.ts';
import { resendRules } from './resendRules.ts';
import { retryPolicy } from './retryPolicy.ts';
import { clientSender } from './senders.ts';
import type { SentRequest } from './sentRequest.ts';
import type { SettleJob, Settler } from './settler.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import { callOf } from './wire.ts';
import { within } from './within.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** One request being sent by this process. */
interface Flight {
  readonly request: SentRequest;
  readonly token: number;
  readonly zone: Zone;
  /** Closes the wire, for reads whose caller left. */
  readonly abort: AbortController | undefined;
  /** Wait for its end. */
  readonly whenOver: (() => void)[];
}

export interface AttemptEvents {
  /** A permit came back, or a gate may have changed. */
  wake(): void;
  /** A refreshed credential was taken: what waits for one may go on. */
  renewed(): void;
  /** An attempt showed something about its zone. */
  observed(
    zone: Zone,
    decision: Pick<Decision, 'connectivity' | 'served' | 'pauseZoneUntil'>,
    error: TransportFailure['error'] | null,
  ): void;
}

/** Sends claimed requests, each holding a permit, and hands the settlement on. Never rejects, never forgets one. */
export class Attempts {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #credentials: Credentials;
  readonly #callers: Callers;
  readonly #fetchCallers: FetchCallers;
  readonly #settler: Settler;
  readonly #teller: Teller;
  readonly #events: AttemptEvents;
  readonly #policy: RetryPolicy;
  readonly #flights = new Map<string, Flight>();
  #whenEmpty: (() => void)[] = [];
  /** Requests whose callers may call them off, and what to do for each caller once that is over. */
  readonly #abortable = new Map<string, readonly (() => void)[]>();

  constructor(
    context: Context,
    zones: Zones,
    parts: {
      readonly credentials: Credentials;
      readonly callers: Callers;
      readonly fetchCallers: FetchCallers;
      readonly settler: Settler;
      readonly teller: Teller;
    },
    events: AttemptEvents,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#credentials = parts.credentials;
    this.#callers = parts.callers;
    this.#fetchCallers = parts.fetchCallers;
    this.#settler = parts.settler;
    this.#teller = parts.teller;
    this.#events = events;
    this.#policy = retryPolicy(context.config);
  }

  /** Requests sent and not settled: whose leases must be kept alive. */
  leases(): { readonly id: string; readonly token: number }[] {
    return Array.from(this.#flights.values(), ({ request, token }) => ({ id: request.id, token }));
  }

  get size(): number {
    return this.#flights.size;
  }

  isUnderWay(id: string): boolean {
    return this.#flights.has(id);
  }

  /** The settlement is committed. A request that was lost and claimed again meanwhile has another token, and is under way still. */
  released(id: string, token: number): void {
    const flight = this.#flights.get(id);
    if (flight?.token === token) {
      this.#flights.delete(id);
      for (const resolve of flight.whenOver) resolve();
    }
    if (this.#flights.size > 0) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** What is being sent of a request that is under way. */
  underWay(id: string): SentRequest | undefined {
    return this.#flights.get(id)?.request;
  }

  /** Resolves when its present attempt is over; at once without one. */
  over(id: string): Promise<void> {
    return new Promise((resolve) => {
      const flight = this.#flights.get(id);
      if (flight === undefined) resolve();
      else flight.whenOver.push(resolve);
    });
  }

  /** Calls back when nothing is under way any more. */
  onceEmpty(callback: () => void): void {
    this.#whenEmpty.push(callback);
  }

  /** A caller may call this request off, and the wire of a read be closed by that. `over` is called once it ended. */
  mayAbort(id: string, over: () => void): void {
    this.#abortable.set(id, [...(this.#abortable.get(id) ?? []), over]);
  }

  /** Requests whose callers may call them off. */
  abortable(): IterableIterator<string> {
    return this.#abortable.keys();
  }

  /** A call that may be called off shares another request. */
  share(from: string, to: string): void {
    const over = this.#abortable.get(from);
    if (over === undefined || from === to) return;
    this.#abortable.delete(from);
    this.#abortable.set(to, [...(this.#abortable.get(to) ?? []), ...over]);
  }

  /** The request ended. */
  forget(id: string): void {
    const over = this.#abortable.get(id);
    if (over === undefined) return;
    this.#abortable.delete(id);
    for (const one of over) one();
  }

  /** Starts an attempt of a claimed request, which holds a permit of its zone. */
  start(request: SentRequest, token: number, zone: Zone): void {
    const isAbortable = request.effect === 'read' && this.#abortable.has(request.id);
    const abort = isAbortable ? new AbortController() : undefined;
    const flight: Flight = { request, token, zone, abort, whenOver: [] };
    this.#flights.set(request.id, flight);
    const { emitter } = this.#context;
    emitter.emit('request:dispatched', { requestId: request.id, zone: zone.name, attempt: token });
    zone.bulkhead.run(() => this.#run(flight)).catch((error: unknown) => this.#broke(flight, error));
  }

  /** Closes the wire of a read that is under way. False when there is none. */
  abort(id: string, reason: unknown): boolean {
    const flight = this.#flights.get(id);
    if (flight?.abort === undefined) return false;
    flight.abort.abort(reason);
    return true;
  }

  async #run(flight: Flight): Promise<void> {
    const { request, zone } = flight;
    const job = this.#isPlain(flight)
      ? this.#jobFor(flight, await this.#send(flight, NO_CREDENTIAL))
      : await this.#attempt(flight);
    zone.bulkhead.giveBack(1);
    this.#settler.add(this.#maybeTellEarly(job, request));
    this.#events.wake();
  }

  /** Nothing to check or to fetch before it can be sent. */
  #isPlain({ request }: Flight): boolean {
    return request.auth === 'none' && request.expiresAt === null && !request.progress.unresolved;
  }

  /** Reads, and all requests under `settleAck: 'early'`, are answered before the commit. */
  #maybeTellEarly(job: SettleJob, request: SentRequest): SettleJob {
    if (request.effect !== 'read' && this.#context.config.settleAck === 'durable') return job;
    const { state, reason } = job.settlement.next;
    this.#teller.answer(request, state, reason, job.response, job.cause);
    return { ...job, isTold: true };
  }

  async #attempt(flight: Flight): Promise<SettleJob> {
    const { request, zone } = flight;
    const { clock } = this.#context;
    const inDoubt = request.progress.unresolved && request.effect !== 'read';
    if (request.expiresAt !== null && request.expiresAt <= clock.now() && !inDoubt) {
      return this.#unsent(flight, { state: 'dead', reason: 'expired' });
    }
    if (request.progress.unresolved && !this.#mayResend(flight)) {
      return this.#unsent(flight, { state: 'unknown', reason: 'unanswered', dueAt: clock.now() });
    }
    let attachment: Attachment | undefined = NO_CREDENTIAL;
    try {
      if (request.auth !== 'none') attachment = await this.#credentials.attach(request, zone);
    } catch (error) {
      return this.#withoutCredential(flight, error);
    }
    if (attachment === undefined) return this.#notOurs(flight);
    let result = await this.#send(flight, attachment);
    let decision = this.#decide(flight, result, attachment, false);
    if (decision.refreshAuth) {
      const renewed = await this.#refresh(flight, attachment);
      if (renewed !== undefined) {
        letGo(result);
        attachment = renewed;
        result = await this.#send(flight, attachment);
        if (result.phase === 'answered' && result.response.status !== 401) this.#events.renewed();
      }
      decision = this.#decide(flight, result, attachment, true);
    }
    if (decision.move.state === 'held' && decision.move.reason === 'auth')
      this.#credentials.refused(request.id, attachment);
    return this.#jobOf(flight, result, decision);
  }

  /** A closed gate may have kept it past the time in which a resend is harmless. */
  #mayResend({ request, zone }: Flight): boolean {
    const { clock, config } = this.#context;
    return mayResend({ request, ...resendRules(request, zone.policy, config) }, clock.now());
  }

  #jobFor(flight: Flight, result: TransportResult): SettleJob {
    return this.#jobOf(flight, result, this.#decide(flight, result, NO_CREDENTIAL, false));
  }

  #send(flight: Flight, attachment: Attachment): Promise<TransportResult> {
    const { request, zone, abort } = flight;
    const volatile = this.#credentials.live.volatileOf(request.id);
    const { transport, config } = this.#context;
    const timeoutMs = this.#fetchCallers.of(request.id)?.timeoutMs ?? config.attemptTimeoutMs;
    const call = callOf(request, zone.policy, attachment.secret, volatile, timeoutMs);
    const live = this.#fetchCallers.liveCall(request);
    if (live === undefined && abort === undefined) return transport.send(call);
    return transport.send({ ...call, live, signal: abort?.signal });
  }

  async #refresh(flight: Flight, attachment: Attachment): Promise<Attachment | undefined> {
    const { provider, version } = attachment;
    if (provider?.refresh === undefined || version === null) return undefined;
    try {
      const { clock, config } = this.#context;
      const refresh = provider.refresh(version);
      const isRenewed = await within(clock, config.attemptTimeoutMs, 'the refresh of a credential', refresh);
      return isRenewed ? await this.#credentials.attach(flight.request, flight.zone) : undefined;
    } catch (error) {
      this.#context.logger.warn('a credential could not be refreshed', {
        zone: flight.zone.name,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #decide(flight: Flight, result: TransportResult, attachment: Attachment, refreshed: boolean): Decision {
    const { request, token, zone } = flight;
    const { clock, config, random } = this.#context;
    const { keyed, keyTtlMs } = resendRules(request, zone.policy, config);
    const input: DecisionInput = {
      request,
      token,
      origin: zone.policy.origin,
      result,
      now: clock.now(),
      random: random.number,
      hasCaller: this.#callers.has(request.id),
      keyed,
      keyTtlMs,
      refreshed,
      zone: {
        retryAnswered5xx: zone.policy.retryAnswered5xx,
        canRefresh: attachment.provider?.refresh !== undefined,
        declaredAuth: attachment.provider !== undefined,
        hasProbe: probeFor(request, zone.policy) !== undefined,
        served: zone.servedAt,
        everAnswered: zone.everAnswered,
        othersAnswer: this.#zones.anyOtherAnswered(zone),
        onlineAt: zone.onlineAt,
      },
      policy: this.#policy,
      classify: zone.policy.classify,
    };
    return decide(input);
  }

  #jobOf(flight: Flight, result: TransportResult, decision: Decision): SettleJob {
    const { request, token, zone } = flight;
    const cause = result.phase === 'answered' ? result.bodyError : result.error;
    this.#events.observed(zone, decision, result.phase === 'answered' ? null : result.error);
    if (decision.policyError !== undefined) {
      this.#context.logger.error('a rule of the configuration failed', {
        zone: zone.name,
        error: messageOf(decision.policyError),
      });
    }
    const isEnd = decision.final;
    const response: HttpResponse | undefined =
      isEnd && result.phase === 'answered' && result.bodyError === undefined ? result.response : undefined;
    if (response === undefined) letGo(result);
    return {
      request,
      response,
      cause,
      resolvedBy: request.progress.unresolved && !decision.progress.unresolved ? 'resend' : undefined,
      settlement: {
        id: request.id,
        token,
        next: decision.move,
        progress: decision.progress,
        notSent: decision.notSent,
        result: decision.result,
        told: isEnd && this.#callers.has(request.id),
      },
    };
  }

  /** A provider that fails says nothing about the request: it waits and is tried again. */
  #withoutCredential(flight: Flight, error: unknown): SettleJob {
    const { config, clock, logger } = this.#context;
    logger.warn('a credential provider failed', { zone: flight.zone.name, error: messageOf(error) });
    const dueAt = clock.now() + config.retry.maxDelayMs / 4;
    return { ...this.#unsent(flight, { state: 'scheduled', reason: 'retry', dueAt }), cause: error };
  }

  /** No credential of its principal is here: it is held for one, or waits for the process that has its client. */
  #notOurs(flight: Flight): SettleJob {
    const { request, zone } = flight;
    if (request.client === null || this.#credentials.client(request.client) !== undefined) {
      return this.#unsent(flight, { state: 'held', reason: 'auth' });
    }
    zone.senders.delete(clientSender(request.client));
    return this.#unsent(flight, { state: 'ready', reason: 'retry' });
  }

  /** Ends or sets aside a claimed request of which nothing was sent. */
  #unsent(flight: Flight, next: Move): SettleJob {
    const { request, token } = flight;
    return { request, settlement: { id: request.id, token, next, progress: request.progress, notSent: true } };
  }

  /**
   * A bug, or a transport that rejects, must not strand a leased request: the attempt counts as one that was sent and not answered, so that
   * it backs off, and gives up in the end.
   */
  #broke(flight: Flight, error: unknown): void {
    const { request, token, zone } = flight;
    this.#context.logger.error('an attempt broke off', { id: request.id, zone: zone.name, error: messageOf(error) });
    const { move: next, progress, final } = this.#afterBreak(flight, error);
    const told = final && this.#callers.has(request.id);
    zone.bulkhead.giveBack(1);
    this.#settler.add({ request, cause: error, settlement: { id: request.id, token, next, progress, told } });
  }

  #afterBreak(flight: Flight, cause: unknown): Pick<Decision, 'move' | 'progress' | 'final'> {
    const { request } = flight;
    // A transport may reject for the signal it was given; any other code of its own would be read as a transport's report.
    const code = flight.abort?.signal.aborted === true ? 'CALL_ABORTED' : 'ATTEMPT_BROKEN';
    const error = Object.assign(new Error(messageOf(cause), { cause }), { code });
    try {
      const decision = this.#decide(flight, { phase: 'sent', error }, NO_CREDENTIAL, true);
      const { move } = decision;
      if (move.state !== 'unknown') return decision;
      return { ...decision, move: { ...move, dueAt: this.#context.clock.now() + this.#policy.baseDelayMs } };
    } catch {
      // What broke is the decision itself, as the log says: a person must look.
      const progress: Progress = { ...request.progress, unresolved: true };
      return { move: { state: 'held', reason: 'operator' }, progress, final: true };
    }
  }
}

/** Its answer is not given to anybody. */
function letGo(result: TransportResult): void {
  if (result.phase === 'answered') result.response.live?.release();
}
