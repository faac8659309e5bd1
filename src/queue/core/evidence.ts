import type { History } from '../types/backend.ts';
import type { Attempt, Json } from '../types/request.ts';

/** Attempts of one request that can have been reported late: more than that lost no lease. */
const MOST = 50;

/** What a worker saw that had lost its lease by then. */
export interface Evidence {
  readonly attempt: Attempt;
  readonly serverId: string | number | null;
}

function streamOf(id: string): string {
  return `evidence:${id}`;
}

/** Keeps what a late worker saw: it decides nothing by itself, but whoever finds out what became of the request may go by it. */
export async function keepEvidence(history: History, id: string, { attempt, serverId }: Evidence): Promise<void> {
  const { profile, ...rest } = attempt;
  const data: Json = { ...rest, serverId, ...(profile !== undefined && { profile }) };
  await history.append({ entries: [{ stream: streamOf(id), at: attempt.at, data }] });
}

/** Proof that the request was applied, from a worker that was late. */
export async function lateEvidence(history: History, { id }: { readonly id: string }): Promise<Evidence | undefined> {
  const entries = await history.query({ stream: streamOf(id), after: 0, limit: MOST });
  for (const { data } of entries) {
    const { serverId, ...attempt } = data as unknown as Attempt & { readonly serverId?: Evidence['serverId'] }; // as written above
    if (attempt.outcome === 'applied') return { attempt, serverId: serverId ?? null };
  }
  return undefined;
}

/** It is known what became of the request: nobody will ask again. */
export async function forgetEvidence(history: History, id: string): Promise<void> {
  await history.trim({ stream: streamOf(id), keep: 0, before: Number.MAX_SAFE_INTEGER });
}
