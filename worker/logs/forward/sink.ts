// What a forwarder sends into: a server that is connected to, handed packets in order, and connected to again when it has gone. What a sink says it took is with the
// receiver, or as near to it as the transport can tell; the rest is sent again.
import { messageOf } from '#protocol/errors';

/** Bytes that belong together: a datagram, or a message of a stream. */
export interface Packet {
  readonly bytes: Uint8Array;
  /** What the server is to answer with when it has it; '' = it does not answer. */
  readonly chunk: string;
}

export interface Sink {
  readonly isOpen: boolean;
  /** Connects; nothing when that is done. @throws Error with Docker's words for why not */
  open(): Promise<void>;
  /** @throws SendError with how many of them need not be sent again */
  send(packets: readonly Packet[]): Promise<void>;
  /** Lets go at once; `open` connects again. */
  close(): void;
}

/** Some packets were not taken. */
export class SendError extends Error {
  /** The first so many were. */
  readonly sentCount: number;

  constructor(sentCount: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'SendError';
    this.sentCount = sentCount;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EACCES: 'connect: permission denied',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ENOENT: 'connect: no such file or directory',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no such host',
  ETIMEDOUT: 'i/o timeout',
};

/** `dial tcp 192.0.2.1:514: connect: connection refused` */
export function dialError(scheme: string, place: string, error: unknown): Error {
  const { code } = error as { code?: string };
  const why = WORDS[code ?? ''] ?? messageOf(error);
  return new Error(`dial ${scheme} ${place}: ${why}`, { cause: error });
}
