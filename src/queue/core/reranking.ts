import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { problemWords } from '../../problemWords.ts';
import type { Timer } from '../../system/clock.ts';
import type { QueueOptions } from './config/options.ts';
import { configurationProblems } from './config/problems.ts';
import { resolveFlows } from './config/schedulingSchema.ts';
import type { Context } from './context.ts';
import { unknownOptions } from './filter.ts';
import type { Strategy } from './ranking.ts';
import type { StoredMark } from './rankMark.ts';
import { expireRanks, freshMark, isSameOrder, MARK_KEY, markToJson, readMark, UNMARKED } from './rankMark.ts';
import { HEARD_MS, RankPass } from './rankPass.ts';
import { messageOf } from './tell.ts';

/** Another order for a queue that runs; what is absent stays as it is. */
export type StrategyOptions = Pick<QueueOptions, 'priorityStrategy' | 'ageingMs' | 'flows'>;

const LEASE = 'strategy:lease';
const LEASE_MS = 30_000;
/** After each step. */
const PAUSE_MS = 1;
const NAMES: readonly string[] = ['priorityStrategy', 'ageingMs', 'flows'] satisfies (keyof StrategyOptions)[];

/**
 * Brings what waits in a store into the order of the strategy that is in force: after it was changed while the queue runs, and at a start
 * under another one than the store was ranked by. The strategy is kept in the store, with how far it got, so that a crash goes on where it was;
 * one process at a time does it, in bounded steps. Of processes that are configured differently the last that set its strategy wins: it and
 * those that follow it log a warning, and so does the next that starts with another one.
 */
