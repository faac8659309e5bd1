import { loadXxhash } from '../strategies/xxhash.ts';
import type { ClientBinding } from '../types/calls.ts';
import { admissionRules } from './admissionRules.ts';
import { Attempts } from './attempts.ts';
import { AuthHolds } from './authHolds.ts';
import { BackendHealth, isAway } from './backendHealth.ts';
import { Callers } from './callers.ts';
import type { Context } from './context.ts';
import { Credentials } from './credentials.ts';
import { serveDeclared } from './declared.ts';
import { Detached } from './detached.ts';
import { loadDigestKey } from './digestKey.ts';
import { Dispatcher } from './dispatcher.ts';
import { FetchCallers } from './fetchCallers.ts';
import { Gatekeeping } from './gates/Gatekeeping.ts';
import { ZoneDesk } from './gates/ZoneDesk.ts';
import { Identities } from './identify.ts';
import { Intake } from './intake.ts';
import { Judge } from './judge.ts';
import { Keeper } from './keeper.ts';
import { LiveCredentials } from './liveCredentials.ts';
import { Lookup } from './lookup.ts';
import { ReadLeaders } from './ReadLeaders.ts';
import { Reader } from './reader.ts';
import { Reception } from './reception.ts';
import { Reranking } from './reranking.ts';
import { Resolver } from './resolver.ts';
import type { ResourceRules } from './resources.ts';
import { Resources } from './resources.ts';
import { Seals } from './seals.ts';
import { Settler } from './settler.ts';
import { Shares } from './shares.ts';
import type { Shedding } from './shedding.ts';
import { sheddingOf } from './shedding.ts';
import { staleReadsOf } from './staleReads.ts';
import { Standstill } from './standstill.ts';
import { messageOf, Teller } from './tell.ts';
import { Turn } from './turn.ts';
import { Watcher } from './watcher.ts';
import { Withdrawal } from './withdrawal.ts';
import type { Zones } from './zones.ts';

/**
 * The stages of a started queue, wired to each other. Work flows one way:
 * intake → dispatcher → attempts → settler → teller; keeper, resolver, watcher and auth holds bring back what waits. Within one
 * turn of the event loop it is: store what was settled, then what came in, then claim with the permits this freed.
 */
