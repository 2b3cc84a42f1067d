// Everything that a request says about mounts (Binds, Mounts, Volumes, Tmpfs, VolumesFrom) → one list of mount points, one per target, with volumes made.
// Precedence as in Docker: VolumesFrom < Binds < Mounts, and the image's or request's anonymous Volumes only where nothing else is.
// Messages are the Engine API's.
import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { makeFolder } from '../files.ts';
import type { ImageStore } from '../images/types.ts';
import type { NewVolume, VolumeRecord, VolumeStore } from '../volumes/volume-store.ts';
import type { ContainerTable } from './container.ts';
import { imageMount } from './image-mounts.ts';
import type { ContainerConfig, HostConfig, MountPoint, MountSpec } from './record.ts';
import { NO_EXTRA } from './record.ts';
import { checkSubpath, insideOf } from './subpath.ts';

/** The part of the VolumeStore that a new container needs. */
export interface VolumeMaker {
  create(wanted: NewVolume): Promise<VolumeRecord>;
  mountpoint(name: string): string;
}

export interface MountDeps {
  readonly volumes: VolumeMaker;
  readonly images: Pick<ImageStore, 'resolve'>;
  readonly table: ContainerTable;
}

const PROPAGATIONS: ReadonlySet<string> = new Set([
  'shared',
  'slave',
  'private',
  'rshared',
  'rslave',
  'rprivate',
]);

/** The mount points of a new container. @throws invalid_argument, not_found, conflict */
export async function mountPointsOf(
  config: ContainerConfig,
  hostConfig: HostConfig,
  deps: MountDeps,
): Promise<readonly MountPoint[]> {
  const out = new Map<string, MountPoint>();
  for (const from of hostConfig.VolumesFrom ?? []) {
    for (const mount of volumesFrom(from, deps.table)) out.set(mount.Destination, mount);
  }
  const explicit = new Set<string>();
  const claim = (target: string): void => {
    if (explicit.has(target)) {
      throw new TswarmError('invalid_argument', `Duplicate mount point: ${target}`, {
        field: 'HostConfig.Mounts',
      });
    }
    explicit.add(target);
  };
  for (const bind of hostConfig.Binds ?? []) {
    const mount = await bindMount(bind, hostConfig.VolumeDriver, deps.volumes);
    claim(mount.Destination);
    out.set(mount.Destination, mount);
  }
  for (const spec of hostConfig.Mounts ?? []) {
    const mount = await specMount(spec, deps);
    claim(mount.Destination);
    out.set(mount.Destination, mount);
  }
  for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    const destination = cleanTarget(target, 'HostConfig.Tmpfs');
    claim(destination);
    out.set(destination, tmpfsMount(destination, options.split(',').filter(Boolean), true));
  }
  for (const target of Object.keys(config.Volumes ?? {})) {
    const destination = cleanTarget(target, 'Volumes');
    if (out.has(destination)) continue;
    out.set(destination, await anonymousVolume(destination, hostConfig.VolumeDriver, deps.volumes));
  }
  return [...out.values()];
}

/** Absolute, without `..` and double slashes. */
function cleanTarget(target: string, field: string): string {
  if (!target.startsWith('/')) {
    throw new TswarmError(
      'invalid_argument',
      `invalid mount config: invalid mount path: '${target}' mount path must be absolute`,
      { field },
    );
  }
  const clean = posix.normalize(target).replace(/(.)\/+$/, '$1');
  if (clean === '/') {
    throw new TswarmError(
      'invalid_argument',
      `invalid volume specification: '${target}': invalid mount config: destination can't be '/'`,
      { field },
    );
  }
  return clean;
}

