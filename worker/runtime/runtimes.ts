// The OCI runtimes of a node by name: its own, and those that are installed where such programs are. A container keeps to the one that it was made with.
import { accessSync, constants } from 'node:fs';
import { basename, join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import type { RuntimeDeps } from './deps.ts';
import type { ContainerRecord, HostConfig } from './record.ts';

const OWN = 'tswarm';
const OWN_PROGRAM = 'tswarm-runtime';
/** Docker's name for what it runs containers with when nobody says otherwise. */
const DOCKER_DEFAULT = 'runc';
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Runtimes with the command line that the shim uses. */
const KNOWN = ['runc', 'crun', 'youki', 'runsc'];

/** Name → path, of the runtimes that this host has. `own`: path of the node's. */
export function findRuntimes(own: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = { [OWN]: own };
  for (const name of KNOWN) {
    const path = FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
    if (path !== undefined) found[name] = path;
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of the runtime of a container. @throws not_supported when the node has none of that name */
export function runtimeOf(
  { Runtime: name }: Pick<HostConfig, 'Runtime'>,
  { runtimes, runtimePath }: Pick<RuntimeDeps['options'], 'runtimes' | 'runtimePath'>,
): string {
  const path = Object.hasOwn(runtimes, name) ? runtimes[name] : undefined;
  if (path !== undefined) return path;
  // Who names docker's default and has no such program gets this node's.
  if (name === '' || name === DOCKER_DEFAULT) return runtimePath;
  throw new TswarmError('not_supported', `unknown or invalid runtime name: ${name}`, {
    field: 'HostConfig.Runtime',
    hint: `This node has ${Object.keys(runtimes).join(', ')}.`,
  });
}

/**
 * Other runtimes follow links in a volume wherever they lead, and know no way to mount a part of it. @throws not_supported when a mount asks for one
 */
export function refuseSubpaths(
  { mounts, hostConfig }: Pick<ContainerRecord, 'mounts' | 'hostConfig'>,
  options: Pick<RuntimeDeps['options'], 'runtimes' | 'runtimePath'>,
): void {
  const path = runtimeOf(hostConfig, options);
  const mount = mounts.find(({ Type, extra }) => Type === 'volume' && extra.subpath !== '');
  if (mount === undefined || basename(path) === OWN_PROGRAM) return;
  throw new TswarmError(
    'not_supported',
    `mount ${mount.Destination}: ${basename(path)} cannot mount the subpath ${mount.extra.subpath} of a volume`,
    {
      field: 'HostConfig.Mounts.VolumeOptions.Subpath',
      hint: 'Mount the whole volume, or run the container with --runtime tswarm.',
    },
  );
}
