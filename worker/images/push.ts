// Pushing one name or all tags of a repository: configuration and layers first, the manifest last.
// Lines and the closing `aux` as Docker writes them.
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Clock, Random } from '#protocol/world';
import type { Collector } from './collector.ts';
import { allOrAbort, Limiter } from './concurrency.ts';
import { shortId } from './digest.ts';
import { type ExportDeps, type ExportedManifest, registryManifest } from './export.ts';
import type { ImageDb, ImageEntry } from './image-db.ts';
import { DOWNLOADS_PARALLEL_MAX, MOUNT_SOURCES_MAX } from './limits.ts';
import { type Descriptor, isForeignLayer } from './manifest.ts';
import { barLine, type OnLine, statusLine, throttled } from './progress.ts';
import { familiarName, fullName, fullText, type Reference } from './reference.ts';
import type { RegistryClient } from './registry/client.ts';
import type { RegistrySessions } from './registry/sessions.ts';
import { hasBlob, putManifest, uploadBlob } from './registry/upload.ts';

export interface PushDeps extends ExportDeps {
  readonly sessions: RegistrySessions;
  readonly db: ImageDb;
  readonly collector: Collector;
  readonly clock: Clock;
  readonly random: Random;
}

/** One thing to push. */
interface PushItem {
  readonly image: ImageEntry;
  readonly tag: string;
}

/**
 * What a reference means here; without a tag all tags of the repository. @throws TswarmError
 * `not_found`
 */
function pushItems(db: ImageDb, ref: Reference): readonly PushItem[] {
  const items: PushItem[] = [];
  const repository = `${fullName(ref)}:`;
  for (const name of db.names().keys()) {
    const isWanted = ref.tag === undefined ? name.startsWith(repository) : name === fullText(ref);
    const image = isWanted && !name.includes('@') ? db.byName(name) : undefined;
    if (image !== undefined) items.push({ image, tag: name.slice(repository.length) });
  }
  if (items.length > 0) return items;
  const isKnown = [...db.names().keys()].some((name) => name.startsWith(repository));
  throw new TswarmError(
    'not_found',
    isKnown
      ? `tag does not exist: ${familiarName(ref)}:${ref.tag}`
      : `An image does not exist locally with the tag: ${familiarName(ref)}`,
  );
}

/** The repository is named first, as Docker does, also when there is nothing to push. */
export async function pushImages(
  deps: PushDeps,
  ref: Reference,
  auth: RegistryAuth | undefined,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  onLine({ status: `The push refers to repository [${fullName(ref)}]` });
  const items = pushItems(deps.db, ref);
  const client = await deps.sessions.writing(ref.domain, auth, signal);
  for (const item of items) await pushOne(deps, client, ref, item, onLine, signal);
}

async function pushOne(
  deps: PushDeps,
  client: RegistryClient,
  ref: Reference,
  item: PushItem,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const lease = deps.collector.lease();
  try {
    const diffIds = item.image.config.rootfs.diff_ids;
    for (const diffId of diffIds) onLine(statusLine('Preparing', shortId(diffId)));
    const manifest = await registryManifest(deps, item.image, lease, signal);
    await pushLayers(deps, client, ref, manifest, diffIds, onLine, signal);
    await pushBlob(deps, client, ref.path, { blob: manifest.config, id: '' }, onLine, signal);
    await putManifest(client, ref.path, item.tag, manifest, signal);
    await deps.blobs.put(manifest.bytes);
    await deps.db.change(({ images, names }) => {
      const known = images.get(item.image.id);
      // Removed meanwhile: the registry has it, we have not.
      if (known === undefined) return;
      images.set(known.id, { ...known, manifest: manifest.digest });
      names.set(`${fullName(ref)}@${manifest.digest}`, known.id);
    });
    const size = manifest.bytes.length;
    onLine({ status: `${item.tag}: digest: ${manifest.digest} size: ${size}` });
    const aux = { Tag: item.tag, Digest: manifest.digest, Size: size };
    onLine({ progressDetail: {}, aux });
  } finally {
    lease.release();
  }
}

async function pushLayers(
  deps: PushDeps,
  client: RegistryClient,
  ref: Reference,
  manifest: ExportedManifest,
  diffIds: readonly string[],
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const limiter = new Limiter(DOWNLOADS_PARALLEL_MAX);
  const abort = new AbortController();
  const both = AbortSignal.any([signal, abort.signal]);
  const sourcesOf = repositoriesOfLayers(deps, ref);
  const tasks = manifest.layers.map((blob, i) => {
    const id = shortId(diffIds[i] ?? blob.digest);
    const item = { blob, id, sources: sourcesOf.get(blob.digest) ?? [] };
    return () => limiter.with(() => pushBlob(deps, client, ref.path, item, onLine, both), both);
  });
  await allOrAbort(tasks, abort);
}

/** Which other repositories of the same registry have each layer: those that an image with it was pulled from or pushed to. */
function repositoriesOfLayers(
  deps: PushDeps,
  ref: Reference,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  for (const name of deps.db.names().keys()) {
    const at = name.indexOf('@');
    const image = at > 0 ? deps.db.byName(name) : undefined;
    const [domain, ...rest] = name.slice(0, at).split('/');
    const path = rest.join('/');
    if (image === undefined || domain !== ref.domain || path === ref.path) continue;
    for (const { blob } of deps.layers.chain(image.chainId)) {
      if (blob === null) continue;
      const paths = found.get(blob.digest) ?? new Set();
      found.set(blob.digest, paths.add(path));
    }
  }
  return new Map([...found].map(([digest, paths]) => [digest, [...paths]]));
}

interface PushedBlob {
  readonly blob: Descriptor;
  /** Shown; '' = say nothing. */
  readonly id: string;
  readonly sources?: readonly string[];
}

async function pushBlob(
  deps: PushDeps,
  client: RegistryClient,
  path: string,
  { blob, id, sources = [] }: PushedBlob,
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const say: OnLine = id === '' ? (): void => {} : onLine;
  if (isForeignLayer(blob.mediaType)) return say(statusLine('Skipped foreign layer', id));
  if (await hasBlob(client, path, blob.digest, signal)) {
    return say(statusLine('Layer already exists', id));
  }
  const report = throttled(deps.clock, (current) =>
    say(barLine('Pushing', id, current, blob.size)),
  );
  const from = await uploadBlob(client, path, blob, deps.blobs, {
    signal,
    random: deps.random,
    onBytes: report,
    sources: sources.slice(0, MOUNT_SOURCES_MAX),
  });
  say(statusLine(from === '' ? 'Pushed' : `Mounted from ${from}`, id));
}
