import { deepEqual } from '../strategies/deepEqual.ts';
import { jsonOf } from '../strategies/json.ts';
import { isJsonObject } from '../strategies/jsonValue.ts';
import { materialise, referencesIn } from '../strategies/localId.ts';
import { applyMergePatch } from '../strategies/mergePatch.ts';
import { showsFields } from '../strategies/sameFields.ts';
import type { HeaderList, HttpResponse, Json } from '../types/request.ts';
import type { Move, Settlement } from '../types/store.ts';
import type { Context } from './context.ts';
import type { Reader } from './reader.ts';
import type { ResourceRules, Resources } from './resources.ts';
import { senderOf } from './senders.ts';
import type { SentRequest } from './sentRequest.ts';
import { messageOf } from './tell.ts';
import type { Version, Versions } from './versions.ts';
import { thingAt, versionIn, versionOf, withKept } from './versions.ts';
import { versionsBehind } from './versionsBehind.ts';
import type { Zone } from './zone.ts';

/** How long what was just made may not be seen by every server of an API. */
const REPLICA_LAG_MS = 30_000;
const STALE_AFTER_MS = 300_000;
/** After which a process that has the credential of a request, but not the rules of its resource, looks again. */
const WITHOUT_RULES_MS = 5_000;

/** What is to be done with a claimed request that refers to others, or whose thing has versions. */
export type Prepared =
  | {
      readonly kind: 'send';
      readonly request: SentRequest;
      /** What it is frozen as from its first send on. */
      readonly patch?: Settlement['patch'];
      /** Epoch ms until which the thing may not be seen everywhere. */
      readonly freshUntil?: number | undefined;
    }
  | { readonly kind: 'unsent'; readonly next: Move }
  /** A look showed another version before anything was sent. */
  | { readonly kind: 'conflict'; readonly request: SentRequest; readonly remote: HttpResponse };

/**
 * Makes of a request what goes on the wire: local ids become server ids, and a change made on what our own writes have replaced since is
 * made on what they left. Done once, before the first send; the same bytes are sent ever after, unless a conflict changes them.
 */
export class Preparation {
  readonly #context: Context;
  readonly #resources: Resources;
  readonly #versions: Versions;
  readonly #reader: Reader;

  constructor(context: Context, resources: Resources, versions: Versions, reader: Reader) {
    this.#context = context;
    this.#resources = resources;
    this.#versions = versions;
    this.#reader = reader;
  }

  /** Whether there is anything to prepare: not so for nearly all. */
  isNeeded({ refs, intent }: SentRequest): boolean {
    return refs.length > 0 || intent?.resource !== undefined;
  }

