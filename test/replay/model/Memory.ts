import { parseLocalId } from '../../../src/queue/strategies/localId.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { Fields, Thing, Wish } from './history.ts';
import { MARK, STAMP } from './rules.ts';
import type { Site } from './Site.ts';
import type { Ask, Kind, Scenario } from './scenario.ts';

/** What the app knows of a thing. */
export interface Known {
  readonly thing: Thing;
  readonly collection: string;
  readonly localId: string | undefined;
  serverId: string | number | undefined;
  /** As it was last read; undefined where it never was. */
  copy: { readonly fields: Fields; readonly etag: string | undefined; readonly at: number } | undefined;
  /** As it will be once everything asked for is done. */
  view: Fields;
  isRemoved: boolean;
}

/** A call as the app makes it. */
export interface Asking {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: Fields | undefined;
  readonly contentType?: string | undefined;
  readonly lane?: string | undefined;
  readonly localId?: string | undefined;
  readonly base?: Fields | undefined;
  readonly etag?: string | undefined;
}

type Plan = Pick<Wish, 'kind' | 'thing' | 'refersTo' | 'isInLane' | 'fields' | 'base'>;

const SLOTS = 4;
const MAKES_ANEW: ReadonlySet<Kind> = new Set(['patch', 'amend', 'delete']);
const MERGE_PATCH = 'application/merge-patch+json';

/** The things of an app, kept by the app itself, so that they outlive a crash; and what a wish means by them. */
export class Memory {
  readonly things: Thing[] = [];
  readonly #known: Known[] = [];
  readonly #slots: (Known | undefined)[] = [];
  readonly #scenario: Scenario;
  readonly #newLocalId: (type: string) => string;

  constructor(scenario: Scenario, site: Site, newLocalId: (type: string) => string) {
    this.#scenario = scenario;
    this.#newLocalId = newLocalId;
    for (let n = 0; n < scenario.things; n += 1) {
      const path = `/tickets/${n + 1}`;
      const fields = { title: `t${n}`, color: `c${n}`, size: `s${n}` };
      site.put(path, fields);
      const copy = { fields, etag: site.etagAt(path), at: 0 };
      this.#slots[n] = this.#add({ path, fields }, { collection: '/tickets', serverId: n + 1, copy, view: fields });
    }
  }

  at(slot: number): Known | undefined {
    return this.#slots[slot];
  }

  of(thing: number | null): Known | undefined {
    return this.#known.find((known) => known.thing.n === thing);
  }

  /** Whose id of the server the app does not know yet. */
  get unbound(): readonly Known[] {
    return this.#known.filter(({ localId, serverId }) => localId !== undefined && serverId === undefined);
  }

  bound(localId: string, serverId: string | number): void {
    for (const known of this.#known) if (known.localId === localId) known.serverId ??= serverId;
  }

  /** What is to be asked for as wish `n`. The app remembers it as if it were done. */
  plan(n: number, ask: Ask): { readonly plan: Plan; readonly asking: Asking } {
    const known = this.#slots[ask.slot];
    const isThere = known !== undefined && !known.isRemoved;
    const { kind } = ask;
    if (kind === 'act' && (ask.place === 'none' || !isThere)) return this.#post(n, ask, '/acts', 'act', undefined);
    if (kind === 'create' || known === undefined || (!isThere && (MAKES_ANEW.has(kind) || kind === 'child'))) {
      return this.#create(n, ask);
    }
    if (!isThere && this.#isConditional) return this.#create(n, ask);
    switch (kind) {
      case 'act':
        return this.#post(n, ask, '/acts', 'act', known);
      case 'child':
        return this.#post(n, ask, '/notes', 'child', known);
      case 'delete':
        return this.#delete(known, ask);
      case 'replace':
        return this.#replace(n, known, ask);
      default:
        return this.#patch(n, known, ask);
    }
  }

  get #isConditional(): boolean {
    return this.#scenario.flavour === 'conditional';
  }

  #create(n: number, ask: Ask) {
    const fields = { ...set({}, n, ask), [MARK]: `w${n}` };
    const plan = { kind: 'create', refersTo: null, isInLane: true, base: null } as const;
    if (ask.kind === 'create' && !ask.isNamed) {
      return { plan: { ...plan, thing: null, isInLane: false, fields }, asking: posting('/tickets', fields) };
    }
    return this.#named('ticket', '/tickets', ask.slot, fields, plan);
  }

