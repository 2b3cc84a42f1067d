// Which images there are and what they are called: `images.json`, replaced as a whole by rename. A
// change is applied in memory only after it is on disk. Owns names and their targets; knows layers
// by id only. An image whose configuration or layers are gone is dropped when the node starts, with
// a log line.
import { readFile } from 'node:fs/promises';
import { assert, messageOf, TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { BlobStore } from './blob-store.ts';
import { KeyedLock } from './concurrency.ts';
import { chainIds } from './digest.ts';
import { isMissing, writeFileAtomic } from './files.ts';
import type { LayerStore } from './layer-store.ts';
import { parseConfig } from './manifest.ts';
import { familiarOf } from './reference.ts';
import type { ImageRecord, OciImageConfig } from './types.ts';

/** One image as it is on disk. */
interface StoredImage {
  readonly id: string;
  /** Digest of its manifest in the blob store; '' when it has none yet. */
  readonly manifest: string;
  /** Image id that it was built or committed from; ''. */
  readonly parent: string;
  /** ms since 1970; 0 = never tagged. */
  readonly taggedAtMs: number;
}

export interface ImageEntry extends StoredImage {
  readonly config: OciImageConfig;
  /** Chain id of the top layer; ''. */
  readonly chainId: string;
  /** Full texts of its names, sorted: `docker.io/library/redis:7`, `…@sha256:…`. */
  readonly names: readonly string[];
}

interface State {
  readonly images: ReadonlyMap<string, StoredImage>;
  /** full text → image id */
  readonly names: ReadonlyMap<string, string>;
}

/** What `change` may do. */
export interface Draft {
  readonly images: Map<string, StoredImage>;
  readonly names: Map<string, string>;
}

interface FileFormat {
  readonly version: 1;
  readonly images: readonly StoredImage[];
  readonly names: Readonly<Record<string, string>>;
}

export class ImageDb {
  readonly #path: string;
  readonly #blobs: BlobStore;
  readonly #layers: LayerStore;
  readonly #lock = new KeyedLock();
  #state: State = { images: new Map(), names: new Map() };
  #configs = new Map<string, OciImageConfig>();
  #entries = new Map<string, ImageEntry>();
  /** Counts changes, so that others can see that what they computed is stale. */
  generation = 0;

  constructor(path: string, deps: { readonly blobs: BlobStore; readonly layers: LayerStore }) {
    this.#path = path;
    this.#blobs = deps.blobs;
    this.#layers = deps.layers;
  }

  async open(log: Log): Promise<void> {
    const stored = await this.#load();
    const images = new Map<string, StoredImage>();
    for (const image of stored.images) {
      try {
        const config = parseConfig(await this.#blobs.read(image.id), `image ${image.id}`);
        this.#layers.chain(topChain(config));
        this.#configs.set(image.id, config);
        images.set(image.id, image);
      } catch (error) {
        log.error('image dropped: it is not whole', { image: image.id, reason: messageOf(error) });
      }
    }
    const names = Object.entries(stored.names).filter(([, id]) => images.has(id));
    this.#state = { images, names: new Map(names) };
    this.#index();
  }

  get(id: string): ImageEntry | undefined {
    return this.#entries.get(id);
  }

  byName(fullText: string): ImageEntry | undefined {
    const id = this.#state.names.get(fullText);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  all(): IterableIterator<ImageEntry> {
    return this.#entries.values();
  }

  names(): ReadonlyMap<string, string> {
    return this.#state.names;
  }

  /** Images whose id begins with these hex digits. */
  byPrefix(hex: string): readonly ImageEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.id.startsWith(`sha256:${hex}`));
  }

  /**
   * Changes names and images in one step. The configuration of a new image must be in the blob
   * store.
   */
  async change(mutate: (draft: Draft) => void): Promise<void> {
    await this.#lock.with('state', async () => {
      const draft = { images: new Map(this.#state.images), names: new Map(this.#state.names) };
      mutate(draft);
      for (const id of draft.images.keys()) await this.#needConfig(id);
      for (const [name, id] of draft.names) {
        assert(draft.images.has(id), 'a name leads to an image', { name, id });
      }
      await this.#save(draft);
      this.#state = draft;
      this.#index();
    });
  }

  async #needConfig(id: string): Promise<void> {
    if (this.#configs.has(id)) return;
    this.#configs.set(id, parseConfig(await this.#blobs.read(id), `image ${id}`));
  }

  #index(): void {
    this.generation += 1;
    const namesOf = Map.groupBy(this.#state.names.keys(), (n) => this.#state.names.get(n) ?? '');
    this.#entries = new Map();
    for (const image of this.#state.images.values()) {
      const config = this.#configs.get(image.id);
      assert(config !== undefined, 'every image has its configuration', { id: image.id });
      const names = (namesOf.get(image.id) ?? []).toSorted();
      this.#entries.set(image.id, { ...image, config, chainId: topChain(config), names });
    }
    for (const id of this.#configs.keys()) {
      if (!this.#entries.has(id)) this.#configs.delete(id);
    }
  }

  async #load(): Promise<FileFormat> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return { version: 1, images: [], names: {} };
      throw error;
    }
    try {
      const stored = JSON.parse(text) as FileFormat;
      if (stored.version === 1) return stored;
    } catch {
      // Said below.
    }
    throw new TswarmError('data_loss', `${this.#path}: is not a list of images of this version`, {
      hint: 'Move the file away: the node starts without images and fetches them again.',
    });
  }

  async #save(state: State): Promise<void> {
    const format: FileFormat = {
      version: 1,
      images: [...state.images.values()],
      names: Object.fromEntries(state.names),
    };
    await writeFileAtomic(this.#path, JSON.stringify(format));
  }
}

/** Chain id of the top layer of a configuration; '' without layers. */
export function topChain(config: OciImageConfig): string {
  return chainIds(config.rootfs.diff_ids).at(-1) ?? '';
}

/** The form that the worker sees. */
export function recordOf(entry: ImageEntry, layers: LayerStore): ImageRecord {
  const familiar = entry.names.map(familiarOf);
  return {
    id: entry.id,
    repoTags: familiar.filter((name) => !name.includes('@')),
    repoDigests: familiar.filter((name) => name.includes('@')),
    config: entry.config,
    chainId: entry.chainId,
    sizeBytes: layers.chain(entry.chainId).reduce((sum, layer) => sum + layer.sizeBytes, 0),
  };
}
