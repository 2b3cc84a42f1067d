// The images of one node, put together: store for the worker, Engine API for the gateway, and the
// parts that the builder needs. Owns the data folder and the order in which its parts are opened.
// Every way in goes through here; the parts do not know each other's callers.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineJson, ImageEngine, Progress, RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { MountHelper } from '../mount/mount-helper.ts';
import type { BlobPeers } from './blob-peers.ts';
import { BlobStore } from './blob-store.ts';
import { Collector } from './collector.ts';
import { imageHistory, imagesUsage, inspectImage, listImages } from './describe.ts';
import { ImageDb, type ImageEntry, recordOf } from './image-db.ts';
import { LayerStore } from './layer-store.ts';
import { LayerTool } from './layer-tool.ts';
import { loadArchive } from './load.ts';
import {
  commitContainer,
  importImage,
  type MakeDeps,
  registerImage,
  targetName,
} from './make-image.ts';
import { parseManifest } from './manifest.ts';
import { parsePlatform } from './platform.ts';
import { type OnLine, progressOf } from './progress.ts';
import { Puller, type PullRequest } from './pull.ts';
import { pushImages } from './push.ts';
import {
  familiarText,
  fullName,
  fullText,
  manifestSelector,
  parseReference,
  parseTagged,
  type Reference,
} from './reference.ts';
import { EndpointFinder } from './registry/endpoint.ts';
import { HttpClient } from './registry/http.ts';
import { RegistrySessions } from './registry/sessions.ts';
import { pruneImages, removeImage } from './remove.ts';
import { findImage, needImage, noSuchImage } from './resolve.ts';
import { RootfsStore } from './rootfs.ts';
import { type SavedImage, saveArchive } from './save.ts';
import { SharedPulls } from './shared-pull.ts';
import { ImageSharing } from './sharing.ts';
import type {
  EnsureOptions,
  ImageApi,
  ImageDeps,
  ImageOptions,
  ImageProcessConfig,
  ImageRecord,
  ImageService,
  ImageStore,
} from './types.ts';

/** What builds need beyond the ImageService. */
export interface ImageParts extends MakeDeps {
  readonly mounts: MountHelper;
  readonly options: ImageOptions;
  readonly deps: ImageDeps;
}

export interface FullImageService extends ImageService {
  readonly parts: ImageParts;
}

/** Opens `<dataDir>`, cleans up after a crash, and starts nothing else. */
export async function createImageService(
  options: ImageOptions,
  deps: ImageDeps,
): Promise<FullImageService> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o710 });
  const mounts = new MountHelper({ nativeDir: options.nativeDir });
  const tool = new LayerTool(options.nativeDir);
  const blobs = new BlobStore(options.dataDir);
  const layers = new LayerStore(options.dataDir, { tool, blobs });
  const db = new ImageDb(join(options.dataDir, 'images.json'), { blobs, layers });
  const rootfs = new RootfsStore(options.dataDir, { layers, mounts });
  await blobs.open(deps.clock.nowMs());
  await layers.open();
  await db.open(deps.log);
  await rootfs.open(deps.log);
  const collector = new Collector({ db, blobs, layers, rootfs });
  const { clock, containers } = deps;
  const { architecture } = options;
  const parts: ImageParts = {
    blobs,
    layers,
    db,
    collector,
    rootfs,
    tool,
    mounts,
    clock,
    containers,
    architecture,
    options,
    deps,
  };
  return new Images(parts);
}

class Images implements FullImageService {
  readonly parts: ImageParts;
  readonly store: ImageStore;
  readonly api: ImageApi;
  readonly sharing: ImageSharing;
  #peers: BlobPeers | undefined;
  readonly #http = new HttpClient();
  readonly #sessions: RegistrySessions;
  readonly #pulls: SharedPulls;

