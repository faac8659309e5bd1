import type { Clock } from '../../system/clock.ts';
import { isHarmless } from '../strategies/effect.ts';
import { canonicalContent, digestOf } from '../strategies/fingerprint.ts';
import type { Effect, HeaderList, NewRequest, StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import { headerOf } from './headerList.ts';
import type { Identities } from './identify.ts';
import type { LiveCredentials, LiveSecret } from './liveCredentials.ts';
import type { SentRequest } from './sentRequest.ts';

/** How long a request whose caller was told that its outcome is unknown may be joined by the same call, as an SDK's own retry is. */
const JOINABLE_IN_DOUBT_MS = 60_000;
/** How long after its settlement a request left by its caller may still be joined by the same call. */
const JOINABLE_AFTER_SETTLED_MS = 60_000;
/** By which an SDK that signs each try knows its call again: the same over all tries, and nobody else's. */
const INVOCATION = 'amz-sdk-invocation-id';
/** Bound on what is remembered; the oldest is forgotten. */
const MAX_REMEMBERED = 10_000;

type Content = Pick<
  NewRequest | StoredRequest | SentRequest,
  'zone' | 'principal' | 'lane' | 'content' | 'key' | 'auth'
>;

/**
 * Requests whose callers went away after they were sent: typically an SDK's own timeout, followed by its own retry. The
 * retry is the same intent, so it joins what it left instead of being sent a second time. Where the secrets came with the call, the same ones
 * must come with the retry: a principal alone may be no more than claimed.
 */
export class Detached {
  readonly #clock: Clock;
  readonly #live: LiveCredentials;
  readonly #identities: Identities;
  readonly #byDigest = new Map<string, { readonly id: string; readonly lane: string | null; until: number }>();
  readonly #byLane = new Map<string, Set<string>>();
  readonly #digests = new Map<string, string>();

  constructor(clock: Clock, live: LiveCredentials, identities: Identities) {
    this.#clock = clock;
    this.#live = live;
    this.#identities = identities;
  }

  /** The secrets that came with a call, known until it ends: ask when its caller leaves. */
  secretOf(id: string): LiveSecret | undefined {
    return this.#live.own(id);
  }

  /** Nobody knows what became of it, and its caller was told so: the same call once more must not be a second send. */
  leftInDoubt(
    request: Content & { readonly id: string; readonly effect: Effect },
    secret: LiveSecret | undefined,
  ): void {
    // An idempotent write is simply made again.
    if (isHarmless(request.effect, false)) return;
    this.add(request, secret);
    const entry = this.#byDigest.get(this.#digests.get(request.id) ?? '');
    if (entry !== undefined) entry.until = this.#clock.monotonicNow() + JOINABLE_IN_DOUBT_MS;
  }

  add(request: Content & { readonly id: string }, secret: LiveSecret | undefined): void {
    const { id, lane } = request;
    // Whose it is cannot be proved any more.
    if (request.auth === 'live' && secret === undefined) return;
    const digest = this.#digestOf(request, secret, this.#live.volatileOf(id));
    this.#byDigest.set(digest, { id, lane, until: Number.POSITIVE_INFINITY });
    if (lane !== null) this.#byLane.set(lane, (this.#byLane.get(lane) ?? new Set()).add(digest));
    this.#digests.set(id, digest);
    if (this.#byDigest.size <= MAX_REMEMBERED) return;
    const oldest = this.#byDigest.entries().next().value;
    if (oldest !== undefined) this.#forget(oldest[0], oldest[1].id);
  }

  settled(id: string): void {
    const digest = this.#digests.get(id);
    const entry = digest === undefined ? undefined : this.#byDigest.get(digest);
    if (entry?.until === Number.POSITIVE_INFINITY) {
      entry.until = this.#clock.monotonicNow() + JOINABLE_AFTER_SETTLED_MS;
    }
  }

  /** Those not known to have ended. */
  *open(): Generator<string> {
    for (const { id, until } of this.#byDigest.values()) if (until === Number.POSITIVE_INFINITY) yield id;
  }

  /** It is not to be joined after all. */
  drop(id: string): void {
    const digest = this.#digests.get(id);
    if (digest !== undefined) this.#forget(digest, id);
  }

  /**
   * The request that an equal write with equal secrets left behind, which is thereby no longer detached. Called with every write, in
   * call order.
   */
  find(
    request: Content,
    { secret, volatile }: { readonly secret: LiveSecret | null; readonly volatile: HeaderList },
    mayJoin: boolean,
  ): string | undefined {
    if (this.#byDigest.size === 0) return undefined;
    const digest = this.#digestOf(request, secret ?? undefined, volatile);
    const entry = this.#byDigest.get(digest);
    if (entry === undefined || !mayJoin) {
      this.#closeLane(request.lane);
      return undefined;
    }
    this.#forget(digest, entry.id);
    return this.#clock.monotonicNow() <= entry.until ? entry.id : undefined;
  }

  /** Another write comes after them: the same call once more would now have another effect. */
  #closeLane(lane: string | null): void {
    if (lane === null) return;
    for (const digest of this.#byLane.get(lane) ?? []) this.#forget(digest, this.#byDigest.get(digest)?.id ?? '');
  }

  #forget(digest: string, id: string): void {
    const lane = this.#byDigest.get(digest)?.lane ?? null;
    this.#byDigest.delete(digest);
    this.#digests.delete(id);
    const ofLane = lane === null ? undefined : this.#byLane.get(lane);
    ofLane?.delete(digest);
    if (lane !== null && ofLane?.size === 0) this.#byLane.delete(lane);
  }

  #digestOf(request: Content, secret: LiveSecret | undefined, volatile: HeaderList): string {
    const { method, path, headers, body, fetch: terms } = request.content;
    const { zone, lane, key } = request;
    const invocation = headerOf(volatile, INVOCATION);
    const signer = invocation === null ? undefined : signerOf(secret);
    // A retry that is signed anew has another signature, and with it another principal, but the same signer and invocation.
    const principal = signer === undefined ? request.principal : '';
    const shown = signer ?? (secret === undefined ? undefined : this.#identities.secretDigest(secret));
    const proof = invocation === null ? shown : `${shown ?? ''} ${invocation}`;
    const canonical = canonicalContent({ method, zone, path, principal, lane, headers, body, terms, secret: proof });
    // Another key is another intent.
    return `${key ?? ''} ${digestOf(canonical)}`;
  }
}

/** Who signed a call; undefined where it is not signed for the moment (AWS Signature Version 4). */
function signerOf(secret: LiveSecret | undefined): string | undefined {
  const signature = headerOf(secret?.headers ?? [], 'authorization');
  return signature === null ? undefined : /^AWS4-[^ ]* .*Credential=([^/, ]+)\//.exec(signature)?.[1];
}

/** Whether something was accepted in its lane after it. */
export async function isFollowed(store: RequestStore, { lane, seq }: StoredRequest): Promise<boolean> {
  if (lane === null) return false;
  const later = await store.find({ filter: { lane }, order: 'accepted', after: seq, limit: 1 });
  return later.requests.length > 0;
}
