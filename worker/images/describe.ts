// Images as the Engine API shows them: list, inspect, history, disk usage. Reads only.
import { dirname, join, matchesGlob } from 'node:path';
import type { EngineFilters, EngineJson } from '#protocol/engine';
import { checkFilters, invalidFilter, matchesLabel, untilMs } from '#protocol/engine-filters';
import type { ImageDb, ImageEntry } from './image-db.ts';
import { recordOf } from './image-db.ts';
import type { LayerStore } from './layer-store.ts';
import { parseReference } from './reference.ts';
import { needImage } from './resolve.ts';
import type { ImageProcessConfig } from './types.ts';

interface View {
  readonly db: ImageDb;
  readonly layers: LayerStore;
}

const LIST_FILTERS: readonly string[] = [
  'dangling',
  'label',
  'label!',
  'before',
  'since',
  'reference',
  'until',
];

/** GET /images/json, newest first. */
export function listImages(
  view: View,
  options: { readonly filters: EngineFilters; readonly nowMs: number },
): readonly EngineJson[] {
  const matches = imageFilter(view.db, options.filters, options.nowMs);
  return [...view.db.all()]
    .filter(matches)
    .toSorted((a, b) => createdMs(b) - createdMs(a))
    .map((image) => summary(view, withMatchingNames(image, options.filters.reference ?? [])));
}

/** Asked for by name, an image shows the names that were asked for, not its others. */
function withMatchingNames(image: ImageEntry, patterns: readonly string[]): ImageEntry {
  if (patterns.length === 0) return image;
  const isWanted = (name: string): boolean =>
    patterns.some((pattern) => matchesReference({ names: [name] }, pattern));
  return { ...image, names: image.names.filter(isWanted) };
}

