import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/system/clock.ts';
import type { ScriptedServerOptions } from '../../../src/testing/ScriptedServer.ts';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import type { ReceivedRequest, ServerStep } from '../../../src/testing/serverSteps.ts';
import { park } from '../../../src/testing/serverSteps.ts';

/** A request, as its server met it. */
export interface Arrival {
  /** Monotonic ms. */
  readonly at: number;
  /** Requests the server had under way with it, itself included. */
  readonly underWay: number;
  readonly request: ReceivedRequest;
}

/** A real server that counts who comes when, and how many it has at once. Closed with the test. */
export class Gauge {
  readonly server: ScriptedServer;
  readonly arrivals: Arrival[] = [];
  /** Told of each arrival. */
  onArrival: (arrival: Arrival) => void = () => undefined;
  readonly #holdMs: number;

  private constructor(server: ScriptedServer, holdMs: number) {
    this.server = server;
    this.#holdMs = holdMs;
    this.serve();
  }

  /** Each answer takes `holdMs`, for which its request is under way. */
  static async open(holdMs: number, options?: ScriptedServerOptions): Promise<Gauge> {
    const server = await ScriptedServer.start(options);
    onTestFinished(() => server.close());
    return new Gauge(server, holdMs);
  }

  /** Answers as a server that is well. */
  serve(): void {
    this.server.script.always((request) => {
      this.#count(request);
      // Held equally long, so that the oldest is the one that is due.
      systemClock.schedule(this.#holdMs, () => this.server.release(1));
      return park;
    });
  }

  /** Does this to each request. */
  always(step: ServerStep | ((request: ReceivedRequest) => ServerStep)): void {
    this.server.script.always((request) => {
      this.#count(request);
      return typeof step === 'function' ? step(request) : step;
    });
  }

  get origin(): string {
    return this.server.origin;
  }

  get most(): number {
    return this.arrivals.reduce((most, { underWay }) => Math.max(most, underWay), 0);
  }

  /** Most arrivals in any span of so many ms. */
  mostWithin(ms: number): number {
    let most = 0;
    let first = 0;
    for (const [index, { at }] of this.arrivals.entries()) {
      while ((this.arrivals[first] as Arrival).at <= at - ms) first += 1; // first <= index
      most = Math.max(most, index - first + 1);
    }
    return most;
  }

  #count(request: ReceivedRequest): void {
    const arrival = { at: systemClock.monotonicNow(), underWay: this.server.parked + 1, request };
    this.arrivals.push(arrival);
    this.onArrival(arrival);
  }
}
