import type { RateHints } from '../../../../src/queue/strategies/rate/hints.ts';
import { rateHints } from '../../../../src/queue/strategies/rate/rateHints.ts';
import type { HeaderList } from '../../../../src/queue/types/request.ts';

/** Epoch ms of every answer that is read. */
export const NOW = Date.UTC(2030, 0, 1, 12, 0, 0);
export const DAY = 86_400_000;

const NOTHING: RateHints = { retryAfterMs: null, limit: null, remaining: null, resetMs: null, concurrency: null };

type Headers = Readonly<Record<string, string>> | HeaderList;

/** What headers tell: the fields that are not null, or null for nothing. */
export type Case = readonly [what: string, headers: Headers, told: Partial<RateHints> | null];

export function date(at: number): string {
  return new Date(at).toUTCString();
}

export function read(headers: Headers): RateHints | null {
  return rateHints(Array.isArray(headers) ? headers : Object.entries(headers), NOW);
}

export function expected(told: Partial<RateHints> | null): RateHints | null {
  return told === null ? null : { ...NOTHING, ...told };
}
