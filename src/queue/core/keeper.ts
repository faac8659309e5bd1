import type { Timer } from '../../system/clock.ts';
import type { Attempts } from './attempts.ts';
import type { BackendHealth } from './backendHealth.ts';
import { ClockSteps } from './clockSteps.ts';
import type { Context } from './context.ts';
import { leaseUntil } from './context.ts';
import type { Resolver } from './resolver.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Requests repaired, expired or purged per step, so that none holds the store for long. */
const STEP = 256;
const PURGE_EVERY_MS = 30_000;
const GATES_EVERY_MS = 5_000;
/** Longest sleep while waiting for a due time: wall clocks jump, and a late look is cheap. */
const LONGEST_SLEEP_MS = 5_000;
/** Up to so many are all asked at each look. */
const FEW_CHANNELS = 32;

export interface KeeperEvents {
  wake(): void;
  /** Requests of dead workers were given back, held or put in doubt. */
  recovered(): void;
  /** Oldest `endedSeq` that must be kept for a subscriber, or infinity. */
  keepAfter(): Promise<number>;
  /** Callers may wait for what ended unseen. */
  checkCallers(): Promise<void>;
  /** Another process may have sealed a principal. */
  loadSeals(): Promise<void>;
  /** Another process may advise to leave a zone alone. */
  loadGates(): Promise<void>;
  /** Zones that are down may be due for a health check. */
  probe(): void;
}

/**
 * Keeps the store in order: leases alive, dead workers' requests repaired, due times met, old records purged. Level
 * triggered: whatever wake-up was missed is found by the next look.
 */
export class Keeper {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #attempts: Attempts;
  readonly #teller: Teller;
  readonly #resolver: Resolver;
  readonly #health: BackendHealth;
  readonly #events: KeeperEvents;
  readonly #steps: ClockSteps;
  readonly #timers = new Map<string, Timer>();
  #dueAt = Number.POSITIVE_INFINITY;
  #dueTimer: Timer | undefined;
  /** Monotonic ms of the last look at the gates. */
  #gatesSeenAt = Number.NEGATIVE_INFINITY;
  #isLooking = false;
  /** Asked to look while looking: the question under way may not see what the asker saw. */
  #lookAgain = false;
  #isStopped = true;
  readonly #underway = new Set<Promise<void>>();

  constructor(
    context: Context,
    zones: Zones,
    parts: {
      readonly attempts: Attempts;
      readonly teller: Teller;
      readonly resolver: Resolver;
      readonly health: BackendHealth;
    },
    events: KeeperEvents,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
    this.#resolver = parts.resolver;
    this.#health = parts.health;
    this.#steps = new ClockSteps(context);
    this.#events = events;
  }