  /** With a local id, by which others can refer to it. */
  #named(
    type: string,
    collection: string,
    slot: number,
    given: Fields,
    plan: Omit<Plan, 'thing' | 'fields'>,
    sent = given,
  ) {
    const localId = this.#newLocalId(type);
    const stamp = { [STAMP]: parseLocalId(localId)?.requestId ?? '' };
    const fields = { ...given, ...stamp };
    const known = this.#add({ path: null, fields: null }, { collection, localId, view: fields });
    this.#slots[slot] = known;
    const asking = { ...posting(collection, { ...sent, ...stamp }), localId };
    return { plan: { ...plan, thing: known.thing.n, fields }, asking };
  }

  #post(n: number, ask: Ask, collection: string, kind: 'act' | 'child', known: Known | undefined) {
    const fields = { ...set({}, n, ask), [MARK]: `w${n}` };
    const plan = { kind, thing: null, refersTo: known?.thing.n ?? null, isInLane: false, fields, base: null };
    if (known === undefined) return { plan, asking: posting(collection, fields) };
    if (ask.place !== 'path') {
      const sent = { ...fields, ticket: idOf(known, ask.byServerId) };
      const slot = (ask.slot + 1) % SLOTS;
      const isFree = this.#slots[slot] === undefined || this.#slots[slot].isRemoved;
      if (kind === 'child' && ask.isNamed && isFree) {
        return this.#named('note', collection, slot, fields, { ...plan, isInLane: true }, sent);
      }
      return { plan, asking: posting(collection, sent) };
    }
    const asking = posting(`${pathOf(known, ask.byServerId)}${collection}`, fields);
    // By its local id a lane is named only as long as that is not bound, which the app cannot know.
    if (kind !== 'act' || !ask.byServerId || known.serverId === undefined) return { plan, asking };
    const lane = pathOf(known, true);
    return { plan: { ...plan, thing: known.thing.n, isInLane: true }, asking: { ...asking, lane } };
  }

  #patch(n: number, known: Known, ask: Ask) {
    const fields = set({}, n, ask, true);
    const { view } = known;
    known.view = patched(view, fields);
    const contentType = ask.kind === 'amend' && !this.#isConditional ? 'application/json' : MERGE_PATCH;
    const asking = { ...this.#to(known, ask, view), method: 'PATCH', body: fields, contentType } as const;
    return { plan: this.#planFor(known, ask.kind, fields), asking };
  }

  #replace(n: number, known: Known, ask: Ask) {
    const { view } = known;
    const fields = set(view, n, ask);
    known.view = fields;
    known.isRemoved = false;
    return {
      plan: this.#planFor(known, 'replace', fields),
      asking: { ...this.#to(known, ask, view), method: 'PUT', body: fields } as const,
    };
  }

  #delete(known: Known, ask: Ask) {
    known.isRemoved = true;
    return {
      plan: this.#planFor(known, 'delete', {}),
      asking: { ...this.#to(known, ask, known.view), method: 'DELETE' } as const,
    };
  }

  #planFor(known: Known, kind: Kind, fields: Fields): Plan {
    const base = known.copy === undefined ? null : { fields: known.copy.fields, at: known.copy.at };
    return { kind, thing: known.thing.n, refersTo: null, isInLane: true, fields, base };
  }

  /** Based on what was read, where others change things too; else on what the app made of it itself. */
  #to(known: Known, { byServerId }: Ask, view: Fields): Pick<Asking, 'path' | 'base' | 'etag'> {
    const path = pathOf(known, byServerId);
    if (!this.#isConditional) return { path, base: view };
    const { copy, serverId } = known;
    return copy === undefined ? { path } : { path, base: { id: serverId ?? null, ...copy.fields }, etag: copy.etag };
  }

  #add(
    { path, fields }: Pick<Thing, 'path' | 'fields'>,
    known: Pick<Known, 'collection' | 'view'> & Partial<Known>,
  ): Known {
    const thing = { n: this.things.length, path, fields };
    const whole: Known = {
      localId: undefined,
      serverId: undefined,
      copy: undefined,
      isRemoved: false,
      ...known,
      thing,
    };
    this.things.push(thing);
    this.#known.push(whole);
    return whole;
  }
}

/** Where a thing is; by its local id where the app does not know better, or does not want to. */
export function pathOf(known: Known, byServerId: boolean): string {
  return `${known.collection}/${idOf(known, byServerId)}`;
}

function idOf({ localId, serverId }: Known, byServerId: boolean): string | number {
  return (byServerId ? serverId : localId) ?? serverId ?? localId ?? '';
}

function posting(path: string, body: Fields): Asking {
  return { method: 'POST', path, body };
}

/** `fields` with one more; none where that is nothing, unless it is to be removed. */
function set(fields: Fields, n: number, { field, value }: Ask, isPatch = false): Fields {
  const { [field]: _, ...others } = fields;
  if (value === 'nothing') return isPatch ? { ...fields, [field]: null } : others;
  const given: Json = value ?? `w${n}`;
  return { ...fields, [field]: given };
}

/** What a merge patch makes of a thing. */
export function patched(fields: Fields, patch: Fields): Fields {
  return Object.fromEntries(Object.entries({ ...fields, ...patch }).filter(([, value]) => value !== null));
}
