// The files of a container that is being made: its mounts, with the volumes that they need, and its root file system, which has to know which images
// are among them. What is made here for a create that fails is taken away again by the caller (removal.ts).
import type { RuntimeDeps } from './deps.ts';
import { mountedImages } from './image-mounts.ts';
import type { VolumeMaker } from './mount-points.ts';
import { mountPointsOf } from './mount-points.ts';
import type { ContainerConfig, HostConfig, MountPoint } from './record.ts';

/** Makes volumes and root file system of container `id`. @returns its mounts */
export async function prepareFiles(
  id: string,
  wanted: {
    readonly config: ContainerConfig;
    readonly hostConfig: HostConfig;
    readonly imageId: string;
  },
  deps: RuntimeDeps,
): Promise<readonly MountPoint[]> {
  const { table, images } = deps;
  const { hostConfig, imageId } = wanted;
  const volumes = volumesFor(id, deps);
  const making = mountPointsOf(wanted.config, hostConfig, { table, images, volumes });
  const hasViews = (hostConfig.Mounts ?? []).some(({ Type }) => Type === 'image');
  if (hasViews || hostConfig.VolumesFrom !== null) {
    const mounts = await making;
    await images.prepareRootfs(id, imageId, mountedImages(mounts));
    return mounts;
  }
  const [mounts] = await Promise.all([making, images.prepareRootfs(id, imageId)]);
  return mounts;
}

/** Anonymous volumes are noted before they are made, so that a create that is cut short leaves none. */
function volumesFor(id: string, { volumes, files }: RuntimeDeps): VolumeMaker {
  return {
    create: (volume) =>
      volumes.create({ ...volume, announce: (name) => files.noteVolume(id, name) }),
    mountpoint: (name) => volumes.mountpoint(name),
  };
}
