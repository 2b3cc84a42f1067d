// The Engine API's multiplexed stream: each piece of output has an 8-byte header (stream, three zero bytes, length big-endian).
// With a terminal there are no headers. Frames over 32 KiB are split, as clients size their buffers for that.
import type { OutputFrame } from '#protocol/engine';

const HEADER_BYTES = 8;
const FRAME_BYTES_MAX: number = 32 * 1024;
/** Shorter pieces are copied byte by byte. */
const COPY_BYTES_MAX = 64;
/** Frames that are there together are sent together, up to this many bytes: a call for each line would cost more than the line. */
const TOGETHER_BYTES_MAX: number = 64 * 1024;

/** One frame. `stream` 1 = stdout, 2 = stderr. */
export function encodeFrame(stream: 'stdout' | 'stderr', data: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + data.length);
  out[0] = stream === 'stdout' ? 1 : 2;
  new DataView(out.buffer).setUint32(4, data.length);
  out.set(data, HEADER_BYTES);
  return out;
}

/** The other way round. Ends with the bytes; what is left of a cut frame is dropped. */
export async function* decodeFrames(bytes: AsyncIterable<unknown>): AsyncIterable<OutputFrame> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of bytes) {
    held = joined(held, chunk as Uint8Array);
    for (;;) {
      if (held.length < HEADER_BYTES) break;
      const view = new DataView(held.buffer, held.byteOffset, held.byteLength);
      const end = HEADER_BYTES + view.getUint32(4);
      if (held.length < end) break;
      const stream = held[0] === 2 ? 'stderr' : 'stdout';
      yield { stream, data: held.slice(HEADER_BYTES, end) };
      held = held.subarray(end);
    }
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.length === 0 ? b : allOf([a, b]);
}

function allOf(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Parts that are there together, sent together. */
export class TogetherWriter {
  readonly #write: (chunk: Uint8Array) => Promise<void>;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(write: (chunk: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Held until `flush`, or until there is too much of it. */
  async add(part: Uint8Array): Promise<void> {
    if (this.#heldBytes + part.length > TOGETHER_BYTES_MAX) await this.flush();
    this.#held.push(part);
    this.#heldBytes += part.length;
  }

  async flush(): Promise<void> {
    const parts = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (parts.length > 0) await this.#write(allOf(parts));
  }
}

/** Copies container output to a client, framed unless it has a terminal. Ends when the output does; rejects when the client is gone. */
export async function pumpOutput(
  output: AsyncIterable<OutputFrame>,
  write: (chunk: Uint8Array) => Promise<void>,
  tty: boolean,
): Promise<void> {
  const writer = new TogetherWriter(write);
  for await (const frame of output) {
    for (const part of tty ? [frame.data] : encodedParts(frame)) await writer.add(part);
    if (!frame.more) await writer.flush();
  }
  await writer.flush();
}

/** What is sent of a frame: several pieces as one part, a piece that is too long for clients in several. */
function encodedParts(frame: OutputFrame): Uint8Array[] {
  const { stream, data, ends } = frame;
  if (ends && !hasLongPiece(ends)) return [encodePieces(stream, data, ends)];
  const parts: Uint8Array[] = [];
  for (const piece of piecesOf(frame)) {
    for (let at = 0; at < piece.length; at += FRAME_BYTES_MAX) {
      parts.push(encodeFrame(stream, piece.subarray(at, at + FRAME_BYTES_MAX)));
    }
  }
  return parts;
}

/** The pieces of a frame, each as it was written. */
export function piecesOf({ data, ends }: OutputFrame): readonly Uint8Array[] {
  if (!ends) return [data];
  return ends.map((end, index) => data.subarray(ends[index - 1] ?? 0, end));
}

function hasLongPiece(ends: readonly number[]): boolean {
  return ends.some((end, index) => end - (ends[index - 1] ?? 0) > FRAME_BYTES_MAX);
}

/** A header before each piece. One loop over bytes: lines are short, and views of them would cost more than copying. */
function encodePieces(
  stream: 'stdout' | 'stderr',
  data: Uint8Array,
  ends: readonly number[],
): Uint8Array {
  const out = new Uint8Array(data.length + ends.length * HEADER_BYTES);
  const view = new DataView(out.buffer);
  let from = 0;
  let to = 0;
  for (const end of ends) {
    out[to] = stream === 'stdout' ? 1 : 2;
    view.setUint32(to + 4, end - from);
    to += HEADER_BYTES;
    if (end - from > COPY_BYTES_MAX) {
      out.set(data.subarray(from, end), to);
      to += end - from;
      from = end;
    }
    while (from < end) out[to++] = data[from++] ?? 0;
  }
  return out;
}

/** Content type of container output: clients below 1.42 know only one. */
export function outputContentType(version: number, tty: boolean): string {
  return version >= 1042 && !tty
    ? 'application/vnd.docker.multiplexed-stream'
    : 'application/vnd.docker.raw-stream';
}
