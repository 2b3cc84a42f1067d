// Reads a log back: which segments form the chain, which frames are whole, where the log ends, and
// whether what follows the end is a torn write or damage. Changes nothing on disk. Rule (raft.md
// §2.3): one write is on its way at a time, and a segment's successor says where it was left. So
// behind the last batch that a successor names nothing counts; in the last segment, the first bad
// frame is a torn tail only if no whole frame with a higher batch number follows. Anything else is
// damage: it is reported with its place, never cut away silently.
import type { Entry, EntryId, HardState } from '#manager/raft/types';
import {
  type FrameContent,
  openFrame,
  paddedBytes,
  readFrameHeader,
  type SnapshotMark,
} from './frame.ts';
import type { KeyRing, WalCrypto, WalDisk, WalIdentity } from './interfaces.ts';
import { BLOCK_BYTES, FRAME_MAX_BYTES, SEGMENT_HEADER_BYTES } from './limits.ts';
import {
  belongsTo,
  decodeSegmentHeader,
  type SegmentHeader,
  segmentKey,
  segmentName,
  segmentSeq,
} from './segment.ts';

/** A place where the log is not what was written. */
export interface WalDamage {
  readonly segment: string;
  readonly offsetBytes: number;
  readonly reason: string;
  /** The last entry before the damage. */
  readonly lastGoodIndex: number;
  /** Highest index that frames behind the damage speak of: it was acknowledged once. */
  readonly highestIndexSeen: number;
}

/** A segment on the chain. */
export interface KnownSegment {
  readonly seq: number;
  /** Highest index of an entry in it that was not overwritten since; 0 for none. */
  readonly maxIndex: number;
  /** Data key that it is sealed with. */
  readonly keyId: string;
}

/** All that a log says. */
export interface WalContents {
  readonly hardState: HardState;
  readonly mark: SnapshotMark | null;
  readonly base: EntryId;
  /** Consecutive, starting right after `base`. */
  readonly entries: readonly Entry[];
  readonly lastBatchNo: number;
  readonly lastTag: Uint8Array;
  readonly segments: readonly KnownSegment[];
  /** Segments that were prepared but never begun; highest numbers. */
  readonly spares: readonly number[];
  /** Segments off the chain: left over from repaired damage or a crash while beginning one. */
  readonly void: readonly number[];
  readonly highestSeq: number;
  readonly recoverUpTo: number;
  /** Newest term that was known when log was lost; what leaders of later terms have is all there is. 0 if none. */
  readonly recoverTerm: number;
  readonly isClosedCleanly: boolean;
  readonly tornBytes: number;
  readonly damage: WalDamage | null;
}

/** Why a log cannot be read at all. */
export type WalRefusal =
  | { readonly reason: 'foreign'; readonly segment: string; readonly detail: string }
  | { readonly reason: 'version'; readonly segment: string; readonly detail: string }
  | { readonly reason: 'key_unknown'; readonly segment: string; readonly detail: string };

export interface RecoveryInput {
  readonly disk: WalDisk;
  readonly crypto: WalCrypto;
  readonly keys: KeyRing;
  readonly identity: WalIdentity;
}

interface LoadedSegment {
  readonly header: SegmentHeader;
  readonly block: Uint8Array;
}

/** Reads the whole log. */
export function readLog(
  input: RecoveryInput,
): { contents: WalContents; refusal: null } | { contents: null; refusal: WalRefusal } {
  const survey = surveySegments(input);
  if ('reason' in survey) return { contents: null, refusal: survey };
  const { chain } = survey;
  const replay = new Replay(input, chain[0]?.header ?? null);
  for (let i = 0; i < chain.length; i++) {
    const segment = chain[i] as LoadedSegment;
    const refusal = replay.segment(segment, chain[i + 1]?.header ?? null);
    if (refusal !== null) return { contents: null, refusal };
    if (replay.damage !== null) {
      for (const later of chain.slice(i + 1)) replay.surveyAfterDamage(later, 0);
      break;
    }
  }
  for (const seq of survey.void) {
    if (seq > (chain[chain.length - 1]?.header.seq ?? 0)) replay.headlessSegment(seq);
  }
  return { contents: replay.finish(survey), refusal: null };
}

interface Survey {
  readonly chain: readonly LoadedSegment[];
  readonly spares: readonly number[];
  readonly void: readonly number[];
  readonly highestSeq: number;
}

