import { Breaker } from '../../strategies/breaker/Breaker.ts';
import type { BreakerChange } from '../../strategies/breaker/change.ts';
import { KnownFailures } from '../../strategies/breaker/KnownFailures.ts';
import type { BreakerPolicy } from '../../strategies/breaker/policy.ts';
import type { LimitChange } from '../../strategies/limits/ConcurrencyLimit.ts';
import { ConcurrencyLimit } from '../../strategies/limits/ConcurrencyLimit.ts';
import type { RateLimit, RateLimiter } from '../../strategies/rate/RateLimiter.ts';
import { Throttle } from '../../strategies/rate/Throttle.ts';
import type { ProcessLimit } from '../bulkhead.ts';
import { Bulkhead } from '../bulkhead.ts';
import type { ResolvedLimits } from '../config/types.ts';
import { Ramp } from './Ramp.ts';

/** What gates are made of, and whom they tell. */
export interface GateParts {
  readonly random: () => number;
  /** Monotonic ms. */
  now(): number;
  createRate(scope: string, limit: RateLimit): RateLimiter;
  breakerChanged(gates: Gates, change: BreakerChange): void;
  limitChanged(gates: Gates, change: LimitChange): void;
}

/**
 * The gates before the calls of one scope (a zone, an endpoint of it, a class of its operations): breaker, bulkhead, rate. All are
 * computed from time when asked, none is driven by a timer, and asking allocates nothing. Whoever takes permits asked `available` in
 * the same step, of every scope of the call, so that all are had or none.
 */
export class Gates {
  /** Name of the scope, as channels have it. */
  readonly scope: string;
  readonly zone: string;
  readonly concurrency: ConcurrencyLimit;
  readonly bulkhead: Bulkhead;
  readonly throttle: Throttle;
  readonly ramp: Ramp;
  readonly #parts: GateParts;
  readonly #knownFailures = new KnownFailures();
  #limits: ResolvedLimits;
  #breaker: Breaker | null;
  #rate: RateLimiter | null;
  /** Permits taken of which no call has started yet. */
  #reserved = 0;

  constructor(
    of: { readonly scope: string; readonly zone: string },
    limits: ResolvedLimits,
    options: { readonly adaptive: boolean; readonly process: ProcessLimit | null },
    parts: GateParts,
  ) {
    this.scope = of.scope;
    this.zone = of.zone;
    this.#parts = parts;
    this.#limits = limits;
    const { breaker, maxConcurrency, rateLimit } = limits;
    this.#breaker = breaker === null ? null : this.#makeBreaker(breaker);
    this.concurrency = new ConcurrencyLimit({
      min: 1,
      max: maxConcurrency,
      initial: maxConcurrency,
      adaptive: options.adaptive,
      changed: (change) => parts.limitChanged(this, change),
    });
    this.bulkhead = new Bulkhead(maxConcurrency, options.process);
    this.throttle = new Throttle();
    this.ramp = new Ramp(breaker?.rampMs ?? 0);
    this.#rate = rateLimit === null ? null : parts.createRate(of.scope, rateLimit);
  }

  get limits(): ResolvedLimits {
    return this.#limits;
  }

  get breaker(): Breaker | null {
    return this.#breaker;
  }

  get rate(): RateLimiter | null {
    return this.#rate;
  }

  /** Part of its calls that it is given: less than 1 for a while after an outage. */
  share(now: number): number {
    const own = this.ramp.share(now);
    return this.breaker === null ? own : Math.min(own, this.breaker.share(now));
  }

  /** Calls at once that are allowed at present. */
  limit(now: number): number {
    const share = this.share(now);
    const { limit } = this.concurrency;
    return share === 1 ? limit : Math.max(1, Math.floor(limit * share));
  }

  /** Calls that may start now, as far as this scope goes: 0 while a gate is closed. */
  available(now: number): number {
    const room = this.bulkhead.room(this.limit(now));
    if (room <= 0) return 0;
    const allowed = this.breaker === null ? room : this.breaker.allows(now) - this.#reservedProbes(now);
    const calls = Math.min(room, allowed, this.throttle.available(now));
    if (calls <= 0) return 0;
    return this.#rate === null ? calls : Math.min(calls, this.#paced(this.#rate, now));
  }

