// One batch of the log on disk: a plain header, sealed contents, padding to whole blocks.
//   len u32 | type u8 | flags u8 | reserved u16 | firstIndex u64 | count u32 | term u64 |
//   hardTerm u64 | vote u64 | commitHint u64 | batchNo u64 | crc32c u32 | ciphertext | tag 16
// The hard state rides in every frame, so a vote needs no second record. The CRC covers header and
// sealed contents and can be checked without a key; the tag proves that the frame is ours, in this
// segment, at this place: the additional data holds the frame header, the hash of the segment
// header, and the tag of the frame before (raft.md §2.3).
import { ByteReader, ByteWriter } from '#manager/raft/bytes';
import {
  readEntries,
  readSnapshotMeta,
  writeEntries,
  writeSnapshotMeta,
} from '#manager/raft/codec';
import type { Entry, EntryId, HardState, SnapshotMeta } from '#manager/raft/types';
import { crc32c } from './crc32c.ts';
import type { WalCrypto } from './interfaces.ts';
import { BLOCK_BYTES, FRAME_MAX_BYTES } from './limits.ts';
import { TAG_BYTES } from './segment.ts';

export const FRAME_HEADER_BYTES = 64;
const CRC_OFFSET = 60;

/**
 * entries: log entries, perhaps none; snapshot: a snapshot is durable; end: closed in good order.
 */
