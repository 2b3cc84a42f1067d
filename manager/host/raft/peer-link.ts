// The way to one other member: a queue and one long-lived stream. What a turn brings goes out as one
// frame; while the stream is full, frames collect and are merged. Raft repeats what is lost, so the
// queue is bounded, stale messages go, and the core is told when something probably did not arrive.
// An append without entries only tells of the commit mark: it waits a moment for company, and is left
// out when an append with entries, which tells the same, comes meanwhile.
// A stream that ends is begun anew with back-off; a new certificate gets a new stream first, and only
// when that is accepted the old one ends.
import type * as grpc from '@grpc/grpc-js';
import { encodeMessages } from '#manager/raft/codec';
import { entriesBytes } from '#manager/raft/storage';
import { type Message, MessageType } from '#manager/raft/types';
import { messageOf } from '#protocol/errors';
import { PeerFrame, type PeerHello, type PeerNotice } from '#protocol/generated/raft';
import {
  COMMIT_NOTICE_DELAY_MS,
  CONNECT_TIMEOUT_MAX_MS,
  CONNECT_TIMEOUT_MS,
  PEER_FRAME_BYTES,
  PEER_QUEUE_AGE_MS,
  PEER_QUEUE_BYTES,
  PEER_QUEUE_MESSAGES,
  RECONNECT_MAX_MS,
  RECONNECT_MIN_MS,
} from './limits.ts';
import { isRemovedError } from './peer-protocol.ts';
import type { RaftPeer } from './raft-node.ts';

/** What one message costs beside its entries. */
const MESSAGE_OVERHEAD_BYTES = 96;

export type MessageStream = grpc.ClientDuplexStream<PeerFrame, PeerNotice>;

export interface PeerLinkDeps {
  readonly hello: () => PeerHello;
  /** A new connection with a stream on it; null while there is no identity. */
  readonly open: () => { readonly stream: MessageStream; readonly close: () => void } | null;
  readonly unreachable: () => void;
  readonly removed: () => void;
  readonly note: (message: string, values: Readonly<Record<string, string | number>>) => void;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
}

interface Queued {
  readonly message: Message;
  readonly bytes: number;
  readonly sinceMs: number;
}

interface Connection {
  readonly stream: MessageStream;
  readonly close: () => void;
  isAccepted: boolean;
  timer: NodeJS.Timeout | null;
}

export class PeerLink {
  readonly peer: RaftPeer;
  readonly #deps: PeerLinkDeps;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  /** The one that messages go to. */
  #current: Connection | null = null;
  /** The one that is to take its place. */
  #next: Connection | null = null;
  #isFlushing = false;
  /** Runs while nothing but commit notices is queued. */
  #noticeTimer: NodeJS.Timeout | null = null;
  #isFull = false;
  #isClosed = false;
  #backoffMs = RECONNECT_MIN_MS;
  #timeoutMs = CONNECT_TIMEOUT_MS;
  #retry: NodeJS.Timeout | null = null;
  #lastProblem = '';

  constructor(peer: RaftPeer, deps: PeerLinkDeps) {
    this.peer = peer;
    this.#deps = deps;
    this.#connect();
  }

  send(messages: readonly Message[]): void {
    const sinceMs = performance.now();
    for (const message of messages) {
      const bytes = MESSAGE_OVERHEAD_BYTES + entriesBytes(message.entries);
      this.#queue.push({ message, bytes, sinceMs });
      this.#queuedBytes += bytes;
    }
    const isOver = this.#queuedBytes > PEER_QUEUE_BYTES || this.#queue.length > PEER_QUEUE_MESSAGES;
    if (isOver) this.#shed();
    if (messages.every(isCommitNotice)) this.#flushLater();
    else this.#flushSoon();
  }

