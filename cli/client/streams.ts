// Docker's multiplexed streams on the client's side: 8-byte headers (stream, length) before each piece, or raw bytes with a terminal.
import { spawnSync } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { DetachScanner } from '#protocol/detach-keys';
import type { ApiClient } from './http.ts';

const HEADER_BYTES = 8;

/** Splits a multiplexed stream; unfinished pieces wait for the rest. */
export class Demultiplexer {
  #buffer: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, emit: (stream: 'stdout' | 'stderr', data: Buffer) => void): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= HEADER_BYTES) {
      const length = this.#buffer.readUInt32BE(4);
      if (this.#buffer.length < HEADER_BYTES + length) return;
      const data = this.#buffer.subarray(HEADER_BYTES, HEADER_BYTES + length);
      emit(this.#buffer[0] === 2 ? 'stderr' : 'stdout', data);
      this.#buffer = this.#buffer.subarray(HEADER_BYTES + length);
    }
  }
}

/** Prints a multiplexed stream. Frames of one chunk that go the same way are written together: a call for each line would cost more than the line. */
export class StreamPrinter {
  readonly #splitter = new Demultiplexer();

  print(chunk: Buffer): void {
    let to: 'stdout' | 'stderr' = 'stdout';
    let held: Buffer[] = [];
    const flush = (): void => {
      if (held.length > 0) process[to].write(Buffer.concat(held));
      held = [];
    };
    this.#splitter.push(chunk, (stream, data) => {
      if (stream !== to) flush();
      to = stream;
      held.push(data);
    });
    flush();
  }
}

export interface AttachTerminal {
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Bytes that leave the far side running; none = the far side has its own. */
  readonly detachKeys?: readonly number[];
}

/** Keys and bytes pass as they are. Node's raw mode still turns each line end into two characters, which programs that draw the screen do not expect. */
function makeRaw(): void {
  process.stdin.setRawMode(true);
  // Leaving raw mode restores everything that was before.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/**
 * Joins a hijacked connection with this process's stdio until the far side ends or the keys detach. Restores the terminal in any case.
 * @returns which of both
 */
export async function joinStdio(
  socket: Duplex,
  head: Buffer,
  options: AttachTerminal,
): Promise<'ended' | 'detached'> {
  const { stdin, stdout } = process;
  const raw = options.tty && options.stdin && stdin.isTTY;
  if (raw) makeRaw();
  const printer = new StreamPrinter();
  const show = (chunk: Buffer): void => {
    if (options.tty) stdout.write(chunk);
    else printer.print(chunk);
  };
  if (head.length > 0) show(head);
  const scanner = raw && options.detachKeys ? new DetachScanner(options.detachKeys) : undefined;
  let isDetached = false;
  const forward = (chunk: Buffer): void => {
    const { data, detached } = scanner?.feed(chunk) ?? { data: chunk, detached: false };
    if (data.length > 0) socket.write(data);
    isDetached = detached;
    if (detached) socket.destroy();
  };
  const finish = (): void => {
    socket.end();
  };
  if (options.stdin) stdin.on('data', forward).on('end', finish);
  else finish();
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('data', show);
      socket.on('end', resolve);
      socket.on('close', resolve);
      socket.on('error', reject);
    });
    return isDetached ? 'detached' : 'ended';
  } finally {
    stdin.off('data', forward).off('end', finish);
    stdin.pause();
    if (raw) stdin.setRawMode(false);
    socket.destroy();
  }
}

/** A program that is just being started has no terminal yet. */
const RESIZE_RETRY_MS = 100;
const RESIZE_ATTEMPTS = 50;

/**
 * Keeps the far terminal as large as ours. `nudge`: begins with another size, so that a shell draws its prompt again for whoever joins late (docker's
 * way). @returns a function that stops it
 */
export function followSize(client: ApiClient, resizePath: string, nudge = false): () => void {
  let isStopped = false;
  const post = async (width: number, height: number): Promise<void> => {
    for (let attempt = 0; attempt < RESIZE_ATTEMPTS && !isStopped; attempt += 1) {
      try {
        await client.post(resizePath, { query: { w: width, h: height } });
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RESIZE_RETRY_MS));
      }
    }
  };
  const send = (): void => {
    const { columns, rows } = process.stdout;
    if (columns && rows) void post(columns, rows);
  };
  const { columns, rows } = process.stdout;
  if (nudge && columns && rows) void post(columns + 1, rows + 1).then(send);
  else send();
  process.stdout.on('resize', send);
  return () => {
    isStopped = true;
    process.stdout.off('resize', send);
  };
}
