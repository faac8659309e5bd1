import type { StoredRequest } from '../../types/request.ts';
import type { MigrationProgress, MigrationResult, RefusedRequest, WhyRefused } from './result.ts';

/** Refused requests that are listed. */
const MOST_LISTED = 1_000;

/** Collects what a move did. */
export class Report {
  readonly #onProgress: ((progress: MigrationProgress) => void) | undefined;
  readonly #refused: RefusedRequest[] = [];
  #refusedCount = 0;
  #moved = 0;
  #schedules = 0;
  #progress: MigrationProgress = { phase: 'setAside', requests: 0 };

  constructor(onProgress: ((progress: MigrationProgress) => void) | undefined) {
    this.#onProgress = onProgress;
  }

  get result(): MigrationResult {
    return { moved: this.#moved, schedules: this.#schedules, refusedCount: this.#refusedCount, refused: this.#refused };
  }

  refused(request: StoredRequest, why: WhyRefused, detail: string | null = null): void {
    this.#refusedCount += 1;
    if (this.#refused.length >= MOST_LISTED) return;
    const { id, zone, state } = request;
    this.#refused.push({ id, zone, state, why, detail });
  }

  moved(requests: number): void {
    this.#moved += requests;
  }

  scheduleMoved(): void {
    this.#schedules += 1;
  }

  step(phase: MigrationProgress['phase'], requests: number): void {
    const before = this.#progress.phase === phase ? this.#progress.requests : 0;
    this.#progress = { phase, requests: before + requests };
    if (requests > 0) this.#onProgress?.(this.#progress);
  }
}
