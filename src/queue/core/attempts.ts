import { isClosed } from '../strategies/connectivity.ts';
import type { Decision } from '../strategies/decision.ts';
import type { HttpResponse } from '../types/request.ts';
import type { Move, Settlement } from '../types/store.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import { Abortable } from './abortable.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Attachment, Credentials } from './credentials.ts';
import { NO_CREDENTIAL } from './credentials.ts';
import type { Declared } from './declared.ts';
import type { FetchCallers } from './fetchCallers.ts';
import { afterProbe } from './gates/afterProbe.ts';
import type { Channel, Tickets } from './gates/Channel.ts';
import type { CallEnd } from './gates/Feedback.ts';
import type { Route } from './gates/Route.ts';
import type { Judge, Judged } from './judge.ts';
import type { Prepared } from './preparation.ts';
import { Refreshes } from './refreshes.ts';
import type { Seals } from './seals.ts';
import { senderOf } from './senders.ts';
import type { Called } from './sending.ts';
import { Sending } from './sending.ts';
import type { SentRequest } from './sentRequest.ts';
import type { SettleJob, Settler } from './settler.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';

/** What a call holds of the gates, and what they are to be told of it, once there is something. */
interface Permit {
  via: Channel;
  tickets: Tickets;
  /** Its zone was closed when it started: it finds out about that. */
  readonly isCanary: boolean;
  shown: CallEnd | undefined;
}

/** One request being sent by this process. Its zone is the one it is sent to. */
interface Flight extends Judged {
  readonly permit: Permit;
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
    decision: Pick<Decision, 'connectivity' | 'served'>,
    error: TransportFailure['error'] | null,
  ): void;
  /** A call is over, whether or not anything was sent: its permit goes back. */
  ended(via: Channel, tickets: Tickets, shown: CallEnd | undefined, request: SentRequest): void;
}

/** Sends claimed requests, each holding a permit, and hands the settlement on. Never rejects, never forgets one. */
export class Attempts {
  readonly #context: Context;
  readonly #credentials: Credentials;
  readonly #callers: Callers;
  readonly #sending: Sending;
  readonly #settler: Settler;
  readonly #teller: Teller;
  readonly #declared: Declared;
  readonly #judge: Judge;
  readonly #seals: Seals;
  readonly #route: Route;
  readonly #refreshes: Refreshes;
  readonly #events: AttemptEvents;
  readonly #flights = new Map<string, Flight>();
  #whenEmpty: (() => void)[] = [];
  /** Requests whose callers may call them off. */
  readonly abortable = new Abortable();