  constructor(parts: ImageParts) {
    this.parts = parts;
    const { clock, random } = parts.deps;
    const finder = new EndpointFinder(this.#http, parts.options);
    this.#sessions = new RegistrySessions(finder, { http: this.#http, clock, random });
    const puller = new Puller({
      ...parts,
      sessions: this.#sessions,
      random,
      peers: () => this.#peers,
    });
    this.#pulls = new SharedPulls(puller);
    this.store = this.#makeStore();
    this.api = this.#makeApi();
    this.sharing = new ImageSharing(parts);
  }

  setPeers(peers: BlobPeers | undefined): void {
    this.#peers = peers;
  }

  async authenticate(auth: RegistryAuth): Promise<EngineJson> {
    return this.#sessions.authenticate(auth);
  }

  async diskUsage(): Promise<{
    readonly images: readonly EngineJson[];
    readonly layersBytes: number;
  }> {
    return imagesUsage(this.parts, (id) => this.#usersOf(id).length);
  }

  async stop(): Promise<void> {
    await this.#pulls.stop();
    this.#http.close();
    await this.parts.mounts.stop();
  }

  #makeStore(): ImageStore {
    const { db, layers, rootfs } = this.parts;
    const record = (image: ImageEntry): ImageRecord => recordOf(image, layers);
    return {
      resolve: (ref) => {
        const found = findImage(db, ref);
        return found === undefined ? undefined : record(found.image);
      },
      ensure: async (ref, options) => record(await this.#ensure(ref, options)),
      prepareRootfs: async (containerId, imageId, views = []) => {
        const known = rootfs.get(containerId);
        if (known !== undefined) return known.paths;
        const groundOf = (id: string): { readonly imageId: string; readonly chainId: string } => {
          const image = db.get(id);
          if (image === undefined) throw noSuchImage(id);
          return { imageId: image.id, chainId: image.chainId };
        };
        return rootfs.prepare(containerId, groundOf(imageId), views.map(groundOf));
      },
      mountRootfs: (containerId) => rootfs.mount(containerId),
      unmountRootfs: (containerId) => rootfs.unmount(containerId),
      removeRootfs: (containerId) => rootfs.remove(containerId),
      rootfsOf: (containerId) => {
        const found = rootfs.get(containerId);
        return found && { ...found.paths, imageId: found.imageId };
      },
      rootfsIds: () => [...rootfs.entries()].map(([id]) => id),
      usersOf: (imageId) => this.#usersOf(imageId),
      upperSize: (containerId) => rootfs.upperSize(containerId),
    };
  }

  #makeApi(): ImageApi {
    const { parts } = this;
    const { db } = parts;
    return {
      list: async ({ filters }) => listImages(parts, { filters, nowMs: parts.clock.nowMs() }),
      inspect: async (ref) => inspectImage(parts, ref),
      history: async (ref) => imageHistory(parts, ref),
      pull: (ref, options, signal) => this.#pull(ref, options, signal),
      push: (ref, { auth }, signal) => this.#push(ref, auth, signal),
      load: async (tar, { quiet }) => this.#load(tar, quiet),
      save: async (refs) => this.#save(refs),
      importTar: (tar, options) => this.#import(tar, options),
      tag: async (ref, { repo, tag }) => {
        const target = targetName(repo, tag);
        if (target === undefined) throw invalid('a tag needs a repository name', 'repo');
        const { image } = needImage(db, ref);
        await registerImage(parts, image.id, image.parent, [target]);
        this.#emit('tag', image.id, familiarText(target));
      },
      remove: (ref, options) => removeImage({ ...parts, events: parts.deps.events }, ref, options),
      prune: (filters) => pruneImages({ ...parts, events: parts.deps.events }, filters),
      commit: (options) => this.#commit(options),
      distribution: (ref, auth) => this.#distribution(ref, auth),
    };
  }

  async #ensure(ref: string, options: EnsureOptions): Promise<ImageEntry> {
    const here = findImage(this.parts.db, ref)?.image;
    const oldest = this.parts.clock.nowMs() - (options.refreshAfterMs ?? Infinity);
    const isFresh = here !== undefined && here.taggedAtMs >= oldest;
    if (options.policy !== 'always' && isFresh) return here;
    if (options.policy === 'never') throw noSuchImage(ref);
    const request = this.#request(ref, '', options.auth);
    const membership = this.#pulls.join(request, options.onProgress ?? ((): void => {}));
    const leave = (): void => membership.leave();
    options.signal?.addEventListener('abort', leave, { once: true });
    try {
      options.signal?.throwIfAborted();
      const image = await membership.done;
      this.#emit('pull', familiarText(request.ref), familiarText(request.ref));
      return image;
    } finally {
      options.signal?.removeEventListener('abort', leave);
      leave();
    }
  }