export const FrameType = { entries: 1, snapshot: 2, end: 3 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Says that the log up to `base` is in a snapshot and no longer needed. */
export interface SnapshotMark {
  /** The newest snapshot: a file beside the log, unless `hasFile` is false (a new cluster). */
  readonly meta: SnapshotMeta;
  readonly hasFile: boolean;
  /** The last entry that was dropped from the log; at or before the snapshot. */
  readonly base: EntryId;
  /** The snapshot came from the leader: nothing of the log before this frame is valid. */
  readonly replacesLog: boolean;
}

/** What goes into a frame. */
export interface FrameContent {
  readonly hardState: HardState;
  /** Consecutive; empty unless type is entries. */
  readonly entries: readonly Entry[];
  readonly mark: SnapshotMark | null;
  readonly isEnd: boolean;
}

/** The plain part. */
export interface FrameHeader {
  readonly sealedBytes: number;
  readonly type: FrameType;
  /** Of the entries; without any, the index behind the end of the log. 0 in frames of old. */
  readonly firstIndex: number;
  readonly count: number;
  readonly term: number;
  readonly hardState: HardState;
  readonly batchNo: number;
  readonly crc: number;
}

/** What a frame is bound to. */
export interface FrameBinding {
  readonly key: Uint8Array;
  readonly segmentHash: Uint8Array;
  readonly previousTag: Uint8Array;
  readonly batchNo: number;
  /** The last index of the log once the frame is in it. */
  readonly lastIndex: number;
}

/** Bytes of a frame on disk, padding included. */
export function paddedBytes(sealedBytes: number): number {
  return Math.ceil((FRAME_HEADER_BYTES + sealedBytes) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Seals one frame. Returns its padded bytes and its tag. */
export function encodeFrame(
  content: FrameContent,
  binding: FrameBinding,
  crypto: WalCrypto,
): { bytes: Uint8Array; tag: Uint8Array } {
  const body = new ByteWriter(estimate(content));
  let type: FrameType = FrameType.entries;
  if (content.mark !== null) {
    type = FrameType.snapshot;
    writeMark(body, content.mark);
  } else if (content.isEnd) {
    type = FrameType.end;
  } else {
    writeEntries(body, content.entries);
  }
  const data = body.finish();
  const sealedBytes = data.length + TAG_BYTES;
  const bytes = new Uint8Array(paddedBytes(sealedBytes));
  bytes.set(headerBytes(content, { type, sealedBytes, ...binding }));
  const aad = frameAad(bytes.subarray(0, CRC_OFFSET), binding);
  const sealed = crypto.seal({ key: binding.key, nonce: frameNonce(binding.batchNo), aad, data });
  bytes.set(sealed, FRAME_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(CRC_OFFSET, frameCrc(bytes, sealedBytes));
  const end = FRAME_HEADER_BYTES + sealedBytes;
  return { bytes, tag: bytes.slice(end - TAG_BYTES, end) };
}

function estimate(content: FrameContent): number {
  let bytes = 64;
  for (const entry of content.entries) bytes += entry.data.length + 13;
  return bytes;
}

function headerBytes(
  content: FrameContent,
  frame: { readonly type: FrameType; readonly sealedBytes: number } & Pick<
    FrameBinding,
    'batchNo' | 'lastIndex'
  >,
): Uint8Array {
  const { entries, hardState } = content;
  const writer = new ByteWriter(FRAME_HEADER_BYTES);
  writer.u32(frame.sealedBytes);
  writer.u8(frame.type);
  writer.u8(0);
  writer.u16(0);
  // Where entries would follow, if there are none: what was lost before it is known to be log up to there.
  writer.u64(entries[0]?.index ?? frame.lastIndex + 1);
  writer.u32(entries.length);
  writer.u64(entries[entries.length - 1]?.term ?? 0);
  writer.u64(hardState.term);
  writer.u64(hardState.vote);
  writer.u64(hardState.commit);
  writer.u64(frame.batchNo);
  return writer.finish();
}

/** Reads the header at `offset`, if there is a whole frame with a right CRC; null otherwise. */
export function readFrameHeader(segment: Uint8Array, offset: number): FrameHeader | null {
  if (offset + FRAME_HEADER_BYTES > segment.length) return null;
  const reader = new ByteReader(segment.subarray(offset, offset + FRAME_HEADER_BYTES));
  const sealedBytes = reader.u32();
  const type = reader.u8();
  const flags = reader.u8();
  const reserved = reader.u16();
  const firstIndex = reader.u64();
  const count = reader.u32();
  const term = reader.u64();
  const hardState = { term: reader.u64(), vote: reader.u64(), commit: reader.u64() };
  const batchNo = reader.u64();
  const crc = reader.u32();
  const isSane =
    !reader.failed &&
    sealedBytes >= TAG_BYTES &&
    sealedBytes <= FRAME_MAX_BYTES &&
    type >= FrameType.entries &&
    type <= FrameType.end &&
    flags === 0 &&
    reserved === 0 &&
    offset + paddedBytes(sealedBytes) <= segment.length;
  if (!isSane) return null;
  const frame = segment.subarray(offset, offset + paddedBytes(sealedBytes));
  if (frameCrc(frame, sealedBytes) !== crc) return null;
  const frameType = type as FrameType;
  return { sealedBytes, type: frameType, firstIndex, count, term, hardState, batchNo, crc };
}

/** Opens a frame whose header was read; null if it is not authentic or malformed. */
export function openFrame(
  segment: Uint8Array,
  offset: number,
  header: FrameHeader,
  binding: Omit<FrameBinding, 'batchNo' | 'lastIndex'>,
  crypto: WalCrypto,
): { content: FrameContent; tag: Uint8Array } | null {
  const end = offset + FRAME_HEADER_BYTES + header.sealedBytes;
  const data = crypto.open({
    key: binding.key,
    nonce: frameNonce(header.batchNo),
    aad: frameAad(segment.subarray(offset, offset + CRC_OFFSET), binding),
    data: segment.subarray(offset + FRAME_HEADER_BYTES, end),
  });
  if (data === null) return null;
  const content = decodeBody(header, data);
  return content === null ? null : { content, tag: segment.slice(end - TAG_BYTES, end) };
}

function decodeBody(header: FrameHeader, data: Uint8Array): FrameContent | null {
  const { hardState, type } = header;
  const reader = new ByteReader(data);
  if (type === FrameType.end) return { hardState, entries: [], mark: null, isEnd: true };
  if (type === FrameType.snapshot) {
    const mark = readMark(reader);
    return mark === null ? null : { hardState, entries: [], mark, isEnd: false };
  }
  const entries = readEntries(reader, header.firstIndex, header.count);
  if (entries === null || !reader.isDone()) return null;
  return { hardState, entries, mark: null, isEnd: false };
}

function writeMark(writer: ByteWriter, mark: SnapshotMark): void {
  writeSnapshotMeta(writer, mark.meta);
  writer.u8((mark.hasFile ? 1 : 0) | (mark.replacesLog ? 2 : 0));
  writer.u64(mark.base.index);
  writer.u64(mark.base.term);
}

function readMark(reader: ByteReader): SnapshotMark | null {
  const meta = readSnapshotMeta(reader);
  const flags = reader.u8();
  const base = { index: reader.u64(), term: reader.u64() };
  if (meta === null || !reader.isDone() || base.index > meta.index) return null;
  return { meta, hasFile: (flags & 1) !== 0, replacesLog: (flags & 2) !== 0, base };
}

function frameCrc(frame: Uint8Array, sealedBytes: number): number {
  const head = crc32c(frame, 0, CRC_OFFSET);
  return crc32c(frame, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + sealedBytes, head);
}

function frameAad(
  header: Uint8Array,
  binding: { readonly segmentHash: Uint8Array; readonly previousTag: Uint8Array },
): Uint8Array {
  const { segmentHash, previousTag } = binding;
  const aad = new Uint8Array(header.length + segmentHash.length + previousTag.length);
  aad.set(header);
  aad.set(segmentHash, header.length);
  aad.set(previousTag, header.length + segmentHash.length);
  return aad;
}

/** 96 bits: the batch number never repeats under one key, because the key is the segment's. */
function frameNonce(batchNo: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, Math.floor(batchNo / 0x1_0000_0000));
  view.setUint32(8, batchNo % 0x1_0000_0000);
  return nonce;
}
