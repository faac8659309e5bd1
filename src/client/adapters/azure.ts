import { bytesOf, headersOf, plain, streamOf } from './answer.ts';
import type { AzureHttpClient, AzureRequest, AzureResponse } from './azureShape.ts';
import { RestError } from './azureShape.ts';
import type { Leash } from './leash.ts';
import { AbortError, leash } from './leash.ts';
import type { QueueLike } from './queueLike.ts';
import { isOfQueue, wireError } from './wireError.ts';

export type { AzureHeaders, AzureHttpClient, AzureRequest, AzureResponse } from './azureShape.ts';

const ABORTED = 'The operation was aborted. Rejecting from abort signal callback while making request.';

/**
 * An HTTP client for the SDKs that are made over `@azure/core-rest-pipeline`: sends through a queue. A failure of the queue's own has the
 * code `REQUEST_SEND_ERROR`, and `holdfastError(error)` finds it. `timeout` counts the time in the queue too. Agents, proxies, TLS settings
 * and callbacks for progress are of no effect; what is stored encoded comes decoded.
 *
 * @example
 * const retryOptions = { maxRetries: 0 }; // the queue retries
 * const tables = new TableClient(url, 'notes', credential, { httpClient: queueClient(queue), retryOptions });
 *
 * // For some calls only:
 * const urgent = queueClient(queue.with({ priority: 'high' }));
 */
export function queueClient(queue: QueueLike): AzureHttpClient {
  return {
    async sendRequest(request) {
      const { url, abortSignal, timeout } = request;
      if (request.allowInsecureConnection !== true && !/^https:/i.test(url)) {
        throw new Error(`Cannot connect to ${url} while allowInsecureConnection is false.`);
      }
      const limits = leash([abortSignal], timeout, () => new AbortError(ABORTED));
      try {
        const response = await queue.fetch(url, { ...initOf(request), signal: limits.signal ?? null });
        limits.arrived();
        return await answerOf(response, request, limits);
      } catch (failure) {
        limits.release();
        throw limits.signal?.aborted === true ? new AbortError(ABORTED) : sdkError(failure, request);
      }
    },
  };
}

/** Redirects are the pipeline's. */
function initOf({ method, headers, body: given }: AzureRequest): RequestInit {
  const body: unknown = typeof given === 'function' ? given() : given;
  const init = {
    method,
    headers: plain(new Headers([...headers])),
    body: body ?? null,
    duplex: 'half',
    redirect: 'manual',
  };
  return init as RequestInit;
}

async function answerOf<Request extends AzureRequest>(
  response: Response,
  request: Request,
  limits: Leash,
): Promise<AzureResponse<Request>> {
  const { status } = response;
  const headers = new (request.headers.constructor as new () => Request['headers'])();
  // Of several with one name, the SDK has the first.
  for (const [name, value] of headersOf(response)) if (!headers.has(name)) headers.set(name, value);
  const { streamResponseStatusCodes: streamed } = request;
  const stream = streamOf(response).once('close', () => limits.release());
  if (request.method === 'HEAD') return { request, status, headers };
  if (streamed?.has(status) === true || streamed?.has(Number.POSITIVE_INFINITY) === true) {
    return { request, status, headers, readableStreamBody: stream };
  }
  const bytes = await bytesOf(stream).catch((detail: Error) => {
    throw new RestError(`Error reading response as text: ${detail.message}`, 'PARSE_ERROR', { request, detail });
  });
  return { request, status, headers, bodyAsText: bytes.toString() };
}

function sdkError(failure: unknown, request: AzureRequest): Error {
  if (failure instanceof RestError) return failure;
  const error = wireError(failure);
  const code = isOfQueue(error) ? undefined : error.code;
  return new RestError(error.message, code ?? 'REQUEST_SEND_ERROR', { request, detail: error });
}
