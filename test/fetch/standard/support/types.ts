import type { Site } from './site.ts';

/** What SDKs pass beside the standard members: unknown ones are ignored by a standard fetch. */
export type FetchInit = RequestInit & Readonly<Record<string, unknown>>;

/** A fetch under test. */
export type Fetch = (input: string | URL | Request, init?: FetchInit) => Promise<Response>;

/** One fact about fetch: throws where it does not hold. Each run has a site of its own. */
export interface Case {
  readonly name: string;
  run(fetch: Fetch, site: Site): Promise<void>;
}

/** Facts about one topic. A store-and-replay that keeps only method, URL, headers and text breaks at least one of them. */
export interface Group {
  readonly name: string;
  readonly cases: readonly Case[];
}
