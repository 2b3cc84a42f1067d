// The server's side of a WebSocket (RFC 6455), as far as our streams need it: text and binary messages both ways, pings answered, an orderly close. Owns the
// handshake and the framing; what messages mean is the caller's. Refuses what the RFC tells a server to refuse (frames without a mask, reserved bits, fragments
// out of order, long control frames), extensions, messages above a limit, and handshakes of pages of other sites: a browser sends cookies and client
// certificates with every handshake, whichever page asks for it, and names the page in Origin.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { TswarmError } from '#protocol/errors';
import type { ByteStream } from '#protocol/world';
import { SOCKET_MESSAGE_BYTES_MAX } from '../limits.ts';
import type { Reply } from './reply.ts';

export interface SocketMessage {
  readonly isText: boolean;
  readonly data: Buffer;
}

/** Status codes of a close, RFC 6455 §7.4.1. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_TOO_BIG = 1009;

/** RFC 6455 §1.3: what a server appends to the client's key. */
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CONTROL_BYTES_MAX = 125;

const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Whether a request asks for a WebSocket. */
export function wantsSocket(headers: IncomingHttpHeaders): boolean {
  return (headers.upgrade ?? '').toLowerCase() === 'websocket';
}

/** Names that the client proposes in Sec-WebSocket-Protocol. */
export function proposedProtocols(headers: IncomingHttpHeaders): readonly string[] {
  const text = headers['sec-websocket-protocol'] ?? '';
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** @throws TswarmError permission_denied when a browser says that the request comes from a page of another site */
export function requireSameOrigin({ origin, host }: IncomingHttpHeaders): void {
  if (origin === undefined || origin.replace(/^https?:\/\//, '') === host) return;
  throw new TswarmError('permission_denied', 'the request comes from another site');
}

/** Answers the handshake. `protocol` must be one that the client proposes. @throws TswarmError for what is no handshake of ours */
export function acceptSocket(
  headers: IncomingHttpHeaders,
  reply: Reply,
  protocol: string,
): WebSocketStream {
  requireSameOrigin(headers);
  const key = headers['sec-websocket-key'] ?? '';
  const isHandshake = wantsSocket(headers) && headers['sec-websocket-version'] === '13';
  if (!isHandshake || Buffer.from(key, 'base64').length !== 16) {
    throw new TswarmError('invalid_argument', 'this call takes a WebSocket (version 13)', {
      hint: 'Open it with wss:// or ws://, or use POST /containers/{id}/exec of the Engine API.',
    });
  }
  if (!proposedProtocols(headers).includes(protocol)) {
    throw new TswarmError('invalid_argument', `Sec-WebSocket-Protocol: must name ${protocol}`, {
      field: 'Sec-WebSocket-Protocol',
    });
  }
  const accept = createHash('sha1').update(`${key}${KEY_SUFFIX}`).digest('base64');
  const connection = reply.upgrade('websocket', {
    'Sec-WebSocket-Accept': accept,
    'Sec-WebSocket-Protocol': protocol,
  });
  return new WebSocketStream(connection);
}

/** A fault of the client that ends the connection with a status. */
class SocketFault extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class WebSocketStream {
  readonly #connection: ByteStream;
  #isClosed = false;

  constructor(connection: ByteStream) {
    this.#connection = connection;
  }

  /** Whole messages. Ends when the client closes or goes; a client that breaks the rules is told why and cut off. */
  async *messages(): AsyncIterable<SocketMessage> {
    let parts: Buffer[] = [];
    let size = 0;
    let isText = false;
    try {
      for await (const { opcode, isFinal, data } of frames(this.#connection.read)) {
        if (opcode === OPCODE.close) return;
        if (opcode === OPCODE.ping) await this.#send(OPCODE.pong, data);
        if (opcode >= OPCODE.close) continue;
        if ((opcode === OPCODE.more) !== parts.length > 0) {
          throw new SocketFault(CLOSE_PROTOCOL_ERROR, 'a fragment out of order');
        }
        if (opcode !== OPCODE.more) isText = opcode === OPCODE.text;
        size += data.length;
        if (size > SOCKET_MESSAGE_BYTES_MAX) throw tooBig();
        parts.push(data);
        if (!isFinal) continue;
        yield { isText, data: Buffer.concat(parts) };
        parts = [];
        size = 0;
      }
    } catch (error) {
      if (!(error instanceof SocketFault)) throw error;
      await this.close(error.status, error.message);
    }
  }

  /** Resolves when the client has room again. */
  sendText(text: string): Promise<void> {
    return this.#send(OPCODE.text, Buffer.from(text));
  }

  sendBinary(...parts: readonly Uint8Array[]): Promise<void> {
    return this.#send(OPCODE.binary, ...parts);
  }

  /** Says goodbye, once. */
  async close(status: number = CLOSE_NORMAL, reason = ''): Promise<void> {
    if (this.#isClosed) return;
    const text = Buffer.from(reason).subarray(0, CONTROL_BYTES_MAX - 2);
    const body = Buffer.alloc(2 + text.length);
    body.writeUInt16BE(status);
    text.copy(body, 2);
    await this.#send(OPCODE.close, body).catch(() => undefined);
    this.#isClosed = true;
    this.#connection.close();
  }

  async #send(opcode: number, ...parts: readonly Uint8Array[]): Promise<void> {
    if (this.#isClosed) return;
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    await this.#connection.write(Buffer.concat([frameHead(opcode, size), ...parts]));
  }
}

/** Of a whole, unmasked frame: a server's. */
function frameHead(opcode: number, size: number): Buffer {
  const first = 0x80 | opcode;
  if (size <= CONTROL_BYTES_MAX) return Buffer.from([first, size]);
  if (size <= 0xffff) {
    const head = Buffer.from([first, 126, 0, 0]);
    head.writeUInt16BE(size, 2);
    return head;
  }
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(size), 2);
  return head;
}

interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly data: Buffer;
}

async function* frames(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Frame> {
  let held = Buffer.alloc(0);
  for await (const chunk of bytes) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]);
    for (;;) {
      const taken = takeFrame(held);
      if (!taken) break;
      held = held.subarray(taken.bytes);
      yield taken.frame;
    }
  }
}

/** The first frame of `held` when it is whole. @throws SocketFault */
function takeFrame(held: Buffer): { readonly frame: Frame; readonly bytes: number } | undefined {
  if (held.length < 2) return undefined;
  const first = held.readUInt8(0);
  const second = held.readUInt8(1);
  const opcode = first & 0x0f;
  const isFinal = (first & 0x80) !== 0;
  if ((first & 0x70) !== 0) throw new SocketFault(CLOSE_PROTOCOL_ERROR, 'a reserved bit is set');
  if (!Object.values<number>(OPCODE).includes(opcode)) {
    throw new SocketFault(CLOSE_PROTOCOL_ERROR, `there is no opcode ${opcode}`);
  }
  if ((second & 0x80) === 0) throw new SocketFault(CLOSE_PROTOCOL_ERROR, 'a frame has no mask');
  const short = second & 0x7f;
  if (opcode >= OPCODE.close && (!isFinal || short > CONTROL_BYTES_MAX)) {
    throw new SocketFault(CLOSE_PROTOCOL_ERROR, 'a control frame is too long or in parts');
  }
  const headBytes = short === 127 ? 14 : short === 126 ? 8 : 6;
  if (held.length < headBytes) return undefined;
  const size =
    short === 127 ? Number(held.readBigUInt64BE(2)) : short === 126 ? held.readUInt16BE(2) : short;
  if (size > SOCKET_MESSAGE_BYTES_MAX) throw tooBig();
  const bytes = headBytes + size;
  if (held.length < bytes) return undefined;
  const mask = held.subarray(headBytes - 4, headBytes);
  const data = Buffer.from(held.subarray(headBytes, bytes));
  for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return { frame: { opcode, isFinal, data }, bytes };
}

function tooBig(): SocketFault {
  return new SocketFault(CLOSE_TOO_BIG, `a message may have ${SOCKET_MESSAGE_BYTES_MAX} bytes`);
}
