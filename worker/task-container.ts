// A task → the container that it owns, in the Engine API's own shapes, so that one path makes all containers and `docker inspect` shows a task's like any
// other. After moby daemon/cluster/executor/container; our extensions (privileged, devices, …) go to the fields that Docker has for them.
import { serviceOfMode, volumesOwner } from '#protocol/companions';
import { isDockerSocket } from '#protocol/docker-socket';
import { TswarmError } from '#protocol/errors';
import type { Network, Task } from '#protocol/generated/objects';
import type { BlockDeviceLimit, ContainerSpec, Mount, PortConfig } from '#protocol/generated/specs';
import {
  AppArmorMode,
  EngineRestart,
  MountType,
  PortProtocol,
  PublishMode,
  SeccompMode,
} from '#protocol/generated/specs';
import { containerNameOf, taskName } from '#protocol/ids';
import type { Companion } from '#worker/agent/types';
import { checkHostConfig, parseHostConfig } from './engine/host-config.ts';
import type { ImageHealthcheck, ImageRecord } from './images/types.ts';
import type { AttachmentRequest } from './network/types.ts';
import type { NewContainer } from './runtime/containers.ts';
import type { RequestedConfig } from './runtime/merge-image.ts';
import { interfaceOf } from './runtime/network-request.ts';
import type { FileReference, HostConfig } from './runtime/record.ts';
import type { TemplateNode } from './template.ts';
import { expandTemplate } from './template.ts';

export interface TaskContext {
  readonly node: TemplateNode;
  /** Assigned networks by id. */
  readonly networks: ReadonlyMap<string, Network>;
  /** Containers of other services on this node whose namespaces it joins. */
  readonly companions: readonly Companion[];
  /** This node's API; '' = as the host has it. */
  readonly engineSocket: string;
}

/** @throws invalid_argument, not_supported: the task is rejected with that text */
export function taskContainer(task: Task, image: ImageRecord, context: TaskContext): NewContainer {
  const spec = task.spec?.containerSpec;
  if (!spec) {
    throw new TswarmError('not_supported', 'TaskSpec.ContainerSpec: only containers can be run');
  }
  const expand = (text: string, field: string): string =>
    expandTemplate(text, task, context.node, task.labels, field);
  const hostConfig = hostConfigOf(task, spec, context, expand);
  checkHostConfig(hostConfig, true);
  return {
    name: containerNameOf(task),
    image,
    imageRef: spec.image,
    config: configOf(task, spec, context, expand),
    hostConfig,
    endpoints: {},
    task: {
      taskId: task.id,
      serviceId: task.serviceId,
      serviceName: task.serviceName,
      slot: task.slot,
      networks: attachmentsOf(task, context),
      links: spec.links,
      files: filesOf(spec),
      managed: true,
    },
  };
}

type Expand = (text: string, field: string) => string;

function configOf(
  task: Task,
  spec: ContainerSpec,
  context: TaskContext,
  expand: Expand,
): RequestedConfig {
  const resources = genericEnv(task);
  const exposed = (task.endpoint?.ports ?? []).map((port) => [portKey(port), {}] as const);
  const health = healthOf(spec);
  const grace = spec.stopGracePeriod;
  return {
    Hostname: expand(spec.hostname, 'ContainerSpec.Hostname'),
    Domainname: spec.domainname,
    User: spec.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(exposed.length > 0 ? { ExposedPorts: Object.fromEntries(exposed) } : {}),
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    StdinOnce: spec.stdinOnce,
    Env: [...spec.env.map((entry) => expand(entry, 'ContainerSpec.Env')), ...resources],
    Cmd: spec.args.length > 0 ? spec.args : null,
    ...(health ? { Healthcheck: health } : {}),
    Image: spec.image,
    Volumes: null,
    WorkingDir: spec.dir,
    Entrypoint: spec.command.length > 0 ? spec.command : spec.entrypointCleared ? [''] : null,
    OnBuild: null,
    Labels: { ...spec.labels, ...swarmLabels(task, context.node.id) },
    ...(spec.stopSignal === '' ? {} : { StopSignal: spec.stopSignal }),
    ...(grace === undefined ? {} : { StopTimeout: Math.ceil(grace / 1e9) }),
    clearCommand: spec.commandCleared,
  };
}

