// The folder that holds this node's container cgroups, one per controller on v1. It is made by the runtime with the first container and stays; here it goes
// when the node is taken down. A folder that still has something in it stays.
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeDeps } from './deps.ts';

type HostAndOptions = Pick<RuntimeDeps, 'host' | 'options'>;

export async function removeCgroupRoots(deps: HostAndOptions): Promise<void> {
  for (const folder of cgroupRoots(deps)) await rmdir(folder).catch(() => undefined);
}

/** This node's folder in each hierarchy; those of controllers that no container has used are not there. */
export function cgroupRoots({ host, options }: HostAndOptions): readonly string[] {
  return cgroupMounts(host).map((mount) => join(mount, `tswarm-${options.nodeTag}`));
}

/** Where the hierarchies are mounted, that of v2 beside those of v1 too. */
export function cgroupMounts(host: RuntimeDeps['host']): readonly string[] {
  if (host.cgroupVersion === 2) return ['/sys/fs/cgroup'];
  return [...new Set([...Object.values(host.cgroupMounts), '/sys/fs/cgroup/unified'])];
}
