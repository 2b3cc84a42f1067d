// Small archives made in memory: layers and OCI layouts for tests.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { TarHeader } from '#worker/images/tar/format';
import { simpleHeader, type TarMember, writeTar } from '#worker/images/tar/writer';

/** `name` → content; a name that ends with `/` is a folder. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export async function tarOf(files: Files, change: Partial<TarHeader> = {}): Promise<Buffer> {
  return join(writeTar(members(files, change)));
}

export function* members(files: Files, change: Partial<TarHeader> = {}): Iterable<TarMember> {
  for (const [name, content] of Object.entries(files)) {
    if (name.endsWith('/')) {
      yield { header: { ...simpleHeader(name.slice(0, -1), 'dir', 0, 0), ...change } };
      continue;
    }
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const header = { ...simpleHeader(name, 'file', bytes.length, 0), ...change };
    yield { header, data: [bytes] };
  }
}

export async function join(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function* streamOf(bytes: Uint8Array, chunkBytes = 65_536): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export interface TestImage {
  readonly id: string;
  readonly config: Buffer;
  readonly manifest: Buffer;
  readonly manifestDigest: string;
  /** Digest → bytes of every blob, the manifest included. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly layers: readonly Buffer[];
  readonly diffIds: readonly string[];
}

/** An image with the given layers, gzip-compressed unless `compress` says otherwise. */
export async function imageOf(
  layers: readonly Files[],
  options: {
    readonly config?: Record<string, unknown>;
    readonly compress?: (tar: Buffer) => Buffer;
    readonly layerType?: string;
    readonly architecture?: string;
  } = {},
): Promise<TestImage> {
  const tars: Buffer[] = [];
  for (const files of layers) tars.push(await tarOf(files));
  return imageOfTars(tars, options);
}

export function imageOfTars(
  tars: readonly Buffer[],
  options: Parameters<typeof imageOf>[1] = {},
): TestImage {
  const compress = options.compress ?? ((tar: Buffer) => gzipSync(tar));
  const type = options.layerType ?? 'application/vnd.oci.image.layer.v1.tar+gzip';
  const packed = tars.map(compress);
  const diffIds = tars.map(digestOf);
  const config = Buffer.from(
    JSON.stringify({
      architecture: options.architecture ?? 'amd64',
      os: 'linux',
      created: '2024-01-02T03:04:05Z',
      config: { Cmd: ['/bin/true'], ...options.config },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: tars.map((_, i) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${i}` })),
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(config),
        size: config.length,
      },
      layers: packed.map((layer) => ({
        mediaType: type,
        digest: digestOf(layer),
        size: layer.length,
      })),
    }),
  );
  const blobs = new Map([config, manifest, ...packed].map((blob) => [digestOf(blob), blob]));
  return {
    id: digestOf(config),
    config,
    manifest,
    manifestDigest: digestOf(manifest),
    blobs,
    layers: packed,
    diffIds,
  };
}

/** An OCI image layout as a tar. */
export async function ociLayoutOf(image: TestImage, name: string): Promise<Buffer> {
  const files: Record<string, string | Uint8Array> = {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: image.manifestDigest,
          size: image.manifest.length,
          annotations: { 'org.opencontainers.image.ref.name': name },
        },
      ],
    }),
  };
  for (const [digest, bytes] of image.blobs) files[`blobs/${digest.replace(':', '/')}`] = bytes;
  return tarOf(files);
}

/**
 * A docker-archive with uncompressed layers in folders, as old `docker save` wrote it
 * (manifest.json last).
 */
export async function dockerArchiveOf(
  config: Buffer,
  tars: readonly Buffer[],
  tags: readonly string[],
): Promise<Buffer> {
  const files: Record<string, string | Uint8Array> = {};
  const layers = tars.map((tar, i) => {
    files[`layer${i}/`] = '';
    files[`layer${i}/VERSION`] = '1.0';
    files[`layer${i}/layer.tar`] = tar;
    return `layer${i}/layer.tar`;
  });
  const name = `${digestOf(config).slice(7)}.json`;
  files[name] = config;
  files['manifest.json'] = JSON.stringify([{ Config: name, RepoTags: tags, Layers: layers }]);
  return tarOf(files);
}
