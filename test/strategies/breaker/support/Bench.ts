import { Breaker } from '../../../../src/queue/strategies/breaker/Breaker.ts';
import type { BreakerChange } from '../../../../src/queue/strategies/breaker/change.ts';
import type { BreakerPolicy } from '../../../../src/queue/strategies/breaker/policy.ts';
import { BREAKER_DEFAULTS } from '../../../../src/queue/strategies/breaker/policy.ts';

export type Outcome = 'success' | 'failure' | 'ignored';

/** A breaker whose changes are kept. Without `random` its open times have no jitter: 5 s, 10 s, 20 s. */
export class Bench {
  readonly breaker: Breaker;
  readonly changes: BreakerChange[] = [];

  constructor(policy: Partial<BreakerPolicy> = {}, random: () => number = () => 0) {
    this.breaker = new Breaker({ ...BREAKER_DEFAULTS, ...policy }, random, (change) => this.changes.push(change));
  }

  get story(): string[] {
    return this.changes.map(({ from, to, reason }) => `${from}→${to} ${reason}`);
  }

  /** One call that starts and ends at `now`. */
  call(outcome: Outcome, now: number, durationMs = 10): void {
    this.breaker.ended(this.breaker.started(now), outcome, durationMs, now);
  }

  /** `count` calls, one each `everyMs` from `from` on; gives the time of the last. */
  calls(count: number, outcome: Outcome, from: number, everyMs = 1_000, durationMs = 10): number {
    for (let index = 0; index < count; index++) this.call(outcome, from + index * everyMs, durationMs);
    return from + (count - 1) * everyMs;
  }

  /** Five failures, one each second: open from the returned time on. */
  open(from = 0): number {
    return this.calls(5, 'failure', from);
  }

  /** Three probes that succeed: recovering from `now` on. */
  recover(now: number): void {
    this.calls(3, 'success', now, 0);
  }
}
