import type { Decision } from '../strategies/decision.ts';
import { jsonOf } from '../strategies/json.ts';
import { isJsonObject } from '../strategies/jsonValue.ts';
import { showsFields } from '../strategies/sameFields.ts';
import type { HttpResponse, Json } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Settlement } from '../types/store.ts';
import type { TransportResult } from '../types/transport.ts';
import { bindingOf, entityPath, serverIdIn } from './bindings.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import { changeOn, stateAfter } from './preparation.ts';
import { probeFor } from './probes.ts';
import type { Met, Reconciled, Reconciler } from './reconciler.ts';
import { isKeyed } from './resendRules.ts';
import type { ResourceRules, Resources } from './resources.ts';
import type { SentRequest } from './sentRequest.ts';
import type { SettleJob } from './settler.ts';
import { messageOf } from './tell.ts';
import type { OwnWrite, Version, Versions } from './versions.ts';
import { thingAt, versionIn, versionOf, versionOfLocal } from './versions.ts';
import { versionsBehind } from './versionsBehind.ts';
import type { Zone } from './zone.ts';

/** An attempt of a request of which something was declared. */
export interface Followed {
  /** As it was sent. */
  readonly request: SentRequest;
  readonly zone: Zone;
  readonly result: TransportResult;
  readonly decision: Decision;
  /** What it was frozen as. */
  readonly patch: Settlement['patch'];
}

/** What an attempt means beyond its own request: a local id gets its server id, a version is handed on, a conflict is reconciled. */
export class Consequences {
  readonly #context: Context;
  readonly #resources: Resources;
  readonly #versions: Versions;
  readonly #reconciler: Reconciler;
  readonly #callers: Callers;

  constructor(
    context: Context,
    parts: {
      readonly resources: Resources;
      readonly versions: Versions;
      readonly reconciler: Reconciler;
      readonly callers: Callers;
    },
  ) {
    this.#context = context;
    this.#resources = parts.resources;
    this.#versions = parts.versions;
    this.#reconciler = parts.reconciler;
    this.#callers = parts.callers;
  }

