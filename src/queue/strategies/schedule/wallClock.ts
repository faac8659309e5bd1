const DAY_MS = 86_400_000;

/** What the clocks of a time zone show. A face is what one shows, as if it were UTC. */
export interface WallClock {
  shown(instant: number): number;
  /** The first instant at which a face is shown; of one that a change leaves out, that of the change. */
  instantOf(face: number): number;
}

/** @throws RangeError where the zone is not known here */
export function wallClock(timeZone: string): WallClock {
  if (timeZone === 'UTC') return { shown: (instant) => instant, instantOf: (face) => face };
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const offsetAt = (instant: number): number => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const year = parts.get('era')?.startsWith('B') === true ? 1 - of('year') : of('year');
    const face = new Date(0);
    face.setUTCFullYear(year, of('month') - 1, of('day'));
    face.setUTCHours(of('hour'), of('minute'), of('second'));
    return face.getTime() - Math.floor(instant / 1_000) * 1_000;
  };

  return {
    shown: (instant) => instant + offsetAt(instant),
    instantOf(face) {
      // No clock is a day away from UTC, and none changes twice within two days.
      const [before, after] = [offsetAt(face - DAY_MS), offsetAt(face + DAY_MS)];
      if (before === after) return face - before;
      for (const offset of [before, after]) if (offsetAt(face - offset) === offset) return face - offset;
      return changeBetween(face - DAY_MS, face + DAY_MS, (instant) => offsetAt(instant) === before);
    },
  };
}

/** The first instant at which it is not as before any more. */
function changeBetween(from: number, to: number, isBefore: (instant: number) => boolean): number {
  let [last, first] = [from, to];
  while (first - last > 1) {
    const middle = Math.floor((last + first) / 2);
    if (isBefore(middle)) last = middle;
    else first = middle;
  }
  return first;
}
