// Snapshots as files beside the log: written piece by piece to a temporary name, synced, renamed,
// folder synced; read at start. Only files that a mark in the log names are used; others are left
// over from a crash and are removed.
import { mkdirSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SnapshotMeta } from '#manager/raft/types';
import type { KeyRing, WalCrypto, WalIdentity } from '#manager/wal/interfaces';
import { SNAPSHOT_CHUNK_BYTES } from '#manager/wal/limits';
import {
  parseSnapshotName,
  readSnapshotFile,
  SNAPSHOT_HEADER_MAX_BYTES,
  SnapshotReader,
  SnapshotWriter,
  snapshotName,
} from '#manager/wal/snapshot-file';
import { TswarmError } from '#protocol/errors';
import { SNAPSHOT_CHUNKS_PER_TURN } from './limits.ts';
import { syncFolder } from './node-disk.ts';

export interface SnapshotStoreDeps {
  readonly identity: WalIdentity;
  readonly crypto: WalCrypto;
  readonly keys: KeyRing;
}

/** Durable snapshots of one member. */
export interface SnapshotFiles {
  /** Seals and stores `plain`; resolves when it is durable. */
  write(meta: SnapshotMeta, plain: Uint8Array): Promise<void>;
  /** @throws TswarmError `data_loss` when it is missing or damaged */
  read(meta: SnapshotMeta): Uint8Array;
  /** The key that the snapshot at `meta` is sealed with; null if it cannot be read. */
  keyIdOf(meta: SnapshotMeta): Promise<string | null>;
  /** At start: removes every snapshot but the one at `keep`, and what crashes have left. */
  removeExcept(keep: { readonly index: number; readonly term: number } | null): void;
  /** While running: removes snapshots before `index`. A newer one may be on its way. */
  removeOlder(index: number): void;
}

export class SnapshotStore implements SnapshotFiles {
  readonly #folder: string;
  readonly #deps: SnapshotStoreDeps;
  #nextTemporary = 1;

  constructor(folder: string, deps: SnapshotStoreDeps) {
    this.#folder = folder;
    this.#deps = deps;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    syncFolder(join(folder, '..'));
  }

  /** Seals and stores `plain` durably, yielding to the event loop between pieces. */
  async write(meta: SnapshotMeta, plain: Uint8Array): Promise<void> {
    const { identity, crypto, keys } = this.#deps;
    const writer = new SnapshotWriter({ identity, meta, plain }, { crypto, keys });
    const path = join(this.#folder, snapshotName(meta));
    // A name of its own: the same snapshot may come from two leaders at the same time.
    const temporary = `${path}.${this.#nextTemporary++}.tmp`;
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        await writeChunks(file, writer);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }); // On a full disk its room is needed.
      throw error;
    }
    syncFolder(this.#folder);
  }

  /** @throws TswarmError `data_loss` when the file is missing or damaged */
  read(meta: SnapshotMeta): Uint8Array {
    const name = snapshotName(meta);
    const path = join(this.#folder, name);
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (cause) {
      throw damaged(path, 'it cannot be read', cause);
    }
    const { plain, error } = readSnapshotFile(bytes, this.#deps);
    if (error !== null) throw damaged(path, error, undefined);
    return plain;
  }

  /** Opens a snapshot to be read piece by piece; stays readable when it is removed meanwhile.
   * @throws TswarmError `data_loss` when it is missing or damaged */
  async openToSend(meta: SnapshotMeta): Promise<SnapshotSource> {
    const path = join(this.#folder, snapshotName(meta));
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw damaged(path, 'it cannot be read', cause);
    });
    try {
      const { size } = await file.stat();
      const start = await readAt(file, 0, Math.min(size, SNAPSHOT_HEADER_MAX_BYTES));
      const reader = SnapshotReader.open(start, size, this.#deps);
      if (typeof reader === 'string') throw damaged(path, reader, undefined);
      return new SnapshotSource(path, file, reader);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The key that the snapshot at `meta` is sealed with; null if it cannot be read. */
  async keyIdOf(meta: SnapshotMeta): Promise<string | null> {
    try {
      const source = await this.openToSend(meta);
      await source.close();
      return source.keyId;
    } catch {
      return null;
    }
  }

  /** At start: removes every snapshot but the one at `keep`, and what crashes have left. */
  removeExcept(keep: { readonly index: number; readonly term: number } | null): void {
    const kept = keep === null ? null : snapshotName(keep);
    for (const name of readdirSync(this.#folder)) {
      if (indexOf(name) !== null && name !== kept) unlinkSync(join(this.#folder, name));
    }
  }

  /** While running: removes snapshots before `index`. A newer one may be on its way. */
  removeOlder(index: number): void {
    for (const name of readdirSync(this.#folder)) {
      if ((indexOf(name) ?? index) < index) unlinkSync(join(this.#folder, name));
    }
  }
}

/** A snapshot file while it is sent. */
export class SnapshotSource {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #reader: SnapshotReader;

  constructor(path: string, file: FileHandle, reader: SnapshotReader) {
    this.#path = path;
    this.#file = file;
    this.#reader = reader;
  }

  get totalBytes(): number {
    return this.#reader.header.plainBytes;
  }

  get keyId(): string {
    return this.#reader.header.keyId;
  }

  /** The piece that begins at `offset`, a multiple of the chunk size, and the digest with the last.
   * @throws TswarmError `data_loss` */
  async read(
    offset: number,
  ): Promise<{ readonly part: Uint8Array; readonly digest: Uint8Array | null }> {
    const i = Math.floor(offset / SNAPSHOT_CHUNK_BYTES);
    const place = this.#reader.place(i);
    const sealed = await readAt(this.#file, place.offset, place.length);
    const chunk = this.#reader.chunk(i, sealed);
    if (chunk === null) throw damaged(this.#path, `chunk ${i} is not authentic`, undefined);
    return chunk;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

async function writeChunks(file: FileHandle, writer: SnapshotWriter): Promise<void> {
  await file.writeFile(writer.header);
  for (let count = 1; ; count++) {
    const chunk = writer.nextChunk();
    if (chunk === null) return;
    await file.writeFile(chunk);
    if (count % SNAPSHOT_CHUNKS_PER_TURN === 0) await nextTurn();
  }
}

function indexOf(name: string): number | null {
  return parseSnapshotName(name.replace(/(\.\d+)?\.tmp$/, ''))?.index ?? null;
}

function damaged(path: string, reason: string, cause: unknown): TswarmError {
  const hint = 'restore a backup (`tswarm restore`), or remove this manager and let it join again';
  return new TswarmError('data_loss', `snapshot ${path}: ${reason}`, { cause, hint });
}
