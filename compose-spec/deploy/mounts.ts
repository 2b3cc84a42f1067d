// What is mounted into a container: `volumes` and `tmpfs`.

import { DOCKER_SOCKET, isDockerSocket } from '#protocol/docker-socket';
import * as specs from '#protocol/generated/specs';
import type { Mount, Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { parseBytes } from '../load/units.ts';
import { isWindowsAbsolute } from '../load/volumes.ts';
import { imageName } from './names.ts';
import { volumeDriver } from './objects.ts';
import type { Problems } from './problems.ts';
import type { ShippedBinds } from './shipped.ts';

interface MountContext {
  readonly problems: Problems;
  readonly binds: ShippedBinds;
  /** Containers may run on other hosts than this one. */
  readonly severalNodes: boolean;
  /** By service key, as far as known. */
  readonly imageIds: Readonly<Record<string, string>>;
}

/** The mounts of service `key`. */
export function planMounts(
  project: Project,
  key: string,
  service: Service,
  more: MountContext,
): specs.Mount[] {
  const { problems, binds } = more;
  const mounts: specs.Mount[] = [];
  for (const [i, mount] of (service.volumes ?? []).entries()) {
    const planned = binds.mounts.has(i)
      ? binds.mounts.get(i)
      : planMount(project, mount, `services.${key}.volumes.${i}`, more);
    if (planned !== undefined) mounts.push(planned);
  }
  if (service.use_api_socket === true && !mounts.some(({ target }) => target === DOCKER_SOCKET)) {
    const source = DOCKER_SOCKET;
    mounts.push(specs.Mount.create({ type: specs.MountType.BIND, source, target: source }));
  }
  for (const [i, text] of (service.tmpfs ?? []).entries()) {
    const planned = planTmpfs(text, `services.${key}.tmpfs.${i}`, problems);
    if (planned !== undefined) mounts.push(planned);
  }
  return mounts;
}

function planMount(
  project: Project,
  mount: Mount,
  path: string,
  more: MountContext,
): specs.Mount | undefined {
  const { problems } = more;
  const { target = '' } = mount;
  if (!target.startsWith('/')) {
    problems.error(
      path,
      `target ${JSON.stringify(target)} is not an absolute path`,
      volumeHint(target),
    );
    return undefined;
  }
  const common = {
    target,
    readOnly: mount.read_only === true,
    consistency: mount.consistency ?? '',
  };
  switch (mount.type) {
    case 'bind':
      return planBind(mount, common, path, more);
    case 'volume':
      return planVolumeMount(project, mount, common);
    case 'tmpfs':
      return specs.Mount.create({
        ...common,
        type: specs.MountType.TMPFS,
        tmpfsOptions: specs.TmpfsOptions.create({
          sizeBytes: mount.tmpfs?.size ?? 0,
          mode: mount.tmpfs?.mode ?? 0,
        }),
      });
    case 'image':
      return planImageMount(mount, common, path, { project, more });
    default:
      refuseType(mount.type ?? '', `${path}.type`, problems);
      return undefined;
  }
}

function volumeHint(target: string): string | undefined {
  return /^\p{L}:\//u.test(target)
    ? `a volume with a one-letter name reads as a drive of Windows; write the long form: source: ${target[0]}, target: ${target.slice(2)}`
    : undefined;
}

type Common = Pick<specs.Mount, 'target' | 'readOnly' | 'consistency'>;

function planBind(
  mount: Mount,
  common: Common,
  path: string,
  { problems, severalNodes }: MountContext,
): specs.Mount | undefined {
  const { source = '', bind } = mount;
  if (!source.startsWith('/')) {
    const reason = isWindowsAbsolute(source) ? 'is a path of Windows' : 'is not an absolute path';
    problems.error(`${path}.source`, `${JSON.stringify(source)} ${reason}`);
    return undefined;
  }
  if (isDockerSocket(source)) {
    problems.notice(path, 'is the socket of the tswarm node on which the container runs');
  }
  if (bind?.selinux !== undefined) {
    problems.notice(path, `option ${bind.selinux} has no effect on hosts without SELinux`);
  }
  const recursive = bind?.recursive;
  return specs.Mount.create({
    ...common,
    type: specs.MountType.BIND,
    source,
    bindOptions: specs.BindOptions.create({
      propagation: bind?.propagation ?? '',
      // Elsewhere a folder that is made on the spot would be an empty one: the node refuses it instead.
      createMountpoint: bind?.create_host_path === true && !severalNodes,
      nonRecursive: recursive === 'disabled',
      readOnlyNonRecursive: recursive === 'writable',
      readOnlyForceRecursive: recursive === 'readonly',
    }),
  });
}

function planVolumeMount(project: Project, mount: Mount, common: Common): specs.Mount {
  const { source } = mount;
  const volume = source === undefined ? undefined : ownValue(project.volumes, source);
  const isExternal = volume?.external === true;
  return specs.Mount.create({
    ...common,
    type: specs.MountType.VOLUME,
    source: volume?.name ?? source ?? '',
    volumeOptions: specs.VolumeOptions.create({
      noCopy: mount.volume?.nocopy === true,
      subpath: mount.volume?.subpath ?? '',
      labels: mount.volume?.labels ?? {},
      driverConfig:
        volume === undefined || isExternal ? undefined : volumeDriver(volume, `volumes.${source}`),
    }),
  });
}

/** The files of an image, which the node gets as it gets the container's own; always read-only. */
function planImageMount(
  mount: Mount,
  common: Common,
  path: string,
  { project, more }: { readonly project: Project; readonly more: MountContext },
): specs.Mount | undefined {
  const { problems } = more;
  const { source = '', image } = mount;
  if (source === '') {
    problems.error(`${path}.source`, 'names no image', 'write source: NAME:TAG');
    return undefined;
  }
  const subpath = image?.subpath ?? '';
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) {
    const hint = 'write it relative to the root of the image, without ..';
    problems.error(`${path}.image.subpath`, `${subpath} does not stay in the image`, hint);
  }
  return specs.Mount.create({
    ...common,
    readOnly: true,
    type: specs.MountType.IMAGE,
    source,
    imageOptions: specs.ImageOptions.create({
      subpath,
      imageId: builtImage(project, source, more),
    }),
  });
}

