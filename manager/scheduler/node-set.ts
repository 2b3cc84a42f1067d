// What the scheduler remembers of each node: free resources, task counts, host ports, images, recent failures. Fed task by task; feeding the same
// task again replaces what it counted before, so that a change may arrive twice (as a pending write and again when it is committed).
// Resources and host ports are held until a task has ended; it counts as a copy of its service only while it is wanted (swarmkit scheduler/nodeinfo.go).
// Invariant: the counters of a node equal what a scan over its tasks would give (see the property test).
import { isAttachment } from '#protocol/attachments';
import type { GenericResource } from '#protocol/generated/specs';
import { type TakenResources, takeGeneric } from './generic-resources.ts';
import { FAILURE_WINDOW_MICROS, FAILURES_MAX, IMAGES_PER_NODE_MAX } from './limits.ts';
import { type Node, PublishMode, type Task, TaskState } from './types.ts';

/** A port published on the node itself; `ip` '' = all addresses. */
export interface HostPort {
  /** "0/80": protocol and number. */
  readonly key: string;
  readonly ip: string;
}

interface Counted {
  /** Where it was counted; a node that comes back under the same id is another one. */
  readonly info: NodeInfo;
  readonly serviceId: string;
  readonly isWanted: boolean;
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: readonly GenericResource[];
  readonly hostPorts: readonly HostPort[];
}

export class NodeInfo {
  node: Node;
  nanoCpusReserved = 0;
  memoryBytesReserved = 0;
  readonly genericTaken: TakenResources = new Map();
  /** Wanted tasks in all. */
  taskCount = 0;
  /** service id → number of wanted tasks */
  readonly tasksOfService: Map<string, number> = new Map();
  /** "0/80" → address → number of live tasks that hold it. */
  readonly #hostPorts: Map<string, Map<string, number>> = new Map();
  /** Images that tasks have had here, the latest last. A hint: images may have been deleted. */
  readonly #images: Set<string> = new Set();
  /** service id and spec version → times (µs) of failures. */
  readonly #failures: Map<string, readonly number[]> = new Map();

  constructor(node: Node) {
    this.node = node;
  }

  get nanoCpusFree(): number {
    return (this.node.description?.resources?.nanoCpus ?? 0) - this.nanoCpusReserved;
  }

  get memoryBytesFree(): number {
    return (this.node.description?.resources?.memoryBytes ?? 0) - this.memoryBytesReserved;
  }

  isPortFree({ key, ip }: HostPort): boolean {
    const holders = this.#hostPorts.get(key);
    if (!holders) return true;
    return !isAnyAddress(ip) && !holders.has('') && !holders.has(ip);
  }

  hasImage(image: string): boolean {
    return this.#images.has(image);
  }

  recentFailures(task: Task, nowMicros: number): number {
    const times = this.#failures.get(failureKey(task)) ?? [];
    return times.filter((time) => time > nowMicros - FAILURE_WINDOW_MICROS).length;
  }

  add(counted: Counted, sign: 1 | -1): void {
    this.nanoCpusReserved += sign * counted.nanoCpus;
    this.memoryBytesReserved += sign * counted.memoryBytes;
    takeGeneric(this.genericTaken, counted.generic, sign);
    for (const { key, ip } of counted.hostPorts) {
      const holders = this.#hostPorts.get(key) ?? new Map<string, number>();
      bump(holders, isAnyAddress(ip) ? '' : ip, sign);
      if (holders.size === 0) this.#hostPorts.delete(key);
      else this.#hostPorts.set(key, holders);
    }
    if (!counted.isWanted) return;
    this.taskCount += sign;
    bump(this.tasksOfService, counted.serviceId, sign);
  }

  noteImage(image: string): void {
    this.#images.delete(image);
    this.#images.add(image);
    if (this.#images.size <= IMAGES_PER_NODE_MAX) return;
    for (const oldest of this.#images) {
      this.#images.delete(oldest);
      return;
    }
  }

  noteFailure(task: Task): void {
    const now = task.status?.timestamp ?? 0;
    for (const [key, times] of this.#failures) {
      if ((times.at(-1) ?? 0) <= now - FAILURE_WINDOW_MICROS) this.#failures.delete(key);
    }
    const times = this.#failures.get(failureKey(task)) ?? [];
    this.#failures.set(failureKey(task), [...times, now].slice(-2 * FAILURES_MAX));
  }
}

function failureKey(task: Task): string {
  return `${task.serviceId}/${task.specVersion?.index ?? 0}`;
}

function isAnyAddress(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::';
}

/** True while a task occupies its node: placed there and not ended, whatever is wanted of it by now. */
export function occupiesNode(task: Task): boolean {
  if (isAttachment(task)) return false;
  return task.nodeId !== '' && (task.status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
}

/** Host-mode ports of a task that were not left to the node's choice. */
export function hostPortsOf(task: Task): HostPort[] {
  return (task.endpoint?.ports ?? [])
    .filter((port) => port.publishMode === PublishMode.HOST && port.publishedPort > 0)
    .map((port) => ({ key: `${port.protocol}/${port.publishedPort}`, ip: port.hostIp }));
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
      before.info.add(before, -1);
      this.#counted.delete(taskId);
    }
    if (!task) {
      this.#seenFailures.delete(taskId);
      return;
    }
    const info = this.nodes.get(task.nodeId);
    if (!info) return;
    if (occupiesNode(task)) {
      const counted = countedOf(task, info);
      this.#counted.set(taskId, counted);
      info.add(counted, 1);
    }
    this.#noteHistory(task, info);
  }

  #noteHistory(task: Task, info: NodeInfo): void {
    const state = task.status?.state ?? TaskState.NEW;
    // From READY on the container was made, so the image is there.
    const image = task.spec?.containerSpec?.image ?? '';
    if (image !== '' && state >= TaskState.READY && state <= TaskState.RUNNING) {
      info.noteImage(image);
    }
    if (state !== TaskState.FAILED && state !== TaskState.REJECTED) return;
    if (this.#seenFailures.has(task.id)) return;
    this.#seenFailures.add(task.id);
    info.noteFailure(task);
  }
}

function countedOf(task: Task, info: NodeInfo): Counted {
  const reserved = task.spec?.resources?.reservations;
  return {
    info,
    serviceId: task.serviceId,
    isWanted: task.desiredState <= TaskState.COMPLETE,
    nanoCpus: reserved?.nanoCpus ?? 0,
    memoryBytes: reserved?.memoryBytes ?? 0,
    generic: task.assignedGenericResources,
    hostPorts: hostPortsOf(task),
  };
}

function bump(map: Map<string, number>, key: string, by: number): void {
  const value = (map.get(key) ?? 0) + by;
  if (value === 0) map.delete(key);
  else map.set(key, value);
}
