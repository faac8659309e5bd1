/** What a read is known by while it may be joined. */
export interface JoinableRead {
  readonly id: string;
  /** Canonical digest of the whole request. */
  readonly digest: string;
  /** Zone and path without query. */
  readonly place: string;
  readonly lane: string | null;
}

/**
 * Reads of this process that are waiting or in flight. An identical read joins one, unless a write to its path or lane
 * was accepted after it. Reads of other processes are not joined: their answers are not at hand.
 */
export class ReadJoins {
  readonly #byDigest = new Map<string, JoinableRead>();
  readonly #byId = new Map<string, JoinableRead>();
  readonly #byPlace = new Map<string, Set<JoinableRead>>();

  find(digest: string): string | undefined {
    return this.#byDigest.get(digest)?.id;
  }

  add(read: JoinableRead): void {
    this.#byDigest.set(read.digest, read);
    this.#byId.set(read.id, read);
    for (const place of placesOf(read)) {
      const reads = this.#byPlace.get(place);
      if (reads === undefined) this.#byPlace.set(place, new Set([read]));
      else reads.add(read);
    }
  }

  /** A write was accepted: no later read may join one of before. */
  closeFor(write: { readonly place: string; readonly lane: string | null }): void {
    if (this.#byId.size === 0) return;
    for (const place of placesOf(write)) {
      for (const read of this.#byPlace.get(place) ?? []) this.remove(read.id);
    }
  }

  remove(id: string): void {
    const read = this.#byId.get(id);
    if (read === undefined) return;
    this.#byId.delete(id);
    if (this.#byDigest.get(read.digest) === read) this.#byDigest.delete(read.digest);
    for (const place of placesOf(read)) {
      const reads = this.#byPlace.get(place);
      reads?.delete(read);
      if (reads?.size === 0) this.#byPlace.delete(place);
    }
  }
}

function placesOf(request: { readonly place: string; readonly lane: string | null }): string[] {
  return request.lane === null ? [`path ${request.place}`] : [`path ${request.place}`, `lane ${request.lane}`];
}
