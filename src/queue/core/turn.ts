/**
 * Gathers what happens within one turn of the event loop and does it at its end, in a fixed order. Calls, answers and
 * freed permits of one turn so share one message to the store and one commit.
 */
export class Turn {
  readonly #steps: readonly (() => void)[];
  #isPending = false;
  #count = 0;

  constructor(steps: readonly (() => void)[]) {
    this.#steps = steps;
  }

  /** How many turns were made: settlements are only ever stored within one. */
  get count(): number {
    return this.#count;
  }

  request(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    setImmediate(() => {
      this.#isPending = false;
      this.#count += 1;
      for (const step of this.#steps) step();
    });
  }
}
