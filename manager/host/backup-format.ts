// A backup as a file: magic, length and text of a header (JSON), pieces of the state, SHA-256 over
// all of it. While autolock is on the pieces are sealed by the unlock key (AES-256-GCM; the nonce
// counts the pieces and marks the last one, so that none can be left out or swapped); otherwise they
// are in the clear, the root's key and all secrets among them.
// Refuses what is cut off, changed, or of a newer format.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { messageOf, TswarmError } from '#protocol/errors';
import { sealId } from './key-seal.ts';

const MAGIC: Buffer = Buffer.from('TSWMBKP\n');
/** 1: one StoreSnapshot in pieces. */
export const BACKUP_FORMAT = 1;
const HEADER_BYTES_MAX = 64 * 1024;
const SALT_BYTES = 32;
const TAG_BYTES = 16;
const HASH_BYTES = 32;
/** Top bit of a piece's length: it is the last one. */
const LAST_PIECE = 0x8000_0000;
/** Pieces are joined up to this size: one pass of the cipher, one message of the stream. */
const PIECE_BYTES: number = 256 * 1024;

export interface BackupHeader {
  readonly format: number;
  readonly clusterId: string;
  /** The manager whose state it is; a restore makes that node. */
  readonly nodeId: string;
  /** Of tswarm. */
  readonly version: string;
  readonly createdAtMicros: number;
  /** Raft index of the state. */
  readonly index: number;
  /** By which unlock key it is sealed; '' = it is not. */
  readonly sealId: string;
  /** Base 64; '' = not sealed. */
  readonly salt: string;
}

export type BackupFacts = Omit<BackupHeader, 'format' | 'sealId' | 'salt'>;

/** The bytes of a backup, piece by piece. */
export function* writeBackup(
  facts: BackupFacts,
  unlockKey: Uint8Array | null,
  state: Iterable<Uint8Array>,
): Iterable<Uint8Array> {
  const salt = unlockKey ? randomBytes(SALT_BYTES) : undefined;
  const header: BackupHeader = {
    ...facts,
    format: BACKUP_FORMAT,
    sealId: sealId(unlockKey),
    salt: salt?.toString('base64') ?? '',
  };
  const text = Buffer.from(JSON.stringify(header));
  const key = unlockKey && salt ? deriveKey(unlockKey, salt) : undefined;
  const hash = createHash('sha256');
  const out = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    return bytes;
  };
  yield out(Buffer.concat([MAGIC, u32(text.length), text]));
  let number = 0;
  for (const { piece, isLast } of pieces(state)) {
    const body = key ? sealPiece(key, text, piece, number, isLast) : piece;
    yield out(Buffer.concat([u32((body.length | (isLast ? LAST_PIECE : 0)) >>> 0), body]));
    number++;
  }
  yield hash.digest();
}

/** Joins small pieces; the last one may be empty. */
function* pieces(state: Iterable<Uint8Array>): Iterable<{ piece: Buffer; isLast: boolean }> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for (const part of state) {
    parts.push(part);
    bytes += part.length;
    if (bytes < PIECE_BYTES) continue;
    yield { piece: Buffer.concat(parts), isLast: false };
    parts = [];
    bytes = 0;
  }
  yield { piece: Buffer.concat(parts), isLast: true };
}

/**
 * Header and state of a backup. @throws TswarmError data_loss (cut off or changed), not_supported
 * (newer), invalid_argument (no backup at all, or the wrong unlock key), locked (none given)
 */
export function readBackup(
  file: Uint8Array,
  unlockKey: Uint8Array | null,
): { readonly header: BackupHeader; readonly state: Uint8Array } {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const { header, text, end } = readHeader(bytes);
  const body = bytes.subarray(0, bytes.length - HASH_BYTES);
  const hash = createHash('sha256').update(body).digest();
  if (body.length < end || !hash.equals(bytes.subarray(body.length))) {
    throw damaged('its checksum does not match: it is cut off or was changed');
  }
  const key = keyFor(header, unlockKey);
  const parts: Uint8Array[] = [];
  let at = end;
  for (let number = 0; ; number++) {
    if (at + 4 > body.length) throw damaged('it ends early');
    const word = body.readUInt32BE(at);
    const isLast = word >= LAST_PIECE;
    const length = isLast ? word - LAST_PIECE : word;
    at += 4;
    if (at + length > body.length) throw damaged('it ends early');
    const piece = body.subarray(at, at + length);
    parts.push(key ? openPiece(key, text, piece, number, isLast) : piece);
    at += length;
    if (isLast) break;
  }
  if (at !== body.length) throw damaged('something follows its end');
  return { header, state: Buffer.concat(parts) };
}

function readHeader(bytes: Buffer): { header: BackupHeader; text: Buffer; end: number } {
  const begin = MAGIC.length + 4;
  if (bytes.length < begin || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new TswarmError('invalid_argument', 'the file is not a backup of tswarm', {
      hint: 'Give a file that `tswarm backup` wrote.',
    });
  }
  const length = bytes.readUInt32BE(MAGIC.length);
  const end = begin + length;
  if (length > HEADER_BYTES_MAX || end > bytes.length) throw damaged('its header is not whole');
  const text = bytes.subarray(begin, end);
  let header: BackupHeader;
  try {
    header = JSON.parse(text.toString('utf8')) as BackupHeader;
  } catch (error) {
    throw damaged(`its header cannot be read: ${messageOf(error)}`);
  }
  if (header.format > BACKUP_FORMAT) {
    throw new TswarmError(
      'not_supported',
      `the backup has format ${header.format}, this version reads up to ${BACKUP_FORMAT}`,
      { hint: `Restore it with tswarm ${header.version} or newer.` },
    );
  }
  return { header, text, end };
}

function keyFor(header: BackupHeader, unlockKey: Uint8Array | null): Uint8Array | undefined {
  if (header.sealId === '') return undefined;
  if (!unlockKey) {
    throw new TswarmError('locked', 'the backup is sealed by the unlock key of its cluster', {
      hint: 'Give --unlock-key, and the key that was valid when the backup was made.',
    });
  }
  if (sealId(unlockKey) !== header.sealId) {
    throw new TswarmError('invalid_argument', 'the unlock key does not fit this backup', {
      field: 'UnlockKey',
      hint: 'Give the unlock key that was valid when the backup was made.',
    });
  }
  return deriveKey(unlockKey, Buffer.from(header.salt, 'base64'));
}

function sealPiece(
  key: Uint8Array,
  header: Uint8Array,
  piece: Uint8Array,
  number: number,
  isLast: boolean,
): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number, isLast));
  cipher.setAAD(header);
  return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
}

function openPiece(
  key: Uint8Array,
  header: Uint8Array,
  sealed: Buffer,
  number: number,
  isLast: boolean,
): Uint8Array {
  if (sealed.length < TAG_BYTES) throw damaged(`piece ${number} is too short`);
  const cipher = createDecipheriv('aes-256-gcm', key, nonceOf(number, isLast));
  cipher.setAAD(header);
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const body = sealed.subarray(0, sealed.length - TAG_BYTES);
    return Buffer.concat([cipher.update(body), cipher.final()]);
  } catch {
    throw damaged(`piece ${number} was changed`);
  }
}

/** Unique per piece; the key is unique per backup. */
function nonceOf(number: number, isLast: boolean): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 4);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

function deriveKey(unlockKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, salt, 'tswarm-backup', 32));
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function damaged(why: string): TswarmError {
  return new TswarmError('data_loss', `the backup is damaged: ${why}`, {
    hint: 'Nothing was changed; use another backup.',
  });
}
