// Images that are made here: from a root file system (import), from a container (commit), from
// build steps. A configuration is written, becomes a blob, and its digest is the image's id.
import { TswarmError } from '#protocol/errors';
import type { Clock } from '#protocol/world';
import { applyChanges } from '../build/config-change.ts';
import type { BlobStore } from './blob-store.ts';
import type { Collector, Lease } from './collector.ts';
import type { ImageDb } from './image-db.ts';
import type { LayerRecord, LayerStore } from './layer-store.ts';
import type { LayerTool } from './layer-tool.ts';
import { CONFIG_BYTES_MAX } from './limits.ts';
import { fullText, joinReference, type Reference } from './reference.ts';
import type { RootfsStore } from './rootfs.ts';
import type { ContainerDirectory, ImageProcessConfig, OciImageConfig } from './types.ts';

export interface MakeDeps {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly db: ImageDb;
  readonly collector: Collector;
  readonly rootfs: RootfsStore;
  readonly tool: LayerTool;
  readonly clock: Clock;
  readonly containers: ContainerDirectory;
  readonly architecture: string;
}

/** A `history` entry of a configuration. */
export interface HistoryEntry {
  readonly created: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** Stores a configuration. @returns the image id */
export async function storeConfig(
  deps: { readonly blobs: BlobStore },
  config: OciImageConfig,
  lease: Lease,
): Promise<string> {
  const text = JSON.stringify(config);
  if (text.length > CONFIG_BYTES_MAX) {
    throw new TswarmError('too_large', `the image's configuration would have ${text.length} bytes`);
  }
  const { digest } = await deps.blobs.put(text, (made) => lease.blobs.add(made));
  return digest;
}

/** Makes the image visible under its id and these names (which leave the image that had them). */
export async function registerImage(
  deps: { readonly db: ImageDb; readonly clock: Clock },
  id: string,
  parent: string,
  tags: readonly Reference[],
): Promise<void> {
  await deps.db.change(({ images, names }) => {
    const known = images.get(id);
    const taggedAtMs = tags.length > 0 ? deps.clock.nowMs() : (known?.taggedAtMs ?? 0);
    images.set(id, { id, manifest: known?.manifest ?? '', parent, taggedAtMs });
    for (const tag of tags) names.set(fullText(tag), id);
  });
}

/** The name that `repo` and `tag` of the Engine API give; undefined for none. */
export function targetName(repo: string, tag: string): Reference | undefined {
  if (repo === '') return undefined;
  const ref = joinReference(repo, tag);
  if (ref.digest !== undefined) {
    throw new TswarmError('invalid_argument', 'refusing to create a tag with a digest reference');
  }
  return ref.tag === undefined ? { ...ref, tag: 'latest' } : ref;
}

/** `docker import`. @returns the image id */
export async function importImage(
  deps: MakeDeps,
  tar: AsyncIterable<Uint8Array>,
  options: {
    readonly tag: Reference | undefined;
    readonly message: string;
    readonly changes: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const config = applyChanges({}, options.changes);
  const lease = deps.collector.lease();
  try {
    const layer = await deps.layers.importTar(tar, '', options.signal, (chainId) =>
      lease.chains.add(chainId),
    );
    const created = new Date(deps.clock.nowMs()).toISOString();
    const comment = options.message || 'Imported from -';
    const image = newConfig(deps, config, created);
    const id = await storeConfig(
      deps,
      { ...image, rootfs: rootfsOf(undefined, layer), history: [{ created, comment }] },
      lease,
    );
    await registerImage(deps, id, '', options.tag === undefined ? [] : [options.tag]);
    return id;
  } finally {
    lease.release();
  }
}

export interface CommitOptions {
  readonly container: string;
  readonly tag: Reference | undefined;
  readonly comment: string;
  readonly author: string;
  readonly pause: boolean;
  readonly changes: readonly string[];
  /** Keys given here win over the container's. */
  readonly config: ImageProcessConfig;
}

/** `docker commit`. @returns the image id */
export async function commitContainer(deps: MakeDeps, options: CommitOptions): Promise<string> {
  const container = deps.containers.resolve(options.container);
  const rootfs = container && deps.rootfs.get(container.id);
  if (container === undefined || rootfs === undefined) {
    throw new TswarmError('not_found', `No such container: ${options.container}`);
  }
  const given = Object.entries(options.config).filter(([, value]) => value !== null);
  const config = applyChanges(
    { ...container.processConfig, ...Object.fromEntries(given) },
    options.changes,
  );
  const lease = deps.collector.lease();
  const store = (): Promise<LayerRecord> =>
    deps.layers.importTar(
      deps.tool.diff(rootfs.paths.upperDir),
      rootfs.chainId,
      undefined,
      (chainId) => lease.chains.add(chainId),
    );
  try {
    const layer = await (options.pause ? deps.containers.frozen(container.id, store) : store());
    const base = deps.db.get(rootfs.imageId)?.config;
    const created = new Date(deps.clock.nowMs()).toISOString();
    const command = [
      ...(container.processConfig.Entrypoint ?? []),
      ...(container.processConfig.Cmd ?? []),
    ];
    const entry: HistoryEntry = {
      created,
      created_by: command.join(' '),
      ...(options.author === '' ? {} : { author: options.author }),
      ...(options.comment === '' ? {} : { comment: options.comment }),
    };
    const author = options.author || base?.author;
    const id = await storeConfig(
      deps,
      {
        ...newConfig(deps, config, created),
        ...(base === undefined ? {} : { architecture: base.architecture, os: base.os }),
        ...(author === undefined ? {} : { author }),
        rootfs: rootfsOf(base, layer),
        history: [...(base?.history ?? []), { ...entry }],
      },
      lease,
    );
    const parent = base === undefined ? '' : rootfs.imageId;
    await registerImage(deps, id, parent, options.tag === undefined ? [] : [options.tag]);
    return id;
  } finally {
    lease.release();
  }
}

/** The base's layers with one more on top. */
export function rootfsOf(
  base: OciImageConfig | undefined,
  layer: LayerRecord,
): OciImageConfig['rootfs'] {
  return { type: 'layers', diff_ids: [...(base?.rootfs.diff_ids ?? []), layer.diffId] };
}

function newConfig(
  deps: MakeDeps,
  config: ImageProcessConfig,
  created: string,
): Omit<OciImageConfig, 'rootfs'> {
  return { created, architecture: deps.architecture, os: 'linux', config };
}