/** Finds the chain of segments that ends in the newest one with a readable header. */
function surveySegments(input: RecoveryInput): Survey | WalRefusal {
  const { disk, identity } = input;
  const seqs = disk
    .list()
    .map((name) => segmentSeq(name))
    .filter((seq) => seq !== null)
    .sort((a, b) => a - b);
  const loaded = new Map<number, LoadedSegment>();
  const spares: number[] = [];
  for (const seq of seqs) {
    const segment = segmentName(seq);
    const state = decodeSegmentHeader(readHeaderBlocks(disk, segment), seq);
    if (state.state === 'version') {
      const detail = `format version ${state.version} is not supported`;
      return { reason: 'version', segment, detail };
    }
    if (state.state === 'empty' && !startsWithFrame(disk, segment)) spares.push(seq);
    if (state.state !== 'ok') continue;
    if (!belongsTo(state.header, identity) || state.header.seq !== seq) {
      const { clusterId, raftId } = state.header;
      const detail = `it belongs to cluster ${clusterId}, member ${raftId}`;
      return { reason: 'foreign', segment, detail };
    }
    loaded.set(seq, state);
  }
  const chain: LoadedSegment[] = [];
  let seq = Math.max(0, ...loaded.keys());
  for (;;) {
    const segment = loaded.get(seq);
    if (segment === undefined) break;
    chain.unshift(segment);
    seq = segment.header.continuesSeq;
  }
  const onChain = new Set(chain.map(({ header }) => header.seq));
  const leftOver = seqs.filter((other) => !onChain.has(other) && !spares.includes(other));
  const highestSeq = seqs[seqs.length - 1] ?? 0;
  return { chain, spares, void: leftOver, highestSeq };
}

/** Whether a frame follows the header: it was begun, and then its header was lost. */
function startsWithFrame(disk: WalDisk, name: string): boolean {
  const length = Math.min(disk.sizeBytes(name), SEGMENT_HEADER_BYTES + FRAME_MAX_BYTES);
  if (length <= SEGMENT_HEADER_BYTES) return false;
  const first = disk.read(name, SEGMENT_HEADER_BYTES, BLOCK_BYTES);
  if (isZero(first, 0)) return false;
  return readFrameHeader(disk.read(name, 0, length), SEGMENT_HEADER_BYTES) !== null;
}

function readHeaderBlocks(disk: WalDisk, name: string): Uint8Array {
  return disk.read(name, 0, Math.min(SEGMENT_HEADER_BYTES, disk.sizeBytes(name)));
}

/** Applies frames in order and remembers what they add up to. */
class Replay {
  readonly #input: RecoveryInput;
  #hardState: HardState = { term: 0, vote: 0, commit: 0 };
  #mark: SnapshotMark | null = null;
  #base: EntryId = { index: 0, term: 0 };
  #entries: Entry[] = [];
  #lastBatchNo: number;
  #lastTag: Uint8Array;
  #recoverUpTo = 0;
  #recoverTerm = 0;
  #isEnd = false;
  #tornBytes = 0;
  #highestSeen = 0;
  /** Whether the first segment at hand is the first of all. */
  readonly #isComplete: boolean;
  readonly #segments: { seq: number; maxIndex: number; keyId: string }[] = [];
  damage: WalDamage | null = null;

  constructor(input: RecoveryInput, first: SegmentHeader | null) {
    this.#input = input;
    this.#lastBatchNo = first?.previousBatchNo ?? 0;
    this.#lastTag = first?.previousTag ?? new Uint8Array(16);
    this.#isComplete = first === null || first.continuesSeq === 0;
  }

