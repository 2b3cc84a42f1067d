// A row of GET /tswarm/v1/stats from what the Engine API says of a container. Pure. Memory is without inactive files, as Docker's clients show it; the name
// of that figure depends on the version of control groups.
import type { EngineJson } from '#protocol/engine';
import type { ContainerStats } from './types.ts';

/** `listed`: a row of GET /containers/json; `sample`: one of its stats. */
export function containerStats(
  listed: EngineJson,
  sample: EngineJson,
  node: string,
): ContainerStats {
  const labels = (listed.Labels ?? {}) as Readonly<Record<string, string>>;
  const cpu = part(sample, 'cpu_stats');
  const memory = part(sample, 'memory_stats');
  const detail = part(memory, 'stats');
  const inactive = number(detail, 'total_inactive_file') || number(detail, 'inactive_file');
  const links = Object.values(part(sample, 'networks')) as EngineJson[];
  const blocks = (part(sample, 'blkio_stats').io_service_bytes_recursive ?? []) as EngineJson[];
  const moved = (op: string): number =>
    sum(blocks.filter((block) => String(block.op).toLowerCase() === op).map((b) => b.value));
  const [name = ''] = (listed.Names ?? []) as readonly string[];
  return {
    id: String(listed.Id),
    name: name.replace(/^\//, ''),
    node,
    service: labels['com.docker.swarm.service.name'] ?? '',
    task: labels['com.docker.swarm.task.id'] ?? '',
    stack: labels['com.docker.stack.namespace'] ?? labels['com.docker.compose.project'] ?? '',
    time: String(sample.read),
    cpuNanos: number(part(cpu, 'cpu_usage'), 'total_usage'),
    cpus: number(cpu, 'online_cpus'),
    memoryBytes: Math.max(0, number(memory, 'usage') - inactive),
    memoryLimitBytes: number(memory, 'limit'),
    receivedBytes: sum(links.map((link) => link.rx_bytes)),
    sentBytes: sum(links.map((link) => link.tx_bytes)),
    readBytes: moved('read'),
    writtenBytes: moved('write'),
    processes: number(part(sample, 'pids_stats'), 'current'),
  };
}

function part(json: EngineJson, name: string): EngineJson {
  return (json[name] ?? {}) as EngineJson;
}

function number(json: EngineJson, name: string): number {
  const value = Number(json[name] ?? 0);
  return Number.isFinite(value) ? value : 0;
}

function sum(values: readonly unknown[]): number {
  return values.reduce<number>((total, value) => total + (Number(value) || 0), 0);
}