  constructor(
    context: Context,
    parts: {
      readonly credentials: Credentials;
      readonly callers: Callers;
      readonly fetchCallers: FetchCallers;
      readonly settler: Settler;
      readonly teller: Teller;
      readonly declared: Declared;
      readonly judge: Judge;
      readonly seals: Seals;
      readonly route: Route;
    },
    events: AttemptEvents,
  ) {
    this.#context = context;
    this.#credentials = parts.credentials;
    this.#callers = parts.callers;
    this.#sending = new Sending(context, parts);
    this.#settler = parts.settler;
    this.#teller = parts.teller;
    this.#declared = parts.declared;
    this.#judge = parts.judge;
    this.#seals = parts.seals;
    this.#route = parts.route;
    this.#refreshes = new Refreshes(context);
    this.#events = events;
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

  /** Starts an attempt of a claimed request, which holds a permit of `via`. */
  start(request: SentRequest, token: number, via: Channel): void {
    const { zone } = via;
    const now = this.#context.clock.monotonicNow();
    const isProbe = via.isProbing(now);
    const tickets = via.started(now);
    zone.counted(request.priority, 1);
    const isAbortable = request.effect === 'read' && this.abortable.has(request.id);
    const abort = isAbortable ? new AbortController() : undefined;
    const permit: Permit = { via, tickets, isCanary: isClosed(zone.connectivity), shown: undefined };
    const flight: Flight = { request, token, zone, isProbe, permit, abort, whenOver: [] };
    this.#flights.set(request.id, flight);
    const { emitter } = this.#context;
    emitter.emit('request:dispatched', { requestId: request.id, zone: request.zone, attempt: token });
    via.run(() => this.#run(flight)).catch((error: unknown) => this.#broke(flight, error));
  }

  /** Closes the wire of a read that is under way. False when there is none. */
  abort(id: string, reason: unknown): boolean {
    const flight = this.#flights.get(id);
    if (flight?.abort === undefined) return false;
    flight.abort.abort(reason);
    return true;
  }

  async #run(flight: Flight): Promise<void> {
    const { request } = flight;
    const job = this.#isPlain(flight)
      ? this.#plainJob(flight, await this.#sending.send(flight, NO_CREDENTIAL))
      : await this.#attempt(flight);
    this.#giveBack(flight);
    const settled = flight.isProbe === true ? afterProbe(job, flight.permit.via, this.#context) : job;
    this.#settler.add(this.#maybeTellEarly(settled, request));
    this.#events.wake();
  }

  /** Nothing to check or to fetch before it can be sent. */
  #isPlain({ request }: Flight): boolean {
    const isBare = request.intent === undefined && request.refs.length === 0 && !this.#seals.has(request.principal);
    return (
      isBare &&
      this.#route.isFree(request) &&
      request.auth === 'none' &&
      request.expiresAt === null &&
      !request.progress.unresolved
    );
  }

  /** Reads, and all requests under `settleAck: 'early'`, are answered before the commit. */
  #maybeTellEarly(job: SettleJob, request: SentRequest): SettleJob {
    if (request.effect !== 'read' && this.#context.config.settleAck === 'durable') return job;
    const { state, reason } = job.settlement.next;
    this.#teller.answer(request, state, reason, job.response, job.cause);
    return { ...job, isTold: true };
  }

  async #attempt(given: Flight): Promise<SettleJob> {
    const flight = this.#route.isFree(given.request) ? given : await this.#routed(given);
    if (typeof flight === 'number') {
      const dueAt = this.#context.clock.now() + flight;
      return this.#unsent(given, { state: 'scheduled', reason: 'retry', dueAt });
    }
    const { request, zone } = flight;
    const { clock } = this.#context;
    const inDoubt = request.progress.unresolved && request.effect !== 'read';
    if (await this.#seals.keeps(request.principal)) return this.#unsent(flight, { state: 'held', reason: 'principal' });
    const isPast = request.expiresAt !== null && request.expiresAt <= clock.now();
    if (!inDoubt && (isPast || this.#sending.isTooLate(flight))) {
      return this.#unsent(flight, { state: 'dead', reason: 'expired' });
    }
    if (request.progress.unresolved && !this.#judge.mayResend(request, zone)) {
      return this.#unsent(flight, { state: 'unknown', reason: 'unanswered', dueAt: clock.now() });
    }
    const { preparation } = this.#declared;
    if (!preparation.isNeeded(request)) return this.#sendPrepared(flight, undefined);
    const prepared = await preparation.prepare(request, zone);
    if (prepared.kind === 'unsent') return this.#unsent(flight, prepared.next);
    if (prepared.kind === 'conflict') return this.#metBefore(flight, prepared);
    return this.#sendPrepared(
      { ...flight, request: prepared.request, freshUntil: prepared.freshUntil },
      prepared.patch,
    );
  }

  /** By another zone's gates, where it has to go there; else the ms it has to wait for that. */
  async #routed(flight: Flight): Promise<Flight | number> {
    const { request, permit } = flight;
    const via = await this.#route.of(request, permit.via);
    if (typeof via === 'number') return via;
    if (via === permit.via) return flight;
    this.#giveBack(flight);
    permit.via = via;
    permit.tickets = via.started(this.#context.clock.monotonicNow());
    via.zone.counted(request.priority, 1);
    return { ...flight, zone: via.zone };
  }

  /** A look before the send showed a conflict. */
  #metBefore(flight: Flight, { request, remote }: Extract<Prepared, { kind: 'conflict' }>): Promise<SettleJob> {
    const { zone } = flight;
    const { resources, consequences } = this.#declared;
    const rules = resources.of(request);
    const job = this.#unsent(flight, { state: 'held', reason: 'conflict' });
    if (rules === undefined) return Promise.resolve(job);
    return consequences.reconciled(job, {
      request,
      zone,
      rules,
      trigger: 'changed',
      progress: request.progress,
      remote,
    });
  }

