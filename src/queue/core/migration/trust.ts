import type { Clock } from '../../../system/clock.ts';
import type { Random } from '../../../system/random.ts';
import type { Backend } from '../../types/backend.ts';
import type { StoredRequest } from '../../types/request.ts';
import { loadDigestKey } from '../digestKey.ts';

/** Where pairings of principals and credentials are kept, see `Credentials`. */
const PAIRINGS = 'pairing:';
const MOST_PAIRINGS = 1_000_000;

/** Gives `to` the key by which principals are digests of credentials, unless it has one. True where both have the same now. */
export async function shareDigestKey(from: Backend, to: Backend, clock: Clock, random: Random): Promise<boolean> {
  const own = await loadDigestKey(from, clock, random);
  const theirs = await loadDigestKey(to, clock, { ...random, bytes: () => own });
  return Buffer.from(own).equals(theirs);
}

/** Whether a principal means nothing where another key is used. */
export function isKeyed({ auth, principal }: Pick<StoredRequest, 'auth' | 'principal'>): boolean {
  return auth !== 'none' && principal.startsWith('key:');
}

/** Takes along with whose credential requests of these principals may be sent. */
export async function sharePairings(
  from: Backend,
  to: Backend,
  principals: ReadonlySet<string>,
  clock: Clock,
): Promise<void> {
  if (principals.size === 0) return;
  const now = clock.now();
  const pairings = await from.shared.list({ prefix: PAIRINGS, now, limit: MOST_PAIRINGS });
  for (const { key, value, expiresAt } of pairings) {
    const [principal] = JSON.parse(key.slice(PAIRINGS.length)) as [string, string]; // as `Credentials` writes it
    if (principals.has(principal)) await to.shared.set({ key, value, expiresAt, now });
  }
}
