import type { MovedRequest } from './moved.ts';
import type { EndedRequest } from './request.ts';

/** What was past its time, and what its end moved. */
export interface ExpireResult {
  readonly ended: readonly EndedRequest[];
  readonly moved: readonly MovedRequest[];
}

/** Who repairs, and how much at a time. */
export interface RecoverQuery {
  readonly worker: string;
  readonly now: number;
  readonly leaseNow: number;
  readonly limit: number;
}

/** What a repair moved and ended; `more`: another call finds more. */
export interface RecoverResult {
  readonly recovered: readonly MovedRequest[];
  readonly ended: readonly EndedRequest[];
  readonly more: boolean;
}

/** What may be deleted. */
export interface PurgeQuery {
  readonly now: number;
  readonly limit: number;
  readonly keepAfter: number;
  /** Delete these, whatever retention says. */
  readonly ids?: readonly string[] | undefined;
  readonly retention: {
    readonly succeededMs: number;
    readonly deadMs: number;
    readonly maxRecords: number;
    readonly maxBytes: number;
  };
}
