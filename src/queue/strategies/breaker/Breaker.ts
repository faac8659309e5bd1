import type { WindowCounts } from './CallWindow.ts';
import type { BreakerChange, BreakerReason, BreakerStatus } from './change.ts';
import { Evidence } from './Evidence.ts';
import { Probes } from './Probes.ts';
import type { BreakerPolicy } from './policy.ts';
import type { BreakerSnapshot, BreakerState } from './snapshot.ts';
import { parseSnapshot } from './snapshot.ts';

/** After so long closed, the next opening is the first again. */
const CALM_MS = 300_000;
const JITTER = 0.25;
const LEAST_SHARE = 0.1;
const DAY_MS = 86_400_000;
/** However slow a zone is, a probe that takes longer has failed. */
const MOST_PATIENCE_MS = 60_000;

/**
 * Keeps calls from a zone, or an endpoint of one, that fails: not its usual failures, but significantly more. It is asked and
 * told; it has no timer. Times are monotonic ms, and what only takes time happens when it is next asked, as of when it was due.
 *
 * - `closed`: all may go. → `open` by one of the rules (`rules.ts`), by a hint of the server, or by advice.
 * - `open`: none may go, for a time that doubles. → `halfOpen` when it is over.
 * - `halfOpen`: a few probes may go, each under a lease. → `open` or `recovering`, by what they meet.
 * - `recovering`: all may go, at a growing share of what was usual. → `closed` after `rampMs`; → `open` by its failure rate or a run.
 * - `isolated`: laid over any of these while somebody wants it: none may go, and nothing is decided.
 * - `disabled`: laid over `closed`: all may go, and nothing is decided.
 */
export class Breaker {
  #policy: BreakerPolicy;
  readonly #random: () => number;
  readonly #changed: (change: BreakerChange) => void;
  readonly #evidence: Evidence;
  readonly #probes = new Probes();
  #state: BreakerState = 'closed';
  #isolations = 0;
  #isDisabled = false;
  /** When `open` ends. */
  #openUntil = 0;
  /** When the present state began. */
  #since = 0;
  #tries = 0;
  /** Counts epochs and probes, so that a permit tells whether its call is of the present epoch, and each probe from the others. */
  #serial = 1;
  #epoch = 1;
  /** The epoch of the latest half-open time, and its last probe so far. */
  #halfOpenedAs = 0;
  #lastProbe = 0;
  /** What a probe may take where one was seen to take longer than the policy gives it. */
  #patienceMs = 0;
  #isOpenByProbes = false;
  #isHinted = false;

  constructor(policy: BreakerPolicy, random: () => number, changed: (change: BreakerChange) => void) {
    this.#policy = policy;
    this.#random = random;
    this.#changed = changed;
    this.#evidence = new Evidence(policy);
  }

  get baseline(): number {
    return this.#evidence.baseline;
  }

  /** The failure rate from which it would open, if significant. */
  get threshold(): number {
    return this.#evidence.threshold;
  }

  /** Openings without five calm minutes between them. */
  get tries(): number {
    return this.#tries;
  }

  window(now: number): WindowCounts {
    const { calls, failures, slow } = this.#evidence.window(now);
    return { calls, failures, slow };
  }

  /** Most calls are slow, which alone does not open it. */
  isDegraded(now: number): boolean {
    return this.#evidence.isDegraded(now);
  }

  status(now: number): BreakerStatus {
    this.#catchUp(now);
    return this.#visible;
  }