  /** `patch`: what it is frozen as from now on. */
  async #sendPrepared(flight: Flight, patch: Settlement['patch']): Promise<SettleJob> {
    const { request, zone } = flight;
    let attachment: Attachment | undefined = NO_CREDENTIAL;
    try {
      if (request.auth !== 'none')
        attachment = await this.#credentials.attach(request, this.#route.credentialZone(request, flight.permit.via));
    } catch (error) {
      return this.#withoutCredential(flight, error);
    }
    if (attachment === undefined) return this.#notOurs(flight);
    let called = await this.#sending.send(flight, attachment);
    let decision = this.#judge.decide(flight, called.result, attachment, false);
    if (decision.refreshAuth) {
      const renewed = await this.#refresh(flight, attachment);
      if (renewed !== undefined) {
        letGo(called.result);
        attachment = renewed;
        flight.permit.via.repeated(this.#context.clock.monotonicNow());
        called = await this.#sending.send(flight, attachment);
        const { result } = called;
        if (result.phase === 'answered' && result.response.status !== 401) this.#events.renewed();
      }
      decision = this.#judge.decide(flight, called.result, attachment, true);
    }
    if (decision.move.state === 'held' && decision.move.reason === 'auth')
      this.#credentials.refused(request.id, attachment);
    const job = this.#jobOf(flight, called, decision);
    if (request.intent === undefined && patch === undefined) return job;
    return this.#declared.consequences.of(job, { request, zone, result: called.result, decision, patch });
  }

  #giveBack({ request, permit: { via, tickets, shown } }: Flight): void {
    via.zone.counted(request.priority, -1);
    this.#events.ended(via, tickets, shown, request);
  }

  #plainJob(flight: Flight, called: Called): SettleJob {
    return this.#jobOf(flight, called, this.#judge.decide(flight, called.result, NO_CREDENTIAL, false));
  }

  async #refresh({ request, zone }: Flight, { provider, version }: Attachment): Promise<Attachment | undefined> {
    if (provider?.refresh === undefined || version === null) return undefined;
    try {
      const isRenewed = await this.#refreshes.renew(provider, version, request.client ?? zone.name);
      return isRenewed ? await this.#credentials.attach(request, zone) : undefined;
    } catch (error) {
      const told = { zone: zone.name, error: messageOf(error) };
      this.#context.logger.warn('a credential could not be refreshed', told);
      return undefined;
    }
  }

  #jobOf(flight: Flight, called: Called, decision: Decision): SettleJob {
    const { request, token, zone, permit } = flight;
    const { result, durationMs } = called;
    const cause = this.#sending.causeOf(called);
    permit.shown = { requestId: request.id, result, decision, durationMs, isCanary: permit.isCanary };
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
    zone.senders.delete(senderOf(request.client, request.intent?.resource));
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
    const { move: next, progress, final } = this.#judge.ofBroken(flight, error, flight.abort?.signal.aborted === true);
    const told = final && this.#callers.has(request.id);
    this.#giveBack(flight);
    this.#settler.add({ request, cause: error, settlement: { id: request.id, token, next, progress, told } });
  }
}

/** Its answer is not given to anybody. */
function letGo(result: TransportResult): void {
  if (result.phase === 'answered') result.response.live?.release();
}
