import type { Clock } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import type { Backend } from '../types/backend.ts';

const KEY = 'principal:digestKey';
const BYTES = 32;

/**
 * The random key of the digests that tell opaque credentials apart. It lives in the store, so that all processes and restarts
 * derive the same principals, and so that nobody can recognise a token in another store's digest.
 */
export async function loadDigestKey(backend: Backend, clock: Clock, random: Random): Promise<Uint8Array> {
  const now = clock.now();
  const known = await backend.shared.get({ key: KEY, now });
  if (typeof known?.value === 'string') return Buffer.from(known.value, 'base64');
  const fresh = Buffer.from(random.bytes(BYTES)).toString('base64');
  await backend.shared.set({ key: KEY, value: fresh, expiresAt: null, now, ifVersion: 0 });
  const stored = await backend.shared.get({ key: KEY, now });
  return Buffer.from(typeof stored?.value === 'string' ? stored.value : fresh, 'base64');
}
