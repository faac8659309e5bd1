import type { HoldfastError } from '../../errors.ts';
import { inferEffect, isHarmless } from '../strategies/effect.ts';
import { canonicalContent, digestOf } from '../strategies/fingerprint.ts';
import type { HeaderRules } from '../strategies/headers.ts';
import { defaultLane, laneKey } from '../strategies/lane.ts';
import { entityOf, mayRefer, parseLocalId } from '../strategies/localId.ts';
import type { ClientBinding, RequestInput, RequestOptions } from '../types/calls.ts';
import type { FetchCall } from '../types/fetch.ts';
import type { Effect, Firing, HeaderList, JoinRule, NewRequest } from '../types/request.ts';
import { fill } from './ambient.ts';
import type { EncodedBody } from './body.ts';
import { encodeBody, ofBytes } from './body.ts';
import { checkInput, validCall, withContentType } from './checkCall.ts';
import type { Context } from './context.ts';
import { requestPart, ruleFor } from './fetchSettings.ts';
import type { Channel } from './gates/Channel.ts';
import { headerOf, listHeaders } from './headerList.ts';
import type { Identities } from './identify.ts';
import type { Replay } from './intents.ts';
import { declared } from './intents.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { Offered } from './offeredCredential.ts';
import { offeredCredential } from './offeredCredential.ts';
import type { References } from './references.ts';
import { findReferences } from './references.ts';
import type { Repetition } from './repetitions.ts';
import { repetitionOf } from './repetitions.ts';
import type { Resources } from './resources.ts';
import { squashed } from './squashing.ts';
import type { Target } from './target.ts';
import { parseTarget } from './target.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** One call on its way in. */
export interface Admission {
  readonly id: string;
  readonly input: RequestInput;
  readonly options: RequestOptions;
  readonly client: ClientBinding | undefined;
  /** The request is kept whatever becomes of its caller (`enqueue`). */
  readonly durable: boolean;
  /** Set on a call of `fetch`. */
  readonly fetch?: FetchCall | undefined;
  /** Set when it replays a dead letter. */
  readonly replay?: Replay | undefined;
  /** Set when it is a firing of a schedule. */
  readonly fires?: Firing | undefined;
}

/** A call that passed validation: what will be stored, and what must not be. */
export interface Admitted {
  readonly request: NewRequest;
  readonly zone: Zone;
  /** What it waits in, and whose gates it goes through. */
  readonly channel: Channel;
  readonly secret: LiveSecret | null;
  /** Headers that differ on each attempt by nature: sent while this process lives, never stored. */
  readonly volatile: HeaderList;
  /** Own principal of the provider's credential, to be paired with the one the call named; else null. */
  readonly vouchesFor: string | null;
  /** Version of the provider's credential it was accepted under, or null. */
  readonly credentialVersion: number | null;
  /** Zone and path without query: what a write changes and a read shows. */
  readonly place: string;
  /** Whether it may join what is there. */
  readonly mayJoin: boolean;
  /** By what an identical read of this process may be joined, or null. */
  readonly readDigest: string | null;
  /** What to store where the request that `replaces` names cannot be replaced any more. */
  readonly otherwise?: NewRequest | undefined;
  /** What it repeats: nothing new is stored. */
  readonly repeats?: Repetition | undefined;
  /** Why it cannot be accepted, unless calls before it change that. */
  readonly refusal?: HoldfastError | undefined;
}

/** Parts of admission that are made once per queue. */
export interface AdmissionRules {
  channelOf(zone: Zone, request: Pick<NewRequest, 'content' | 'effect' | 'priority'>): Channel;
  headersOf(zone: Zone): HeaderRules;
  /** Hashes canonical content into a fingerprint. */
  readonly hash: (content: string | Uint8Array) => string;
  readonly identities: Identities;
  readonly resources: Resources;
}

const NONE: readonly never[] = Object.freeze([]);

/**
 * The first stage: turns what a caller gave into a request that can be stored, or says everything that is wrong with
 * it. Synchronous wherever its parts are; only async bodies and async credentials need a promise.
 */
export function admit(
  asked: Admission,
  context: Context,
  zones: Zones,
  rules: AdmissionRules,
): Admitted | Promise<Admitted> {
  checkInput(asked.input);
  const target = parseTarget(asked.input, asked.options, zones);
  const admission = target.zone.policy.rules.length === 0 ? asked : ruled(asked, target);
  const body = admission.fetch?.body?.then((bytes) => ofBytes(bytes, null)) ?? encodeBody(admission.input.body);
  // Whose a replay is stands in its dead letter: no provider is asked.
  const isReplay = admission.replay !== undefined;
  const provider = isReplay ? undefined : (admission.client?.auth ?? target.zone.policy.auth);
  const offered = offeredCredential(provider, rules.identities.isDeclared(admission.client), context);
  const { resource, localId, lane } = admission.options;
  const isEntity = !isReplay && (resource !== undefined || localId !== undefined || parseLocalId(lane) !== undefined);
  if (body instanceof Promise || offered instanceof Promise || isEntity || mayRefer(target.path, body.body)) {
    return admitLater(admission, target, body, offered, context, rules);
  }
  return build(admission, target, body, offered, undefined, context, rules);
}

