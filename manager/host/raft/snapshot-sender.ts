// Sends snapshots to members that are too far behind for the log: one at a time per member, a few at
// a time in all. The receiver says how much it has, so a cut transfer goes on at the last good piece;
// its end carries the digest of the whole. Whatever comes of it, the core is told exactly once.
import type * as grpc from '@grpc/grpc-js';
import { encodeMessages } from '#manager/raft/codec';
import type { Message, Snapshot } from '#manager/raft/types';
import { SNAPSHOT_CHUNK_BYTES } from '#manager/wal/limits';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  type PeerHello,
  SnapshotFrame,
  SnapshotHello,
  type SnapshotNotice,
} from '#protocol/generated/raft';
import {
  RECONNECT_MAX_MS,
  SNAPSHOT_RETRY_MS,
  SNAPSHOT_STALL_MS,
  SNAPSHOTS_SENT_MAX,
} from './limits.ts';
import type { SnapshotSource, SnapshotStore } from './snapshot-store.ts';

export type SnapshotStream = grpc.ClientDuplexStream<SnapshotFrame, SnapshotNotice>;

export interface SnapshotSenderDeps {
  readonly snapshots: SnapshotStore;
  /** A connection of its own to the member; null when it cannot be had. */
  readonly open: (
    to: number,
  ) => { readonly stream: SnapshotStream; readonly close: () => void } | null;
  readonly hello: (to: number) => PeerHello;
  readonly sent: (to: number, hasFailed: boolean) => void;
  readonly note: (message: string, values: Readonly<Record<string, string | number>>) => void;
}

/** The pieces of a snapshot; none for the empty state. */
type Source = Pick<SnapshotSource, 'totalBytes' | 'read' | 'close'>;

const EMPTY_SOURCE: Source = {
  totalBytes: 0,
  read: async () => ({ part: new Uint8Array(0), digest: new Uint8Array(0) }),
  close: async () => {},
};

export class SnapshotSender {
  readonly #deps: SnapshotSenderDeps;
  readonly #waiting: { readonly to: number; readonly message: Message }[] = [];
  readonly #running = new Set<number>();
  #isClosed = false;

  constructor(deps: SnapshotSenderDeps) {
    this.#deps = deps;
  }

  /** `message` is the core's; the file that it names is sent with it. */
  send(to: number, message: Message): void {
    const i = this.#waiting.findIndex((item) => item.to === to);
    if (i >= 0) this.#waiting.splice(i, 1);
    this.#waiting.push({ to, message });
    this.#startNext();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  #startNext(): void {
    while (this.#running.size < SNAPSHOTS_SENT_MAX && !this.#isClosed) {
      const i = this.#waiting.findIndex(({ to }) => !this.#running.has(to));
      const [item] = i < 0 ? [] : this.#waiting.splice(i, 1);
      if (item === undefined) return;
      const { to, message } = item;
      this.#running.add(to);
      void this.#transfer(to, message).then((error) => {
        this.#running.delete(to);
        if (this.#isClosed) return;
        if (error !== null) this.#deps.note('snapshot was not sent', { to, error });
        this.#deps.sent(to, error !== null);
        this.#startNext();
      });
    }
  }

  /** Null when the other side has it; else why not. */
  async #transfer(to: number, message: Message): Promise<string | null> {
    const snapshot = message.snapshot as Snapshot;
    const startMs = performance.now();
    let source: Source;
    try {
      source = await this.#sourceOf(snapshot);
    } catch (error) {
      return messageOf(error);
    }
    try {
      for (;;) {
        const problem = await this.#attempt(to, message, source).catch(messageOf);
        if (problem === null || this.#isClosed) return problem;
        if (performance.now() - startMs > SNAPSHOT_RETRY_MS) return problem;
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MAX_MS / 2));
      }
    } finally {
      await source.close();
    }
  }

  async #sourceOf(snapshot: Snapshot): Promise<Source> {
    const { snapshots } = this.#deps;
    // A group begins with the empty state at index 1, which has no file.
    if (snapshot.index === 1) return EMPTY_SOURCE;
    return snapshots.openToSend(snapshot);
  }

  async #attempt(to: number, message: Message, source: Source): Promise<string | null> {
    const opened = this.#deps.open(to);
    if (opened === null) return 'there is no way to it';
    const { stream, close } = opened;
    const notices = new Notices(stream);
    try {
      const hello = SnapshotHello.create({
        peer: this.#deps.hello(to),
        message: encodeMessages([message]),
        totalBytes: source.totalBytes,
      });
      stream.write(SnapshotFrame.create({ hello }));
      const { offset: start } = await notices.next();
      if (start < 0 || start % SNAPSHOT_CHUNK_BYTES !== 0 || start > source.totalBytes) {
        return `the answer names a wrong offset: ${start}`;
      }
      await this.#pieces(stream, source, { start, notices });
      const { done } = await notices.next();
      return done ? null : 'it was not taken';
    } finally {
      notices.stop();
      stream.cancel();
      close();
    }
  }

  async #pieces(
    stream: SnapshotStream,
    source: Source,
    { start, notices }: { readonly start: number; readonly notices: Notices },
  ): Promise<void> {
    for (let offset = start; ; offset += SNAPSHOT_CHUNK_BYTES) {
      const { part, digest } = await source.read(offset);
      const fields = { offset, data: part, sha256: digest ?? new Uint8Array(0) };
      // A write to a stream that has failed is never called back.
      await Promise.race([written(stream, SnapshotFrame.create(fields)), notices.failed]);
      if (digest !== null) return;
    }
  }
}

/** Resolves when the stream has taken the frame and wants more; also when it has ended. */
function written(stream: SnapshotStream, frame: SnapshotFrame): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new TswarmError('deadline_exceeded', 'no progress'));
    }, SNAPSHOT_STALL_MS);
    stream.write(frame, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The other side's notices, one by one; an end or an error ends the waiting. */
class Notices {
  readonly #ready: SnapshotNotice[] = [];
  #failure: Error | null = null;
  #wake: (() => void) | null = null;
  #isStopped = false;
  readonly #broken: PromiseWithResolvers<never> = Promise.withResolvers();

  constructor(stream: SnapshotStream) {
    stream.on('data', (notice: SnapshotNotice) => {
      this.#ready.push(notice);
      this.#wake?.();
    });
    stream.on('error', (error: Error) => this.#fail(error));
    stream.on('end', () => this.#fail(new Error('the other side ended the transfer')));
    this.#broken.promise.catch(() => {}); // Whoever is interested waits for it.
  }

  /** Rejects when the stream fails or ends. */
  get failed(): Promise<never> {
    return this.#broken.promise;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#broken.reject(error);
    this.#wake?.();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async next(): Promise<SnapshotNotice> {
    const deadlineMs = performance.now() + SNAPSHOT_STALL_MS;
    for (;;) {
      const notice = this.#ready.shift();
      if (notice !== undefined) return notice;
      if (this.#failure !== null) throw this.#failure;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.#isStopped) {
        throw new TswarmError('deadline_exceeded', 'the transfer does not go on');
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
  }
}
