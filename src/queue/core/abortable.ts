/** Requests whose callers may call them off, and what to do for each caller once that is over. */
export class Abortable {
  readonly #over = new Map<string, readonly (() => void)[]>();

  has(id: string): boolean {
    return this.#over.has(id);
  }

  ids(): IterableIterator<string> {
    return this.#over.keys();
  }

  /** A caller may call this request off, and the wire of a read be closed by that. `over` is called once it ended. */
  add(id: string, over: () => void): void {
    this.#over.set(id, [...(this.#over.get(id) ?? []), over]);
  }

  /** A call that may be called off shares another request. */
  share(from: string, to: string): void {
    const over = this.#over.get(from);
    if (over === undefined || from === to) return;
    this.#over.delete(from);
    this.#over.set(to, [...(this.#over.get(to) ?? []), ...over]);
  }

  /** The request ended. */
  forget(id: string): void {
    const over = this.#over.get(id);
    if (over === undefined) return;
    this.#over.delete(id);
    for (const one of over) one();
  }
}
