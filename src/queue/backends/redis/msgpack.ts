/** What crosses the wire to the script. There is no nil: Lua's arrays end at one. */
export type Packable =
  | number
  | string
  | boolean
  | Uint8Array
  | readonly Packable[]
  | { readonly [key: string]: Packable };

const FIRST_SIZE = 4096;
const LARGEST_SHORT = 0x7f;

/** Writes msgpack. Text and bytes are both `str`, the only kind of string that Redis' Lua takes and the only one it has. */
export class Packer {
  #buffer = Buffer.allocUnsafe(FIRST_SIZE);
  #at = 0;

  /** The bytes of a value, in memory of their own. */
  pack(value: Packable): Buffer {
    this.#at = 0;
    this.#value(value);
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  #value(value: Packable): void {
    switch (typeof value) {
      case 'number':
        this.#number(value);
        return;
      case 'string':
        this.#text(value);
        return;
      case 'boolean':
        this.#byte(value ? 0xc3 : 0xc2);
        return;
      default:
        if (value instanceof Uint8Array) this.#bytes(value);
        else if (isArray(value)) this.#array(value);
        else this.#map(value);
    }
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  #byte(byte: number): void {
    this.#room(1);
    this.#buffer[this.#at] = byte;
    this.#at += 1;
  }

  #number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) {
      if (value <= LARGEST_SHORT) return this.#byte(value);
      this.#room(5);
      this.#buffer[this.#at] = 0xce;
      this.#at = this.#buffer.writeUInt32BE(value, this.#at + 1);
      return;
    }
    this.#room(9);
    this.#buffer[this.#at] = 0xcb;
    this.#at = this.#buffer.writeDoubleBE(value, this.#at + 1);
  }

  #text(value: string): void {
    if (value.length * 3 < 32) {
      // Short enough for one byte of length, whatever its characters are.
      this.#room(32);
      const length = this.#buffer.write(value, this.#at + 1, 'utf8');
      this.#buffer[this.#at] = 0xa0 | length;
      this.#at += 1 + length;
      return;
    }
    const length = Buffer.byteLength(value, 'utf8');
    this.#stringHead(length);
    this.#room(length);
    this.#at += this.#buffer.write(value, this.#at, 'utf8');
  }

  #bytes(value: Uint8Array): void {
    this.#stringHead(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  #stringHead(length: number): void {
    if (length < 32) return this.#byte(0xa0 | length);
    this.#head(0xda, 0xdb, length);
  }

  #array(values: readonly Packable[]): void {
    if (values.length < 16) this.#byte(0x90 | values.length);
    else this.#head(0xdc, 0xdd, values.length);
    for (let index = 0; index < values.length; index += 1) this.#value(values[index] as Packable); // in range
  }

  #map(value: { readonly [key: string]: Packable }): void {
    const entries = Object.entries(value);
    if (entries.length < 16) this.#byte(0x80 | entries.length);
    else this.#head(0xde, 0xdf, entries.length);
    for (const [key, inner] of entries) {
      this.#text(key);
      this.#value(inner);
    }
  }

  /** The kind with a length of 16 or, where that is too short, 32 bits. */
  #head(short: number, long: number, length: number): void {
    this.#room(5);
    if (length <= 0xffff) {
      this.#buffer[this.#at] = short;
      this.#at = this.#buffer.writeUInt16BE(length, this.#at + 1);
    } else {
      this.#buffer[this.#at] = long;
      this.#at = this.#buffer.writeUInt32BE(length, this.#at + 1);
    }
  }
}

function isArray(value: readonly Packable[] | object): value is readonly Packable[] {
  return Array.isArray(value);
}

