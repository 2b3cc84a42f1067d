// GET /containers/{id}/stats: figures straight from the container's cgroup (v1 and v2) and its network namespace. With `stream` one object a second, the
// former one as `precpu_stats`; otherwise two samples a second apart, unless `oneShot`. No figure is kept between calls.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineJson } from '#protocol/engine';
import type { CancelSignal } from '#protocol/world';
import { delay } from '../queue.ts';
import type { Container } from '../runtime/container.ts';
import type { RuntimeDeps } from '../runtime/deps.ts';
import { ZERO_TIME } from '../runtime/record.ts';
import { cgroupPathOf } from '../runtime/start.ts';

const SAMPLE_MS = 1000;
/** Clock ticks per second of /proc/stat on every Linux that we run on. */
const USER_HZ = 100;
const NANOS_PER_TICK = 1e9 / USER_HZ;

interface CpuUsage {
  readonly totalNanos: number;
  readonly perCpuNanos: readonly number[];
  readonly kernelNanos: number;
  readonly userNanos: number;
  readonly systemNanos: number;
  readonly onlineCpus: number;
  readonly throttling: EngineJson;
}

interface Sample {
  readonly read: string;
  readonly cpu: CpuUsage | undefined;
  readonly json: EngineJson;
}

export async function* statsOf(
  container: Container,
  options: { readonly stream: boolean; readonly oneShot: boolean },
  deps: RuntimeDeps,
  signal: CancelSignal,
): AsyncGenerator<EngineJson> {
  let before: Sample | undefined;
  if (!options.stream && !options.oneShot && container.run) {
    before = await sample(container, deps);
    await delay(SAMPLE_MS);
  }
  for (;;) {
    const now = await sample(container, deps);
    yield statsJson(container, now, before);
    if (!options.stream) return;
    before = now;
    const aborted = new AbortController();
    const stop = (): void => aborted.abort();
    signal.addEventListener('abort', stop, { once: true });
    if (!signal.aborted) await delay(SAMPLE_MS, aborted.signal);
    signal.removeEventListener('abort', stop);
    if (signal.aborted || container.removed) return;
  }
}

function statsJson(container: Container, now: Sample, before: Sample | undefined): EngineJson {
  return {
    read: now.read,
    preread: before?.read ?? ZERO_TIME,
    ...now.json,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuJson(now.cpu),
    precpu_stats: cpuJson(before?.cpu),
    name: `/${container.record.name}`,
    id: container.id,
  };
}

function cpuJson(cpu: CpuUsage | undefined): EngineJson {
  if (!cpu) {
    return {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    };
  }
  return {
    cpu_usage: {
      total_usage: cpu.totalNanos,
      ...(cpu.perCpuNanos.length > 0 ? { percpu_usage: cpu.perCpuNanos } : {}),
      usage_in_kernelmode: cpu.kernelNanos,
      usage_in_usermode: cpu.userNanos,
    },
    system_cpu_usage: cpu.systemNanos,
    online_cpus: cpu.onlineCpus,
    throttling_data: cpu.throttling,
  };
}

async function sample(container: Container, deps: RuntimeDeps): Promise<Sample> {
  const read = new Date(deps.clock.nowMs()).toISOString().replace('Z', '000000Z');
  if (!container.run) {
    return { read: ZERO_TIME, cpu: undefined, json: emptyJson() };
  }
  const cgroup = new CgroupFiles(deps, cgroupPathOf(container, deps));
  const networks = await deps.network.interfaceStats(container.id);
  return {
    read,
    cpu: cpuUsage(cgroup, deps),
    json: {
      pids_stats: { current: cgroup.number('pids', 'pids.current') },
      blkio_stats: blockStats(cgroup, deps),
      memory_stats: memoryStats(cgroup, container, deps),
      ...(Object.keys(networks).length > 0 ? { networks } : {}),
    },
  };
}

function emptyJson(): EngineJson {
  return { pids_stats: {}, blkio_stats: emptyBlock(null), memory_stats: {} };
}

/**
 * Reads one container's cgroup files; what is not there reads as empty. Each is a short text out of the kernel's memory: through the thread pool the dozen of
 * them would cost ten times as much, every second for every container that is watched.
 */
class CgroupFiles {
  readonly #deps: RuntimeDeps;
  readonly #path: string;

  constructor(deps: RuntimeDeps, path: string) {
    this.#deps = deps;
    this.#path = path;
  }

