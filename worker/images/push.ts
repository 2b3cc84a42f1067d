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
import { DOWNLOADS_PARALLEL_MAX } from './limits.ts';
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
    await pushLayers(deps, client, ref.path, manifest, diffIds, onLine, signal);
    await pushBlob(deps, client, ref.path, manifest.config, '', onLine, signal);
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
  path: string,
  manifest: ExportedManifest,
  diffIds: readonly string[],
  onLine: OnLine,
  signal: AbortSignal,
): Promise<void> {
  const limiter = new Limiter(DOWNLOADS_PARALLEL_MAX);
  const abort = new AbortController();
  const both = AbortSignal.any([signal, abort.signal]);
  const tasks = manifest.layers.map((layer, i) => {
    const id = shortId(diffIds[i] ?? layer.digest);
    return () => limiter.with(() => pushBlob(deps, client, path, layer, id, onLine, both), both);
  });
  await allOrAbort(tasks, abort);
}

/** `id` '' = say nothing. */
async function pushBlob(
  deps: PushDeps,
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  id: string,
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
  await uploadBlob(client, path, blob, deps.blobs, {
    signal,
    random: deps.random,
    onBytes: report,
  });
  say(statusLine('Pushed', id));
}
