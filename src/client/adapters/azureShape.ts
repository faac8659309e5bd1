import type { Readable } from 'node:stream';
import type { SignalLike } from './leash.ts';

/** Headers of the SDK's own kind. */
export interface AzureHeaders extends Iterable<[string, string]> {
  has(name: string): boolean;
  set(name: string, value: string): void;
}

/** What a pipeline hands to its client. */
export interface AzureRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: AzureHeaders;
  readonly body?: unknown;
  /** Ms; 0 for none. */
  readonly timeout?: number | undefined;
  readonly abortSignal?: SignalLike | undefined;
  /** Answers that are given as streams; infinity stands for all. */
  readonly streamResponseStatusCodes?: { has(status: number): boolean } | undefined;
  readonly allowInsecureConnection?: boolean | undefined;
}

export interface AzureResponse<Request extends AzureRequest> {
  request: Request;
  status: number;
  headers: Request['headers'];
  bodyAsText?: string;
  readableStreamBody?: Readable;
}

export interface AzureHttpClient {
  sendRequest<Request extends AzureRequest>(request: Request): Promise<AzureResponse<Request>>;
}

/** As `isRestError` of the SDK knows it. What may hold secrets is not enumerable. */
export class RestError extends Error {
  override readonly name = 'RestError';
  readonly code: string;

  constructor(message: string, code: string, hidden: { readonly request: object; readonly detail: unknown }) {
    super(message);
    this.code = code;
    for (const [key, value] of Object.entries(hidden)) Object.defineProperty(this, key, { value });
  }
}
