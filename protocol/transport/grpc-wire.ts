// What gRPC puts on HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md), for the server of this folder: messages
// with a length before them, status and errors as trailers, time limits as a header. Refuses
// compressed messages, which nobody was offered, and messages above a limit before they are there.
import { Buffer } from 'node:buffer';
import type { OutgoingHttpHeaders } from 'node:http2';
import { ERROR_CODES } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';

/** Before each message: a byte that says whether it is compressed, and the length. */
const PREFIX_BYTES = 5;
/** Longest error text on the wire, in bytes as they are encoded; callers take 8 KiB of headers and more. */
const TEXT_BYTES_MAX = 6000;
/** A time limit has at most eight digits. */
const TIMEOUT_PATTERN = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** Timers of Node go no further. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** A message as it goes out. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Cuts a stream of bytes into messages. */
export class MessageReader {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes that must be there before anything can be done. */
  #needed: number = PREFIX_BYTES;

  /** `maxBytes`: of one message. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.#bytes > 0;
  }

  /**
   * Takes the next bytes; gives each message that is whole to `deliver`, which must not keep the
   * bytes. @throws TswarmError too_large, not_supported
   */
  push(chunk: Buffer, deliver: (message: Buffer) => void): void {
    if (this.#bytes + chunk.length < this.#needed) {
      this.#parts.push(chunk);
      this.#bytes += chunk.length;
      return;
    }
    let rest = this.#bytes === 0 ? chunk : Buffer.concat([...this.#parts, chunk]);
    this.#needed = PREFIX_BYTES;
    while (rest.length >= PREFIX_BYTES) {
      const length = this.#lengthOf(rest);
      if (rest.length < PREFIX_BYTES + length) {
        this.#needed = PREFIX_BYTES + length;
        break;
      }
      deliver(rest.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
      rest = rest.subarray(PREFIX_BYTES + length);
    }
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  #lengthOf(bytes: Buffer): number {
    if (bytes[0] !== 0) {
      throw new TswarmError('not_supported', 'compressed messages are not taken');
    }
    const length = bytes.readUInt32BE(1);
    if (length > this.#maxBytes) {
      const text = `the message is larger than max: ${length} bytes, at most ${this.#maxBytes}`;
      throw new TswarmError('too_large', text);
    }
    return length;
  }
}

/** The trailers of a call that went well. */
export const OK_TRAILERS: OutgoingHttpHeaders = { 'grpc-status': '0' };

/** An error as trailers: grpc's code for everybody, the rest for our own callers. */
export function errorTrailers(error: unknown): OutgoingHttpHeaders {
  const known = error instanceof TswarmError ? error : undefined;
  const code = known?.code ?? 'internal';
  const trailers: OutgoingHttpHeaders = {
    'grpc-status': String(ERROR_CODES[code].grpc),
    'grpc-message': percentEncoded(messageOf(error)),
    'tswarm-code': code,
  };
  if (known?.field) trailers['tswarm-field'] = componentEncoded(known.field);
  if (known?.hint) trailers['tswarm-hint'] = componentEncoded(known.hint);
  if (known?.retryable) trailers['tswarm-retryable'] = '1';
  if (known?.redirect) trailers['tswarm-redirect'] = componentEncoded(known.redirect);
  return trailers;
}

/** For `decodeURIComponent`; cut between characters when it gets too long. */
function componentEncoded(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed());
  if (encoded.length <= TEXT_BYTES_MAX) return encoded;
  // A character has at most twelve bytes here.
  return encodeURIComponent(text.slice(0, TEXT_BYTES_MAX / 12).toWellFormed());
}

/** As the protocol asks for: everything that is not printable ASCII, and `%`, as `%XX`. */
function percentEncoded(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    const shown = isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    out += shown;
  }
  if (out.length <= TEXT_BYTES_MAX) return out;
  // Not within the bytes of one character.
  return out.slice(0, TEXT_BYTES_MAX).replace(/(%[89A-F][0-9A-F])*(%[0-9A-F]?)?$/, '');
}

/** The time that a caller gives a call; undefined for none, or one that cannot be read. */
export function timeoutMsOf(header: string | string[] | undefined): number | undefined {
  const match = typeof header === 'string' ? TIMEOUT_PATTERN.exec(header) : null;
  if (match === null) return undefined;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
  return Math.min(Math.ceil(ms), TIMEOUT_MS_MAX);
}