  /** Replays one segment; `next` is its successor's header. */
  segment(loaded: LoadedSegment, next: SegmentHeader | null): WalRefusal | null {
    const { disk, crypto, keys } = this.#input;
    const { header } = loaded;
    const name = segmentName(header.seq);
    const dek = keys.key(header.keyId);
    if (dek === null) {
      return { reason: 'key_unknown', segment: name, detail: `key ${header.keyId} is missing` };
    }
    const known = { seq: header.seq, maxIndex: 0, keyId: header.keyId };
    this.#segments.push(known);
    this.#hardState = newest(this.#hardState, header.hardState);
    this.#recoverUpTo = header.recoverUpTo;
    this.#recoverTerm = header.recoverTerm;
    this.#isEnd = false;
    const key = segmentKey(dek, header, crypto);
    const segmentHash = crypto.sha256(loaded.block);
    const bytes = disk.read(name, 0, disk.sizeBytes(name));
    const lastBatchNo = next?.previousBatchNo ?? Number.POSITIVE_INFINITY;
    let offset = SEGMENT_HEADER_BYTES;
    while (this.#lastBatchNo < lastBatchNo) {
      const frame = readFrameHeader(bytes, offset);
      const isNext = frame !== null && frame.batchNo === this.#lastBatchNo + 1;
      if (!isNext) {
        this.#atBadFrame(loaded, bytes, offset, next !== null);
        return null;
      }
      const previousTag = this.#lastTag;
      const opened = openFrame(bytes, offset, frame, { key, segmentHash, previousTag }, crypto);
      if (opened === null) {
        this.#damaged(loaded, bytes, offset, 'the frame is not authentic');
        return null;
      }
      const problem = this.#apply(opened.content, known);
      if (problem !== null) {
        this.#damaged(loaded, bytes, offset, problem);
        return null;
      }
      this.#lastBatchNo = frame.batchNo;
      this.#lastTag = opened.tag;
      offset += paddedBytes(frame.sealedBytes);
    }
    if (next !== null && !sameBytes(next.previousTag, this.#lastTag)) {
      this.#damaged(loaded, bytes, offset, 'the next segment continues another log');
    }
    return null;
  }

  #apply(content: FrameContent, known: { maxIndex: number }): string | null {
    this.#hardState = content.hardState;
    this.#isEnd = content.isEnd;
    const { mark, entries } = content;
    if (mark !== null) {
      this.#mark = mark;
      this.#base = mark.base;
      if (mark.replacesLog) {
        this.#entries = [];
        for (const segment of this.#segments) segment.maxIndex = 0;
      } else {
        const keepFrom = mark.base.index + 1 - (this.#entries[0]?.index ?? 0);
        if (keepFrom > 0) this.#entries = this.#entries.slice(keepFrom);
      }
    }
    const first = entries[0];
    if (first === undefined) return null;
    if (first.index <= this.#base.index) return `entry ${first.index} lies before the snapshot`;
    // When older segments were dropped, what follows an old mark may be missing: a newer mark,
    // which allowed dropping them, is still to come. `#gapAtStart` checks that it did.
    const start =
      this.#entries[0]?.index ?? (this.#isComplete ? this.#base.index + 1 : first.index);
    if (first.index > start + this.#entries.length) {
      return `entries up to ${first.index - 1} are missing`;
    }
    this.#entries.length = Math.max(0, first.index - start);
    for (const entry of entries) this.#entries.push(entry);
    for (const older of this.#segments) older.maxIndex = Math.min(older.maxIndex, first.index - 1);
    known.maxIndex = Math.max(known.maxIndex, first.index + entries.length - 1);
    return null;
  }

  /** No frame with the expected number is here: the end of the log, or damage. */
  #atBadFrame(
    loaded: LoadedSegment,
    bytes: Uint8Array,
    offset: number,
    hasSuccessor: boolean,
  ): void {
    const follows = this.#highestBatchAfter(bytes, offset) > this.#lastBatchNo;
    if (hasSuccessor || follows || this.#isEnd) {
      const isEmpty = !hasSuccessor && !follows && isZero(bytes, offset);
      if (!isEmpty) {
        this.#damaged(loaded, bytes, offset, 'a frame is unreadable, and later ones exist');
      }
      return;
    }
    for (let at = offset; at < bytes.length; at += BLOCK_BYTES) {
      if (!isZero(bytes, at, BLOCK_BYTES)) this.#tornBytes = at + BLOCK_BYTES - offset;
    }
  }

  #damaged(loaded: LoadedSegment, bytes: Uint8Array, offsetBytes: number, reason: string): void {
    const lastGoodIndex = this.#lastIndex();
    this.#highestSeen = lastGoodIndex;
    this.damage = {
      segment: segmentName(loaded.header.seq),
      offsetBytes,
      reason,
      lastGoodIndex,
      highestIndexSeen: lastGoodIndex,
    };
    // The bad frame itself may still tell which entries it held.
    this.#surveyFrames(bytes, offsetBytes);
  }

  /**
   * A newer segment whose header cannot be read: a crash while it was begun, unless it has frames.
   */
  headlessSegment(seq: number): void {
    const { disk } = this.#input;
    const name = segmentName(seq);
    if (!startsWithFrame(disk, name)) return;
    const lastGoodIndex = this.#lastIndex();
    const place = { segment: name, offsetBytes: 0, lastGoodIndex };
    const reason = 'the segment header is unreadable';
    this.damage ??= { ...place, reason, highestIndexSeen: lastGoodIndex };
    this.#highestSeen = Math.max(this.#highestSeen, lastGoodIndex);
    this.#surveyFrames(disk.read(name, 0, disk.sizeBytes(name)), SEGMENT_HEADER_BYTES);
  }

  /** Learns from whole frames behind the damage what was acknowledged, and the newest vote. */
  surveyAfterDamage(loaded: LoadedSegment, offset: number): void {
    const { header } = loaded;
    const name = segmentName(header.seq);
    this.#learnVote(header.hardState);
    const { previousLastIndex, recoverUpTo } = header;
    this.#highestSeen = Math.max(this.#highestSeen, previousLastIndex, recoverUpTo);
    const bytes = this.#input.disk.read(name, 0, this.#input.disk.sizeBytes(name));
    this.#surveyFrames(bytes, Math.max(offset, SEGMENT_HEADER_BYTES));
  }

  #surveyFrames(bytes: Uint8Array, from: number): void {
    for (let offset = from; offset < bytes.length; ) {
      const frame = readFrameHeader(bytes, offset);
      if (frame === null || frame.batchNo <= this.#lastBatchNo) {
        offset += BLOCK_BYTES;
        continue;
      }
      this.#learnVote(frame.hardState);
      this.#highestSeen = Math.max(this.#highestSeen, frame.firstIndex + frame.count - 1);
      offset += paddedBytes(frame.sealedBytes);
    }
  }

  /**
   * From behind the damage. Its commit mark says what must be fetched, and not that what is left of
   * the log is committed so far: the lost frames may have overwritten some of that.
   */
  #learnVote(hardState: HardState): void {
    const { commit } = this.#hardState;
    this.#hardState = { ...newest(this.#hardState, hardState), commit };
    this.#highestSeen = Math.max(this.#highestSeen, hardState.commit);
  }

