import type { QueuedRequestInit } from '../../queue/types/fetch.ts';
import type { QueueLike } from './queueLike.ts';

/** The context of Graph's middleware chain, as far as its last member needs it. */
export interface GraphContext {
  readonly request: string | Request;
  readonly options?: object | undefined;
  response?: Response;
}

export interface GraphMiddleware {
  execute(context: GraphContext): Promise<void>;
}

/**
 * The last middleware of a Microsoft Graph client (SDK 3): sends through a queue. It stands where `HTTPMessageHandler` does, behind those
 * that add the token and follow redirects. Leave `RetryHandler` out: the queue retries.
 *
 * @example
 * const auth = new AuthenticationHandler(authProvider);
 * auth.setNext(queueMiddleware(queue));
 * const graph = Client.initWithMiddleware({ middleware: auth });
 *
 * // For some calls only:
 * const urgent = queueMiddleware(queue.with({ priority: 'high' }));
 */
export function queueMiddleware(queue: QueueLike): GraphMiddleware {
  return {
    async execute(context) {
      context.response = await queue.fetch(context.request, context.options as QueuedRequestInit | undefined);
    },
  };
}
