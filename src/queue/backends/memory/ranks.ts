import type { RankForm, RankRaise } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { setRank } from './movement.ts';

/** Gives a newcomer its rank, or that of the one whose place it takes if that is as good. Who is not to be sent is charged nothing. */
export function takeRank(
  { flows }: MemoryStorage,
  entry: Entry,
  form: RankForm,
  replaced: Entry | null,
  now: number,
  isCharged: boolean,
): void {
  if (form.form === 'flow') {
    entry.rank = flows.coming(form);
    entry.turn = form;
  }
  if (replaced !== null && replaced.rank <= entry.rank) {
    entry.rank = replaced.rank;
    entry.turn = replaced.turn;
  } else if (form.form === 'flow' && isCharged) {
    flows.charge(form, now);
  }
}

/** Computes the rank of a stored request anew. */
export function rerank({ flows }: MemoryStorage, entry: Entry, form: RankForm, now: number): void {
  if (form.form === 'value') setRank(entry, form.value, null);
  else if (form.form === 'negatedSeq') setRank(entry, -entry.seq, null);
  else if (!isTerminal(entry.state)) setRank(entry, flows.charge(form, now), form);
}

/** Gives a live request the rank of a form if that is better, at nobody's cost. */
export function raise({ flows }: MemoryStorage, entry: Entry, form: RankRaise): void {
  const rank = form.form === 'flow' ? flows.coming(form) : form.value;
  if (rank < entry.rank) setRank(entry, rank, form.form === 'flow' ? form : null);
}