async function bindMount(bind: string, driver: string, volumes: VolumeMaker): Promise<MountPoint> {
  const parts = bind.split(':');
  const [first = '', second, modeText = '', ...rest] = parts;
  if (rest.length > 0 || first === '' || second === '') {
    throw new TswarmError('invalid_argument', `invalid volume specification: '${bind}'`, {
      field: 'HostConfig.Binds',
    });
  }
  if (second === undefined) {
    return anonymousVolume(cleanTarget(first, 'HostConfig.Binds'), driver, volumes);
  }
  const mode = parseMode(bind, modeText);
  const destination = cleanTarget(second, 'HostConfig.Binds');
  if (first.startsWith('/')) {
    return {
      Type: 'bind',
      Source: posix.normalize(first),
      Destination: destination,
      Mode: modeText,
      RW: mode.writable,
      Propagation: mode.propagation === '' ? 'rprivate' : mode.propagation,
      extra: { ...NO_EXTRA, createSource: true },
    };
  }
  const volume = await volumes.create({ name: first, driver, labels: null, options: null });
  return {
    ...volumeMount(volume.name, destination, volumes),
    Mode: modeText === '' ? 'z' : modeText,
    RW: mode.writable,
    extra: { ...NO_EXTRA, copyUp: mode.copy },
  };
}

function parseMode(
  bind: string,
  text: string,
): { writable: boolean; copy: boolean; propagation: string } {
  let writable = true;
  let copy = true;
  let propagation = '';
  for (const word of text.split(',').filter((part) => part !== '')) {
    if (word === 'ro') writable = false;
    else if (word === 'rw' || word === 'z' || word === 'Z' || word === 'cached') continue;
    else if (word === 'delegated' || word === 'consistent') continue;
    else if (word === 'nocopy') copy = false;
    else if (PROPAGATIONS.has(word)) propagation = word;
    else {
      throw new TswarmError('invalid_argument', `invalid mode: ${text}`, {
        field: 'HostConfig.Binds',
        hint: `In "${bind}".`,
      });
    }
  }
  return { writable, copy, propagation };
}

/** A volume at its destination, writable, with nothing asked of it. */
function volumeMount(name: string, destination: string, volumes: VolumeMaker): MountPoint {
  return {
    Type: 'volume',
    Name: name,
    Source: volumes.mountpoint(name),
    Destination: destination,
    Driver: 'local',
    Mode: '',
    RW: true,
    Propagation: '',
    extra: NO_EXTRA,
  };
}

async function anonymousVolume(
  destination: string,
  driver: string,
  volumes: VolumeMaker,
): Promise<MountPoint> {
  const volume = await volumes.create({ name: '', driver, labels: null, options: null });
  return {
    ...volumeMount(volume.name, destination, volumes),
    extra: { ...NO_EXTRA, copyUp: true, anonymous: true },
  };
}

function tmpfsMount(
  destination: string,
  options: readonly string[],
  writable: boolean,
): MountPoint {
  return {
    Type: 'tmpfs',
    Source: '',
    Destination: destination,
    Mode: '',
    RW: writable && !options.includes('ro'),
    Propagation: '',
    extra: { ...NO_EXTRA, tmpfsOptions: options.filter((word) => word !== 'ro' && word !== 'rw') },
  };
}

async function specMount(spec: MountSpec, { volumes, images }: MountDeps): Promise<MountPoint> {
  const destination = cleanTarget(spec.Target, 'HostConfig.Mounts');
  const writable = spec.ReadOnly !== true;
  switch (spec.Type) {
    case 'bind':
      return bindSpec(spec, destination, writable);
    case 'volume':
      return volumeSpec(spec, destination, writable, volumes);
    case 'tmpfs': {
      const { SizeBytes = 0, Mode = 0, Options = [] } = spec.TmpfsOptions ?? {};
      const options = [
        ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
        ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
        ...Options.map((pair) => pair.join('=')),
      ];
      return tmpfsMount(destination, options, writable);
    }
    case 'image':
      checkSubpath(spec.ImageOptions?.Subpath ?? '', 'image');
      return imageMount(spec, destination, images);
    default:
      throw new TswarmError('invalid_argument', `mount type unknown: "${spec.Type}"`, {
        field: 'HostConfig.Mounts.Type',
        hint: 'Use bind, volume, tmpfs or image.',
      });
  }
}

