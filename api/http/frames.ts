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
