// Loading images from an archive: docker-archive (manifest.json), OCI layout (index.json), or both
// in one, plain or compressed. Every member is spooled into the blob store under its own digest
// while the archive streams by, so that order does not matter; nothing is believed before its
// digest matches. Names inside are only keys of a map: no member name ever becomes a path.
import { posix } from 'node:path';
import { TswarmError } from '#protocol/errors';
import type { Clock } from '#protocol/world';
import type { BlobInfo, BlobStore } from './blob-store.ts';
import type { Collector, Lease } from './collector.ts';
import { cancelled } from './concurrency.ts';
import { compressionOf, decompress } from './decompress.ts';
import { checkedDigest, hexOf, sha256, shortId } from './digest.ts';
import type { ImageDb } from './image-db.ts';
import { type LayerStore, planLayers } from './layer-store.ts';
import {
  ARCHIVE_ENTRIES_MAX,
  CONFIG_BYTES_MAX,
  LAYER_BYTES_MAX,
  MANIFEST_BYTES_MAX,
} from './limits.ts';
import { type Descriptor, MEDIA, parseConfig, parseManifest } from './manifest.ts';
import { choosePlatform, type Platform, platformText } from './platform.ts';
import { barLine, type OnLine, statusLine, throttled } from './progress.ts';

import { familiarOf, fullText, parseReference, parseTagged } from './reference.ts';
import { readTar } from './tar/reader.ts';

export interface LoadDeps {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly db: ImageDb;
  readonly collector: Collector;
  readonly clock: Clock;
}

export interface LoadOptions {
  readonly platform: Platform;
  readonly isQuiet: boolean;
  readonly signal: AbortSignal;
}

/** An image of the archive, found and not yet unpacked. */
interface Candidate {
  readonly config: Uint8Array;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** Full texts. */
  readonly names: readonly string[];
  /** Bytes of its manifest; undefined for a plain docker-archive. */
  readonly manifest: Uint8Array | undefined;
}

/** Loads all images of the archive. @returns their ids */
export async function loadArchive(
  deps: LoadDeps,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions,
  onLine: OnLine,
): Promise<readonly string[]> {
  const lease = deps.collector.lease();
  try {
    const members = await spool(deps, archive, lease, options.signal);
    const ids: string[] = [];
    for (const candidate of await candidatesOf(members, deps.blobs, options.platform)) {
      ids.push(await loadOne(deps, candidate, lease, options, onLine));
    }
    return ids;
  } finally {
    lease.release();
    // Members that no image uses.
    await deps.collector.collect();
  }
}

/** Member name (normal form) → blob, or the name it links to. */
type Members = ReadonlyMap<string, BlobInfo | string>;

async function spool(
  deps: LoadDeps,
  archive: AsyncIterable<Uint8Array>,
  lease: Lease,
  signal: AbortSignal,
): Promise<Members> {
  const members = new Map<string, BlobInfo | string>();
  const plain = decompress(archive, { bytesMax: LAYER_BYTES_MAX });
  for await (const { header, data } of readTar(plain)) {
    if (signal.aborted) throw cancelled('load');
    const name = posix.normalize(`/${header.name}`);
    if (members.size >= ARCHIVE_ENTRIES_MAX) {
      throw new TswarmError(
        'too_large',
        `the archive has more than ${ARCHIVE_ENTRIES_MAX} entries`,
      );
    }
    if (header.kind === 'symlink') {
      members.set(name, posix.resolve(posix.dirname(name), header.linkName));
    } else if (header.kind === 'link') {
      members.set(name, posix.normalize(`/${header.linkName}`));
    } else if (header.kind === 'file') {
      members.set(name, await spoolOne(deps.blobs, data, lease));
    }
  }
  return members;
}

async function spoolOne(
  blobs: BlobStore,
  data: AsyncIterable<Uint8Array>,
  lease: Lease,
): Promise<BlobInfo> {
  const ingest = await blobs.ingest();
  try {
    for await (const chunk of data) await ingest.write(chunk);
    return await ingest.commit({}, (digest) => lease.blobs.add(digest));
  } finally {
    await ingest.close();
  }
}

