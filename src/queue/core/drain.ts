/** Lets others wait until a stage has nothing pending. The stage calls {@link Drain.check} whenever it may have come to that. */
export class Drain {
  readonly #pending: () => number;
  #waiting: (() => void)[] = [];

  constructor(pending: () => number) {
    this.#pending = pending;
  }

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    while (this.#pending() > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  check(): void {
    if (this.#pending() > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
