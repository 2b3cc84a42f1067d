// What the scheduler remembers of each node: free resources, task counts, host ports, recent failures. Fed task by task; feeding the same
// task again replaces what it counted before, so that a change may arrive twice (as a pending write and again when it is committed).
// Invariant: the counters of a node equal what a scan over its live tasks would give (see the property test).
import { type Node, PublishMode, type Task, TaskState } from './types.ts';

/** Failures of one service version on one node that make other nodes preferred (swarmkit scheduler/nodeinfo.go). */
export const FAILURES_MAX = 5;
/** How long a failure counts, in microseconds. */
export const FAILURE_WINDOW_MICROS = 300_000_000;

interface Counted {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly hostPorts: readonly string[];
}

export class NodeInfo {
  node: Node;
  nanoCpusReserved = 0;
  memoryBytesReserved = 0;
  taskCount = 0;
  readonly tasksOfService: Map<string, number> = new Map();
  /** "tcp/80" → number of live tasks that hold it. */
  readonly hostPorts: Map<string, number> = new Map();
  /** service id → times (µs) of failures. */
  readonly failures: Map<string, number[]> = new Map();

  constructor(node: Node) {
    this.node = node;
  }

  get nanoCpusFree(): number {
    return (this.node.description?.resources?.nanoCpus ?? 0) - this.nanoCpusReserved;
  }

  get memoryBytesFree(): number {
    return (this.node.description?.resources?.memoryBytes ?? 0) - this.memoryBytesReserved;
  }

  recentFailures(serviceId: string, nowMicros: number): number {
    const times = this.failures.get(serviceId) ?? [];
    return times.filter((time) => time > nowMicros - FAILURE_WINDOW_MICROS).length;
  }
}

/** True while a task occupies its node: placed there and not ended, whatever is wanted of it by now. */
export function occupiesNode(task: Task): boolean {
  return task.nodeId !== '' && (task.status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
}

/** Host-mode ports of a task as "tcp/80". */
export function hostPortsOf(task: Task): string[] {
  return (task.endpoint?.ports ?? [])
    .filter((port) => port.publishMode === PublishMode.HOST && port.publishedPort > 0)
    .map((port) => `${port.protocol}/${port.publishedPort}`);
}

export class NodeSet {
  readonly nodes: Map<string, NodeInfo> = new Map();
  readonly #counted: Map<string, Counted> = new Map();
  readonly #seenFailures: Set<string> = new Set();

  setNode(node: Node): void {
    const info = this.nodes.get(node.id);
    if (info) info.node = node;
    else this.nodes.set(node.id, new NodeInfo(node));
  }

  removeNode(nodeId: string): void {
    this.nodes.delete(nodeId);
  }

  /** Counts a task as it is now; `undefined` = it is gone. */
  setTask(taskId: string, task: Task | undefined): void {
    const before = this.#counted.get(taskId);
    if (before) {
      this.#add(before, -1);
      this.#counted.delete(taskId);
    }
    if (!task) {
      this.#seenFailures.delete(taskId);
      return;
    }
    if (occupiesNode(task)) {
      const reserved = task.spec?.resources?.reservations;
      const counted: Counted = {
        nodeId: task.nodeId,
        serviceId: task.serviceId,
        nanoCpus: reserved?.nanoCpus ?? 0,
        memoryBytes: reserved?.memoryBytes ?? 0,
        hostPorts: hostPortsOf(task),
      };
      this.#counted.set(taskId, counted);
      this.#add(counted, 1);
    }
    this.#noteFailure(task);
  }

  #add(counted: Counted, sign: 1 | -1): void {
    const info = this.nodes.get(counted.nodeId);
    if (!info) return;
    info.nanoCpusReserved += sign * counted.nanoCpus;
    info.memoryBytesReserved += sign * counted.memoryBytes;
    info.taskCount += sign;
    bump(info.tasksOfService, counted.serviceId, sign);
    for (const port of counted.hostPorts) bump(info.hostPorts, port, sign);
  }

  #noteFailure(task: Task): void {
    const state = task.status?.state;
    if (state !== TaskState.FAILED && state !== TaskState.REJECTED) return;
    if (this.#seenFailures.has(task.id)) return;
    const info = this.nodes.get(task.nodeId);
    if (!info) return;
    this.#seenFailures.add(task.id);
    const times = info.failures.get(task.serviceId) ?? [];
    const now = task.status?.timestamp ?? 0;
    info.failures.set(
      task.serviceId,
      [...times.filter((time) => time > now - FAILURE_WINDOW_MICROS), now].slice(-2 * FAILURES_MAX),
    );
  }
}

function bump(map: Map<string, number>, key: string, by: number): void {
  const value = (map.get(key) ?? 0) + by;
  if (value === 0) map.delete(key);
  else map.set(key, value);
}