  text(controller: string, name: string): string {
    const { host } = this.#deps;
    const mount = host.cgroupVersion === 2 ? '/sys/fs/cgroup' : host.cgroupMounts[controller];
    if (mount === undefined) return '';
    try {
      return readFileSync(join(mount, this.#path, name), 'utf8');
    } catch {
      return '';
    }
  }

  number(controller: string, name: string): number {
    const text = this.text(controller, name).trim();
    return text === 'max' || text === '' ? 0 : Number(text);
  }

  /** `key value` lines. */
  table(controller: string, name: string): Readonly<Record<string, number>> {
    const out: Record<string, number> = {};
    for (const line of this.text(controller, name).split('\n')) {
      const [key, value] = line.split(' ');
      if (key && value !== undefined) out[key] = Number(value);
    }
    return out;
  }
}

function cpuUsage(cgroup: CgroupFiles, deps: RuntimeDeps): CpuUsage {
  const systemText = readFileSync('/proc/stat', 'utf8');
  const systemTicks = (systemText.split('\n', 1)[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .reduce((sum, field) => sum + Number(field), 0);
  const system = {
    systemNanos: Math.floor(systemTicks * NANOS_PER_TICK),
    onlineCpus: deps.host.cpuCount,
  };
  if (deps.host.cgroupVersion === 2) {
    const stat = cgroup.table('cpu', 'cpu.stat');
    return {
      ...system,
      totalNanos: (stat.usage_usec ?? 0) * 1000,
      perCpuNanos: [],
      kernelNanos: (stat.system_usec ?? 0) * 1000,
      userNanos: (stat.user_usec ?? 0) * 1000,
      throttling: {
        periods: stat.nr_periods ?? 0,
        throttled_periods: stat.nr_throttled ?? 0,
        throttled_time: (stat.throttled_usec ?? 0) * 1000,
      },
    };
  }
  const perCpu = cgroup.text('cpuacct', 'cpuacct.usage_percpu');
  const ticks = cgroup.table('cpuacct', 'cpuacct.stat');
  const throttled = cgroup.table('cpu', 'cpu.stat');
  return {
    ...system,
    totalNanos: cgroup.number('cpuacct', 'cpuacct.usage'),
    perCpuNanos: perCpu.trim() === '' ? [] : perCpu.trim().split(/\s+/).map(Number),
    kernelNanos: (ticks.system ?? 0) * NANOS_PER_TICK,
    userNanos: (ticks.user ?? 0) * NANOS_PER_TICK,
    throttling: {
      periods: throttled.nr_periods ?? 0,
      throttled_periods: throttled.nr_throttled ?? 0,
      throttled_time: throttled.throttled_time ?? 0,
    },
  };
}

function memoryStats(cgroup: CgroupFiles, container: Container, deps: RuntimeDeps): EngineJson {
  const asked = container.record.hostConfig.Memory;
  const limit = asked > 0 ? asked : deps.host.memoryBytes;
  const stats = cgroup.table('memory', 'memory.stat');
  if (deps.host.cgroupVersion === 2) {
    return { usage: cgroup.number('memory', 'memory.current'), stats, limit };
  }
  const failures = cgroup.number('memory', 'memory.failcnt');
  return {
    usage: cgroup.number('memory', 'memory.usage_in_bytes'),
    max_usage: cgroup.number('memory', 'memory.max_usage_in_bytes'),
    // "No limit" of the kernel is beyond 2^53; it is shown as the host's memory, as `limit` is.
    stats: Object.fromEntries(
      Object.entries(stats).map(([key, value]) => [
        key,
        Number.isSafeInteger(value) ? value : deps.host.memoryBytes,
      ]),
    ),
    ...(failures > 0 ? { failcnt: failures } : {}),
    limit,
  };
}

function emptyBlock(list: readonly EngineJson[] | null): EngineJson {
  return {
    io_service_bytes_recursive: list,
    io_serviced_recursive: list,
    io_queue_recursive: list,
    io_service_time_recursive: list,
    io_wait_time_recursive: list,
    io_merged_recursive: list,
    io_time_recursive: list,
    sectors_recursive: list,
  };
}

function blockStats(cgroup: CgroupFiles, deps: RuntimeDeps): EngineJson {
  if (deps.host.cgroupVersion === 2) {
    return {
      ...emptyBlock(null),
      io_service_bytes_recursive: blockV2(cgroup.text('io', 'io.stat')),
    };
  }
  return {
    ...emptyBlock([]),
    io_service_bytes_recursive: blockV1(
      cgroup.text('blkio', 'blkio.throttle.io_service_bytes_recursive'),
    ),
    io_serviced_recursive: blockV1(cgroup.text('blkio', 'blkio.throttle.io_serviced_recursive')),
  };
}

/** `8:0 Read 4096` lines. */
export function blockV1(text: string): readonly EngineJson[] {
  const out: EngineJson[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) continue;
    out.push({
      major: Number(match[1]),
      minor: Number(match[2]),
      op: (match[3] ?? '').toLowerCase(),
      value: Number(match[4]),
    });
  }
  return out;
}

/** `8:0 rbytes=4096 wbytes=0 …` lines. */
export function blockV2(text: string): readonly EngineJson[] {
  const out: EngineJson[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):(\d+) (.*)$/.exec(line);
    if (!match) continue;
    for (const [key, op] of [
      ['rbytes', 'read'],
      ['wbytes', 'write'],
    ] as const) {
      const value = new RegExp(`\\b${key}=(\\d+)`).exec(match[3] ?? '')?.[1];
      if (value === undefined) continue;
      out.push({ major: Number(match[1]), minor: Number(match[2]), op, value: Number(value) });
    }
  }
  return out;
}
