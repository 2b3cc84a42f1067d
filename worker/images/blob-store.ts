// Content-addressed blobs: `blobs/<algorithm>/<hex>`. A blob is written to `ingest/`, hashed on the
// way, synced, compared, and only then renamed to its name: what stands under a name has that
// digest. On a mismatch nothing is kept. A partial download stays in `ingest/` for a later attempt.
// Refuses to delete by itself: garbage collection decides (gc.ts).
import { randomBytes } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, TswarmError } from '#protocol/errors';
import { KeyedLock } from './concurrency.ts';
import { checkedDigest, Digester, hexOf, sha256 } from './digest.ts';
import { diskError, FileWriter, isMissing, syncDir } from './files.ts';
import { CHUNK_BYTES, PARTIAL_KEEP_MS } from './limits.ts';

export interface BlobInfo {
  readonly digest: string;
  readonly sizeBytes: number;
}

export class BlobStore {
  readonly #blobsDir: string;
  readonly #ingestDir: string;
  /** One writer per digest. */
  readonly locks: KeyedLock = new KeyedLock();

  constructor(dataDir: string) {
    this.#blobsDir = join(dataDir, 'blobs');
    this.#ingestDir = join(dataDir, 'ingest');
  }

  /**
   * Makes the folders; removes what interrupted writes left, except partial downloads of the last
   * day.
   */
  async open(nowMs: number): Promise<void> {
    for (const algorithm of ['sha256', 'sha512']) {
      await mkdir(join(this.#blobsDir, algorithm), { recursive: true, mode: 0o700 });
    }
    await mkdir(this.#ingestDir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#ingestDir)) {
      const path = join(this.#ingestDir, name);
      const isPartial = name.endsWith('.part');
      const info = await stat(path);
      if (isPartial && nowMs - info.mtimeMs < PARTIAL_KEEP_MS) continue;
      await rm(path, { recursive: true, force: true });
    }
  }

  path(digest: string): string {
    const [algorithm = ''] = checkedDigest(digest, 'blob').split(':');
    return join(this.#blobsDir, algorithm, hexOf(digest));
  }

  /** Size in bytes; undefined when it is not here. */
  async sizeOf(digest: string): Promise<number | undefined> {
    try {
      return (await stat(this.path(digest))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** A small blob's bytes, verified. @throws TswarmError `not_found`, `digest_mismatch` */
  async read(digest: string): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.path(digest));
    } catch (error) {
      if (isMissing(error)) throw new TswarmError('not_found', `blob ${digest} is not here`);
      throw error;
    }
    const digester = Digester.like(digest);
    digester.update(bytes);
    if (digester.digest() !== digest) {
      throw new TswarmError('data_loss', `blob ${digest} is damaged on disk`, {
        hint: 'Remove the image and pull or load it again.',
      });
    }
    return bytes;
  }

  /** The first bytes of a blob. */
  async head(digest: string, bytes: number): Promise<Uint8Array> {
    await using file = await open(this.path(digest), 'r');
    const { buffer, bytesRead } = await file.read(new Uint8Array(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  }

  /** From `offset` on, in bytes. */
  stream(digest: string, offset = 0): ReadStream {
    return createReadStream(this.path(digest), { start: offset, highWaterMark: CHUNK_BYTES });
  }

  /** Stores bytes. `onDigest` learns the digest before the blob can be seen. */
  async put(bytes: Uint8Array | string, onDigest?: (digest: string) => void): Promise<BlobInfo> {
    const content = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
    const digest = sha256(content);
    const ingest = await this.ingest();
    try {
      await ingest.write(content);
      return await ingest.commit({ digest, sizeBytes: content.length }, onDigest);
    } finally {
      await ingest.close();
    }
  }

  /** A writer for content whose digest is not known yet. The caller must `close` it. */
  async ingest(): Promise<Ingest> {
    const path = join(this.#ingestDir, randomBytes(12).toString('hex'));
    return Ingest.create(path, this, new Digester(), false);
  }

  /**
   * A writer that goes on where an earlier download of this digest stopped. Hold `locks` for the
   * digest.
   */
  async resume(digest: string): Promise<Ingest> {
    checkedDigest(digest, 'blob');
    const path = join(this.#ingestDir, `${digest.replace(':', '-')}.part`);
    return Ingest.create(path, this, Digester.like(digest), true);
  }

  async remove(digest: string): Promise<number> {
    const bytes = (await this.sizeOf(digest)) ?? 0;
    await rm(this.path(digest), { force: true });
    return bytes;
  }

  async list(): Promise<readonly string[]> {
    const digests: string[] = [];
    for (const algorithm of ['sha256', 'sha512']) {
      for (const hex of await readdir(join(this.#blobsDir, algorithm))) {
        digests.push(`${algorithm}:${hex}`);
      }
    }
    return digests;
  }
}

/** One blob being written. */
export class Ingest {
  readonly path: string;
  readonly #store: BlobStore;
  readonly #file: FileHandle;
  #isKept: boolean;
  #writer: FileWriter;
  #digester: Digester;
  #isOpen = true;
  #isCommitted = false;

  private constructor(
    path: string,
    store: BlobStore,
    file: FileHandle,
    digester: Digester,
    isKept: boolean,
  ) {
    this.path = path;
    this.#store = store;
    this.#file = file;
    this.#digester = digester;
    this.#isKept = isKept;
    this.#writer = new FileWriter(file, CHUNK_BYTES);
  }

  static async create(
    path: string,
    store: BlobStore,
    digester: Digester,
    isKept: boolean,
  ): Promise<Ingest> {
    try {
      if (isKept) await hashExisting(path, digester);
      const file = await open(path, isKept ? 'a' : 'wx', 0o600);
      return new Ingest(path, store, file, digester, isKept);
    } catch (error) {
      throw diskError(error, `cannot write ${path}`);
    }
  }

  /** Bytes that are there, counted and hashed. */
  get bytes(): number {
    return this.#digester.bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#digester.update(chunk);
    try {
      await this.#writer.write(chunk);
    } catch (error) {
      throw this.#failed(error, `cannot write ${this.path}`);
    }
  }

  /** Back to nothing: the far side cannot go on from where we are. */
  async restart(digest: string): Promise<void> {
    this.#writer = new FileWriter(this.#file, CHUNK_BYTES);
    this.#digester = Digester.like(digest);
    await this.#file.truncate(0);
  }

  /** Throws the bytes away, e.g. after a mismatch. */
  async discard(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  /**
   * Verifies and gives the blob its name. `expected.digest` undefined: whatever it is; `onDigest`
   * learns it before the blob can be seen.
   * @throws TswarmError `digest_mismatch` (nothing is kept), `no_space`
   */
  async commit(
    expected: { readonly digest?: string; readonly sizeBytes?: number },
    onDigest?: (digest: string) => void,
  ): Promise<BlobInfo> {
    const sizeBytes = this.bytes;
    const digest = this.#digester.digest();
    const isWrong =
      (expected.digest !== undefined && expected.digest !== digest) ||
      (expected.sizeBytes !== undefined && expected.sizeBytes !== sizeBytes);
    if (isWrong) {
      await this.discard();
      const want = `${expected.digest ?? 'any digest'} (${expected.sizeBytes ?? 'any'} bytes)`;
      throw new TswarmError(
        'digest_mismatch',
        `filesystem layer verification failed for digest ${want}: got ${digest} (${sizeBytes} bytes)`,
      );
    }
    onDigest?.(digest);
    try {
      await this.#writer.flush();
      await this.#file.sync();
      await this.#closeFile();
      await rename(this.path, this.#store.path(digest));
      this.#isCommitted = true;
      await syncDir(dirname(this.#store.path(digest)));
    } catch (error) {
      throw this.#failed(error, `cannot store ${digest}`);
    }
    return { digest, sizeBytes };
  }

  /** On a full disk a part of a download is in the way of everything else. */
  #failed(error: unknown, what: string): Error {
    const failure = diskError(error, what);
    if (hasCode(failure, 'no_space')) this.#isKept = false;
    return failure;
  }

  /**
   * Leaves a partial download for later, removes anything else that was not committed. Safe to call
   * again.
   */
  async close(): Promise<void> {
    const isKept = this.#isKept && !this.#isCommitted && this.bytes > 0;
    if (isKept && this.#isOpen) await this.#writer.flush().catch(() => {});
    await this.#closeFile();
    if (!isKept && !this.#isCommitted) await rm(this.path, { force: true });
  }

  async #closeFile(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }
}

async function hashExisting(path: string, digester: Digester): Promise<void> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
      digester.update(chunk as Uint8Array);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
