// The Engine API's multiplexed stream: each piece of output has an 8-byte header (stream, three zero bytes, length big-endian).
// With a terminal there are no headers. Frames over 32 KiB are split, as clients size their buffers for that.
import type { OutputFrame } from '#protocol/engine';

const HEADER_BYTES = 8;
const FRAME_BYTES_MAX: number = 32 * 1024;
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

/** Copies container output to a client, framed unless it has a terminal. Ends when the output does; rejects when the client is gone. */
export async function pumpOutput(
  output: AsyncIterable<OutputFrame>,
  write: (chunk: Uint8Array) => Promise<void>,
  tty: boolean,
): Promise<void> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const send = async (): Promise<void> => {
    const parts = held;
    held = [];
    heldBytes = 0;
    if (parts.length > 0) await write(allOf(parts));
  };
  for await (const frame of output) {
    for (const part of tty ? [frame.data] : encodedParts(frame)) {
      if (heldBytes + part.length > TOGETHER_BYTES_MAX) await send();
      held.push(part);
      heldBytes += part.length;
    }
    if (!frame.more) await send();
  }
  await send();
}

function encodedParts({ stream, data }: OutputFrame): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += FRAME_BYTES_MAX) {
    parts.push(encodeFrame(stream, data.subarray(at, at + FRAME_BYTES_MAX)));
  }
  return parts;
}

/** Content type of container output: clients below 1.42 know only one. */
export function outputContentType(version: number, tty: boolean): string {
  return version >= 1042 && !tty
    ? 'application/vnd.docker.multiplexed-stream'
    : 'application/vnd.docker.raw-stream';
}
