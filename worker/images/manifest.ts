// Manifests, indexes and configurations as they come from registries and archives: parsed once,
// checked, with every digest and size verified to be one. Refuses schema 1, documents that could be
// read as both index and manifest (GHSA-77vh-xpmg-72qh), and more layers than overlayfs takes.
import { TswarmError } from '#protocol/errors';
import { checkedDigest } from './digest.ts';
import { BLOB_BYTES_MAX, LAYERS_MAX } from './limits.ts';
import type { Platform } from './platform.ts';
import type { OciImageConfig } from './types.ts';

export const MEDIA: {
  readonly ociManifest: string;
  readonly ociIndex: string;
  readonly ociConfig: string;
  readonly ociLayer: string;
  readonly dockerManifest: string;
  readonly dockerList: string;
  readonly dockerConfig: string;
  readonly dockerLayer: string;
} = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
};

/** What we say we take, most wanted first. */
export const ACCEPT_MANIFESTS: string = [
  MEDIA.ociIndex,
  MEDIA.dockerList,
  MEDIA.ociManifest,
  MEDIA.dockerManifest,
].join(', ');

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Partial<Platform>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where else a layer that registries do not keep may be had. */
  readonly urls?: readonly string[];
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a manifest or index. `contentType` '' = unknown (archives). @throws TswarmError
 * `invalid_argument`, `not_supported`
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string,
  where: string,
): ImageManifest | ImageIndex {
  const json = parseObject(bytes, where);
  const said = typeof json.mediaType === 'string' ? json.mediaType : '';
  const type = contentType.split(';')[0]?.trim() ?? '';
  if (json.schemaVersion === 1 || type.includes('distribution.manifest.v1')) {
    throw new TswarmError('not_supported', `${where}: image manifest schema 1 is not supported`, {
      hint: 'Push the image again with a current tool.',
    });
  }
  if (said !== '' && type !== '' && isManifestType(type) && said !== type) {
    throw wrong(where, `says ${said} inside but was sent as ${type}`);
  }
  const hasLayers = json.layers !== undefined || json.config !== undefined;
  const hasManifests = json.manifests !== undefined;
  if (hasLayers && hasManifests) throw wrong(where, 'is both an image and an index');
  const mediaType = said === '' ? type : said;
  if (hasManifests) {
    if (isManifestType(mediaType) && !isIndexType(mediaType)) throw wrong(where, 'is no image');
    const list = arrayOf(json.manifests, `${where}.manifests`);
    const manifests = list.map((item, i) => parseDescriptor(item, `${where}.manifests[${i}]`));
    return { kind: 'index', mediaType: mediaType || MEDIA.ociIndex, manifests };
  }
  if (!hasLayers || isIndexType(mediaType)) throw wrong(where, 'is not an image manifest');
  const config = parseDescriptor(json.config, `${where}.config`);
  const layers = arrayOf(json.layers, `${where}.layers`).map((item, i) =>
    parseDescriptor(item, `${where}.layers[${i}]`),
  );
  checkLayerCount(layers.length, where);
  return { kind: 'manifest', mediaType: mediaType || MEDIA.ociManifest, config, layers };
}

/** Reads an image configuration; unknown keys are kept. @throws TswarmError `invalid_argument` */
export function parseConfig(bytes: Uint8Array, where: string): OciImageConfig {
  const json = parseObject(bytes, where);
  const rootfs = json.rootfs as Json | undefined;
  if (typeof rootfs !== 'object' || rootfs === null) throw wrong(where, 'has no rootfs');
  const ids = rootfs.diff_ids ?? [];
  const diffIds = arrayOf(ids, `${where}.rootfs.diff_ids`);
  for (const [i, id] of diffIds.entries()) checkedDigest(id, `${where}.rootfs.diff_ids[${i}]`);
  checkLayerCount(diffIds.length, where);
  const config = { ...json, rootfs: { ...rootfs, diff_ids: diffIds } } as unknown as OciImageConfig;
  return {
    ...config,
    architecture: typeof config.architecture === 'string' ? config.architecture : '',
    os: typeof config.os === 'string' && config.os !== '' ? config.os : 'linux',
  };
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA.ociIndex || mediaType === MEDIA.dockerList;
}

/** True for layers that a registry need not hold and that must not be pushed. */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes('foreign') || mediaType.includes('nondistributable');
}

export function parseDescriptor(value: unknown, where: string): Descriptor {
  if (typeof value !== 'object' || value === null) throw wrong(where, 'is not a descriptor');
  const json = value as Json;
  const size = json.size;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw wrong(`${where}.size`, `${String(size)} is not a size`);
  }
  if (size > BLOB_BYTES_MAX) {
    throw new TswarmError('too_large', `${where}.size: ${size} bytes is over ${BLOB_BYTES_MAX}`);
  }
  const { platform, annotations, urls } = json;
  return {
    mediaType: typeof json.mediaType === 'string' ? json.mediaType : '',
    digest: checkedDigest(json.digest, `${where}.digest`),
    size,
    ...(isObject(platform) ? { platform: platform as Partial<Platform> } : {}),
    ...(isObject(annotations) ? { annotations: annotations as Record<string, string> } : {}),
    ...(Array.isArray(urls) ? { urls: urls.filter((url) => typeof url === 'string') } : {}),
  };
}

function isManifestType(type: string): boolean {
  return isIndexType(type) || type === MEDIA.ociManifest || type === MEDIA.dockerManifest;
}

function checkLayerCount(count: number, where: string): void {
  if (count <= LAYERS_MAX) return;
  throw new TswarmError(
    'too_large',
    `${where}: ${count} layers; at most ${LAYERS_MAX} can be used`,
  );
}

function parseObject(bytes: Uint8Array, where: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TswarmError('invalid_argument', `${where}: is not JSON`, { cause });
  }
  if (!isObject(value) || Array.isArray(value)) throw wrong(where, 'is not a JSON object');
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function arrayOf(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(where, 'is not a list');
}

function wrong(where: string, what: string): TswarmError {
  return new TswarmError('invalid_argument', `${where}: ${what}`);
}
