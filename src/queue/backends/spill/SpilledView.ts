import { HoldfastError } from '../../../errors.ts';
import type { StoredRequest } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { AmendResult, Change, CountRow, FindQuery, FindResult } from '../../types/store.ts';
import type { Entry } from './Entry.ts';
import { entryOf, repatched, SPILLED_SEQ, SPILLED_STATE, shown, shownEnd } from './Entry.ts';
import { filtersOf, matches, widened } from './filters.ts';
import type { Spill } from './Spill.ts';

type Filter = FindQuery['filter'];

/** What is in the spill, as requests that wait: looked up, listed, counted and called off. */
export class SpilledView {
  readonly #spill: Spill;

  constructor(spill: Spill) {
    this.#spill = spill;
  }

  /** Those that match, from their place on; as many as fit. `next` as with `find`. */
  async find({ filter, after, limit }: FindQuery): Promise<FindResult> {
    const wide = widened(filter);
    if (wide === undefined) return { requests: [], next: null };
    const place = after === null || after < SPILLED_SEQ ? null : after - SPILLED_SEQ;
    const { requests } = this.#spill.backend;
    const found = await requests.find({ filter: wide, order: 'accepted', after: place, limit });
    const entries = found.requests.map(entryOf).filter(({ standing }) => standing !== 'moved');
    return {
      requests: entries.map(shown).filter((record) => matches(record, filter)),
      next: found.next === null ? null : SPILLED_SEQ + found.next,
    };
  }

  async count(filter: Filter | undefined): Promise<CountRow[]> {
    const { waiting, ended } = filtersOf(filter ?? {});
    const { requests } = this.#spill.backend;
    const counts = await Promise.all(
      [waiting, ended].map((one) => (one === undefined ? [] : requests.count({ filter: one }))),
    );
    return counts.flat().map((row) => (isTerminal(row.state) ? row : { ...row, state: SPILLED_STATE }));
  }

  /** Changes a request that was not handed to the store yet. Called off, it ends here. */
  async amend(entry: Entry, change: Change, now: number): Promise<AmendResult> {
    const local = localChange(entry, change);
    if (local === undefined) return { status: 'refused', state: shown(entry).state };
    const [result] = await this.#spill.backend.requests.amend({ now, changes: [local] });
    switch (result?.status) {
      case 'amended': {
        const ended = result.ended.map(shownEnd);
        return { status: 'amended', state: shownState(result.state), ended, moved: [] };
      }
      case 'refused':
        return { status: 'refused', state: shownState(result.state) };
      default:
        return { status: 'notFound' };
    }
  }

  /** The record of an entry, as it is shown. */
  static of(entry: Entry | undefined): StoredRequest | undefined {
    return entry === undefined ? undefined : shown(entry);
  }
}

function shownState(state: StoredRequest['state']): StoredRequest['state'] {
  return isTerminal(state) ? state : SPILLED_STATE;
}

/** The change in terms of the spill's own states; undefined where it cannot be made here. */
function localChange(entry: Entry, change: Change): Change | undefined {
  const { record, standing } = entry;
  const { from, to, patch } = change;
  if (!from.includes(shown(entry).state)) return undefined;
  if (to !== undefined && !isTerminal(to.state)) return undefined;
  return {
    ...change,
    from: standing === 'waiting' ? ['ready', 'scheduled', 'blocked'] : [record.state],
    reason: undefined,
    patch: patch === undefined ? undefined : repatched(record, patch),
  };
}

/** Its fate is open for the moment. */
export function beingMoved(id: string): HoldfastError {
  const message = `request ${id} is being handed to the store and cannot be changed until that is answered`;
  return new HoldfastError('BACKEND_UNAVAILABLE', message, { id, mayBeDone: false });
}
