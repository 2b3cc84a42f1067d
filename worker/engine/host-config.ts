// `HostConfig` of a create request: read, completed with defaults, checked. What this engine cannot do is refused by name rather than ignored;
// what has no meaning on Linux is ignored as Docker ignores it.
import { cpus } from 'node:os';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { MEMORY_LIMIT_BYTES_MIN, SHM_BYTES_DEFAULT } from '../limits.ts';
import { parseDeviceRequests } from '../runtime/device-requests.ts';
import type {
  DeviceSpec,
  HostConfig,
  MountSpec,
  PortBinding,
  RestartPolicySpec,
  ThrottleDevice,
  UlimitSpec,
  WeightDevice,
} from '../runtime/record.ts';
import { cpusetRefusal, onlineList } from './cpuset.ts';
import { Body } from './json.ts';

/** Everything at its default. */
export function defaultHostConfig(): HostConfig {
  return parseHostConfig({});
}

/** @throws invalid_argument, not_supported; the field is named */
export function parseHostConfig(value: EngineJson): HostConfig {
  const body = new Body(value, 'HostConfig');
  const annotations = body.textMap('Annotations');
  const sysctls = body.textMap('Sysctls');
  const tmpfs = body.textMap('Tmpfs');
  const storage = body.textMap('StorageOpt');
  const mounts = body.has('Mounts') ? body.bodies('Mounts').map(mountSpec) : undefined;
  const init = body.optionalFlag('Init');
  const log = body.body('LogConfig');
  return {
    Binds: body.texts('Binds'),
    ContainerIDFile: body.text('ContainerIDFile'),
    LogConfig: {
      Type: log?.text('Type') || 'json-file',
      Config: log?.textMap('Config') ?? {},
    },
    NetworkMode: body.text('NetworkMode') || 'default',
    PortBindings: portBindings(body),
    RestartPolicy: restartPolicy(body),
    AutoRemove: body.flag('AutoRemove'),
    VolumeDriver: body.text('VolumeDriver'),
    VolumesFrom: body.texts('VolumesFrom'),
    ConsoleSize: (body.list('ConsoleSize') ?? [0, 0]).map(Number),
    ...(annotations ? { Annotations: annotations } : {}),
    CapAdd: body.texts('CapAdd'),
    CapDrop: body.texts('CapDrop'),
    CgroupnsMode: body.text('CgroupnsMode'),
    Dns: body.texts('Dns') ?? [],
    DnsOptions: body.texts('DnsOptions') ?? [],
    DnsSearch: body.texts('DnsSearch') ?? [],
    ExtraHosts: body.texts('ExtraHosts'),
    GroupAdd: body.texts('GroupAdd'),
    IpcMode: body.text('IpcMode') || 'private',
    Cgroup: body.text('Cgroup'),
    Links: body.texts('Links'),
    OomScoreAdj: body.number('OomScoreAdj'),
    PidMode: body.text('PidMode'),
    Privileged: body.flag('Privileged'),
    PublishAllPorts: body.flag('PublishAllPorts'),
    ReadonlyRootfs: body.flag('ReadonlyRootfs'),
    SecurityOpt: body.texts('SecurityOpt'),
    ...(storage ? { StorageOpt: storage } : {}),
    ...(tmpfs ? { Tmpfs: tmpfs } : {}),
    UTSMode: body.text('UTSMode'),
    UsernsMode: body.text('UsernsMode'),
    ShmSize: body.number('ShmSize') || SHM_BYTES_DEFAULT,
    ...(sysctls ? { Sysctls: sysctls } : {}),
    Runtime: body.text('Runtime'),
    Isolation: body.text('Isolation'),
    ...resources(body),
    ...(mounts ? { Mounts: mounts } : {}),
    MaskedPaths: body.texts('MaskedPaths'),
    ReadonlyPaths: body.texts('ReadonlyPaths'),
    ...(init === null ? {} : { Init: init }),
  };
}