/** DOCKER_RESOURCE_GPU=uuid1,uuid2: one variable per kind, as Swarm names them. */
function genericEnv(task: Task): string[] {
  const byKind = new Map<string, string[]>();
  for (const {
    namedResourceSpec: named,
    discreteResourceSpec: discrete,
  } of task.assignedGenericResources) {
    const kind = (named ?? discrete)?.kind.toUpperCase() ?? '';
    byKind.set(kind, [...(byKind.get(kind) ?? []), String((named ?? discrete)?.value ?? '')]);
  }
  return [...byKind].map(([kind, values]) => `DOCKER_RESOURCE_${kind}=${values.join(',')}`);
}

function swarmLabels(task: Task, nodeId: string): Readonly<Record<string, string>> {
  return {
    'com.docker.swarm.node.id': nodeId,
    'com.docker.swarm.service.id': task.serviceId,
    'com.docker.swarm.service.name': task.serviceName,
    'com.docker.swarm.task': '',
    'com.docker.swarm.task.id': task.id,
    'com.docker.swarm.task.name': taskName(task),
  };
}

function healthOf(spec: ContainerSpec): ImageHealthcheck | undefined {
  const health = spec.healthcheck;
  if (!health) return undefined;
  return {
    ...(health.test.length > 0 ? { Test: health.test } : {}),
    ...(health.interval > 0 ? { Interval: health.interval } : {}),
    ...(health.timeout > 0 ? { Timeout: health.timeout } : {}),
    ...(health.retries > 0 ? { Retries: health.retries } : {}),
    ...(health.startPeriod > 0 ? { StartPeriod: health.startPeriod } : {}),
    ...(health.startInterval > 0 ? { StartInterval: health.startInterval } : {}),
  };
}

function hostConfigOf(
  task: Task,
  spec: ContainerSpec,
  context: TaskContext,
  expand: Expand,
): HostConfig {
  return parseHostConfig({
    NetworkMode: networkModeOf(task, context),
    PortBindings: portBindingsOf(task),
    RestartPolicy: restartPolicyOf(task),
    LogConfig: {
      Type: task.spec?.logDriver?.name ?? '',
      Config: task.spec?.logDriver?.options ?? {},
    },
    Annotations: Object.keys(spec.annotations).length > 0 ? spec.annotations : null,
    CapAdd: orNull(spec.capabilityAdd),
    CapDrop: orNull(spec.capabilityDrop),
    Dns: spec.dnsConfig?.nameservers ?? [],
    DnsSearch: spec.dnsConfig?.search ?? [],
    DnsOptions: spec.dnsConfig?.options ?? [],
    ExtraHosts: orNull(spec.hosts.flatMap(extraHosts)),
    GroupAdd: orNull(spec.groups),
    IpcMode: joined(spec.ipcMode, context),
    PidMode: joined(spec.pidMode, context),
    VolumesFrom: orNull(spec.volumesFrom.map((entry) => volumesOf(entry, context))),
    CgroupnsMode: spec.cgroupnsMode,
    Runtime: spec.ociRuntime,
    ...(Object.keys(spec.storageOpt).length > 0 ? { StorageOpt: spec.storageOpt } : {}),
    DeviceRequests: spec.deviceRequests.map((request) => ({
      Driver: request.driver,
      Count: request.count,
      DeviceIDs: request.deviceIds,
      Capabilities: request.capabilities.length > 0 ? [request.capabilities] : [],
      Options: request.options,
    })),
    UTSMode: spec.utsMode,
    UsernsMode: spec.usernsMode,
    CgroupParent: spec.cgroupParent,
    OomScoreAdj: spec.oomScoreAdj,
    Privileged: spec.privileged,
    ReadonlyRootfs: spec.readOnly,
    SecurityOpt: orNull(securityOptions(spec)),
    ShmSize: spec.shmSize,
    Sysctls: Object.keys(spec.sysctls).length > 0 ? spec.sysctls : null,
    Devices: spec.devices.map((device) => ({
      PathOnHost: device.pathOnHost,
      PathInContainer: device.pathInContainer,
      CgroupPermissions: device.cgroupPermissions,
    })),
    DeviceCgroupRules: orNull(spec.deviceCgroupRules),
    Ulimits: spec.ulimits.map((limit) => ({
      Name: limit.name,
      Soft: limit.soft,
      Hard: limit.hard,
    })),
    Mounts: spec.mounts.map((mount) => mountOf(mount, expand, context.engineSocket)),
    ...(spec.init === undefined ? {} : { Init: spec.init }),
    ...resourcesOf(task),
  });
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length > 0 ? list : null;
}