  /** Whether time, and not only a permit, keeps it closed. */
  isClosed(now: number): boolean {
    if (this.breaker !== null && this.breaker.allows(now) - this.#reservedProbes(now) <= 0) return true;
    return !this.isInPace(now);
  }

  /** Whether a call that waits for no permit may start, as far as the rate goes. */
  isInPace(now: number): boolean {
    return this.throttle.available(now) > 0 && (this.#rate === null || this.#paced(this.#rate, now) > 0);
  }

  /** Monotonic ms at which what time keeps closed may open; `now` where time keeps nothing closed, Infinity where none leads there. */
  nextAt(now: number): number {
    let at = now;
    if (this.breaker !== null && this.breaker.allows(now) <= 0) at = Math.max(at, this.breaker.nextAt(now));
    if (this.throttle.available(now) <= 0) at = Math.max(at, this.throttle.nextAt(now));
    if (this.#rate !== null && this.#paced(this.#rate, now) <= 0) {
      at = Math.max(at, this.#rate.nextAt(now), this.ramp.nextAt);
    }
    return at;
  }

  /** Whether it is being found out if it works again: a call that starts now is a probe. */
  isProbing(now: number): boolean {
    return this.breaker?.status(now) === 'halfOpen';
  }

  /** Nothing is lost but what was learned if it is forgotten. */
  isAtRest(now: number): boolean {
    if (this.bulkhead.inUse > 0 || this.breaker?.isEvictable(now) === false) return false;
    return this.throttle.isAtRest(now) && this.#rate?.isAtRest(now) !== false;
  }

  take(permits: number, now: number): void {
    this.bulkhead.take(permits);
    this.#reserved += permits;
    this.throttle.take(permits, now);
    if (this.#rate === null) return;
    this.#rate.take(permits, now);
    const share = this.share(now);
    if (share < 1) this.ramp.spaced((permits * this.#msPerCall) / share, now);
  }

  /** Gives back permits of which no call has started. */
  giveBack(permits: number, takenAt: number): void {
    this.bulkhead.giveBack(permits);
    this.#reserved -= permits;
    this.throttle.giveBack(permits, takenAt);
    this.#rate?.giveBack(permits, takenAt);
  }

  /** A call that holds a permit starts. Gives what {@link Breaker.ended} wants to know of it. */
  started(now: number): number {
    this.#reserved -= 1;
    return this.breaker === null ? 0 : this.breaker.started(now);
  }

  /** What a call showed of this scope, to the permit of {@link started}. */
  met(
    permit: number,
    {
      requestId,
      shown,
      durationMs,
    }: { requestId: string; shown: 'success' | 'failure' | 'ignored'; durationMs: number },
    now: number,
  ): void {
    if (shown === 'success') this.#knownFailures.succeeded(requestId);
    const isKnown = shown === 'failure' && this.#knownFailures.failed(requestId) && !this.isProbing(now);
    this.breaker?.ended(permit, isKnown ? 'ignored' : shown, durationMs, now);
  }

  /** The wire of a call is free again. */
  finished(): void {
    this.bulkhead.giveBack(1);
  }

  /** A call of our own is made beside requests: it counts against the rate, and waits for nobody. Gives what {@link started} gives. */
  began(now: number): number {
    this.repeated(now);
    return this.breaker === null ? 0 : this.breaker.started(now);
  }

  /** A call that is under way is made once more, or counts as so many more: they count against the rate, and wait for nobody. */
  repeated(now: number, calls = 1): void {
    this.throttle.take(calls, now);
    this.#rate?.take(calls, now);
  }

  /** Calls that the rates allow at present; Infinity without any. */
  tokens(now: number): number {
    return Math.min(this.throttle.available(now), this.#rate?.available(now) ?? Number.POSITIVE_INFINITY);
  }

  /** It was out of reach and is back: from few calls to all of them, with nothing saved up. */
  reconnected(now: number): void {
    this.ramp.start(now);
    this.#rate?.empty(now);
  }

  /** Other limits from now on; what was learned and used stays. */
  update(limits: ResolvedLimits, now: number): void {
    const before = this.#limits;
    this.#limits = limits;
    if (limits.maxConcurrency !== before.maxConcurrency) {
      const { maxConcurrency: max } = limits;
      this.concurrency.update({ max, initial: max });
      this.bulkhead.resize(limits.maxConcurrency);
    }
    if (limits.breaker === null) this.breaker?.disable(now);
    else if (this.breaker === null) this.#breaker = this.#makeBreaker(limits.breaker);
    else {
      this.breaker.update(limits.breaker);
      this.breaker.enable(now);
    }
    this.ramp.rampMs = limits.breaker?.rampMs ?? 0;
    if (limits.rateLimit === null) this.#rate = null;
    else if (this.#rate === null) this.#rate = this.#parts.createRate(this.scope, limits.rateLimit);
    else this.#rate.update(limits.rateLimit);
  }

  /** While it recovers, its rate is a part of what it is, too. */
  #paced(rate: RateLimiter, now: number): number {
    if (this.share(now) === 1) return rate.available(now);
    return this.ramp.nextAt > now ? 0 : Math.min(1, rate.available(now));
  }

  get #msPerCall(): number {
    const { rateLimit } = this.#limits;
    return rateLimit === null ? 0 : rateLimit.perMs / rateLimit.max;
  }

  /** Permits on their way to a call count as probes, else two claims would each take the one there is. */
  #reservedProbes(now: number): number {
    return this.#reserved > 0 && this.isProbing(now) ? this.#reserved : 0;
  }

  #makeBreaker(policy: BreakerPolicy): Breaker {
    return new Breaker(policy, this.#parts.random, (change) => this.#changed(change));
  }

  #changed(change: BreakerChange): void {
    if (change.to === 'recovering') this.#rate?.empty(change.at);
    this.#parts.breakerChanged(this, change);
  }
}