async function bindSpec(
  spec: MountSpec,
  destination: string,
  writable: boolean,
): Promise<MountPoint> {
  const source = spec.Source ?? '';
  const options = spec.BindOptions ?? {};
  if (!source.startsWith('/')) {
    throw new TswarmError(
      'invalid_argument',
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
      { field: 'HostConfig.Mounts.Source' },
    );
  }
  const mount: MountPoint = {
    Type: 'bind',
    Source: posix.normalize(source),
    Destination: destination,
    Mode: '',
    RW: writable,
    Propagation: options.Propagation ? options.Propagation : 'rprivate',
    extra: {
      ...NO_EXTRA,
      createSource: options.CreateMountpoint === true,
      nonRecursive: options.NonRecursive === true,
      readonlyRecursive: !writable && options.ReadOnlyForceRecursive === true,
    },
  };
  if (!mount.extra.createSource) await requireSource(mount.Source);
  return mount;
}

/** @throws invalid_argument with Docker's text when a bind's source is not there */
async function requireSource(source: string): Promise<void> {
  const info = await stat(source).catch(() => undefined);
  if (info) return;
  throw new TswarmError(
    'invalid_argument',
    `invalid mount config for type "bind": bind source path does not exist: ${source}`,
    { field: 'HostConfig.Mounts.Source' },
  );
}

async function volumeSpec(
  spec: MountSpec,
  destination: string,
  writable: boolean,
  volumes: VolumeMaker,
): Promise<MountPoint> {
  const options = spec.VolumeOptions ?? {};
  const volume = await volumes.create({
    name: spec.Source ?? '',
    driver: options.DriverConfig?.Name ?? '',
    labels: options.Labels ?? null,
    options: options.DriverConfig?.Options ?? null,
  });
  const subpath = options.Subpath ?? '';
  checkSubpath(subpath, 'volume');
  return {
    ...volumeMount(volume.name, destination, volumes),
    RW: writable,
    extra: {
      ...NO_EXTRA,
      copyUp: options.NoCopy !== true && subpath === '',
      subpath,
      anonymous: volume.anonymous,
    },
  };
}

/** `z`, `Z` are for SELinux, and change nothing here. */
const VOLUMES_FROM_MODES: ReadonlySet<string> = new Set(['', 'ro', 'rw', 'z', 'Z']);

function volumesFrom(text: string, table: ContainerTable): readonly MountPoint[] {
  const [name = '', mode = ''] = text.split(':');
  const source = table.find(name);
  // Not "not found": the stock client would take that for the image and pull it.
  if (!source) {
    throw new TswarmError('invalid_argument', `No such container: ${name}`, {
      field: 'HostConfig.VolumesFrom',
    });
  }
  const words = mode.split(',');
  if (words.some((word) => !VOLUMES_FROM_MODES.has(word))) {
    throw new TswarmError('invalid_argument', `invalid mode: ${mode}`, {
      field: 'HostConfig.VolumesFrom',
    });
  }
  return source.record.mounts
    .filter((mount) => mount.Type !== 'tmpfs')
    .map((mount) => ({
      ...mount,
      RW: mount.RW && !words.includes('ro'),
      extra: { ...mount.extra, anonymous: false },
    }));
}

/** Makes sources ready just before a start: volumes mounted or made, `-v` host folders made. @returns the mounts with their real host paths, of a volume always its root */
export async function readyMounts(
  mounts: readonly MountPoint[],
  volumes: VolumeStore,
): Promise<readonly MountPoint[]> {
  return Promise.all(
    mounts.map(async (mount): Promise<MountPoint> => {
      if (mount.Type === 'volume' && mount.Name !== undefined) {
        const root = await volumes.use(mount.Name);
        // A look beforehand, for plain words; the runtime follows the path itself, because links may change meanwhile.
        await insideOf(root, mount.extra.subpath, 'volume');
        return { ...mount, Source: root };
      }
      if (mount.Type === 'bind') {
        if (mount.extra.createSource) {
          const info = await stat(mount.Source).catch(() => undefined);
          if (!info) await makeFolder(mount.Source, 0o755);
        } else {
          await requireSource(mount.Source);
        }
      }
      return mount;
    }),
  );
}
