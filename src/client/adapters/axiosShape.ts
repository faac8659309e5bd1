import type { AxiosTarget } from './axiosUrl.ts';
import type { SignalLike } from './leash.ts';

/** Of the kind that axios had before signals. */
export interface AxiosCancelToken {
  readonly reason?: unknown;
  readonly subscribe?: (listener: () => void) => void;
  readonly unsubscribe?: (listener: () => void) => void;
}

/** What axios (1.x) hands to its adapters: defaults merged, `data` transformed; the URL is still in parts. */
export interface AxiosCall extends AxiosTarget {
  readonly method?: string | undefined;
  /** `AxiosHeaders`. */
  readonly headers?: object | undefined;
  readonly data?: unknown;
  readonly auth?: { readonly username?: string; readonly password?: string } | undefined;
  readonly timeout?: number | string | undefined;
  readonly timeoutErrorMessage?: string | undefined;
  readonly transitional?: { readonly clarifyTimeoutError?: boolean } | undefined;
  readonly signal?: SignalLike | undefined;
  readonly cancelToken?: AxiosCancelToken | undefined;
  readonly responseType?: string | undefined;
  readonly responseEncoding?: string | undefined;
  readonly maxRedirects?: number | undefined;
  readonly decompress?: boolean | undefined;
  readonly maxBodyLength?: number | undefined;
  readonly maxContentLength?: number | undefined;
  readonly validateStatus?: ((status: number) => boolean) | null | undefined;
  readonly transformResponse?: unknown;
}

/** What axios (1.x) expects of its adapters. */
export interface AxiosAnswer<Config> {
  data: unknown;
  status: number;
  statusText: string;
  headers: AxiosAnswerHeaders;
  config: Config;
  request: object;
}

export type AxiosAnswerHeaders = Record<string, string> & { 'set-cookie'?: string[] };
