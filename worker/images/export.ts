// An image as other tools take it: its manifest with every blob at hand. What was pulled goes out
// as it came; a layer made here is archived (and for a registry compressed) on demand, checked
// against its diff id, and for a registry kept, so that the next push finds it.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { TswarmError } from '#protocol/errors';
import type { BlobStore } from './blob-store.ts';
import type { Lease } from './collector.ts';
import { sha256 } from './digest.ts';
import type { ImageEntry } from './image-db.ts';
import type { LayerRecord, LayerStore } from './layer-store.ts';
import { type Descriptor, isForeignLayer, MEDIA, parseManifest } from './manifest.ts';

export interface ExportedManifest {
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Lowest first; all of their blobs are in the store. */
  readonly layers: readonly Descriptor[];
}

export interface ExportDeps {
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
}

/** gzip's speed matters more than a few per cent when layers go over a local network. */
const GZIP_LEVEL = 4;

/** The manifest for a registry: the image's own when all it names is here. */
export async function registryManifest(
  deps: ExportDeps,
  image: ImageEntry,
  lease: Lease,
  signal: AbortSignal,
): Promise<ExportedManifest> {
  return (await ownManifest(deps, image, lease)) ?? madeManifest(deps, image, lease, signal);
}

async function ownManifest(
  deps: ExportDeps,
  image: ImageEntry,
  lease: Lease,
): Promise<ExportedManifest | undefined> {
  if (image.manifest === '') return undefined;
  lease.blobs.add(image.manifest);
  if ((await deps.blobs.sizeOf(image.manifest)) === undefined) return undefined;
  const bytes = await deps.blobs.read(image.manifest);
  const parsed = parseManifest(bytes, '', image.manifest);
  if (parsed.kind !== 'manifest') return undefined;
  for (const blob of [parsed.config, ...parsed.layers]) {
    lease.blobs.add(blob.digest);
    if ((await deps.blobs.sizeOf(blob.digest)) !== blob.size) return undefined;
  }
  const { mediaType, config, layers } = parsed;
  return { bytes, digest: image.manifest, mediaType, config, layers };
}

async function madeManifest(
  deps: ExportDeps,
  image: ImageEntry,
  lease: Lease,
  signal: AbortSignal,
): Promise<ExportedManifest> {
  const layers: Descriptor[] = [];
  for (const layer of deps.layers.chain(image.chainId).toReversed()) {
    layers.push(await compressedLayer(deps, layer, lease, signal));
  }
  const sizeBytes = (await deps.blobs.sizeOf(image.id)) ?? 0;
  const needsOci = layers.some((layer) => layer.mediaType.includes('zstd'));
  const config = {
    mediaType: needsOci ? MEDIA.ociConfig : MEDIA.dockerConfig,
    size: sizeBytes,
    digest: image.id,
  };
  const mediaType = needsOci ? MEDIA.ociManifest : MEDIA.dockerManifest;
  const typed = layers.map((layer) => ({
    mediaType: needsOci ? ociLayerType(layer.mediaType) : `${MEDIA.dockerLayer}.gzip`,
    size: layer.size,
    digest: layer.digest,
  }));
  const text = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: typed });
  const bytes = new TextEncoder().encode(text);
  return { bytes, digest: sha256(bytes), mediaType, config, layers: typed };
}

async function compressedLayer(
  deps: ExportDeps,
  layer: LayerRecord,
  lease: Lease,
  signal: AbortSignal,
): Promise<Descriptor> {
  const { blob } = layer;
  if (blob !== null) {
    lease.blobs.add(blob.digest);
    const isCompressed = /(gzip|zstd)$/.test(blob.mediaType);
    const isHere = (await deps.blobs.sizeOf(blob.digest)) === blob.size;
    if (isCompressed && isHere && !isForeignLayer(blob.mediaType)) return blob;
    if (!isHere) {
      throw new TswarmError('data_loss', `the archive of layer ${layer.diffId} is gone`, {
        hint: 'Pull or load the image again.',
      });
    }
  }
  const ingest = await deps.blobs.ingest();
  try {
    const tar = Readable.from(deps.layers.tar(layer, signal), { objectMode: false });
    await pipeline(tar, createGzip({ level: GZIP_LEVEL }), async (chunks) => {
      for await (const chunk of chunks) await ingest.write(chunk as Uint8Array);
    });
    const { digest, sizeBytes } = await ingest.commit({}, (made) => lease.blobs.add(made));
    const made = { mediaType: `${MEDIA.dockerLayer}.gzip`, digest, size: sizeBytes };
    await deps.layers.setBlob(layer.chainId, made);
    return made;
  } finally {
    await ingest.close();
  }
}

function ociLayerType(mediaType: string): string {
  if (mediaType.includes('zstd')) return `${MEDIA.ociLayer}+zstd`;
  return mediaType.includes('gzip') ? `${MEDIA.ociLayer}+gzip` : MEDIA.ociLayer;
}
