/** A request that waits to be put with others. */
export interface Foldable {
  /** What may share a call has the same; null: it goes alone. */
  readonly key: string | null;
  readonly bytes: number;
}

/** What one call holds. */
export interface BatchLimits {
  readonly items: number;
  readonly bytes: number;
}

/**
 * Puts requests together that may share a call, each into the first one of its key that is not full, in the order given: within
 * a call, and of calls by their first. One that is too large for any goes alone.
 */
export function foldBatches<T extends Foldable>(requests: readonly T[], { items, bytes }: BatchLimits): T[][] {
  const batches: T[][] = [];
  const open = new Map<string, { readonly batch: T[]; bytes: number }>();
  for (const request of requests) {
    const { key } = request;
    const known = key === null ? undefined : open.get(key);
    if (known !== undefined && known.batch.length < items && known.bytes + request.bytes <= bytes) {
      known.batch.push(request);
      known.bytes += request.bytes;
      continue;
    }
    const batch = [request];
    batches.push(batch);
    if (key !== null && request.bytes <= bytes) open.set(key, { batch, bytes: request.bytes });
  }
  return batches;
}
