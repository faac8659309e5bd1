import { HoldfastError } from '../../../errors.ts';
import type { Clock } from '../../../system/clock.ts';
import type { EnqueueBatch, EnqueueResult } from '../../types/store.ts';
import { isOutage, mayHaveArrived } from './outage.ts';
import type { Primary } from './Primary.ts';
import type { Spill } from './Spill.ts';

/** How long the store may take over a batch before those behind it in a lane wait for what becomes of it. */
const LANE_PATIENCE_MS = 20;
/** The same for all others: so that what waits here is less than what would fail one after the other. */
const PATIENCE_MS = 250;

interface Arrival {
  readonly batch: EnqueueBatch;
  readonly resolve: (results: EnqueueResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A batch that was handed to the store. */
interface Flight extends Arrival {
  /** Order of the calls. */
  readonly n: number;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** Read off the batch when somebody first asks. */
  lanes?: ReadonlySet<string>;
  error?: unknown;
}

/**
 * Where requests come in: straight to the store, or into the spill while the store cannot take them and until all that was
 * spilled is moved. What one process hands over keeps its order per lane:
 * - `direct`: to the store. A batch it takes long over holds back those behind it: the store may be back before all have failed,
 *   and a later one must not get there first.
 * - `settling`: one failed. Others may still be answered; new ones wait until all are.
 * - `spilling`: to the spill, the failed ones first. {@link hold} makes new ones wait while the last of it is moved.
 */
export class Entrance {
  readonly #primary: Primary;
  readonly #spill: Spill;
  readonly #clock: Clock;
  readonly #spilled: () => void;
  #mode: 'direct' | 'settling' | 'spilling' = 'direct';
  readonly #line: Arrival[] = [];
  readonly #flights = new Set<Flight>();
  #failed: Flight[] = [];
  /** Accepted by the store while one that was called before them was not answered. */
  #passed: Flight[] = [];
  #calls = 0;
  #puts = 0;
  /** How many requests may still be spilled before the next step of the move. */
  #room = Number.POSITIVE_INFINITY;
  readonly #whenIdle: (() => void)[] = [];

  /** `spilled` is called when something was put into the spill. */
  constructor(parts: { readonly primary: Primary; readonly spill: Spill; readonly clock: Clock }, spilled: () => void) {
    this.#primary = parts.primary;
    this.#spill = parts.spill;
    this.#clock = parts.clock;
    this.#spilled = spilled;
  }

  /** Something is or may be in the spill. */
  get isSpilling(): boolean {
    return this.#mode === 'spilling';
  }

  enqueue(batch: EnqueueBatch): Promise<EnqueueResult[]> {
    return new Promise((resolve, reject) => {
      this.#line.push({ batch, resolve, reject });
      this.#admit();
    });
  }

  /** From here on the spill is used: for what was found in it, and when nothing else is left to use. */
  spill(): void {
    this.#mode = this.#flights.size === 0 ? 'spilling' : 'settling';
    this.#room = Number.POSITIVE_INFINITY;
    this.#answered();
  }

  /** New requests wait until {@link release}. Resolves when all that came before are in the spill. */
  hold(): Promise<void> {
    this.#room = 0;
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
      this.#checkIdle();
    });
  }

  /** Ends {@link hold}, for so many requests: while the spill is moved, less goes in than comes out. */
  release(room: number): void {
    this.#room = room;
    this.#admit();
  }

  /** Ends {@link hold}: everything that was spilled here is in the store, and the way there is open again. */
  open(): void {
    if (this.#mode === 'spilling') this.#mode = 'direct';
    this.release(Number.POSITIVE_INFINITY);
  }

  /** Resolves when every request is in the store, in the spill, or refused. */
  async drained(): Promise<void> {
    while (this.#line.length > 0 || this.#flights.size > 0 || this.#puts > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
  }

  #admit(): void {
    for (let arrival = this.#line[0]; arrival !== undefined && this.#isOpen(arrival); arrival = this.#line[0]) {
      this.#line.shift();
      if (this.#mode === 'direct') this.#send(arrival);
      else {
        this.#room -= arrival.batch.requests.length;
        this.#put(arrival, false);
      }
    }
    this.#checkIdle();
  }

  #isOpen({ batch }: Arrival): boolean {
    if (this.#mode === 'spilling') return this.#room > 0;
    if (this.#mode === 'settling') return false;
    const [oldest] = this.#flights;
    if (oldest === undefined) return true;
    const age = this.#clock.monotonicNow() - oldest.startedAt;
    if (age <= LANE_PATIENCE_MS || age > PATIENCE_MS) return age <= LANE_PATIENCE_MS;
    return ![...this.#flights].some((flight) => sharesLane(flight, batch));
  }

  #send(arrival: Arrival): void {
    const flight: Flight = { ...arrival, n: this.#calls++, startedAt: this.#clock.monotonicNow() };
    this.#flights.add(flight);
    const answer = this.#primary.run(({ requests }) => requests.enqueue(arrival.batch));
    answer.then(
      (results) => {
        this.#flights.delete(flight);
        const [oldest] = this.#flights;
        const hasPassed = this.#failed.length > 0 || (oldest !== undefined && oldest.n < flight.n);
        if (hasPassed) this.#passed.push(flight);
        flight.resolve(results);
        this.#answered();
      },
      (error: unknown) => {
        this.#flights.delete(flight);
        if (isOutage(error)) {
          flight.error = error;
          this.#failed.push(flight);
          this.#mode = 'settling';
        } else flight.reject(error);
        this.#answered();
      },
    );
  }

  /** Once nothing is with the store any more, what failed is spilled in the order of the calls. */
  #answered(): void {
    if (this.#flights.size === 0) {
      const failed = this.#failed.sort((a, b) => a.n - b.n);
      const passed = this.#passed;
      this.#failed = [];
      this.#passed = [];
      if (this.#mode === 'settling') this.#mode = 'spilling';
      for (const flight of failed) {
        // The store came back just then, and took a later one of the same lane: this one's place is lost.
        if (passed.some((other) => other.n > flight.n && sharesLane(other, flight.batch))) {
          flight.reject(flight.error);
        } else this.#put(flight, mayHaveArrived(flight.error), flight.error);
      }
    }
    this.#admit();
  }

  #put(arrival: Arrival, inDoubt: boolean, outage?: unknown): void {
    this.#puts += 1;
    this.#spill
      .put(arrival.batch, inDoubt)
      .then(arrival.resolve, (error: unknown) => arrival.reject(refused(error, outage)))
      .finally(() => {
        this.#puts -= 1;
        this.#spilled();
        this.#checkIdle();
      })
      .catch(arrival.reject);
  }

  #checkIdle(): void {
    if (this.#puts > 0 || this.#flights.size > 0 || this.#whenIdle.length === 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function sharesLane(flight: Flight, { requests }: EnqueueBatch): boolean {
  flight.lanes ??= new Set(flight.batch.requests.flatMap(({ lane }) => lane ?? []));
  const { lanes } = flight;
  return lanes.size > 0 && requests.some(({ lane }) => lane !== null && lanes.has(lane));
}

/** Neither the store nor the spill took it. */
function refused(error: unknown, outage: unknown): unknown {
  if (!(outage instanceof HoldfastError) || !(error instanceof Error)) return error;
  const message = `${outage.message} Nor could it be spilled: ${error.message}`;
  return new HoldfastError(outage.code, message, outage.details, { cause: error });
}
