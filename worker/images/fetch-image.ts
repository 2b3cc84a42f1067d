// The parts of one image, from a registry and from other nodes, into the stores: configuration first, then layers, three downloads and two unpackings at one time,
// each layer on its own. Registers nothing: what it leaves when it fails is garbage, and partial downloads for the next attempt. The caller holds the lease.
import { TswarmError } from '#protocol/errors';
import type { Clock, Random } from '#protocol/world';
import type { BlobStore } from './blob-store.ts';
import type { Lease } from './collector.ts';
import { allOrAbort, Limiter } from './concurrency.ts';
import { shortId } from './digest.ts';
import { type LayerPlan, type LayerStore, planLayers } from './layer-store.ts';
import { CONFIG_BYTES_MAX, DOWNLOADS_PARALLEL_MAX, UNPACKS_PARALLEL_MAX } from './limits.ts';
import { type Descriptor, parseConfig } from './manifest.ts';
import { barLine, type OnLine, statusLine, throttled } from './progress.ts';
import { type BlobOrigin, downloadBlob } from './registry/download.ts';
import type { OciImageConfig } from './types.ts';

export interface FetchDeps {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** What an image is made of. */
export interface WantedImage {
  /** For messages. */
  readonly name: string;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly origin: BlobOrigin;
}

export class ImageFetch {
  readonly #deps: FetchDeps;
  readonly #image: WantedImage;
  readonly #onLine: OnLine;
  readonly #signal: AbortSignal;

  constructor(deps: FetchDeps, image: WantedImage, onLine: OnLine, signal: AbortSignal) {
    this.#deps = deps;
    this.#image = image;
    this.#onLine = onLine;
    this.#signal = signal;
  }

  /** The configuration, verified. @throws TswarmError `too_large`, `invalid_argument` and what downloads throw */
  async config(): Promise<OciImageConfig> {
    const { config: blob, layers, name, origin } = this.#image;
    if (blob.size > CONFIG_BYTES_MAX) {
      throw new TswarmError('too_large', `${name}: its configuration has ${blob.size} bytes`);
    }
    await downloadBlob(origin, blob, this.#deps.blobs, {
      signal: this.#signal,
      onBytes: () => {},
      random: this.#deps.random,
    });
    const config = parseConfig(await this.#deps.blobs.read(blob.digest), `${name}: configuration`);
    if (config.rootfs.diff_ids.length === layers.length) return config;
    throw new TswarmError(
      'invalid_argument',
      `${name}: ${layers.length} layers, but ${config.rootfs.diff_ids.length} in its configuration`,
      { hint: 'It may be an artifact that is no container image.' },
    );
  }

  /** All layers that are not here yet. */
  async layers(config: OciImageConfig, lease: Lease): Promise<void> {
    const plans = planLayers(config.rootfs.diff_ids);
    for (const { chainId } of plans) lease.chains.add(chainId);
    const abort = new AbortController();
    const both = AbortSignal.any([this.#signal, abort.signal]);
    const downloads = new Limiter(DOWNLOADS_PARALLEL_MAX);
    const unpacks = new Limiter(UNPACKS_PARALLEL_MAX);
    const tasks = plans.flatMap((layer, i) => {
      const blob = this.#image.layers[i];
      if (blob === undefined) return [];
      const id = shortId(blob.digest);
      if (this.#deps.layers.get(layer.chainId) !== undefined) {
        this.#onLine(statusLine('Already exists', id));
        return [];
      }
      this.#onLine(statusLine('Pulling fs layer', id));
      if (i >= DOWNLOADS_PARALLEL_MAX) this.#onLine(statusLine('Waiting', id));
      return [
        async (): Promise<void> => {
          await downloads.with(() => this.#download(blob, both), both);
          await unpacks.with(() => this.#unpack(layer, blob, both), both);
        },
      ];
    });
    await allOrAbort(this.#ordered(tasks), abort);
  }

  /** Nodes that begin at the same time begin with different layers, so that they soon have something to give each other. */
  #ordered<T>(tasks: readonly T[]): readonly T[] {
    if (this.#image.origin.peers === undefined) return tasks;
    return tasks
      .map((task) => ({ task, order: this.#deps.random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ task }) => task);
  }

  async #download(blob: Descriptor, signal: AbortSignal): Promise<void> {
    const id = shortId(blob.digest);
    await downloadBlob(this.#image.origin, blob, this.#deps.blobs, {
      signal,
      random: this.#deps.random,
      onBytes: throttled(this.#deps.clock, (current) =>
        this.#onLine(barLine('Downloading', id, current, blob.size)),
      ),
    });
    this.#onLine(statusLine('Verifying Checksum', id));
    this.#onLine(statusLine('Download complete', id));
  }

  async #unpack(layer: LayerPlan, blob: Descriptor, signal: AbortSignal): Promise<void> {
    const id = shortId(blob.digest);
    this.#onLine(barLine('Extracting', id, 0, blob.size));
    await this.#deps.layers.unpack(layer, blob, {
      signal,
      onBytes: throttled(this.#deps.clock, (current) =>
        this.#onLine(barLine('Extracting', id, current, blob.size)),
      ),
    });
    this.#onLine(statusLine('Pull complete', id));
  }
}
