// Snapshots as files beside the log: written piece by piece to a temporary name, synced, renamed,
// folder synced; read at start. Only files that a mark in the log names are used; others are left
// over from a crash and are removed.
import { mkdirSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SnapshotMeta } from '#manager/raft/types';
import type { KeyRing, WalCrypto, WalIdentity } from '#manager/wal/interfaces';
import {
  parseSnapshotName,
  readSnapshotFile,
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
  /** At start: removes every snapshot but the one at `keep`, and what crashes have left. */
  removeExcept(keep: { readonly index: number; readonly term: number } | null): void;
  /** While running: removes snapshots before `index`. A newer one may be on its way. */
  removeOlder(index: number): void;
}

export class SnapshotStore implements SnapshotFiles {
  readonly #folder: string;
  readonly #deps: SnapshotStoreDeps;

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
    const temporary = `${path}.tmp`;
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
  return parseSnapshotName(name.replace(/\.tmp$/, ''))?.index ?? null;
}

function damaged(path: string, reason: string, cause: unknown): TswarmError {
  const hint = 'restore a backup (`tswarm restore`), or remove this manager and let it join again';
  return new TswarmError('data_loss', `snapshot ${path}: ${reason}`, { cause, hint });
}