function resourcesOf(task: Task): Readonly<Record<string, unknown>> {
  const resources = task.spec?.resources;
  if (!resources) return {};
  const { limits, reservations } = resources;
  const memory = limits?.memoryBytes ?? 0;
  const swap = resources.swapBytes;
  return {
    Memory: memory,
    NanoCpus: limits?.nanoCpus ?? 0,
    PidsLimit: limits?.pids ?? 0,
    MemoryReservation: reservations?.memoryBytes ?? 0,
    ...(swap === undefined ? {} : { MemorySwap: swap < 0 ? -1 : memory + swap }),
    ...(resources.memorySwappiness === undefined
      ? {}
      : { MemorySwappiness: resources.memorySwappiness }),
    CpuShares: resources.cpuShares,
    CpusetCpus: resources.cpusetCpus,
    BlkioWeight: resources.blkioWeight,
    ...blockDeviceLimits(resources.blkioDevices),
    ...(resources.oomKillDisable ? { OomKillDisable: true } : {}),
  };
}

function blockDeviceLimits(limits: readonly BlockDeviceLimit[]): Readonly<Record<string, unknown>> {
  const rates = (key: 'readBps' | 'writeBps' | 'readIops' | 'writeIops') =>
    limits.flatMap((one) => (one[key] > 0 ? [{ Path: one.path, Rate: one[key] }] : []));
  return {
    BlkioWeightDevice: limits.flatMap(({ path, weight }) =>
      weight > 0 ? [{ Path: path, Weight: weight }] : [],
    ),
    BlkioDeviceReadBps: rates('readBps'),
    BlkioDeviceWriteBps: rates('writeBps'),
    BlkioDeviceReadIOps: rates('readIops'),
    BlkioDeviceWriteIOps: rates('writeIops'),
  };
}

/** "IP name [alias…]" → one `name:IP` per name. */
function extraHosts(line: string): readonly string[] {
  const [address = '', ...names] = line.trim().split(/\s+/);
  return names.map((name) => `${name}:${address}`);
}

function securityOptions(spec: ContainerSpec): readonly string[] {
  const privileges = spec.privileges;
  const out: string[] = [];
  if (privileges?.noNewPrivileges) out.push('no-new-privileges');
  const seccomp = privileges?.seccomp;
  if (seccomp?.mode === SeccompMode.UNCONFINED) out.push('seccomp=unconfined');
  if (seccomp?.mode === SeccompMode.CUSTOM) {
    out.push(`seccomp=${new TextDecoder().decode(seccomp.profile)}`);
  }
  if (privileges?.appArmor?.mode === AppArmorMode.DISABLED) out.push('apparmor=unconfined');
  else if (privileges?.appArmor?.profile) out.push(`apparmor=${privileges.appArmor.profile}`);
  const { disable = false, ...label } = privileges?.selinuxContext ?? {};
  if (disable) out.push('label=disable');
  for (const [part, text] of Object.entries(label))
    if (text !== '') out.push(`label=${part}:${text}`);
  if (privileges?.unconfinedSystemPaths) out.push('systempaths=unconfined');
  return out;
}