/** GET /images/{name}/json. */
export function inspectImage(view: View, ref: string): EngineJson {
  const { image } = needImage(view.db, ref);
  const { config } = image;
  const record = recordOf(image, view.layers);
  const last = config.history?.at(-1);
  const chain = view.layers.chain(image.chainId);
  const [top] = chain;
  const lower = chain.slice(1).map((layer) => view.layers.diffDir(layer.chainId));
  return {
    Id: image.id,
    RepoTags: record.repoTags,
    RepoDigests: record.repoDigests,
    Parent: image.parent,
    Comment: typeof last?.comment === 'string' ? last.comment : '',
    Created: config.created ?? ZERO_TIME,
    Container: '',
    ContainerConfig: fullConfig({}),
    DockerVersion: '',
    Author: config.author ?? '',
    Config: fullConfig(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: record.sizeBytes,
    VirtualSize: record.sizeBytes,
    GraphDriver: {
      Data: top ? layerFolders(view.layers.diffDir(top.chainId), lower) : {},
      Name: 'overlay2',
    },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: {
      LastTagTime: image.taggedAtMs > 0 ? new Date(image.taggedAtMs).toISOString() : ZERO_TIME,
    },
  };
}

/** Folders of an image as overlay2 names them. Only its layers exist; the other two are where they would be if it were mounted, as with Docker. */
function layerFolders(upperDir: string, lower: readonly string[]): EngineJson {
  return {
    ...(lower.length > 0 ? { LowerDir: lower.join(':') } : {}),
    MergedDir: join(dirname(upperDir), 'merged'),
    UpperDir: upperDir,
    WorkDir: join(dirname(upperDir), 'work'),
  };
}

/** GET /images/{name}/history, newest first. */
export function imageHistory(view: View, ref: string): readonly EngineJson[] {
  const { image } = needImage(view.db, ref);
  const layers = view.layers.chain(image.chainId).toReversed();
  const record = recordOf(image, view.layers);
  let next = 0;
  const steps = (image.config.history ?? []).map((step) => {
    const layer = step.empty_layer === true ? undefined : layers[next];
    if (step.empty_layer !== true) next += 1;
    return {
      Id: '<missing>',
      Created: Math.floor(Date.parse(textOf(step.created) || ZERO_TIME) / 1000),
      CreatedBy: textOf(step.created_by),
      Tags: null as readonly string[] | null,
      Size: layer?.sizeBytes ?? 0,
      Comment: textOf(step.comment),
    };
  });
  const newest = steps.toReversed();
  const [top, ...rest] = newest;
  if (top === undefined) return [];
  const tags = record.repoTags.length > 0 ? record.repoTags : null;
  return [{ ...top, Id: image.id, Tags: tags }, ...rest];
}

/** `Images` of GET /system/df. `usersOf`: containers by image id. */
export function imagesUsage(
  view: View,
  usersOf: (imageId: string) => number,
): { readonly images: readonly EngineJson[]; readonly layersBytes: number } {
  const uses = new Map<string, number>();
  const images = [...view.db.all()];
  for (const image of images) {
    for (const { chainId } of view.layers.chain(image.chainId)) {
      uses.set(chainId, (uses.get(chainId) ?? 0) + 1);
    }
  }
  const described = images.map((image) => {
    const shared = view.layers
      .chain(image.chainId)
      .filter((layer) => (uses.get(layer.chainId) ?? 0) > 1)
      .reduce((sum, layer) => sum + layer.sizeBytes, 0);
    return { ...summary(view, image), SharedSize: shared, Containers: usersOf(image.id) };
  });
  const layersBytes = [...view.layers.all()].reduce((sum, layer) => sum + layer.sizeBytes, 0);
  return { images: described, layersBytes };
}

/** @throws TswarmError `invalid_argument` for a filter that does not exist, with Docker's text */
export function imageFilter(
  db: ImageDb,
  filters: EngineFilters,
  nowMs: number,
): (image: ImageEntry) => boolean {
  checkFilters(filters, LIST_FILTERS);
  const tests: ((image: ImageEntry) => boolean)[] = [];
  for (const [key, values] of Object.entries(filters)) {
    if (values.length > 0) tests.push(filterTest(db, key, values, nowMs));
  }
  return (image) => tests.every((test) => test(image));
}

function filterTest(
  db: ImageDb,
  key: string,
  values: readonly string[],
  nowMs: number,
): (image: ImageEntry) => boolean {
  switch (key) {
    case 'dangling': {
      const wanted = booleanOf(values[0] ?? '');
      return (image) => isDangling(image) === wanted;
    }
    case 'label':
      return (image) => values.every((value) => hasLabel(image, value));
    case 'label!':
      return (image) => !values.some((value) => hasLabel(image, value));
    case 'before': {
      const bounds = values.map((value) => createdMs(needImage(db, value).image));
      return (image) => bounds.every((bound) => createdMs(image) < bound);
    }
    case 'since': {
      const bounds = values.map((value) => createdMs(needImage(db, value).image));
      return (image) => bounds.every((bound) => createdMs(image) > bound);
    }
    case 'until': {
      const bounds = values.map((value) => untilMs(value, nowMs));
      return (image) => bounds.every((bound) => createdMs(image) < bound);
    }
    default:
      return (image) => values.some((value) => matchesReference(image, value));
  }
}

/** An image that no tag leads to. */
export function isDangling(image: ImageEntry): boolean {
  return image.names.every((name) => name.includes('@'));
}

/** ms since 1970; 0 when its configuration says nothing. */
export function createdMs(image: ImageEntry): number {
  const ms = Date.parse(image.config.created ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}

function summary(view: View, image: ImageEntry): EngineJson {
  const record = recordOf(image, view.layers);
  return {
    Containers: -1,
    Created: Math.floor(createdMs(image) / 1000),
    Id: image.id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: image.parent,
    RepoDigests: record.repoDigests,
    RepoTags: record.repoTags,
    SharedSize: -1,
    Size: record.sizeBytes,
    VirtualSize: record.sizeBytes,
  };
}

const ZERO_TIME = '0001-01-01T00:00:00Z';

/** A configuration with every key that clients look for. */
function fullConfig(config: ImageProcessConfig): EngineJson {
  return {
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: null,
    Image: '',
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
    ...config,
  };
}

function hasLabel(image: ImageEntry, wanted: string): boolean {
  return matchesLabel(image.config.config?.Labels ?? {}, wanted);
}

/** The pattern against `name:tag` and against `name`, familiar form. */
function matchesReference(image: Pick<ImageEntry, 'names'>, pattern: string): boolean {
  return image.names.some((full) => {
    const ref = parseReference(full);
    const isHub = ref.domain === 'docker.io';
    const name = isHub ? ref.path.replace(/^library\//, '') : `${ref.domain}/${ref.path}`;
    const texts = [name];
    if (ref.tag !== undefined) texts.push(`${name}:${ref.tag}`);
    if (ref.digest !== undefined) texts.push(`${name}@${ref.digest}`);
    return texts.some((text) => matchesGlob(text, pattern));
  });
}

function booleanOf(value: string): boolean {
  if (['1', 't', 'true', 'True', 'TRUE', 'T'].includes(value)) return true;
  if (['0', 'f', 'false', 'False', 'FALSE', 'F'].includes(value)) return false;
  throw invalidFilter('dangling', value, 'Write dangling=true or dangling=false.');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
