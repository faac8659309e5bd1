import { isOfQueue, wireError } from './wireError.ts';

/** Axios's error class, as far as an adapter uses it. */
export interface AxiosErrorClass {
  new (message?: string, code?: string, config?: never, request?: unknown, response?: never): Error;
  from(error: Error, code?: string, config?: never, request?: unknown, response?: never): Error;
}

/** Errors of one call. */
export class AxiosFailures {
  readonly #Class: AxiosErrorClass;
  readonly #config: never;
  readonly request: object;

  constructor(Class: AxiosErrorClass | undefined, config: object, request: object) {
    this.#Class = Class ?? (LikeAxiosError as AxiosErrorClass);
    this.#config = config as never; // what it is, the class knows
    this.request = request;
  }

  make(message: string, code: string, answer?: object): Error {
    return new this.#Class(message, code, this.#config, this.request, answer as never);
  }

  /** Of what `fetch` was rejected with: under the code of the connection's error, as axios has it in Node. */
  ofFetch(failure: unknown): Error {
    const error = wireError(failure);
    const hasFailed = failure instanceof TypeError && failure.message === 'fetch failed'; // else it could not be asked for
    const code = isOfQueue(error) ? undefined : error.code;
    return this.#Class.from(error, code ?? (hasFailed ? 'ERR_NETWORK' : 'ERR_BAD_REQUEST'), this.#config, this.request);
  }

  ofStatus(answer: { readonly status: number }): Error {
    const { status } = answer;
    const code = status >= 400 && status < 500 ? 'ERR_BAD_REQUEST' : 'ERR_BAD_RESPONSE';
    return this.make(`Request failed with status code ${status}`, code, answer);
  }
}

/**
 * The class of the axios that calls, which it does not hand to its adapters: it is what axios's own `transformResponse` throws over text
 * that is no JSON. Undefined where that was replaced.
 */
export function errorClassOf(transforms: unknown): AxiosErrorClass | undefined {
  const strict = { responseType: 'json', transitional: { silentJSONParsing: false } };
  for (const transform of [transforms].flat()) {
    if (typeof transform !== 'function' || transform.name !== 'transformResponse') continue;
    try {
      transform.call(strict, '{');
    } catch (error) {
      const found: unknown = (error as Partial<Error>).constructor;
      if (typeof found === 'function' && 'ERR_NETWORK' in found) return found as unknown as AxiosErrorClass;
    }
  }
  return undefined;
}

/** What `axios.isAxiosError` takes for one, where axios's own class is not to be had. */
class LikeAxiosError extends Error {
  override name = 'AxiosError';
  readonly isAxiosError = true;
  readonly code: string | undefined;
  readonly config: unknown;
  readonly request: unknown;
  readonly response: unknown;
  readonly status: number | undefined;

  constructor(message?: string, code?: string, config?: unknown, request?: unknown, response?: unknown) {
    super(message);
    this.code = code;
    this.config = config;
    this.request = request;
    this.response = response;
    this.status = (response as { readonly status?: number } | undefined)?.status;
  }

  static from(error: Error, code?: string, config?: unknown, request?: unknown, response?: unknown): LikeAxiosError {
    const made = new LikeAxiosError(error.message, code, config, request, response);
    return Object.defineProperty(made, 'cause', { value: error });
  }

  toJSON(): object {
    const { name, message, code, status } = this;
    return { name, message, code, status };
  }
}