const MOUNT_TYPES: Readonly<Partial<Record<MountType, string>>> = {
  [MountType.BIND]: 'bind',
  [MountType.VOLUME]: 'volume',
  [MountType.TMPFS]: 'tmpfs',
  [MountType.IMAGE]: 'image',
};

function mountOf(
  mount: Mount,
  expand: Expand,
  engineSocket: string,
): Readonly<Record<string, unknown>> {
  const type = MOUNT_TYPES[mount.type];
  if (type === undefined) {
    throw new TswarmError(
      'not_supported',
      'ContainerSpec.Mounts.Type: only bind, volume, tmpfs, image',
      {
        field: 'ContainerSpec.Mounts.Type',
      },
    );
  }
  const isSocket = engineSocket !== '' && type === 'bind' && isDockerSocket(mount.source);
  const { bindOptions: bind, volumeOptions: volume, tmpfsOptions: tmpfs } = mount;
  const { imageOptions: image } = mount;
  return {
    Type: type,
    Source: isSocket
      ? engineSocket
      : image?.imageId || expand(mount.source, 'ContainerSpec.Mounts.Source'),
    Target: expand(mount.target, 'ContainerSpec.Mounts.Target'),
    ReadOnly: mount.readOnly,
    Consistency: mount.consistency,
    ...(image ? { ImageOptions: { Subpath: image.subpath } } : {}),
    ...(bind
      ? {
          BindOptions: {
            Propagation: bind.propagation,
            NonRecursive: bind.nonRecursive,
            CreateMountpoint: bind.createMountpoint,
            ReadOnlyNonRecursive: bind.readOnlyNonRecursive,
            ReadOnlyForceRecursive: bind.readOnlyForceRecursive,
          },
        }
      : {}),
    ...(volume
      ? {
          VolumeOptions: {
            NoCopy: volume.noCopy,
            Labels: volume.labels,
            Subpath: volume.subpath,
            ...(volume.driverConfig
              ? {
                  DriverConfig: {
                    Name: volume.driverConfig.name,
                    Options: volume.driverConfig.options,
                  },
                }
              : {}),
          },
        }
      : {}),
    ...(tmpfs
      ? {
          TmpfsOptions: {
            SizeBytes: tmpfs.sizeBytes,
            Mode: tmpfs.mode,
            Options: tmpfs.flags.map((flag) => flag.split('=')),
          },
        }
      : {}),
  };
}

const RESTARTS: Readonly<Record<EngineRestart, string>> = {
  [EngineRestart.NO]: 'no',
  [EngineRestart.ALWAYS]: 'always',
  [EngineRestart.UNLESS_STOPPED]: 'unless-stopped',
  [EngineRestart.ON_FAILURE]: 'on-failure',
};

/** Shown only: the agent restarts a task's container. */
function restartPolicyOf(task: Task): Readonly<Record<string, unknown>> {
  const policy = task.spec?.engineRestart;
  if (!policy) return { Name: 'no', MaximumRetryCount: 0 };
  const retries = policy.name === EngineRestart.ON_FAILURE ? policy.maximumRetryCount : 0;
  return { Name: RESTARTS[policy.name], MaximumRetryCount: retries };
}

const PROTOCOLS: Readonly<Record<PortProtocol, string>> = {
  [PortProtocol.TCP]: 'tcp',
  [PortProtocol.UDP]: 'udp',
  [PortProtocol.SCTP]: 'sctp',
};

function portKey(port: PortConfig): string {
  return `${port.targetPort}/${PROTOCOLS[port.protocol]}`;
}

/** Host-mode ports only: ingress ports belong to the service, not to this container. */
function portBindingsOf(task: Task): Readonly<Record<string, unknown>> {
  const out: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of task.endpoint?.ports ?? []) {
    if (port.publishMode !== PublishMode.HOST) continue;
    const list = out[portKey(port)] ?? [];
    list.push({
      HostIp: port.hostIp,
      HostPort: hostPortOf(port),
    });
    out[portKey(port)] = list;
  }
  return out;
}

