import { isClosed } from '../strategies/connectivity.ts';
import type { Decision } from '../strategies/decision.ts';
import type { HttpResponse } from '../types/request.ts';
import type { Move, Settlement } from '../types/store.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import { Abortable } from './abortable.ts';
import { BatchGroup } from './batching/BatchGroup.ts';
import type { Batching } from './batching/Batching.ts';
import { BatchRound } from './batching/BatchRound.ts';
import type { Sent } from './called.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Attachment, Credentials } from './credentials.ts';
import { NO_CREDENTIAL } from './credentials.ts';
import type { Declared } from './declared.ts';
import type { FetchCallers } from './fetchCallers.ts';
import type { Flight, Permit } from './flights.ts';
import { Flights } from './flights.ts';
import type { Channel, Tickets } from './gates/Channel.ts';
import type { CallEnd } from './gates/Feedback.ts';
import type { Route } from './gates/Route.ts';
import type { Judge } from './judge.ts';
import type { Prepared } from './preparation.ts';
import { Refreshes } from './refreshes.ts';
import type { Seals } from './seals.ts';
import { senderOf } from './senders.ts';
import { Sending } from './sending.ts';
import type { SentRequest } from './sentRequest.ts';
import type { SettleJob, Settler } from './settler.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';

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
  /** One of the calls of a group is over. */
  met(via: Channel, tickets: Tickets, shown: CallEnd): void;
  /** A call is over, whether or not anything was sent: its permit goes back. */
  ended(via: Channel, tickets: Tickets, shown: CallEnd | undefined): void;
}

/** A request and the token of its lease. */
export interface Claimed {
  readonly request: SentRequest;
  readonly token: number;
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
  readonly #flights = new Flights();
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

  /** What is under way. */
  get flights(): Flights {
    return this.#flights;
  }

  /** Starts an attempt of a claimed request, which holds a permit of `via`. */
  start(request: SentRequest, token: number, via: Channel): void {
    const { zone } = via;
    const now = this.#context.clock.monotonicNow();
    if (via.isShut(now)) return this.#keep([{ request, token }], via, now);
    const isProbe = via.isProbing(now);
    const isCanary = isClosed(zone.connectivity);
    const permit = { via, tickets: via.started(now), isCanary, shown: undefined, group: undefined };
    zone.counted(request.priority, 1);
    const flight = this.#flight(request, token, permit, isProbe);
    via.run(() => this.#run(flight)).catch((error: unknown) => this.#broke(flight, error));
  }

  /** Starts attempts of claimed requests that share a permit of `via`, and calls as far as they can. */
  startBatch(requests: readonly Claimed[], via: Channel, batching: Batching): void {
    const { zone } = via;
    const { clock } = this.#context;
    const now = clock.monotonicNow();
    if (via.isShut(now)) return this.#keep(requests, via, now);
    const isProbe = via.isProbing(now);
    const isCanary = isClosed(zone.connectivity);
    const tickets = via.started(now);
    const priority = Math.max(...requests.map(({ request }) => request.priority));
    zone.counted(priority, 1);
    const { transmit } = this.#sending;
    const { met, observed } = this.#events;
    const round = new BatchRound(
      this.#context,
      { via, batching, claimed: new Set(requests.map(({ request }) => request)), tickets, isCanary, transmit },
      { met, observed: (shown, error) => observed(zone, shown, error) },
    );
    const ids = requests.map(({ request }) => request.id);
    const group = new BatchGroup(ids, round.send, clock, () => {
      zone.counted(priority, -1);
      if (round.unused === undefined) via.finished();
      else this.#events.ended(via, round.unused, undefined);
      this.#events.wake();
    });
    void via.run(() => group.over);
    for (const { request, token } of requests) {
      const flight = this.#flight(request, token, { via, tickets, isCanary, shown: undefined, group }, isProbe);
      this.#run(flight).catch((error: unknown) => this.#broke(flight, error));
    }
  }

  /** The permit was taken of gates that have closed since: what was claimed with it is not sent. */
  #keep(claimed: readonly Claimed[], via: Channel, now: number): void {
    via.giveBack(1, now);
    for (const one of claimed) this.putBack(one);
  }

  /** Claimed, and not sent for want of a permit: it waits on, as if nobody had claimed it. */
  putBack({ request, token }: Claimed): void {
    const { id, progress } = request;
    const next = { state: 'ready', reason: 'accepted' } as const;
    this.#settler.add({ request, isPutBack: true, settlement: { id, token, next, progress, notSent: true } });
  }

  #flight(request: SentRequest, token: number, permit: Permit, isProbe: boolean): Flight {
    const isAbortable = request.effect === 'read' && this.abortable.has(request.id);
    const abort = isAbortable ? new AbortController() : undefined;
    const flight: Flight = { request, token, zone: permit.via.zone, isProbe, permit, abort, whenOver: [] };
    this.#flights.add(flight);
    const { emitter } = this.#context;
    emitter.emit('request:dispatched', { requestId: request.id, zone: request.zone, attempt: token });
    return flight;
  }

  async #run(flight: Flight): Promise<void> {
    const { request } = flight;
    const job = this.#isPlain(flight)
      ? this.#plainJob(flight, await this.#sending.send(flight, NO_CREDENTIAL))
      : await this.#attempt(flight);
    this.#giveBack(flight);
    this.#settler.add(this.#maybeTellEarly(job, request));
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
    permit.group = undefined;
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
        if (flight.permit.group === undefined) flight.permit.via.repeated(this.#context.clock.monotonicNow());
        called = await this.#sending.send(flight, attachment);
        const { result } = called;
        if (result.phase === 'answered' && result.response.status !== 401) this.#events.renewed();
      }
      decision = this.#judge.decide(flight, called.result, attachment, true);
    }
    flight.permit.group?.leave(request.id);
    if (decision.move.state === 'held' && decision.move.reason === 'auth')
      this.#credentials.refused(request.id, attachment);
    const job = this.#jobOf(flight, called, decision);
    if (request.intent === undefined && patch === undefined) return job;
    return this.#declared.consequences.of(job, { request, zone, result: called.result, decision, patch });
  }

  #giveBack({ request, permit: { via, tickets, shown, group } }: Flight): void {
    this.#context.ranking.ended(request, shown);
    if (group !== undefined) return group.leave(request.id);
    via.zone.counted(request.priority, -1);
    this.#events.ended(via, tickets, shown);
  }

  #plainJob(flight: Flight, called: Sent): SettleJob {
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

  #jobOf(flight: Flight, called: Sent, decision: Decision): SettleJob {
    const { request, token, zone, permit } = flight;
    const { result, durationMs } = called;
    const cause = this.#sending.causeOf(called);
    if (permit.group === undefined) {
      permit.shown = { requestId: request.id, result, decision, durationMs, isCanary: permit.isCanary };
      this.#events.observed(zone, decision, result.phase === 'answered' ? null : result.error);
    }
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
