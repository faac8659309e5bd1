import type { Fetch } from './types.ts';

/** Node's own fetch, as it was when the tests were loaded. */
export const nativeFetch: Fetch = globalThis.fetch;