  #highestBatchAfter(bytes: Uint8Array, from: number): number {
    let highest = 0;
    for (let offset = from; offset < bytes.length; offset += BLOCK_BYTES) {
      if (isZero(bytes, offset, BLOCK_BYTES)) continue;
      const frame = readFrameHeader(bytes, offset);
      if (frame !== null) highest = Math.max(highest, frame.batchNo);
    }
    return highest;
  }

  #lastIndex(): number {
    return this.#entries[this.#entries.length - 1]?.index ?? this.#base.index;
  }

  finish(survey: Survey): WalContents {
    const damage = this.damage ?? this.#gapAtStart();
    const highestSeen = Math.max(this.#highestSeen, damage?.highestIndexSeen ?? 0);
    // Entries behind a gap are of no use: they have nothing to follow.
    const hasGap = (this.#entries[0]?.index ?? 0) > this.#base.index + 1;
    const entries = hasGap ? [] : this.#entries;
    const lastIndex = entries[entries.length - 1]?.index ?? this.#base.index;
    const hardState = { ...this.#hardState, commit: Math.min(this.#hardState.commit, lastIndex) };
    const recoverUpTo = Math.max(this.#recoverUpTo, damage === null ? 0 : highestSeen);
    return {
      hardState,
      mark: this.#mark,
      base: this.#base,
      entries,
      lastBatchNo: this.#lastBatchNo,
      lastTag: this.#lastTag,
      segments: this.#segments,
      spares: survey.spares,
      void: survey.void,
      highestSeq: survey.highestSeq,
      recoverUpTo,
      recoverTerm: recoverUpTo === 0 ? 0 : this.#termOfLoss(damage !== null),
      isClosedCleanly: this.#isEnd,
      tornBytes: this.#tornBytes,
      damage: damage === null ? null : { ...damage, highestIndexSeen: highestSeen },
    };
  }

  /** Headers of old do not say it: the present term stands in, which is never too low. */
  #termOfLoss(isNew: boolean): number {
    return isNew || this.#recoverTerm === 0 ? this.#hardState.term : this.#recoverTerm;
  }

  /** The oldest segments are missing although no snapshot covers them. */
  #gapAtStart(): WalDamage | null {
    const first = this.#entries[0]?.index ?? this.#base.index + 1;
    const isKnown = this.#mark !== null || this.#isComplete;
    if (isKnown && first === this.#base.index + 1) return null;
    const oldest = this.#segments[0];
    return {
      segment: oldest === undefined ? 'none' : segmentName(oldest.seq),
      offsetBytes: 0,
      reason: 'older segments are missing and no snapshot covers them',
      lastGoodIndex: this.#base.index,
      highestIndexSeen: this.#lastIndex(),
    };
  }
}

function newest(a: HardState, b: HardState): HardState {
  if (b.term > a.term) return { ...b, commit: Math.max(a.commit, b.commit) };
  const vote = b.term === a.term && a.vote === 0 ? b.vote : a.vote;
  return { term: a.term, vote, commit: Math.max(a.commit, b.commit) };
}

function isZero(bytes: Uint8Array, from: number, length: number = bytes.length - from): boolean {
  const end = Math.min(bytes.length, from + length);
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
