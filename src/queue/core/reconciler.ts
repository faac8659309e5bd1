import { PRECONDITIONS } from '../strategies/conditions.ts';
import type { Conflict, Resolution } from '../strategies/conflict.ts';
import { conflictOf } from '../strategies/conflict.ts';
import { parseExactly } from '../strategies/exactJson.ts';
import { headerValue } from '../strategies/headerValue.ts';
import { jsonOf, textOf } from '../strategies/json.ts';
import { nextGeneration, resolved } from '../strategies/progress.ts';
import type { ResolvedConflict } from '../strategies/resolveConflict.ts';
import { resolveConflict } from '../strategies/resolveConflict.ts';
import type { Binding } from '../types/binding.ts';
import type { ConflictTrigger } from '../types/events.ts';
import type { Body, HeaderList, HttpResponse, Json, Progress, RequestContent } from '../types/request.ts';
import type { Move, Settlement } from '../types/store.ts';
import { bindingOf } from './bindings.ts';
import type { ProbeVerdict } from './config/options.ts';
import { keepConflict } from './conflictLog.ts';
import type { Context } from './context.ts';
import { probeFor } from './probes.ts';
import type { Reader } from './reader.ts';
import type { ResourceRules } from './resources.ts';
import type { SentRequest } from './sentRequest.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';

/** A conflict that an attempt met, or a look before it. */
export interface Met {
  /** As it was sent, or would have been. */
  readonly request: SentRequest;
  readonly zone: Zone;
  readonly rules: ResourceRules;
  readonly trigger: ConflictTrigger;
  /** After the attempt. */
  readonly progress: Progress;
  /** What the server has, where that was read already. */
  readonly remote?: HttpResponse | undefined;
}

/** What came of it, to be settled. */
export interface Reconciled {
  readonly next: Move;
  readonly progress: Progress;
  readonly patch?: Settlement['patch'];
  readonly bind?: readonly Binding[] | undefined;
  /** What the server has of it, where that is what was meant. */
  readonly shown?: Json | undefined;
  /** Told once it is settled. */
  readonly told?: { readonly strategy: string; readonly action: Resolution['action'] } | undefined;
}

/**
 * Finds out what the server has, compares it with what was meant, and decides. While it does, the request is being sent still: a
 * crash leaves it to be sent again, which meets the same conflict.
 */
export class Reconciler {
  readonly #context: Context;
  readonly #reader: Reader;

  constructor(context: Context, reader: Reader) {
    this.#context = context;
    this.#reader = reader;
  }