function find(members: Members, name: string): BlobInfo {
  let at = posix.normalize(`/${name}`);
  for (let hops = 0; hops < 8; hops += 1) {
    const member = members.get(at);
    if (member === undefined) break;
    if (typeof member !== 'string') return member;
    at = member;
  }
  throw new TswarmError('invalid_argument', `the archive lacks ${name}`, {
    hint: 'It is cut off, or no image archive: see `docker save` and the OCI image layout.',
  });
}

async function candidatesOf(
  members: Members,
  blobs: BlobStore,
  platform: Platform,
): Promise<readonly Candidate[]> {
  const reader = new ArchiveReader(members, blobs);
  if (members.has('/manifest.json')) return reader.dockerArchive();
  if (members.has('/index.json')) return reader.ociLayout(platform);
  throw new TswarmError(
    'invalid_argument',
    'the archive holds no image: neither manifest.json nor index.json is in it',
    { hint: 'A root file system is made an image by `import`.' },
  );
}

class ArchiveReader {
  readonly #members: Members;
  readonly #blobs: BlobStore;

  constructor(members: Members, blobs: BlobStore) {
    this.#members = members;
    this.#blobs = blobs;
  }

  async dockerArchive(): Promise<readonly Candidate[]> {
    const list = parseJson(await this.#small('manifest.json', MANIFEST_BYTES_MAX));
    if (!Array.isArray(list)) {
      throw new TswarmError('invalid_argument', 'manifest.json: is not a list');
    }
    const candidates: Candidate[] = [];
    for (const [i, item] of list.entries()) {
      const { Config, RepoTags, Layers } = item as Readonly<Record<string, unknown>>;
      if (
        typeof Config !== 'string' ||
        !isTexts(Layers) ||
        !(RepoTags == null || isTexts(RepoTags))
      ) {
        throw new TswarmError('invalid_argument', `manifest.json[${i}]: needs Config and Layers`);
      }
      const layers: Descriptor[] = [];
      for (const name of Layers) layers.push(await this.#layer(name));
      candidates.push({
        config: await this.#small(Config, CONFIG_BYTES_MAX),
        layers,
        names: (RepoTags ?? []).map((name) => fullText(parseTagged(name))),
        manifest: undefined,
      });
    }
    return candidates;
  }

  async ociLayout(platform: Platform): Promise<readonly Candidate[]> {
    const bytes = await this.#small('index.json', MANIFEST_BYTES_MAX);
    const index = parseManifest(bytes, MEDIA.ociIndex, 'index.json');
    if (index.kind !== 'index') {
      throw new TswarmError('invalid_argument', 'index.json: is not an index');
    }
    const candidates: Candidate[] = [];
    for (const descriptor of index.manifests) {
      const candidate = await this.#ociImage(descriptor, platform);
      if (candidate !== undefined) candidates.push(candidate);
    }
    if (candidates.length > 0 || index.manifests.length === 0) return candidates;
    throw new TswarmError('not_found', `the archive has no image for ${platformText(platform)}`);
  }

  /** Undefined when it is for other platforms only. */
  async #ociImage(top: Descriptor, platform: Platform): Promise<Candidate | undefined> {
    let parsed = parseManifest(await this.#blob(top.digest), '', top.digest);
    let manifest = await this.#blob(top.digest);
    if (parsed.kind === 'index') {
      const offered = parsed.manifests.map((one) => one.platform);
      const chosen = parsed.manifests[choosePlatform(platform, offered)];
      if (chosen === undefined) return undefined;
      manifest = await this.#blob(chosen.digest);
      parsed = parseManifest(manifest, '', chosen.digest);
      if (parsed.kind === 'index') return undefined;
    }
    for (const layer of parsed.layers) this.#checkBlob(layer.digest);
    return {
      config: await this.#blob(parsed.config.digest, CONFIG_BYTES_MAX),
      layers: parsed.layers,
      names: namesOf(top),
      manifest,
    };
  }

  #checkBlob(digest: string): BlobInfo {
    const name = `blobs/${checkedDigest(digest, 'index.json').replace(':', '/')}`;
    const found = find(this.#members, name);
    if (found.digest === digest || digest.startsWith('sha512:')) return found;
    throw new TswarmError(
      'digest_mismatch',
      `${name}: its content has the digest ${found.digest}, not ${digest}; nothing was loaded`,
    );
  }

  async #blob(digest: string, bytesMax: number = MANIFEST_BYTES_MAX): Promise<Uint8Array> {
    this.#checkBlob(digest);
    return this.#small(`blobs/${digest.replace(':', '/')}`, bytesMax);
  }

  async #small(name: string, bytesMax: number): Promise<Uint8Array> {
    const { digest, sizeBytes } = find(this.#members, name);
    if (sizeBytes <= bytesMax) return this.#blobs.read(digest);
    throw new TswarmError('too_large', `${name}: ${sizeBytes} bytes is more than ${bytesMax}`);
  }

  async #layer(name: string): Promise<Descriptor> {
    const { digest, sizeBytes } = find(this.#members, name);
    const compression = compressionOf(await this.#blobs.head(digest, 8));
    const suffix = compression === 'none' ? '' : `.${compression}`;
    return { mediaType: `${MEDIA.dockerLayer}${suffix}`, digest, size: sizeBytes };
  }
}

async function loadOne(
  deps: LoadDeps,
  candidate: Candidate,
  lease: Lease,
  options: LoadOptions,
  onLine: OnLine,
): Promise<string> {
  const id = sha256(candidate.config);
  const config = parseConfig(candidate.config, `image ${hexOf(id)}`);
  const plans = planLayers(config.rootfs.diff_ids);
  if (plans.length !== candidate.layers.length) {
    throw new TswarmError(
      'invalid_argument',
      `image ${shortId(id)}: ${candidate.layers.length} layers, but ${plans.length} in its configuration`,
    );
  }
  lease.blobs.add(id);
  for (const { chainId } of plans) lease.chains.add(chainId);
  await deps.blobs.put(candidate.config);
  for (const [i, plan] of plans.entries()) {
    const blob = candidate.layers[i];
    if (blob === undefined) continue;
    const line = shortId(plan.diffId);
    const report = throttled(deps.clock, (current) =>
      onLine(barLine('Loading layer', line, current, blob.size)),
    );
    const onBytes = options.isQuiet ? (): void => {} : report;
    await deps.layers.unpack(plan, blob, { signal: options.signal, onBytes });
    if (!options.isQuiet) onLine(statusLine('Loading layer', line));
  }
  const stored = candidate.manifest && (await deps.blobs.put(candidate.manifest));
  const manifest = stored?.digest ?? '';
  const taken: (readonly [name: string, old: string])[] = [];
  await deps.db.change(({ images, names }) => {
    const known = images.get(id);
    const taggedAtMs = deps.clock.nowMs();
    const parent = known?.parent ?? '';
    images.set(id, { id, manifest: manifest || (known?.manifest ?? ''), parent, taggedAtMs });
    for (const name of candidate.names) {
      const old = names.get(name);
      if (old !== undefined && old !== id) taken.push([name, old]);
      names.set(name, id);
    }
  });
  for (const [name, old] of taken) {
    const what = `The image ${familiarOf(name)} already exists`;
    onLine({ stream: `${what}, renaming the old one with ID ${old} to empty string\n` });
  }
  const shown = candidate.names.map((name) => `Loaded image: ${familiarOf(name)}\n`);
  if (shown.length === 0) shown.push(`Loaded image ID: ${id}\n`);
  for (const stream of shown) onLine({ stream });
  return id;
}

/**
 * Full names from the annotations that tools write. A bare tag names no repository and is left out.
 */
function namesOf(descriptor: Descriptor): readonly string[] {
  const { annotations = {} } = descriptor;
  const full = annotations['io.containerd.image.name'];
  const short = annotations['org.opencontainers.image.ref.name'] ?? '';
  const text = full ?? (/[:/]/.test(short) ? short : undefined);
  if (text === undefined) return [];
  const ref = parseReference(text);
  return [fullText(ref.tag === undefined ? { ...ref, tag: 'latest', digest: undefined } : ref)];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new TswarmError('invalid_argument', 'manifest.json: is not JSON', { cause });
  }
}
