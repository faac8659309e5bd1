/** When something is due: a set of instants (epoch ms), asked one by one. */
export interface DueTimes {
  /** The first strictly after `instant`, or null. Never goes back where `instant` goes on. */
  after(instant: number): number | null;
  /** How many are in (`after`, `until`], where that costs nothing. */
  count?(after: number, until: number): number;
}

/** Every `everyMs`, counted from `origin`. */
export function intervalTimes(everyMs: number, origin: number): DueTimes {
  const index = (instant: number): number => Math.floor((instant - origin) / everyMs);
  return {
    after: (instant) => origin + (index(instant) + 1) * everyMs,
    count: (after, until) => Math.max(0, index(until) - index(after)),
  };
}

/** Those of `times` from `startAt` to `endAt`, both included. */
export function within(times: DueTimes, startAt: number | null, endAt: number | null): DueTimes {
  if (startAt === null && endAt === null) return times;
  const from = (instant: number): number => (startAt === null ? instant : Math.max(instant, startAt - 1));
  const { count } = times;
  return {
    after(instant) {
      const next = times.after(from(instant));
      return next !== null && endAt !== null && next > endAt ? null : next;
    },
    ...(count !== undefined && {
      count: (after: number, until: number) => count(from(after), endAt === null ? until : Math.min(until, endAt)),
    }),
  };
}

/** The last one at or before `until`, given one (`due`) that is. Asks a number of times that grows with the logarithm of the time between. */
export function lastUpTo(times: DueTimes, due: number, until: number): number {
  let found = due;
  let beyond = until;
  for (;;) {
    const next = times.after(found);
    if (next === null || next > until) return found;
    found = next;
    const middle = Math.floor((found + beyond) / 2);
    const later = times.after(middle);
    if (later !== null && later <= until) found = later;
    else beyond = middle;
  }
}

/** The last one before `due`, not before `first`, which is one; undefined where `due` is the first. */
export function lastBefore(times: DueTimes, due: number, first: number, stepMs: number): number | undefined {
  if (due <= first) return undefined;
  for (let step = Math.max(1, stepMs); due - step - 1 > first; step *= 2) {
    const found = times.after(due - step - 1);
    if (found !== null && found < due) return lastUpTo(times, found, due - 1);
  }
  return lastUpTo(times, first, due - 1);
}

/** How many are in (`after`, `until`]; counted no further than `limit` where counting costs. */
export function countUpTo(
  times: DueTimes,
  after: number,
  until: number,
  limit: number,
): { readonly count: number; readonly isExact: boolean } {
  if (times.count !== undefined) return { count: times.count(after, until), isExact: true };
  let count = 0;
  for (let due = times.after(after); due !== null && due <= until; due = times.after(due)) {
    if (count === limit) return { count, isExact: false };
    count += 1;
  }
  return { count, isExact: true };
}
