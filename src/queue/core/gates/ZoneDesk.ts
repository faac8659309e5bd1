import { HoldfastError } from '../../../errors.ts';
import { problemWords } from '../../../problemWords.ts';
import type { BreakerStatus } from '../../strategies/breaker/change.ts';
import type { BreakerOptions, RateLimitOptions } from '../config/gateOptions.ts';
import { configurationProblems } from '../config/problems.ts';
import { resolveBreaker, resolveLimits } from '../config/resolveGates.ts';
import type { OperationClass, ResolvedLimits } from '../config/types.ts';
import type { Context } from '../context.ts';
import type { Zone } from '../zone.ts';
import type { Zones } from '../zones.ts';
import { channelName } from './channelName.ts';
import type { Failover } from './Failover.ts';
import type { Gates } from './Gates.ts';

/** Gates of a zone, or of an endpoint or class of it, as this process sees them now. */
export interface GatesState {
  /** `zone`, `zone#endpoint` or `zone~class`. */
  readonly scope: string;
  /** Null where it has none. */
  readonly breaker: {
    readonly status: BreakerStatus;
    /** In its window. */
    readonly calls: number;
    readonly failures: number;
    /** Share of failures that is usual, and that at which it opens. */
    readonly baseline: number;
    readonly threshold: number;
    /** Epoch ms until which it is open; null where it is not, or where no time ends that. */
    readonly until: number | null;
    readonly tries: number;
  } | null;
  readonly concurrency: { readonly inUse: number; readonly limit: number; readonly max: number };
  /** Null where there is no limit. */
  readonly rate: { readonly available: number; readonly max: number; readonly perMs: number } | null;
  /** Part of its calls that it is given, below 1 after an outage. */
  readonly share: number;
  /** Epoch ms at which a closed gate of it opens by itself; null where none is closed, or no time opens it. */
  readonly opensAt: number | null;
}

/** A zone, as this process sees it now. */
export interface ZoneState extends GatesState {
  readonly zone: string;
  readonly origins: readonly string[];
  readonly connectivity: 'unknown' | 'up' | 'down' | 'captive';
  readonly paused: boolean;
  /** Name of the zone that takes its calls at present; its own, or of one that stands in for it. */
  readonly sendsTo: string;
  /** What is left for retries; null where there is no budget. */
  readonly retryTokens: number | null;
  /** Ms the next first attempt may take, by class of operation, as far as anything was sent. */
  readonly timeoutsMs: Readonly<Partial<Record<OperationClass, number>>>;
  readonly endpoints: readonly GatesState[];
  /** Of each of its channels whose requests share calls, once one was met. */
  readonly batches: readonly BatchState[];
}

/** How requests of a channel share calls at present. */
export interface BatchState {
  readonly channel: string;
  readonly adapter: string;
  /** Requests in one call at most. */
  readonly size: number;
  /** So long the first waits for others. */
  readonly windowMs: number;
}

/** What may be changed of the gates of a living zone or endpoint. What is absent stays. */
export interface GatesUpdate {
  readonly maxConcurrency?: number | undefined;
  /** Null: none any more. */
  readonly rateLimit?: RateLimitOptions | null | undefined;
  /** False: none any more. */
  readonly breaker?: BreakerOptions | false | undefined;
}

/** Looks at the zones of a queue and works their gates by hand. What is done here lasts as long as the process. */
export class ZoneDesk {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #failover: Failover;
  readonly #changed: () => void;

  constructor(context: Context, zones: Zones, failover: Failover, changed: () => void) {
    this.#context = context;
    this.#zones = zones;
    this.#failover = failover;
    this.#changed = changed;
  }

