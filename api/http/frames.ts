// The Engine API's multiplexed stream: each piece of output has an 8-byte header (stream, three zero bytes, length big-endian).
// With a terminal there are no headers. Frames over 32 KiB are split, as clients size their buffers for that.
import type { OutputFrame } from '#protocol/engine';

const HEADER_BYTES = 8;
const FRAME_BYTES_MAX: number = 32 * 1024;

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
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

/** Copies container output to a client, framed unless it has a terminal. Ends when the output does; rejects when the client is gone. */
export async function pumpOutput(
  output: AsyncIterable<OutputFrame>,
  write: (chunk: Uint8Array) => Promise<void>,
  tty: boolean,
): Promise<void> {
  for await (const frame of output) {
    if (tty) {
      await write(frame.data);
      continue;
    }
    for (let at = 0; at < frame.data.length; at += FRAME_BYTES_MAX) {
      await write(encodeFrame(frame.stream, frame.data.subarray(at, at + FRAME_BYTES_MAX)));
    }
  }
}

/** Content type of container output: clients below 1.42 know only one. */
export function outputContentType(version: number, tty: boolean): string {
  return version >= 1042 && !tty
    ? 'application/vnd.docker.multiplexed-stream'
    : 'application/vnd.docker.raw-stream';
}
