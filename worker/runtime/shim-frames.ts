// Frames of the shim's socket (native/PROTOCOL.md): `u8 type, u8 0, u16 0, u32le length, payload`. Encoding, and a decoder that takes bytes as they come.
// Refuses frames beyond the protocol's limit: the connection is then broken, not the worker's memory.
import { TswarmError } from '#protocol/errors';
import { SHIM_FRAME_BYTES_MAX } from '../limits.ts';

export const FRAME = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  resize: 3,
  stdinClosed: 4,
  request: 0x51,
  answer: 0x52,
  ended: 0x58,
} as const;

const HEADER_BYTES = 8;

export interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** One frame's bytes. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + payload.length);
  out[0] = type;
  new DataView(out.buffer).setUint32(4, payload.length, true);
  out.set(payload, HEADER_BYTES);
  return out;
}

/** A frame whose payload is this value as JSON. */
export function encodeJsonFrame(type: number, value: unknown): Uint8Array {
  return encodeFrame(type, new TextEncoder().encode(JSON.stringify(value)));
}

/** The JSON value of a frame. @throws data_loss when it is none */
export function frameJson(frame: Frame): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(frame.payload)) as Record<string, unknown>;
  } catch (error) {
    throw new TswarmError('data_loss', 'shim: answer is not JSON', { cause: error });
  }
}

/** Cuts a byte stream into frames. */
export class FrameDecoder {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Bytes that arrived; @returns the frames that are now complete. @throws data_loss for a frame beyond the limit */
  push(chunk: Uint8Array): readonly Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < HEADER_BYTES) return [];
    let bytes = this.#join();
    const out: Frame[] = [];
    while (bytes.length >= HEADER_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const length = view.getUint32(4, true);
      if (length > SHIM_FRAME_BYTES_MAX) {
        throw new TswarmError('data_loss', `shim: a frame of ${length} bytes is beyond the limit`);
      }
      if (bytes.length < HEADER_BYTES + length) break;
      out.push({
        type: bytes[0] ?? 0,
        payload: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length),
      });
      bytes = bytes.subarray(HEADER_BYTES + length);
    }
    this.#chunks = bytes.length > 0 ? [bytes] : [];
    this.#length = bytes.length;
    return out;
  }

  #join(): Uint8Array {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first) return first;
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}