  async reconcile(met: Met): Promise<Reconciled> {
    const { request, zone, trigger, progress } = met;
    const { emitter } = this.#context;
    const round = (progress.rounds ?? 0) + 1;
    emitter.emit('conflict:detected', { requestId: request.id, zone: zone.name, trigger, round });
    try {
      if (trigger === 'exists' && request.content.method === 'POST') return await this.#whoMadeIt(met, round);
      const remote =
        met.remote ?? (await this.#reader.read(request, zone, { method: 'GET', path: request.content.path }));
      const isGone = remote.status === 404 || remote.status === 410;
      if (!isGone && (remote.status < 200 || remote.status > 299)) return this.#later(met);
      return await this.#decide(met, round, isGone ? undefined : remote);
    } catch (error) {
      this.#context.logger.warn('a conflict could not be looked into', {
        id: request.id,
        zone: zone.name,
        error: messageOf(error),
      });
      return this.#later(met);
    }
  }

  async #decide(met: Met, round: number, remote: HttpResponse | undefined): Promise<Reconciled> {
    const trigger = remote === undefined ? 'gone' : met.trigger;
    const conflict = this.#conflict(met, round, trigger, remote);
    const { resolution, strategy } = this.#resolution(met, conflict, remote);
    return this.#settled(met, conflict, strategy, resolution, remote);
  }

  /** What was to be made is there already: by an earlier attempt of ours, as a probe can tell, or by somebody else. */
  async #whoMadeIt(met: Met, round: number): Promise<Reconciled> {
    const { request } = met;
    const conflict = this.#conflict(met, round, 'exists', undefined);
    const verdict = await this.#probe(met);
    if (verdict.outcome === 'applied') {
      const bind = bindingOf(request, verdict.serverId, this.#context.clock.now());
      const settled = await this.#settled(met, conflict, 'probe', { action: 'noop' }, undefined);
      return { ...settled, bind: bind && [bind] };
    }
    if (verdict.outcome === 'notApplied') {
      const { resolution, strategy } = this.#resolution(met, conflict, undefined);
      return this.#settled(met, conflict, strategy, resolution, undefined);
    }
    const held = await this.#settled(met, conflict, 'manual', { action: 'hold' }, undefined);
    // Whether an earlier attempt was applied is as unknown as before.
    return { ...held, progress: { ...met.progress, rounds: round } };
  }

  #conflict(met: Met, round: number, trigger: ConflictTrigger, remote: HttpResponse | undefined): Conflict {
    const { content, base, effect, acceptedAt } = met.request;
    return conflictOf({
      trigger,
      method: content.method,
      effect,
      base,
      local: jsonOf(content.body) ?? null,
      remote: remote === undefined ? null : (jsonOf(remote.body) ?? null),
      round,
      ageMs: this.#context.clock.now() - acceptedAt,
    });
  }

  #resolution({ request, zone, rules }: Met, conflict: Conflict, remote: HttpResponse | undefined): ResolvedConflict {
    const resolved = resolveConflict(conflict, rules);
    const { resolution, strategy, error } = resolved;
    const isRounded = restsOnRoundedNumbers(resolution, request.content, remote);
    if (error === undefined && !isRounded) return resolved;
    const reason = isRounded ? 'a number of the body is not exact once it was read' : messageOf(error);
    const told = { id: request.id, zone: zone.name, error: reason };
    this.#context.logger.error('a conflict could not be resolved by its strategy', told);
    return { resolution: { action: 'hold' }, strategy };
  }

  async #settled(
    { request, progress }: Met,
    { trigger, round, base, local, remote: remoteState }: Conflict,
    strategy: string,
    resolution: Resolution,
    remote: HttpResponse | undefined,
  ): Promise<Reconciled> {
    const told = { strategy, action: resolution.action };
    await keepConflict(this.#context, request.id, { ...told, trigger, round, base, local, remote: remoteState });
    const known = { ...resolved(progress), rounds: round };
    switch (resolution.action) {
      case 'noop':
        return { next: { state: 'succeeded', reason: 'appliedEarlier' }, progress: known, told, shown: remoteState };
      case 'acceptRemote':
        return { next: { state: 'superseded', reason: 'remoteWins' }, progress: known, told };
      case 'reject':
        return { next: { state: 'dead', reason: 'rejected' }, progress: known, told };
      case 'hold':
        return { next: { state: 'held', reason: 'conflict' }, progress: known, told };
      case 'resend': {
        const content = onTopOf(request.content, resolution.body, remote);
        // What was not read is no base: the one that was known stays.
        const patch = trigger === 'exists' && remote === undefined ? { content } : { content, base: remoteState };
        return {
          next: { state: 'ready', reason: 'retry' },
          progress: nextGeneration(known, this.#context.clock.now()),
          patch,
          told,
        };
      }
      default:
        return resolution satisfies never;
    }
  }

  async #probe({ request, zone, rules }: Met): Promise<ProbeVerdict> {
    const probe = probeFor(request, zone.policy, rules);
    if (probe === undefined) return { outcome: 'inconclusive' };
    const [record] = await this.#context.backend.requests.get({ ids: [request.id] });
    if (record === undefined) return { outcome: 'inconclusive' };
    // The store has it as it was before it was prepared to be sent.
    const sent = { ...record, content: request.content, base: request.base };
    return probe({ request: sent, send: (read) => this.#reader.read(request, zone, read) });
  }

  /** The server could not be asked: the attempt is made again later, and meets the same conflict. */
  #later({ progress }: Met): Reconciled {
    const { clock, config } = this.#context;
    const dueAt = clock.now() + config.retry.maxDelayMs / 4;
    return { next: { state: 'scheduled', reason: 'retry', dueAt }, progress };
  }
}

/** Numbers that do not fit are rounded when they are read: neither sent on, nor compared. What a PUT sends has the server's in it. */
function restsOnRoundedNumbers(
  resolution: Resolution,
  { method, body }: RequestContent,
  remote: HttpResponse | undefined,
): boolean {
  const isComputed = resolution.action === 'resend' && resolution.body !== undefined;
  if (!isComputed && resolution.action !== 'noop') return false;
  return isRounded(body) || (isComputed && method === 'PUT' && isRounded(remote?.body ?? null));
}

function isRounded(body: Body): boolean {
  const text = textOf(body);
  return text !== undefined && jsonOf(text) !== undefined && parseExactly(text) === undefined;
}

/** The content to send on top of what the server has: with its version as the precondition, where the content has one. */
function onTopOf(content: RequestContent, body: Json | undefined, remote: HttpResponse | undefined): RequestContent {
  // Where nothing is there any more, the version that was meant is gone with it.
  const etag = remote === undefined ? undefined : headerValue(remote.headers, 'etag');
  const headers = content.headers.filter(([name]) => !PRECONDITIONS.has(name));
  const conditional: HeaderList = etag === undefined ? headers : [...headers, ['if-match', etag]];
  return { ...content, headers: conditional, body: body === undefined ? content.body : JSON.stringify(body) };
}
