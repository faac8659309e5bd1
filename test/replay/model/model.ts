import type { Json } from '../../../src/queue/types/request.ts';
import type { Fields, Wish } from './history.ts';
import { patched } from './Memory.ts';
import { MERGED_FIELDS } from './rules.ts';
import type { Change, Trace } from './Trace.ts';

/** What the server has in the end, where what took effect was done one after another. */
export interface Outcome {
  readonly states: ReadonlyMap<string, Fields>;
  /** What was done otherwise than it was meant. */
  readonly wrong: readonly { readonly wish: Wish; readonly says: string }[];
}

/** The sequential model: plays what took effect in the order of acceptance, and what others did where they did it. */
export class Model {
  readonly #trace: Trace;
  readonly #states = new Map<string, Fields>();
  /** By whom each field was changed last. */
  readonly #writers = new Map<string, Change>();
  readonly #wrong: { wish: Wish; says: string }[] = [];
  readonly #foreign: readonly Change[];
  readonly #done = new Set<Change>();

  constructor(trace: Trace) {
    this.#trace = trace;
    this.#foreign = trace.changes.filter(({ by }) => by === null);
    for (const { path, fields } of trace.history.things) {
      if (path !== null && fields !== null) this.#states.set(path, fields);
    }
  }

  play(): Outcome {
    for (const { wish } of this.#trace.stored) {
      // One that was sent again on top of what others did counts from there.
      const change = this.#trace.changesOf(wish).at(-1);
      if (change === undefined) continue;
      this.#others(({ path, at }) => path === change.path && at < change.at);
      this.#apply(wish, change);
    }
    this.#others(() => true);
    return { states: this.#states, wrong: this.#wrong };
  }

  /** Lanes do not wait for each other: what others did to one thing has its place among the writes of that one. */
  #others(isMeant: (change: Change) => boolean): void {
    for (const change of this.#foreign) {
      if (this.#done.has(change) || !isMeant(change)) continue;
      this.#done.add(change);
      this.#put(change, this.#made(change));
    }
  }

  /** What others changed, on top of what the model has: a wish whose place is later may have been done before, too. */
  #made({ path, before, after }: Change): Fields | null {
    if (after === null) return null;
    const fields = new Map(Object.entries(this.#states.get(path) ?? {}));
    for (const field of fieldsOf(before, after)) {
      if (same(before?.[field], after[field])) continue;
      if (Object.hasOwn(after, field)) fields.set(field, after[field] ?? null);
      else fields.delete(field);
    }
    return Object.fromEntries(fields);
  }

  #apply(wish: Wish, change: Change): void {
    const { path, after: found } = change;
    const mine = this.#meant(wish, change);
    if (mine === null || found === null) {
      if (mine !== found) this.#isWrong(wish, path, found, [mine]);
      this.#put(change, mine);
      return;
    }
    const before = this.#states.get(path);
    const after: Record<string, Json> = {};
    for (const field of fieldsOf(before, mine, found)) {
      const allowed = this.#allowed(wish, change, field, mine[field]);
      if (!allowed.some((value) => same(value, found[field]))) {
        this.#isWrong(wish, `${path} ${field}`, found[field], allowed);
      }
      const value = allowed.find((one) => same(one, found[field])) ?? allowed[0];
      if (value !== undefined) after[field] = value;
    }
    this.#put(change, after);
  }

  /** What the wish makes of a thing that nobody else changed; null: nothing is left. */
  #meant(wish: Wish, { path, after }: Change): Fields | null {
    switch (wish.kind) {
      case 'delete':
        return null;
      case 'patch':
      case 'amend':
        return patched(this.#states.get(path) ?? {}, wish.fields);
      case 'replace':
        return wish.fields;
      case 'create':
      case 'child':
      case 'act': {
        const { ticket: named } = after ?? {};
        if (named === undefined) return wish.fields;
        const id = this.#trace.pathOf(wish.refersTo)?.split('/').at(-1) ?? '';
        // Where the body of the answer was lost, the id is that of its `Location`: a text.
        return { ...wish.fields, ticket: named === id ? id : Number(id) };
      }
      default:
        return wish.kind satisfies never;
    }
  }

  /**
   * What a field may be afterwards: what the wish makes of it, but where somebody else changed it, as the wish could not know, what the rules of the
   * resource say. A whole that sets a field to what it was does not change it.
   */
  #allowed(wish: Wish, { path }: Change, field: string, mine: Json | undefined): (Json | undefined)[] {
    // What is gone and may be made anew is whole again.
    if (!this.#states.has(path)) return [mine];
    const writer = this.#writers.get(`${path} ${field}`);
    const theirs = this.#states.get(path)?.[field];
    if (writer?.by !== null || !this.#trace.foreignSince(wish).some((change) => change.at === writer.at)) return [mine];
    const isOurs = Object.entries(MERGED_FIELDS).some(([name, side]) => name === field && side === 'local');
    return isOurs ? [mine, theirs] : [theirs];
  }

  #put(change: Change, after: Fields | null): void {
    const { path } = change;
    const before = this.#states.get(path);
    for (const field of fieldsOf(before, after)) {
      if (!same(before?.[field], after?.[field])) this.#writers.set(`${path} ${field}`, change);
    }
    if (after === null) this.#states.delete(path);
    else this.#states.set(path, after);
  }

  #isWrong(wish: Wish, what: string, found: Json | undefined, allowed: readonly (Json | undefined)[]): void {
    const options = allowed.map((value) => JSON.stringify(value)).join(' or ');
    this.#wrong.push({ wish, says: `${what} became ${JSON.stringify(found)}, not ${options}` });
  }
}

export function same(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function sameFields(a: Fields | undefined, b: Fields | undefined): boolean {
  return (a === undefined) === (b === undefined) && [...fieldsOf(a, b)].every((field) => same(a?.[field], b?.[field]));
}

function fieldsOf(...all: readonly (Fields | null | undefined)[]): Set<string> {
  return new Set(all.flatMap((fields) => Object.keys(fields ?? {})));
}
