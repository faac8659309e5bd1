import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import type { StoredRequest } from '../types/request.ts';
import type { RequestState } from '../types/states.ts';
import type { AmendResult, Change } from '../types/store.ts';
import type { AuthHolds } from './authHolds.ts';
import type { Context } from './context.ts';
import { unknownOptions } from './filter.ts';
import type { LiveCredentials } from './liveCredentials.ts';
import type { Seals } from './seals.ts';
import { invalidRequest } from './target.ts';
import type { Teller } from './tell.ts';
import { within } from './within.ts';
import type { Zones } from './zones.ts';

/**
 * What becomes of a principal's requests when it leaves:
 * - `seal`: they are kept, and not sent until it enters again
 * - `sendFirst`: what can be sent is, for as long as `deadlineMs`; the rest is sealed
 * - `purge`: what was never sent is cancelled; what may have been sent is sealed
 */
export type LeavePolicy = 'seal' | 'sendFirst' | 'purge';

export interface LeaveOptions {
  /** @default 'seal' */
  readonly policy?: LeavePolicy | undefined;
  /** How long `sendFirst` takes at most. @default 30_000 */
  readonly deadlineMs?: number | undefined;
}

export interface Left {
  /** Requests that wait for its return. */
  readonly sealed: number;
  /** Requests that `purge` cancelled, as they were: all that is left of them is this. */
  readonly purged: readonly StoredRequest[];
}

/** A principal that has requests which have not ended, or that is sealed. */
export interface PrincipalSummary {
  readonly principal: string;
  readonly sealed: boolean;
  /** Requests that have not ended, by state. */
  readonly counts: Readonly<Partial<Record<RequestState, number>>>;
}

interface Whose {
  readonly principal?: string;
  readonly state: RequestState | readonly RequestState[];
  readonly reason?: 'principal';
}

const PAGE = 256;
const LIVE = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held'] as const;
const WAITING = ['ready', 'scheduled', 'blocked'] as const;
const POLICIES: readonly string[] = ['seal', 'sendFirst', 'purge'] satisfies LeavePolicy[];
const OPTIONS: readonly string[] = ['policy', 'deadlineMs'] satisfies (keyof LeaveOptions)[];
const SEND_FIRST_MS = 30_000;

/** Whose requests are here, and who is present: another user's are kept, not sent (G5). */
export class Principals {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #teller: Teller;
  readonly #seals: Seals;
  readonly #live: LiveCredentials;
  readonly #authHolds: AuthHolds;
  readonly #idle: (principal: string) => Promise<void>;
  readonly #wake: () => void;

  constructor(
    context: Context,
    parts: {
      readonly zones: Zones;
      readonly teller: Teller;
      readonly seals: Seals;
      readonly live: LiveCredentials;
      readonly authHolds: AuthHolds;
    },
    events: { readonly idle: (principal: string) => Promise<void>; readonly wake: () => void },
  ) {
    this.#context = context;
    this.#zones = parts.zones;
    this.#teller = parts.teller;
    this.#seals = parts.seals;
    this.#live = parts.live;
    this.#authHolds = parts.authHolds;
    this.#idle = events.idle;
    this.#wake = events.wake;
  }

