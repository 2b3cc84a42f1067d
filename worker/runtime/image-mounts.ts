// Images that are mounted into a container (`type: image`): their files, read-only, at a target. The images' store mounts them beside the root file
// system and counts them as in use for as long as the container is there; here it is said which they are and where they lie. Invariant: the views of a
// root file system are in the order of the image mounts of its container's record.
import { TswarmError } from '#protocol/errors';
import type { ImageStore } from '../images/types.ts';
import type { MountPoint, MountSpec } from './record.ts';
import { NO_EXTRA } from './record.ts';
import { insideOf } from './subpath.ts';

/** The mount of an image that is here. @throws not_found, invalid_argument */
export function imageMount(
  spec: MountSpec,
  destination: string,
  images: Pick<ImageStore, 'resolve'>,
): MountPoint {
  const source = spec.Source ?? '';
  const field = 'HostConfig.Mounts.Source';
  if (source === '') {
    const message = 'invalid mount config for type "image": field Source must not be empty';
    throw new TswarmError('invalid_argument', message, { field });
  }
  const image = images.resolve(source);
  if (!image) throw new TswarmError('not_found', `No such image: ${source}`, { field });
  return {
    Type: 'image',
    Source: source,
    Destination: destination,
    Mode: '',
    RW: false,
    Propagation: '',
    extra: { ...NO_EXTRA, imageId: image.id, subpath: spec.ImageOptions?.Subpath ?? '' },
  };
}

/** Ids of the images that are mounted, in the order of the views. */
export function mountedImages(mounts: readonly MountPoint[]): readonly string[] {
  return mounts.flatMap(({ Type, extra }) => (Type === 'image' ? [extra.imageId ?? ''] : []));
}

/** The mounts with the places of their images. `viewDirs`: of the container's mounted root file system. @throws invalid_argument */
export async function withViews(
  mounts: readonly MountPoint[],
  viewDirs: readonly string[],
): Promise<readonly MountPoint[]> {
  const views = mounts.filter(({ Type }) => Type === 'image');
  return Promise.all(
    mounts.map(async (mount): Promise<MountPoint> => {
      const dir = viewDirs[views.indexOf(mount)];
      if (dir === undefined) return mount;
      return { ...mount, Source: await insideOf(dir, mount.extra.subpath, mount.Type) };
    }),
  );
}
