// The format of a snapshot on disk: a plain header with a CRC, then chunks, each sealed on its own,
// so that memory and pauses stay bounded. STREAM construction (Hoang et al. 2015): the nonce holds
// the chunk number and a last-chunk flag, so chunks cannot be dropped, moved or cut off at the end.
// The last chunk ends with the SHA-256 of the plaintext, by which members compare snapshots; it
// stands at the end so that it can be computed piece by piece. One subkey per file.
import { asciiBytes, asciiText, ByteReader, ByteWriter } from '#manager/raft/bytes';
import { readSnapshotMeta, writeSnapshotMeta } from '#manager/raft/codec';
import type { SnapshotMeta } from '#manager/raft/types';
import { crc32c } from './crc32c.ts';
import type { KeyRing, WalCrypto, WalIdentity } from './interfaces.ts';
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_MAX_BYTES } from './limits.ts';
import { fromHex, KEY_ID_BYTES, TAG_BYTES, toHex } from './segment.ts';

const MAGIC = asciiBytes('tswrmSNP');
const VERSION = 1;
const SALT_BYTES = 32;
const HASH_BYTES = 32;
const NAME_PATTERN = /^snap-([0-9a-f]{14})-([0-9a-f]{14})\.snap$/;

/** Header of a snapshot file. */
export interface SnapshotHeader {
  readonly identity: WalIdentity;
  readonly meta: SnapshotMeta;
  readonly plainBytes: number;
  readonly keyId: string;
  readonly salt: Uint8Array;
}

/** File name of the snapshot at `index` and `term`. */
export function snapshotName({ index, term }: { index: number; term: number }): string {
  const hex = (value: number): string => value.toString(16).padStart(14, '0');
  return `snap-${hex(index)}-${hex(term)}.snap`;
}

/** Index and term in a file name; null for another kind of file. */
export function parseSnapshotName(name: string): { index: number; term: number } | null {
  const match = NAME_PATTERN.exec(name);
  if (match === null) return null;
  return {
    index: Number.parseInt(match[1] as string, 16),
    term: Number.parseInt(match[2] as string, 16),
  };
}

/** Seals `plain` piece by piece, in order; a host yields between pieces. */
export class SnapshotWriter {
  readonly #plain: Uint8Array;
  readonly #key: Uint8Array;
  readonly #headerHash: Uint8Array;
  readonly #crypto: WalCrypto;
  readonly #digest: ReturnType<WalCrypto['newSha256']>;
  #next = 0;
  /** Header bytes; go first into the file. */
  readonly header: Uint8Array;
  readonly chunkCount: number;

  constructor(
    input: {
      readonly identity: WalIdentity;
      readonly meta: SnapshotMeta;
      readonly plain: Uint8Array;
    },
    deps: { readonly crypto: WalCrypto; readonly keys: KeyRing },
  ) {
    const { crypto, keys } = deps;
    const dek = keys.key(keys.currentId);
    if (dek === null) throw new RangeError('the current data key is not in the key ring');
    const header: SnapshotHeader = {
      identity: input.identity,
      meta: input.meta,
      plainBytes: input.plain.length,
      keyId: keys.currentId,
      salt: crypto.randomBytes(SALT_BYTES),
    };
    this.#plain = input.plain;
    this.#crypto = crypto;
    this.#key = snapshotKey(dek, header, crypto);
    this.header = encodeHeader(header);
    this.#headerHash = crypto.sha256(this.header);
    this.#digest = crypto.newSha256();
    this.chunkCount = chunksOf(input.plain.length);
  }

  /** The next sealed chunk, or null after the last; in the file they follow without gaps. */
  nextChunk(): Uint8Array | null {
    const i = this.#next;
    if (i === this.chunkCount) return null;
    this.#next++;
    const isLast = this.#next === this.chunkCount;
    const start = i * SNAPSHOT_CHUNK_BYTES;
    const part = this.#plain.subarray(start, start + SNAPSHOT_CHUNK_BYTES);
    this.#digest.update(part);
    return this.#crypto.seal({
      key: this.#key,
      nonce: chunkNonce(i, isLast),
      aad: this.#headerHash,
      data: isLast ? concat(part, this.#digest.digest()) : part,
    });
  }
}

