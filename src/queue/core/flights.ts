import type { Group } from './called.ts';
import type { Channel, Tickets } from './gates/Channel.ts';
import type { CallEnd } from './gates/Feedback.ts';
import type { Judged } from './judge.ts';
import type { SentRequest } from './sentRequest.ts';

/** What a call holds of the gates, and what they are to be told of it, once there is something. */
export interface Permit {
  via: Channel;
  tickets: Tickets;
  /** Its zone was closed when it started: it finds out about that. */
  readonly isCanary: boolean;
  shown: CallEnd | undefined;
  /** Set while the permit is that of a group: which gives it back, and tells the gates of its calls. */
  group: Group | undefined;
}

/** One request being sent by this process. Its zone is the one it is sent to. */
export interface Flight extends Judged {
  readonly permit: Permit;
  /** Closes the wire, for reads whose caller left. */
  readonly abort: AbortController | undefined;
  /** Wait for its end. */
  readonly whenOver: (() => void)[];
}

/** Requests sent and not settled. */
export class Flights {
  readonly #flights = new Map<string, Flight>();
  #whenEmpty: (() => void)[] = [];

  /** Whoever waits for the end of an attempt that was lost waits for that of the one which takes its place: the other ends unheard. */
  add(flight: Flight): void {
    const { id } = flight.request;
    flight.whenOver.push(...(this.#flights.get(id)?.whenOver ?? []));
    this.#flights.set(id, flight);
  }

  /** Whose leases must be kept alive. */
  leases(): { readonly id: string; readonly token: number }[] {
    return Array.from(this.#flights.values(), ({ request, token }) => ({ id: request.id, token }));
  }

  get size(): number {
    return this.#flights.size;
  }

  has(id: string): boolean {
    return this.#flights.has(id);
  }

  /** The settlement is committed. A request that was lost and claimed again meanwhile has another token, and is under way still. */
  released(id: string, token: number): void {
    const flight = this.#flights.get(id);
    if (flight?.token === token) {
      this.#flights.delete(id);
      for (const resolve of flight.whenOver) resolve();
    }
    if (this.#flights.size > 0) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** What is being sent of a request that is under way. */
  underWay(id: string): SentRequest | undefined {
    return this.#flights.get(id)?.request;
  }

  /** Resolves when its present attempt is over; at once without one. */
  over(id: string): Promise<void> {
    return new Promise((resolve) => {
      const flight = this.#flights.get(id);
      if (flight === undefined) resolve();
      else flight.whenOver.push(resolve);
    });
  }

  /** Calls back when nothing is under way any more. */
  onceEmpty(callback: () => void): void {
    this.#whenEmpty.push(callback);
  }

  /** Closes the wire of a read that is under way. False when there is none. */
  abort(id: string, reason: unknown): boolean {
    const flight = this.#flights.get(id);
    if (flight?.abort === undefined) return false;
    flight.abort.abort(reason);
    return true;
  }
}