  /** Every zone this process knows: those of the configuration, and those made from an origin. */
  list(): readonly ZoneState[] {
    return Array.from(this.#zones.all, (zone) => this.#stateOf(zone));
  }

  /** @throws REQUEST_INVALID for a zone that is not known here */
  get(zone: string): ZoneState {
    return this.#stateOf(this.#zones.mustBeNamed(zone));
  }

  /**
   * Sends nothing more to the zone, or to one endpoint of it, until what this returns is called; several may want that at once.
   *
   * @throws REQUEST_INVALID for a zone or endpoint that is not known here, or has no breaker
   */
  isolate(zone: string, endpoint?: string): () => void {
    const { breaker } = this.#gates(zone, endpoint);
    if (breaker === null) throw this.#unknown(endpoint ?? zone, 'one with a breaker: pause a zone that has none');
    breaker.isolate(this.#now);
    let isUndone = false;
    return () => {
      if (isUndone) return;
      isUndone = true;
      breaker.release(this.#now);
      this.#wake(zone);
    };
  }

  /** Forgets its failures: its breakers close, and what the server asked to wait for is waited for no longer. @throws REQUEST_INVALID */
  reset(zone: string): void {
    const known = this.#zones.mustBeNamed(zone);
    known.notBefore = 0;
    for (const { breaker, throttle } of scopesOf(known)) {
      breaker?.reset(this.#now);
      throttle.released();
    }
    this.#wake(zone);
  }

  /**
   * Other limits from now on, of the zone or of one endpoint; what was counted and learned stays.
   *
   * @throws CONFIG_INVALID with every problem, REQUEST_INVALID for a zone or endpoint that is not known here
   */
  update(zone: string, update: GatesUpdate, endpoint?: string): void {
    const gates = this.#gates(zone, endpoint);
    const { rateLimit, ...rest } = update;
    const checked = { origins: ['http://zone.invalid'], ...rest, ...(rateLimit != null && { rateLimit }) };
    const found = configurationProblems({ zones: { zone: checked } });
    const problems = found.map(({ path, ...rest }) => ({ ...rest, path: path.replace('zones.zone.', '') }));
    if (problems.length > 0) {
      const words = problemWords(problems);
      throw new HoldfastError('CONFIG_INVALID', `the limits of zone "${zone}" were not changed: ${words}`, {
        problems,
      });
    }
    gates.update(updated(gates.limits, update), this.#now);
    this.#wake(zone);
  }

  get #now(): number {
    return this.#context.clock.monotonicNow();
  }

  #wake(zone: string): void {
    const known = this.#zones.mustBeNamed(zone);
    known.wake();
    // What a limit over several processes kept back may have been taken for all there was.
    known.hint();
    this.#changed();
  }

  #gates(zone: string, endpoint: string | undefined): Gates {
    const known = this.#zones.mustBeNamed(zone);
    if (endpoint === undefined) return known.gates;
    const gates = this.#zones.scope(channelName(zone, { endpoint, operation: null, adapter: null }));
    if (gates === undefined) throw this.#unknown(endpoint, `an endpoint of zone "${zone}" that was met`);
    return gates;
  }

  #unknown(got: string, expected: string): HoldfastError {
    const problems = [{ path: 'endpoint', expected, got }];
    return new HoldfastError('REQUEST_INVALID', `"${got}" is not ${expected}`, { problems });
  }

  #stateOf(zone: Zone): ZoneState {
    const now = this.#now;
    const { name, policy, connectivity, paused, budget, gates } = zone;
    const timeoutsMs: Partial<Record<OperationClass, number>> = {};
    for (const [operation, timeouts] of zone.channels.get(name)?.timeouts ?? []) {
      timeoutsMs[operation] = timeouts.timeoutFor(1, now);
    }
    return {
      ...this.#gatesState(gates, now),
      zone: name,
      origins: policy.origins,
      connectivity: connectivity.status,
      paused,
      sendsTo: this.#failover.peek(zone, now).name,
      retryTokens: budget === null ? null : budget.tokens,
      timeoutsMs,
      opensAt: this.#wall(Math.max(zone.reopensAt(now) ?? now, gates.nextAt(now)), now),
      endpoints: [...scopesOf(zone)].filter((one) => one !== gates).map((one) => this.#gatesState(one, now)),
      batches: batchesOf(zone),
    };
  }

  #gatesState(gates: Gates, now: number): GatesState {
    const { scope, breaker, bulkhead, limits, rate } = gates;
    const { rateLimit } = limits;
    const isOpen = breaker !== null && breaker.allows(now) === 0;
    return {
      scope,
      breaker:
        breaker === null
          ? null
          : {
              status: breaker.status(now),
              calls: breaker.window(now).calls,
              failures: breaker.window(now).failures,
              baseline: breaker.baseline,
              threshold: breaker.threshold,
              until: isOpen ? this.#wall(breaker.nextAt(now), now) : null,
              tries: breaker.tries,
            },
      concurrency: { inUse: bulkhead.inUse, limit: gates.limit(now), max: limits.maxConcurrency },
      rate:
        rate === null || rateLimit === null
          ? null
          : { available: rate.available(now), max: rateLimit.max, perMs: rateLimit.perMs },
      share: gates.share(now),
      opensAt: this.#wall(gates.nextAt(now), now),
    };
  }

  #wall(at: number, now: number): number | null {
    return at > now && Number.isFinite(at) ? Math.round(this.#context.clock.now() + at - now) : null;
  }
}

function batchesOf(zone: Zone): BatchState[] {
  return Array.from(zone.channels.values()).flatMap(({ name: channel, batching }) => {
    if (batching === undefined) return [];
    const { adapter, size, window } = batching;
    return [{ channel, adapter: adapter.name, size: size.size, windowMs: window.ms }];
  });
}

/** The zone's own, and those of its endpoints and classes, each once. */
function scopesOf(zone: Zone): Set<Gates> {
  const scopes = new Set<Gates>([zone.gates]);
  for (const channel of zone.channels.values()) for (const gates of channel.scopes) scopes.add(gates);
  return scopes;
}

function updated(limits: ResolvedLimits, { maxConcurrency, rateLimit, breaker }: GatesUpdate): ResolvedLimits {
  const given = resolveLimits({ maxConcurrency, rateLimit: rateLimit ?? undefined, breaker }, limits.maxConcurrency);
  return {
    maxConcurrency: given.maxConcurrency,
    rateLimit: rateLimit === undefined ? limits.rateLimit : given.rateLimit,
    // What is not named of a breaker stays as well.
    breaker: breaker ? resolveBreaker(breaker, limits.breaker) : breaker === false ? null : limits.breaker,
  };
}
