import type { Decision } from '../../strategies/decision.ts';
import type { GateOutcome } from '../../strategies/limits/outcomeClass.ts';
import { dropKind, gateOutcome } from '../../strategies/limits/outcomeClass.ts';
import { rateHints } from '../../strategies/rate/rateHints.ts';
import type { TransportResult } from '../../types/transport.ts';
import type { Context } from '../context.ts';
import type { Zone } from '../zone.ts';
import type { Channel, Tickets } from './Channel.ts';
import type { Gates } from './Gates.ts';

/** How a call went, as the gates of its channel are told. */
export interface CallEnd {
  readonly requestId: string;
  readonly result: TransportResult;
  readonly decision: Pick<Decision, 'scope' | 'connectivity' | 'pauseZoneUntil'>;
  readonly durationMs: number;
  /** It was sent through a gate that is closed, to find out: that gate alone hears of it. */
  readonly isCanary: boolean;
}

/**
 * Tells the gates of a channel what a call of it met: each scope only what is of its own making. A fault of the zone says nothing of an
 * endpoint, one of an endpoint nothing of the zone, and a limit that was passed is nobody's fault.
 */
export class Feedback {
  readonly #context: Context;
  readonly #paused: (zone: Zone, until: number) => void;

  /** `paused`: a server asked for no calls of the zone until then (epoch ms). */
  constructor(context: Context, paused: (zone: Zone, until: number) => void) {
    this.#context = context;
    this.#paused = paused;
  }

  /** A call of which nothing was sent, or which showed nothing. */
  ignored(channel: Channel, tickets: Tickets, now: number): void {
    const { scopes } = channel;
    for (let index = 0; index < scopes.length; index += 1) {
      scopes[index]?.breaker?.ended(tickets[index] ?? 0, 'ignored', 0, now);
    }
  }

  ended(channel: Channel, tickets: Tickets, end: CallEnd, now: number): void {
    const { requestId, result, decision, durationMs } = end;
    if (end.isCanary && decision.connectivity !== 'reachable') return this.ignored(channel, tickets, now);
    const outcome = decision.connectivity === 'captive' ? 'neutral' : gateOutcome(result, decision);
    const hasWholeZone = channel.spokenOf === channel.zone.gates;
    const { scopes } = channel;
    for (let index = 0; index < scopes.length; index += 1) {
      const gates = scopes[index] as Gates; // index < length
      const isZone = index === 0;
      gates.met(tickets[index] ?? 0, { requestId, shown: shownTo(isZone, outcome), durationMs }, now);
      this.#limit(gates, isZone, isZone && hasWholeZone, outcome, end, now);
    }
    if (result.phase === 'answered') this.#hints(channel, outcome, end, now);
  }

  /** The limit on calls at once: of the zone for faults of the zone, of the endpoint for its own and for limits. */
  #limit(
    gates: Gates,
    isZone: boolean,
    isAll: boolean,
    outcome: GateOutcome,
    { result, durationMs }: CallEnd,
    now: number,
  ): void {
    const { concurrency, bulkhead } = gates;
    if (outcome === 'success') return concurrency.succeeded(bulkhead.inUse, durationMs, now);
    const concerns = outcome === 'zoneFault' ? isZone : isAll || !isZone;
    const kind = concerns ? dropKind(result, outcome) : undefined;
    if (kind !== undefined) concurrency.dropped(kind, now);
  }

  /**
   * What the answer says about rates, and how long to wait. A 429 speaks of the endpoint, where there are such, and so does what is the
   * endpoint's fault; any other pause is of the zone, and a 503 is its breaker's too.
   */
  #hints(channel: Channel, outcome: GateOutcome, { result, decision }: CallEnd, now: number): void {
    if (result.phase !== 'answered' || result.isForeign === true) return;
    const { clock } = this.#context;
    const { zone, spokenOf } = channel;
    const hints = rateHints(result.response.headers, clock.now());
    if (hints !== null) {
      spokenOf.throttle.observed(hints, now);
      if (hints.concurrency !== null) spokenOf.concurrency.capped(hints.concurrency, now);
    }
    const { pauseZoneUntil: until } = decision;
    const ofEndpoint = spokenOf !== zone.gates && (outcome === 'throttled' || outcome === 'endpointFault');
    if (until !== null) {
      if (ofEndpoint) this.#limited(zone, spokenOf, until, now);
      else this.#paused(zone, until);
    } else if (outcome === 'throttled') {
      const waitMs = hints?.retryAfterMs ?? (hints?.remaining === 0 ? hints.resetMs : null);
      if (waitMs === null) spokenOf.throttle.refused(now);
      else if (ofEndpoint) this.#limited(zone, spokenOf, clock.now() + waitMs, now);
    }
    if (outcome === 'zoneFault' && until !== null) zone.gates.breaker?.hinted(now + until - clock.now(), now);
  }

  #limited(zone: Zone, { throttle, scope }: Gates, until: number, now: number): void {
    const { clock, emitter } = this.#context;
    throttle.hinted(now + until - clock.now());
    emitter.emit('zone:limited', { zone: zone.name, channel: scope, until });
  }
}

function shownTo(isZone: boolean, outcome: GateOutcome): 'success' | 'failure' | 'ignored' {
  switch (outcome) {
    case 'success':
    case 'throttled':
      return 'success';
    case 'zoneFault':
      return isZone ? 'failure' : 'ignored';
    case 'endpointFault':
      return isZone ? 'success' : 'failure';
    case 'offline':
    case 'neutral':
      return 'ignored';
    default:
      return outcome satisfies never;
  }
}
