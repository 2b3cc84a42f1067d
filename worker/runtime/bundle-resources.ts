// `HostConfig` → OCI `linux.resources`: memory, cpu, pids, block I/O, device rules. Docker's meanings: MemorySwap is memory plus swap, -1 = unlimited;
// NanoCpus is a quota over 100 ms. Values are checked where they come in (engine/host-config.ts); here they are only translated.
import type { OciDeviceRule, OciResources, OciThrottle } from './oci.ts';
import type { HostConfig } from './record.ts';

const CPU_PERIOD_MICROS = 100_000;

/** A device as the device cgroup and the container's /dev need it. */
export interface ResolvedDevice {
  readonly path: string;
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** `rwm` or a part of it. */
  readonly access: string;
}

/** Device numbers of the paths in block I/O settings. */
export type DeviceNumbers = Readonly<
  Record<string, { readonly major: number; readonly minor: number }>
>;

const DEFAULT_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' }, // null
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' }, // zero
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' }, // full
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' }, // random
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' }, // urandom
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' }, // tty
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' }, // console
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' }, // ptmx
  { allow: true, type: 'c', major: 136, access: 'rwm' }, // pts
];

/** The resources object; `devices` are what the container gets besides the default ones. */
export function resourcesOf(
  config: HostConfig,
  devices: readonly ResolvedDevice[],
  blockDevices: DeviceNumbers,
): OciResources {
  const memory = memoryOf(config);
  const cpu = cpuOf(config);
  const blockIO = blockIoOf(config, blockDevices);
  return {
    devices: deviceRules(config, devices),
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(config.PidsLimit !== null && config.PidsLimit > 0
      ? { pids: { limit: config.PidsLimit } }
      : {}),
    ...(Object.keys(blockIO).length > 0 ? { blockIO } : {}),
  };
}

function deviceRules(
  config: HostConfig,
  devices: readonly ResolvedDevice[],
): readonly OciDeviceRule[] {
  if (config.Privileged) return [{ allow: true, access: 'rwm' }];
  const asked = devices.map(
    (device): OciDeviceRule => ({
      allow: true,
      type: device.type,
      major: device.major,
      minor: device.minor,
      access: device.access,
    }),
  );
  return [...DEFAULT_RULES, ...asked, ...(config.DeviceCgroupRules ?? []).map(parseDeviceRule)];
}

/** `c 10:200 rwm`, with `*` for any number; `a` for all. The form was checked at create. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const [, type = 'a', major = '*', minor = '*', access = 'rwm'] =
    /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

function memoryOf(config: HostConfig): Record<string, number | boolean> {
  const out: Record<string, number | boolean> = {};
  if (config.Memory > 0) out.limit = config.Memory;
  if (config.MemoryReservation > 0) out.reservation = config.MemoryReservation;
  if (config.MemorySwap !== 0) out.swap = config.MemorySwap;
  const swappiness = config.MemorySwappiness;
  if (swappiness !== null && swappiness >= 0) out.swappiness = swappiness;
  if (config.OomKillDisable === true) out.disableOOMKiller = true;
  return out;
}

function cpuOf(config: HostConfig): Record<string, number | string> {
  const out: Record<string, number | string> = {};
  if (config.CpuShares > 0) out.shares = config.CpuShares;
  if (config.NanoCpus > 0) {
    out.period = CPU_PERIOD_MICROS;
    out.quota = Math.max(1000, Math.round((config.NanoCpus * CPU_PERIOD_MICROS) / 1e9));
  }
  if (config.CpuPeriod > 0) out.period = config.CpuPeriod;
  if (config.CpuQuota !== 0) out.quota = config.CpuQuota;
  if (config.CpuRealtimePeriod > 0) out.realtimePeriod = config.CpuRealtimePeriod;
  if (config.CpuRealtimeRuntime > 0) out.realtimeRuntime = config.CpuRealtimeRuntime;
  if (config.CpusetCpus !== '') out.cpus = config.CpusetCpus;
  if (config.CpusetMems !== '') out.mems = config.CpusetMems;
  return out;
}

function blockIoOf(config: HostConfig, numbers: DeviceNumbers): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (config.BlkioWeight > 0) out.weight = config.BlkioWeight;
  const weights = config.BlkioWeightDevice.flatMap((entry) => {
    const device = numbers[entry.Path];
    return device ? [{ ...device, weight: entry.Weight }] : [];
  });
  if (weights.length > 0) out.weightDevice = weights;
  const throttles: readonly [string, HostConfig['BlkioDeviceReadBps']][] = [
    ['throttleReadBpsDevice', config.BlkioDeviceReadBps],
    ['throttleWriteBpsDevice', config.BlkioDeviceWriteBps],
    ['throttleReadIOPSDevice', config.BlkioDeviceReadIOps],
    ['throttleWriteIOPSDevice', config.BlkioDeviceWriteIOps],
  ];
  for (const [name, entries] of throttles) {
    const list = entries.flatMap((entry): OciThrottle[] => {
      const device = numbers[entry.Path];
      return device ? [{ ...device, rate: entry.Rate }] : [];
    });
    if (list.length > 0) out[name] = list;
  }
  return out;
}
