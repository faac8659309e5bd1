import type { ReceivedRequest } from './serverSteps.ts';

/** What a test server does with the requests to come: a list used up in order of arrival, then a rule for the rest. */
export class ServerScript<Step> {
  readonly #next: Step[] = [];
  #rule: (request: ReceivedRequest) => Step;
  readonly #usual: (request: ReceivedRequest) => Step;

  constructor(usual: Step) {
    this.#usual = () => usual;
    this.#rule = this.#usual;
  }

  /** One step each for the requests to come, before the rule counts again. */
  next(...steps: readonly Step[]): void {
    this.#next.push(...steps);
  }

  /** The step for every request that has none of its own; a function may choose, undefined leaves it to the usual. */
  always(step: Step | ((request: ReceivedRequest) => Step | undefined)): void {
    if (typeof step !== 'function') {
      this.#rule = () => step;
      return;
    }
    const choose = step as (request: ReceivedRequest) => Step | undefined; // steps are plain objects, never functions
    this.#rule = (request) => choose(request) ?? this.#usual(request);
  }

  /** Forgets list and rule: requests are answered as usual again. */
  clear(): void {
    this.#next.length = 0;
    this.#rule = this.#usual;
  }

  /** Steps not used yet. */
  get left(): number {
    return this.#next.length;
  }

  choose(request: ReceivedRequest): Step {
    return this.#next.shift() ?? this.#rule(request);
  }
}