  #flushLater(): void {
    this.#noticeTimer ??= setTimeout(() => {
      this.#noticeTimer = null;
      this.#flushSoon();
    }, COMMIT_NOTICE_DELAY_MS);
  }

  /** Opens a connection with the present identity and moves to it once it is accepted. */
  renew(): void {
    if (this.#isClosed) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#next !== null) this.#end(this.#next, true);
    this.#connect();
  }

  /**
   * What is queued still goes out: it may be the farewell of a member that was removed. Resolves when
   * the other side has taken it, or is gone.
   */
  async close(): Promise<void> {
    this.#flush();
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#noticeTimer !== null) clearTimeout(this.#noticeTimer);
    const open = [this.#current, this.#next].filter((connection) => connection !== null);
    const ended = open.map(
      ({ stream }) => new Promise((resolve) => stream.once('status', resolve)),
    );
    for (const connection of open) this.#end(connection);
    this.#queue = [];
    await Promise.all(ended);
  }

  // ---- queue

  /** Drops the oldest appends and heartbeats until half of the room is free again. */
  #shed(): void {
    const kept: Queued[] = [];
    let bytes = this.#queuedBytes;
    let count = this.#queue.length;
    for (const item of this.#queue) {
      const { type } = item.message;
      const isRepeated =
        type === MessageType.append ||
        type === MessageType.appendResponse ||
        type === MessageType.heartbeat ||
        type === MessageType.heartbeatResponse;
      const isOver = bytes > PEER_QUEUE_BYTES / 2 || count > PEER_QUEUE_MESSAGES / 2;
      if (isOver && isRepeated) {
        bytes -= item.bytes;
        count--;
      } else {
        kept.push(item);
      }
    }
    this.#queue = kept;
    this.#queuedBytes = bytes;
    this.#deps.unreachable();
  }

  /** Once per turn, so that all messages of a turn share a frame. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#current === null || this.#isFull) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const connection = this.#current;
    if (connection === null) return;
    this.#dropNotices();
    while (this.#queue.length > 0 && !this.#isFull) {
      const messages = encodeMessages(this.#takeFrame());
      this.#isFull = !connection.stream.write(PeerFrame.create({ messages }));
    }
  }

  /** A later append says at least as much as the notices before it. */
  #dropNotices(): void {
    const last = this.#queue.findLastIndex(
      ({ message }) => message.type === MessageType.append && message.entries.length > 0,
    );
    if (last <= 0) return;
    this.#queue = this.#queue.filter(({ message }, i) => i >= last || !isCommitNotice(message));
    this.#queuedBytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #takeFrame(): Message[] {
    let bytes = 0;
    let taken = 0;
    const messages: Message[] = [];
    for (const item of this.#queue) {
      if (taken > 0 && bytes + item.bytes > PEER_FRAME_BYTES) break;
      messages.push(item.message);
      bytes += item.bytes;
      taken++;
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    this.#queuedBytes -= bytes;
    return messages;
  }

  #dropStale(): void {
    const oldestMs = performance.now() - PEER_QUEUE_AGE_MS;
    this.#queue = this.#queue.filter(({ sinceMs }) => sinceMs >= oldestMs);
    this.#queuedBytes = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  // ---- connection

  #connect(): void {
    const opened = this.#deps.open();
    if (opened === null) return; // `renew` comes with the identity.
    const connection: Connection = { ...opened, isAccepted: false, timer: null };
    this.#next = connection;
    const { stream } = connection;
    connection.timer = setTimeout(() => {
      // A machine under load may need longer for the handshake.
      this.#timeoutMs = Math.min(CONNECT_TIMEOUT_MAX_MS, this.#timeoutMs * 2);
      this.#failed(connection, new Error('no answer in time'));
    }, this.#timeoutMs);
    stream.on('data', (notice: PeerNotice) => {
      if (notice.accepted && !connection.isAccepted) this.#accepted(connection);
    });
    stream.on('drain', () => {
      if (connection !== this.#current) return;
      this.#isFull = false;
      this.#flush();
    });
    stream.on('error', (error: Error) => this.#failed(connection, error));
    stream.on('end', () => this.#failed(connection, new Error('the other side ended the stream')));
    stream.write(PeerFrame.create({ hello: this.#deps.hello() }));
  }

  #accepted(connection: Connection): void {
    connection.isAccepted = true;
    if (connection.timer !== null) clearTimeout(connection.timer);
    const old = this.#current;
    this.#current = connection;
    this.#next = null;
    this.#isFull = false;
    this.#backoffMs = RECONNECT_MIN_MS;
    this.#timeoutMs = CONNECT_TIMEOUT_MS;
    this.#lastProblem = '';
    if (old !== null) this.#end(old);
    this.#dropStale();
    this.#flushSoon();
  }

  /** `isCut`: nothing that is still on the way is of use. */
  #end(connection: Connection, isCut = false): void {
    if (connection.timer !== null) clearTimeout(connection.timer);
    if (this.#current === connection) this.#current = null;
    if (this.#next === connection) this.#next = null;
    // Otherwise what is written still goes out; then the other side sees the end.
    if (isCut) connection.stream.cancel();
    else connection.stream.end();
    connection.close();
  }

  #failed(connection: Connection, error: Error): void {
    if (connection !== this.#current && connection !== this.#next) return;
    const wasCurrent = connection === this.#current;
    this.#end(connection, true);
    if (this.#isClosed) return;
    if (isRemovedError(error)) this.#deps.removed();
    const problem = messageOf(error);
    if (problem !== this.#lastProblem) {
      this.#lastProblem = problem;
      const { addr, raftId } = this.peer;
      this.#deps.note('a manager cannot be reached', { to: raftId, addr, error: problem });
    }
    if (wasCurrent) {
      this.#isFull = false;
      this.#deps.unreachable();
    }
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#retry !== null || this.#next !== null || this.#current !== null) return;
    const delayMs = this.#backoffMs * (0.5 + this.#deps.random() / 2);
    this.#backoffMs = Math.min(RECONNECT_MAX_MS, this.#backoffMs * 2);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#connect();
    }, delayMs);
  }
}

function isCommitNotice({ type, entries }: Message): boolean {
  return type === MessageType.append && entries.length === 0;
}
