// Takes snapshots that the leader sends, piece by piece. What has arrived of one stays for a while
// when the connection is cut, so that the next attempt goes on behind it. Handed over only when it is
// whole and its digest is right.
import { createHash } from 'node:crypto';
import { decodeMessages } from '#manager/raft/codec';
import { type Message, MessageType } from '#manager/raft/types';
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_MAX_BYTES } from '#manager/wal/limits';
import { TswarmError } from '#protocol/errors';
import { type PeerHello, type SnapshotFrame, SnapshotNotice } from '#protocol/generated/raft';
import { SNAPSHOT_PARTIAL_KEEP_MS, SNAPSHOT_STALL_MS, SNAPSHOTS_RECEIVED_MAX } from './limits.ts';
import { refuse, type SnapshotCall } from './peer-listener.ts';

/** What is here of one snapshot. */
interface Partial {
  readonly from: number;
  readonly index: number;
  readonly term: number;
  readonly totalBytes: number;
  readonly parts: Uint8Array[];
  bytes: number;
  touchedMs: number;
  /** The call that fills it; null after a cut. */
  call: SnapshotCall | null;
}

export interface SnapshotReceiverDeps {
  readonly raftId: number;
  /** Stores it and lets the core decide. */
  readonly received: (message: Message) => Promise<void>;
  readonly note: (message: string, values: Readonly<Record<string, string | number>>) => void;
}

export class SnapshotReceiver {
  readonly #deps: SnapshotReceiverDeps;
  #partials: Partial[] = [];

  constructor(deps: SnapshotReceiverDeps) {
    this.#deps = deps;
  }

  /** `admit` gives the caller's Raft id, 0 when it was refused already. @throws TswarmError */
  handle(call: SnapshotCall, admit: (hello: PeerHello | undefined) => number): void {
    let partial: Partial | null = null;
    let message: Message | null = null;
    let timer: NodeJS.Timeout | null = null;
    const end = (): void => {
      if (timer !== null) clearTimeout(timer);
      if (partial?.call === call) partial.call = null;
    };
    const alive = (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => fail(stalled()), SNAPSHOT_STALL_MS);
    };
    const fail = (error: unknown): void => {
      end();
      call.removeAllListeners('data');
      refuse(call, error);
    };
    call.on('cancelled', end);
    call.on('close', end);
    call.on('data', (frame: SnapshotFrame) => {
      try {
        alive();
        if (partial === null || message === null) {
          const from = admit(frame.hello?.peer);
          if (from === 0) return end();
          message = this.#messageOf(frame, from);
          partial = this.#begin(call, message, frame.hello?.totalBytes ?? -1);
          call.write(SnapshotNotice.create({ offset: partial.bytes }));
        } else if (this.#add(partial, frame)) {
          end();
          this.#finish(call, partial, message, frame.sha256);
        }
      } catch (error) {
        fail(error);
      }
    });
    call.on('end', () => call.end());
  }

  #messageOf(frame: SnapshotFrame, from: number): Message {
    const messages = decodeMessages(frame.hello?.message ?? new Uint8Array(0));
    const message = messages?.length === 1 ? messages[0] : undefined;
    const isRight =
      message?.type === MessageType.snapshot &&
      message.snapshot !== null &&
      message.from === from &&
      message.to === this.#deps.raftId;
    if (message === undefined || !isRight) {
      throw new TswarmError('invalid_argument', 'this is no snapshot message for this member');
    }
    return message;
  }

  #begin(call: SnapshotCall, message: Message, totalBytes: number): Partial {
    if (totalBytes < 0 || totalBytes > SNAPSHOT_MAX_BYTES) {
      throw new TswarmError('too_large', `a snapshot of ${totalBytes} bytes is not taken`);
    }
    const now = performance.now();
    this.#partials = this.#partials.filter(
      (one) => one.call !== null || now - one.touchedMs < SNAPSHOT_PARTIAL_KEEP_MS,
    );
    const { index = 0, term = 0 } = message.snapshot ?? {};
    const { from } = message;
    const known = this.#partials.find((one) => one.from === from);
    if (known !== undefined) {
      const isSame =
        known.index === index && known.term === term && known.totalBytes === totalBytes;
      // The sender begins again: whatever it was doing before is over.
      if (known.call !== null) refuse(known.call, new TswarmError('cancelled', 'begun anew'));
      if (isSame) {
        known.call = call;
        known.touchedMs = now;
        if (known.bytes > 0) {
          this.#deps.note('goes on with a snapshot', { from, index, offset: known.bytes });
        }
        return known;
      }
      this.#partials = this.#partials.filter((one) => one !== known);
    }
    if (this.#partials.length >= SNAPSHOTS_RECEIVED_MAX) {
      const idle = this.#partials.find((one) => one.call === null);
      if (idle === undefined) {
        throw new TswarmError('resource_exhausted', 'other snapshots are being received');
      }
      this.#partials = this.#partials.filter((one) => one !== idle);
    }
    const fields = { from, index, term, totalBytes, call };
    const partial: Partial = { ...fields, parts: [], bytes: 0, touchedMs: now };
    this.#partials.push(partial);
    return partial;
  }

  /** Returns whether it was the last piece. */
  #add(partial: Partial, { offset, data, sha256 }: SnapshotFrame): boolean {
    const isLast = sha256.length > 0 || partial.totalBytes === 0;
    const isFit =
      offset === partial.bytes &&
      offset + data.length <= partial.totalBytes &&
      (isLast ? offset + data.length === partial.totalBytes : data.length === SNAPSHOT_CHUNK_BYTES);
    if (!isFit) {
      throw new TswarmError('invalid_argument', `a piece at ${offset} does not fit`);
    }
    // The last piece is only kept together with what it proves.
    partial.parts.push(data);
    partial.bytes += data.length;
    partial.touchedMs = performance.now();
    return isLast;
  }

  #finish(call: SnapshotCall, partial: Partial, message: Message, sha256: Uint8Array): void {
    this.#partials = this.#partials.filter((one) => one !== partial);
    const data = Buffer.concat(partial.parts, partial.bytes);
    if (data.length > 0 && !createHash('sha256').update(data).digest().equals(sha256)) {
      throw new TswarmError('data_loss', 'the digest of the snapshot is wrong');
    }
    const { snapshot, from } = message;
    if (snapshot === null) return;
    const { index } = snapshot;
    this.#deps.note('received a snapshot', { from, index, bytes: data.length });
    this.#deps.received({ ...message, snapshot: { ...snapshot, data } }).then(
      () => {
        call.write(SnapshotNotice.create({ offset: data.length, done: true }));
        call.end();
      },
      (error: unknown) => refuse(call, error),
    );
  }
}

function stalled(): TswarmError {
  return new TswarmError('deadline_exceeded', 'the transfer does not go on');
}