export class Reranking {
  readonly #context: Context;
  readonly #pass: RankPass;
  #seen: StoredMark | undefined;
  #isLoaded = false;
  /** This process may have given ranks of a strategy, or of a step, that others have gone past. */
  #isLate = false;
  /** Version of what could not be read, and was told of. */
  #unread: number | undefined;
  #isStopped = false;
  #running: Promise<void> | undefined;
  #pause: { readonly timer: Timer; readonly over: () => void } | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#pass = new RankPass(context);
  }

  /** At the start: one read where the store is ranked by the strategy of the configuration, or by nothing but the default. */
  async load(): Promise<void> {
    const { config, ranking, logger } = this.#context;
    const stored = await this.#read();
    this.#isLoaded = true;
    if (stored !== undefined && (!config.dispatch || isSameOrder(stored.mark.strategy, ranking.strategy))) {
      this.#follow(stored);
    } else if (config.dispatch && !(stored === undefined && isSameOrder(UNMARKED, ranking.strategy))) {
      const [from, to] = [stored?.mark.strategy ?? UNMARKED, ranking.strategy];
      if (stored !== undefined) logger.warn('what waits is ranked by another strategy from now on', told(from, to));
      await this.#declare(to);
    }
    this.#start();
  }

  /**
   * Another strategy from now on, in all processes that share the store. Resolves once that is stored: by then new requests are ranked by it, and
   * what waits follows in the background.
   *
   * @throws CONFIG_INVALID with every problem
   */
  async set(options: StrategyOptions): Promise<void> {
    const problems = problemsOf(options);
    if (problems.length > 0) {
      const message = `the strategy was not changed: ${problemWords(problems)}`;
      throw new HoldfastError('CONFIG_INVALID', message, { problems });
    }
    const { ranking, logger } = this.#context;
    const before = ranking.strategy;
    const strategy: Strategy = {
      priorityStrategy: options.priorityStrategy ?? before.priorityStrategy,
      ageingMs: options.ageingMs ?? before.ageingMs,
      flows: options.flows === undefined ? before.flows : resolveFlows(options.flows),
    };
    if (this.#isLoaded && isSameOrder(before, strategy)) return ranking.use(strategy, ranking.epoch);
    logger.info('what waits is ranked by another strategy from now on', told(before, strategy));
    await this.#declare(strategy);
    this.#isLoaded = true;
    this.#start();
  }

  /** Goes on with what is not done, and hears of what another process set. Part of the housekeeping. */
  async look(): Promise<void> {
    if (!this.#isLoaded) return this.load();
    const isOver = this.#seen === undefined || this.#seen.mark.isDone;
    if (isOver && !this.#context.backend.capabilities.shared) return;
    // What it was about to store when it heard is stored by the next look.
    if (this.#isLate) await this.#lookThroughAgain();
    const stored = await this.#read();
    if (stored !== undefined && stored.version !== this.#seen?.version) this.#hear(stored);
    this.#start();
  }

  /** Ends with the step that is under way; another process, or the next start, goes on. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.over();
    await this.#running;
  }

  async #lookThroughAgain(): Promise<void> {
    const { backend, clock } = this.#context;
    this.#isLate = false;
    try {
      await expireRanks(backend.shared, clock.now());
    } catch (error) {
      this.#isLate = true;
      throw error;
    }
  }

  #hear(stored: StoredMark): void {
    const { ranking, logger, clock } = this.#context;
    const [from, to] = [ranking.strategy, stored.mark.strategy];
    if (!isSameOrder(from, to)) {
      logger.warn('another process set another strategy, which is followed from now on', told(from, to));
      // It stood still, or could not read: nobody waited for it any more.
      if (stored.mark.isDone || clock.now() - stored.mark.at > HEARD_MS / 2) this.#isLate = true;
    }
    this.#follow(stored);
  }

  #follow(stored: StoredMark): void {
    this.#saw(stored);
    this.#context.ranking.use(stored.mark.strategy, stored.mark.at);
  }

  #saw(stored: StoredMark): void {
    if (this.#seen === undefined || stored.version > this.#seen.version) this.#seen = stored;
  }

  /** The last one wins: whoever set another one before is not asked. */
  async #declare(strategy: Strategy): Promise<void> {
    const { backend, clock, ranking } = this.#context;
    const now = clock.now();
    // Also where two are set within a ms, or the clock stepped back, their flows are told apart.
    const mark = freshMark(strategy, Math.max(now, (this.#seen?.mark.at ?? 0) + 1));
    const version = await backend.shared.set({ key: MARK_KEY, value: markToJson(mark), expiresAt: null, now });
    ranking.use(strategy, mark.at);
    if (version !== undefined) this.#saw({ mark, version });
  }

  async #read(): Promise<StoredMark | undefined> {
    const { backend, clock, logger } = this.#context;
    const stored = await backend.shared.get({ key: MARK_KEY, now: clock.now() });
    const mark = stored === undefined ? undefined : readMark(stored);
    if (stored !== undefined && mark === undefined && this.#unread !== stored.version) {
      this.#unread = stored.version;
      logger.warn('the stored strategy cannot be read: a later version may have set it', {});
    }
    return mark;
  }

  #start(): void {
    const isOver = this.#seen === undefined || this.#seen.mark.isDone;
    if (isOver || this.#isStopped || this.#running !== undefined || !this.#context.config.dispatch) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        const told = { error: messageOf(error) };
        this.#context.logger.warn('what waits was not ranked anew, which will be tried again', told);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(): Promise<void> {
    const { backend, clock, worker } = this.#context;
    const holder = { key: LEASE, holder: worker };
    try {
      for (let leasedAt = Number.NEGATIVE_INFINITY; !this.#isStopped; await this.#rest()) {
        if (clock.monotonicNow() >= leasedAt + LEASE_MS / 2) {
          const [now, at] = [clock.now(), clock.monotonicNow()];
          if (!(await backend.shared.acquire({ ...holder, permits: 1, now, expiresAt: now + LEASE_MS }))) return;
          leasedAt = at;
        }
        try {
          if (!(await this.#step())) return;
        } finally {
          // Somebody else may have gone on meanwhile, past what this step has just given its rank.
          if (clock.monotonicNow() >= leasedAt + LEASE_MS) this.#isLate = true;
        }
      }
    } finally {
      await backend.shared.release(holder);
    }
  }

  /** Says whether there is more to do now. */
  async #step(): Promise<boolean> {
    const stored = this.#seen;
    if (stored === undefined || stored.mark.isDone) return false;
    const { backend, clock, emitter, logger } = this.#context;
    const { mark } = stored;
    const { next, amended, isMore } = await this.#pass.step(mark);
    const isNews = next.after !== mark.after || next.isDone || next.isThrough !== mark.isThrough;
    if (isNews || String(next.late) !== String(mark.late)) {
      const value = markToJson(next);
      const now = clock.now();
      const version = await backend.shared.set({
        key: MARK_KEY,
        value,
        expiresAt: null,
        now,
        ifVersion: stored.version,
      });
      // Another strategy was set meanwhile: what it is, is known already, or found out by the next look.
      if (version === undefined) return this.#seen !== stored;
      this.#saw({ mark: next, version });
    }
    const { priorityStrategy: strategy } = mark.strategy;
    if (amended > 0) logger.debug('requests were ranked anew', { strategy, requests: amended, all: next.requests });
    if (next.isThrough && !mark.isThrough) emitter.emit('queue:reranked', { strategy, requests: next.requests });
    return isMore;
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopped) return resolve();
      const over = (): void => {
        this.#pause = undefined;
        resolve();
      };
      this.#pause = { timer: this.#context.clock.schedule(PAUSE_MS, over), over };
    });
  }
}

function problemsOf(options: StrategyOptions): readonly Problem[] {
  const unknown = typeof options === 'object' && options !== null ? unknownOptions(options, NAMES) : [];
  return unknown.length > 0 ? unknown : configurationProblems(options);
}

function told(from: Strategy, to: Strategy) {
  return { from: from.priorityStrategy, to: to.priorityStrategy };
}
