// `docker save`: one tar that is both an OCI layout (oci-layout, index.json, blobs/) and a
// docker-archive (manifest.json), as Docker writes it since 25. Layers go out uncompressed, so that
// a blob's digest is its diff id and every tool can read them. Streams; the same images give the
// same bytes.
import type { Lease } from './collector.ts';
import { hexOf, sha256 } from './digest.ts';
import type { ExportDeps } from './export.ts';
import type { ImageEntry } from './image-db.ts';
import type { LayerRecord } from './layer-store.ts';
import { MEDIA } from './manifest.ts';
import { familiarOf, parseReference } from './reference.ts';
import { fileMember, simpleHeader, type TarMember, writeTar } from './tar/writer.ts';

export interface SavedImage {
  readonly image: ImageEntry;
  /** Full texts of the names that go along. */
  readonly names: readonly string[];
}

/** The archive. The lease is given up at its end. */
export async function* saveArchive(
  deps: ExportDeps,
  images: readonly SavedImage[],
  lease: Lease,
): AsyncGenerator<Uint8Array> {
  try {
    yield* writeTar(members(deps, images));
  } finally {
    lease.release();
  }
}

async function* members(
  deps: ExportDeps,
  images: readonly SavedImage[],
): AsyncGenerator<TarMember> {
  const written = new Set<string>();
  const index: object[] = [];
  const docker: object[] = [];
  yield { header: simpleHeader('blobs', 'dir', 0, 0) };
  yield { header: simpleHeader('blobs/sha256', 'dir', 0, 0) };
  for (const { image, names } of images) {
    const layers = deps.layers.chain(image.chainId).toReversed();
    const config = await deps.blobs.read(image.id);
    const manifest = new TextEncoder().encode(JSON.stringify(ociManifest(image, config, layers)));
    const digest = sha256(manifest);
    for (const [blob, bytes] of [
      [image.id, config],
      [digest, manifest],
    ] as const) {
      if (!written.has(blob)) yield fileMember(blobName(blob), bytes);
      written.add(blob);
    }
    for (const layer of layers) {
      if (written.has(layer.diffId)) continue;
      written.add(layer.diffId);
      const header = simpleHeader(blobName(layer.diffId), 'file', layer.tarBytes, 0);
      yield { header, data: deps.layers.tar(layer) };
    }
    index.push(...indexEntries(digest, manifest.length, names));
    docker.push({
      Config: blobName(image.id),
      RepoTags: names.length > 0 ? names.map(familiarOf) : null,
      Layers: layers.map((layer) => blobName(layer.diffId)),
    });
  }
  const indexJson = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: index };
  yield fileMember('index.json', JSON.stringify(indexJson));
  yield fileMember('manifest.json', JSON.stringify(docker));
  yield fileMember('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
}

function blobName(digest: string): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function ociManifest(
  image: ImageEntry,
  config: Uint8Array,
  layers: readonly LayerRecord[],
): object {
  return {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config: { mediaType: MEDIA.ociConfig, digest: image.id, size: config.length },
    layers: layers.map((layer) => ({
      mediaType: MEDIA.ociLayer,
      digest: layer.diffId,
      size: layer.tarBytes,
    })),
  };
}

function indexEntries(digest: string, size: number, names: readonly string[]): readonly object[] {
  const descriptor = { mediaType: MEDIA.ociManifest, digest, size };
  if (names.length === 0) return [descriptor];
  return names.map((name) => ({
    ...descriptor,
    annotations: {
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': parseReference(name).tag ?? '',
    },
  }));
}
