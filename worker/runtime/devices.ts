// Host devices for a container: `--device` entries (a node or a folder of nodes), all of them for privileged containers, and the numbers of block devices
// in I/O limits. Only looks; the nodes are made by the runtime inside the container's own /dev.
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { codeOf } from '../files.ts';
import type { DeviceNumbers, ResolvedDevice } from './bundle-resources.ts';
import type { DeviceSpec, HostConfig } from './record.ts';

/** Below /dev, but not devices of the host: each container has its own. */
const OWN_FOLDERS: ReadonlySet<string> = new Set(['pts', 'shm', 'mqueue', 'fd', '.lxc', '.udev']);
const OWN_NODES: ReadonlySet<string> = new Set([
  '/dev/console',
  '/dev/ptmx',
  '/dev/null',
  '/dev/zero',
  '/dev/full',
  '/dev/random',
  '/dev/urandom',
  '/dev/tty',
]);
const DEPTH_MAX = 8;

/** The devices of this configuration. @throws invalid_argument naming the path that is no device */
export async function devicesOf(config: HostConfig): Promise<readonly ResolvedDevice[]> {
  if (config.Privileged) return allDevices('/dev', '/dev', 'rwm', 0);
  const paths = config.Devices.filter(({ PathOnHost }) => !isCdiName(PathOnHost));
  const lists = await Promise.all(paths.map(resolveDevice));
  return lists.flat();
}

/** Whether an entry of `--device` is a device's name (vendor.com/class=name) and no path. */
export function isCdiName(text: string): boolean {
  return /^[^/=\s]+\/[^/=\s]+=\S+$/.test(text);
}

async function resolveDevice(spec: DeviceSpec): Promise<readonly ResolvedDevice[]> {
  const target = spec.PathInContainer === '' ? spec.PathOnHost : spec.PathInContainer;
  const access = spec.CgroupPermissions === '' ? 'rwm' : spec.CgroupPermissions;
  const info = await stat(spec.PathOnHost).catch((error: unknown) => {
    throw new TswarmError(
      'invalid_argument',
      `error gathering device information while adding custom device "${spec.PathOnHost}": ` +
        (codeOf(error) === 'ENOENT' ? 'no such file or directory' : codeOf(error)),
      { field: 'HostConfig.Devices' },
    );
  });
  if (info.isDirectory()) {
    const found = await allDevices(spec.PathOnHost, target, access, 0);
    if (found.length > 0) return found;
  } else if (info.isBlockDevice() || info.isCharacterDevice()) {
    return [deviceOf(target, info, access)];
  }
  throw new TswarmError(
    'invalid_argument',
    `error gathering device information while adding custom device "${spec.PathOnHost}": not a device node`,
    { field: 'HostConfig.Devices' },
  );
}

async function allDevices(
  source: string,
  target: string,
  access: string,
  depth: number,
): Promise<readonly ResolvedDevice[]> {
  if (depth > DEPTH_MAX) return [];
  const names = await readdir(source).catch(() => []);
  const lists = await Promise.all(
    names.map(async (name): Promise<readonly ResolvedDevice[]> => {
      if (source === '/dev' && OWN_FOLDERS.has(name)) return [];
      const path = join(source, name);
      const inside = join(target, name);
      const info = await lstat(path).catch(() => undefined);
      if (!info || OWN_NODES.has(path)) return [];
      if (info.isDirectory()) return allDevices(path, inside, access, depth + 1);
      if (info.isBlockDevice() || info.isCharacterDevice()) return [deviceOf(inside, info, access)];
      return [];
    }),
  );
  return lists.flat();
}

interface NodeInfo {
  readonly rdev: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  isBlockDevice(): boolean;
}

function deviceOf(path: string, info: NodeInfo, access: string): ResolvedDevice {
  const { major, minor } = splitDevice(info.rdev);
  return {
    path,
    type: info.isBlockDevice() ? 'b' : 'c',
    major,
    minor,
    fileMode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
    access,
  };
}

/** Linux' encoding of a device number (makedev(3)). */
export function splitDevice(rdev: number): { readonly major: number; readonly minor: number } {
  const value = BigInt(rdev);
  return {
    major: Number(((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n)),
    minor: Number((value & 0xffn) | ((value >> 12n) & 0xffffff00n)),
  };
}

/** Numbers of every block device that an I/O limit names. @throws invalid_argument */
export async function blockDevicesOf(config: HostConfig): Promise<DeviceNumbers> {
  const paths = new Set(
    [
      ...config.BlkioWeightDevice,
      ...config.BlkioDeviceReadBps,
      ...config.BlkioDeviceWriteBps,
      ...config.BlkioDeviceReadIOps,
      ...config.BlkioDeviceWriteIOps,
    ].map((entry) => entry.Path),
  );
  const out: Record<string, { major: number; minor: number }> = {};
  for (const path of paths) {
    const info = await stat(path).catch(() => undefined);
    if (!info?.isBlockDevice()) {
      throw new TswarmError('invalid_argument', `block I/O limit: ${path} is not a block device`, {
        field: 'HostConfig.BlkioDevice',
      });
    }
    out[path] = splitDevice(info.rdev);
  }
  return out;
}
