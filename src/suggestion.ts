import { nearestName } from './nearestName.ts';

/** What was to be expected in the place of an unknown name: the one that was most likely meant, else all there are. */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? `one of ${known.join(', ')}` : `a known name (did you mean '${nearest}'?)`;
}
