import type { MovedRequest } from '../types/moved.ts';
import type { EndedRequest, HttpResponse, StoredRequest } from '../types/request.ts';
import type { Reason, RequestState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Detached } from './detached.ts';
import type { LiveCredentials } from './liveCredentials.ts';
import { inDoubtError, lostConnection, settledOf, settledOfRecord } from './outcomes.ts';
import type { SentRequest } from './sentRequest.ts';
import type { Zones } from './zones.ts';

/** Errors kept; what is forgotten is told by its code. */
const MAX_REMEMBERED = 1_000;

/** What the last stage asks of the others. */
export interface TellEvents {
  /** A request is due at this wall time. */
  due(at: number): void;
  /** Something may be ready. */
  wake(): void;
  /** A read has its answer, if there was one; its end may not be durable yet. */
  answered(request: SentRequest, answer: HttpResponse | undefined, isGood: boolean): void;
  /** A request ended: nothing of it needs to be remembered. */
  ended(id: string): void;
  /** Requests ended without an attempt of ours: what waited for them may be ready or held now. */
  endedAside(): void;
}

/** The last stage: facts that are durable become answers to callers, events, and hints to the dispatcher. */
export class Teller {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #callers: Callers;
  readonly #live: LiveCredentials;
  readonly #detached: Detached;
  readonly #events: TellEvents;
  /** What the connection of writes in doubt failed with. */
  readonly #lostWith = new Map<string, Error>();

  constructor(
    context: Context,
    zones: Zones,
    parts: { readonly callers: Callers; readonly live: LiveCredentials; readonly detached: Detached },
    events: TellEvents,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#callers = parts.callers;
    this.#live = parts.live;
    this.#detached = parts.detached;
    this.#events = events;
  }

  /** Gives callers their answer. Once per request at most. */
  answer(
    request: SentRequest,
    state: RequestState,
    reason: Reason,
    response: HttpResponse | undefined,
    cause?: unknown,
  ): void {
    const isFinal = isTerminal(state) || state === 'held';
    // Whoever asks from now on must be given a newer answer.
    if (isFinal && request.effect === 'read') this.#events.answered(request, response, state === 'succeeded');
    if (!isFinal || !this.#callers.has(request.id)) {
      response?.live?.release();
      if (state === 'unknown') this.#inDoubt(request, cause);
      return;
    }
    if (isLeftInDoubt(state, reason)) this.#leftInDoubt(request, cause);
    this.#callers.tell(request.id, settledOf(request, state, reason, response, cause));
  }

  /** A request ended. */
  ended(ended: EndedRequest, of: { readonly status: number | null; readonly durationMs: number | null }): void {
    const { id: requestId, zone, state, reason } = ended;
    this.forget(requestId);
    this.#context.emitter.emit('request:settled', { requestId, zone, state, reason, ...of });
    if (this.#callers.has(requestId)) void this.lookUp([requestId]);
  }

  /** Requests that ended without an attempt of this process. */
  allEnded(requests: readonly EndedRequest[]): void {
    for (const request of requests) this.ended(request, { status: null, durationMs: null });
    if (requests.length > 0) this.#events.endedAside();
  }

  /** Requests moved by the store: unblocked, recovered, held. */
  moved(requests: readonly MovedRequest[]): void {
    for (const request of requests) {
      const zone = this.#zones.named(request.zone);
      switch (request.state) {
        case 'ready':
          if (zone !== undefined) this.#zones.channelNamed(zone, request.channel).hint();
          this.#events.wake();
          break;
        case 'scheduled':
        case 'unknown':
          this.#events.due(request.dueAt ?? this.#context.clock.now());
          if (request.state === 'unknown') this.#unknown(request);
          break;
        case 'held':
          this.#context.emitter.emit('request:held', {
            requestId: request.id,
            zone: request.zone,
            reason: request.reason,
          });
          if (this.#callers.has(request.id)) void this.lookUp([request.id]);
          break;
        default:
          break;
      }
    }
  }

  /** Something is due at this wall time. */
  due(at: number): void {
    this.#events.due(at);
  }

  /** Reads requests from the store and tells their callers, where they ended or are held. */
  async lookUp(ids: readonly string[]): Promise<void> {
    try {
      const records = await this.#context.backend.requests.get({ ids });
      for (const record of records) if (record !== undefined) this.tellRecord(record);
    } catch (error) {
      this.#context.logger.warn('could not look up requests', { count: ids.length, error: messageOf(error) });
    }
  }

  /** A request ended, here or elsewhere, or its record is gone: nothing of it is needed any more. */
  forget(id: string): void {
    this.#live.forget(id);
    this.#detached.settled(id);
    this.#lostWith.delete(id);
    this.#events.ended(id);
  }

  /** Tells the callers of a request, if its record says that it ended or is held. What ended elsewhere is forgotten here too. */
  tellRecord(record: StoredRequest): void {
    if (isTerminal(record.state)) this.forget(record.id);
    if (record.state === 'superseded' && record.replayedAs !== null) {
      // Another one stands for it: whoever waits, waits for that.
      this.#callers.rename(record.id, record.replayedAs);
      void this.lookUp([record.replayedAs]);
      return;
    }
    const cause = this.#lostWith.get(record.id) ?? lostConnection(record);
    if (record.state === 'unknown') this.#inDoubt(record, cause);
    const settled = settledOfRecord(record, cause);
    if (settled === undefined || !this.#callers.has(record.id)) return;
    if (isLeftInDoubt(record.state, record.reason)) this.#leftInDoubt(record, cause);
    this.#callers.tell(record.id, settled);
  }

  #inDoubt(request: SentRequest, cause: unknown): void {
    if (!this.#callers.has(request.id)) return;
    if (this.#callers.failInDoubt(request.id, () => inDoubtError(request, cause))) this.#leftInDoubt(request, cause);
  }

  /** Its caller may ask once more for the same, and is then told the same. */
  #leftInDoubt(request: SentRequest, cause: unknown): void {
    this.#detached.leftInDoubt(request, this.#live.own(request.id));
    if (!(cause instanceof Error)) return;
    this.#lostWith.set(request.id, cause);
    if (this.#lostWith.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#lostWith.keys()) {
      this.#lostWith.delete(oldest);
      break;
    }
  }

  #unknown(request: MovedRequest): void {
    const { id: requestId, zone, reason } = request;
    this.#context.emitter.emit('request:unknown', { requestId, zone, attempt: null, reason });
  }
}

/** Its caller is told that nobody knows, and may well ask once more for the same. */
function isLeftInDoubt(state: RequestState, reason: Reason): boolean {
  return state === 'held' && reason === 'unknown';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
