// Writes the log: one frame per sync, one sync at a time, segment after segment, and forgets
// segments that a snapshot has made superfluous. Owns batch numbers, the tag chain and the choice
// of segments; never decides when to write (the host does, by calling append when a sync is done).
// A write error is final: the instance refuses everything afterwards, because a second sync may
// report success for data that the kernel has dropped (raft.md §2.1, fsyncgate).
import { invariant } from '#manager/raft/invariant';
import { EMPTY_HARD_STATE, type Entry, type HardState } from '#manager/raft/types';
import { encodeFrame, type FrameContent, type SnapshotMark } from './frame.ts';
import type { KeyRing, WalCrypto, WalDisk, WalFile, WalIdentity } from './interfaces.ts';
import { BLOCK_BYTES, FRAME_SOFT_BYTES, SEGMENT_HEADER_BYTES } from './limits.ts';
import { readLog, type WalContents, type WalRefusal } from './recovery.ts';
import {
  encodeSegmentHeader,
  newSegmentHeader,
  type SegmentHeader,
  segmentKey,
  segmentName,
  TAG_BYTES,
} from './segment.ts';

export interface WalOptions {
  readonly identity: WalIdentity;
  /** File size in whole blocks; hosts use at least SEGMENT_MIN_BYTES, so that any frame fits. */
  readonly segmentBytes: number;
  /** Go on behind damage: the host must then fetch the lost entries from its peers. */
  readonly acceptDamage: boolean;
}

export interface WalDeps {
  readonly disk: WalDisk;
  readonly crypto: WalCrypto;
  readonly keys: KeyRing;
}

/** Called once: null when the data is durable. */
export type Done = (error: Error | null) => void;

/** What to write next; at least the hard state. */
export interface WalBatch {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
  readonly mark: SnapshotMark | null;
}

export type WalOpened =
  | { readonly state: 'ok'; readonly wal: Wal; readonly contents: WalContents }
  | { readonly state: 'damaged'; readonly contents: WalContents }
  | { readonly state: 'refused'; readonly refusal: WalRefusal };

interface CurrentSegment {
  readonly seq: number;
  readonly keyId: string;
  readonly file: WalFile;
  readonly key: Uint8Array;
  readonly segmentHash: Uint8Array;
  offset: number;
  maxIndex: number;
}

/** Reads the log and prepares to continue it; nothing is written before `begin`. */
export function openWal(options: WalOptions, deps: WalDeps): WalOpened {
  const { segmentBytes } = options;
  invariant(segmentBytes % BLOCK_BYTES === 0, 'segmentBytes is not whole blocks', { segmentBytes });
  const { contents, refusal } = readLog({ ...deps, identity: options.identity });
  if (refusal !== null) return { state: 'refused', refusal };
  if (contents.damage !== null && !options.acceptDamage) return { state: 'damaged', contents };
  return { state: 'ok', wal: new Wal(options, deps, contents), contents };
}

/** One open log. */
export class Wal {
  readonly #options: WalOptions;
  readonly #deps: WalDeps;
  #current: CurrentSegment | null = null;
  /** Segments before the current one, oldest first. */
  #older: { seq: number; maxIndex: number; keyId: string }[];
  #lastBatchNo: number;
  #lastTag: Uint8Array;
  /** Of the log as far as it is durable. */
  #lastIndex: number;
  #lastSeq: number;
  #highestSeq: number;
  #hardState: HardState = EMPTY_HARD_STATE;
  #recoverUpTo: number;
  #recoverTerm: number;
  #spare: { seq: number; isReady: boolean } | null = null;
  #onSpareReady: (() => void) | null = null;
  #busy = false;
  #failure: Error | null = null;
  #syncs = 0;
  #bytes = 0;

  constructor(options: WalOptions, deps: WalDeps, contents: WalContents) {
    this.#options = options;
    this.#deps = deps;
    this.#older = contents.segments.map((segment) => ({ ...segment }));
    this.#lastBatchNo = contents.lastBatchNo;
    this.#lastTag = contents.lastTag;
    this.#lastIndex = contents.entries.at(-1)?.index ?? contents.base.index;
    // After damage the rest of the chain is void: the new segment continues the damaged one.
    this.#lastSeq = this.#older[this.#older.length - 1]?.seq ?? 0;
    this.#highestSeq = contents.highestSeq;
    this.#hardState = contents.hardState;
    this.#recoverUpTo = contents.recoverUpTo;
    this.#recoverTerm = contents.recoverTerm;
    this.#adoptSpare(contents);
  }

  /** Batches and headers written and synced. */
  get syncs(): number {
    return this.#syncs;
  }

  get bytesWritten(): number {
    return this.#bytes;
  }

