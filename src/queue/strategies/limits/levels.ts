import type { Level } from '../../types/events.ts';

interface Step {
  readonly level: Level;
  /** The pressure at which it is entered. */
  readonly entry: number;
}

const STEPS: readonly Step[] = Object.freeze([
  Object.freeze({ level: 'elevated', entry: 0.7 }),
  Object.freeze({ level: 'high', entry: 0.85 }),
  Object.freeze({ level: 'critical', entry: 0.95 }),
]);

const TIME_CONSTANT_MS = 5_000;
/** A level is left when the pressure was so much below its entry for so long: else it would come and go with every call. */
const LEAVE_BELOW = 0.1;
const LEAVE_AFTER_MS = 10_000;
/** One absurd reading is not to be felt for minutes. */
const GREATEST_READING = 2;

/** Where less important calls begin to be refused, and where all but the most important are. */
const SHED_FROM = 0.7;
const SHED_SPAN = 0.3;
const IMPORTANT_AT_CRITICAL = 90;
/** Of each class so many are admitted whatever the pressure: what waits behind them must be able to end. */
const ADMITTED_IN_ANY_CASE = 0.02;

/**
 * The pressure, smoothed over 5 s, and its level. A level is entered at once and left after a while; several are left together where the
 * pressure fell below all of them. It starts at rest: what is read while a process starts says little. Times are monotonic ms.
 */
export class Levels {
  #pressure = 0;
  #observedAt: number | undefined;
  /** For each step: whether it was entered and not left, and since when the pressure is low enough to leave. */
  readonly #isEntered = STEPS.map(() => false);
  readonly #lowSince = STEPS.map(() => Number.POSITIVE_INFINITY);
  #level: Level = 'normal';

  get level(): Level {
    return this.#level;
  }

  get pressure(): number {
    return this.#pressure;
  }

  /** Takes a reading, 0 to 1 and above, as what the pressure was since the one before. */
  observe(pressure: number, now: number): Level {
    if (Number.isNaN(pressure)) return this.#level;
    const reading = Math.max(0, Math.min(pressure, GREATEST_READING));
    const elapsedMs = Math.max(0, now - (this.#observedAt ?? now));
    this.#observedAt = now;
    this.#pressure += (reading - this.#pressure) * (1 - Math.exp(-elapsedMs / TIME_CONSTANT_MS));
    this.#level = 'normal';
    let index = 0;
    for (const { level, entry } of STEPS) {
      if (this.#holds(index, entry, now)) this.#level = level;
      index += 1;
    }
    return this.#level;
  }

  #holds(index: number, entry: number, now: number): boolean {
    if (this.#pressure >= entry) this.#isEntered[index] = true;
    const isLow = this.#pressure < entry - LEAVE_BELOW;
    const lowSince = isLow ? Math.min(this.#lowSince[index] ?? now, now) : Number.POSITIVE_INFINITY;
    this.#lowSince[index] = lowSince;
    if (now - lowSince >= LEAVE_AFTER_MS) this.#isEntered[index] = false;
    return this.#isEntered[index] === true;
  }
}

/** How important a request of that priority is, 0 to 100. */
export function importanceOf(priority: number): number {
  return 10 * priority;
}

/**
 * Whether a call of that importance, 0 to 100, is to be refused. The cut rises with the third power of the pressure, which spares
 * the important; at `critical` nothing but the most important passes. `random` is in [0, 1).
 */
export function isShed(importance: number, pressure: number, level: Level, random: () => number): boolean {
  const excess = Math.max(0, Math.min((pressure - SHED_FROM) / SHED_SPAN, 1));
  const cut = Math.max(100 * excess ** 3, level === 'critical' ? IMPORTANT_AT_CRITICAL : 0);
  return importance < cut && random() >= ADMITTED_IN_ANY_CASE;
}
