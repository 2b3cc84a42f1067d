// Pulling one image: manifest (by platform), configuration, layers; three downloads and two
// unpackings at one time, each layer on its own. The image is registered last, in one step: before
// that there is nothing that anybody could see, and what is left over is garbage.
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Clock, Random } from '#protocol/world';
import type { BlobStore } from './blob-store.ts';
import type { Collector, Lease } from './collector.ts';
import { allOrAbort, Limiter } from './concurrency.ts';
import { hexOf, shortId } from './digest.ts';
import type { ImageDb, ImageEntry } from './image-db.ts';
import { type LayerPlan, type LayerStore, planLayers } from './layer-store.ts';
import {
  CONFIG_BYTES_MAX,
  DOWNLOADS_PARALLEL_MAX,
  PROGRESS_PERIOD_MS,
  UNPACKS_PARALLEL_MAX,
} from './limits.ts';
import { type Descriptor, type ImageManifest, parseConfig, parseManifest } from './manifest.ts';
import { choosePlatform, type Platform, platformText } from './platform.ts';
import { barLine, type OnLine, statusLine } from './progress.ts';
import { familiarText, fullName, fullText, manifestSelector, type Reference } from './reference.ts';
import type { FetchedManifest, RegistryClient } from './registry/client.ts';
import { downloadBlob } from './registry/download.ts';
import type { RegistrySessions } from './registry/sessions.ts';
import type { OciImageConfig } from './types.ts';

export interface PullRequest {
  readonly ref: Reference;
  readonly platform: Platform;
  /** The user named it: an image for another platform is refused then. */
  readonly isPlatformExplicit: boolean;
  readonly auth: RegistryAuth | undefined;
}

/** What the registry has for a request: known before the first line is written. */
export interface PullPlan {
  readonly request: PullRequest;
  readonly client: RegistryClient;
  /** What the name led to: an index, or the manifest itself. */
  readonly top: FetchedManifest;
  readonly manifest: FetchedManifest;
  readonly image: ImageManifest;
}

export interface PullDeps {
  readonly sessions: RegistrySessions;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly db: ImageDb;
  readonly collector: Collector;
  readonly clock: Clock;
  readonly random: Random;
}

export class Puller {
  readonly #deps: PullDeps;

  constructor(deps: PullDeps) {
    this.#deps = deps;
  }

