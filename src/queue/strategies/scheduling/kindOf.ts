/** Segments of a path that tell kinds apart; what is deeper is of the same kind. */
const MAX_SEGMENTS = 6;
/** Longer segments are no names of a collection or an action. */
const MAX_SEGMENT = 40;
/** Numbers, UUIDs, hashes, dates, local ids and whatever else has digits in it, but for versions such as `v1`. */
const ID = /\d/;
const VERSION = /^v\d{1,2}(\.\d{1,2})?$/i;
const BUCKETS = 1_021;

/**
 * What kind of a request it is: its method and its path, without the query and what looks like an id. Asked at each acceptance, so coarser and
 * cheaper than a path template; where it guesses wrong, kinds share their turns or have some of their own, and nothing else.
 */
export function kindOf({ method, path }: { readonly method: string; readonly path: string }): string {
  const query = path.search(/[?#]/);
  const segments = (query === -1 ? path : path.slice(0, query)).split('/', MAX_SEGMENTS + 1).slice(1);
  const template = segments.map((segment) => (isId(segment) ? '*' : segment.toLowerCase()));
  return `${method} /${template.join('/')}`;
}

/**
 * The flow that requests of a kind are counted in: one of a fixed number, so that a store never has more of them, whatever paths an API has.
 * Kinds that share one share their turns.
 */
export function flowOfKind(kind: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < kind.length; index += 1) {
    hash = Math.imul(hash ^ kind.charCodeAt(index), 0x01000193) >>> 0;
  }
  return `k${hash % BUCKETS}`;
}

function isId(segment: string): boolean {
  return segment.length > MAX_SEGMENT || (ID.test(segment) && !VERSION.test(segment));
}
