/**
 * The lane of a request that names none: PUT, PATCH and DELETE of one path share that path's lane, whatever the query;
 * a POST and a read have none.
 */
export function defaultLane(method: string, path: string): string | null {
  switch (method.toUpperCase()) {
    case 'PUT':
    case 'PATCH':
    case 'DELETE': {
      const end = path.search(/[?#]/);
      return end === -1 ? path : path.slice(0, end);
    }
    default:
      return null;
  }
}

/** One text per (principal, zone, lane). Lengths stand before the parts, so that no two triples give the same text. */
export function laneKey(of: { readonly principal: string; readonly zone: string; readonly lane: string }): string {
  return `${of.principal.length}:${of.principal}${of.zone.length}:${of.zone}${of.lane}`;
}
