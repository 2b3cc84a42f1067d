// What a container specification may say. Checked once, here, so that a node is never sent what it
// could only reject; what depends on the node (sysctls, capabilities, whether a bind source exists)
// is its business. Texts as in swarmkit manager/controlapi/service.go.
import {
  type ContainerSpec,
  type HealthConfig,
  type Mount,
  MountType,
  type Resources,
  type TaskSpec,
} from '#protocol/generated/specs';
import { checkVolumeName, invalid, quote } from './validate-names.ts';

const FIELD = 'TaskTemplate.ContainerSpec';
const NANO_CPUS_MIN = 1e6;
const MEMORY_BYTES_MIN: number = 4 * 1024 * 1024;
const HEALTH_NANOS_MIN = 1e6;
const OOM_SCORE_MAX = 1000;

// One path component, a tag, and a digest of the distribution specification's reference grammar.
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const DOMAIN =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?';
const IMAGE = new RegExp(
  `^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::[\\w][\\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);
const IMAGE_ID = /^(?:sha256:)?[0-9a-f]{64}$/;
const IMAGE_CHARS_MAX = 512;

export function checkContainer(container: ContainerSpec | undefined): void {
  if (!container) throw invalid(FIELD, 'ContainerSpec: missing in service spec');
  checkImage(container.image);
  if (container.imageId !== '' && !/^sha256:[0-9a-f]{64}$/.test(container.imageId)) {
    throw invalid(`${FIELD}.ImageID`, 'ImageID: expected sha256:<64 hex digits>');
  }
  checkMounts(container.mounts);
  checkHealth(container.healthcheck);
  for (const entry of container.env) {
    if (entry === '' || entry.startsWith('=')) {
      throw invalid(`${FIELD}.Env`, `invalid environment variable: ${quote(entry)}`);
    }
  }
  if ((container.stopGracePeriod ?? 0) < 0) {
    throw invalid(
      `${FIELD}.StopGracePeriod`,
      'ContainerSpec: stop grace period cannot be negative',
    );
  }
  if (Math.abs(container.oomScoreAdj) > OOM_SCORE_MAX) {
    throw invalid(
      `${FIELD}.OomScoreAdj`,
      `invalid OOM score ${container.oomScoreAdj}, range [-1000, 1000]`,
    );
  }
  checkHostParts(container);
  if (container.shmSize < 0) throw invalid(`${FIELD}.ShmSize`, 'ShmSize cannot be negative');
  for (const limit of container.ulimits) {
    if (limit.hard >= 0 && (limit.soft > limit.hard || limit.soft < 0)) {
      throw invalid(
        `${FIELD}.Ulimits`,
        `ulimit ${limit.name}: soft limit ${limit.soft} is above the hard limit ${limit.hard}`,
      );
    }
  }
}

/** What each namespace may be: a service's task shares it with its node, with nobody, or with another container of its node. */
const NAMESPACES = {
  NetworkMode: ['', 'service:NAME', 'container:NAME'],
  IpcMode: ['', 'none', 'private', 'shareable', 'host', 'service:NAME', 'container:NAME'],
  PidMode: ['', 'host', 'service:NAME', 'container:NAME'],
  UtsMode: ['', 'host'],
  UsernsMode: ['', 'host'],
  CgroupnsMode: ['', 'private', 'host'],
} as const;

/** `service:web` as the table has it. */
function modeKind(mode: string): string {
  return mode.replace(/^(service|container):.+$/, '$1:NAME');
}

/** What a container gets of its host. Whether a device is there only its node knows. */
function checkHostParts(container: ContainerSpec): void {
  const modes: Readonly<Record<keyof typeof NAMESPACES, string>> = {
    NetworkMode: container.networkMode,
    CgroupnsMode: container.cgroupnsMode,
    IpcMode: container.ipcMode,
    PidMode: container.pidMode,
    UtsMode: container.utsMode,
    UsernsMode: container.usernsMode,
  };
  for (const [name, known] of Object.entries(NAMESPACES)) {
    const mode = modes[name as keyof typeof NAMESPACES];
    if ((known as readonly string[]).includes(modeKind(mode))) continue;
    throw invalid(
      `${FIELD}.${name}`,
      `ContainerSpec: ${name} ${quote(mode)} is not supported for services`,
      `It is one of: ${known.filter((one) => one !== '').join(', ')}.`,
    );
  }
  for (const entry of container.volumesFrom) {
    if (/^(service|container):[^:]+(:ro|:rw)?$/.test(entry)) continue;
    throw invalid(
      `${FIELD}.VolumesFrom`,
      `ContainerSpec: ${quote(entry)} is no container to have volumes from`,
      'Write service:NAME or container:NAME, and :ro behind it where they are only read.',
    );
  }
  for (const { pathOnHost, pathInContainer, cgroupPermissions } of container.devices) {
    if (
      !pathOnHost.startsWith('/') ||
      (pathInContainer !== '' && !pathInContainer.startsWith('/'))
    ) {
      throw invalid(`${FIELD}.Devices`, `device ${quote(pathOnHost)}: paths must be absolute`);
    }
    if (!/^[rwm]{0,3}$/.test(cgroupPermissions)) {
      throw invalid(
        `${FIELD}.Devices`,
        `device ${quote(pathOnHost)}: permissions ${quote(cgroupPermissions)} are not of r, w and m`,
      );
    }
  }
  for (const rule of container.deviceCgroupRules) {
    if (!/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule)) {
      throw invalid(
        `${FIELD}.DeviceCgroupRules`,
        `invalid device cgroup rule format: ${quote(rule)}`,
        'Write it like "c 10:200 rwm".',
      );
    }
  }
}

function checkImage(image: string): void {
  if (image === '') {
    throw invalid(`${FIELD}.Image`, 'ContainerSpec: image reference must be provided');
  }
  if (image.length > IMAGE_CHARS_MAX || !(IMAGE.test(image) || IMAGE_ID.test(image))) {
    throw invalid(`${FIELD}.Image`, `ContainerSpec: ${quote(image)} is not a valid repository/tag`);
  }
}

function checkMounts(mounts: readonly Mount[]): void {
  const field = `${FIELD}.Mounts`;
  const targets = new Set<string>();
  for (const mount of mounts) {
    if (mount.target === '') throw invalid(field, 'ContainerSpec: a mount has no target');
    if (!mount.target.startsWith('/')) {
      throw invalid(
        field,
        `invalid mount target, must be an absolute path in the container: ${quote(mount.target)}`,
      );
    }
    const target = mount.target.replace(/\/+$/, '') || '/';
    if (target === '/') throw invalid(field, "invalid specification: destination can't be '/'");
    if (targets.has(target))
      throw invalid(field, `ContainerSpec: duplicate mount point: ${mount.target}`);
    targets.add(target);
    checkMountSource(mount, field);
  }
}

function checkMountSource(mount: Mount, field: string): void {
  switch (mount.type) {
    case MountType.BIND:
      if (!mount.source.startsWith('/')) {
        throw invalid(
          field,
          `invalid bind mount source, must be an absolute path: ${quote(mount.source)}`,
        );
      }
      return;
    case MountType.VOLUME:
      // An empty source is an anonymous volume; a template is filled in on the node.
      if (mount.source !== '' && !mount.source.includes('{{')) checkVolumeName(mount.source, field);
      return;
    case MountType.TMPFS:
      if (mount.source !== '') throw invalid(field, `mount ${mount.target}: a tmpfs has no source`);
      return;
    case MountType.IMAGE:
      if (mount.source === '')
        throw invalid(field, `mount ${mount.target}: an image mount needs the image as its source`);
      return;
    default:
      throw invalid(
        field,
        `mount ${mount.target}: this type of mount is not supported for services`,
        'Use bind, volume, tmpfs or image.',
      );
  }
}

function checkHealth(health: HealthConfig | undefined): void {
  if (!health) return;
  const field = `${FIELD}.Healthcheck`;
  const durations = {
    Interval: health.interval,
    Timeout: health.timeout,
    StartPeriod: health.startPeriod,
    StartInterval: health.startInterval,
  };
  for (const [name, nanos] of Object.entries(durations)) {
    if (nanos !== 0 && nanos < HEALTH_NANOS_MIN) {
      throw invalid(
        `${field}.${name}`,
        `ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`,
      );
    }
  }
  if (health.retries < 0) {
    throw invalid(
      `${field}.Retries`,
      'ContainerSpec: Retries in HealthConfig cannot be less than 0',
    );
  }
  const [kind = 'NONE', command] = health.test;
  if (!['NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    throw invalid(
      `${field}.Test`,
      `unknown healthcheck ${quote(kind)}`,
      'It begins with NONE, CMD or CMD-SHELL.',
    );
  }
  if (kind !== 'NONE' && command === undefined) {
    throw invalid(`${field}.Test`, `healthcheck ${kind} has no command`);
  }
}

export function checkResources(template: TaskSpec): void {
  const field = 'TaskTemplate.Resources';
  const { limits, reservations } = template.resources ?? {};
  if (limits) checkAmounts(limits, `${field}.Limits`);
  if (reservations) checkAmounts(reservations, `${field}.Reservations`);
  const shares = template.resources?.cpuShares ?? 0;
  if (shares !== 0 && (shares < 2 || shares > 262_144)) {
    throw invalid(`${field}.CpuShares`, `invalid cpu shares ${shares}: 2 to 262144`);
  }
  const weight = template.resources?.blkioWeight ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw invalid(`${field}.BlkioWeight`, `invalid io weight ${weight}: 10 to 1000`);
  }
  const cpus = template.resources?.cpusetCpus ?? '';
  if (!/^(\d+(-\d+)?(,\d+(-\d+)?)*)?$/.test(cpus)) {
    throw invalid(`${field}.CpusetCpus`, `invalid cpu set ${quote(cpus)}`, 'Write it like 0-2,4.');
  }
  checkGeneric(reservations, `${field}.Reservations`);
  if ((limits?.genericResources.length ?? 0) > 0) {
    throw invalid(
      `${field}.Limits.GenericResources`,
      'generic resources can only be reserved, not limited',
    );
  }
  const swappiness = template.resources?.memorySwappiness ?? -1;
  if (swappiness < -1 || swappiness > 100) {
    throw invalid(`${field}.MemorySwappiness`, `invalid swappiness ${swappiness}: -1 to 100`);
  }
}

/** One request per kind, as the node's list of it is one; counts of at least 1. */
function checkGeneric(reservations: Resources | undefined, field: string): void {
  const kinds = new Set<string>();
  for (const resource of reservations?.genericResources ?? []) {
    const { namedResourceSpec: named, discreteResourceSpec: discrete } = resource;
    const kind = (named ?? discrete)?.kind ?? '';
    const isValid = kind !== '' && (named ? named.value !== '' : (discrete?.value ?? 0) >= 1);
    if (!isValid || (named && discrete)) {
      throw invalid(`${field}.GenericResources`, `invalid generic resource of kind ${quote(kind)}`);
    }
    const key = named ? `${kind}=${named.value}` : kind;
    if (kinds.has(key)) {
      throw invalid(
        `${field}.GenericResources`,
        `generic resource ${quote(key)} is asked for twice`,
      );
    }
    kinds.add(key);
  }
}

function checkAmounts(amounts: Resources, field: string): void {
  if (amounts.nanoCpus !== 0 && amounts.nanoCpus < NANO_CPUS_MIN) {
    throw invalid(
      `${field}.NanoCPUs`,
      `invalid cpu value ${amounts.nanoCpus / 1e9}: Must be at least 0.001`,
    );
  }
  if (amounts.memoryBytes !== 0 && amounts.memoryBytes < MEMORY_BYTES_MIN) {
    throw invalid(
      `${field}.MemoryBytes`,
      `invalid memory value ${amounts.memoryBytes}: Must be at least 4MiB`,
    );
  }
  if (amounts.pids < 0)
    throw invalid(`${field}.Pids`, `invalid pids limit ${amounts.pids}: Must not be negative`);
}
