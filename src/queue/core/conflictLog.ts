import type { History } from '../types/backend.ts';
import type { ConflictAction, ConflictTrigger } from '../types/events.ts';
import type { Json } from '../types/request.ts';
import type { Context } from './context.ts';
import { messageOf } from './tell.ts';

const STREAM = 'conflicts';
const KEPT = 1_000;
/** The stream is cut to size now and then, not with every entry. */
const TRIM_EVERY = 64;

/** A conflict and what was decided, for the record. */
export interface ConflictRecord {
  /** Epoch ms. */
  readonly at: number;
  readonly trigger: ConflictTrigger;
  /** 1 for the first conflict of the request. */
  readonly round: number;
  /** Who decided: the name or kind of the strategy. */
  readonly strategy: string;
  readonly action: ConflictAction;
  /** What the change was made on, what was sent, and what the server had; null also where they were too large to be kept. */
  readonly base: Json;
  readonly local: Json;
  readonly remote: Json;
}

/** Keeps a decision. One that cannot be kept is carried out all the same. */
export async function keepConflict(
  { backend, clock, config, logger }: Context,
  requestId: string,
  conflict: Omit<ConflictRecord, 'at'>,
): Promise<void> {
  const { base, local, remote, ...decision } = conflict;
  const versions = { base, local, remote };
  const isLarge = JSON.stringify(versions).length > config.maxStoredResultBytes;
  const data: Json = { requestId, ...decision, ...(isLarge ? { base: null, local: null, remote: null } : versions) };
  try {
    const [seq = 0] = await backend.history.append({ entries: [{ stream: STREAM, at: clock.now(), data }] });
    if (seq % TRIM_EVERY === 0) await backend.history.trim({ stream: STREAM, keep: KEPT, before: 0 });
  } catch (error) {
    logger.error('a conflict was decided but not recorded', { id: requestId, error: messageOf(error) });
  }
}

/** Those of one request, oldest first. */
export async function conflictsOf(history: History, requestId: string): Promise<ConflictRecord[]> {
  const entries = await history.query({ stream: STREAM, after: 0, limit: KEPT + TRIM_EVERY });
  return entries.flatMap(({ at, data }) => {
    const { requestId: id, ...conflict } = data as unknown as ConflictRecord & { readonly requestId: string }; // as written above
    return id === requestId ? [{ ...conflict, at }] : [];
  });
}
