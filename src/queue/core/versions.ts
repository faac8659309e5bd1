import { deepEqual } from '../strategies/deepEqual.ts';
import { headerValue } from '../strategies/headerValue.ts';
import { jsonOf } from '../strategies/json.ts';
import { valueAt } from '../strategies/jsonPointer.ts';
import type { JsonObject } from '../strategies/jsonValue.ts';
import { isJsonObject } from '../strategies/jsonValue.ts';
import { laneKey } from '../strategies/lane.ts';
import type { HttpResponse, Json, Reference } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Context } from './context.ts';
import type { ResourceRules } from './resources.ts';
import type { SentRequest } from './sentRequest.ts';

/** A version of a thing, and the thing as it was then. */
export interface Version {
  /** Null where the server told none: it has to be read. */
  readonly version: string | null;
  readonly snapshot: Json;
  /** The snapshot has no more than what a change of it sent: the rest has to be read. */
  readonly isPartial?: true | undefined;
  /** What the server may have kept beside the snapshot: a look tells, by showing it as it was. */
  readonly mayKeep?: Json | undefined;
}

/** A change that met a conflict, and the thing as its author saw it from then on, and before. */
interface Met {
  readonly by: string;
  readonly snapshot: Json;
  readonly base: Json;
  /** What stood there before a whole took its place, of which no answer showed what the server kept. */
  readonly mayKeep?: Json | undefined;
}

/** Own writes of a thing in a row: what the last one left, and which versions that came from by our writes alone. */
interface Row extends Version {
  readonly from: readonly string[];
  readonly met?: Met;
  /** The request that wrote it. */
  readonly by?: string;
  /** What it was written on, where that was one of ours as well. */
  readonly on?: Version | undefined;
}

/** A write of ours: its request, and what it makes of a thing. */
export interface OwnWrite {
  readonly by: string;
  readonly change: (snapshot: Json) => Json;
  /** What the server showed of the thing afterwards. */
  readonly shows?: Json | undefined;
  /** It took the place of a whole thing, and no answer showed what of that is left. */
  readonly isUnseen?: boolean | undefined;
}

const KEEP_MS = 30 * 24 * 3_600_000;
const MOST_FROM = 50;
/** Rows of one thing, each on another version of somebody else. */
const MOST_ROWS = 8;

/**
 * The versions that our own writes led from and to, by thing, shared by all processes. A change that waited behind another one was made on
 * what that one has replaced meanwhile; here it learns what became of it, so that a lane is never in conflict with itself. Written
 * before the settlement of the write, so that whoever goes on in the lane finds it.
 */
export class Versions {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** What a version has become by our own writes, for a request; undefined where it was not written by us since. */
  async since(thing: string, version: string, requestId: string): Promise<Version | undefined> {
    const rows = await this.#get(thing);
    const row = rows.findLast(({ from }) => from.includes(version));
    // The process died before it was known that this very request wrote it: it is made anew as it was made.
    if (row === undefined || row.by === requestId) return row?.on;
    const { met } = row;
    if (met === undefined || met.by === requestId) return row;
    if (await this.#wasGivenUp(met.by)) return { ...row, snapshot: met.base };
    return { ...row, snapshot: met.snapshot, mayKeep: met.mayKeep };
  }

  /** Those behind a change go on once it has ended, and it may never have been made. */
  async #wasGivenUp(requestId: string): Promise<boolean> {
    const [record] = await this.#context.backend.requests.get({ ids: [requestId] });
    return record !== undefined && isTerminal(record.state) && record.state !== 'succeeded';
  }

  /** A write turned one version into another. `own`: the write, where it is told before its settlement. */
  async wrote(thing: string, before: string, after: Version, own?: OwnWrite): Promise<void> {
    const rows = await this.#get(thing);
    const earlier = rows.findLast(({ version }) => version === before);
    const on = earlier === undefined ? undefined : { version: earlier.version, snapshot: earlier.snapshot };
    const row = { ...after, from: fromOf(earlier, before), ...(own !== undefined && { by: own.by, on }) };
    const others = rows.filter((one) => one !== earlier);
    await this.#set(thing, [...(own === undefined ? others : others.map((other) => writtenOver(other, own))), row]);
  }

  /**
   * A change that was made on a version met another one. Those behind it in its lane were made on both its version and the change, but not on
   * what the server had: they keep the version, so that they meet the server's too, and what they see as their own is not taken for a conflict.
   * `behind`: versions that those were made on which wait by now, where it is to be made again. Somebody else may have left them between its version
   * and the one it met; the write that is still to come stands on top of all of them.
   */
  async met(
    thing: string,
    on: { readonly version: string; readonly snapshot: Json },
    met: Met,
    behind: readonly Version[] = [],
  ): Promise<void> {
    const rows = await this.#get(thing);
    const earlier = rows.findLast(({ version }) => version === on.version);
    const row = { ...on, from: fromOf(earlier, on.version), met };
    const others = rows.filter((one) => one !== earlier);
    await this.#set(thing, [...unknownOf(behind, [...others, row]), ...others, row]);
  }

