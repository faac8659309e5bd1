import xxhash from 'xxhash-wasm';

/** Loads the hash for fingerprints: xxHash64 as 16 hex digits. Finds candidates only; equality is confirmed by digest. */
export async function loadXxhash(): Promise<(data: string | Uint8Array) => string> {
  const { h64ToString, h64Raw } = await xxhash();
  return (data) => (typeof data === 'string' ? h64ToString(data) : h64Raw(data).toString(16).padStart(16, '0'));
}
