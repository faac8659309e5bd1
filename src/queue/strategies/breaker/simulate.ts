import { HoldfastError } from '../../../errors.ts';
import { Breaker } from './Breaker.ts';
import type { BreakerReason, BreakerStatus } from './change.ts';
import { EndQueue } from './EndQueue.ts';
import type { BreakerPolicy } from './policy.ts';
import type { PartialBreakerPolicy } from './simulatedPolicy.ts';
import { simulatedPolicy } from './simulatedPolicy.ts';

/** A call somebody wants to make, and what it meets if it is let through. */
export interface TraceCall {
  /** When, in ms from any zero that is not negative; not before the call in front of it. */
  readonly at: number;
  /** False: a failure that counts against the zone, such as a refused connection, a timeout or a 503. */
  readonly ok: boolean;
  /** How long it takes, in ms. @default 0 */
  readonly durationMs?: number | undefined;
}

export interface SimulationOptions {
  /**
   * When the zone was really at fault, in ms of the trace; null: never. Without it the first failure is taken for the start of a fault, and no
   * opening for false. @default undefined
   */
  readonly fault?: { readonly from: number; readonly until: number } | null | undefined;
  /** In [0, 1): draws the open times. @default an even sequence, the same in each run */
  readonly random?: (() => number) | undefined;
}

export interface SimulatedOpening {
  /** In ms of the trace. */
  readonly at: number;
  readonly from: BreakerStatus;
  readonly reason: BreakerReason;
  readonly openMs: number;
}

export interface Simulation {
  readonly calls: number;
  readonly letThrough: number;
  /** Calls that came while it was open, had no free probe, or were over the share of the ramp. A queue would keep them for later. */
  readonly refused: number;
  /** Failures among those let through. */
  readonly failures: number;
  /** From the first call of the trace to the last. */
  readonly spanMs: number;
  /** Every opening in order, also after a failed probe. */
  readonly opens: readonly SimulatedOpening[];
  /** From the first failing call of the fault until it was open, 0 where it was open already; null where that never was. */
  readonly timeToOpenMs: number | null;
  /** Openings outside the fault, without those by a failed probe, per hour outside the fault; null where `fault` was not given. */
  readonly falseOpensPerHour: number | null;
  /** When the last call has ended. */
  readonly status: BreakerStatus;
  readonly baseline: number;
  readonly threshold: number;
}

const HOUR_MS = 3_600_000;
const GOLDEN = 0.618_033_988_749_894_9;

/**
 * Plays a trace against a breaker, to tune its policy: how soon it opens, and how often for nothing. A call that is refused is gone; in
 * a queue it would wait. While the breaker recovers, the share it allows is taken of the calls as they come.
 *
 * @param policy what differs from the defaults of a zone's `breaker`
 * @throws CONFIG_INVALID for a policy that cannot be, and for calls that are not in the order of their times
 */
export function simulate(
  policy: PartialBreakerPolicy,
  trace: Iterable<TraceCall>,
  options: SimulationOptions = {},
): Simulation {
  const run = new Run(simulatedPolicy(policy), options);
  for (const call of trace) run.meet(call);
  return run.result();
}

/** One trace on its way. */
class Run {
  readonly #breaker: Breaker;
  readonly #options: SimulationOptions;
  readonly #opens: SimulatedOpening[] = [];
  readonly #ends = new EndQueue();
  #calls = 0;
  #letThrough = 0;
  #failures = 0;
  #firstAt = 0;
  #lastAt = 0;
  /** When the first call of the fault failed. */
  #failingAt: number | undefined;
  #openedAt: number | undefined;
  /** What the ramp owes, as a part of a call: one goes when it is 1. */
  #credit = 0;

  constructor(policy: BreakerPolicy, options: SimulationOptions) {
    this.#options = options;
    this.#breaker = new Breaker(policy, options.random ?? evenSequence(), ({ at, from, to, reason, openMs }) => {
      if (to !== 'open' || openMs === null) return;
      this.#opens.push({ at, from, reason, openMs });
      if (this.#failingAt !== undefined) this.#openedAt ??= at;
    });
  }

  meet(call: TraceCall): void {
    const { at, ok, durationMs = 0 } = call;
    if (!(at >= this.#lastAt) || !Number.isFinite(at)) throw outOfOrder(this.#calls, at, this.#lastAt);
    if (this.#calls++ === 0) this.#firstAt = at;
    this.#lastAt = at;
    this.#settle(at);
    if (!ok && this.#failingAt === undefined && this.#isInFault(at)) this.#fails(at);
    if (!this.#admits(at)) return;
    this.#letThrough++;
    if (!ok) this.#failures++;
    const permit = this.#breaker.started(at);
    if (durationMs > 0) this.#ends.add(permit, ok, durationMs, at + durationMs);
    else this.#breaker.ended(permit, ok ? 'success' : 'failure', 0, at);
  }

  result(): Simulation {
    const endsAt = Math.max(this.#lastAt, this.#ends.lastAt);
    this.#settle(endsAt);
    const { threshold, baseline } = this.#breaker;
    return {
      calls: this.#calls,
      letThrough: this.#letThrough,
      refused: this.#calls - this.#letThrough,
      failures: this.#failures,
      spanMs: this.#lastAt - this.#firstAt,
      opens: this.#opens,
      timeToOpenMs:
        this.#failingAt === undefined || this.#openedAt === undefined ? null : this.#openedAt - this.#failingAt,
      falseOpensPerHour: this.#falseOpensPerHour(),
      status: this.#breaker.status(endsAt),
      baseline,
      threshold,
    };
  }

  #settle(now: number): void {
    for (let end = this.#ends.takeUntil(now); end !== undefined; end = this.#ends.takeUntil(now)) {
      this.#breaker.ended(end.permit, end.ok ? 'success' : 'failure', end.durationMs, end.at);
    }
  }

  #isInFault(at: number): boolean {
    const { fault } = this.#options;
    return fault === undefined || (fault !== null && at >= fault.from && at < fault.until);
  }

  #fails(at: number): void {
    // Asked first: what opened it before is not counted as of this fault.
    const isOpen = this.#breaker.status(at) === 'open';
    this.#failingAt = at;
    if (isOpen) this.#openedAt = at;
  }

  #admits(at: number): boolean {
    if (this.#breaker.allows(at) === 0) return false;
    const share = this.#breaker.share(at);
    if (share === 1) {
      this.#credit = 0;
      return true;
    }
    this.#credit += share;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }

  #falseOpensPerHour(): number | null {
    const { fault } = this.#options;
    if (fault === undefined) return null;
    const from = Math.max(this.#firstAt, fault?.from ?? this.#lastAt);
    const faultMs = Math.max(0, Math.min(this.#lastAt, fault?.until ?? this.#lastAt) - from);
    const soundMs = this.#lastAt - this.#firstAt - faultMs;
    const falseOpens = this.#opens.filter(({ at, from }) => from !== 'halfOpen' && !this.#isInFault(at)).length;
    return soundMs > 0 ? (falseOpens * HOUR_MS) / soundMs : 0;
  }
}

/** Spreads over [0, 1) without chance. */
function evenSequence(): () => number {
  let value = 0;
  return () => {
    value = (value + GOLDEN) % 1;
    return value;
  };
}

function outOfOrder(index: number, at: number, before: number): HoldfastError<'CONFIG_INVALID'> {
  const problems = [{ path: `trace[${index}].at`, expected: `a time from ${before} on`, got: String(at) }];
  return new HoldfastError(
    'CONFIG_INVALID',
    `call ${index} of the trace is at ${at}: expected a time from ${before} on`,
    {
      problems,
    },
  );
}
