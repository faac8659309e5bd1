import { headerValue } from '../strategies/headerValue.ts';
import { storedResult } from '../strategies/storedResult.ts';
import type { HeaderList, HttpResponse, LiveAnswer, RequestContent } from '../types/request.ts';
import type { Admitted } from './admit.ts';
import type { Context } from './context.ts';
import type { Placed } from './placeIndex.ts';
import { PlaceIndex } from './placeIndex.ts';
import type { JoinableRead, ReadMemory } from './readJoins.ts';
import type { Seals } from './seals.ts';
import type { Standstill } from './standstill.ts';
import type { Submission } from './submission.ts';

/** A good answer, as it is given again. */
interface Remembered extends Placed {
  readonly digest: string;
  readonly shelf: Shelf;
  readonly response: HttpResponse;
  readonly bytes: number;
  /** Monotonic and wall time at which the server made it, as far as it said so. */
  readonly madeAt: number;
  readonly madeAtWall: number;
}

/** A good answer that its only caller is reading: what there is of it so far. */
interface Awaited extends Placed {
  readonly digest: string;
  readonly shelf: Shelf;
  bytes: number;
}

/** Those of one zone, the one unused the longest first. */
interface Shelf {
  readonly byDigest: Map<string, Remembered>;
  bytes: number;
  readonly awaited: Map<string, Awaited>;
  awaitedBytes: number;
}

/** When an answer came: monotonic and wall time. */
interface Arrival {
  readonly at: number;
  readonly atWall: number;
}

/** What a remembered answer takes beside its text. */
const OVERHEAD_BYTES = 256;
/** Ways to say that an answer of before is not wanted. */
const FRESH_ONLY: ReadonlySet<string> = new Set(['no-store', 'no-cache', 'reload']);

/**
 * The last good answers of reads, given again while their zone takes no call, to whoever could have shared them: the digest by which reads are joined
 * says who may. As with a join, a write to the path or the lane of a read ends that: nobody is shown less than what they
 * have done themselves.
 */
class StaleReads implements ReadMemory {
  readonly #context: Context;
  readonly #standstill: Standstill;
  readonly #seals: Seals;
  readonly #ended: (id: string) => void;
  readonly #shelves = new Map<string, Shelf>();
  readonly #places = new PlaceIndex<Remembered>();
  readonly #awaitedPlaces = new PlaceIndex<Awaited>();

  /** `ended`: nothing of the request needs to be remembered. */
  constructor(context: Context, standstill: Standstill, seals: Seals, ended: (id: string) => void) {
    this.#context = context;
    this.#standstill = standstill;
    this.#seals = seals;
    this.#ended = ended;
  }

  answered(read: JoinableRead, content: RequestContent, answer: HttpResponse, isGood: boolean): void {
    const { digest, zone } = read;
    // A server that fails says nothing about what it said before; one that refuses does.
    if (zone.policy.staleReads === undefined || answer.status >= 500) return;
    const shelf = this.#shelves.get(zone.name);
    const [before, awaited] = [shelf?.byDigest.get(digest), shelf?.awaited.get(digest)];
    if (before !== undefined) this.#forget(before);
    if (awaited !== undefined) this.#giveUp(awaited);
    const isKept = isGood && answer.status >= 200 && answer.status <= 299;
    if (!isKept || isFreshOnly(content) || isUnkeepable(answer.headers)) return;
    const { live, ...rest } = answer;
    const { clock } = this.#context;
    const arrival = { at: clock.monotonicNow(), atWall: clock.now() };
    if (live?.isPartial === true) this.#keepOnceRead(read, zone.policy.staleReads, live, arrival, rest);
    else this.#keep(read, zone.policy.staleReads, arrival, rest);
  }