/** Reads msgpack as Redis' Lua writes it, value by value in the order in which the reader knows they stand there. */
export class Unpacker {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.#at = at;
  }

  /** Where the next value starts. */
  get at(): number {
    return this.#at;
  }

  /** Everything from here on. */
  rest(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  /** Length of an array whose values come next. */
  array(): number {
    const kind = this.#next();
    if (kind >> 4 === 0x9 || kind === 0x80) return kind & 0x0f;
    if (kind === 0xdc) return this.#uint(2);
    if (kind === 0xdd) return this.#uint(4);
    throw unexpected('an array', kind);
  }

  /** A list of what `read` reads. */
  list<T>(read: (from: this) => T): T[] {
    const length = this.array();
    const values: T[] = new Array(length);
    for (let index = 0; index < length; index += 1) values[index] = read(this);
    return values;
  }

  /** True where `false` stands for "nothing", which is then skipped. */
  isNothing(): boolean {
    const kind = this.#buffer[this.#at];
    if (kind !== 0xc2 && kind !== 0xc0) return false;
    this.#at += 1;
    return true;
  }

  /** True where a string comes next. */
  isText(): boolean {
    const kind = this.#buffer[this.#at] ?? 0;
    return kind >> 5 === 0x5 || (kind >= 0xd9 && kind <= 0xdb);
  }

  boolean(): boolean {
    const kind = this.#next();
    if (kind === 0xc3) return true;
    if (kind === 0xc2 || kind === 0xc0) return false;
    throw unexpected('a boolean', kind);
  }

  number(): number {
    const kind = this.#next();
    if (kind <= 0x7f) return kind;
    if (kind >= 0xe0) return kind - 0x100;
    switch (kind) {
      case 0xcc:
        return this.#uint(1);
      case 0xcd:
        return this.#uint(2);
      case 0xce:
        return this.#uint(4);
      case 0xcf:
        return this.#uint(4) * 0x1_0000_0000 + this.#uint(4);
      case 0xd0:
        return this.#int(1);
      case 0xd1:
        return this.#int(2);
      case 0xd2:
        return this.#int(4);
      case 0xd3:
        return this.#int(4) * 0x1_0000_0000 + this.#uint(4);
      case 0xca:
        this.#at += 4;
        return this.#buffer.readFloatBE(this.#at - 4);
      case 0xcb:
        this.#at += 8;
        return this.#buffer.readDoubleBE(this.#at - 8);
      default:
        throw unexpected('a number', kind);
    }
  }

  numberOrNull(): number | null {
    return this.isNothing() ? null : this.number();
  }

  text(): string {
    const length = this.#stringLength();
    this.#at += length;
    return this.#buffer.toString('utf8', this.#at - length, this.#at);
  }

  textOrNull(): string | null {
    return this.isNothing() ? null : this.text();
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.#stringLength();
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }

  /** Leaves out one number, string, boolean or array of such. */
  skip(): void {
    const kind = this.#buffer[this.#at] as number; // what is skipped is there
    if (this.isText()) this.bytes();
    else if (kind >> 4 === 0x9 || kind === 0xdc || kind === 0xdd) this.list((from) => from.skip());
    else if (kind === 0xc2 || kind === 0xc3 || kind === 0xc0) this.#at += 1;
    else this.number();
  }

  #stringLength(): number {
    const kind = this.#next();
    if (kind >> 5 === 0x5) return kind & 0x1f;
    if (kind === 0xd9) return this.#uint(1);
    if (kind === 0xda) return this.#uint(2);
    if (kind === 0xdb) return this.#uint(4);
    throw unexpected('a string', kind);
  }

  #next(): number {
    const kind = this.#buffer[this.#at];
    if (kind === undefined) throw new Error('the answer of the script is cut off');
    this.#at += 1;
    return kind;
  }

  #uint(bytes: number): number {
    this.#at += bytes;
    return this.#buffer.readUIntBE(this.#at - bytes, bytes);
  }

  #int(bytes: number): number {
    this.#at += bytes;
    return this.#buffer.readIntBE(this.#at - bytes, bytes);
  }
}

function unexpected(wanted: string, kind: number): Error {
  return new Error(`the answer of the script has 0x${kind.toString(16)} where ${wanted} belongs`);
}
