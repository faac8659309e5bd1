/** Hexadecimal text as half as many bytes; anything else as it is, {@link marked}. */
function shorten(text: string, pattern: RegExp, length: number): Buffer {
  return pattern.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : marked(text, length);
}

/** Text with a mark behind it, never as long as the short form of what needs none. */
function marked(text: string, length: number): Buffer {
  const bytes = Buffer.from(`${text}\u0001`, 'utf8');
  return bytes.length === length ? Buffer.concat([bytes, Buffer.of(2)]) : bytes;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{16}$/;
const ID_BYTES = 16;
const HASH_BYTES = 8;

/** An id as it is stored: the 16 bytes of a UUID. */
export function idBytes(id: string): Buffer {
  return shorten(id, UUID, ID_BYTES);
}

export function idOf(bytes: Buffer): string {
  if (bytes.length !== ID_BYTES) return unmark(bytes);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A hash of 16 hexadecimal digits as it is stored. */
export function hashBytes(hash: string): Buffer {
  return shorten(hash, HASH, HASH_BYTES);
}

export function hashOf(bytes: Buffer): string {
  return bytes.length === HASH_BYTES ? bytes.toString('hex') : unmark(bytes);
}

const DIGEST_BYTES = 32;

/** A digest as it is stored: the 32 bytes of a SHA-256 in base64url. */
export function digestBytes(digest: string): Buffer {
  const bytes = Buffer.from(digest, 'base64url');
  return bytes.length === DIGEST_BYTES && bytes.toString('base64url') === digest ? bytes : marked(digest, DIGEST_BYTES);
}

export function digestOf(bytes: Buffer): string {
  return bytes.length === DIGEST_BYTES ? bytes.toString('base64url') : unmark(bytes);
}

function unmark(bytes: Buffer): string {
  return bytes.toString('utf8', 0, bytes.length - (bytes.at(-1) === 2 ? 2 : 1));
}
