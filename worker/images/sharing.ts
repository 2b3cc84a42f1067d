// What other nodes get of this node's images, and what this node takes of theirs. Everything goes by digest: archives as they came, configurations, manifests, and
// for layers that were made here (build, commit, import) the archive that `tswarm-layer diff` makes of the files, which is the same every time. What is being
// given is held by a lease. An image that is taken is registered last, as with a pull. Knows no network: ../image-share does.
import { TswarmError } from '#protocol/errors';
import type { BlobPeers } from './blob-peers.ts';
import { ImageFetch } from './fetch-image.ts';
import { recordOf } from './image-db.ts';
import type { ImageParts } from './image-store.ts';
import type { LayerRecord } from './layer-store.ts';
import { type Descriptor, MEDIA } from './manifest.ts';
import { noSuchImage } from './resolve.ts';
import type { ImageRecord } from './types.ts';

/** The parts of an image as one node can give them. */
export interface SharedImage {
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

export class ImageSharing {
  readonly #parts: ImageParts;

  constructor(parts: ImageParts) {
    this.#parts = parts;
  }

  /** Digests of all that `read` can give. */
  async digests(): Promise<readonly string[]> {
    const { blobs, layers } = this.#parts;
    const digests = new Set(await blobs.list());
    for (const layer of layers.all()) if (layer.blob === null) digests.add(layer.diffId);
    return [...digests];
  }

  /** @throws TswarmError `not_found` */
  async describe(imageId: string): Promise<SharedImage> {
    const { db, blobs, layers } = this.#parts;
    const image = db.get(imageId);
    const size = image && (await blobs.sizeOf(imageId));
    if (image === undefined || size === undefined) throw noSuchImage(imageId);
    return {
      config: { mediaType: MEDIA.ociConfig, digest: imageId, size },
      layers: layers.chain(image.chainId).toReversed().map(givenAs),
    };
  }

  /** The bytes of a blob from `offset` on. @throws TswarmError `not_found`, `invalid_argument` */
  async *read(digest: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { blobs, layers, collector } = this.#parts;
    const lease = collector.lease();
    lease.blobs.add(digest);
    try {
      if ((await blobs.sizeOf(digest)) !== undefined) {
        for await (const chunk of blobs.stream(digest, offset)) yield chunk as Uint8Array;
        return;
      }
      const layer = [...layers.all()].find((one) => one.diffId === digest && one.blob === null);
      if (layer === undefined) throw new TswarmError('not_found', `blob ${digest} is not here`);
      lease.chains.add(layer.chainId);
      yield* after(offset, layers.tar(layer, signal));
    } finally {
      lease.release();
    }
  }

  /** Makes an image of this node out of what other nodes have. @throws what downloads throw */
  async take(wanted: SharedImage, peers: BlobPeers, signal: AbortSignal): Promise<ImageRecord> {
    const parts = this.#parts;
    const { config: configBlob, layers } = wanted;
    const id = configBlob.digest;
    const lease = parts.collector.lease();
    try {
      for (const { digest } of [configBlob, ...layers]) lease.blobs.add(digest);
      const image = {
        name: id,
        config: configBlob,
        layers,
        origin: { client: undefined, path: '', peers },
      };
      const { random } = parts.deps;
      const fetch = new ImageFetch({ ...parts, random }, image, () => {}, signal);
      await fetch.layers(await fetch.config(), lease);
      await parts.db.change(({ images }) => {
        const known = images.get(id);
        const taggedAtMs = parts.clock.nowMs();
        images.set(id, {
          id,
          manifest: known?.manifest ?? '',
          parent: known?.parent ?? '',
          taggedAtMs,
        });
      });
      const entry = parts.db.get(id);
      if (entry === undefined) throw noSuchImage(id);
      parts.deps.events.emit({
        type: 'image',
        action: 'pull',
        actorId: id,
        attributes: { name: id },
      });
      return recordOf(entry, parts.layers);
    } finally {
      lease.release();
    }
  }
}

function givenAs(layer: LayerRecord): Descriptor {
  if (layer.blob !== null) return layer.blob;
  return { mediaType: MEDIA.ociLayer, digest: layer.diffId, size: layer.tarBytes };
}

async function* after(
  offset: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let skip = offset;
  for await (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      yield chunk.subarray(skip);
      skip = 0;
    }
  }
}
