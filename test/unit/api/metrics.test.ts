// What a scrape shows: text in Prometheus' format, counts of requests by route, and counts of tasks that follow changes without counting again.
import { describe, expect, it } from 'vitest';
import type { CacheNotice, ObjectCache } from '#api/cache/object-cache';
import { expositionOf } from '#api/metrics/exposition';
import { ObjectCounts } from '#api/metrics/object-counts';
import { RequestMetrics } from '#api/metrics/request-metrics';
import { ObjectUnion } from '#protocol/generated/control';
import { Task, TaskState, TaskStatus } from '#protocol/generated/objects';

describe('requests', () => {
  it('are counted by route and status, and timed unless they are streams', () => {
    const metrics = new RequestMetrics();
    const ok = { status: 200, isLong: false };
    metrics.note('GET /services', ok, 3);
    metrics.note('GET /services', ok, 30_000);
    metrics.note('GET /events', { status: 200, isLong: true }, 1e6);
    metrics.note('', { status: 404, isLong: false }, 1);
    const text = expositionOf(metrics.families());
    const service = 'method="GET",route="/services"';
    expect(text).toContain(`tswarm_api_requests_total{${service},status="200"} 2\n`);
    expect(text).toContain(`_bucket{${service},le="0.001"} 0\n`);
    expect(text).toContain(`_bucket{${service},le="0.005"} 1\n`);
    expect(text).toContain(`_bucket{${service},le="10"} 1\n`);
    expect(text).toContain(`_bucket{${service},le="+Inf"} 2\n`);
    expect(text).toContain(`_count{${service}} 2\n`);
    expect(text).not.toContain('_count{method="GET",route="/events"}');
    expect(text).toContain('{method="",route="none",status="404"} 1\n');
  });

  it('cannot break out of a label', () => {
    const samples = [{ labels: { a: 'x"\n\\' }, value: Number.POSITIVE_INFINITY }];
    const text = expositionOf([{ name: 'm', type: 'gauge', help: 'h', samples }]);
    expect(text).toBe('# HELP m h\n# TYPE m gauge\nm{a="x\\"\\n\\\\"} +Inf\n');
  });
});

describe('object counts', () => {
  const task = (state: TaskState): Task =>
    Task.create({ id: 't', status: TaskStatus.create({ state }) });

  it('follow creation, update, removal and a new beginning', () => {
    let tasks: Task[] = [task(TaskState.PENDING)];
    let tell: (notice: CacheNotice) => void = () => {};
    const cache = {
      all: (kind: string) => (kind === 'task' ? tasks : []).values(),
      count: (kind: string) => (kind === 'task' ? tasks.length : 0),
      subscribe: (listener: typeof tell) => {
        tell = listener;
      },
    } as unknown as ObjectCache;
    const counts = new ObjectCounts(cache);
    const shown = (state: string): number => {
      const line = new RegExp(`tswarm_tasks\\{state="${state}"\\} (\\d+)`);
      return Number(line.exec(expositionOf(counts.families()))?.[1]);
    };
    const union = (state: TaskState): ObjectUnion => ObjectUnion.create({ task: task(state) });
    const change = (
      action: 'create' | 'update' | 'remove',
      object: ObjectUnion,
      before?: ObjectUnion,
    ): void =>
      tell({ index: 1, reset: false, changes: [{ kind: 'task', action, object, before }] });
    expect(shown('pending')).toBe(1);
    change('update', union(TaskState.RUNNING), union(TaskState.PENDING));
    change('create', union(TaskState.RUNNING));
    expect([shown('pending'), shown('running')]).toEqual([0, 2]);
    change('remove', union(TaskState.RUNNING), union(TaskState.RUNNING));
    expect(shown('running')).toBe(1);
    tasks = [task(TaskState.FAILED), task(TaskState.FAILED)];
    tell({ index: 2, reset: true, changes: [] });
    expect([shown('running'), shown('failed')]).toEqual([0, 2]);
  });
});
