import { HoldfastError } from '../../errors.ts';
import { isHarmless } from '../strategies/effect.ts';
import { AttemptTimeouts } from '../strategies/limits/AttemptTimeouts.ts';
import { errorCode } from '../strategies/transportErrors.ts';
import type { HeaderList } from '../types/request.ts';
import type { TransportCall, TransportResult } from '../types/transport.ts';
import type { Calling, Group, Sent, Transmit } from './called.ts';
import type { Context } from './context.ts';
import type { Attachment, Credentials } from './credentials.ts';
import type { FetchCallers } from './fetchCallers.ts';
import { operationOf } from './gates/channelName.ts';
import { isKeyed } from './resendRules.ts';
import { sendWatched } from './watchedCall.ts';
import { callOf } from './wire.ts';

/** Puts calls on the wire, each with the time it may take, and learns from how long they took. */
export class Sending {
  readonly #context: Context;
  readonly #credentials: Credentials;
  readonly #fetchCallers: FetchCallers;

  constructor(context: Context, parts: { readonly credentials: Credentials; readonly fetchCallers: FetchCallers }) {
    this.#context = context;
    this.#credentials = parts.credentials;
    this.#fetchCallers = parts.fetchCallers;
  }

  /** What is left of the time of a read is less than half of its kind take: nobody would have its answer in time. */
  isTooLate({ request, permit: { via } }: Calling): boolean {
    if (request.expiresAt === null || request.effect !== 'read') return false;
    const { clock } = this.#context;
    const leftMs = request.expiresAt - clock.now();
    const usualMs = via.timeouts.get(operationOf(request))?.p50(clock.monotonicNow());
    return usualMs !== undefined && leftMs < usualMs;
  }

  send(calling: Calling, attachment: Attachment): Promise<Sent> {
    const { request, permit } = calling;
    const timeoutMs = this.#timeoutMs(calling, this.#context.clock.monotonicNow());
    const volatile = this.#credentials.live.volatileOf(request.id);
    const { group } = permit;
    return group === undefined
      ? this.transmit(calling, this.#callOf(calling, attachment, volatile, timeoutMs))
      : this.#sendAmong(group, calling, attachment, volatile, timeoutMs);
  }

  #callOf(
    { request, permit, abort }: Calling,
    { secret }: Attachment,
    volatile: HeaderList,
    timeoutMs: number,
  ): TransportCall {
    const call = callOf(request, permit.via.zone.policy, secret, volatile, timeoutMs);
    const live = this.#fetchCallers.liveCall(request);
    return live === undefined && abort === undefined ? call : { ...call, live, signal: abort?.signal };
  }

