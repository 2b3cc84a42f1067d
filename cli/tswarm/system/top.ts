// tswarm top: what the containers of all nodes use, per service or per container, renewed every two seconds on a terminal and once otherwise. The API gives
// counters; rates are the differences of two readings, which `usageOf` makes, purely.
import type { ContainerStats, StatsList } from '#api/cluster/types';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { binarySize, humanSize } from '../../output/human.ts';

const PERIOD_MS = 2000;
/** Between the two readings of a single picture. */
const FIRST_MS = 1000;

export interface TopOptions {
  readonly stack?: string;
  readonly service?: readonly string[];
  readonly node?: readonly string[];
  readonly containers?: boolean;
  readonly stream?: boolean;
  readonly format?: string;
  readonly json?: boolean;
}

export async function top(client: ApiClient, options: TopOptions): Promise<number> {
  const { stack, service, node } = options;
  const read = (): Promise<StatsList> =>
    call(client, 'GET /tswarm/v1/stats', { query: { stack, service, node } });
  const isLive = options.stream !== false && process.stdout.isTTY === true && !options.json;
  let before = await read();
  await pause(FIRST_MS);
  for (;;) {
    const now = await read();
    const text = pictureOf(before, now, options);
    process.stdout.write(isLive ? `\u001b[H\u001b[2J${text}` : text);
    for (const { node: name, reason } of now.missing) {
      process.stderr.write(`Warning: nothing of node ${name}: ${reason}\n`);
    }
    if (!isLive) return EXIT.ok;
    before = now;
    await pause(PERIOD_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What one container used between two readings. */
export interface Usage {
  readonly row: ContainerStats;
  /** Percent of one processor. */
  readonly cpuPercent: number;
}

/** Containers of the later reading; one that was not in the earlier has no rate yet. Busiest first. */
export function usageOf(before: StatsList, now: StatsList): readonly Usage[] {
  const earlier = new Map(before.containers.map((one) => [one.id, one]));
  return now.containers
    .map((row) => {
      const old = earlier.get(row.id);
      const nanos = old ? (Date.parse(row.time) - Date.parse(old.time)) * 1e6 : 0;
      const used = old ? row.cpuNanos - old.cpuNanos : 0;
      // A container that has started again counts from zero.
      return { row, cpuPercent: nanos > 0 && used > 0 ? (used / nanos) * 100 : 0 };
    })
    .sort((a, b) => b.cpuPercent - a.cpuPercent || (a.row.name < b.row.name ? -1 : 1));
}

function pictureOf(before: StatsList, now: StatsList, options: TopOptions): string {
  const usages = usageOf(before, now);
  const groups = new Map<string, Usage[]>();
  for (const usage of usages) {
    const { id, service } = usage.row;
    const key = options.containers || service === '' ? id : service;
    groups.set(key, [...(groups.get(key) ?? []), usage]);
  }
  const rows = [...groups.values()].map((group) => rowOf(group, options.containers === true));
  rows.sort((a, b) => b.cpu - a.cpu);
  const columns = [
    ['NAME', 'Name'],
    ...(options.containers ? ([['NODE', 'Node']] as const) : ([['CONTAINERS', 'Count']] as const)),
    ['CPU %', 'CPUPerc'],
    ['MEM USAGE', 'MemUsage'],
    ['NET I/O', 'NetIO'],
    ['BLOCK I/O', 'BlockIO'],
    ['PIDS', 'PIDs'],
  ] as const;
  return formatList({ columns, rows: rows.map(({ shown }) => shown) }, options);
}

/** One line: a service's containers together, or a single one. */
function rowOf(
  group: readonly Usage[],
  isAlone: boolean,
): { readonly cpu: number; readonly shown: Record<string, string> } {
  const sum = (pick: (row: ContainerStats) => number): number =>
    group.reduce((total, { row }) => total + pick(row), 0);
  const cpu = group.reduce((total, { cpuPercent }) => total + cpuPercent, 0);
  const [first] = group;
  const pair = (a: number, b: number): string => `${humanSize(a)} / ${humanSize(b)}`;
  return {
    cpu,
    shown: {
      Name: (isAlone ? '' : first?.row.service) || first?.row.name || '',
      Service: first?.row.service ?? '',
      Node: first?.row.node ?? '',
      Count: String(group.length),
      CPUPerc: `${cpu.toFixed(2)}%`,
      MemUsage: binarySize(sum((row) => row.memoryBytes)),
      NetIO: pair(
        sum((row) => row.receivedBytes),
        sum((row) => row.sentBytes),
      ),
      BlockIO: pair(
        sum((row) => row.readBytes),
        sum((row) => row.writtenBytes),
      ),
      PIDs: String(sum((row) => row.processes)),
    },
  };
}