  /** Versions that those were made on which wait behind a write that is to be made on none, and is no part of them. */
  async behind(thing: string, versions: readonly Version[]): Promise<void> {
    const rows = await this.#get(thing);
    const unknown = unknownOf(versions, rows);
    if (unknown.length > 0) await this.#set(thing, [...unknown, ...rows]);
  }

  /**
   * A write that was made on no version took the place of whatever was there. Those behind it in its lane were made on it as well. `after`: what it left,
   * where the answer showed it, for those who were made on that.
   */
  async wroteOver(thing: string, own: OwnWrite, after?: Version): Promise<void> {
    const rows = (await this.#get(thing)).map((row) => writtenOver(row, own));
    const left = after === undefined || after.version === null ? [] : [{ ...after, from: [] }];
    if (rows.length + left.length > 0) await this.#set(thing, [...rows, ...left]);
  }

  async #set(thing: string, rows: readonly Row[]): Promise<void> {
    const { backend, clock } = this.#context;
    const now = clock.now();
    const value = JSON.parse(JSON.stringify(rows.slice(-MOST_ROWS))) as Json; // without what is undefined
    await backend.shared.set({ key: keyOf(thing), value, expiresAt: now + KEEP_MS, now });
  }

  async #get(thing: string): Promise<readonly Row[]> {
    const { backend, clock } = this.#context;
    const stored = await backend.shared.get({ key: keyOf(thing), now: clock.now() });
    return (stored?.value ?? []) as unknown as readonly Row[]; // as written above
  }
}

/** Who stands on that row stands on the write as well, and on nothing else that the server may have by then. */
function writtenOver(row: Row, { by, change, shows, isUnseen }: OwnWrite): Row {
  const { version, snapshot, isPartial, met } = row;
  if (version === null) return row;
  if (met?.by === by) return { ...row, met: { ...met, snapshot: withKept(met.snapshot, met.base, shows) } };
  const base = met?.snapshot ?? snapshot;
  const before = met?.mayKeep;
  const mayKeep = isUnseen === true && isJsonObject(base) ? { ...(isJsonObject(before) && before), ...base } : before;
  const now: Met = { by, base, snapshot: change(base), mayKeep };
  return { version, snapshot, isPartial, from: fromOf(row, version), met: now };
}

/** A server has more than a PUT sends: what it shows afterwards as it was `before`, it keeps itself. */
export function withKept(snapshot: Json, before: Json | undefined, shows: Json | undefined): Json {
  if (!isJsonObject(before ?? null) || !isJsonObject(snapshot) || !isJsonObject(shows ?? null)) return snapshot;
  const shown = shows as JsonObject; // both were looked at just now
  const kept = Object.entries(before as JsonObject).filter(
    ([field, value]) => Object.hasOwn(shown, field) && deepEqual(value, shown[field] ?? null),
  );
  return { ...Object.fromEntries(kept), ...snapshot };
}

/** Those that no row tells of. What a version was, all have to agree on who were made on it. */
function unknownOf(versions: readonly Version[], rows: readonly Row[]): Row[] {
  const found: Row[] = [];
  for (const { version, snapshot } of versions) {
    if (version === null || [...rows, ...found].some(({ from }) => from.includes(version))) continue;
    const isAgreed = versions.every((one) => one.version !== version || deepEqual(one.snapshot, snapshot));
    if (isAgreed) found.push({ version, snapshot, from: [version] });
  }
  return found;
}

function fromOf(row: Row | undefined, version: string): readonly string[] {
  const earlier = row?.from.filter((one) => one !== version) ?? [];
  return [...earlier, version].slice(-MOST_FROM);
}

/** Which thing stands at a path, for a principal: whatever lane its changes are in. */
export function thingAt(path: string, of: { readonly principal: string; readonly zone: string }): string {
  return laneKey({ principal: of.principal, zone: of.zone, lane: path.replace(/\?.*$/s, '') });
}

function keyOf(thing: string): string {
  return `version:${thing}`;
}

/** Version and state of a thing as an answer shows it. */
export function versionIn({ version }: ResourceRules, response: Pick<HttpResponse, 'headers' | 'body'>): Version {
  const snapshot = jsonOf(response.body) ?? null;
  if (version === 'etag') return { version: headerValue(response.headers, 'etag') ?? null, snapshot };
  return { version: version === undefined ? null : fieldVersion(version, snapshot), snapshot };
}

/** The version that a thing bears in a field of its own, as text. */
export function fieldVersion(pointer: string, snapshot: Json): string | null {
  const value = valueAt(snapshot, pointer);
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** By which a change of something that was not made yet knows it: the version is told once it is. */
export function versionOfLocal(localId: string): string {
  return `local:${localId}`;
}

/** The version a change was made on, as far as it says; null where it does not. */
export function versionOf(request: SentRequest, { version }: ResourceRules): string | null {
  const own =
    version === 'etag'
      ? (headerValue(request.content.headers, 'if-match') ?? null)
      : version === undefined
        ? null
        : fieldVersion(version, request.base);
  if (own !== null) return own;
  const entity = entityRef(request.refs);
  return entity === undefined ? null : versionOfLocal(entity.localId);
}

function entityRef(refs: readonly Reference[]): Reference | undefined {
  return refs.filter(({ at }) => at === '/path').at(-1);
}
