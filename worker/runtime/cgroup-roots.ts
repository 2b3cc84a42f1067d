// The folder that holds this node's container cgroups, one per controller on v1. It is made by the runtime with the first container and stays; here it goes
// when the node is taken down. A folder that still has something in it stays.
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeDeps } from './deps.ts';

export async function removeCgroupRoots(
  deps: Pick<RuntimeDeps, 'host' | 'options'>,
): Promise<void> {
  const { host, options } = deps;
  const mounts =
    host.cgroupVersion === 2
      ? ['/sys/fs/cgroup']
      : [...new Set(Object.values(host.cgroupMounts)), '/sys/fs/cgroup/unified'];
  for (const mount of mounts) {
    await rmdir(join(mount, `tswarm-${options.nodeTag}`)).catch(() => undefined);
  }
}
