// tcompose stats: what the project's containers use of the machine: a table that is renewed every second, or one picture. The figures and columns are
// docker's; the arithmetic on two samples is `usageOf`, which is pure.
import type { ApiClient, Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { formatList } from '../output/format.ts';
import { binarySize, humanSize } from '../output/human.ts';
import { type ProjectContainer, serviceContainers } from './containers.ts';
import type { ComposeContext } from './context.ts';

export interface StatsOptions {
  readonly all?: boolean;
  readonly format?: string;
  readonly stream?: boolean;
  readonly trunc?: boolean;
}

/** Docker's columns of `stats`. */
export const STATS_COLUMNS = [
  ['CONTAINER ID', 'ID'],
  ['NAME', 'Name'],
  ['CPU %', 'CPUPerc'],
  ['MEM USAGE / LIMIT', 'MemUsage'],
  ['MEM %', 'MemPerc'],
  ['NET I/O', 'NetIO'],
  ['BLOCK I/O', 'BlockIO'],
  ['PIDS', 'PIDs'],
] as const;

const PERIOD_MS = 1000;

export async function stats(
  context: ComposeContext,
  keys: readonly string[],
  options: StatsOptions,
): Promise<number> {
  const containers = await serviceContainers(context, keys, { all: options.all === true });
  const show = (samples: ReadonlyMap<string, Json>): void => {
    const rows = containers.map((one) => statsRow(one, samples.get(one.id), options));
    const clear = options.stream !== false && process.stdout.isTTY ? '\u001b[H\u001b[2J' : '';
    process.stdout.write(
      clear +
        formatList(
          { columns: STATS_COLUMNS, rows },
          options.format === undefined ? {} : { format: options.format },
        ),
    );
  };
  const samples = new Map<string, Json>();
  if (options.stream === false) {
    await Promise.all(
      containers.map(async ({ id, isRunning }) => {
        if (isRunning) samples.set(id, await context.client.get<Json>(path(id), ONCE));
      }),
    );
    show(samples);
    return EXIT.ok;
  }
  const ends = containers.map((one) => keepCurrent(context.client, one.id, samples));
  const timer = setInterval(() => show(samples), PERIOD_MS);
  await Promise.allSettled(ends);
  clearInterval(timer);
  show(samples);
  return EXIT.ok;
}

const ONCE = { query: { stream: false } } as const;

function path(id: string): string {
  return `/containers/${id}/stats`;
}

/** Until the container is gone. */
async function keepCurrent(
  client: ApiClient,
  id: string,
  samples: Map<string, Json>,
): Promise<void> {
  for await (const sample of client.lines('GET', path(id), { query: { stream: true } }))
    samples.set(id, sample);
}

/** A row of `stats`; without a sample, one of a container that does not run. */
export function statsRow(
  container: Pick<ProjectContainer, 'id' | 'name'>,
  sample: Json | undefined,
  options: { readonly trunc?: boolean },
): Readonly<Record<string, string>> {
  const id = options.trunc === false ? container.id : container.id.slice(0, 12);
  const usage = sample === undefined ? undefined : usageOf(sample);
  const common = { ID: id, Name: container.name, Container: container.name };
  if (!usage) {
    const none = '--';
    const pair = '-- / --';
    return {
      ...common,
      CPUPerc: none,
      MemUsage: pair,
      MemPerc: none,
      NetIO: pair,
      BlockIO: pair,
      PIDs: none,
    };
  }
  return {
    ...common,
    CPUPerc: `${usage.cpuPercent.toFixed(2)}%`,
    MemUsage: `${binarySize(usage.memoryBytes)} / ${binarySize(usage.memoryLimitBytes)}`,
    MemPerc: `${((usage.memoryBytes / Math.max(1, usage.memoryLimitBytes)) * 100).toFixed(2)}%`,
    NetIO: `${humanSize(usage.receivedBytes, 3)} / ${humanSize(usage.sentBytes, 3)}`,
    BlockIO: `${humanSize(usage.readBytes, 3)} / ${humanSize(usage.writtenBytes, 3)}`,
    PIDs: String(usage.processes),
  };
}

export interface Usage {
  /** Of one processor; 200 = two busy processors. */
  readonly cpuPercent: number;
  /** Without the page cache that can go at once. */
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

/** The figures of one sample of GET /containers/{id}/stats, which holds the one before it too. */
export function usageOf(sample: Json): Usage {
  const cpu = object(sample.cpu_stats);
  const before = object(sample.precpu_stats);
  const spent =
    number(object(cpu.cpu_usage).total_usage) - number(object(before.cpu_usage).total_usage);
  const passed = number(cpu.system_cpu_usage) - number(before.system_cpu_usage);
  const processors = number(cpu.online_cpus) || 1;
  const memory = object(sample.memory_stats);
  const details = object(memory.stats);
  const reclaimable = number(details.total_inactive_file) || number(details.inactive_file);
  const used = number(memory.usage);
  const networks = Object.values(object(sample.networks)).map(object);
  const blocks = object(sample.blkio_stats).io_service_bytes_recursive;
  const moved = (word: string): number =>
    sum(
      (Array.isArray(blocks) ? blocks.map(object) : [])
        .filter((entry) => String(entry.op).toLowerCase() === word)
        .map((entry) => number(entry.value)),
    );
  return {
    cpuPercent: spent > 0 && passed > 0 ? (spent / passed) * processors * 100 : 0,
    memoryBytes: reclaimable < used ? used - reclaimable : used,
    memoryLimitBytes: number(memory.limit),
    receivedBytes: sum(networks.map((one) => number(one.rx_bytes))),
    sentBytes: sum(networks.map((one) => number(one.tx_bytes))),
    readBytes: moved('read'),
    writtenBytes: moved('write'),
    processes: number(object(sample.pids_stats).current),
  };
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
