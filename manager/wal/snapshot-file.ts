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

/** Opens a whole snapshot file. */
export function readSnapshotFile(
  bytes: Uint8Array,
  input: { readonly identity: WalIdentity; readonly crypto: WalCrypto; readonly keys: KeyRing },
): SnapshotRead {
  const { crypto, keys, identity } = input;
  const decoded = decodeHeader(bytes);
  if (decoded === null) return refuse('its header is damaged or of another version');
  const { header, headerBytes } = decoded;
  if (
    header.identity.clusterId !== identity.clusterId ||
    header.identity.raftId !== identity.raftId
  ) {
    return refuse(`it belongs to member ${header.identity.raftId} of another cluster or member`);
  }
  const dek = keys.key(header.keyId);
  if (dek === null) return refuse(`key ${header.keyId} is missing`);
  const count = chunksOf(header.plainBytes);
  if (bytes.length !== headerBytes + header.plainBytes + HASH_BYTES + count * TAG_BYTES) {
    return refuse('it has a wrong length');
  }
  const key = snapshotKey(dek, header, crypto);
  const aad = crypto.sha256(bytes.subarray(0, headerBytes));
  const plain = new Uint8Array(header.plainBytes);
  const digest = crypto.newSha256();
  let offset = headerBytes;
  for (let i = 0; i < count; i++) {
    const start = i * SNAPSHOT_CHUNK_BYTES;
    const isLast = i === count - 1;
    const partBytes = Math.min(SNAPSHOT_CHUNK_BYTES, header.plainBytes - start);
    const length = partBytes + (isLast ? HASH_BYTES : 0) + TAG_BYTES;
    const data = bytes.subarray(offset, offset + length);
    const chunk = crypto.open({ key, nonce: chunkNonce(i, isLast), aad, data });
    if (chunk === null) return refuse(`chunk ${i} is not authentic`);
    const part = chunk.subarray(0, partBytes);
    plain.set(part, start);
    digest.update(part);
    if (isLast && !sameBytes(digest.digest(), chunk.subarray(partBytes))) {
      return refuse('its digest is wrong');
    }
    offset += length;
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
