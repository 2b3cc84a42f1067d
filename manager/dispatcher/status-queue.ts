// Reports of nodes about their tasks: collected, and written into the store many at a time. The
// state of a task only grows within one run of its container, and a report of a later run beats one
// of an earlier run; older reports are dropped, so they may come twice or late. A node speaks for
// its own tasks only.
import type { ReadView, WriteView } from '#manager/store/view';
import type { TaskStatusUpdate } from '#protocol/generated/dispatcher';
import { Task, TaskState, TaskStatus } from '#protocol/generated/objects';

interface Report {
  readonly nodeId: string;
  readonly status: TaskStatus;
}

export class StatusQueue {
  #reports: Map<string, Report> = new Map();

  get size(): number {
    return this.#reports.size;
  }

  /**
   * Takes a node's reports. Those about tasks that are not its own, or not there any more, are
   * dropped.
   */
  add(view: ReadView, nodeId: string, updates: readonly TaskStatusUpdate[]): void {
    for (const { taskId, status } of updates) {
      if (!status || view.get('task', taskId)?.nodeId !== nodeId) continue;
      const queued = this.#reports.get(taskId);
      if (queued && isOlder(status, queued.status)) continue;
      this.#reports.set(taskId, { nodeId, status });
    }
  }

  /** All reports so far, for `writeStatuses`; the queue is empty afterwards. */
  take(): StatusBatch {
    const batch = this.#reports;
    this.#reports = new Map();
    return batch;
  }
}

/** taskId → report */
export type StatusBatch = ReadonlyMap<string, Report>;

/** Writes reports that are news into the store, with the manager's time (µs since 1970) beside the node's. */
export function writeStatuses(tx: WriteView, batch: StatusBatch, nowMicros: number): void {
  for (const [taskId, { nodeId, status }] of batch) {
    const task = tx.get('task', taskId);
    if (!task || task.nodeId !== nodeId) continue;
    if (task.status && isOlder(status, task.status)) continue;
    const reported = taken(task.status, { ...status, appliedBy: nodeId }, nowMicros);
    tx.update('task', Task.create({ ...task, status: reported }));
  }
}

/**
 * A report with the times at which a manager took it. Nodes' clocks may be wrong by hours; delays and
 * monitoring go by the managers' clock alone.
 */
export function taken(
  before: TaskStatus | undefined,
  reported: TaskStatus,
  nowMicros: number,
): TaskStatus {
  const sameRun = before !== undefined && before.run === reported.run;
  const isSame = sameRun && before.state === reported.state;
  const ranSince = sameRun ? before.runningSince : 0;
  const runs = reported.state === TaskState.RUNNING && ranSince === 0;
  return TaskStatus.create({
    ...reported,
    appliedAt: isSame && before.appliedAt > 0 ? before.appliedAt : nowMicros,
    runningSince: runs ? nowMicros : ranSince,
  });
}

/**
 * Whether `a` is from before `b`: an earlier run, or a lower state in the same run. A node's clock
 * may jump, so it does not count.
 */
export function isOlder(a: TaskStatus, b: TaskStatus): boolean {
  return a.run !== b.run ? a.run < b.run : a.state < b.state;
}