  /** Everyone who has requests that have not ended, and who is sealed. Looks at each of these requests. */
  async list(): Promise<PrincipalSummary[]> {
    await this.#seals.load();
    const byName = new Map<string, Partial<Record<RequestState, number>>>();
    for await (const { principal, state } of this.#all({ state: LIVE })) {
      const counts = byName.get(principal) ?? {};
      counts[state] = (counts[state] ?? 0) + 1;
      byName.set(principal, counts);
    }
    for (const principal of this.#seals.principals) if (!byName.has(principal)) byName.set(principal, {});
    return [...byName].map(([principal, counts]) => ({ principal, sealed: this.#seals.has(principal), counts }));
  }

  /**
   * It is back: what was sealed goes on, and what was held for want of its credential, where that is at hand. Returns how many of the sealed requests
   * go on.
   */
  async enter(principal: string): Promise<number> {
    assertName(principal);
    await this.#seals.unseal(principal);
    const to = { state: 'ready', reason: 'released' } as const;
    let released = 0;
    const filter = { principal, state: 'held', reason: 'principal' } as const;
    await this.#amendAll(
      filter,
      ({ id }) => ({ id, from: ['held'], reason: 'principal', to }),
      (request, result) => {
        released += 1;
        const { id: requestId, zone } = request;
        this.#context.emitter.emit('request:released', { requestId, zone, state: result.state });
        this.#zones.named(zone)?.hint();
      },
    );
    this.#authHolds.release();
    this.#teller.due(this.#context.clock.now());
    this.#wake();
    return released;
  }

  /** It goes: nothing of it is sent any more, once this resolves, but what is under way. */
  async leave(principal: string, options: LeaveOptions = {}): Promise<Left> {
    assertName(principal);
    assertOptions(options);
    const { policy = 'seal', deadlineMs = SEND_FIRST_MS } = options;
    if (policy === 'sendFirst') await this.#sendFirst(principal, deadlineMs);
    await this.#seals.seal(principal);
    this.#live.forgetPrincipal(principal);
    const purged: StoredRequest[] = [];
    if (policy === 'purge') {
      const to = { state: 'cancelled', reason: 'caller' } as const;
      const from = [...WAITING, 'held'] as const;
      const all: StoredRequest[] = [];
      for await (const request of this.#all({ principal, state: from })) all.push(request);
      // What waits for another goes before it: it would be abandoned with that, and be a dead letter.
      await this.#amendThese(
        all.reverse(),
        ({ id, firstSentAt }) => (firstSentAt === null ? { id, from, neverSent: true, to } : undefined),
        (request) => void purged.push(request),
      );
      purged.reverse();
    }
    let sealed = 0;
    const to = { state: 'held', reason: 'principal' } as const;
    await this.#amendAll(
      { principal, state: WAITING },
      ({ id }) => ({ id, from: WAITING, to }),
      ({ id, zone }) => {
        sealed += 1;
        this.#context.emitter.emit('request:held', { requestId: id, zone, reason: 'principal' });
        void this.#teller.lookUp([id]);
      },
    );
    return { sealed, purged };
  }

  /** What cannot be sent in time is sealed with the rest. */
  async #sendFirst(principal: string, deadlineMs: number): Promise<void> {
    try {
      await within(this.#context.clock, deadlineMs, 'the rest of its requests', this.#idle(principal));
    } catch (error) {
      // The deadline has passed, or the queue closes: neither is to keep it from being sealed.
      this.#context.logger.info('a principal leaves with requests unsent', { error: String(error) });
    }
  }

  async #amendAll(
    filter: Whose,
    changeFor: (request: StoredRequest) => Change | undefined,
    amended: (request: StoredRequest, result: Extract<AmendResult, { status: 'amended' }>) => void,
  ): Promise<void> {
    for await (const page of this.#pages(filter)) await this.#amendThese(page, changeFor, amended);
  }

  async #amendThese(
    requests: readonly StoredRequest[],
    changeFor: (request: StoredRequest) => Change | undefined,
    amended: (request: StoredRequest, result: Extract<AmendResult, { status: 'amended' }>) => void,
  ): Promise<void> {
    const { backend, clock } = this.#context;
    const asked = requests.flatMap((request) => {
      const change = changeFor(request);
      return change === undefined ? [] : [{ request, change }];
    });
    for (let start = 0; start < asked.length; start += PAGE) {
      const page = asked.slice(start, start + PAGE);
      const changes = page.map(({ change }) => change);
      for (const [index, result] of (await backend.requests.amend({ now: clock.now(), changes })).entries()) {
        const one = page[index];
        if (result.status !== 'amended' || one === undefined) continue;
        amended(one.request, result);
        this.#teller.allEnded(result.ended);
        this.#teller.moved(result.moved);
      }
    }
  }

  async *#all(filter: Whose): AsyncGenerator<StoredRequest> {
    for await (const page of this.#pages(filter)) yield* page;
  }

  async *#pages(filter: Whose): AsyncGenerator<readonly StoredRequest[]> {
    for (let after: number | null = null; ; ) {
      const page = await this.#context.backend.requests.find({ filter, order: 'accepted', after, limit: PAGE });
      yield page.requests;
      if (page.next === null) return;
      after = page.next;
    }
  }
}

function assertOptions(options: LeaveOptions): void {
  const { policy = 'seal', deadlineMs = SEND_FIRST_MS } = options;
  const problems: Problem[] = unknownOptions(options, OPTIONS);
  if (!POLICIES.includes(policy)) {
    problems.push({ path: 'policy', expected: suggestion(String(policy), POLICIES), got: String(policy) });
  }
  if (!(Number.isFinite(deadlineMs) && deadlineMs >= 0)) {
    problems.push({ path: 'deadlineMs', expected: 'milliseconds', got: String(deadlineMs) });
  }
  if (problems.length > 0) throw invalidRequest(problems);
}

function assertName(principal: string): void {
  if (typeof principal === 'string' && principal !== '') return;
  throw new HoldfastError('REQUEST_INVALID', 'a principal is a non-empty string', {
    problems: [{ path: 'principal', expected: 'a non-empty string', got: typeof principal }],
  });
}
