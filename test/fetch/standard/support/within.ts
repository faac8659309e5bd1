/** Rejects when the promise takes longer: a case that waits for what never comes ends, and says so. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  const limit = AbortSignal.timeout(limitMs);
  const late = new Promise<never>((_, reject) => {
    limit.addEventListener('abort', () => reject(new Error(`${what}: nothing after ${limitMs} ms`)), { once: true });
  });
  return await Promise.race([promise, late]);
}