/** As Docker writes it: a number, a range of which one is taken, '' = any. */
function hostPortOf({ publishedPort, publishedFirst, publishedLast }: PortConfig): string {
  if (publishedPort > 0) return String(publishedPort);
  return publishedFirst > 0 ? `${publishedFirst}-${publishedLast}` : '';
}

/** `service:NAME` as Docker writes it: the container of that service which stands beside this one. */
function joined(mode: string, { companions }: TaskContext): string {
  const name = serviceOfMode(mode);
  if (name === '') return mode;
  const companion = companions.find(({ service }) => service === name);
  if (companion) return `container:${companion.containerId}`;
  throw new TswarmError('failed_precondition', `no container of service ${name} is on this node`);
}

/** The container whose mounts are had as well, as Docker writes it: `ID`, `ID:ro`. */
function volumesOf(entry: string, context: TaskContext): string {
  const { mode, access } = volumesOwner(entry);
  const container = joined(mode, context).replace(/^container:/, '');
  return access === '' ? container : `${container}:${access}`;
}

/** `host` and `none` are networks by name in the cluster and modes here. */
function networkModeOf(task: Task, context: TaskContext): string {
  const mode = task.spec?.containerSpec?.networkMode ?? '';
  if (mode !== '') return joined(mode, context);
  const ids = [
    ...task.networkAttachments.map((attachment) => attachment.networkId),
    ...(task.spec?.networks ?? []).map((network) => network.target),
  ];
  for (const id of ids) {
    if (id === 'host' || id === 'none') return id;
    const network = context.networks.get(id);
    const driver = network?.spec?.driverConfig?.name;
    if (driver === 'host') return 'host';
    if (driver === 'null' || driver === 'none') return 'none';
  }
  return task.networkAttachments[0]?.networkId ?? 'default';
}

function attachmentsOf(task: Task, context: TaskContext): readonly AttachmentRequest[] {
  const mode = networkModeOf(task, context);
  if (mode === 'host' || mode === 'none') return [];
  return task.networkAttachments.map((attachment) => {
    const asked = task.spec?.networks.find((entry) => entry.target === attachment.networkId);
    return {
      networkId: attachment.networkId,
      addresses: attachment.addresses,
      aliases: attachment.aliases,
      gwPriority: asked?.gwPriority ?? 0,
      macAddress: asked?.macAddress ?? '',
      ...interfaceOf(asked?.driverOpts ?? {}, asked?.linkLocalIps ?? []),
    };
  });
}

function filesOf(spec: ContainerSpec): readonly FileReference[] {
  const secrets = spec.secrets.map((reference): FileReference => {
    const name = reference.file?.name ?? reference.secretName;
    return {
      kind: 'secret',
      id: reference.secretId,
      name: reference.secretName,
      target: name.startsWith('/') ? name : `/run/secrets/${name}`,
      uid: userNumber(reference.file?.uid, reference.secretName),
      gid: userNumber(reference.file?.gid, reference.secretName),
      mode: reference.file?.mode || 0o444,
    };
  });
  const configs = spec.configs.map((reference): FileReference => {
    const name = reference.file?.name ?? reference.configName;
    return {
      kind: 'config',
      id: reference.configId,
      name: reference.configName,
      target: name.startsWith('/') ? name : `/${name}`,
      uid: userNumber(reference.file?.uid, reference.configName),
      gid: userNumber(reference.file?.gid, reference.configName),
      mode: reference.file?.mode || 0o444,
    };
  });
  return [...secrets, ...configs];
}

function userNumber(text: string | undefined, name: string): number {
  if (text === undefined || text === '') return 0;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 0x7fffffff) return number;
  throw new TswarmError(
    'invalid_argument',
    `${name}: owner "${text}" must be a number (the names are not known outside the container)`,
    { field: 'File.UID' },
  );
}
