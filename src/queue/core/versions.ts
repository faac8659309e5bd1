import { headerValue } from '../strategies/headerValue.ts';
import { jsonOf } from '../strategies/json.ts';
import { valueAt } from '../strategies/jsonPointer.ts';
import { laneKey } from '../strategies/lane.ts';
import type { HttpResponse, Json } from '../types/request.ts';
import type { Context } from './context.ts';
import type { ResourceRules } from './resources.ts';

/** A version of a thing, and the thing as it was then. */
export interface Version {
  /** Null where the server told none: it has to be read. */
  readonly version: string | null;
  readonly snapshot: Json;
}

/** A change that met a conflict, and the thing as its author saw it from then on. */
interface Met {
  readonly by: string;
  readonly snapshot: Json;
}

/** What our last write of a thing left, and which versions it came from by our writes alone. */
interface Written extends Version {
  readonly from: readonly string[];
  readonly met?: Met;
  /** The request that wrote it. */
  readonly by?: string;
  /** What it was written on, where that was one of ours as well. */
  readonly on?: Version;
}

const KEEP_MS = 30 * 24 * 3_600_000;
const MOST_FROM = 50;

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
    const written = await this.#get(thing);
    if (written?.from.includes(version) !== true) return undefined;
    const { met, by, on } = written;
    // The process died before it was known that this very request wrote it: it is made anew as it was made.
    if (by === requestId) return on;
    return met === undefined || met.by === requestId ? written : { ...written, snapshot: met.snapshot };
  }

  /** A write turned one version into another. `by`: the request that did, where that is told before its settlement. */
  wrote(thing: string, before: string, after: Version, by?: string): Promise<void> {
    return this.#set(thing, before, after, by);
  }

  /**
   * A change that was made on a version met another one. Those behind it in its lane were made on both its version and the change, but not on
   * what the server had: they keep the version, so that they meet the server's too, and what they see as their own is not taken for a conflict.
   */
  met(thing: string, on: { readonly version: string; readonly snapshot: Json }, met: Met): Promise<void> {
    return this.#set(thing, on.version, { ...on, met });
  }

  /**
   * A write that was made on no version took the place of whatever was there. Those behind it in its lane were made on it as well, and on nothing else that
   * the server may have by then.
   */
  async wroteOver(thing: string, by: string, change: (snapshot: Json) => Json): Promise<void> {
    const known = await this.#get(thing);
    if (known === undefined || known.version === null) return;
    const { version, snapshot, met } = known;
    await this.met(thing, { version, snapshot }, { by, snapshot: change(met?.snapshot ?? snapshot) });
  }

  async #set(thing: string, before: string, after: Version & { readonly met?: Met }, by?: string): Promise<void> {
    const { backend, clock } = this.#context;
    const known = await this.#get(thing);
    const on = known?.version === before ? { version: known.version, snapshot: known.snapshot } : undefined;
    const earlier = on === undefined ? [] : (known?.from ?? []);
    const from = [...earlier.filter((version) => version !== before), before].slice(-MOST_FROM);
    const now = clock.now();
    const { version, snapshot, met } = after;
    const value: Json = {
      from,
      version,
      snapshot,
      ...(met !== undefined && { met: { ...met } }),
      ...(by !== undefined && { by }),
      ...(by !== undefined && on !== undefined && { on }),
    };
    await backend.shared.set({ key: keyOf(thing), value, expiresAt: now + KEEP_MS, now });
  }

  async #get(thing: string): Promise<Written | undefined> {
    const { backend, clock } = this.#context;
    const stored = await backend.shared.get({ key: keyOf(thing), now: clock.now() });
    return stored?.value as Written | undefined; // as written above
  }
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
