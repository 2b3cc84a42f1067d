// Reading and writing of fixed-width big-endian fields. Integers above 2^53 do not exist here: a
// writer asserts, a reader reports. Readers never throw on short input; they remember it, so that a
// decoder checks once at its end.
import { invariant } from './invariant.ts';

const HIGH = 0x1_0000_0000;
const MAX_HIGH = 0x20_0000; // 2^53 / 2^32

/** Grows as needed; `finish` returns what was written. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): number {
    const offset = this.#length;
    const needed = offset + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, offset));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return offset;
  }

  u8(value: number): void {
    const offset = this.#reserve(1);
    this.#view.setUint8(offset, value);
  }

  u16(value: number): void {
    const offset = this.#reserve(2);
    this.#view.setUint16(offset, value);
  }

  u32(value: number): void {
    const offset = this.#reserve(4);
    this.#view.setUint32(offset, value);
  }

  /** A non-negative integer below 2^53 in eight bytes. */
  u64(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, 'not an unsigned 53-bit integer', {
      value,
    });
    const offset = this.#reserve(8);
    this.#view.setUint32(offset, Math.floor(value / HIGH));
    this.#view.setUint32(offset + 4, value % HIGH);
  }

  bytes(value: Uint8Array): void {
    const offset = this.#reserve(value.length);
    this.#bytes.set(value, offset);
  }

  /** Length u32, then the bytes. */
  block(value: Uint8Array): void {
    this.u32(value.length);
    this.bytes(value);
  }

  /** A view, not a copy. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Reads fields in order; after a short read everything is 0 and `failed` is true. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get failed(): boolean {
    return this.#failed;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** Whether all bytes were read and none was missing. */
  isDone(): boolean {
    return !this.#failed && this.remaining === 0;
  }

  #take(count: number): number | null {
    if (this.#failed || count > this.remaining) {
      this.#failed = true;
      return null;
    }
    const offset = this.#offset;
    this.#offset += count;
    return offset;
  }

  u8(): number {
    const offset = this.#take(1);
    return offset === null ? 0 : this.#view.getUint8(offset);
  }

  u16(): number {
    const offset = this.#take(2);
    return offset === null ? 0 : this.#view.getUint16(offset);
  }

  u32(): number {
    const offset = this.#take(4);
    return offset === null ? 0 : this.#view.getUint32(offset);
  }

  u64(): number {
    const offset = this.#take(8);
    if (offset === null) return 0;
    const high = this.#view.getUint32(offset);
    if (high >= MAX_HIGH) {
      this.#failed = true;
      return 0;
    }
    return high * HIGH + this.#view.getUint32(offset + 4);
  }

  /** A view, not a copy; empty if not enough is left. */
  bytes(count: number): Uint8Array {
    const offset = this.#take(count);
    return offset === null ? new Uint8Array(0) : this.#bytes.subarray(offset, offset + count);
  }

  /** Length u32, then the bytes, as a view. */
  block(): Uint8Array {
    return this.bytes(this.u32());
  }
}

/** Bytes of a text that holds ASCII only: identifiers and names of formats. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    invariant(code > 0 && code < 128, 'not ASCII', { text });
    bytes[i] = code;
  }
  return bytes;
}

/** The text of ASCII bytes; other bytes become question marks. */
export function asciiText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte < 128 ? String.fromCharCode(byte) : '?';
  return text;
}
