import { HoldfastError, holdfastError } from '../../errors.ts';
import { isHarmless } from '../strategies/effect.ts';
import type { HeaderRules } from '../strategies/headers.ts';
import { createHeaderRules } from '../strategies/headers.ts';
import { loadXxhash } from '../strategies/xxhash.ts';
import type { Accepted, ClientBinding } from '../types/calls.ts';
import type { NewRequest, StoredRequest } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { AdmissionRules, Admitted } from './admit.ts';
import { Attempts } from './attempts.ts';
import { AuthHolds } from './authHolds.ts';
import { BackendHealth } from './backendHealth.ts';
import { Callers } from './callers.ts';
import type { Context } from './context.ts';
import { Credentials } from './credentials.ts';
import { Detached, isFollowed } from './detached.ts';
import { loadDigestKey } from './digestKey.ts';
import { Dispatcher } from './dispatcher.ts';
import { Identities } from './identify.ts';
import { Intake } from './intake.ts';
import { Keeper } from './keeper.ts';
import { LiveCredentials } from './liveCredentials.ts';
import { Reachability } from './reachability.ts';
import { ReadJoins, raiseStored } from './readJoins.ts';
import { Resolver } from './resolver.ts';
import { sentAtAcceptance } from './sentRequest.ts';
import { Settler } from './settler.ts';
import { messageOf, Teller } from './tell.ts';
import { Turn } from './turn.ts';
import { Watcher } from './watcher.ts';
import type { Zone } from './zone.ts';
import { Zones } from './zones.ts';

/**
 * The stages of a started queue, wired to each other. Work flows one way:
 * intake → dispatcher → attempts → settler → teller; keeper, resolver, watcher and auth holds bring back what waits. Within one
 * turn of the event loop it is: store what was settled, then what came in, then claim with the permits this freed.
 */
export class Engine {
  readonly context: Context;
  readonly zones: Zones;
  readonly callers: Callers;
  readonly intake: Intake;
  readonly attempts: Attempts;
  readonly teller: Teller;
  readonly resolver: Resolver;
  readonly keeper: Keeper;
  readonly authHolds: AuthHolds;
  readonly #credentials: Credentials;
  readonly #detached: Detached;
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly #reachability: Reachability;
  readonly #watcher: Watcher;
  readonly #turn: Turn;
  readonly #health: BackendHealth;
  readonly #shares = new Map<string, number>();
  readonly #versions = new Map<string, number>();

  /** Loads what the stages need from the store and elsewhere. The backend is open. */
  static async create(context: Context, keepAfter: () => Promise<number>): Promise<Engine> {
    const digestKey = await loadDigestKey(context.backend, context.clock, context.random);
    return new Engine(context, digestKey, await loadXxhash(), keepAfter);
  }