/** Id of an image that the project builds, so that the node takes that very one from another node; '' = it comes from elsewhere. */
function builtImage(project: Project, name: string, { imageIds }: MountContext): string {
  for (const [key, service] of Object.entries(project.services)) {
    if (service.build === undefined || imageName(project, key, service) !== name) continue;
    const id = ownValue(imageIds, key) ?? '';
    return /^sha256:[0-9a-f]{64}$/.test(id) ? id : '';
  }
  return '';
}

function refuseType(type: string, path: string, problems: Problems): void {
  const reasons: Readonly<Record<string, string>> = {
    npipe: 'named pipes only mean something on Windows',
    cluster: 'volumes of CSI plug-ins are not known here; use a volume with driver_opts',
  };
  problems.unsupported(path, ownValue(reasons, type) ?? `mounts of type ${type}`);
}

/** `/run:size=64m,mode=1777`: what is not size or mode is passed to the mount as it is. */
function planTmpfs(text: string, path: string, problems: Problems): specs.Mount | undefined {
  const colon = text.indexOf(':');
  const target = colon === -1 ? text : text.slice(0, colon);
  if (!target.startsWith('/')) {
    problems.error(path, `${JSON.stringify(target)} is not an absolute path`);
    return undefined;
  }
  let sizeBytes = 0;
  let mode = 0;
  let readOnly = false;
  const flags: string[] = [];
  for (const option of colon === -1 ? [] : text.slice(colon + 1).split(',')) {
    const [name = '', value = ''] = option.split('=', 2);
    if (name === 'size') {
      const size = parseBytes(value);
      if (size.ok) sizeBytes = size.value;
      else problems.error(path, size.message);
    } else if (name === 'mode') {
      if (/^[0-7]+$/.test(value)) mode = Number.parseInt(value, 8);
      else problems.error(path, `mode ${JSON.stringify(value)} is not an octal number`);
    } else if (name === 'ro') readOnly = true;
    else if (name !== 'rw' && name !== '') flags.push(option);
  }
  return specs.Mount.create({
    type: specs.MountType.TMPFS,
    target,
    readOnly,
    tmpfsOptions: specs.TmpfsOptions.create({ sizeBytes, mode, flags }),
  });
}
