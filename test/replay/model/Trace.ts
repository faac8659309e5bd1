import type { Answer, Fields, Happening, History, Report, Thing, Wish } from './history.ts';

type Arrival = Extract<Happening, { what: 'arrival' }> & { readonly at: number };
export type Change = Extract<Happening, { what: 'change' }> & { readonly at: number };

/** A history, looked things up in. */
export class Trace {
  readonly history: History;
  readonly changes: readonly Change[];
  readonly #changesOf = new Map<number, Change[]>();
  readonly #arrivalsOf = new Map<number, Arrival[]>();
  readonly #makers = new Map<number, Answer>();

  constructor(history: History) {
    this.history = history;
    const changes: Change[] = [];
    for (const [at, happening] of history.log.entries()) {
      const { by } = happening;
      if (happening.what === 'change') changes.push({ ...happening, at });
      if (by === null) continue;
      if (happening.what === 'change') push(this.#changesOf, by, { ...happening, at });
      else push(this.#arrivalsOf, by, { ...happening, at });
    }
    this.changes = changes;
    for (const answer of history.answers) {
      const { kind, thing } = answer.wish;
      if (thing !== null && (kind === 'create' || kind === 'child')) this.#makers.set(thing, answer);
    }
  }

  /** What really came of a wish, oldest first. */
  changesOf({ n }: Wish): readonly Change[] {
    return this.#changesOf.get(n) ?? [];
  }

  /** The calls of a wish that reached the server. */
  arrivalsOf({ n }: Wish): readonly Arrival[] {
    return this.#arrivalsOf.get(n) ?? [];
  }

  /** It was sent for a version of the thing. One made by an app that knows of none is not, and takes the place of whatever is there. */
  isGuarded(wish: Wish): boolean {
    return this.arrivalsOf(wish).some(({ guard }) => guard !== null);
  }

  thing(n: number | null): Thing | undefined {
    return this.history.things.find((thing) => thing.n === n);
  }

  /** The wish that makes a thing; undefined where it was there before. */
  makerOf(thing: number | null): Answer | undefined {
    return thing === null ? undefined : this.#makers.get(thing);
  }

  /** Where a thing is; undefined where it was never made. */
  pathOf(thing: number | null): string | undefined {
    const maker = this.makerOf(thing);
    if (maker === undefined) return this.thing(thing)?.path ?? undefined;
    return this.changesOf(maker.wish)[0]?.path;
  }

  /** What somebody else did to a thing that the wish could not know of, and has to mind: without a version, only that it is gone. */
  foreignSince(wish: Wish): readonly Change[] {
    const isGuarded = this.isGuarded(wish);
    const { thing, base } = wish;
    const maker = this.makerOf(thing);
    const from = base?.at ?? (maker === undefined ? 0 : (this.changesOf(maker.wish)[0]?.at ?? 0));
    const path = this.pathOf(thing);
    return this.changes.filter(
      (change) =>
        change.by === null && change.path === path && change.at >= from && (isGuarded || change.after === null),
    );
  }

  /** What is there at a place in the log. */
  stateAt(path: string | undefined, at: number): Fields | null {
    const last = this.changes.findLast((change) => change.path === path && change.at < at);
    if (last !== undefined) return last.after;
    return this.history.things.find((thing) => thing.path === path && thing.path !== null)?.fields ?? null;
  }

  /** What a wish is made on: what the app has read, or what the last own write before it left. */
  ownState(wish: Wish): Fields | null {
    const [first] = this.arrivalsOf(wish);
    const path = this.pathOf(wish.thing);
    const own = this.changes.findLast(
      ({ at, by, path: where }) => by !== null && by !== wish.n && where === path && at < (first?.at ?? 0),
    );
    return own === undefined || own.at < (wish.base?.at ?? 0) ? (wish.base?.fields ?? null) : own.after;
  }

  /** Answers with one record, in the order in which they were accepted. */
  get stored(): readonly (Answer & { readonly record: Report })[] {
    return this.history.answers
      .flatMap((answer) => answer.records.slice(0, 1).map((record) => ({ ...answer, record })))
      .sort((a, b) => a.record.seq - b.record.seq);
  }
}

function push<V>(map: Map<number, V[]>, key: number, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