type ResourceKey =
  | 'CpuShares'
  | 'Memory'
  | 'NanoCpus'
  | 'CgroupParent'
  | 'BlkioWeight'
  | 'BlkioWeightDevice'
  | 'BlkioDeviceReadBps'
  | 'BlkioDeviceWriteBps'
  | 'BlkioDeviceReadIOps'
  | 'BlkioDeviceWriteIOps'
  | 'CpuPeriod'
  | 'CpuQuota'
  | 'CpuRealtimePeriod'
  | 'CpuRealtimeRuntime'
  | 'CpusetCpus'
  | 'CpusetMems'
  | 'Devices'
  | 'DeviceCgroupRules'
  | 'DeviceRequests'
  | 'KernelMemory'
  | 'KernelMemoryTCP'
  | 'MemoryReservation'
  | 'MemorySwap'
  | 'MemorySwappiness'
  | 'OomKillDisable'
  | 'PidsLimit'
  | 'Ulimits'
  | 'CpuCount'
  | 'CpuPercent'
  | 'IOMaximumIOps'
  | 'IOMaximumBandwidth';

function resources(body: Body): Pick<HostConfig, ResourceKey> {
  const memory = body.number('Memory');
  const swap = body.number('MemorySwap');
  return {
    CpuShares: body.number('CpuShares'),
    Memory: memory,
    NanoCpus: body.number('NanoCpus'),
    CgroupParent: body.text('CgroupParent'),
    BlkioWeight: body.number('BlkioWeight'),
    BlkioWeightDevice: body
      .bodies('BlkioWeightDevice')
      .map((item): WeightDevice => ({ Path: item.text('Path'), Weight: item.number('Weight') })),
    BlkioDeviceReadBps: throttles(body, 'BlkioDeviceReadBps'),
    BlkioDeviceWriteBps: throttles(body, 'BlkioDeviceWriteBps'),
    BlkioDeviceReadIOps: throttles(body, 'BlkioDeviceReadIOps'),
    BlkioDeviceWriteIOps: throttles(body, 'BlkioDeviceWriteIOps'),
    CpuPeriod: body.number('CpuPeriod'),
    CpuQuota: body.number('CpuQuota'),
    CpuRealtimePeriod: body.number('CpuRealtimePeriod'),
    CpuRealtimeRuntime: body.number('CpuRealtimeRuntime'),
    CpusetCpus: body.text('CpusetCpus'),
    CpusetMems: body.text('CpusetMems'),
    Devices: body.bodies('Devices').map(
      (item): DeviceSpec => ({
        PathOnHost: item.text('PathOnHost'),
        PathInContainer: item.text('PathInContainer'),
        CgroupPermissions: item.text('CgroupPermissions') || 'rwm',
      }),
    ),
    DeviceCgroupRules: body.texts('DeviceCgroupRules'),
    DeviceRequests: body.list('DeviceRequests'),
    KernelMemory: body.number('KernelMemory'),
    KernelMemoryTCP: body.number('KernelMemoryTCP'),
    MemoryReservation: body.number('MemoryReservation'),
    // As Docker: with a memory limit and nothing said about swap, as much swap again.
    MemorySwap: memory > 0 && swap === 0 ? memory * 2 : swap,
    MemorySwappiness: swappiness(body),
    OomKillDisable: body.optionalFlag('OomKillDisable'),
    PidsLimit: body.optionalNumber('PidsLimit') || null,
    Ulimits: body.bodies('Ulimits').map(
      (item): UlimitSpec => ({
        Name: item.text('Name'),
        Soft: item.number('Soft'),
        Hard: item.number('Hard'),
      }),
    ),
    CpuCount: body.number('CpuCount'),
    CpuPercent: body.number('CpuPercent'),
    IOMaximumIOps: body.number('IOMaximumIOps'),
    IOMaximumBandwidth: body.number('IOMaximumBandwidth'),
  };
}

/** -1 is how the command line says "not set". */
function swappiness(body: Body): number | null {
  const value = body.optionalNumber('MemorySwappiness');
  return value === -1 ? null : value;
}

function throttles(body: Body, name: string): readonly ThrottleDevice[] {
  return body.bodies(name).map((item) => ({ Path: item.text('Path'), Rate: item.number('Rate') }));
}

function portBindings(body: Body): HostConfig['PortBindings'] {
  const map = body.map('PortBindings') ?? {};
  const out: Record<string, readonly PortBinding[]> = {};
  for (const [key, value] of Object.entries(map)) {
    const list =
      value === null ? [] : new Body({ list: value }, 'HostConfig.PortBindings').bodies('list');
    out[key.includes('/') ? key : `${key}/tcp`] = list.map((item) => ({
      HostIp: item.text('HostIp'),
      HostPort: String(item.raw('HostPort') ?? ''),
    }));
  }
  return out;
}

