import { failureOf } from '../strategies/signature.ts';
import type { StoredRequest } from '../types/request.ts';
import type { Reason } from '../types/states.ts';
import { statusClass } from './letterFilter.ts';

/** How many dead letters there are, of which kinds. */
export interface DeadLetterStats {
  /** Those that the filter means: what the bulk verbs are applied to. */
  readonly count: number;
  /** Of `count`: replayed, and not. */
  readonly replayed: number;
  readonly untouched: number;
  /** All that match whose caller was given the answer; part of `count` only where the filter includes such. */
  readonly told: number;
  /** By zone; beyond 1,000 zones the rest is under `other`. */
  readonly byZone: Readonly<Record<string, number>>;
  readonly byReason: Readonly<Partial<Record<Reason, number>>>;
  /** By class of the last answer's status (`4xx`), or the code of the transport error, or `none` where nothing was sent. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Bytes of their content. */
  readonly bytes: number;
  /** Epoch ms at which the first and the last of them ended; null where there are none. */
  readonly oldestAt: number | null;
  readonly newestAt: number | null;
}

/** Names counted apart, of zones and of statuses. */
const MAX_NAMES = 1_000;

/** Counts dead letters in one pass. */
export class LetterStats {
  readonly #byZone = new Map<string, number>();
  readonly #byReason = new Map<string, number>();
  readonly #byStatus = new Map<string, number>();
  #count = 0;
  #replayed = 0;
  #told = 0;
  #bytes = 0;
  #oldestAt: number | null = null;
  #newestAt: number | null = null;

  /** One that matches; `isMeant` where it is not left out for having been told. */
  add(request: StoredRequest, isMeant: boolean): void {
    if (request.told) this.#told += 1;
    if (!isMeant) return;
    const { zone, reason, bytes, replayedAs, endedAt, acceptedAt } = request;
    const { status, error } = failureOf(request);
    const at = endedAt ?? acceptedAt; // dead: it has ended
    this.#count += 1;
    this.#bytes += bytes;
    if (replayedAs !== null) this.#replayed += 1;
    raise(this.#byZone, zone);
    raise(this.#byReason, reason);
    raise(this.#byStatus, status === null ? (error ?? 'none') : statusClass(status));
    this.#oldestAt = Math.min(this.#oldestAt ?? at, at);
    this.#newestAt = Math.max(this.#newestAt ?? at, at);
  }

  read(): DeadLetterStats {
    return {
      count: this.#count,
      replayed: this.#replayed,
      untouched: this.#count - this.#replayed,
      told: this.#told,
      byZone: Object.fromEntries(this.#byZone),
      byReason: Object.fromEntries(this.#byReason),
      byStatus: Object.fromEntries(this.#byStatus),
      bytes: this.#bytes,
      oldestAt: this.#oldestAt,
      newestAt: this.#newestAt,
    };
  }
}

function raise(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < MAX_NAMES ? name : 'other';
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
