/** How many callers of this process share a request that they joined here, before the store could count them. */
export class Shares {
  readonly #counts = new Map<string, number>();

  join(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 1) + 1);
  }

  /** One of several callers leaves; true when others stay. */
  leave(id: string): boolean {
    const callers = this.#counts.get(id) ?? 1;
    if (callers <= 1) return false;
    this.#counts.set(id, callers - 1);
    return true;
  }

  isShared(id: string): boolean {
    return (this.#counts.get(id) ?? 1) > 1;
  }

  forget(id: string): void {
    if (this.#counts.size > 0) this.#counts.delete(id);
  }
}