  /** Entries of more bytes than this should go into several frames: a part of a segment, so that
   * rotation wastes little of it. */
  get frameSoftBytes(): number {
    return Math.min(FRAME_SOFT_BYTES, this.#options.segmentBytes / 8);
  }

  /** Whether the next segment is prepared; without it a full disk would stop the log. */
  get hasSpare(): boolean {
    return this.#spare?.isReady ?? false;
  }

  /** Segments before the current one: a snapshot may make them superfluous. */
  get olderSegments(): number {
    return this.#older.length;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Up to `upTo` log was acknowledged once and is lost, which was met when `term` was the newest known
   * one: the headers of all segments that are begun from now on say so. */
  lost(upTo: number, term: number): void {
    this.#recoverUpTo = upTo;
    this.#recoverTerm = term;
  }

  /** What was lost is here again, or is not needed any more. */
  recovered(): void {
    this.lost(0, 0);
  }

  /** Data keys that something of the log is sealed with. */
  get keyIds(): ReadonlySet<string> {
    const ids = this.#older.map(({ keyId }) => keyId);
    if (this.#current !== null) ids.push(this.#current.keyId);
    return new Set(ids);
  }

  /** Whether what is written now is sealed with the key `id`. */
  isCurrentKey(id: string): boolean {
    return this.#current?.keyId === id;
  }

  /** Leaves the current segment and begins another one, with the present key. Not while a write is
   * on its way. */
  beginNextSegment(done: Done): void {
    invariant(!this.#busy && this.#current !== null, 'beginNextSegment() at a wrong time');
    if (this.#failure !== null) {
      done(this.#failure);
      return;
    }
    this.#busy = true;
    this.#rotate((error) => {
      this.#busy = false;
      done(error);
    });
  }

  #adoptSpare(contents: WalContents): void {
    const { disk } = this.#deps;
    const usable = contents.spares.find(
      (seq) =>
        seq > Math.max(this.#lastSeq, ...contents.void) &&
        disk.sizeBytes(segmentName(seq)) === this.#options.segmentBytes,
    );
    const useless = contents.spares.filter((seq) => seq !== usable);
    if (useless.length > 0) disk.remove(useless.map(segmentName));
    if (usable !== undefined) this.#spare = { seq: usable, isReady: true };
  }

  /** Begins a segment of this process: a new salt, so that no nonce is ever used twice. */
  begin(voidSegments: readonly number[], done: Done): void {
    invariant(this.#current === null && !this.#busy, 'begin() twice');
    this.#busy = true;
    this.#rotate((error) => {
      // Only now does the new header say that these do not belong to the log.
      if (error === null && voidSegments.length > 0) {
        this.#deps.disk.remove(voidSegments.map(segmentName));
      }
      this.#busy = false;
      done(error);
    });
  }

  /** Writes one frame. One call at a time: the next only after `done`. */
  append(batch: WalBatch, done: Done): void {
    this.#write({ ...batch, isEnd: false }, done);
  }

  /** Marks the end, so that damage to the last batch can be told from a torn write. */
  close(done: Done): void {
    const content = { hardState: this.#hardState, entries: [], mark: null, isEnd: true };
    this.#write(content, (error) => {
      this.#current?.file.close();
      this.#current = null;
      this.#failure ??= new Error('the WAL is closed');
      done(error);
    });
  }

  #write(content: FrameContent, done: Done): void {
    if (this.#failure !== null) {
      done(this.#failure);
      return;
    }
    invariant(!this.#busy, 'append() while a write is on its way');
    invariant(this.#current !== null, 'append() before begin()');
    this.#busy = true;
    this.#writeFrame(content, (error) => {
      this.#busy = false;
      done(error);
    });
  }

  #writeFrame(content: FrameContent, done: Done): void {
    const segment = this.#current as CurrentSegment;
    const batchNo = this.#lastBatchNo + 1;
    const { key, segmentHash } = segment;
    const lastIndex = lastIndexAfter(this.#lastIndex, content);
    const binding = { key, segmentHash, previousTag: this.#lastTag, batchNo, lastIndex };
    const { bytes, tag } = encodeFrame(content, binding, this.#deps.crypto);
    const roomBytes = this.#options.segmentBytes - SEGMENT_HEADER_BYTES;
    invariant(bytes.length <= roomBytes, 'a frame does not fit into any segment', { roomBytes });
    if (segment.offset + bytes.length > this.#options.segmentBytes) {
      // Sealed for another segment and place: the frame must be made anew there. The unused
      // ciphertext never reaches the disk, and the other segment has another key.
      this.#rotate((error) => {
        if (error !== null) done(error);
        else this.#writeFrame(content, done);
      });
      return;
    }
    this.#durably(segment.file, segment.offset, bytes, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      segment.offset += bytes.length;
      this.#overwrite(content);
      segment.maxIndex = Math.max(segment.maxIndex, content.entries.at(-1)?.index ?? 0);
      this.#lastBatchNo = batchNo;
      this.#lastTag = tag;
      this.#lastIndex = lastIndex;
      // Only now: the header of a segment begun for this frame must not run ahead of it.
      this.#hardState = content.hardState;
      if (content.mark !== null) this.#forget(content.mark);
      done(null);
    });
  }

  /** What was at the places of the entries and behind them is not part of the log any more; nothing is that a snapshot replaces. */
  #overwrite({ entries, mark }: FrameContent): void {
    const first = mark?.replacesLog ? 1 : (entries[0]?.index ?? Number.POSITIVE_INFINITY);
    if (first > this.#lastIndex) return;
    for (const segment of [...this.#older, this.#current]) {
      if (segment !== null) segment.maxIndex = Math.min(segment.maxIndex, first - 1);
    }
  }

  #durably(file: WalFile, offset: number, bytes: Uint8Array, done: Done): void {
    file.write(offset, bytes, (error) => {
      this.#syncs++;
      this.#bytes += bytes.length;
      if (error !== null) this.#failure = error;
      done(error);
    });
  }

  /** Leaves the current segment and begins the prepared one. */
  #rotate(done: Done): void {
    const spare = this.#spare;
    if (spare === null) {
      this.#prepareSpare((error) => {
        if (error !== null) {
          this.#failure = error;
          done(error);
        } else this.#rotate(done);
      });
      return;
    }
    if (!spare.isReady) {
      this.#onSpareReady = () => this.#rotate(done);
      return;
    }
    this.#spare = null;
    this.#beginSegment(spare.seq, done);
  }

  #beginSegment(seq: number, done: Done): void {
    const { disk, crypto, keys } = this.#deps;
    const dek = keys.key(keys.currentId);
    invariant(dek !== null, 'the current data key is not in the key ring');
    const header: SegmentHeader = newSegmentHeader(
      {
        ...this.#options.identity,
        seq,
        segmentBytes: this.#options.segmentBytes,
        continuesSeq: this.#lastSeq,
        previousBatchNo: this.#lastBatchNo,
        previousTag: this.#lastTag,
        previousLastIndex: this.#lastIndex,
        hardState: this.#hardState,
        recoverUpTo: this.#recoverUpTo,
        recoverTerm: this.#recoverTerm,
        keyId: keys.currentId,
      },
      crypto,
    );
    invariant(this.#lastTag.length === TAG_BYTES, 'bad tag length');
    const block = encodeSegmentHeader(header);
    const copies = new Uint8Array(SEGMENT_HEADER_BYTES);
    copies.set(block);
    copies.set(block, block.length);
    const file = disk.open(segmentName(seq));
    this.#durably(file, 0, copies, (error) => {
      if (error !== null) {
        done(error);
        return;
      }
      if (this.#current !== null) {
        this.#current.file.close();
        const { seq: olderSeq, maxIndex, keyId } = this.#current;
        this.#older.push({ seq: olderSeq, maxIndex, keyId });
      }
      this.#current = {
        seq,
        keyId: header.keyId,
        file,
        key: segmentKey(dek, header, crypto),
        segmentHash: crypto.sha256(block),
        offset: SEGMENT_HEADER_BYTES,
        maxIndex: 0,
      };
      this.#lastSeq = seq;
      this.#prepareSpare(() => {});
      done(null);
    });
  }

  /** Fills the next segment with zeros. A failure is kept for the moment the segment is needed. */
  #prepareSpare(done: Done): void {
    this.#highestSeq = Math.max(this.#highestSeq, this.#lastSeq) + 1;
    const spare = { seq: this.#highestSeq, isReady: false };
    this.#spare = spare;
    const name = segmentName(spare.seq);
    this.#deps.disk.createZeroed(name, this.#options.segmentBytes, (error) => {
      if (error !== null) {
        this.#spare = null;
        done(error);
      } else {
        spare.isReady = true;
        done(null);
      }
      const waiting = this.#onSpareReady;
      this.#onSpareReady = null;
      waiting?.();
    });
  }

  /** Tries again to prepare a segment, after room was made. */
  retrySpare(): void {
    if (this.#spare === null && this.#current !== null) this.#prepareSpare(() => {});
  }

  /** A snapshot covers the log up to mark.base: drops old segments that hold nothing newer. */
  #forget(mark: SnapshotMark): void {
    const keepFrom = mark.replacesLog
      ? this.#older.length
      : this.#older.findIndex(({ maxIndex }) => maxIndex > mark.base.index);
    const drop = keepFrom === -1 ? this.#older.length : keepFrom;
    if (drop === 0) return;
    const names = this.#older.slice(0, drop).map(({ seq }) => segmentName(seq));
    this.#older = this.#older.slice(drop);
    this.#deps.disk.remove(names);
  }
}

function lastIndexAfter(before: number, { entries, mark }: FrameContent): number {
  if (mark?.replacesLog) return mark.base.index;
  return entries.at(-1)?.index ?? before;
}
