/**
 * Gathers what happens within one turn of the event loop and does it at its end, in a fixed order. Calls, answers and
 * freed permits of one turn so share one message to the store and one commit.
 */
export class Turn {
  readonly #steps: readonly (() => void)[];
  #isPending = false;

  constructor(steps: readonly (() => void)[]) {
    this.#steps = steps;
  }

  request(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    setImmediate(() => {
      this.#isPending = false;
      for (const step of this.#steps) step();
    });
  }
}