const RESTART_NAMES: ReadonlySet<string> = new Set([
  '',
  'no',
  'always',
  'unless-stopped',
  'on-failure',
]);

function restartPolicy(body: Body): RestartPolicySpec {
  const policy = body.body('RestartPolicy');
  const Name = policy?.text('Name') ?? '';
  const MaximumRetryCount = policy?.number('MaximumRetryCount') ?? 0;
  if (!RESTART_NAMES.has(Name)) {
    throw new TswarmError(
      'invalid_argument',
      `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      { field: 'HostConfig.RestartPolicy.Name' },
    );
  }
  if (MaximumRetryCount !== 0 && Name !== 'on-failure') {
    throw new TswarmError(
      'invalid_argument',
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
      { field: 'HostConfig.RestartPolicy.MaximumRetryCount' },
    );
  }
  if (MaximumRetryCount < 0) {
    throw new TswarmError(
      'invalid_argument',
      'invalid restart policy: maximum retry count cannot be negative',
      { field: 'HostConfig.RestartPolicy.MaximumRetryCount' },
    );
  }
  return { Name: Name === '' ? 'no' : Name, MaximumRetryCount };
}

function mountSpec(body: Body): MountSpec {
  const bind = body.body('BindOptions');
  const volume = body.body('VolumeOptions');
  const image = body.body('ImageOptions');
  const tmpfs = body.body('TmpfsOptions');
  const driver = volume?.body('DriverConfig');
  return {
    Type: body.text('Type'),
    Source: body.text('Source'),
    Target: body.text('Target') || body.text('Destination'),
    ReadOnly: body.flag('ReadOnly'),
    Consistency: body.text('Consistency'),
    ...(bind
      ? {
          BindOptions: {
            Propagation: bind.text('Propagation'),
            NonRecursive: bind.flag('NonRecursive'),
            CreateMountpoint: bind.flag('CreateMountpoint'),
            ReadOnlyNonRecursive: bind.flag('ReadOnlyNonRecursive'),
            ReadOnlyForceRecursive: bind.flag('ReadOnlyForceRecursive'),
          },
        }
      : {}),
    ...(volume
      ? {
          VolumeOptions: {
            NoCopy: volume.flag('NoCopy'),
            Labels: volume.textMap('Labels') ?? {},
            Subpath: volume.text('Subpath'),
            ...(driver
              ? {
                  DriverConfig: {
                    Name: driver.text('Name'),
                    Options: driver.textMap('Options') ?? {},
                  },
                }
              : {}),
          },
        }
      : {}),
    ...(image ? { ImageOptions: { Subpath: image.text('Subpath') } } : {}),
    ...(tmpfs
      ? {
          TmpfsOptions: {
            SizeBytes: tmpfs.number('SizeBytes'),
            Mode: tmpfs.number('Mode'),
            Options: (tmpfs.list('Options') ?? []).map((pair) =>
              Array.isArray(pair) ? pair.map(String) : [String(pair)],
            ),
          },
        }
      : {}),
  };
}

const CPUSETS = [
  ['cpus', 'CpusetCpus'],
  ['mems', 'CpusetMems'],
] as const;

/**
 * `isTask`: a service's limit may be above what this node has, because its tasks go to nodes of all sizes.
 * @throws invalid_argument, not_supported for values that no container may have
 */
export function checkHostConfig(config: HostConfig, isTask = false): void {
  const bad = (field: string, message: string): never => {
    throw new TswarmError('invalid_argument', message, { field: `HostConfig.${field}` });
  };
  if (config.Memory !== 0 && config.Memory < MEMORY_LIMIT_BYTES_MIN) {
    bad('Memory', 'Minimum memory limit allowed is 6MB');
  }
  if (config.Memory > 0 && config.MemorySwap > 0 && config.MemorySwap < config.Memory) {
    bad('MemorySwap', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (config.Memory === 0 && config.MemorySwap > 0) {
    bad(
      'MemorySwap',
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    );
  }
  if (config.Memory > 0 && config.MemoryReservation > config.Memory) {
    bad(
      'MemoryReservation',
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    );
  }
  const cpuCount = cpus().length;
  if (config.NanoCpus < 0 || (config.NanoCpus > cpuCount * 1e9 && !isTask)) {
    const range = `range of CPUs is from 0.01 to ${cpuCount}.00`;
    bad('NanoCpus', `${range}, as there are only ${cpuCount} CPUs available`);
  }
  if (config.NanoCpus > 0 && (config.CpuPeriod > 0 || config.CpuQuota > 0)) {
    bad('NanoCpus', 'Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (config.CpuPeriod !== 0 && (config.CpuPeriod < 1000 || config.CpuPeriod > 1_000_000)) {
    bad(
      'CpuPeriod',
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    );
  }
  if (config.CpuQuota > 0 && config.CpuQuota < 1000) {
    bad('CpuQuota', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
  for (const [kind, field] of CPUSETS) {
    const refusal =
      config[field] === '' ? undefined : cpusetRefusal(kind, config[field], onlineList(kind));
    if (refusal !== undefined) bad(field, refusal);
  }
  if (config.BlkioWeight !== 0 && (config.BlkioWeight < 10 || config.BlkioWeight > 1000)) {
    bad('BlkioWeight', 'range of blkio weight is from 10 to 1000');
  }
  if (config.OomScoreAdj < -1000 || config.OomScoreAdj > 1000) {
    const { OomScoreAdj: asked } = config;
    bad('OomScoreAdj', `Invalid value ${asked}, range for oom score adj is [-1000, 1000]`);
  }
  if (!['', 'default'].includes(config.Isolation.toLowerCase())) {
    bad('Isolation', `Invalid isolation: "${config.Isolation}" - linux only supports 'default'`);
  }
  if (config.ShmSize < 0) bad('ShmSize', 'SHM size can not be less than 0');
  const swappiness = config.MemorySwappiness ?? 0;
  if (swappiness < 0 || swappiness > 100) {
    bad('MemorySwappiness', `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (config.AutoRemove && config.RestartPolicy.Name !== 'no') {
    bad('AutoRemove', "can't create 'AutoRemove' container with restart policy");
  }
  for (const rule of config.DeviceCgroupRules ?? []) {
    if (!/^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.test(rule)) {
      bad('DeviceCgroupRules', `invalid device cgroup rule format: '${rule}'`);
    }
  }
  for (const limit of config.Ulimits) checkUlimit(limit, bad);
  checkUnsupported(config);
}

const ULIMITS: ReadonlySet<string> = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack as'.split(
    ' ',
  ),
);