  /** The settlement of an attempt with all that follows from it. */
  async of(job: SettleJob, followed: Followed): Promise<SettleJob> {
    const { request, zone, decision, patch } = followed;
    const rules = this.#resources.of(request);
    const frozen = withPatch(job, patch);
    if (decision.conflict !== undefined && rules !== undefined) {
      const trigger = decision.conflict;
      const met = { request, zone, rules, trigger, progress: decision.progress };
      return this.reconciled(frozen, met);
    }
    if (decision.move.state !== 'succeeded' || decision.outcome !== 'applied') return frozen;
    const { result } = followed;
    const response = result.phase === 'answered' ? result.response : undefined;
    const serverId = response === undefined ? undefined : serverIdIn(request, response);
    if (serverId === undefined && this.#isIdLost(followed)) return this.#findId(frozen, decision);
    if (response !== undefined && rules?.version !== undefined) {
      await this.#handOn(request, rules, response, serverId);
    }
    const bind = bindingOf(request, serverId, this.#context.clock.now());
    if (bind === undefined) return frozen;
    return { ...frozen, settlement: { ...frozen.settlement, bind: [bind] } };
  }

  /** The settlement of a request that met a conflict, with or without having been sent. */
  async reconciled(job: SettleJob, met: Met): Promise<SettleJob> {
    const { next, progress, patch, bind, told, shown }: Reconciled = await this.#reconciler.reconcile(met);
    if (told?.action === 'resend') await this.#goOn(met, shown, await versionsBehind(this.#context, met));
    else if (told?.action === 'noop') await this.#goOn(met, shown);
    const isFinal = isTerminal(next.state) || next.state === 'held';
    // The answer that spoke of the conflict is its caller's only where it is the end of it.
    const isAnswer = next.state === 'dead' || next.state === 'held';
    if (!isAnswer) job.response?.live?.release();
    const { result, ...settlement } = job.settlement;
    return {
      ...job,
      response: isAnswer ? job.response : undefined,
      resolvedBy: met.request.progress.unresolved && !progress.unresolved ? 'reconcile' : undefined,
      reconciled: told,
      settlement: {
        ...settlement,
        next,
        progress,
        patch: patch ?? settlement.patch,
        ...(isAnswer && { result }),
        ...(bind !== undefined && { bind }),
        told: isFinal && this.#callers.has(met.request.id),
      },
    };
  }

  /** It was done, and the answer with the id that others wait for was lost on the way, but can be had again. */
  #isIdLost({ request, zone, result }: Followed): boolean {
    if (request.intent?.localId === undefined || result.phase !== 'answered' || result.bodyError === undefined)
      return false;
    return isKeyed(request, zone) || probeFor(request, zone.policy, this.#resources.of(request)) !== undefined;
  }

  #findId(job: SettleJob, { progress }: Decision): SettleJob {
    const now = this.#context.clock.now();
    const next = { state: 'unknown', reason: 'unanswered', dueAt: now } as const;
    const doubtful = { ...progress, unresolved: true, unresolvedSince: now, probes: 0 };
    const { result: _, ...settlement } = job.settlement;
    return { ...job, settlement: { ...settlement, next, progress: doubtful, told: false } };
  }

  /** What waits behind it in its lane was made on what this has replaced. */
  async #handOn(
    request: SentRequest,
    rules: ResourceRules,
    response: HttpResponse,
    serverId: string | number | undefined,
  ): Promise<void> {
    const { lane, effect, intent, content } = request;
    if (lane === null || effect === 'read' || effect === 'delete') return;
    const isMade = intent?.localId !== undefined;
    const before = isMade ? versionOfLocal(intent.localId) : versionOf(request, rules);
    const path = isMade && serverId !== undefined ? entityPath(content.path, serverId) : content.path;
    const shown = versionIn(rules, response);
    const sent = jsonOf(content.body) ?? null;
    // What the server made something else of is a conflict for those behind, which their own rules decide. Of what was not there before there is none.
    if (!isMade && shown.snapshot !== null && !showsFields(shown.snapshot, sent)) return;
    if (before === null) return this.#wroteOver(request, shown);
    const isPartial = content.method === 'PATCH' && !isJsonObject(request.base);
    const sentAs: Version = { ...shown, snapshot: stateAfter(request), ...(isPartial && { isPartial }) };
    const after = shown.snapshot === null ? sentAs : shown;
    await this.#noting(
      request,
      this.#versions.wrote(thingAt(path, request), before, after, ownWrite(request, shown.snapshot)),
    );
  }

  /** A look has shown that a change was applied: those behind it in its lane were made on it, and on nothing else that the server may have by then. */
  async found(request: SentRequest): Promise<void> {
    const rules = this.#resources.of(request);
    if (rules?.version === undefined || request.lane === null || request.effect !== 'absolute') return;
    const isOnVersion = versionOf(request, rules) !== null && isJsonObject(request.base);
    await (isOnVersion ? this.#goOn({ request, rules }) : this.#wroteOver(request));
  }

  /** Those behind a change that met a conflict and goes on were made on it, but not on what it met. */
  async #goOn(
    { request, rules }: Pick<Met, 'request' | 'rules'>,
    shown?: Json,
    behind: readonly Version[] = [],
  ): Promise<void> {
    const { id, lane, base, content } = request;
    if (lane === null || rules.version === undefined || !isJsonObject(base)) return;
    const version = versionOf(request, rules);
    if (version === null) return;
    const met = { by: id, base, snapshot: stateAfter(request, shown) };
    const thing = thingAt(content.path, request);
    await this.#noting(request, this.#versions.met(thing, { version, snapshot: base }, met, behind));
  }

  #wroteOver(request: SentRequest, shown?: Version): Promise<void> {
    const own = ownWrite(request, shown?.snapshot);
    return this.#noting(request, this.#versions.wroteOver(thingAt(request.content.path, request), own, shown));
  }

  async #noting({ id, zone }: SentRequest, noted: Promise<void>): Promise<void> {
    try {
      await noted;
    } catch (error) {
      this.#context.logger.warn('a version was not handed on', { id, zone, error: messageOf(error) });
    }
  }
}

function ownWrite(request: SentRequest, shown?: Json): OwnWrite {
  const isUnseen = request.content.method === 'PUT' && !isJsonObject(shown ?? null);
  return { by: request.id, change: (snapshot) => changeOn(request, snapshot, shown), shows: shown, isUnseen };
}

function withPatch(job: SettleJob, patch: Settlement['patch']): SettleJob {
  return patch === undefined ? job : { ...job, settlement: { ...job.settlement, patch } };
}
