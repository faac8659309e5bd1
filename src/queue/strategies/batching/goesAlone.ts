import type { Progress } from '../../types/request.ts';

/** So often it may come to nothing among others. */
const TRIES = 2;

/**
 * Whether a request is sent by itself from now on: two of its attempts ended with no answer to it, or with an error of the server that may be
 * the fault of another. It follows from what is stored, so that every process and every later one sees it.
 */
export function goesAlone({ attempts }: Progress): boolean {
  let failed = 0;
  for (const { phase, status } of attempts) if (phase === 'sent' || status === 500) failed += 1;
  return failed >= TRIES;
}