  /** How many calls may start now: Infinity while closed or recovering, 0 while open or isolated, the free probes while half open. */
  allows(now: number): number {
    this.#catchUp(now);
    if (this.#isolations > 0 || this.#state === 'open') return 0;
    return this.#state === 'halfOpen' ? this.#probes.free : Number.POSITIVE_INFINITY;
  }

  /** The share of the usual concurrency and rate that may be used: below 1 only while recovering. */
  share(now: number): number {
    this.#catchUp(now);
    if (this.#state !== 'recovering') return 1;
    return Math.min(1, Math.max(LEAST_SHARE, (now - this.#since) / this.#policy.rampMs));
  }

  /** When {@link allows} may rise by time alone; Infinity where it does not. */
  nextAt(now: number): number {
    this.#catchUp(now);
    if (this.#isolations > 0) return Number.POSITIVE_INFINITY;
    if (this.#state === 'open') return this.#openUntil;
    return this.#state === 'halfOpen' ? this.#probes.lapsesAt : Number.POSITIVE_INFINITY;
  }

  /** True where nothing is lost but the baseline if it is forgotten. */
  isEvictable(now: number): boolean {
    this.#catchUp(now);
    return this.#visible === 'closed' && this.#tries === 0 && this.#evidence.window(now).calls === 0;
  }

  /** A call starts: the permit is for {@link ended}. While half open this takes a probe, where one is free. */
  started(now: number): number {
    this.#catchUp(now);
    if (this.#state !== 'halfOpen' || this.#probes.free === 0) return this.#epoch;
    const permit = ++this.#serial;
    this.#probes.lease(permit, now + Math.max(this.#policy.probeTimeoutMs, this.#patienceMs));
    this.#lastProbe = permit;
    return permit;
  }

  /**
   * A call ended. `ignored`: it showed nothing, such as one that was cancelled or that we refused ourselves. One that started
   * before the latest change of regime says nothing about the present one.
   */
  ended(permit: number, outcome: 'success' | 'failure' | 'ignored', durationMs: number, now: number): void {
    this.#catchUp(now);
    if (outcome === 'success' && this.#isLapsedProbe(permit)) return this.#wasSlow(durationMs, now);
    if (this.#state === 'halfOpen') this.#probed(permit, outcome, now);
    else if (this.#state !== 'open' && permit === this.#epoch && outcome !== 'ignored') {
      this.#met(outcome === 'failure', durationMs, now);
    }
  }

  /** The server asked for a pause of all calls until then: it gets it, however long. */
  hinted(until: number, now: number): void {
    this.#catchUp(now);
    if (this.#isDisabled || !Number.isFinite(until) || until <= now) return;
    // Who says when to come back is taken at that word: nothing is added, and nothing doubled.
    if (this.#state !== 'open' || until > this.#openUntil) this.#keepOpen('serverHint', now, until);
  }

  /** What a server asked for is not waited for any longer: it is found out at once whether it works. */
  unhinted(now: number): void {
    this.#catchUp(now);
    if (this.#state !== 'open' || !this.#isHinted) return;
    this.#openUntil = now;
    this.#catchUp(now);
  }

  /**
   * Another process is open until then. It is believed only where a call of this one failed too, lately or when it opened, and not
   * against its own probes; as another clock may be wrong, not for longer than this one would open by itself.
   */
  advise(openUntil: number, now: number): boolean {
    this.#catchUp(now);
    const until = Math.min(openUntil, now + this.#policy.maxOpenMs);
    const isNews = until > (this.#state === 'open' ? this.#openUntil : now);
    if (!isNews || this.#isDisabled) return false;
    const isOwnView = this.#state === 'halfOpen' ? this.#probes.areBegun : this.#evidence.window(now).failures === 0;
    if (isOwnView) return false;
    this.#keepOpen('advised', now, until);
    return true;
  }

  /** Each call stands for one who wants it, and is taken back by one {@link release}. */
  isolate(now: number): void {
    this.#catchUp(now);
    const from = this.#visible;
    // Its probes are called off: whoever releases it gets new ones.
    if (this.#state === 'halfOpen') this.#enter('open', now);
    this.#isolations++;
    this.#tell(from, 'isolated', now);
  }

  release(now: number): void {
    if (this.#isolations === 0) return;
    const from = this.#visible;
    this.#isolations--;
    if (this.#isolations > 0) return;
    // What was under way goes on from here: no time passed for it.
    this.#openUntil = Math.max(this.#openUntil, now);
    if (this.#state === 'recovering') this.#since = now;
    this.#tell(from, 'released', now);
    this.#catchUp(now);
  }

  /** Closes it and forgets its openings and its window; what it learned, and who isolated it, stays. */
  reset(now: number): void {
    this.#close('reset', 0, now);
  }

  /** Closes it as {@link reset} does, and undoes the latest opening: what failed was this machine's own network. */
  freeze(now: number): void {
    this.#catchUp(now);
    this.#close('frozen', this.#state === 'closed' ? this.#tries : Math.max(0, this.#tries - 1), now);
  }

  /** All may go until {@link enable}; calls still count. */
  disable(now: number): void {
    if (this.#isDisabled) return;
    this.#catchUp(now);
    const from = this.#visible;
    this.#isDisabled = true;
    this.#tries = 0;
    this.#enter('closed', now);
    this.#tell(from, 'disabled', now);
  }

  enable(now: number): void {
    if (!this.#isDisabled) return;
    const from = this.#visible;
    this.#isDisabled = false;
    this.#tell(from, 'enabled', now);
  }

  /** What was seen and learned stays; a running open time too. */
  update(policy: BreakerPolicy): void {
    this.#policy = policy;
    this.#evidence.update(policy);
  }

  snapshot(wallNow: number, now: number): BreakerSnapshot {
    this.#catchUp(now);
    const openUntil = this.#state === 'open' ? Math.round(wallNow + this.#openUntil - now) : null;
    return {
      v: 1,
      state: this.#state,
      openUntil,
      tries: this.#tries,
      baseline: this.#evidence.baseline,
      updatedAt: wallNow,
    };
  }

  /**
   * Goes on where a snapshot stands; true if it was one. The wall clock may have been set since: an open time never ends later
   * than an own one would, and what is a day away says nothing but the baseline.
   */
  restore(snapshot: unknown, wallNow: number, now: number): boolean {
    const stored = parseSnapshot(snapshot);
    if (stored === undefined) return false;
    const from = this.#visible;
    const ageMs = wallNow - stored.updatedAt;
    const isOld = Math.abs(ageMs) > DAY_MS;
    this.#evidence.baseline = stored.baseline;
    this.#tries = isOld ? 0 : stored.tries;
    this.#enter(isOld ? 'closed' : stored.state, now);
    this.#openUntil = now + Math.min(Math.max(0, (stored.openUntil ?? 0) - wallNow), this.#policy.maxOpenMs);
    this.#since = now - Math.max(0, ageMs);
    this.#tell(from, 'restored', now);
    this.#catchUp(now);
    return true;
  }

  get #visible(): BreakerStatus {
    if (this.#isolations > 0) return 'isolated';
    return this.#isDisabled ? 'disabled' : this.#state;
  }

  /** What time alone has brought about by `now`. */
  #catchUp(now: number): void {
    if (this.#state === 'closed') {
      if (this.#tries > 0 && now - this.#since >= CALM_MS) this.#tries = 0;
    } else if (this.#isolations === 0) this.#passTime(now);
  }

  #passTime(now: number): void {
    for (let at = this.#dueAt(); at <= now; at = this.#dueAt()) {
      if (this.#state === 'open') this.#move('halfOpen', 'due', at);
      else if (this.#state === 'recovering') this.#recover(at);
      else {
        this.#probes.lapse();
        this.#followProbes(at);
      }
    }
  }

  /** Only the share ends: no new epoch, and the calls of the ramp count on. */
  #recover(at: number): void {
    this.#state = 'closed';
    this.#since = at;
    this.#tell('recovering', 'recovered', at);
  }

  #dueAt(): number {
    if (this.#state === 'open') return this.#openUntil;
    if (this.#state === 'halfOpen') return this.#probes.lapsesAt;
    return this.#state === 'recovering' ? this.#since + this.#policy.rampMs : Number.POSITIVE_INFINITY;
  }

  #probed(permit: number, outcome: 'success' | 'failure' | 'ignored', now: number): void {
    if (!this.#probes.release(permit) || outcome === 'ignored') return;
    this.#probes.count(outcome === 'failure');
    this.#followProbes(now);
  }

  /** Its lease was over before it ended: of the probes of this half-open time, or of the one before. */
  #isLapsedProbe(permit: number): boolean {
    if (this.#state !== 'halfOpen' && this.#state !== 'open') return false;
    return permit > this.#halfOpenedAs && permit <= this.#lastProbe && !this.#probes.holds(permit);
  }

  /** A probe that seemed to hang was answered after all: the zone is slow, and the next ones get the time it takes. */
  #wasSlow(durationMs: number, now: number): void {
    this.#patienceMs = Math.min(MOST_PATIENCE_MS, 2 * durationMs);
    if (this.#state !== 'open' || !this.#isOpenByProbes) return;
    this.#openUntil = now;
    this.#passTime(now);
  }

  #followProbes(at: number): void {
    const { verdict } = this.#probes;
    if (verdict === 'opens') this.#open('probeFailed', at);
    else if (verdict === 'closes') this.#move('recovering', 'probeSucceeded', at);
  }

  /** A call of this epoch met the zone, while closed or recovering. */
  #met(isFailure: boolean, durationMs: number, now: number): void {
    const isSlow = this.#evidence.isSlow(durationMs);
    this.#evidence.count(isFailure, isSlow, now);
    if (this.#isolations > 0 || this.#isDisabled) return;
    const reason = this.#reasonToOpen(isFailure, isSlow);
    if (reason !== undefined) this.#open(reason, now);
    else this.#evidence.learn(isFailure, durationMs, this.#state === 'recovering', now);
  }

  #reasonToOpen(isFailure: boolean, isSlow: boolean): BreakerReason | undefined {
    if (this.#state === 'closed') return this.#evidence.reasonToOpen(isFailure, isSlow);
    return this.#evidence.relapses(isFailure) ? 'relapsed' : undefined;
  }

  #open(reason: BreakerReason, at: number): void {
    this.#tries++;
    const { openMs, maxOpenMs } = this.#policy;
    const ownMs = Math.min(maxOpenMs, openMs * 2 ** (this.#tries - 1)) * (1 + JITTER * this.#random());
    this.#keepOpen(reason, at, at + ownMs);
  }

  #keepOpen(reason: BreakerReason, at: number, until: number): void {
    this.#openUntil = until;
    this.#isOpenByProbes = reason === 'probeFailed';
    this.#isHinted = reason === 'serverHint';
    this.#move('open', reason, at);
  }

  #close(reason: BreakerReason, tries: number, now: number): void {
    const from = this.#visible;
    this.#tries = tries;
    this.#evidence.forgetCalls();
    this.#enter('closed', now);
    this.#tell(from, reason, now);
  }

  #move(to: BreakerState, reason: BreakerReason, at: number): void {
    const from = this.#visible;
    this.#enter(to, at);
    this.#tell(from, reason, at);
  }

  #enter(state: BreakerState, at: number): void {
    this.#state = state;
    this.#since = at;
    this.#epoch = ++this.#serial;
    if (state === 'halfOpen') {
      this.#probes.restart();
      this.#halfOpenedAs = this.#epoch;
    }
    // What follows the outage is judged by itself.
    else if (state === 'recovering') this.#evidence.forgetCalls();
  }

  #tell(from: BreakerStatus, reason: BreakerReason, at: number): void {
    const to = this.#visible;
    if (from === to && to !== 'open') return;
    const { calls, failures } = this.#evidence.window(at);
    this.#changed({
      at,
      from,
      to,
      reason,
      failureRate: calls === 0 ? 0 : failures / calls,
      threshold: this.#evidence.threshold,
      baseline: this.#evidence.baseline,
      calls,
      openMs: to === 'open' ? this.#openUntil - at : null,
      tries: this.#tries,
    });
  }
}