  start(): void {
    this.#isStopped = false;
    const { leaseMs } = this.#context.config;
    this.#every('renew', leaseMs / 3, () => this.#renew());
    this.#every('recover', leaseMs / 2, async () => {
      // Where this process stood still its own leases have lapsed too, and its calls are not lost.
      await this.#renew();
      await this.recover();
    });
    this.#every('clock', LONGEST_SLEEP_MS, async () => {
      if (await this.#steps.look()) this.look();
    });
    this.#every('callers', leaseMs / 3, () => this.#events.checkCallers());
    this.#every('seals', leaseMs / 3, () => this.#events.loadSeals());
    this.#every('gates', GATES_EVERY_MS, () => this.#events.loadGates());
    this.#every('purge', PURGE_EVERY_MS, () => this.#purge());
    this.#track(this.#steps.atStart());
    this.look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#dueTimer?.cancel();
    await Promise.all(this.#underway);
  }

  /** Repairs what dead workers left; resolves when nothing is left to repair. */
  async recover(): Promise<void> {
    const { backend, clock, worker } = this.#context;
    for (let more = true; more; ) {
      const result = await backend.requests.recover({
        worker,
        now: clock.now(),
        leaseNow: clock.monotonicNow(),
        limit: STEP,
      });
      this.#teller.allEnded(result.ended);
      this.#teller.moved(result.recovered);
      if (result.recovered.length > 0) this.#events.recovered();
      more = result.more && result.recovered.length + result.ended.length > 0;
    }
  }

  /** Something is due at this wall time. */
  due(at: number): void {
    if (at >= this.#dueAt || this.#isStopped) return;
    this.#dueAt = at;
    this.arm();
  }

  /** Looks at what is due now, and arms the timer for what is due next; once more where a look is under way. */
  look(): void {
    if (this.#isStopped) return;
    this.#lookAgain = this.#isLooking;
    if (this.#lookAgain) return;
    this.#isLooking = true;
    this.#track(
      this.#lookAtDue().finally(() => {
        this.#isLooking = false;
        if (this.#lookAgain) this.look();
      }),
    );
  }

  /** Nothing that waits could try a zone that is down: what is in doubt may, where it stood back for that. */
  untried(zone: Zone): void {
    if (this.#resolver.hasPassedOver(zone)) this.#resolve();
  }

  /** Looks at what is in doubt. Not awaited: a question that hangs must not keep what is due from being met. */
  #resolve(): void {
    this.#resolver.run().catch((error: unknown) => this.#failed(error));
  }

  async #lookAtDue(): Promise<void> {
    const { clock } = this.#context;
    this.#dueAt = Number.POSITIVE_INFINITY;
    const lookedAt = await this.#expire();
    this.#gatesSeenAt = clock.monotonicNow();
    await this.#hint();
    this.#events.probe();
    this.#events.wake();
    this.#resolve();
    const next = await this.#nextDueAt(lookedAt);
    this.#dueAt = Math.min(this.#dueAt, next); // meanwhile something else may have become due
    this.arm();
  }

  /** Something may be ready everywhere, or, where asking everywhere would take a claim each, where the counters say that anything waits. */
  async #hint(): Promise<void> {
    if (this.#zones.channelCount <= FEW_CHANNELS) {
      for (const zone of this.#zones.all) zone.hint();
      return;
    }
    for (const { zone: name, channel, state, count } of await this.#context.backend.requests.count({})) {
      const isWaiting = count > 0 && (state === 'ready' || state === 'scheduled');
      const zone = isWaiting ? this.#zones.named(name) : undefined;
      if (zone !== undefined) this.#zones.channelNamed(zone, channel).hint();
    }
  }

  /** Ends what is past its deadline. Gives the time by which all such had ended: what is due later was not looked at. */
  async #expire(): Promise<number> {
    const { backend, clock } = this.#context;
    for (;;) {
      const now = clock.now();
      const { ended, moved } = await backend.requests.expire({ now, limit: STEP });
      this.#teller.allEnded(ended);
      this.#teller.moved(moved);
      if (ended.length < STEP) return now;
    }
  }

  /** When to look next for what is due by time, or infinity. */
  async #nextDueAt(lookedAt: number): Promise<number> {
    const { requests } = this.#context.backend;
    const channels = [...this.#zones.allChannels].flatMap((channel) => channel.doubtSenders);
    const first = await requests.nextDueAt({ channels, after: null });
    if (first === null) return Number.POSITIVE_INFINITY;
    if (first > lookedAt) return first;
    // What was due at this look is being claimed, or cannot move by time: a gate, a permit or a hint will wake it.
    // It must not hide what is due later.
    const later = await requests.nextDueAt({ channels, after: lookedAt });
    return Math.min(later ?? Number.POSITIVE_INFINITY, lookedAt + LONGEST_SLEEP_MS);
  }

  /** A gate or a due time changed: wake up when the next thing can move by itself. */
  arm(): void {
    this.#dueTimer?.cancel();
    if (this.#isStopped) return;
    const { clock } = this.#context;
    const untilDue = this.#dueAt - clock.now();
    const now = clock.monotonicNow();
    let untilGate = Number.POSITIVE_INFINITY;
    for (const at of this.#zones.reopenings(now)) {
      // A gate that could open at the last look and did not waits for a permit, which wakes the dispatcher itself.
      untilGate = Math.min(untilGate, at > this.#gatesSeenAt ? at - now : LONGEST_SLEEP_MS);
    }
    const soonest = Math.min(untilDue, untilGate);
    if (soonest === Number.POSITIVE_INFINITY) return;
    // At least 1 ms: what is due but cannot move (a closed gate, no permit) must not become a busy loop.
    const delayMs = Math.max(1, Math.min(soonest, LONGEST_SLEEP_MS));
    this.#dueTimer = clock.schedule(delayMs, () => this.look());
  }

  async #renew(): Promise<void> {
    const { backend, clock, worker } = this.#context;
    const leases = this.#attempts.flights.leases();
    await Promise.all([
      backend.keepAlive({ worker, leaseNow: clock.monotonicNow() }),
      leases.length > 0 && backend.requests.renew({ worker, leases, leaseUntil: leaseUntil(this.#context) }),
    ]);
  }

  async #purge(): Promise<void> {
    const { backend, clock, config } = this.#context;
    const keepAfter = await this.#events.keepAfter();
    for (let more = true; more && !this.#isStopped; ) {
      const result = await backend.requests.purge({
        now: clock.now(),
        limit: STEP,
        keepAfter,
        retention: config.retention,
      });
      more = result.more;
    }
  }

  #every(name: string, ms: number, step: () => Promise<void>): void {
    const run = (): void => {
      if (this.#isStopped) return;
      this.#timers.set(name, this.#context.clock.schedule(ms, run));
      this.#track(step());
    };
    this.#timers.set(name, this.#context.clock.schedule(ms, run));
  }

  #failed(error: unknown): void {
    this.#health.failed(error, 'keep');
    this.#context.logger.warn('housekeeping failed and will be tried again', { error: messageOf(error) });
    // The timer may be spent on a look that did not take place: armed in any case, whatever is due by then.
    this.#dueAt = Math.min(this.#dueAt, this.#context.clock.now() + LONGEST_SLEEP_MS);
    this.arm();
  }

  #track(step: Promise<void>): void {
    const guarded = step.then(
      () => this.#health.worked('keep'),
      (error: unknown) => this.#failed(error),
    );
    this.#underway.add(guarded);
    void guarded.finally(() => this.#underway.delete(guarded));
  }
}
