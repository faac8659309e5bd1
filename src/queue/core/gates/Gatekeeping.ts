import type { BreakerChange } from '../../strategies/breaker/change.ts';
import { createRateLimiter } from '../../strategies/rate/createRateLimiter.ts';
import type { QueueEventMap } from '../../types/events.ts';
import type { Context } from '../context.ts';
import { Reachability } from '../reachability.ts';
import type { SentRequest } from '../sentRequest.ts';
import { Zones } from '../zones.ts';
import type { Channel, Tickets } from './Channel.ts';
import { Failover } from './Failover.ts';
import type { CallEnd } from './Feedback.ts';
import { Feedback } from './Feedback.ts';
import { GateStore } from './GateStore.ts';
import type { GateParts, Gates } from './Gates.ts';
import { ProbeLeases } from './ProbeLeases.ts';
import { Route } from './Route.ts';
import { SharedRate } from './SharedRate.ts';

export interface GatekeepingEvents {
  /** A gate opened, closed, or will open at another time. */
  changed(): void;
  /** Something of a closed channel may go. */
  wake(): void;
  /** Channels are gone, and requests may be stored under their names. */
  forgotten(): void;
}

/** All that stands before calls, wired: zones with their gates, what feeds these, where they are kept, and the ways around closed ones. */
export class Gatekeeping {
  readonly zones: Zones;
  readonly reachability: Reachability;
  readonly failover: Failover;
  readonly route: Route;
  readonly probeLeases: ProbeLeases;
  readonly #context: Context;
  readonly #feedback: Feedback;
  readonly #store: GateStore;
  readonly #events: GatekeepingEvents;

  constructor(context: Context, events: GatekeepingEvents) {
    const { clock, config, emitter, random, backend } = context;
    this.#context = context;
    this.#events = events;
    this.#store = new GateStore(context);
    this.#feedback = new Feedback(context, (zone, until) => this.reachability.pause(zone, until));
    const isShared = backend.capabilities.shared;
    const parts: GateParts = {
      random: random.number,
      now: () => clock.monotonicNow(),
      createRate: (scope, limit) =>
        isShared
          ? new SharedRate(context, scope, limit, () => this.#opened(scope))
          : createRateLimiter(limit, clock.monotonicNow()),
      breakerChanged: (gates, change) => this.#breakerChanged(gates, change),
      limitChanged: ({ zone, scope: channel }, { from, to, cause }) =>
        emitter.emit('limit:changed', { zone, channel, from, to, cause }),
    };
    this.zones = new Zones(config, context.worker, {
      ...parts,
      isShared,
      made: (gates) => this.#store.made(gates),
      forgotten: (scopes) => {
        for (const scope of scopes) this.#store.forgotten(scope);
        events.forgotten();
      },
      budgetSpent: (zone) => emitter.emit('zone:retriesDeferred', { zone }),
    });
    this.reachability = new Reachability(context, this.zones, events.changed);
    this.failover = new Failover(context, (name) => this.zones.named(name));
    this.route = new Route(context, this.zones);
    this.probeLeases = new ProbeLeases(context, (gates) => this.#store.hear(gates));
  }

  /** A call is over: its permit goes back, and the gates, and the order of what waits, are told what it met. */
  ended(via: Channel, tickets: Tickets, shown: CallEnd | undefined, request: SentRequest): void {
    const now = this.#context.clock.monotonicNow();
    this.#context.ranking.ended(request, shown);
    if (shown === undefined) this.#feedback.ignored(via, tickets, now);
    else this.#feedback.ended(via, tickets, shown, now);
    via.finished();
  }

  /** Goes on where breakers stood, or hears what others advise. */
  load(): Promise<void> {
    return this.#store.load();
  }

  #opened(scope: string): void {
    this.zones.wakeScope(scope);
    this.#events.wake();
  }

  #breakerChanged(gates: Gates, change: BreakerChange): void {
    const { emitter } = this.#context;
    if (isNews(change)) void this.#store.save(gates);
    const name = NAMES[change.to];
    if (change.from !== change.to && name !== undefined && emitter.hears(name)) this.#tell(name, gates, change);
    const zone = this.zones.named(gates.zone);
    if (zone?.gates === gates) this.reachability.breakerChanged(zone);
    else this.#opened(gates.scope);
  }

  #tell(name: BreakerEvent, { zone, scope: channel }: Gates, change: BreakerChange): void {
    const { emitter, clock } = this.#context;
    const { reason, failureRate, threshold, baseline, tries, openMs, at } = change;
    const base = { zone, channel, reason, failureRate, threshold, baseline };
    if (name !== 'breaker:opened') return emitter.emit(name, base);
    const until = openMs === null ? null : Math.round(clock.now() + at + openMs - clock.monotonicNow());
    emitter.emit(name, { ...base, until, tries });
  }
}

/** Nothing the store knows, or that follows from that by time: written, it would hide what another process found out meanwhile. */
function isNews({ reason }: BreakerChange): boolean {
  return reason !== 'restored' && reason !== 'advised' && reason !== 'due';
}

type BreakerEvent = Extract<keyof QueueEventMap, `breaker:${string}`>;

const NAMES: Readonly<Record<BreakerChange['to'], BreakerEvent | undefined>> = Object.freeze({
  closed: 'breaker:closed',
  open: 'breaker:opened',
  isolated: 'breaker:opened',
  halfOpen: 'breaker:halfOpened',
  recovering: 'breaker:recovering',
  disabled: 'breaker:closed',
});
