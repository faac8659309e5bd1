import type { Clock } from '../../../system/clock.ts';
import type { Backend } from '../../types/backend.ts';
import type { RequestFilter } from '../../types/request.ts';
import type { Journal } from './Journal.ts';
import type { Report } from './Report.ts';

/** What the passes of a move share. */
export interface MigrationParts {
  readonly from: Backend;
  readonly to: Backend;
  /** Id of the store that is moved out of. */
  readonly store: string;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly report: Report;
  readonly filter: RequestFilter;
  readonly limits: { readonly maxSize: number; readonly maxBytes: number };
  readonly pageSize: number;
  /** Principals that are digests of credentials are the same in both stores. */
  readonly sharesKeys: boolean;
  readonly signal: AbortSignal | undefined;
}
