/** What a write changes, or a read shows. */
export interface Placed {
  /** Zone and path without query. */
  readonly place: string;
  readonly lane: string | null;
}

/** Finds reads by what a write would change of them: those of its path, and those of its lane. */
export class PlaceIndex<T extends Placed> {
  readonly #byPlace = new Map<string, Set<T>>();

  add(one: T): void {
    for (const place of placesOf(one)) {
      const found = this.#byPlace.get(place);
      if (found === undefined) this.#byPlace.set(place, new Set([one]));
      else found.add(one);
    }
  }

  remove(one: T): void {
    for (const place of placesOf(one)) {
      const found = this.#byPlace.get(place);
      found?.delete(one);
      if (found?.size === 0) this.#byPlace.delete(place);
    }
  }

  changedBy(write: Placed): T[] {
    return placesOf(write).flatMap((place) => [...(this.#byPlace.get(place) ?? [])]);
  }
}

function placesOf({ place, lane }: Placed): string[] {
  return lane === null ? [`path ${place}`] : [`path ${place}`, `lane ${lane}`];
}
