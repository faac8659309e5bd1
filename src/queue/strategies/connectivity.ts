/**
 * Whether a zone can be reached at all, by evidence first (no gate opens or closes on a guess). A health problem of a server
 * that answers is not this gate's business: any authentic answer, even a 500, means reachable.
 *
 * States, and how each is left:
 * - `unknown`: nothing tried yet. Open. → `up` by an answer, `down` and `captive` as from `up`.
 * - `up`: open. → `down` by {@link FAILURES_TO_CLOSE} consecutive connect failures, by as many consecutive failures of any kind
 *   (timeouts too) over at least {@link TIMEOUT_SPAN_MS}, or at once when the machine has no network; → `captive` at once when
 *   something that is not the zone answered.
 * - `down`, `captive`: closed. Only an authentic answer, of a probe or of a call still under way, leads to `up`. There is always a
 *   time of the next probe, also while one is under way, so that a probe that hangs cannot stall the zone.
 *
 * Connect failures need no span of time: where the one server of a user stopped, three refused connections say all there
 * is to know, nothing reached the server, and the calls that wait are spared the same. Timeouts do: three calls that were
 * sent together and answered slowly are one observation, not three.
 *
 * Times are monotonic ms: a step of the wall clock must neither stall nor hurry a probe.
 */
export interface Connectivity {
  readonly status: 'unknown' | 'up' | 'down' | 'captive';
  /** Consecutive failures of any kind. */
  readonly failures: number;
  /** Consecutive connect failures among the latest. */
  readonly unreached: number;
  /** When the first of the consecutive failures was seen. */
  readonly failingSince: number | null;
  /** When it was closed; null while open. */
  readonly closedAt: number | null;
  /** When to probe next; null while open. */
  readonly probeAt: number | null;
  /** The delay, without jitter, that led to `probeAt`. */
  readonly probeDelayMs: number;
}

/**
 * What an attempt or probe showed of the zone:
 * - `reachable`: an authentic answer
 * - `unreachable`: it was not connected to
 * - `unanswered`: sent, but no answer in time
 * - `networkDown`: this machine has no network
 * - `captive`: a gateway or proxy answered in its place
 * - `neutral`: nothing, such as a call that we ended ourselves
 */
export type ConnectivityEvidence = 'reachable' | 'unreachable' | 'unanswered' | 'networkDown' | 'captive' | 'neutral';

const FAILURES_TO_CLOSE = 3;
const TIMEOUT_SPAN_MS = 10_000;
const FIRST_PROBE_DELAY_MS = 5_000;
const MAX_PROBE_DELAY_MS = 60_000;
/** What a probe may take at most: shorter than the shortest time between two probes. */
export const PROBE_TIMEOUT_MS = 5_000;
const PROBE_JITTER = 0.2;

export const UNKNOWN_CONNECTIVITY: Connectivity = Object.freeze({
  status: 'unknown',
  failures: 0,
  unreached: 0,
  failingSince: null,
  closedAt: null,
  probeAt: null,
  probeDelayMs: 0,
});

const UP: Connectivity = Object.freeze({ ...UNKNOWN_CONNECTIVITY, status: 'up' });

/** The state after `evidence` seen at `now` (monotonic ms). `random` is in [0, 1). Returns `state` itself where nothing changed. */
export function observe(
  state: Connectivity,
  evidence: ConnectivityEvidence,
  now: number,
  random: () => number,
): Connectivity {
  switch (evidence) {
    case 'neutral':
      return state;
    case 'reachable':
      return isOpenAndClean(state) ? state : UP;
    case 'captive':
      return isClosed(state) ? { ...state, status: 'captive' } : close(state, 'captive', now, random);
    case 'networkDown':
      return isClosed(state) ? state : close(state, 'down', now, random);
    case 'unreachable':
    case 'unanswered':
      return isClosed(state) ? state : fail(state, evidence === 'unreachable', now, random);
    default:
      return evidence satisfies never;
  }
}

/** True while calls must not be tried: the channel is not asked for, nothing is read, written or spent. */
export function isClosed(state: Connectivity): boolean {
  return state.closedAt !== null;
}

/** When the next probe is due (monotonic ms): a time while closed, Infinity while open. */
export function nextProbeAt(state: Connectivity): number {
  return state.probeAt ?? Number.POSITIVE_INFINITY;
}

/** True when a probe is due; also when `now` lies before the closing, which no monotonic clock shows within one boot. */
export function isProbeDue(state: Connectivity, now: number): boolean {
  return state.closedAt !== null && state.probeAt !== null && (now >= state.probeAt || now < state.closedAt);
}

/** How many probes of a closed gate in a row came to nothing, as far as the time until the next one tells: four at most. */
export function failedProbes({ probeDelayMs }: Connectivity): number {
  return Math.ceil(Math.log2(probeDelayMs / FIRST_PROBE_DELAY_MS));
}

/** A probe starts: the one after it is scheduled at once, twice as far away (5 s, doubled, at most 60 s, +0–20 %). */
export function probeStarted(state: Connectivity, now: number, random: () => number): Connectivity {
  if (!isClosed(state)) return state;
  return schedule(state, Math.min(2 * state.probeDelayMs, MAX_PROBE_DELAY_MS), now, random);
}

function isOpenAndClean(state: Connectivity): boolean {
  return state.status === 'up' && state.failures === 0;
}

function fail(state: Connectivity, unreached: boolean, now: number, random: () => number): Connectivity {
  const failingSince = state.failingSince ?? now;
  const next: Connectivity = {
    ...state,
    failures: state.failures + 1,
    unreached: unreached ? state.unreached + 1 : 0,
    failingSince,
  };
  const isDown =
    next.unreached >= FAILURES_TO_CLOSE ||
    (next.failures >= FAILURES_TO_CLOSE && now - failingSince >= TIMEOUT_SPAN_MS);
  return isDown ? close(next, 'down', now, random) : next;
}

/** Closed by other evidence than that of its own attempts. */
export function close(
  state: Connectivity,
  status: 'down' | 'captive',
  now: number,
  random: () => number,
): Connectivity {
  return schedule({ ...state, status, closedAt: now }, FIRST_PROBE_DELAY_MS, now, random);
}

function schedule(state: Connectivity, delayMs: number, now: number, random: () => number): Connectivity {
  return { ...state, probeAt: now + delayMs * (1 + PROBE_JITTER * random()), probeDelayMs: delayMs };
}
