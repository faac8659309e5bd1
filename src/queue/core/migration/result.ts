import type { RequestState } from '../../types/states.ts';

/**
 * Why a request stays where it is:
 * - `sending`, `unknown`: a process has it in hand, or nobody knows whether it was applied
 * - `process`: only a living process can send it, which has its credentials or waits for its answer
 * - `moving`: it is on its way in from a third store
 * - `order`: it goes with another one that stays: of its lane, or tied to it by `after`
 * - `reference`: it refers to the result of a request that ended here
 * - `principal`: its principal is a digest of a credential, by a key that differs in the other store
 * - `full`, `keyConflict`, `dependency`: refused by the other store, as `enqueue` would
 * - `present`: the other store has a record with its id
 * - `busy`: it kept changing
 */
export type WhyRefused =
  | 'sending'
  | 'unknown'
  | 'process'
  | 'moving'
  | 'order'
  | 'reference'
  | 'principal'
  | 'full'
  | 'keyConflict'
  | 'dependency'
  | 'present'
  | 'busy';

/** A request that was to be moved and was not. */
export interface RefusedRequest {
  readonly id: string;
  readonly zone: string;
  /** As it was found. */
  readonly state: RequestState;
  readonly why: WhyRefused;
  /** The request it goes with, or what the other store said; null otherwise. */
  readonly detail: string | null;
}

export interface MigrationResult {
  /** Requests that are in the other store now, those of an interrupted call included. */
  readonly moved: number;
  /** Schedules that went along. Where the other store had one of the same name, that one counts. */
  readonly schedules: number;
  /** Requests that match and stay where they are. */
  readonly refusedCount: number;
  /** The first 1,000 of them. */
  readonly refused: readonly RefusedRequest[];
}

/** How far a move has come. Phases follow each other; newcomers are set aside and copied in further rounds. */
export interface MigrationProgress {
  /** `release`: what an interrupted call had handed over. `giveBack`: what stays. */
  readonly phase: 'setAside' | 'copy' | 'giveBack' | 'handOver' | 'release';
  /** Requests of this phase so far. */
  readonly requests: number;
}
