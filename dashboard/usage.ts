// One sample of the Engine API's stats as what people want to know. Pure. Memory is without the file cache that the kernel can take back, as docker stats has it.

export interface Sample {
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
  readonly networks?: Readonly<
    Record<string, { readonly rx_bytes?: number; readonly tx_bytes?: number }>
  >;
  readonly pids_stats?: { readonly current?: number };
}

interface CpuStats {
  readonly cpu_usage?: { readonly total_usage?: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

export interface Usage {
  /** 100 = one core */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  /** 0 = none */
  readonly memoryLimitBytes: number;
  /** Since it was started. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly processes: number;
}

/** Undefined for a sample of a container that does not run. */
export function usageOf(sample: Sample): Usage | undefined {
  const { cpu_stats: now, precpu_stats: before, memory_stats: memory } = sample;
  if (memory?.usage === undefined) return undefined;
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const share = before?.system_cpu_usage && passed > 0 ? Math.max(0, used) / passed : 0;
  const cache = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0;
  const networks = Object.values(sample.networks ?? {});
  return {
    cpuPercent: share * (now?.online_cpus ?? 1) * 100,
    memoryBytes: Math.max(0, memory.usage - cache),
    memoryLimitBytes: memory.limit ?? 0,
    receivedBytes: networks.reduce((sum, { rx_bytes = 0 }) => sum + rx_bytes, 0),
    sentBytes: networks.reduce((sum, { tx_bytes = 0 }) => sum + tx_bytes, 0),
    processes: sample.pids_stats?.current ?? 0,
  };
}
