// Unpacked layers, one folder per chain id: `layers/<hex>/{diff,layer.json}`. `diff` is what
// overlayfs gets as a lower folder. A layer is made in `tmp/`, its diff id checked against what it
// shall be, everything synced, and the folder renamed: a folder in `layers/` is whole. Where its
// archive is, as it came, is in layer.json; a layer made on this node (build, commit, import) has
// none, and the archive is made again from the files when somebody asks, which gives the same bytes
// (checked).
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert, TswarmError } from '#protocol/errors';
import type { BlobStore } from './blob-store.ts';
import { KeyedLock } from './concurrency.ts';
import { decompress } from './decompress.ts';
import { chainIds, Digester, hexOf, isHex64 } from './digest.ts';
import { syncDir, writeFileAtomic } from './files.ts';
import type { LayerTool } from './layer-tool.ts';
import { LAYER_BYTES_MAX, LAYER_ENTRIES_MAX } from './limits.ts';
import type { Descriptor } from './manifest.ts';
import { readTar } from './tar/reader.ts';

/** layer.json. */
export interface LayerRecord {
  readonly chainId: string;
  readonly diffId: string;
  /** '' for the lowest layer. */
  readonly parent: string;
  /** Data bytes of its files. */
  readonly sizeBytes: number;
  readonly entries: number;
  /** Bytes of the uncompressed archive. */
  readonly tarBytes: number;
  /** The archive as it came; null when it is made again on demand. */
  readonly blob: Descriptor | null;
}

/** One layer that shall be there. */
export interface LayerPlan {
  readonly chainId: string;
  readonly parent: string;
  readonly diffId: string;
}

/** What to unpack for each diff id, lowest first. */
export function planLayers(diffIds: readonly string[]): readonly LayerPlan[] {
  const chain = chainIds(diffIds);
  return diffIds.map((diffId, i) => {
    const chainId = chain[i];
    assert(chainId !== undefined, 'a chain id per layer');
    return { chainId, parent: chain[i - 1] ?? '', diffId };
  });
}

export class LayerStore {
  readonly #dir: string;
  readonly #tmpDir: string;
  readonly #tool: LayerTool;
  readonly #blobs: BlobStore;
  /** chain id → layer */
  readonly #layers = new Map<string, LayerRecord>();
  /** One maker per chain id. */
  readonly locks: KeyedLock = new KeyedLock();

  constructor(dataDir: string, deps: { readonly tool: LayerTool; readonly blobs: BlobStore }) {
    this.#dir = join(dataDir, 'layers');
    this.#tmpDir = join(dataDir, 'tmp');
    this.#tool = deps.tool;
    this.#blobs = deps.blobs;
  }

