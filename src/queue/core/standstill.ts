import { HoldfastError } from '../../errors.ts';
import type { Clock } from '../../system/clock.ts';
import { isClosed } from '../strategies/connectivity.ts';
import type { EventSource } from '../types/events.ts';
import type { Failover } from './gates/Failover.ts';
import type { Zone } from './zone.ts';

const STOPS = ['zone:offline', 'zone:captive', 'zone:paused', 'zone:limited', 'breaker:opened'] as const;

/** Why a zone takes no call at present, for callers who would rather not wait. */
export class Standstill {
  readonly #clock: Clock;
  readonly #events: EventSource;
  readonly #failover: Failover;

  constructor(clock: Clock, events: EventSource, failover: Failover) {
    this.#failover = failover;
    this.#clock = clock;
    this.#events = events;
  }

  of(zone: Zone): HoldfastError | undefined {
    const { name, connectivity } = zone;
    if (zone.paused) return unreachable(name, 'paused', 'is paused');
    // Another one takes its calls.
    if (this.#failover.viaOf(zone, this.#clock.monotonicNow()) !== zone) return undefined;
    // One call at a time tries a zone that is down, as nothing else would find it back.
    if (isClosed(connectivity) && !zone.mayTry(this.#clock.monotonicNow())) {
      const isCaptive = connectivity.status === 'captive';
      const what = isCaptive ? 'is behind a sign-in page' : 'cannot be reached';
      return unreachable(name, connectivity.status, what, zone.failedWith);
    }
    const now = this.#clock.monotonicNow();
    const status = zone.gates.breaker?.status(now);
    if (status === 'isolated') return unreachable(name, 'isolated', 'was isolated');
    if (now < zone.notBefore) return unreachable(name, 'limited', 'asked for no calls for now');
    if (status === 'open') return unreachable(name, 'failing', 'fails too often and is left alone', zone.failedWith);
    return undefined;
  }

  /** Calls back once, as soon as the zone takes no call: at once where it takes none now. Returns its undo. */
  watch(zone: Zone, stopped: (why: HoldfastError) => void): () => void {
    const undo: (() => void)[] = [];
    const end = (): void => {
      for (const step of undo.splice(0)) step();
    };
    const look = (): void => {
      const why = this.of(zone);
      if (why === undefined) return;
      end();
      stopped(why);
    };
    for (const name of STOPS) {
      undo.push(this.#events.on(name, look));
    }
    look();
    return end;
  }
}

function unreachable(zone: string, reason: string, what: string, cause?: Error): HoldfastError {
  return new HoldfastError('ZONE_UNREACHABLE', `the zone ${zone} ${what}`, { zone, reason }, { cause });
}
