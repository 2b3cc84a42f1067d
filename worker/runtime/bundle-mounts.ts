// The mount list of a bundle: Docker's default mounts, the engine's own files (/etc/hosts and so on), the user's mounts, secrets and configs, in the
// order in which they must be made. A user's mount on a default mount's place replaces it; deeper targets come after shallower ones.

import { SHM_BYTES_DEFAULT } from '../limits.ts';
import type { OciMount } from './oci.ts';
import type { ContainerRecord, MountPoint } from './record.ts';

/** A host file that appears in the container. */
export interface BoundFile {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
}

export interface MountInput {
  readonly record: ContainerRecord;
  /** Sources resolved and existing. */
  readonly mounts: readonly MountPoint[];
  readonly files: readonly BoundFile[];
  /** Host path of /dev/shm where it is shared; '' = its own. */
  readonly shmSource: string;
  readonly cgroupVersion: 1 | 2;
}

/** All mounts, in order. */
export function mountsOf(input: MountInput): readonly OciMount[] {
  const user = userMounts(input);
  const taken = new Set(user.map((mount) => mount.destination));
  const underDev = taken.has('/dev');
  const defaults = defaultMounts(input).filter(
    (mount) =>
      !taken.has(mount.destination) && !(underDev && mount.destination.startsWith('/dev/')),
  );
  return [...defaults, ...user];
}

function defaultMounts(input: MountInput): readonly OciMount[] {
  const { hostConfig } = input.record;
  const access = hostConfig.Privileged ? 'rw' : 'ro';
  const shmBytes = hostConfig.ShmSize > 0 ? hostConfig.ShmSize : SHM_BYTES_DEFAULT;
  const shm: OciMount =
    input.shmSource === ''
      ? {
          destination: '/dev/shm',
          type: 'tmpfs',
          source: 'shm',
          options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmBytes}`],
        }
      : {
          destination: '/dev/shm',
          type: 'bind',
          source: input.shmSource,
          options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev'],
        };
  return [
    {
      destination: '/proc',
      type: 'proc',
      source: 'proc',
      options: ['nosuid', 'noexec', 'nodev'],
    },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: '/sys',
      type: 'sysfs',
      source: 'sysfs',
      options: ['nosuid', 'noexec', 'nodev', access],
    },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [access, 'nosuid', 'noexec', 'nodev'],
    },
    {
      destination: '/dev/mqueue',
      type: 'mqueue',
      source: 'mqueue',
      options: ['nosuid', 'noexec', 'nodev'],
    },
    ...(hostConfig.IpcMode === 'none' ? [] : [shm]),
  ];
}

function userMounts(input: MountInput): readonly OciMount[] {
  const out: OciMount[] = [];
  const taken = new Set<string>();
  const add = (mount: OciMount): void => {
    if (taken.has(mount.destination)) return;
    taken.add(mount.destination);
    out.push(mount);
  };
  for (const mount of input.mounts) add(ociMountOf(mount));
  for (const file of input.files) {
    add({
      destination: file.target,
      type: 'bind',
      source: file.source,
      options: ['rbind', 'rprivate', ...(file.readonly ? ['ro'] : [])],
    });
  }
  return out
    .map((mount, index) => ({ mount, index, depth: depthOf(mount.destination) }))
    .sort((a, b) => a.depth - b.depth || a.index - b.index)
    .map((entry) => entry.mount);
}

/** What the volume holds is in the hands of containers: the runtime follows the path below it, so that no link leads out. */
function ociMountOf(mount: MountPoint): OciMount {
  if (mount.Type === 'tmpfs') {
    return {
      destination: mount.Destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: [
        'noexec',
        'nosuid',
        'nodev',
        ...mount.extra.tmpfsOptions,
        ...(mount.RW ? [] : ['ro']),
      ],
    };
  }
  const readonly = mount.extra.readonlyRecursive ? ['ro', 'rro'] : ['ro'];
  return {
    destination: mount.Destination,
    type: 'bind',
    source: mount.Source,
    options: [
      mount.extra.nonRecursive ? 'bind' : 'rbind',
      mount.Propagation === '' ? 'rprivate' : mount.Propagation,
      ...(isPart(mount) ? [`subpath=${mount.extra.subpath}`] : []),
      ...(mount.RW ? [] : readonly),
    ],
  };
}

/** Of an image nothing can change: its place is known. */
function isPart({ Type, extra }: MountPoint): boolean {
  return Type === 'volume' && extra.subpath !== '';
}

function depthOf(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}