/** The plaintext of a snapshot file, or why it cannot be had. */
export type SnapshotRead =
  | { readonly header: SnapshotHeader; readonly plain: Uint8Array; readonly error: null }
  | { readonly header: null; readonly plain: null; readonly error: string };

export interface SnapshotReadInput {
  readonly identity: WalIdentity;
  readonly crypto: WalCrypto;
  readonly keys: KeyRing;
}

/** Longest header of a snapshot file: so much of the file is enough to begin. */
export const SNAPSHOT_HEADER_MAX_BYTES: number = 64 * 1024;

/** Opens a snapshot file chunk by chunk, in any order. */
export class SnapshotReader {
  readonly header: SnapshotHeader;
  readonly chunkCount: number;
  readonly #headerBytes: number;
  readonly #key: Uint8Array;
  readonly #aad: Uint8Array;
  readonly #crypto: WalCrypto;

  /** `start` = the beginning of a file of `fileBytes`, SNAPSHOT_HEADER_MAX_BYTES or all of it.
   * Returns why it cannot be read, in words, when it cannot. */
  static open(
    start: Uint8Array,
    fileBytes: number,
    input: SnapshotReadInput,
  ): SnapshotReader | string {
    const { crypto, keys, identity } = input;
    const decoded = decodeHeader(start);
    if (decoded === null) return 'its header is damaged or of another version';
    const { header, headerBytes } = decoded;
    if (
      header.identity.clusterId !== identity.clusterId ||
      header.identity.raftId !== identity.raftId
    ) {
      return `it belongs to member ${header.identity.raftId} of another cluster or member`;
    }
    const dek = keys.key(header.keyId);
    if (dek === null) return `key ${header.keyId} is missing`;
    const count = chunksOf(header.plainBytes);
    if (fileBytes !== headerBytes + header.plainBytes + HASH_BYTES + count * TAG_BYTES) {
      return 'it has a wrong length';
    }
    const key = snapshotKey(dek, header, crypto);
    const aad = crypto.sha256(start.subarray(0, headerBytes));
    return new SnapshotReader({ header, headerBytes, key, aad, crypto });
  }

  private constructor(parts: {
    readonly header: SnapshotHeader;
    readonly headerBytes: number;
    readonly key: Uint8Array;
    readonly aad: Uint8Array;
    readonly crypto: WalCrypto;
  }) {
    this.header = parts.header;
    this.chunkCount = chunksOf(parts.header.plainBytes);
    this.#headerBytes = parts.headerBytes;
    this.#key = parts.key;
    this.#aad = parts.aad;
    this.#crypto = parts.crypto;
  }

  /** Where chunk `i` is in the file. */
  place(i: number): { readonly offset: number; readonly length: number } {
    const sealedBytes = SNAPSHOT_CHUNK_BYTES + TAG_BYTES;
    const isLast = i === this.chunkCount - 1;
    const length = this.#plainBytesOf(i) + (isLast ? HASH_BYTES : 0) + TAG_BYTES;
    return { offset: this.#headerBytes + i * sealedBytes, length };
  }

  #plainBytesOf(i: number): number {
    return Math.min(SNAPSHOT_CHUNK_BYTES, this.header.plainBytes - i * SNAPSHOT_CHUNK_BYTES);
  }

