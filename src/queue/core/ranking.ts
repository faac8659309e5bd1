import { rankOf } from '../strategies/rank.ts';
import type { FlowRules, WeightedFlow } from '../strategies/scheduling/flows.ts';
import { flowOf } from '../strategies/scheduling/flows.ts';
import { KindWeights } from '../strategies/scheduling/KindWeights.ts';
import { flowOfKind, kindOf } from '../strategies/scheduling/kindOf.ts';
import type { FlowRank } from '../types/flowRank.ts';
import type { RankForm, RequestContent } from '../types/request.ts';
import type { PriorityStrategy } from '../types/scheduling.ts';
import type { TransportResult } from '../types/transport.ts';

/** In which order a queue sends, complete. */
export interface Strategy {
  readonly priorityStrategy: PriorityStrategy;
  readonly ageingMs: number;
  readonly flows: FlowRules;
}

/** What a rank is computed of. */
export interface Ranked {
  readonly acceptedAt: number;
  readonly priority: number;
  readonly expiresAt: number | null;
  readonly notBefore: number | null;
  readonly tags: readonly string[];
  readonly principal: string;
  readonly content: Pick<RequestContent, 'method' | 'path'>;
  readonly zone: string;
}

/** Ranks requests by the strategy of the moment, and learns what `adaptive` goes by. */
export class Ranking {
  readonly #kinds = new KindWeights();
  readonly #now: () => number;
  #strategy: Strategy;
  #epoch = 0;

  /** `now`: monotonic ms. */
  constructor(strategy: Strategy, now: () => number) {
    this.#strategy = strategy;
    this.#now = now;
  }

  get strategy(): Strategy {
    return this.#strategy;
  }

  /** Which setting of a strategy this is: flows of another one are none of its own. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Another strategy, for requests ranked from now on. */
  use(strategy: Strategy, epoch: number): void {
    this.#strategy = strategy;
    this.#epoch = epoch;
  }

  /** `channel`: its name without the tier. */
  rank(request: Ranked, channel: string): RankForm {
    const { priorityStrategy, ageingMs } = this.#strategy;
    const sendsInTurns = priorityStrategy === 'weighted' || priorityStrategy === 'adaptive';
    return sendsInTurns ? this.#flowRank(request, channel) : rankOf(priorityStrategy, request, ageingMs);
  }

  /** A call ended; `shown` is undefined where nothing was sent. One that did not reach the server says nothing of its kind. */
  ended(
    request: Pick<Ranked, 'content' | 'zone'>,
    shown: { readonly result: TransportResult; readonly durationMs: number } | undefined,
  ): void {
    if (this.#strategy.priorityStrategy !== 'adaptive' || shown === undefined) return;
    const { result, durationMs } = shown;
    if (result.phase === 'notSent') return;
    const isSuccess = result.phase === 'answered' && result.bodyError === undefined && result.response.status < 400;
    this.#kinds.ended(nameOf(request), isSuccess, durationMs, this.#now());
  }

  #flowRank(request: Ranked, channel: string): FlowRank {
    const group = this.#epoch === 0 ? channel : `${channel}@${this.#epoch.toString(36)}`;
    const { flow, weight } = this.#flowOf(request);
    // Or what is to be sent at once would stand behind all that is postponed of its flow.
    const isPostponed = request.notBefore !== null && request.notBefore > request.acceptedAt;
    return { form: 'flow', group, flow: isPostponed ? `${flow} (later)` : flow, weight };
  }

  #flowOf(request: Ranked): WeightedFlow {
    if (this.#strategy.priorityStrategy === 'weighted') return flowOf(this.#strategy.flows, request);
    const kind = nameOf(request);
    return { flow: flowOfKind(kind), weight: this.#kinds.weightOf(kind, this.#now()) };
  }
}

function nameOf({ zone, content }: Pick<Ranked, 'content' | 'zone'>): string {
  return `${zone} ${kindOf(content)}`;
}
