import type { Clock } from '../../system/clock.ts';
import { canonicalContent, digestOf } from '../strategies/fingerprint.ts';
import type { NewRequest, StoredRequest } from '../types/request.ts';

/** How long after its settlement a request left by its caller may still be joined by the same call. */
const JOINABLE_AFTER_SETTLED_MS = 60_000;
/** Bound on what is remembered; the oldest is forgotten. */
const MAX_REMEMBERED = 10_000;

type Content = Pick<NewRequest | StoredRequest, 'zone' | 'principal' | 'lane' | 'content' | 'key'>;

/**
 * Requests whose callers went away after they were sent: typically an SDK's own timeout, followed by its own retry. The
 * retry is the same intent, so it joins what it left instead of being sent a second time.
 */
export class Detached {
  readonly #clock: Clock;
  readonly #byDigest = new Map<string, { readonly id: string; until: number }>();
  readonly #digests = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(request: Content & { readonly id: string }): void {
    const digest = contentDigest(request);
    this.#byDigest.set(digest, { id: request.id, until: Number.POSITIVE_INFINITY });
    this.#digests.set(request.id, digest);
    if (this.#byDigest.size <= MAX_REMEMBERED) return;
    const oldest = this.#byDigest.entries().next().value;
    if (oldest !== undefined) this.#forget(oldest[0], oldest[1].id);
  }

  settled(id: string): void {
    const digest = this.#digests.get(id);
    const entry = digest === undefined ? undefined : this.#byDigest.get(digest);
    if (entry !== undefined) entry.until = this.#clock.monotonicNow() + JOINABLE_AFTER_SETTLED_MS;
  }

  /** The request that an equal call left behind, which is thereby no longer detached. */
  find(request: Content): string | undefined {
    if (this.#byDigest.size === 0) return undefined;
    const digest = contentDigest(request);
    const entry = this.#byDigest.get(digest);
    if (entry === undefined) return undefined;
    this.#forget(digest, entry.id);
    return this.#clock.monotonicNow() <= entry.until ? entry.id : undefined;
  }

  #forget(digest: string, id: string): void {
    this.#byDigest.delete(digest);
    this.#digests.delete(id);
  }
}

function contentDigest(request: Content): string {
  const { method, path, headers, body } = request.content;
  const { zone, principal, lane, key } = request;
  // Another key is another intent.
  return `${key ?? ''} ${digestOf(canonicalContent({ method, zone, path, principal, lane, headers, body }))}`;
}