  async #pull(
    text: string,
    options: { readonly platform: string; readonly auth?: RegistryAuth },
    signal: Parameters<ImageEngine['pull']>[2],
  ): Promise<Progress> {
    const request = this.#request(text, options.platform, options.auth);
    const early: EngineJson[] = [];
    let onLine: OnLine = (line) => void early.push(line);
    const membership = this.#pulls.join(request, (line) => onLine(line));
    const leave = (): void => membership.leave();
    signal.addEventListener('abort', leave, { once: true });
    try {
      // A registry that refuses is an answer of its own, not a line.
      await membership.planned;
    } catch (error) {
      signal.removeEventListener('abort', leave);
      leave();
      throw error;
    }
    return progressOf(async (say, inner) => {
      onLine = say;
      for (const line of early) say(line);
      inner.addEventListener('abort', leave, { once: true });
      try {
        await membership.done;
        this.#emit('pull', familiarText(request.ref), familiarText(request.ref));
      } finally {
        signal.removeEventListener('abort', leave);
        leave();
      }
    }, signal);
  }

  async #push(
    text: string,
    auth: RegistryAuth | undefined,
    signal: Parameters<ImageEngine['push']>[2],
  ): Promise<Progress> {
    const ref = parseReference(text);
    const deps = { ...this.parts, sessions: this.#sessions, random: this.parts.deps.random };
    if (ref.digest !== undefined) {
      throw new TswarmError('invalid_argument', 'cannot push a digest reference');
    }
    return progressOf(async (say, inner) => {
      await pushImages(deps, ref, auth, say, inner);
      this.#emit('push', familiarText(ref), familiarText(ref));
    }, signal);
  }

  #load(tar: AsyncIterable<Uint8Array>, isQuiet: boolean): Progress {
    const platform = parsePlatform('', this.parts.architecture);
    return progressOf(async (say, signal) => {
      const ids = await loadArchive(this.parts, tar, { platform, isQuiet, signal }, say);
      for (const id of ids) this.#emit('load', id, id);
    }, undefined);
  }

  #save(refs: readonly string[]): AsyncIterable<Uint8Array> {
    const { db, collector } = this.parts;
    const byId = new Map<string, Set<string>>();
    for (const text of refs) {
      for (const { image, names } of savedImages(db, text)) {
        const all = byId.get(image.id) ?? new Set();
        for (const name of names) all.add(name);
        byId.set(image.id, all);
      }
    }
    const lease = collector.lease();
    const images: SavedImage[] = [];
    for (const [id, names] of byId) {
      const image = db.get(id);
      if (image === undefined) continue;
      lease.blobs.add(id);
      for (const layer of this.parts.layers.chain(image.chainId)) {
        lease.chains.add(layer.chainId);
        if (layer.blob !== null) lease.blobs.add(layer.blob.digest);
      }
      images.push({ image, names: [...names].toSorted() });
      this.#emit('save', id, id);
    }
    return saveArchive(this.parts, images, lease);
  }

  async #import(
    tar: AsyncIterable<Uint8Array>,
    options: Parameters<ImageEngine['importTar']>[1],
  ): Promise<Progress> {
    const tag = targetName(options.repo, options.tag);
    const { message, changes } = options;
    return progressOf(async (say, signal) => {
      const id = await importImage(this.parts, tar, { tag, message, changes, signal });
      say({ status: id });
      this.#emit('import', id, id);
    }, undefined);
  }

  async #commit(options: Parameters<ImageEngine['commit']>[0]): Promise<EngineJson> {
    const { repo, tag, container, comment, author, pause, changes } = options;
    const config = options.config as ImageProcessConfig;
    const target = targetName(repo, tag);
    const id = await commitContainer(this.parts, {
      container,
      comment,
      author,
      pause,
      changes,
      config,
      tag: target,
    });
    this.#emit('commit', id, id);
    return { Id: id };
  }

  async #distribution(text: string, auth: RegistryAuth | undefined): Promise<EngineJson> {
    const ref = parseTagged(text);
    return this.#sessions.reading(ref, auth, undefined, async (client) => {
      const top = await client.manifest(ref.path, manifestSelector(ref));
      const parsed = parseManifest(top.bytes, top.mediaType, familiarText(ref));
      const { digest, mediaType, bytes } = top;
      const platforms =
        parsed.kind === 'index'
          ? parsed.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]))
          : [await this.#platformOf(client, ref, parsed.config.digest)];
      return {
        Descriptor: { mediaType: mediaType.split(';')[0], digest, size: bytes.length },
        Platforms: platforms,
      };
    });
  }

  async #platformOf(
    client: Parameters<Parameters<RegistrySessions['reading']>[3]>[0],
    ref: Reference,
    digest: string,
  ): Promise<EngineJson> {
    const { os, architecture, variant } = await client.config(ref.path, digest);
    return { architecture, os, ...(variant === undefined ? {} : { variant }) };
  }

  #request(text: string, platform: string, auth: RegistryAuth | undefined): PullRequest {
    return {
      ref: parseTagged(text),
      platform: parsePlatform(platform, this.parts.architecture),
      isPlatformExplicit: platform !== '',
      auth,
    };
  }

  #usersOf(imageId: string): readonly string[] {
    const users: string[] = [];
    for (const [id, rootfs] of this.parts.rootfs.entries()) {
      if ([rootfs, ...rootfs.views].some((ground) => ground.imageId === imageId)) users.push(id);
    }
    return users;
  }

  #emit(action: string, actorId: string, name: string): void {
    this.parts.deps.events.emit({ type: 'image', action, actorId, attributes: { name } });
  }
}

/** What `save` takes for a text: one image, or for a bare repository name every tag of it. */
function savedImages(db: ImageDb, text: string): readonly SavedImage[] {
  const repository = repositoryOf(text);
  if (repository !== undefined) {
    const saved: SavedImage[] = [];
    for (const name of db.names().keys()) {
      const image = name.startsWith(`${repository}:`) ? db.byName(name) : undefined;
      if (image !== undefined) saved.push({ image, names: [name] });
    }
    if (saved.length > 0) return saved;
  }
  const { image, name } = needImage(db, text);
  return [{ image, names: name === undefined || name.includes('@') ? [] : [name] }];
}

function repositoryOf(text: string): string | undefined {
  try {
    const ref = parseReference(text);
    return fullText(ref) === fullName(ref) ? fullName(ref) : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string, field: string): TswarmError {
  return new TswarmError('invalid_argument', message, { field });
}