  /** Asks the registry. @throws TswarmError `not_found` and others, in Docker's words */
  async plan(request: PullRequest, signal: AbortSignal): Promise<PullPlan> {
    const { ref } = request;
    return this.#deps.sessions.reading(ref, request.auth, signal, async (client) => {
      const top = await client.manifest(ref.path, manifestSelector(ref), signal);
      const parsed = parseManifest(top.bytes, top.mediaType, familiarText(ref));
      if (parsed.kind === 'manifest') return { request, client, top, manifest: top, image: parsed };
      const chosen =
        parsed.manifests[choosePlatform(request.platform, platforms(parsed.manifests))];
      if (chosen === undefined) {
        throw new TswarmError(
          'not_found',
          `no matching manifest for ${platformText(request.platform)} in the manifest list entries`,
        );
      }
      const manifest = await client.manifest(ref.path, chosen.digest, signal);
      const image = parseManifest(manifest.bytes, manifest.mediaType, chosen.digest);
      if (image.kind === 'manifest') return { request, client, top, manifest, image };
      throw new TswarmError('not_supported', `${familiarText(ref)}: an index within an index`);
    });
  }

  /** Fetches, unpacks, registers. */
  async run(plan: PullPlan, onLine: OnLine, signal: AbortSignal): Promise<ImageEntry> {
    const { ref } = plan.request;
    const selector = manifestSelector(ref);
    onLine({ status: `Pulling from ${ref.path}`, id: selector });
    const lease = this.#deps.collector.lease();
    try {
      for (const { digest } of [plan.top, plan.manifest, plan.image.config, ...plan.image.layers]) {
        lease.blobs.add(digest);
      }
      const config = await this.#config(plan, signal);
      await this.#layers(plan, config, lease, onLine, signal);
      await this.#deps.blobs.put(plan.manifest.bytes);
      await this.#deps.blobs.put(plan.top.bytes);
      const before = this.#deps.db.byName(nameOf(ref) ?? digestNameOf(ref, plan.top.digest));
      const image = await this.#register(plan);
      const news = before?.id === image.id ? 'Image is up to date' : 'Downloaded newer image';
      onLine({ status: `Digest: ${plan.top.digest}` });
      onLine({ status: `Status: ${news} for ${familiarText(ref)}` });
      return image;
    } finally {
      lease.release();
    }
  }

  async #config(plan: PullPlan, signal: AbortSignal): Promise<OciImageConfig> {
    const { config: blob, layers } = plan.image;
    const name = familiarText(plan.request.ref);
    if (blob.size > CONFIG_BYTES_MAX) {
      throw new TswarmError('too_large', `${name}: its configuration has ${blob.size} bytes`);
    }
    await downloadBlob(plan.client, plan.request.ref.path, blob, this.#deps.blobs, {
      signal,
      onBytes: () => {},
      random: this.#deps.random,
    });
    const config = parseConfig(await this.#deps.blobs.read(blob.digest), `${name}: configuration`);
    if (config.rootfs.diff_ids.length !== layers.length) {
      throw new TswarmError(
        'invalid_argument',
        `${name}: ${layers.length} layers, but ${config.rootfs.diff_ids.length} in its configuration`,
        { hint: 'It may be an artifact that is no container image.' },
      );
    }
    this.#checkPlatform(plan.request, config);
    return config;
  }

  #checkPlatform(request: PullRequest, config: OciImageConfig): void {
    const name = familiarText(request.ref);
    if (config.os !== 'linux') {
      throw new TswarmError(
        'not_supported',
        `${name}: image operating system "${config.os}" cannot be used on this platform`,
      );
    }
    const offered = {
      os: config.os,
      architecture: config.architecture,
      variant: config.variant ?? '',
    };
    if (!request.isPlatformExplicit || config.architecture === '') return;
    if (choosePlatform(request.platform, [offered]) >= 0) return;
    const wanted = platformText(request.platform);
    throw new TswarmError(
      'not_found',
      `image with reference ${name} was found but does not match the specified platform: wanted ${wanted}, actual: ${platformText(offered)}`,
    );
  }

  async #layers(
    plan: PullPlan,
    config: OciImageConfig,
    lease: Lease,
    onLine: OnLine,
    signal: AbortSignal,
  ): Promise<void> {
    const layers = planLayers(config.rootfs.diff_ids);
    for (const { chainId } of layers) lease.chains.add(chainId);
    const abort = new AbortController();
    const both = AbortSignal.any([signal, abort.signal]);
    const downloads = new Limiter(DOWNLOADS_PARALLEL_MAX);
    const unpacks = new Limiter(UNPACKS_PARALLEL_MAX);
    const tasks = layers.flatMap((layer, i) => {
      const blob = plan.image.layers[i];
      if (blob === undefined) return [];
      const id = shortId(blob.digest);
      if (this.#deps.layers.get(layer.chainId) !== undefined) {
        onLine(statusLine('Already exists', id));
        return [];
      }
      onLine(statusLine('Pulling fs layer', id));
      if (i >= DOWNLOADS_PARALLEL_MAX) onLine(statusLine('Waiting', id));
      return [
        async (): Promise<void> => {
          await downloads.with(() => this.#download(plan, blob, onLine, both), both);
          await unpacks.with(() => this.#unpack(layer, blob, onLine, both), both);
        },
      ];
    });
    await allOrAbort(tasks, abort);
  }

  async #download(
    plan: PullPlan,
    blob: Descriptor,
    onLine: OnLine,
    signal: AbortSignal,
  ): Promise<void> {
    const id = shortId(blob.digest);
    await downloadBlob(plan.client, plan.request.ref.path, blob, this.#deps.blobs, {
      signal,
      random: this.#deps.random,
      onBytes: throttled(this.#deps.clock, (current) =>
        onLine(barLine('Downloading', id, current, blob.size)),
      ),
    });
    onLine(statusLine('Verifying Checksum', id));
    onLine(statusLine('Download complete', id));
  }

  async #unpack(
    layer: LayerPlan,
    blob: Descriptor,
    onLine: OnLine,
    signal: AbortSignal,
  ): Promise<void> {
    const id = shortId(blob.digest);
    onLine(barLine('Extracting', id, 0, blob.size));
    await this.#deps.layers.unpack(layer, blob, {
      signal,
      onBytes: throttled(this.#deps.clock, (current) =>
        onLine(barLine('Extracting', id, current, blob.size)),
      ),
    });
    onLine(statusLine('Pull complete', id));
  }

  async #register(plan: PullPlan): Promise<ImageEntry> {
    const { ref } = plan.request;
    const id = plan.image.config.digest;
    const tagged = nameOf(ref);
    await this.#deps.db.change(({ images, names }) => {
      const known = images.get(id);
      const taggedAtMs = this.#deps.clock.nowMs();
      const parent = known?.parent ?? '';
      images.set(id, { id, manifest: plan.manifest.digest, parent, taggedAtMs });
      if (tagged !== undefined) names.set(tagged, id);
      names.set(digestNameOf(ref, plan.top.digest), id);
    });
    const image = this.#deps.db.get(id);
    if (image === undefined) throw new TswarmError('internal', `image ${hexOf(id)} was removed`);
    return image;
  }
}

/** Calls at most every PROGRESS_PERIOD_MS. */
export function throttled(
  clock: Clock,
  report: (current: number) => void,
): (current: number) => void {
  let saidAtMs = clock.monotonicMs();
  return (current) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - saidAtMs < PROGRESS_PERIOD_MS) return;
    saidAtMs = nowMs;
    report(current);
  };
}

/** The name that a pull gives the image; a digest gives none but itself. */
function nameOf(ref: Reference): string | undefined {
  return ref.digest === undefined ? fullText(ref) : undefined;
}

function digestNameOf(ref: Reference, digest: string): string {
  return `${fullName(ref)}@${digest}`;
}

/** Attestations say `unknown/unknown` and are no images. */
function platforms(manifests: readonly Descriptor[]): readonly (Partial<Platform> | undefined)[] {
  return manifests.map(({ platform, annotations }) =>
    annotations?.['vnd.docker.reference.type'] !== undefined
      ? { os: 'unknown', architecture: 'unknown' }
      : platform,
  );
}
