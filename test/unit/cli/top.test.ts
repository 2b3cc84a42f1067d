// Goal: rates of `tswarm top` are right also for containers that are new or have started again. Method: two readings by hand.
import { describe, expect, it } from 'vitest';
import type { ContainerStats } from '#api/cluster/types';
import { usageOf } from '#cli/tswarm/system/top';

function stats(id: string, second: number, cpuNanos: number): ContainerStats {
  const time = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const none = { memoryBytes: 0, memoryLimitBytes: 0, receivedBytes: 0, sentBytes: 0 };
  const more = { readBytes: 0, writtenBytes: 0, processes: 1, cpus: 2, stack: '', task: '' };
  return { id, name: id, node: 'n', service: '', time, cpuNanos, ...none, ...more };
}

describe('usageOf', () => {
  it('is the difference over the time between two readings, busiest first', () => {
    const before = { containers: [stats('a', 0, 1e9), stats('b', 0, 0)], missing: [] };
    const now = { containers: [stats('a', 2, 2e9), stats('b', 2, 4e9)], missing: [] };
    const usages = usageOf(before, now).map(({ row, cpuPercent }) => [row.id, cpuPercent]);
    expect(usages).toEqual([
      ['b', 200],
      ['a', 50],
    ]);
  });

  it('is nothing for a container that is new, has started again, or was read twice at once', () => {
    const before = { containers: [stats('again', 0, 9e9), stats('same', 0, 1e9)], missing: [] };
    const now = {
      containers: [stats('again', 2, 1e9), stats('new', 2, 5e9), stats('same', 0, 1e9)],
      missing: [],
    };
    expect(usageOf(before, now).map(({ cpuPercent }) => cpuPercent)).toEqual([0, 0, 0]);
  });
});
