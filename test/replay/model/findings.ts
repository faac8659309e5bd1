import type { Wish } from './history.ts';

/** What speaks against the promise. */
export interface Finding {
  readonly rule: Rule;
  /** The wish it is about; null: the whole. */
  readonly wish: number | null;
  readonly says: string;
}

export type Rule =
  /** G2: accepted, and no record of it; or more than one; or a record of what was refused. */
  | 'lost'
  | 'doubled'
  | 'refused'
  /** Neither ended nor held, and nothing that it waits for is. */
  | 'stuck'
  /** G3, in the order of acceptance as in that of the calls of one lane. */
  | 'disordered'
  /** Done more often than once. */
  | 'duplicate'
  /** Reported as done, and not done; or as not done, and done. */
  | 'untrue'
  /** Held for something that the server does not show. */
  | 'falseHold'
  /** Done otherwise than it was meant, or to another thing. */
  | 'wrong'
  /** The server is not where the model is. */
  | 'state'
  /** A caller waits for ever, or was told something else than is stored, or an end was announced twice. */
  | 'told';

export type Find = (rule: Rule, wish: Wish | null, says: string) => void;
