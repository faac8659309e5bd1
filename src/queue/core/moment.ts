/**
 * The rest of the present turn of the event loop. What was accepted in it cannot have ended yet, neither by us (settlements are
 * stored in turns of their own) nor by another process (its commit would have to be answered first), so whoever asks for
 * its end within the moment need not look in the store. Whoever takes a request back ends the moment: in memory that is done at once.
 */
export class Moment {
  readonly #turns: () => number;
  readonly #turn: number;
  #isOver = false;

  constructor(turns: () => number) {
    this.#turns = turns;
    this.#turn = turns();
    setImmediate(() => {
      this.#isOver = true;
    });
  }

  end(): void {
    this.#isOver = true;
  }

  get isOver(): boolean {
    return this.#isOver || this.#turns() !== this.#turn;
  }
}
