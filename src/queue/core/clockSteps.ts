import type { StoredRequest } from '../types/request.ts';
import type { Change } from '../types/store.ts';
import type { Context } from './context.ts';
import { untiered } from './gates/channelName.ts';

/** A smaller step is left alone: what was to wait a second waits two. */
const SMALLEST_STEP_MS = 1_000;
const STEP = 256;
const WAITING = ['ready', 'scheduled', 'blocked', 'unknown', 'held'] as const;
/** Of the requests that wait when the queue starts, so many are looked at: a step while nobody ran is rare. */
const LOOKED_AT_AT_START = 1_024;

/**
 * Notices when the wall clock stepped back, and brings retries and looks that were computed by the former time to the
 * present one; else they would stand still for as long as the step was. A request that its caller wants sent at a given time keeps it. What
 * was accepted by the former time takes the rank it would have by the present one; else it would wait for as long behind whatever is new.
 */
export class ClockSteps {
  readonly #context: Context;
  /** Wall time minus monotonic time when last looked at. */
  #offset: number;
  /** How far it stepped back, until all that was accepted before has the rank of the present time; 0 once it has. */
  #stepMs = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#offset = offsetOf(context);
  }

  /** Repairs what a step while no process ran may have left. */
  async atStart(): Promise<void> {
    await this.#bringForward(LOOKED_AT_AT_START);
  }

  /** Repairs what a step since the last look left. True when there was one. */
  async look(): Promise<boolean> {
    const offset = offsetOf(this.#context);
    const stepMs = this.#offset - offset;
    const hasSteppedBack = stepMs > SMALLEST_STEP_MS;
    if (hasSteppedBack) {
      await this.#bringForward(Number.POSITIVE_INFINITY);
      this.#stepMs = stepMs;
    }
    if (this.#stepMs > 0 && (await this.#rankAnew(this.#stepMs))) this.#stepMs = 0;
    // Known once it is repaired: where the store is away, the next look finds it again.
    this.#offset = offset;
    return hasSteppedBack;
  }

  /** False where some are being sent, whose rank cannot be changed now. */
  async #rankAnew(stepMs: number): Promise<boolean> {
    const { backend, clock, ranking } = this.#context;
    const now = clock.now();
    const filter = { state: [...WAITING, 'sending'] as const, acceptedAfter: now + 1 };
    let isAll = true;
    for (let after: number | null = null; ; ) {
      const page = await backend.requests.find({ filter, order: 'accepted', after, limit: STEP });
      if (page.requests.some(({ state }) => state === 'sending')) isAll = false;
      const changes = page.requests.flatMap((request): Change[] => {
        if (request.state === 'sending') return [];
        const acceptedAt = Math.min(now, request.acceptedAt - stepMs);
        const rank = ranking.rank({ ...request, acceptedAt }, untiered(request.channel));
        if (rank.form !== 'value' || rank.value >= request.rank) return [];
        return [{ id: request.id, from: WAITING, patch: { raise: rank } }];
      });
      const results = changes.length > 0 ? await backend.requests.amend({ now, changes }) : [];
      if (results.some((result) => result.status === 'refused' && result.state === 'sending')) isAll = false;
      if (page.next === null) return isAll;
      after = page.next;
    }
  }

  async #bringForward(atMost: number): Promise<void> {
    const { backend, clock } = this.#context;
    const filter = {
      state: ['scheduled', 'unknown'],
      reason: ['retry', 'unanswered', 'serverError', 'leaseLost'],
    } as const;
    let seen = 0;
    for (let after: number | null = null; seen < atMost; ) {
      const page = await backend.requests.find({ filter, order: 'accepted', after, limit: STEP });
      const now = clock.now();
      const changes = page.requests.map((request) => changeFor(request, now)).filter((change) => change !== undefined);
      if (changes.length > 0) await backend.requests.amend({ now, changes });
      seen += page.requests.length;
      if (page.next === null) return;
      after = page.next;
    }
  }
}

/**
 * The wait that was decided at the last attempt, counted from now on, where that attempt lies in the future. What was brought
 * forward once is due before that attempt, so that several processes do it but once.
 */
function changeFor(request: StoredRequest, now: number): Change | undefined {
  const { id, state, reason, dueAt } = request;
  const decidedAt = request.progress.attempts.at(-1)?.at;
  if (decidedAt === undefined || dueAt === null || decidedAt <= now || dueAt <= decidedAt) return undefined;
  return { id, from: [state], to: { state, reason, dueAt: now + (dueAt - decidedAt) } };
}

function offsetOf({ clock }: Context): number {
  return clock.now() - clock.monotonicNow();
}
