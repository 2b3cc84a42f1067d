// One message for a log server: a line of a container's log, or a piece of a line that is longer than the shim writes at once. What the encoders get.
import { Buffer } from 'node:buffer';
import { LOG_PIECE_BYTES_MIN } from '../../limits.ts';
import type { LogSubject } from '../log-attributes.ts';
import type { LogEntry } from '../log-line.ts';

/** Of a piece of a longer line. */
export interface Piece {
  /** The same for all pieces of a line. */
  readonly id: string;
  /** From 1. */
  readonly ordinal: number;
  readonly isLast: boolean;
}

export interface LogMessage {
  readonly stream: 'stdout' | 'stderr';
  /** Without its newline. */
  readonly line: Buffer;
  /** As in the log: RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly piece: Piece | undefined;
}

/** What all messages of a container have in common. */
export interface LogOrigin {
  readonly subject: LogSubject;
  /** The tag with its templates filled in. */
  readonly tag: string;
  /** Labels and variables that the options select. */
  readonly attributes: Readonly<Record<string, string>>;
  /** RFC 3339; when the container was made. */
  readonly createdAt: string;
  /** The program that speaks, for protocols that name it. */
  readonly pid: number;
}

/** Severity in syslog's numbers, by stream, as Docker sets it. */
export function severityOf(stream: 'stdout' | 'stderr'): number {
  return stream === 'stderr' ? 3 : 6;
}

const NEWLINE = 0x0a;

/** Puts the pieces of long lines in relation to each other, for each stream of a container. */
export class MessageMaker {
  readonly #containerId: string;
  readonly #open = new Map<string, { readonly id: string; ordinal: number }>();

  constructor(containerId: string) {
    this.#containerId = containerId;
  }

  message({ stream, text, time }: LogEntry): LogMessage {
    const bytes = Buffer.from(text, 'latin1');
    const isEnd = bytes.at(-1) === NEWLINE;
    // What a program wrote last may have no newline; a piece that was cut off is full.
    const isPiece = !isEnd && bytes.length >= LOG_PIECE_BYTES_MIN;
    const line = isEnd ? bytes.subarray(0, -1) : bytes;
    const open = this.#open.get(stream) ?? (isPiece ? this.#begin(time) : undefined);
    if (!open) return { stream, line, time, piece: undefined };
    open.ordinal += 1;
    if (isPiece) this.#open.set(stream, open);
    else this.#open.delete(stream);
    return {
      stream,
      line,
      time,
      piece: { id: open.id, ordinal: open.ordinal, isLast: !isPiece },
    };
  }

  #begin(time: string): { readonly id: string; ordinal: number } {
    return { id: `${this.#containerId.slice(0, 12)}-${time}`, ordinal: 0 };
  }
}