  /** Reads what is there; removes what interrupted work left. */
  async open(): Promise<void> {
    // A program of a killed predecessor may still be writing there; it ends with its input.
    await rm(this.#tmpDir, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
    for (const dir of [this.#dir, this.#tmpDir]) await mkdir(dir, { recursive: true, mode: 0o710 });
    for (const name of await readdir(this.#dir)) {
      const record = isHex64(name) ? await readRecord(join(this.#dir, name)) : undefined;
      if (record === undefined) await rm(join(this.#dir, name), { recursive: true, force: true });
      else this.#layers.set(record.chainId, record);
    }
  }

  get(chainId: string): LayerRecord | undefined {
    return this.#layers.get(chainId);
  }

  all(): IterableIterator<LayerRecord> {
    return this.#layers.values();
  }

  /** The folder for overlayfs. */
  diffDir(chainId: string): string {
    return join(this.#dir, hexOf(chainId), 'diff');
  }

  /** Layers from the given one down to the lowest. */
  chain(chainId: string): readonly LayerRecord[] {
    const layers: LayerRecord[] = [];
    for (let id = chainId; id !== ''; ) {
      const layer = this.#layers.get(id);
      if (layer === undefined) {
        throw new TswarmError('data_loss', `layer ${id} is missing on this node`, {
          hint: 'Remove the image and pull or load it again.',
        });
      }
      layers.push(layer);
      id = layer.parent;
    }
    return layers;
  }

  /** A folder of the caller's own on the same file system; to be given to `adopt` or removed. */
  async scratch(): Promise<string> {
    const dir = join(this.#tmpDir, randomBytes(12).toString('hex'));
    await mkdir(join(dir, 'diff'), { recursive: true, mode: 0o755 });
    return dir;
  }

  /**
   * Unpacks an archive (compressed or not) as the planned layer, unless it is there. The archive
   * must be in the blob store as `blob`.
   * @throws TswarmError `digest_mismatch` when it is not the planned layer; nothing is kept then
   */
  async unpack(
    plan: LayerPlan,
    blob: Descriptor,
    options: { readonly signal?: AbortSignal; readonly onBytes?: (read: number) => void } = {},
  ): Promise<LayerRecord> {
    return this.locks.with(plan.chainId, async () => {
      const known = this.#layers.get(plan.chainId);
      if (known !== undefined) return known;
      const dir = await this.scratch();
      try {
        const archive = counted(this.#blobs.stream(blob.digest), options.onBytes);
        const made = await this.#unpackInto(join(dir, 'diff'), archive, options.signal);
        if (made.diffId !== plan.diffId) {
          throw new TswarmError(
            'digest_mismatch',
            `layers from manifest don't match image configuration: ${blob.digest} unpacks to ${made.diffId}, not ${plan.diffId}`,
          );
        }
        return await this.#keep(dir, { ...plan, ...made, blob });
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    });
  }

  /**
   * Unpacks an archive that comes only once, as a layer on top of `parent`. Its files count, not
   * its bytes: the diff id is that of the archive
   * that `tswarm-layer diff` makes of them.
   */
  async importTar(
    tar: AsyncIterable<Uint8Array>,
    parent: string,
    signal?: AbortSignal,
    onChain?: (chainId: string) => void,
  ): Promise<LayerRecord> {
    const dir = await this.scratch();
    try {
      await this.#unpackInto(join(dir, 'diff'), tar, signal);
      return await this.adopt(dir, parent, signal, onChain);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  /**
   * Makes `<dir>/diff` a layer on top of `parent`. `dir` (from `scratch`) is gone afterwards.
   * `onChain` learns the chain id before the layer can be seen, for a lease.
   */
  async adopt(
    dir: string,
    parent: string,
    signal?: AbortSignal,
    onChain?: (chainId: string) => void,
  ): Promise<LayerRecord> {
    const digester = new Digester();
    let sizeBytes = 0;
    let entries = 0;
    for await (const { header } of readTar(
      hashed(this.#tool.diff(join(dir, 'diff'), signal), digester),
    )) {
      sizeBytes += header.size;
      entries += 1;
    }
    const tarBytes = digester.bytes;
    const diffId = digester.digest();
    const below = parent === '' ? [] : this.chain(parent).map((layer) => layer.diffId);
    const [chainId] = chainIds([...below.reverse(), diffId]).slice(-1);
    assert(chainId !== undefined, 'a chain has a top');
    onChain?.(chainId);
    return this.locks.with(chainId, async () => {
      const known = this.#layers.get(chainId);
      if (known !== undefined) {
        await rm(dir, { recursive: true, force: true });
        return known;
      }
      const made = { diffId, tarBytes, sizeBytes, entries };
      return this.#keep(dir, { chainId, parent, ...made, blob: null });
    });
  }

  /**
   * The layer's uncompressed archive. @throws TswarmError `data_loss` when the bytes are not what
   * they were
   */
  async *tar(layer: LayerRecord, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const digester = new Digester();
    const source =
      layer.blob === null
        ? this.#tool.diff(this.diffDir(layer.chainId), signal)
        : decompress(this.#blobs.stream(layer.blob.digest), { bytesMax: LAYER_BYTES_MAX });
    for await (const chunk of source) {
      digester.update(chunk);
      yield chunk;
    }
    const diffId = digester.digest();
    if (diffId === layer.diffId) return;
    throw new TswarmError(
      'data_loss',
      `layer ${layer.chainId} was changed on disk: its archive is ${diffId}, not ${layer.diffId}`,
      { hint: 'Remove the image and pull, load or build it again.' },
    );
  }

  /** Remembers the archive that belongs to a layer (after a push). */
  async setBlob(chainId: string, blob: Descriptor): Promise<void> {
    const layer = this.#layers.get(chainId);
    if (layer === undefined) return;
    const changed = { ...layer, blob };
    await writeFileAtomic(join(this.#dir, hexOf(chainId), RECORD_NAME), JSON.stringify(changed));
    this.#layers.set(chainId, changed);
  }

  /** Removes a layer; whoever calls has made sure that nothing stands on it. */
  async remove(chainId: string): Promise<void> {
    this.#layers.delete(chainId);
    const from = join(this.#dir, hexOf(chainId));
    const to = join(this.#tmpDir, randomBytes(12).toString('hex'));
    // Away from its name first: a crash in the middle must not leave half a layer behind it.
    await rename(from, to);
    await rm(to, { recursive: true, force: true });
  }

  async #unpackInto(
    diffDir: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<Omit<LayerRecord, 'chainId' | 'parent' | 'blob'>> {
    const digester = new Digester();
    const tar = hashed(decompress(archive, { bytesMax: LAYER_BYTES_MAX }), digester);
    const { bytes, entries } = await this.#tool.apply(tar, {
      root: diffDir,
      bytesMax: LAYER_BYTES_MAX,
      entriesMax: LAYER_ENTRIES_MAX,
      mode: 'layer',
      isUnterminatedOk: true,
      signal,
    });
    const tarBytes = digester.bytes;
    return { diffId: digester.digest(), tarBytes, sizeBytes: bytes, entries };
  }

  async #keep(dir: string, record: LayerRecord): Promise<LayerRecord> {
    await writeFileAtomic(join(dir, RECORD_NAME), JSON.stringify(record));
    await this.#tool.sync(dir);
    await rename(dir, join(this.#dir, hexOf(record.chainId)));
    await syncDir(this.#dir);
    this.#layers.set(record.chainId, record);
    return record;
  }
}

const RECORD_NAME = 'layer.json';

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  digester: Digester,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    digester.update(chunk);
    yield chunk;
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: ((read: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of chunks) {
    read += chunk.length;
    onBytes?.(read);
    yield chunk;
  }
}

async function readRecord(dir: string): Promise<LayerRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, RECORD_NAME), 'utf8')) as LayerRecord;
  } catch {
    return undefined;
  }
}