  async prepare(given: SentRequest, zone: Zone): Promise<Prepared> {
    const named = await this.#named(given);
    if (named === undefined) return { kind: 'unsent', next: { state: 'held', reason: 'dependency' } };
    const { request, freshUntil } = named;
    const rules = this.#resources.of(request);
    if (rules === undefined && request.intent?.resource !== undefined) {
      // Its client was closed meanwhile: it waits for one that has the rules.
      zone.senders.delete(senderOf(request.client, request.intent.resource));
      const dueAt = this.#context.clock.now() + WITHOUT_RULES_MS;
      return { kind: 'unsent', next: { state: 'scheduled', reason: 'retry', dueAt } };
    }
    const isVersioned = rules?.version !== undefined && request.lane !== null && request.effect !== 'read';
    if (isVersioned && isOnNoVersion(request, rules)) await this.#noteBehind(request, rules);
    if (!isVersioned || wasSent(request)) {
      return { kind: 'send', request, freshUntil, patch: patchOf(given, request) };
    }
    const { present, seen } = await this.#onLatest(request, zone, rules);
    const remote = seen ?? (rules.version === 'etag' ? undefined : await this.#lookBefore(present, zone, rules));
    if (remote === 'unreadable') {
      const dueAt = this.#context.clock.now() + this.#context.config.retry.maxDelayMs / 4;
      return { kind: 'unsent', next: { state: 'scheduled', reason: 'retry', dueAt } };
    }
    if (remote !== undefined) return { kind: 'conflict', request: present, remote };
    return { kind: 'send', request: present, freshUntil, patch: patchOf(given, present) };
  }

  /** With server ids for local ones; undefined while one of them is not known. */
  async #named(request: SentRequest): Promise<{ request: SentRequest; freshUntil?: number | undefined } | undefined> {
    const { refs, content } = request;
    if (refs.length === 0) return { request };
    const localIds = [...new Set(refs.map(({ localId }) => localId))];
    const bindings = (await this.#context.backend.requests.bindings({ localIds })).filter((one) => one !== undefined);
    const serverIds = new Map(bindings.map(({ localId, serverId }) => [localId, serverId]));
    const named = materialise(content, refs, serverIds);
    if (referencesIn(named, []).some(({ localId }) => localIds.includes(localId))) return undefined;
    const freshUntil = Math.max(...bindings.map(({ boundAt }) => boundAt)) + REPLICA_LAG_MS;
    return { request: { ...request, content: named }, freshUntil };
  }

  /** It takes the place of whatever is there: who waits by now was made on something older, and on this as well. */
  async #noteBehind(request: SentRequest, rules: ResourceRules): Promise<void> {
    const behind = await versionsBehind(this.#context, { request, rules });
    if (behind.length === 0) return;
    try {
      await this.#versions.behind(thingAt(request.content.path, request), behind);
    } catch (error) {
      const { id, zone } = request;
      this.#context.logger.warn('what waits behind a change was not noted', { id, zone, error: messageOf(error) });
    }
  }

  /** On the version that our own writes made of the one it was made on; `seen` is what a look showed instead of that. */
  async #onLatest(request: SentRequest, zone: Zone, rules: ResourceRules): Promise<Latest> {
    const before = versionOf(request, rules);
    if (before === null) return { present: request };
    const thing = thingAt(request.content.path, request);
    const known = await this.#versions.since(thing, before, request.id);
    if (known === undefined) return { present: request };
    if (known.version !== null && known.isPartial !== true) return this.#onKept(request, zone, rules, known);
    // The server told no version of what we wrote, or not all of it: it is read once, and counts if nobody else changed anything.
    const answer = await this.#look(request, zone);
    if (answer === undefined) return { present: request, seen: 'unreadable' };
    if (answer.status < 200 || answer.status > 299) return { present: request };
    const found = versionIn(rules, answer);
    if (known.version !== null && known.version !== found.version) return { present: onVersion(request, rules, known) };
    if (!showsFields(found.snapshot, known.snapshot)) {
      return { present: { ...request, base: known.snapshot }, seen: answer };
    }
    if (found.version === null) return { present: request };
    await this.#versions.wrote(thing, before, found);
    return { present: onVersion(request, rules, found) };
  }

  /** On a version of which it may have to be read what the server kept, as the answer that would have shown it was lost. */
  async #onKept(request: SentRequest, zone: Zone, rules: ResourceRules, known: Version): Promise<Latest> {
    if (known.mayKeep === undefined) return { present: onVersion(request, rules, known) };
    const answer = await this.#look(request, zone);
    if (answer === undefined) return { present: request, seen: 'unreadable' };
    const isThere = answer.status >= 200 && answer.status <= 299;
    const shows = isThere ? versionIn(rules, answer).snapshot : null;
    const snapshot = withKept(known.snapshot, known.mayKeep, shows);
    return { present: onVersion(request, rules, { version: known.version, snapshot }) };
  }

  /** Where the API takes no precondition: what it has now, if that is another version than the change was made on. The window is not closed by it. */
  async #lookBefore(
    request: SentRequest,
    zone: Zone,
    rules: ResourceRules,
  ): Promise<HttpResponse | 'unreadable' | undefined> {
    const expected = versionOf(request, rules);
    const ageMs = this.#context.clock.now() - request.acceptedAt;
    if (expected === null || request.effect === 'create' || ageMs < (rules.staleAfterMs ?? STALE_AFTER_MS)) {
      return undefined;
    }
    const answer = await this.#look(request, zone);
    if (answer === undefined) return 'unreadable';
    if (answer.status === 404 || answer.status === 410) return answer;
    if (answer.status < 200 || answer.status > 299) return 'unreadable';
    return versionIn(rules, answer).version === expected ? undefined : answer;
  }

  async #look(request: SentRequest, zone: Zone): Promise<HttpResponse | undefined> {
    try {
      return await this.#reader.read(request, zone, { method: 'GET', path: request.content.path });
    } catch (error) {
      const { id } = request;
      this.#context.logger.warn('a look before a change failed', { id, zone: zone.name, error: messageOf(error) });
      return undefined;
    }
  }
}