  /** Its one caller reads it: when that has read it to its end, and nothing came in between, it is kept. */
  #keepOnceRead(
    read: JoinableRead,
    policy: { readonly maxBytes: number },
    live: LiveAnswer,
    arrival: Arrival,
    answer: HttpResponse,
  ): void {
    const { digest, place, lane, zone } = read;
    const shelf = this.#shelfOf(zone.name);
    const one: Awaited = { digest, place, lane, shelf, bytes: 0 };
    shelf.awaited.set(digest, one);
    this.#awaitedPlaces.add(one);
    live.copyTo({
      takes: (bytes) => {
        if (!isAwaited(one) || shelf.awaitedBytes + bytes > policy.maxBytes) return false;
        one.bytes += bytes;
        shelf.awaitedBytes += bytes;
        return true;
      },
      over: (whole) => {
        if (!isAwaited(one)) return;
        this.#giveUp(one);
        if (whole !== undefined) this.#keep(read, policy, arrival, { ...answer, ...whole });
      },
    });
  }

  #giveUp(one: Awaited): void {
    const { shelf, digest, bytes } = one;
    if (!isAwaited(one)) return;
    shelf.awaited.delete(digest);
    shelf.awaitedBytes -= bytes;
    this.#awaitedPlaces.remove(one);
  }

  #keep(
    { digest, place, lane, zone }: JoinableRead,
    policy: { readonly maxBytes: number },
    arrival: Arrival,
    answer: HttpResponse,
  ): void {
    const { body, ...rest } = storedResult(answer, false, policy.maxBytes);
    if (body === null) return;
    const bytes = OVERHEAD_BYTES + 2 * digest.length + place.length + body.byteLength + sizeOf(rest.headers);
    if (bytes > policy.maxBytes) return;
    const shelf = this.#shelfOf(zone.name);
    const ageMs = 1_000 * ageOf(answer.headers);
    const one: Remembered = {
      digest,
      place,
      lane,
      shelf,
      // Of its own: its caller may do with the bytes what it likes.
      response: { ...rest, body: new Uint8Array(body) },
      bytes,
      madeAt: arrival.at - ageMs,
      madeAtWall: arrival.atWall - ageMs,
    };
    shelf.byDigest.set(digest, one);
    shelf.bytes += bytes;
    this.#places.add(one);
    for (const oldest of shelf.byDigest.values()) {
      if (shelf.bytes <= policy.maxBytes) break;
      this.#forget(oldest);
    }
  }

  serve(submission: Submission, { request, zone, readDigest }: Admitted): boolean {
    const { staleReads: policy } = zone.policy;
    const found = readDigest === null ? undefined : this.#shelves.get(zone.name)?.byDigest.get(readDigest);
    if (policy === undefined || found === undefined || !this.#isWanted(request)) return false;
    if (this.#standstill.of(zone) === undefined) return false;
    const ageMs = this.#ageMs(found);
    if (ageMs > policy.maxAgeMs) {
      this.#forget(found);
      return false;
    }
    const { byDigest } = found.shelf;
    byDigest.delete(found.digest);
    byDigest.set(found.digest, found);
    const { id } = request;
    submission.answer({
      id,
      zone: zone.name,
      state: 'succeeded',
      reason: 'applied',
      response: aged(found.response, ageMs),
      error: undefined,
      deduplicated: false,
      degraded: true,
    });
    this.#ended(id);
    this.#context.emitter.emit('read:servedStale', { requestId: id, zone: zone.name, ageMs });
    return true;
  }

  closeFor(write: Placed): void {
    for (const one of this.#places.changedBy(write)) this.#forget(one);
    for (const one of this.#awaitedPlaces.changedBy(write)) this.#giveUp(one);
  }

  /** Not by who is away, nor in place of an answer that something else comes before. */
  #isWanted({ principal, notBefore, after }: Admitted['request']): boolean {
    const isLater = after.length > 0 || (notBefore !== null && notBefore > this.#context.clock.now());
    return !isLater && !this.#seals.has(principal);
  }

  /** By the clock that is ahead: the wall may have been set back, and the other one stands still while the machine sleeps. */
  #ageMs({ madeAt, madeAtWall }: Remembered): number {
    const { clock } = this.#context;
    return Math.max(clock.monotonicNow() - madeAt, clock.now() - madeAtWall);
  }

  #shelfOf(zone: string): Shelf {
    const known = this.#shelves.get(zone);
    if (known !== undefined) return known;
    const shelf: Shelf = { byDigest: new Map(), bytes: 0, awaited: new Map(), awaitedBytes: 0 };
    this.#shelves.set(zone, shelf);
    return shelf;
  }

  #forget(one: Remembered): void {
    const { shelf, digest, bytes } = one;
    if (shelf.byDigest.get(digest) !== one) return;
    shelf.byDigest.delete(digest);
    shelf.bytes -= bytes;
    this.#places.remove(one);
  }
}

/** Undefined where no zone gives answers of before. */
export function staleReadsOf(
  context: Context,
  standstill: Standstill,
  seals: Seals,
  ended: (id: string) => void,
): StaleReads | undefined {
  const isAsked = Object.values(context.config.zones).some(({ staleReads }) => staleReads !== undefined);
  return isAsked ? new StaleReads(context, standstill, seals, ended) : undefined;
}

function isAwaited(one: Awaited): boolean {
  return one.shelf.awaited.get(one.digest) === one;
}

/** It asks for what the server has now (RFC 9111, and `cache` of fetch). */
function isFreshOnly({ headers, fetch }: RequestContent): boolean {
  return FRESH_ONLY.has(fetch?.cache ?? '') || directives(headers).some((directive) => FRESH_ONLY.has(directive));
}

/** It must not be kept, or nobody could say for which requests it is right. */
function isUnkeepable(headers: HeaderList): boolean {
  return directives(headers).includes('no-store') || headerValue(headers, 'vary')?.trim() === '*';
}

function directives(headers: HeaderList): string[] {
  const lists = headers.filter(([name]) => name.toLowerCase() === 'cache-control').map(([, value]) => value);
  return lists.flatMap((list) => list.split(',').map((directive) => directive.trim().toLowerCase()));
}

/** How old it was when it came, in seconds. */
function ageOf(headers: HeaderList): number {
  const seconds = Number(headerValue(headers, 'age') ?? 0);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

function aged({ body, headers, ...rest }: HttpResponse, ageMs: number): HttpResponse {
  const others = headers.filter(([name]) => name.toLowerCase() !== 'age');
  return { ...rest, headers: [...others, ['age', String(Math.floor(ageMs / 1_000))]], body: new Uint8Array(body) };
}

function sizeOf(headers: HeaderList): number {
  return headers.reduce((size, [name, value]) => size + name.length + value.length, 0);
}
