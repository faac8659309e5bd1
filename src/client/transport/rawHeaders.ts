import type { HeaderList } from '../../queue/types/request.ts';

/** Alternating names and values, as connections report them: lower-case names, values as Latin-1, in the order received, duplicates kept. */
export function headerListOf(raw: readonly Buffer[]): HeaderList {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString('latin1').toLowerCase(); // in range: the loop's condition
    list.push([name, (raw[i + 1] as Buffer).toString('latin1')]);
  }
  return list;
}
