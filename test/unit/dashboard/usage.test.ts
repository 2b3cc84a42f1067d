// Samples of the Engine API's stats as figures.
import { describe, expect, it } from 'vitest';
import { usageOf } from '#dashboard/usage';

describe('usage', () => {
  it('is of one core, without the file cache that the kernel can take back', () => {
    const usage = usageOf({
      cpu_stats: { cpu_usage: { total_usage: 3e9 }, system_cpu_usage: 20e9, online_cpus: 4 },
      precpu_stats: { cpu_usage: { total_usage: 2e9 }, system_cpu_usage: 16e9 },
      memory_stats: { usage: 500, limit: 1000, stats: { total_inactive_file: 200 } },
      networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
      pids_stats: { current: 7 },
    });
    expect(usage).toEqual({
      cpuPercent: 100,
      memoryBytes: 300,
      memoryLimitBytes: 1000,
      receivedBytes: 11,
      sentBytes: 22,
      processes: 7,
    });
  });

  it('has no share of a processor before there are two samples, and is nothing without a container', () => {
    const first = { cpu_usage: { total_usage: 3e9 }, system_cpu_usage: 20e9, online_cpus: 2 };
    const memory_stats = { usage: 100, stats: { inactive_file: 150 } };
    expect(usageOf({ cpu_stats: first, memory_stats })).toMatchObject({
      cpuPercent: 0,
      memoryBytes: 0,
      memoryLimitBytes: 0,
    });
    expect(usageOf({ cpu_stats: first })).toBeUndefined();
    expect(usageOf({ memory_stats: {} })).toBeUndefined();
  });
});
