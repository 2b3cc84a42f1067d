// A segment file: its name, its header, and the key that all its frames are sealed with.
// The header takes a block of its own and is written twice. It repeats where the log stood when the
// segment was begun (last batch number, its tag, last index), which seals the segment before it: whatever
// lies there behind that batch was never acknowledged. Format: raft.md §2.3.
import { asciiBytes, asciiText, ByteReader, ByteWriter } from '#manager/raft/bytes';
import type { HardState } from '#manager/raft/types';
import { crc32c } from './crc32c.ts';
import type { WalCrypto, WalIdentity } from './interfaces.ts';
import { BLOCK_BYTES } from './limits.ts';

const MAGIC = asciiBytes('tswrmWAL');
const VERSION = 1;
const SALT_BYTES = 32;
export const TAG_BYTES = 16;
export const KEY_ID_BYTES = 8;
const MAX_CLUSTER_ID_BYTES = 255;
const NAME_PATTERN = /^wal-([0-9a-f]{14})\.seg$/;

/** What the header says. */
export interface SegmentHeader {
  readonly clusterId: string;
  readonly raftId: number;
  /** Ascending without gaps; the file's name is made of it. */
  readonly seq: number;
  readonly segmentBytes: number;
  /** The segment that this one continues; 0 for the first. Segments off this chain are void. */
  readonly continuesSeq: number;
  /** Number of the last batch before this segment; its first own batch has the next number. */
  readonly previousBatchNo: number;
  /** GCM tag of that batch; zeros before the first batch of all. */
  readonly previousTag: Uint8Array;
  /** Last index of the log at that place; 0 in headers of old, which do not say it. */
  readonly previousLastIndex: number;
  /** As it was when the segment was begun. */
  readonly hardState: HardState;
  /** Damage was met: log up to here was acknowledged once and must be fetched again. 0 if none. */
  readonly recoverUpTo: number;
  /** Newest term that was known when that damage was met; 0 if none, and in headers of old. */
  readonly recoverTerm: number;
  /** Which data encryption key, hex. */
  readonly keyId: string;
  /** Fresh random bytes per segment, and thus per process start. */
  readonly salt: Uint8Array;
}

export function segmentName(seq: number): string {
  return `wal-${seq.toString(16).padStart(14, '0')}.seg`;
}

/** The sequence number in a file name, or null for another kind of file. */
export function segmentSeq(name: string): number | null {
  const match = NAME_PATTERN.exec(name);
  return match === null ? null : Number.parseInt(match[1] as string, 16);
}

/** One block; the last four bytes are the CRC of the rest. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(BLOCK_BYTES);
  const clusterId = asciiBytes(header.clusterId);
  if (clusterId.length > MAX_CLUSTER_ID_BYTES) throw new RangeError('cluster id is too long');
  writer.bytes(MAGIC);
  writer.u32(VERSION);
  writer.u64(header.seq);
  writer.u64(header.segmentBytes);
  writer.u64(header.raftId);
  writer.u64(header.continuesSeq);
  writer.u64(header.previousBatchNo);
  writer.bytes(header.previousTag);
  writer.u64(header.hardState.term);
  writer.u64(header.hardState.vote);
  writer.u64(header.hardState.commit);
  writer.u64(header.recoverUpTo);
  writer.bytes(fromHex(header.keyId));
  writer.bytes(header.salt);
  writer.block(clusterId);
  writer.u64(header.previousLastIndex);
  writer.u64(header.recoverTerm);
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(writer.finish());
  const crc = crc32c(block, 0, BLOCK_BYTES - 4);
  new DataView(block.buffer).setUint32(BLOCK_BYTES - 4, crc);
  return block;
}

/** empty: never begun (all zeros); bad: neither copy can be read. */
export type HeaderState =
  | { readonly state: 'ok'; readonly header: SegmentHeader; readonly block: Uint8Array }
  | { readonly state: 'empty' }
  | { readonly state: 'bad' }
  | { readonly state: 'version'; readonly version: number };

/** Reads whichever of the two copies is whole; rather the one that belongs to segment `seq`, for a
 * disk may have put another segment's header in the place of one of them. */
export function decodeSegmentHeader(copies: Uint8Array, seq: number): HeaderState {
  let isZero = true;
  let other: HeaderState | null = null;
  for (let offset = 0; offset + BLOCK_BYTES <= copies.length; offset += BLOCK_BYTES) {
    const block = copies.subarray(offset, offset + BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) continue;
    isZero = false;
    const stored = new DataView(block.buffer, block.byteOffset).getUint32(BLOCK_BYTES - 4);
    if (crc32c(block, 0, BLOCK_BYTES - 4) !== stored) continue;
    const found = decodeBlock(block);
    if (found.state === 'ok' && found.header.seq === seq) return found;
    other ??= found;
  }
  return other ?? { state: isZero ? 'empty' : 'bad' };
}

function decodeBlock(block: Uint8Array): HeaderState {
  const reader = new ByteReader(block);
  const magic = reader.bytes(MAGIC.length);
  if (!magic.every((byte, i) => byte === MAGIC[i])) return { state: 'bad' };
  const version = reader.u32();
  if (version !== VERSION) return { state: 'version', version };
  const seq = reader.u64();
  const segmentBytes = reader.u64();
  const raftId = reader.u64();
  const continuesSeq = reader.u64();
  const previousBatchNo = reader.u64();
  const previousTag = reader.bytes(TAG_BYTES).slice();
  const hardState = { term: reader.u64(), vote: reader.u64(), commit: reader.u64() };
  const recoverUpTo = reader.u64();
  const keyId = toHex(reader.bytes(KEY_ID_BYTES));
  const salt = reader.bytes(SALT_BYTES).slice();
  const clusterId = asciiText(reader.block());
  const previousLastIndex = reader.u64();
  const recoverTerm = reader.u64();
  if (reader.failed) return { state: 'bad' };
  const header = {
    seq,
    segmentBytes,
    raftId,
    continuesSeq,
    previousBatchNo,
    previousTag,
    previousLastIndex,
    hardState,
    recoverUpTo,
    recoverTerm,
    keyId,
    salt,
    clusterId,
  };
  return { state: 'ok', header, block: block.slice() };
}

/** A header for a new segment; draws the salt. */
export function newSegmentHeader(
  fields: Omit<SegmentHeader, 'salt'>,
  crypto: WalCrypto,
): SegmentHeader {
  return { ...fields, salt: crypto.randomBytes(SALT_BYTES) };
}

/** The key of one segment. A fresh salt per segment and start makes batch numbers safe nonces. */
export function segmentKey(dek: Uint8Array, header: SegmentHeader, crypto: WalCrypto): Uint8Array {
  const info = new ByteWriter(64);
  info.bytes(asciiBytes('tswarm-wal'));
  info.block(asciiBytes(header.clusterId));
  info.u64(header.raftId);
  info.u64(header.seq);
  return crypto.hkdfSha256(dek, header.salt, info.finish(), 32);
}

/** Whether the header belongs to the log of `identity`. */
export function belongsTo(header: SegmentHeader, identity: WalIdentity): boolean {
  return header.clusterId === identity.clusterId && header.raftId === identity.raftId;
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >>> 1);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
