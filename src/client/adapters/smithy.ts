import type { Readable } from 'node:stream';
import { headersOf, streamOf } from './answer.ts';
import type { SignalLike } from './leash.ts';
import { AbortError, leash } from './leash.ts';
import type { QueueLike } from './queueLike.ts';
import type { SmithyRequest } from './smithyRequest.ts';
import { initOf, urlOf } from './smithyRequest.ts';
import type { WireError } from './wireError.ts';
import { wireError } from './wireError.ts';

export type { SmithyRequest } from './smithyRequest.ts';

export interface SmithyResponse {
  statusCode: number;
  reason: string;
  headers: Record<string, string>;
  body: Readable;
}

export interface SmithyHandlerConfig {
  /** Ms until a call is given up, its time in the queue included. @default none */
  readonly requestTimeout?: number | undefined;
}

export interface SmithyCallOptions extends SmithyHandlerConfig {
  readonly abortSignal?: SignalLike | undefined;
}

export interface SmithyHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SmithyRequest, options?: SmithyCallOptions): Promise<{ response: SmithyResponse }>;
  updateHttpClientConfig(key: PropertyKey, value: unknown): void;
  httpHandlerConfigs(): SmithyHandlerConfig;
  destroy(): void;
}

/** The SDK knows these by another name. */
const TIMEOUTS: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

/**
 * A request handler for AWS SDK 3 and other clients made by Smithy: sends through a queue. Signatures (`authorization`, `x-amz-date`,
 * `x-amz-security-token`) stay in the memory of this process and are good for minutes: what waits longer is refused by AWS, and what a
 * restart finds unsent is held (`auth`) and not sent by itself: discard it, and make the call again. Give calls that may wait a `deadline`.
 * Most calls of AWS are POSTs: say `effect: 'read'` in a rule of the zone for those that are reads. What is stored encoded comes decoded.
 *
 * @example
 * const sqs = new SQSClient({ region: 'eu-central-1', requestHandler: queueHandler(queue), maxAttempts: 1 });
 *
 * // For some calls only:
 * const urgent = new SQSClient({ requestHandler: queueHandler(queue.with({ priority: 'high' })), maxAttempts: 1 });
 */
export function queueHandler(queue: QueueLike, config: SmithyHandlerConfig = {}): SmithyHandler {
  let current = config;
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request, { abortSignal, requestTimeout: ms = current.requestTimeout } = {}) {
      const limits = leash([abortSignal], ms, () =>
        asTimeout(Object.assign(new Error(`no answer within ${ms} ms (requestTimeout)`), { code: 'ETIMEDOUT' })),
      );
      try {
        const response = await queue.fetch(urlOf(request), { ...initOf(request), signal: limits.signal ?? null });
        limits.arrived();
        return { response: answerOf(response, () => limits.release()) };
      } catch (failure) {
        limits.release();
        if (limits.signal?.aborted !== true) throw asTimeout(wireError(failure));
        const { reason } = limits.signal;
        throw limits.late ?? new AbortError('Request aborted', reason instanceof Error ? { cause: reason } : {});
      }
    },
    updateHttpClientConfig(key, value) {
      current = { ...current, [key]: value };
    },
    httpHandlerConfigs: () => current,
    destroy: () => undefined, // the queue is its owner's
  };
}

function answerOf(response: Response, over: () => void): SmithyResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of headersOf(response)) {
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  const body = streamOf(response).once('close', over);
  return { statusCode: response.status, reason: response.statusText, headers, body };
}

function asTimeout(error: WireError): Error {
  return TIMEOUTS.has(error.code) ? Object.assign(error, { name: 'TimeoutError' }) : error;
}
