// Pulling one image: manifest (by platform) from the registry, its parts from other nodes or the registry (fetch-image.ts). The image is registered last, in one
// step: before that there is nothing that anybody could see, and what is left over is garbage. With the registry away, an image that is named by its digest
// comes from other nodes alone; one that is named by a tag does not, as only the registry knows what the tag means.
import type { RegistryAuth } from '#protocol/engine';
import { hasCode, TswarmError } from '#protocol/errors';
import type { BlobPeers } from './blob-peers.ts';
import type { Collector } from './collector.ts';
import { hexOf } from './digest.ts';
import { type FetchDeps, ImageFetch } from './fetch-image.ts';
import type { ImageDb, ImageEntry } from './image-db.ts';
import { MANIFEST_BYTES_MAX } from './limits.ts';
import { type Descriptor, type ImageManifest, parseManifest } from './manifest.ts';
import { choosePlatform, type Platform, platformText } from './platform.ts';
import type { OnLine } from './progress.ts';
import { familiarText, fullName, fullText, manifestSelector, type Reference } from './reference.ts';
import type { FetchedManifest, RegistryClient } from './registry/client.ts';
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
  /** undefined: the registry is away, other nodes have it. */
  readonly client: RegistryClient | undefined;
  /** What the name led to: an index, or the manifest itself. */
  readonly top: FetchedManifest;
  readonly manifest: FetchedManifest;
  readonly image: ImageManifest;
}

export interface PullDeps extends FetchDeps {
  readonly sessions: RegistrySessions;
  readonly db: ImageDb;
  readonly collector: Collector;
  /** The other nodes, while this one is in a cluster with some. */
  readonly peers: () => BlobPeers | undefined;
}

export class Puller {
  readonly #deps: PullDeps;

  constructor(deps: PullDeps) {
    this.#deps = deps;
  }

  /** Asks the registry. @throws TswarmError `not_found` and others, in Docker's words */
  async plan(request: PullRequest, signal: AbortSignal): Promise<PullPlan> {
    const { ref } = request;
    const peers = this.#deps.peers();
    try {
      return await this.#deps.sessions.reading(ref, request.auth, signal, (client) =>
        this.#planWith(request, client, (selector) => client.manifest(ref.path, selector, signal)),
      );
    } catch (error) {
      const isAway = hasCode(error, 'unavailable') || hasCode(error, 'deadline_exceeded');
      if (!isAway || ref.digest === undefined || peers === undefined) throw error;
      try {
        return await this.#planWith(request, undefined, async (digest) => {
          const bytes = await peers.small(digest, MANIFEST_BYTES_MAX, signal);
          return { bytes, mediaType: '', digest };
        });
      } catch (inner) {
        if (hasCode(inner, 'not_found') || hasCode(inner, 'unavailable')) throw error;
        throw inner;
      }
    }
  }

  async #planWith(
    request: PullRequest,
    client: RegistryClient | undefined,
    manifestOf: (selector: string) => Promise<FetchedManifest>,
  ): Promise<PullPlan> {
    const { ref } = request;
    const top = await manifestOf(manifestSelector(ref));
    const parsed = parseManifest(top.bytes, top.mediaType, familiarText(ref));
    if (parsed.kind === 'manifest') return { request, client, top, manifest: top, image: parsed };
    const chosen = parsed.manifests[choosePlatform(request.platform, platforms(parsed.manifests))];
    if (chosen === undefined) {
      throw new TswarmError(
        'not_found',
        `no matching manifest for ${platformText(request.platform)} in the manifest list entries`,
      );
    }
    const manifest = await manifestOf(chosen.digest);
    const image = parseManifest(manifest.bytes, manifest.mediaType, chosen.digest);
    if (image.kind === 'manifest') return { request, client, top, manifest, image };
    throw new TswarmError('not_supported', `${familiarText(ref)}: an index within an index`);
  }

  /** Fetches, unpacks, registers. */
  async run(plan: PullPlan, onLine: OnLine, signal: AbortSignal): Promise<ImageEntry> {
    const { request, client, image } = plan;
    const { ref } = request;
    onLine({ status: `Pulling from ${ref.path}`, id: manifestSelector(ref) });
    const lease = this.#deps.collector.lease();
    try {
      for (const { digest } of [plan.top, plan.manifest, image.config, ...image.layers]) {
        lease.blobs.add(digest);
      }
      const origin = { client, path: ref.path, peers: this.#deps.peers() };
      const wanted = { ...image, name: familiarText(ref), origin };
      const fetch = new ImageFetch(this.#deps, wanted, onLine, signal);
      const config = await fetch.config();
      this.#checkPlatform(request, config);
      await fetch.layers(config, lease);
      await this.#deps.blobs.put(plan.manifest.bytes);
      await this.#deps.blobs.put(plan.top.bytes);
      const before = this.#deps.db.byName(nameOf(ref) ?? digestNameOf(ref, plan.top.digest));
      const entry = await this.#register(plan);
      const news = before?.id === entry.id ? 'Image is up to date' : 'Downloaded newer image';
      onLine({ status: `Digest: ${plan.top.digest}` });
      onLine({ status: `Status: ${news} for ${familiarText(ref)}` });
      return entry;
    } catch (error) {
      lease.release();
      // What is whole is kept for the next attempt, unless it is in the way of everything else.
      if (hasCode(error, 'no_space')) await this.#deps.collector.collect();
      throw error;
    } finally {
      lease.release();
    }
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
