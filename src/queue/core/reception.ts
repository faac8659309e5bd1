import { holdfastError } from '../../errors.ts';
import { parseLocalId } from '../strategies/localId.ts';
import type { EndedRequest, NewRequest } from '../types/request.ts';
import type { RequestState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';
import type { RequestPatch } from '../types/store.ts';
import type { Admitted } from './admit.ts';
import type { Attempts } from './attempts.ts';
import type { AuthHolds } from './authHolds.ts';
import type { BackendHealth } from './backendHealth.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import type { FetchCallers } from './fetchCallers.ts';
import type { Channel } from './gates/Channel.ts';
import type { IntakeEvents } from './intakeEvents.ts';
import { raiseStored } from './readJoins.ts';
import { sentAtAcceptance } from './sentRequest.ts';
import type { Shares } from './shares.ts';
import { messageOf } from './tell.ts';

/** What reception asks of the rest. */
export interface ReceptionEvents {
  due(at: number): void;
  wake(): void;
  /** A principal is new here: what waits for its credential may be sendable now. */
  survey(): void;
  /** Nothing of the request needs to be remembered. */
  ended(id: string): void;
  /** These ended in the step that accepted another. */
  endedAside(requests: readonly Omit<EndedRequest, 'endedSeq'>[]): void;
  /** It may have ended before: its callers are told what the store knows. */
  lookUp(id: string): void;
  /** It waits, and may be of a principal that is away. */
  waits(request: NewRequest): void;
}

/** What follows from the store's answer to a call: secrets kept in memory, gates hinted, callers counted, events. */
export class Reception implements IntakeEvents {
  readonly #context: Context;
  readonly #attempts: Attempts;
  readonly #authHolds: AuthHolds;
  readonly #credentials: Credentials;
  readonly #health: BackendHealth;
  readonly #shares: Shares;
  readonly #fetchCallers: FetchCallers;
  readonly #events: ReceptionEvents;
  /** Version of each provider's credential seen last. */
  readonly #versions = new Map<string, number>();

  constructor(
    context: Context,
    parts: {
      readonly attempts: Attempts;
      readonly authHolds: AuthHolds;
      readonly credentials: Credentials;
      readonly health: BackendHealth;
      readonly shares: Shares;
      readonly fetchCallers: FetchCallers;
    },
    events: ReceptionEvents,
  ) {
    this.#context = context;
    this.#attempts = parts.attempts;
    this.#authHolds = parts.authHolds;
    this.#credentials = parts.credentials;
    this.#health = parts.health;
    this.#shares = parts.shares;
    this.#fetchCallers = parts.fetchCallers;
    this.#events = events;
  }

  wake(): void {
    this.#events.wake();
  }

  claimed(request: NewRequest, token: number, channel: Channel): void {
    this.#attempts.start(sentAtAcceptance(request, this.#context.clock.now()), token, channel);
  }

  accepted(admitted: Admitted, result: Parameters<IntakeEvents['accepted']>[1]): void {
    const { request, zone, channel, secret } = admitted;
    const { emitter } = this.#context;
    // A replay may be of a client that only another process has.
    if (request.client === null || this.#credentials.client(request.client) !== undefined)
      zone.senders.add(request.sender);
    if (secret !== null && this.#credentials.live.remember(request.id, request.principal, secret)) {
      this.#authHolds.release();
      this.#events.survey();
    }
    // Where nothing is sent they would be of no use to anybody.
    if (this.#context.config.dispatch) this.#credentials.live.rememberVolatile(request.id, admitted.volatile);
    this.#noticeCredential(admitted);
    if (result.state === 'ready') {
      channel.hint();
      channel.batching?.arrived(request.priority);
      // A claim that was under way meanwhile may have come back without it, and nothing else would ask again.
      this.#events.wake();
    }
    if (result.dueAt !== null) this.#events.due(result.dueAt);
    if (isTerminal(result.state) || request.replaces !== undefined) this.#replaced(request, result.state);
    if (request.expiresAt !== null) this.#events.due(request.expiresAt);
    if (result.token === null && !isTerminal(result.state)) this.#events.waits(request);
    if (!emitter.hears('request:accepted')) return;
    const { id: requestId, effect, lane, content } = request;
    const { method } = content;
    emitter.emit('request:accepted', { requestId, zone: zone.name, state: result.state, method, effect, lane });
  }

  /** It took the place of another, or had ended when it was offered again. */
  #replaced({ id, zone, replaces }: NewRequest, state: RequestState): void {
    if (replaces !== undefined) {
      const squashed = { id: replaces.id, zone, state: 'superseded', reason: 'squashed' } as const;
      const isDone = isTerminal(state) && replaces.result !== undefined;
      const done = isDone ? [{ id, zone, state: 'succeeded', reason: 'noop' } as const] : [];
      this.#events.endedAside([squashed, ...done]);
    }
    if (isTerminal(state)) this.#events.lookUp(id);
  }

  joined(admitted: Admitted, result: Parameters<IntakeEvents['joined']>[1], isStored: boolean): void {
    const { id: requestId, state } = result;
    // The store counts the callers of what is joined there.
    if (!isStored) this.#shares.join(requestId);
    this.#attempts.abortable.share(admitted.request.id, requestId);
    this.#fetchCallers.forget(admitted.request.id);
    if (isTerminal(state)) this.#attempts.abortable.forget(requestId);
    this.#context.emitter.emit('request:deduplicated', { requestId, zone: admitted.zone.name, state });
  }

  raised(id: string, patch: RequestPatch): void {
    if (!this.#attempts.flights.has(id)) raiseStored(this.#context, id, patch);
  }

  refused(id: string, error: unknown): void {
    const { emitter, config, logger } = this.#context;
    const code = holdfastError(error)?.code;
    // A local id that is taken names what another call made, which goes on.
    const key = holdfastError(error, 'KEY_CONFLICT')?.details.key;
    if (parseLocalId(key)?.requestId !== id) this.#events.ended(id);
    // Its caller may never ask, and then nothing else would tell.
    if (code !== undefined) logger.info('a call was not accepted', { id, code });
    const shed = holdfastError(error, 'LOAD_SHED')?.details;
    if (shed !== undefined) return emitter.emit('queue:shed', { priority: shed.priority, level: shed.level });
    switch (code) {
      case 'QUEUE_FULL':
        return emitter.emit('queue:full', { waiting: config.maxSize });
      case 'BACKEND_UNAVAILABLE':
      case 'STORAGE_FULL':
        return this.#health.failed(error, 'keep');
      default:
    }
  }

  /** A provider's credential that is new may release what waited for one; one the call renamed is paired with its name. */
  #noticeCredential(admitted: Admitted): void {
    const { request, zone, credentialVersion, vouchesFor } = admitted;
    if (credentialVersion === null) return;
    const source = request.client ?? zone.name;
    const isNew = this.#versions.get(source) !== credentialVersion;
    if (isNew) this.#versions.set(source, credentialVersion);
    if (vouchesFor === null) {
      if (isNew) this.#authHolds.release();
      return;
    }
    this.#credentials.pair(request.principal, vouchesFor).then(
      (isNewPair) => {
        if (isNewPair) this.#authHolds.release();
      },
      (error: unknown) => this.#context.logger.warn('a pairing was not stored', { error: messageOf(error) }),
    );
  }
}