/** The way of calls that have something to wait for, or to look up in the store. */
async function admitLater(
  admission: Admission,
  target: Target,
  body: EncodedBody | Promise<EncodedBody>,
  offered: Offered | undefined | Promise<Offered | undefined>,
  context: Context,
  rules: AdmissionRules,
): Promise<Admitted> {
  const [encoded, settled] = await Promise.all([body, offered]);
  let references: References | undefined;
  const { replay, options } = admission;
  const { requests } = context.backend;
  if (replay === undefined && (mayRefer(target.path, encoded.body) || parseLocalId(options.lane) !== undefined)) {
    const headers = withContentType(listHeaders(admission.input.headers, []), encoded.contentType);
    references = await findReferences(context, { path: target.path, headers, body: encoded.body }, options);
  }
  const admitted = build(admission, target, encoded, settled, references, context, rules);
  // A replay is what was sent before, as it was.
  if (replay !== undefined) return admitted;
  const repetition = options.localId === undefined ? {} : await repetitionOf(requests, admitted.request);
  if (repetition.repeats !== undefined || repetition.refusal !== undefined) return { ...admitted, ...repetition };
  return { ...admitted, ...(await squashed(admitted.request, requests, rules.resources)) };
}

function build(
  admission: Admission,
  target: Target,
  given: EncodedBody,
  offered: Offered | undefined,
  references: References | undefined,
  context: Context,
  rules: AdmissionRules,
): Admitted {
  const { options, durable } = admission;
  const encoded = references === undefined ? given : { ...given, body: references.content.body };
  const { zone, method } = target;
  const { config } = context;
  const headerRules = rules.headersOf(zone);
  const { listed, priority, notBefore, deadline } = validCall(admission, encoded, config.maxBytes);
  const { stored, secret, volatile } = headerRules.splitHeaders(listed);
  const { path, secretQuery } = headerRules.splitQuery(references?.content.path ?? target.path);
  const now = context.clock.now();
  const terms = admission.fetch?.terms ?? admission.replay?.fetch;
  const headers = terms === undefined ? stored : withEncodings(stored, listed);
  const content = { method, path, headers, body: encoded.body, ...(terms !== undefined && { fetch: terms }) };
  const isEntity = options.localId !== undefined || options.yields !== undefined;
  const effect = options.effect ?? zone.policy.effectOf?.(content) ?? inferEffect({ method, headers }, isEntity);
  const isRead = effect === 'read';
  const ephemeral = isRead && !durable;
  const live = secret.length > 0 || secretQuery !== '' ? { headers: secret, query: secretQuery } : null;
  const { client, replay } = admission;
  const { principal: named } = options;
  const who = rules.identities.identify({
    live,
    offered,
    ephemeral,
    principal: named,
    client,
    replay,
    resource: options.resource,
  });
  const laneAt = (place: string, given: string | null | undefined): string | null =>
    replay === undefined
      ? laneOf(given, isRead ? null : naturalLane(method, place, options.localId), who.principal, zone.name)
      : replay.lane;
  const lane = laneAt(path, references?.lane ?? options.lane);
  const key =
    options.key ??
    (isRead || replay !== undefined ? null : headerOf(listed, zone.policy.idempotency?.header ?? 'idempotency-key'));
  const join = joinRule(options, { effect, lane, now, key }, config.dedupeWindowMs);
  const mayJoin = options.dedupe !== false;

  let digest: string | null = null;
  let fingerprint: string | null = null;
  if (key !== null || (mayJoin && (ephemeral || join.rule !== 'none'))) {
    const { principal } = who;
    // A principal may be no more than claimed (an unverified token): equal secrets show that both callers may have the answer. What has a
    // key is known by that, also when it is repeated with a newer token, or when its local ids have server ids by then.
    const isJoinedByKey = key !== null && !ephemeral;
    const isAsGiven = isJoinedByKey && references !== undefined;
    const place = isAsGiven ? headerRules.splitQuery(target.path).path : path;
    const canonical = canonicalContent({
      method,
      zone: zone.name,
      path: place,
      principal,
      lane: isAsGiven ? laneAt(place, options.lane) : lane,
      headers,
      body: isAsGiven ? given.body : encoded.body,
      terms,
      secret: live === null || isJoinedByKey ? undefined : rules.identities.secretDigest(live),
    });
    digest = digestOf(canonical);
    if (join.rule === 'window') fingerprint = rules.hash(canonical);
  }
  const expiresAt = deadline ?? (isRead ? now + config.readTtlMs : null);
  const channel = rules.channelOf(zone, { content, effect, priority });
  const tags = copied(options.tags);
  const { principal } = who;
  const ranked = { acceptedAt: now, priority, expiresAt, notBefore, tags, principal, content, zone: zone.name };

  return {
    request: {
      id: admission.id,
      zone: zone.name,
      channel: channel.nameFor(priority, context.ranking.strategy.priorityStrategy),
      sender: who.sender,
      ephemeral,
      content,
      effect,
      harmless: isHarmless(effect, false),
      lane,
      after: predecessors(options.after, references?.after ?? replay?.after),
      refs: references?.refs ?? replay?.refs ?? NONE,
      principal,
      auth: who.auth,
      client: who.client,
      key,
      fingerprint,
      digest: ephemeral ? null : digest,
      join,
      idempotencyKey: replay?.idempotencyKey ?? key,
      base: options.base === undefined ? null : structuredClone(options.base),
      priority,
      rank: context.ranking.rank(ranked, channel.name),
      notBefore,
      expiresAt,
      acceptedAt: now,
      trace: null,
      tags,
      durable,
      replayOf: replay?.of ?? null,
      bytes: encoded.bytes + path.length,
      ...declared(options, effect, replay),
      ...(admission.fires !== undefined && { fires: admission.fires }),
    },
    zone,
    channel,
    secret: live,
    volatile,
    vouchesFor: who.vouchesFor,
    credentialVersion: who.auth === 'zone' ? (offered?.credential?.version ?? null) : null,
    place: placeOf(zone.name, path),
    mayJoin,
    readDigest: ephemeral && mayJoin ? digest : null,
  };
}

