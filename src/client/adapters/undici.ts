/** What undici hands to a dispatcher, as far as it is looked at here. */
export interface UndiciHop {
  readonly path: string;
  readonly method: string;
  readonly origin?: unknown;
  readonly upgrade?: unknown;
}

/** A queue, or `queue.with(options)`. */
export interface DispatcherLike {
  readonly dispatcher: { dispatch(hop: object, handler: object): boolean };
}

export interface InterceptorOptions {
  /** Where a composed `Client` or `Pool` sends to, which does not say so itself; an `Agent` does. */
  readonly origin?: string | URL | undefined;
}

type Dispatch<Hop, Handler> = (options: Hop, handler: Handler) => boolean;

/**
 * An interceptor for undici 7: what the composed dispatcher is asked to send goes through a queue, and by the queue's own connections; only
 * upgrades and CONNECT still reach the dispatcher it is composed on. Each hop is a request, and answers are given whole.
 * Leave undici's retry interceptor out: the queue retries. `headersTimeout` and `bodyTimeout` are of no effect, `signal` is.
 *
 * @example
 * const dispatcher = new Agent().compose(queueInterceptor(queue));
 * const { statusCode, body } = await request('https://api.example.com/notes/7', { dispatcher });
 *
 * // For some calls only:
 * const urgent = new Agent().compose(queueInterceptor(queue.with({ priority: 'high' })));
 */
export function queueInterceptor(
  queue: DispatcherLike,
  { origin }: InterceptorOptions = {},
): <Hop extends UndiciHop, Handler extends object>(dispatch: Dispatch<Hop, Handler>) => Dispatch<Hop, Handler> {
  const { dispatcher } = queue;
  return (dispatch) => (hop, handler) => {
    if (hop.method === 'CONNECT' || (hop.upgrade ?? null) !== null) return dispatch(hop, handler);
    const to = hop.origin ?? origin;
    if (to === undefined) throw new TypeError('a Client or Pool needs queueInterceptor(queue, { origin })');
    return dispatcher.dispatch({ ...hop, origin: to }, handler);
  };
}
