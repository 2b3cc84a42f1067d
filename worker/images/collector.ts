// Garbage collection: marks what images, containers, leases and further roots (the build cache)
// stand on, and removes every other layer and blob. Each thing is looked at again, under its lock,
// right before it goes: work that has begun meanwhile holds a lease and keeps what it found.
import type { BlobStore } from './blob-store.ts';
import type { ImageDb } from './image-db.ts';
import type { LayerRecord, LayerStore } from './layer-store.ts';
import { parseManifest } from './manifest.ts';
import { parseReference } from './reference.ts';
import type { RootfsStore } from './rootfs.ts';

/** Keeps blobs and layers while work is under way. */
export interface Lease {
  readonly blobs: Set<string>;
  readonly chains: Set<string>;
  release(): void;
}

/** More that must stay: top chain ids and configurations. */
export type RootSource = () => Iterable<{ readonly chainId: string; readonly configId: string }>;

export interface Collected {
  /** Files of layers, and archives. */
  readonly freedBytes: number;
  /** Layers that went. */
  readonly chains: readonly string[];
}

interface Marks {
  readonly blobs: ReadonlySet<string>;
  readonly chains: ReadonlySet<string>;
}

interface CollectorDeps {
  readonly db: ImageDb;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly rootfs: RootfsStore;
}

export class Collector {
  readonly #deps: CollectorDeps;
  readonly #leases = new Set<Lease>();
  readonly #sources: RootSource[] = [];
  readonly #pruners: (() => Promise<unknown>)[] = [];
  /** Manifest digest → blobs it names; manifests never change. */
  readonly #named = new Map<string, readonly string[]>();
  #running: Promise<Collected> | undefined;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  lease(): Lease {
    const lease: Lease = {
      blobs: new Set(),
      chains: new Set(),
      release: () => void this.#leases.delete(lease),
    };
    this.#leases.add(lease);
    return lease;
  }

  addRoots(source: RootSource): void {
    this.#sources.push(source);
  }

  /** More that gives up what it holds when a person prunes. */
  addPruner(prune: () => Promise<unknown>): void {
    this.#pruners.push(prune);
  }

  /** As `collect`, after everybody has let go of what only saves time. */
  async prune(): Promise<Collected> {
    for (const prune of this.#pruners) await prune();
    return this.collect();
  }

  /** Removes what nothing stands on. */
  collect(): Promise<Collected> {
    // A call during a run wants what it has just let go to be seen: it waits for a run of its own.
    const before = this.#running?.catch(() => {}) ?? Promise.resolve();
    const run = before.then(() => this.#collect());
    this.#running = run;
    return run;
  }

  async #collect(): Promise<Collected> {
    const { blobs, layers } = this.#deps;
    let freedBytes = 0;
    const removed: string[] = [];
    let marks = await this.#mark();
    let generation = this.#deps.db.generation;
    const fresh = async (): Promise<Marks> => {
      if (generation !== this.#deps.db.generation) {
        generation = this.#deps.db.generation;
        marks = await this.#mark();
      }
      return marks;
    };
    // Tops first, so that no layer ever lacks the one below it.
    for (const layer of topsFirst([...layers.all()])) {
      await layers.locks.with(layer.chainId, async () => {
        const { chains } = await fresh();
        const isUsed = chains.has(layer.chainId) || this.#isChainLeased(layer.chainId);
        if (isUsed || this.#isChainOfContainer(layer.chainId)) return;
        await layers.remove(layer.chainId);
        freedBytes += layer.sizeBytes;
        removed.push(layer.chainId);
      });
    }
    for (const digest of await blobs.list()) {
      await blobs.locks.with(digest, async () => {
        const current = await fresh();
        if (current.blobs.has(digest) || this.#isBlobLeased(digest)) return;
        freedBytes += await blobs.remove(digest);
      });
    }
    return { freedBytes, chains: removed };
  }

  async #mark(): Promise<Marks> {
    const { db, layers, rootfs } = this.#deps;
    const blobs = new Set<string>();
    const chains = new Set<string>();
    const keepChain = (chainId: string): void => {
      for (let id = chainId; id !== '' && !chains.has(id); ) {
        chains.add(id);
        const layer = layers.get(id);
        if (layer?.blob) blobs.add(layer.blob.digest);
        id = layer?.parent ?? '';
      }
    };
    for (const image of [...db.all()]) {
      blobs.add(image.id);
      keepChain(image.chainId);
      if (image.manifest !== '') blobs.add(image.manifest);
      for (const name of image.names) {
        const { digest } = parseReference(name);
        if (digest !== undefined) blobs.add(digest);
      }
    }
    for (const [, used] of rootfs.entries())
      for (const { chainId } of [used, ...used.views]) keepChain(chainId);
    for (const source of this.#sources) {
      for (const root of source()) {
        keepChain(root.chainId);
        blobs.add(root.configId);
      }
    }
    for (const lease of this.#leases) for (const id of lease.chains) keepChain(id);
    for (const digest of [...blobs])
      for (const named of await this.#namedBy(digest)) blobs.add(named);
    return { blobs, chains };
  }

  /**
   * An image's manifest keeps its configuration and layers' archives even when a layer came from
   * another image.
   */
  async #namedBy(digest: string): Promise<readonly string[]> {
    const known = this.#named.get(digest);
    if (known !== undefined) return known;
    const manifests = new Set([...this.#deps.db.all()].map((image) => image.manifest));
    if (!manifests.has(digest)) return [];
    let named: readonly string[] = [];
    try {
      const manifest = parseManifest(await this.#deps.blobs.read(digest), '', digest);
      if (manifest.kind === 'manifest') {
        named = [manifest.config, ...manifest.layers].map((descriptor) => descriptor.digest);
      }
    } catch {
      // Gone or damaged: it keeps nothing, and the image works without.
    }
    this.#named.set(digest, named);
    return named;
  }

  #isChainLeased(chainId: string): boolean {
    for (const lease of this.#leases) if (lease.chains.has(chainId)) return true;
    return false;
  }

  #isBlobLeased(digest: string): boolean {
    for (const lease of this.#leases) if (lease.blobs.has(digest)) return true;
    return false;
  }

  #isChainOfContainer(chainId: string): boolean {
    for (const [, rootfs] of this.#deps.rootfs.entries()) {
      for (const ground of [rootfs, ...rootfs.views]) {
        for (let id = ground.chainId; id !== ''; id = this.#deps.layers.get(id)?.parent ?? '') {
          if (id === chainId) return true;
        }
      }
    }
    return false;
  }
}

function topsFirst(layers: readonly LayerRecord[]): readonly LayerRecord[] {
  const byId = new Map(layers.map((layer) => [layer.chainId, layer]));
  const depth = (layer: LayerRecord): number => {
    let count = 0;
    for (let at = byId.get(layer.parent); at !== undefined; at = byId.get(at.parent)) count += 1;
    return count;
  };
  const depths = new Map(layers.map((layer) => [layer, depth(layer)]));
  return layers.toSorted((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0));
}