  private constructor(
    context: Context,
    digestKey: Uint8Array,
    hash: (data: string | Uint8Array) => string,
    keepAfter: () => Promise<number>,
  ) {
    const { config, clock } = context;
    this.context = context;
    const wake = (): void => this.#turn.request();
    const zones = new Zones(config, context.worker);
    const callers = new Callers(clock);
    const live = new LiveCredentials();
    const health = new BackendHealth(context.emitter);
    this.#health = health;
    const identities = new Identities(config.principal, digestKey, context.worker);
    this.zones = zones;
    this.callers = callers;
    this.#detached = new Detached(clock);
    this.#credentials = new Credentials(live, identities, context.backend.shared, clock);
    this.teller = new Teller(
      context,
      zones,
      { callers, live, detached: this.#detached },
      {
        due: (at) => this.keeper.due(at),
        wake,
        answered: (id) => this.intake.forget(id),
        ended: (id) => this.#ended(id),
        endedAside: () => this.#endedAside(),
      },
    );
    this.#settler = new Settler(context, this.teller, health, {
      due: (at) => this.keeper.due(at),
      wake,
      hint: (zone) => this.zones.named(zone)?.hint(),
      released: (id) => this.attempts.released(id),
    });
    this.#reachability = new Reachability(context, () => {
      this.keeper.arm();
      wake();
    });
    this.attempts = new Attempts(
      context,
      zones,
      { credentials: this.#credentials, callers, settler: this.#settler, teller: this.teller },
      {
        wake,
        renewed: () => this.authHolds.release(),
        observed: (zone, decision, error) => this.#reachability.observed(zone, decision, error),
      },
    );
    this.#dispatcher = new Dispatcher(context, zones, { attempts: this.attempts, teller: this.teller, health }, wake);
    this.resolver = new Resolver(context, zones, this.#credentials, this.#settler, (zone, connectivity, error) =>
      this.#reachability.observed(zone, { connectivity, served: false, pauseZoneUntil: null }, error),
    );
    this.authHolds = new AuthHolds(context, zones, this.#credentials, this.teller);
    this.keeper = new Keeper(
      context,
      zones,
      { attempts: this.attempts, teller: this.teller, resolver: this.resolver, health },
      {
        wake,
        recovered: () => this.#inBackground(this.#watcher.survey()),
        keepAfter,
        probe: () => this.#reachability.probe(zones.all),
        checkCallers: () => this.#watcher.checkCallers(),
      },
    );
    this.#watcher = new Watcher(
      context,
      zones,
      { credentials: this.#credentials, callers, attempts: this.attempts, teller: this.teller },
      { wake, held: () => this.authHolds.release(), look: () => this.keeper.look() },
    );
    this.intake = new Intake(
      context,
      zones,
      admissionRules(identities, hash),
      { reads: new ReadJoins(), detached: this.#detached },
      {
        claimed: (request, token, zone) => this.attempts.start(sentAtAcceptance(request, clock.now()), token, zone),
        accepted: (admitted, result) => this.#accepted(admitted, result),
        joined: (admitted, result, isStored) => this.#joined(admitted, result, isStored),
        raised: (id, patch) => void (this.attempts.isUnderWay(id) || raiseStored(context, id, patch)),
        refused: (id, error) => this.#refused(id, error),
        wake,
      },
    );
    this.#turn = new Turn([() => this.#settler.flush(), () => this.intake.flush(), () => this.#dispatcher.pump()]);
  }

  /** Repairs what earlier runs left, then begins to send. */
  async start(): Promise<void> {
    await this.keeper.recover();
    this.#watcher.start();
    await this.#watcher.survey();
    this.authHolds.release();
    this.keeper.start();
    this.wake();
  }

  wake(): void {
    this.#turn.request();
  }

  /** Claims no more. Calls under way go on. */
  async stopClaiming(): Promise<void> {
    await Promise.all([
      this.#dispatcher.stop(),
      this.#watcher.stop(),
      this.resolver.stop(),
      this.authHolds.stop(),
      this.#reachability.stop(),
    ]);
  }

  /** Resolves when every call under way has ended and every settlement is committed. */
  async quiet(): Promise<void> {
    await this.intake.drained();
    while (this.attempts.size > 0 || this.#settler.pending > 0) {
      await this.#settler.drained();
      if (this.attempts.size > 0) await new Promise<void>((resolve) => this.attempts.onceEmpty(resolve));
    }
  }

  /** After the transport is closed: nothing is left that could run. */
  async stop(): Promise<void> {
    this.#settler.close();
    await this.keeper.stop();
    this.#credentials.live.clear();
  }

  register(client: ClientBinding): () => void {
    this.#credentials.addClient(client);
    this.zones.addClient(client.name);
    this.#inBackground(this.#watcher.survey());
    this.authHolds.release();
    return () => {
      this.#credentials.removeClient(client.name);
      this.zones.removeClient(client.name);
    };
  }

  /** The client of that name, if it is constructed on this queue. */
  binding(name: string | null): ClientBinding | undefined {
    return name === null ? undefined : this.#credentials.client(name);
  }

  /** Whether a live credential of this principal is at hand. */
  knows(principal: string): boolean {
    return this.#credentials.live.knows(principal);
  }

  get isStoreFailing(): boolean {
    return this.#health.isFailing;
  }

  /** The record of a request. @throws REQUEST_NOT_FOUND */
  async record(id: string): Promise<StoredRequest> {
    const [record] = await this.context.backend.requests.get({ ids: [id] });
    if (record === undefined) throw notFound(id);
    return record;
  }

  async find(id: string): Promise<Accepted> {
    const { seq } = await this.record(id);
    return { id, seq, deduplicated: false };
  }

  /** Turns of the event loop in which something was done. */
  get turns(): number {
    return this.#turn.count;
  }

  /** Tells the callers of a request what the store knows of it. */
  async lookUp(id: string): Promise<void> {
    const [record] = await this.context.backend.requests.get({ ids: [id] });
    if (record !== undefined) this.teller.tellRecord(record);
    else if (!this.attempts.isUnderWay(id)) this.callers.fail(id, notFound(id));
  }

  /** Cancels a request that was never sent and that nobody else shares. */
  async cancel(id: string): Promise<boolean> {
    if (this.#leaveShared(id)) return false;
    const { backend, clock } = this.context;
    const from = ['ready', 'scheduled', 'blocked', 'held'] as const;
    const to = { state: 'cancelled', reason: 'caller' } as const;
    const changes = [
      { id, from, neverSent: true, callers: 1, to },
      { id, from, neverSent: true, patch: { callers: -1 } },
    ];
    const [result] = await backend.requests.amend({ now: clock.now(), changes: changes.slice(0, 1) });
    if (result?.status === 'amended') {
      this.teller.allEnded(result.ended);
      this.teller.moved(result.moved);
      this.wake();
      return true;
    }
    if (result?.status === 'notFound') throw notFound(id);
    await backend.requests.amend({ now: clock.now(), changes: changes.slice(1) });
    return false;
  }

  /** The caller is gone: cancel what was never sent, close the wire of a read, let a sent write go on and be joined. */
  async abandon(id: string, reason: unknown): Promise<void> {
    if (this.#leaveShared(id) || this.attempts.abort(id, reason)) return;
    if (await this.cancel(id)) return;
    const { requests } = this.context.backend;
    const [record] = await requests.get({ ids: [id] });
    // An idempotent write is simply made again.
    if (record === undefined || isHarmless(record.effect, false)) return;
    this.#detached.add(record);
    if (isTerminal(record.state)) this.#detached.settled(id);
    if (await isFollowed(requests, record)) this.#detached.drop(id);
  }

  /** One of several callers of this process leaves; true when others stay. */
  #leaveShared(id: string): boolean {
    const shares = this.#shares.get(id) ?? 1;
    if (shares <= 1) return false;
    this.#shares.set(id, shares - 1);
    return true;
  }

  #accepted(
    admitted: Admitted,
    result: { readonly state: NewRequest['sender'] | string; readonly dueAt: number | null },
  ): void {
    const { request, zone, secret } = admitted;
    const { emitter } = this.context;
    zone.senders.add(request.sender);
    if (secret !== null && this.#credentials.live.remember(request.id, request.principal, secret)) {
      this.authHolds.release();
      this.#inBackground(this.#watcher.survey());
    }
    this.#credentials.live.rememberVolatile(request.id, admitted.volatile);
    this.#noticeCredential(admitted);
    if (result.state === 'ready') {
      zone.hint();
      // A claim that was under way meanwhile may have come back without it, and nothing else would ask again.
      this.wake();
    }
    if (result.dueAt !== null) this.keeper.due(result.dueAt);
    if (request.expiresAt !== null) this.keeper.due(request.expiresAt);
    if (emitter.hears('request:accepted')) {
      const { id: requestId, effect, lane } = request;
      const state = result.state as StoredRequest['state']; // a state as the store gave it
      emitter.emit('request:accepted', {
        requestId,
        zone: zone.name,
        state,
        method: request.content.method,
        effect,
        lane,
      });
    }
  }

  /** A provider's credential that is new may release what waited for one; one the call renamed is paired with its name. */
  #noticeCredential(admitted: Admitted): void {
    const { request, zone, credentialVersion, vouchesFor } = admitted;
    if (credentialVersion === null) return;
    const source = request.client ?? zone.name;
    const isNew = this.#versions.get(source) !== credentialVersion;
    if (isNew) this.#versions.set(source, credentialVersion);
    if (vouchesFor === null) {
      if (isNew) this.authHolds.release();
      return;
    }
    this.#credentials.pair(request.principal, vouchesFor).then(
      (isNewPair) => {
        if (isNewPair) this.authHolds.release();
      },
      (error: unknown) => this.context.logger.warn('a pairing was not stored', { error: String(error) }),
    );
  }

  #refused(id: string, error: unknown): void {
    this.#ended(id);
    const { emitter, config } = this.context;
    switch (holdfastError(error)?.code) {
      case 'QUEUE_FULL':
        return emitter.emit('queue:full', { waiting: config.maxSize });
      case 'BACKEND_UNAVAILABLE':
      case 'STORAGE_FULL':
        return this.#health.failed(error, 'keep');
      default:
    }
  }

  #joined(admitted: Admitted, result: { readonly id: string; readonly state: string }, isStored: boolean): void {
    const { id: requestId } = result;
    // The store counts the callers of what is joined there.
    if (!isStored) this.#shares.set(requestId, (this.#shares.get(requestId) ?? 1) + 1);
    const state = result.state as StoredRequest['state']; // a state as the store gave it
    this.attempts.share(admitted.request.id, requestId);
    if (isTerminal(state)) this.attempts.forget(requestId);
    this.context.emitter.emit('request:deduplicated', { requestId, zone: admitted.zone.name, state });
  }

  #endedAside(): void {
    for (const zone of this.zones.all) zone.hint();
    this.wake();
    this.#inBackground(this.#watcher.checkCallers());
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.context.logger.warn('a look at the store failed', { error: messageOf(error) }));
  }

  #ended(id: string): void {
    this.intake.forget(id);
    this.attempts.forget(id);
    if (this.#shares.size > 0) this.#shares.delete(id);
  }
}

function admissionRules(identities: Identities, hash: (data: string | Uint8Array) => string): AdmissionRules {
  const byZone = new WeakMap<Zone, HeaderRules>();
  return {
    identities,
    hash,
    headersOf(zone) {
      const known = byZone.get(zone);
      if (known !== undefined) return known;
      const rules = createHeaderRules(new Set(zone.policy.secretHeaders), zone.policy.idempotency?.header);
      byZone.set(zone, rules);
      return rules;
    },
  };
}

export function notFound(id: string): HoldfastError {
  return new HoldfastError('REQUEST_NOT_FOUND', `no request ${id} is stored (any more)`, { id });
}