function checkUlimit(limit: UlimitSpec, bad: (field: string, message: string) => never): void {
  if (!ULIMITS.has(limit.Name)) bad('Ulimits', `invalid ulimit type: ${limit.Name}`);
  if (limit.Hard !== -1 && (limit.Soft > limit.Hard || limit.Soft === -1)) {
    bad(
      'Ulimits',
      `ulimit soft limit must be less than or equal to hard limit: ${limit.Soft} > ${limit.Hard}`,
    );
  }
}

function checkUnsupported(config: HostConfig): void {
  const refuse = (field: string, message: string, hint: string): never => {
    throw new TswarmError('not_supported', message, { field: `HostConfig.${field}`, hint });
  };
  if (config.UsernsMode !== '' && config.UsernsMode !== 'host') {
    refuse(
      'UsernsMode',
      `user namespace mode "${config.UsernsMode}" is not supported`,
      'Leave it away.',
    );
  }
  parseDeviceRequests(config.DeviceRequests);
  if (!/^(none|private|shareable|host|container:.+)$/.test(config.IpcMode)) {
    throw new TswarmError('invalid_argument', `invalid IPC mode: ${config.IpcMode}`, {
      field: 'HostConfig.IpcMode',
      hint: 'Use none, private, shareable, host or container:NAME.',
    });
  }
  if ((config.Links ?? []).length > 0) {
    refuse(
      'Links',
      'links are not supported',
      'Use a network: its containers find each other by name.',
    );
  }
  if (Object.keys(config.StorageOpt ?? {}).length > 0) {
    const reason =
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option";
    refuse('StorageOpt', reason, 'Use a volume, or a tmpfs with a size.');
  }
}
