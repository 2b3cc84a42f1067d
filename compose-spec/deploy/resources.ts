// Limits and reservations of a service, from `deploy.resources` and from the older keys.

import * as specs from '#protocol/generated/specs';
import type { Resource, Service } from '../load/project.ts';
import { printDuration } from '../load/units.ts';
import { MEMORY_LIMIT_BYTES_MIN } from './limits.ts';
import type { Problems } from './problems.ts';

/** The resources of one task; `undefined` when nothing is said. */
export function planResources(
  path: string,
  service: Service,
  problems: Problems,
): specs.ResourceRequirements | undefined {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const limit: Resource = {
    ...limits,
    ...cpusOf(service, problems, path),
    ...(service.mem_limit === undefined ? {} : { memory: service.mem_limit }),
    ...(service.pids_limit === undefined ? {} : { pids: service.pids_limit }),
  };
  const reservation: Resource = {
    ...reservations,
    ...(service.mem_reservation === undefined ? {} : { memory: service.mem_reservation }),
  };
  checkMemory(path, service, limit, reservation, problems);
  const planned = {
    limits: planOne(limit),
    reservations: planOne(reservation),
    ...planSwap(path, service, limit, problems),
    cpuShares: service.cpu_shares ?? 0,
    cpusetCpus: service.cpuset ?? '',
    blkioWeight: service.blkio_config?.weight ?? 0,
    blkioDevices: planBlockDevices(service),
    oomKillDisable: service.oom_kill_disable === true,
  };
  const empty = specs.ResourceRequirements.create({});
  const requirements = specs.ResourceRequirements.create(planned);
  const bytes = specs.ResourceRequirements.encode(requirements);
  return bytes.length === specs.ResourceRequirements.encode(empty).length
    ? undefined
    : requirements;
}

/** Microseconds: the kernel's period when a file gives only a quota. */
const CPU_PERIOD_DEFAULT = 100_000;

/** `cpu_quota` in each `cpu_period` is a number of processors. */
function cpusOf(service: Service, problems: Problems, path: string): Pick<Resource, 'cpus'> {
  const { cpus, cpu_quota: quota, cpu_period: period } = service;
  const isLimited = quota !== undefined && quota > 0;
  if (cpus === undefined) return isLimited ? { cpus: quota / (period || CPU_PERIOD_DEFAULT) } : {};
  if (isLimited)
    problems.error(`${path}.cpu_quota`, 'cannot be set beside `cpus`', 'keep one of them');
  return { cpus };
}

/** Compose's limit is memory and swap together, a service's is swap alone. */
function planSwap(
  path: string,
  service: Service,
  limit: Resource,
  problems: Problems,
): Pick<specs.ResourceRequirements, 'swapBytes' | 'memorySwappiness'> {
  const { memswap_limit: total, mem_swappiness: memorySwappiness } = service;
  if (total === undefined || total === 0) return { swapBytes: undefined, memorySwappiness };
  if (total === -1) return { swapBytes: -1, memorySwappiness };
  const { memory } = limit;
  const where = `${path}.memswap_limit`;
  if (memory === undefined) {
    problems.error(where, 'needs a limit of the memory beside it', 'set `mem_limit` too');
  } else if (total < memory) {
    const message = `is less than the memory limit, ${memory} bytes`;
    problems.error(where, message, 'it is memory and swap together');
  } else return { swapBytes: total - memory, memorySwappiness };
  return { swapBytes: undefined, memorySwappiness };
}

/** Limits of block devices, one entry for each device. */
function planBlockDevices({ blkio_config: config = {} }: Service): specs.BlockDeviceLimit[] {
  const devices = new Map<string, specs.BlockDeviceLimit>();
  const add = (path: string | undefined, limit: Partial<specs.BlockDeviceLimit>): void => {
    if (path === undefined) return;
    const known = devices.get(path);
    devices.set(path, specs.BlockDeviceLimit.create({ path, ...known, ...limit }));
  };
  for (const { path, weight = 0 } of config.weight_device ?? []) add(path, { weight });
  for (const { path, rate = 0 } of config.device_read_bps ?? []) add(path, { readBps: rate });
  for (const { path, rate = 0 } of config.device_write_bps ?? []) add(path, { writeBps: rate });
  for (const { path, rate = 0 } of config.device_read_iops ?? []) add(path, { readIops: rate });
  for (const { path, rate = 0 } of config.device_write_iops ?? []) add(path, { writeIops: rate });
  return [...devices.values()];
}

function checkMemory(
  path: string,
  service: Service,
  limit: Resource,
  reservation: Resource,
  problems: Problems,
): void {
  const key = service.mem_limit === undefined ? 'deploy.resources.limits.memory' : 'mem_limit';
  const { memory } = limit;
  if (memory === undefined) return;
  if (memory < MEMORY_LIMIT_BYTES_MIN) {
    const least = `${MEMORY_LIMIT_BYTES_MIN / 1024 / 1024} MiB`;
    const message = `${memory} bytes are less than the smallest memory limit, ${least}`;
    const hint =
      memory < 1024 ? 'a number without unit is bytes; write for example 512m' : undefined;
    problems.error(`${path}.${key}`, message, hint);
  } else if (reservation.memory !== undefined && reservation.memory > memory) {
    problems.error(
      `${path}.${key}`,
      'is less than the memory that is reserved',
      'lower the reservation',
    );
  }
}

function planOne(resource: Resource): specs.Resources | undefined {
  const generic = (resource.generic_resources ?? []).flatMap(({ discrete_resource_spec: spec }) =>
    spec === undefined
      ? []
      : [
          specs.GenericResource.create({
            discreteResourceSpec: { kind: spec.kind, value: spec.value },
          }),
        ],
  );
  const { cpus = 0, memory = 0, pids = 0 } = resource;
  if (cpus === 0 && memory === 0 && pids === 0 && generic.length === 0) return undefined;
  return specs.Resources.create({
    nanoCpus: Math.round(cpus * 1e9),
    memoryBytes: memory,
    // -1 is how Docker writes "no limit".
    pids: Math.max(0, pids),
    genericResources: generic,
  });
}

/** The health check of a service; `undefined` takes the image's. */
export function planHealthcheck(
  path: string,
  service: Service,
  problems: Problems,
): specs.HealthConfig | undefined {
  const check = service.healthcheck;
  if (check === undefined) return undefined;
  if (check.disable === true) {
    if (check.test !== undefined && check.test[0] !== 'NONE') {
      problems.error(`${path}.healthcheck`, '`disable: true` and `test` exclude each other');
    }
    return specs.HealthConfig.create({ test: ['NONE'] });
  }
  const times = {
    interval: check.interval ?? 0,
    timeout: check.timeout ?? 0,
    startPeriod: check.start_period ?? 0,
    startInterval: check.start_interval ?? 0,
  };
  for (const [name, time] of Object.entries(times)) {
    if (time < 0 || (time > 0 && time < 1e6)) {
      problems.error(
        `${path}.healthcheck`,
        `${name} of ${printDuration(time)} is shorter than 1ms`,
      );
    }
  }
  return specs.HealthConfig.create({
    test: check.test ?? [],
    ...times,
    retries: check.retries ?? 0,
  });
}