export class Engine {
  readonly context: Context;
  readonly zones: Zones;
  readonly callers: Callers;
  readonly fetchCallers: FetchCallers;
  readonly intake: Intake;
  readonly attempts: Attempts;
  readonly teller: Teller;
  readonly resolver: Resolver;
  readonly keeper: Keeper;
  readonly authHolds: AuthHolds;
  readonly lookup: Lookup;
  readonly withdrawal: Withdrawal;
  readonly resources = new Resources();
  readonly seals: Seals;
  readonly live: LiveCredentials;
  readonly reranking: Reranking;
  /** Undefined where the queue sheds no load. */
  readonly shedding: Shedding | undefined;
  readonly #credentials: Credentials;
  readonly #detached: Detached;
  readonly #settler: Settler;
  readonly #dispatcher: Dispatcher;
  readonly gates: Gatekeeping;
  readonly zoneDesk: ZoneDesk;
  readonly #watcher: Watcher;
  readonly #turn: Turn;
  readonly #health: BackendHealth;
  readonly #shares: Shares;

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
    const gates = new Gatekeeping(context, {
      wake,
      forgotten: () => this.#inBackground(this.#watcher.survey()),
      changed: () => {
        this.keeper.arm();
        wake();
      },
    });
    const { zones, reachability } = gates;
    this.gates = gates;
    this.zoneDesk = new ZoneDesk(context, zones, gates.failover, wake);
    this.shedding = sheddingOf(context, () => this.#hintAll());
    const callers = new Callers(clock);
    const fetchCallers = new FetchCallers(callers, config.maxStoredResultBytes);
    this.fetchCallers = fetchCallers;
    const live = new LiveCredentials();
    this.live = live;
    this.seals = new Seals(context);
    this.reranking = new Reranking(context);
    const health = new BackendHealth(context.emitter);
    this.#health = health;
    const identities = new Identities(config.principal, digestKey, context.worker);
    this.zones = zones;
    this.callers = callers;
    this.#detached = new Detached(clock, live, identities);
    this.#credentials = new Credentials(live, identities, context.backend.shared, {
      clock,
      timeoutMs: config.attemptTimeoutMs,
    });
    this.teller = new Teller(
      context,
      zones,
      { callers, live, detached: this.#detached },
      {
        due: (at) => this.keeper.due(at),
        wake,
        answered: (request, answer, isGood) => this.intake.reads.answered(request, answer, isGood),
        ended: (id) => this.#ended(id),
        endedAside: () => this.#endedAside(),
      },
    );
    this.#settler = new Settler(context, this.teller, health, {
      due: (at) => this.keeper.due(at),
      wake,
      hint: (zone) => this.zones.named(zone)?.hint(),
      bound: (localIds) => this.intake.bound(localIds),
      released: (id, token) => this.attempts.flights.released(id, token),
    });
    const reader = new Reader(context, this.#credentials, (zone, connectivity, error) =>
      reachability.observed(zone, { connectivity, served: false }, error),
    );
    const { resources } = this;
    const declared = serveDeclared(context, { resources, reader, callers });
    const judge = new Judge(context, { zones, callers, resources });
    this.attempts = new Attempts(
      context,
      {
        credentials: this.#credentials,
        callers,
        fetchCallers,
        settler: this.#settler,
        teller: this.teller,
        declared,
        judge,
        seals: this.seals,
        route: gates.route,
      },
      {
        wake,
        met: (...call) => gates.met(...call),
        ended: (...call) => gates.ended(...call),
        renewed: () => this.authHolds.release(),
        observed: (zone, decision, error) => reachability.observed(zone, decision, error),
      },
    );
    this.#dispatcher = new Dispatcher(
      context,
      zones,
      {
        attempts: this.attempts,
        teller: this.teller,
        health,
        failover: gates.failover,
        probeLeases: gates.probeLeases,
        fetchCallers,
        minPriority: () => this.shedding?.minPriority() ?? 1,
        closed: () => this.keeper.arm(),
        untried: (zone) => this.keeper.untried(zone),
      },
      wake,
    );
    const { consequences } = declared;
    const asked = { resources, consequences, reader, settler: this.#settler, seals: this.seals };
    this.resolver = new Resolver(context, zones, asked, wake);
    this.authHolds = new AuthHolds(context, zones, this.#credentials, this.teller);
    this.keeper = new Keeper(
      context,
      zones,
      { attempts: this.attempts, teller: this.teller, resolver: this.resolver, health },
      {
        wake,
        recovered: () => this.#inBackground(this.#watcher.survey()),
        keepAfter,
        probe: () => reachability.probe(zones.all),
        checkCallers: () => this.#watcher.checkCallers(),
        loadSeals: () => this.seals.load(),
        loadGates: () => gates.load().then(() => this.reranking.look()),
      },
    );
    this.#watcher = new Watcher(
      context,
      zones,
      {
        credentials: this.#credentials,
        callers,
        attempts: this.attempts,
        teller: this.teller,
        remembered: { ids: () => this.#remembered(), pending: () => this.intake.pendingIds },
      },
      {
        wake,
        held: () => this.authHolds.release(),
        look: () => this.keeper.look(),
        loadSeals: () => this.seals.load(),
      },
    );
    const shares = new Shares();
    this.#shares = shares;
    const parts = { attempts: this.attempts, teller: this.teller, callers };
    this.lookup = new Lookup(context.backend.requests, parts);
    this.withdrawal = new Withdrawal(
      context,
      { ...parts, shares, detached: this.#detached },
      {
        wake,
        closed: (id) => this.intake.reads.forget(id),
      },
    );
    const reception = new Reception(
      context,
      {
        attempts: this.attempts,
        authHolds: this.authHolds,
        credentials: this.#credentials,
        health,
        shares,
        fetchCallers,
      },
      {
        due: (at) => this.keeper.due(at),
        wake,
        survey: () => this.#inBackground(this.#watcher.survey()),
        ended: (id) => this.#ended(id),
        endedAside: (requests) => this.teller.allEnded(requests.map((one) => ({ ...one, endedSeq: 0 }))),
        lookUp: (id) => void this.teller.lookUp([id]),
        waits: (request) => {
          if (this.seals.has(request.principal)) this.#inBackground(this.seals.hold(request, this.teller));
        },
      },
    );
    const standstill = new Standstill(clock, context.emitter, gates.failover);
    const stale = staleReadsOf(context, standstill, this.seals, (id) => this.#ended(id));
    const reads = new ReadLeaders(clock, stale, reception);
    this.intake = new Intake(
      context,
      zones,
      admissionRules(identities, hash, resources, zones, gates.adapters),
      { reads, detached: this.#detached, shedding: this.shedding },
      reception,
    );
    // Bound by a person, or by what came late.
    context.emitter.on('id:bound', ({ localId }) => this.intake.bound([localId]));
    this.#turn = new Turn([() => this.#settler.flush(), () => this.intake.flush(), () => this.#dispatcher.pump()]);
  }

  /** Repairs what earlier runs left, then begins to send. */
  async start(): Promise<void> {
    // Before anything is given back that may be sent: it may be of a zone that is left alone, or of a principal who is away.
    await this.#unlessAway(this.seals.load());
    await this.#unlessAway(this.gates.load());
    await this.#unlessAway(this.reranking.load());
    await this.#unlessAway(this.keeper.recover());
    this.#watcher.start();
    await this.#unlessAway(this.#watcher.survey());
    this.authHolds.release();
    this.keeper.start();
    this.shedding?.start();
    this.wake();
  }

  wake(): void {
    this.#turn.request();
  }

  /** A store that may be away at the start is repaired and looked through by the housekeeping once it is back. */
  async #unlessAway(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      if (!isAway(this.context.backend, error)) throw error;
      this.#health.failed(error, 'keep');
    }
  }

  /** Claims no more. Calls under way go on. A stage that fails to stop keeps back none of the others. */
  async stopClaiming(): Promise<void> {
    this.shedding?.stop();
    const stopped = await Promise.allSettled([
      this.#dispatcher.stop(),
      this.#watcher.stop(),
      this.resolver.stop(),
      this.authHolds.stop(),
      this.gates.reachability.stop(),
      this.gates.probeLeases.stop(),
      this.reranking.stop(),
    ]);
    for (const one of stopped) {
      if (one.status === 'fulfilled') continue;
      this.context.logger.warn('a stage ended with an error', { error: messageOf(one.reason) });
    }
  }

  /** Resolves when every call under way has ended and every settlement is committed. */
  async quiet(): Promise<void> {
    await this.intake.drained();
    while (this.attempts.flights.size > 0 || this.#settler.pending > 0) {
      await this.#settler.drained();
      if (this.attempts.flights.size > 0)
        await new Promise<void>((resolve) => this.attempts.flights.onceEmpty(resolve));
    }
  }

  /** After the transport is closed: nothing is left that could run. */
  async stop(): Promise<void> {
    this.#settler.close();
    await this.keeper.stop();
    this.#credentials.live.clear();
  }

  client(name: string): ClientBinding | undefined {
    return this.#credentials.client(name);
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

  /** Makes requests of that resource sendable by this process, as {@link register} does those of a client. */
  registerResource(rules: ResourceRules): () => void {
    const undo = this.resources.add(rules);
    this.zones.addClient(rules.name);
    this.#inBackground(this.#watcher.survey());
    this.authHolds.release();
    return () => {
      undo();
      this.zones.removeClient(rules.name);
    };
  }

  /** Whether a live credential of this principal is at hand. */
  readonly knows = (principal: string): boolean => this.live.knows(principal);

  get isStoreFailing(): boolean {
    return this.#health.isFailing;
  }

  /** Turns of the event loop in which something was done. */
  get turns(): number {
    return this.#turn.count;
  }

  *#remembered(): Generator<string> {
    yield* this.intake.reads.ids();
    yield* this.attempts.abortable.ids();
    yield* this.#credentials.live.requests();
    yield* this.#detached.open();
  }

  #endedAside(): void {
    this.#hintAll();
    this.#inBackground(this.#watcher.checkCallers());
  }

  #hintAll(): void {
    for (const zone of this.zones.all) zone.hint();
    this.wake();
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => this.context.logger.warn('a look at the store failed', { error: messageOf(error) }));
  }

  #ended(id: string): void {
    this.intake.reads.forget(id);
    this.attempts.abortable.forget(id);
    this.#shares.forget(id);
    this.fetchCallers.forget(id);
  }
}