  async #sendAmong(
    group: Group,
    calling: Calling,
    attachment: Attachment,
    volatile: HeaderList,
    givenMs: number,
  ): Promise<Sent> {
    const alone = (): TransportCall => this.#callOf(calling, attachment, volatile, givenMs);
    const arrival = { calling, alone, timeoutMs: givenMs, secret: attachment.secret, volatile };
    const { result, durationMs, timeoutMs } = await group.arrive(arrival);
    return { result, durationMs, timeoutMs, timeout: this.#timeoutOf(calling, result, timeoutMs) };
  }

  /** Puts a call on the wire that stands for this request, or for several of which this is the first. */
  readonly transmit: Transmit = async (calling, call) => {
    const { transport, clock } = this.#context;
    const { timeoutMs } = call;
    const startedAt = clock.monotonicNow();
    const result = await (transport.isPunctual === true ? transport.send(call) : this.#watched(calling, call));
    const endedAt = clock.monotonicNow();
    const durationMs = endedAt - startedAt;
    // By what was known when it was sent: it counts itself from here on.
    const timeout = this.#timeoutOf(calling, result, timeoutMs);
    if (result.phase !== 'notSent' && !isCutShort(result)) {
      this.#timeoutsOf(calling).ended(durationMs, isTimeout(result), timeoutMs, endedAt);
    }
    return { result, durationMs, timeoutMs, timeout };
  };

  #watched(calling: Calling, call: TransportCall): Promise<TransportResult> {
    const { transport, clock } = this.#context;
    return sendWatched(transport, clock, call, () => this.#timeoutError(calling, call.timeoutMs, undefined));
  }

  #timeoutOf(calling: Calling, result: TransportResult, timeoutMs: number): Sent['timeout'] {
    return isTimeout(result) ? this.#timeoutError(calling, timeoutMs, errorOf(result)) : undefined;
  }

  /** Why a call has no answer, as its callers are told: a timeout says what it was computed from. */
  causeOf({ result, timeout }: Sent): unknown {
    return result.phase === 'answered' ? result.bodyError : (timeout ?? result.error);
  }

  #timeoutMs(calling: Calling, now: number): number {
    const { request, permit } = calling;
    const { via } = permit;
    const { config, clock } = this.#context;
    const given = this.#fetchCallers.of(request.id)?.timeoutMs;
    if (given !== undefined) return given;
    if (via.zone.policy.adaptiveTimeout === null) return config.attemptTimeoutMs;
    const { attempts, faults } = request.progress;
    const isLast = faults + 1 >= config.maxAttempts;
    const adapted = this.#timeoutsOf(calling).timeoutFor(attempts.length + 1, now, isLast);
    // What is cut off may have been applied: where it cannot be repeated, that leaves a question, and patience costs less.
    const isRepeatable = isHarmless(request.effect, false) || isKeyed(request, via.zone);
    const timeoutMs = isRepeatable ? adapted : Math.max(adapted, config.attemptTimeoutMs);
    if (request.effect !== 'read' || request.expiresAt === null) return timeoutMs;
    return Math.max(1, Math.min(timeoutMs, request.expiresAt - clock.now()));
  }

  #timeoutsOf({ request, permit: { via } }: Calling): AttemptTimeouts {
    const operation = operationOf(request);
    const known = via.timeouts.get(operation);
    if (known !== undefined) return known;
    const { config, emitter } = this.#context;
    const bounds = via.zone.policy.adaptiveTimeout ?? { minMs: 1, maxMs: null };
    const maxMs = bounds.maxMs ?? config.longestTimeoutMs;
    const made = new AttemptTimeouts({
      initialMs: config.attemptTimeoutMs,
      minMs: Math.min(bounds.minMs, maxMs),
      maxMs,
      changed: ({ from, to }) =>
        emitter.emit('timeout:changed', {
          zone: via.zone.name,
          channel: via.name,
          operation,
          fromMs: Math.round(from),
          toMs: Math.round(to),
        }),
    });
    via.timeouts.set(operation, made);
    return made;
  }

  #timeoutError(calling: Calling, timeoutMs: number, cause: Error | undefined): HoldfastError<'ATTEMPT_TIMEOUT'> {
    const { request, permit } = calling;
    const { via } = permit;
    const now = this.#context.clock.monotonicNow();
    const timeouts = this.#timeoutsOf(calling);
    const details = {
      id: request.id,
      zone: request.zone,
      timeoutMs,
      p99Ms: timeouts.p99(now) ?? null,
      samples: timeouts.samples(now),
    };
    const what = `${request.content.method} ${request.content.path} (request ${request.id}, zone ${via.zone.name})`;
    return new HoldfastError(
      'ATTEMPT_TIMEOUT',
      `${what} was not answered within ${Math.round(timeoutMs)} ms`,
      details,
      {
        cause,
      },
    );
  }
}

function errorOf(result: TransportResult): Error | undefined {
  return result.phase === 'answered' ? result.bodyError : result.error;
}

function isTimeout(result: TransportResult): boolean {
  const error = errorOf(result);
  return error !== undefined && errorCode(error) === 'CALL_TIMEOUT';
}

/** Its end says nothing of how long it would have taken. */
function isCutShort(result: TransportResult): boolean {
  return errorOf(result) !== undefined && !isTimeout(result);
}
