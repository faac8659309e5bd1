import type { RateAlgorithm, RateLimit, Taken } from './RateLimiter.ts';
import { COUNTED_SLOTS, lapsesAt, SLOTS, slotAt, slotEnd } from './slots.ts';

/**
 * A rolling count of calls in {@link SLOTS} slots. A call counts until its slot lies wholly outside the window, so never more than
 * `max` start in any half-open window of `perMs`, and a place comes free up to a slot later than it could.
 */
export class SlidingWindow implements RateAlgorithm {
  #limit: RateLimit;
  /** A ring: slot s is at s modulo its length. */
  readonly #counts = new Float64Array(COUNTED_SLOTS);
  /** The newest slot. */
  #head: number;
  #total = 0;
  #lastAt: number;

  constructor(limit: RateLimit, now: number) {
    this.#limit = limit;
    this.#head = slotAt(now, limit.perMs);
    this.#lastAt = now;
  }

  available(now: number): number {
    this.#advance(now);
    return Math.max(0, this.#limit.max - this.#total);
  }

  take(n: number, now: number): void {
    this.#advance(now);
    this.#add(this.#head, n);
    this.#lastAt = Math.max(this.#lastAt, now);
  }

  giveBack(n: number, takenAt: number): void {
    let slot = Math.min(slotAt(takenAt, this.#limit.perMs), this.#head);
    for (let rest = n; rest > 0 && slot > this.#head - COUNTED_SLOTS; slot--) {
      const given = Math.min(rest, this.#count(slot));
      this.#add(slot, -given);
      rest -= given;
    }
  }

  nextAt(now: number): number {
    this.#advance(now);
    let tooMany = this.#total - this.#limit.max + 1;
    if (tooMany <= 0) return now;
    let slot = this.#head - SLOTS;
    for (; slot < this.#head; slot++) {
      tooMany -= this.#count(slot);
      if (tooMany <= 0) break;
    }
    return lapsesAt(slot, this.#limit.perMs);
  }

  isAtRest(now: number): boolean {
    this.#advance(now);
    return this.#total === 0;
  }

  /** As if what is left had been taken evenly over the window that ends now. */
  empty(now: number): void {
    this.#advance(now);
    const left = Math.max(0, this.#limit.max - this.#total);
    for (let part = 0; part < SLOTS; part++) {
      const n = Math.floor(((part + 1) * left) / SLOTS) - Math.floor((part * left) / SLOTS);
      this.#add(this.#head - SLOTS + 1 + part, n);
    }
    this.#lastAt = Math.max(this.#lastAt, now);
  }

  update(limit: RateLimit): void {
    const isRecut = limit.perMs !== this.#limit.perMs;
    const taken = isRecut ? this.history() : [];
    this.#limit = limit;
    if (!isRecut) return;
    this.#counts.fill(0);
    this.#total = 0;
    this.#head = 0;
    for (const { n, at } of taken) this.take(n, at);
  }

  history(): readonly Taken[] {
    const taken: Taken[] = [];
    for (let slot = this.#head - SLOTS; slot <= this.#head; slot++) {
      const n = this.#count(slot);
      if (n > 0) taken.push({ n, at: Math.min(slotEnd(slot, this.#limit.perMs), this.#lastAt) });
    }
    return taken;
  }

  #advance(now: number): void {
    const slot = slotAt(now, this.#limit.perMs);
    if (slot <= this.#head) return;
    const oldest = this.#head - SLOTS;
    const lapsed = Math.min(slot - this.#head, COUNTED_SLOTS);
    for (let index = 0; index < lapsed && this.#total > 0; index++)
      this.#add(oldest + index, -this.#count(oldest + index));
    this.#head = slot;
  }

  #count(slot: number): number {
    return this.#counts[place(slot)] ?? 0;
  }

  #add(slot: number, n: number): void {
    const index = place(slot);
    this.#counts[index] = (this.#counts[index] ?? 0) + n;
    this.#total += n;
  }
}

/** Slots before that of the clock's zero are negative. */
function place(slot: number): number {
  return ((slot % COUNTED_SLOTS) + COUNTED_SLOTS) % COUNTED_SLOTS;
}