interface Latest {
  readonly present: SentRequest;
  readonly seen?: HttpResponse | 'unreadable' | undefined;
}

function onVersion(request: SentRequest, rules: ResourceRules, { version, snapshot }: Version): SentRequest {
  const base = snapshot === null ? request.base : snapshot;
  if (rules.version !== 'etag' || version === null) return { ...request, base };
  const headers: HeaderList = [
    ...request.content.headers.filter(([name]) => name !== 'if-match'),
    ['if-match', version],
  ];
  return { ...request, base, content: { ...request.content, headers } };
}

/**
 * An attempt that is on record reached the server: what it sent stays as it was stored with it. One that was lost with its process left no
 * record; made anew, it comes to the same, as nobody went on in the lane meanwhile.
 */
function wasSent({ progress }: SentRequest): boolean {
  return progress.attempts.some(({ phase }) => phase !== 'notSent');
}

/** A change of what is there, whichever it is, that was certainly never made. */
function isOnNoVersion(request: SentRequest, rules: ResourceRules): boolean {
  const { effect, progress } = request;
  return effect !== 'create' && effect !== 'delete' && !progress.unresolved && versionOf(request, rules) === null;
}

function patchOf(before: SentRequest, after: SentRequest): Settlement['patch'] {
  if (before.content === after.content && before.base === after.base) return undefined;
  return { content: after.content, base: after.base };
}

/**
 * What a thing is after a write, where the answer does not show it. A server has more than a PUT sends: what it `shows` afterwards as it was in the base, it
 * keeps itself.
 */
export function stateAfter(request: SentRequest, shows: Json = null): Json {
  const sent = jsonOf(request.content.body) ?? null;
  const { base } = request;
  if (!isJsonObject(base) || !isJsonObject(sent)) return sent;
  if (request.content.method !== 'PUT') return applyMergePatch(base, sent);
  const kept = Object.entries(base).filter(
    ([field, value]) => isJsonObject(shows) && deepEqual(value, shows[field] ?? null),
  );
  return { ...Object.fromEntries(kept), ...sent };
}

/**
 * What a write makes of the thing as those see it who were made on another version than it: what it changed itself, but not what it took over from
 * the server, which they have to meet.
 */
export function changeOn(request: SentRequest, snapshot: Json, shows: Json = null): Json {
  const sent = jsonOf(request.content.body) ?? null;
  const { base } = request;
  const isWhole = request.content.method === 'PUT';
  if (!isWhole || !isJsonObject(base) || !isJsonObject(sent) || !isJsonObject(snapshot)) {
    return stateAfter({ ...request, base: snapshot }, shows);
  }
  const isRemoved = (field: string): boolean =>
    Object.hasOwn(base, field) && !Object.hasOwn(sent, field) && isJsonObject(shows) && !Object.hasOwn(shows, field);
  const left = Object.entries(snapshot).filter(([field]) => !isRemoved(field));
  const changed = Object.entries(sent).filter(([field, value]) => !deepEqual(value, base[field] ?? null));
  return { ...Object.fromEntries(left), ...Object.fromEntries(changed) };
}