/** With what the rules of its zone say of it, where the call says nothing. What it replays had its say. */
function ruled(admission: Admission, { zone, method, path }: Target): Admission {
  const rule = admission.replay === undefined ? ruleFor(zone.policy.rules, method, path) : undefined;
  if (rule === undefined) return admission;
  return { ...admission, options: fill(admission.options, requestPart(rule.options)) };
}

/** The platform's fetch decodes by itself, and asks for what its caller wants. */
function withEncodings(stored: HeaderList, given: HeaderList): HeaderList {
  const encodings = headerOf(given, 'accept-encoding');
  return encodings === null ? stored : [...stored, ['accept-encoding', encodings]];
}

/** The lane of the entity that is made or named by its local id, else that of the path. */
function naturalLane(method: string, path: string, localId: string | undefined): string | null {
  if (localId !== undefined) return localId;
  const lane = defaultLane(method, path);
  return lane === null ? null : (entityOf(path) ?? lane);
}

/** Those the call names, and those it follows from. */
function predecessors(named: readonly string[] | undefined, implied: readonly string[] | undefined): readonly string[] {
  return implied === undefined ? copied(named) : copied([...(named ?? NONE), ...implied]);
}

/** The caller's own list may change before it is stored. */
function copied(list: readonly string[] | undefined): readonly string[] {
  return list === undefined || list.length === 0 ? NONE : [...list];
}

/** What a request to this path changes or shows: zone and path without query. */
export function placeOf(zone: string, path: string): string {
  const query = path.indexOf('?');
  return `${zone} ${query === -1 ? path : path.slice(0, query)}`;
}

function laneOf(
  given: string | null | undefined,
  fallback: string | null,
  principal: string,
  zone: string,
): string | null {
  const lane = given === undefined ? fallback : given;
  return lane === null ? null : laneKey({ principal, zone, lane });
}

/** What a newcomer may join in the store. Reads join in this process, see `ReadJoins`. */
function joinRule(
  options: RequestOptions,
  request: { readonly effect: Effect; readonly lane: string | null; readonly now: number; readonly key: string | null },
  dedupeWindowMs: number,
): JoinRule {
  // With a key of its own it joins by that alone: another key is another intent.
  if (options.dedupe === false || request.key !== null || request.effect === 'read') return { rule: 'none' };
  const isIdempotent = request.effect === 'absolute' || request.effect === 'delete';
  if (isIdempotent) return request.lane === null ? { rule: 'none' } : { rule: 'tail' };
  return dedupeWindowMs > 0 ? { rule: 'window', since: request.now - dedupeWindowMs } : { rule: 'none' };
}