  /** The plaintext of chunk `i`, and with the last one the SHA-256 of all; null if it is not
   * authentic. */
  chunk(
    i: number,
    sealed: Uint8Array,
  ): { readonly part: Uint8Array; readonly digest: Uint8Array | null } | null {
    const isLast = i === this.chunkCount - 1;
    const nonce = chunkNonce(i, isLast);
    const data = this.#crypto.open({ key: this.#key, nonce, aad: this.#aad, data: sealed });
    if (data === null) return null;
    const partBytes = this.#plainBytesOf(i);
    return { part: data.subarray(0, partBytes), digest: isLast ? data.subarray(partBytes) : null };
  }
}

/** Opens a whole snapshot file. */
export function readSnapshotFile(bytes: Uint8Array, input: SnapshotReadInput): SnapshotRead {
  const reader = SnapshotReader.open(bytes, bytes.length, input);
  if (typeof reader === 'string') return refuse(reader);
  const { header, chunkCount } = reader;
  const plain = new Uint8Array(header.plainBytes);
  const digest = input.crypto.newSha256();
  for (let i = 0; i < chunkCount; i++) {
    const { offset, length } = reader.place(i);
    const chunk = reader.chunk(i, bytes.subarray(offset, offset + length));
    if (chunk === null) return refuse(`chunk ${i} is not authentic`);
    plain.set(chunk.part, i * SNAPSHOT_CHUNK_BYTES);
    digest.update(chunk.part);
    if (chunk.digest !== null && !sameBytes(digest.digest(), chunk.digest)) {
      return refuse('its digest is wrong');
    }
  }
  return { header, plain, error: null };
}

function refuse(error: string): SnapshotRead {
  return { header: null, plain: null, error };
}

function chunksOf(plainBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / SNAPSHOT_CHUNK_BYTES));
}

/** Magic, version, length of the rest, the rest, CRC. */
function encodeHeader(header: SnapshotHeader): Uint8Array {
  const body = new ByteWriter(256);
  body.block(asciiBytes(header.identity.clusterId));
  body.u64(header.identity.raftId);
  writeSnapshotMeta(body, header.meta);
  body.u64(header.plainBytes);
  body.bytes(fromHex(header.keyId));
  body.bytes(header.salt);
  const writer = new ByteWriter(body.length + 32);
  writer.bytes(MAGIC);
  writer.u32(VERSION);
  writer.block(body.finish());
  writer.u32(crc32c(writer.finish()));
  return writer.finish();
}

function decodeHeader(bytes: Uint8Array): { header: SnapshotHeader; headerBytes: number } | null {
  const outer = new ByteReader(bytes);
  const magic = outer.bytes(MAGIC.length);
  const version = outer.u32();
  const body = outer.block();
  const crcAt = bytes.length - outer.remaining;
  const crc = outer.u32();
  if (outer.failed || version !== VERSION || !magic.every((byte, i) => byte === MAGIC[i])) {
    return null;
  }
  if (crc32c(bytes, 0, crcAt) !== crc) return null;
  const reader = new ByteReader(body);
  const clusterId = asciiText(reader.block());
  const raftId = reader.u64();
  const meta = readSnapshotMeta(reader);
  const plainBytes = reader.u64();
  const keyId = toHex(reader.bytes(KEY_ID_BYTES));
  const salt = reader.bytes(SALT_BYTES).slice();
  if (meta === null || !reader.isDone() || plainBytes > SNAPSHOT_MAX_BYTES) return null;
  const identity = { clusterId, raftId };
  return {
    header: { identity, meta, plainBytes, keyId, salt },
    headerBytes: crcAt + 4,
  };
}

function snapshotKey(dek: Uint8Array, header: SnapshotHeader, crypto: WalCrypto): Uint8Array {
  const info = new ByteWriter(64);
  info.bytes(asciiBytes('tswarm-snapshot'));
  info.block(asciiBytes(header.identity.clusterId));
  info.u64(header.identity.raftId);
  info.u64(header.meta.index);
  return crypto.hkdfSha256(dek, header.salt, info.finish(), 32);
}

function chunkNonce(i: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(7, i);
  view.setUint8(11, isLast ? 1 : 0);
  return nonce;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
