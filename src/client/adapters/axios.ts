import { streamOf } from './answer.ts';
import { answerTo, dataOf, limited } from './axiosAnswer.ts';
import type { AxiosErrorClass } from './axiosError.ts';
import { AxiosFailures, errorClassOf } from './axiosError.ts';
import { requestOf, signalOf, sizeOf } from './axiosRequest.ts';
import type { AxiosAnswer, AxiosCall } from './axiosShape.ts';
import type { Leash } from './leash.ts';
import { leash } from './leash.ts';
import type { QueueLike } from './queueLike.ts';

export type { AxiosErrorClass } from './axiosError.ts';
export type { AxiosAnswer, AxiosAnswerHeaders, AxiosCall, AxiosCancelToken } from './axiosShape.ts';

export interface AxiosAdapterOptions {
  /** `axios.AxiosError`, for clients that replaced `transformResponse` and test with `instanceof`. @default found out */
  readonly AxiosError?: AxiosErrorClass | undefined;
}

export type AxiosAdapter = <Config extends AxiosCall>(config: Config) => Promise<AxiosAnswer<Config>>;

/**
 * An adapter for axios 1: sends through a queue, and answers and fails as axios's own adapter for Node does. A failure of the queue's own
 * has the code `ERR_NETWORK`, and `holdfastError(error)` finds it. `timeout` counts the time in the queue too: leave it 0 where calls may
 * wait. Agents, proxies and callbacks for progress are of no effect; with `decompress: false` it is asked for what is not encoded.
 *
 * @example
 * const api = axios.create({ baseURL: 'https://api.example.com', adapter: queueAdapter(queue) });
 *
 * // For one call:
 * await api.post('/notes', { text: 'hi' }, { adapter: queueAdapter(queue.with({ priority: 'high' })) });
 */
export function queueAdapter(queue: QueueLike, options: AxiosAdapterOptions = {}): AxiosAdapter {
  let known = options.AxiosError;
  return async (config) => {
    known ??= errorClassOf(config.transformResponse);
    const request = { res: { responseUrl: undefined } };
    const failures = new AxiosFailures(known, config, request);
    const limits = limitsOf(config, failures);
    try {
      const response = await send(queue, config, limits, failures);
      Object.assign(request.res, { responseUrl: response.url });
      return await receive(response, config, limits, failures);
    } catch (error) {
      limits.release();
      // Of a signal's reason axios makes its own error.
      throw limits.signal?.aborted === true ? limits.signal.reason : error;
    }
  };
}

function limitsOf({ signal, cancelToken, timeout, ...config }: AxiosCall, failures: AxiosFailures): Leash {
  const ms = Number(timeout ?? 0);
  const message = config.timeoutErrorMessage ?? `timeout of ${ms}ms exceeded`;
  const code = config.transitional?.clarifyTimeoutError === true ? 'ETIMEDOUT' : 'ECONNABORTED';
  return leash([signal, cancelToken && signalOf(cancelToken)], ms, () => failures.make(message, code));
}

async function send(queue: QueueLike, config: AxiosCall, limits: Leash, failures: AxiosFailures): Promise<Response> {
  const { maxBodyLength = -1 } = config;
  if (maxBodyLength > -1 && sizeOf(config.data) > maxBodyLength) {
    throw failures.make('Request body larger than maxBodyLength limit', 'ERR_BAD_REQUEST');
  }
  try {
    const { url, init } = requestOf(config);
    return await queue.fetch(url, { ...init, signal: limits.signal ?? null });
  } catch (error) {
    throw failures.ofFetch(error);
  }
}

async function receive<Config extends AxiosCall>(
  response: Response,
  config: Config,
  limits: Leash,
  failures: AxiosFailures,
): Promise<AxiosAnswer<Config>> {
  const { maxContentLength: max = -1, responseType, validateStatus } = config;
  const answer = answerTo(response, config, failures.request);
  const isLimited = max > -1;
  const tooLarge = isLimited
    ? failures.make(`maxContentLength size of ${max} exceeded`, 'ERR_BAD_RESPONSE')
    : undefined;
  const stream = limited(streamOf(response), max, tooLarge);
  if (responseType === 'stream') {
    limits.arrived();
    answer.data = stream.once('close', () => limits.release());
  } else {
    answer.data = await dataOf(stream, config).catch((error: unknown) => {
      throw error === tooLarge ? error : failures.make('stream has been aborted', 'ERR_BAD_RESPONSE', answer);
    });
    limits.release();
  }
  if (!validateStatus || validateStatus(answer.status)) return answer;
  throw failures.ofStatus(answer);
}
