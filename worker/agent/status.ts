// From an entry to the status that is reported, and the few words that tasks' statuses use (swarmkit's, where it has them).
import type { TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ContainerStatus,
  HealthState,
  PortStatus,
  TaskStatus as TaskStatusType,
} from '#protocol/generated/objects';
import type { AgentHealth, Entry } from './types.ts';

const HEALTH: Readonly<Record<AgentHealth, HealthState>> = {
  none: HealthState.NONE,
  starting: HealthState.STARTING,
  healthy: HealthState.HEALTHY,
  unhealthy: HealthState.UNHEALTHY,
};

export interface StatusChange {
  readonly state: TaskState;
  readonly message: string;
  readonly err?: string;
  readonly stopped?: boolean;
}

/** The status of an entry in a new state. */
export function statusOf(
  entry: Entry,
  change: StatusChange,
  nowMs: number,
  nodeId: string,
): TaskStatus {
  return TaskStatusType.create({
    timestamp: Math.floor(nowMs * 1000),
    state: change.state,
    message: change.message,
    err: change.err ?? '',
    run: entry.run,
    appliedBy: nodeId,
    ...(entry.containerId === '' && entry.exitCode === 0
      ? {}
      : { containerStatus: containerStatusOf(entry, change.stopped === true) }),
    ...(entry.ports.length > 0 ? { portStatus: PortStatus.create({ ports: entry.ports }) } : {}),
  });
}

function containerStatusOf(entry: Entry, stopped: boolean): ContainerStatus {
  return ContainerStatus.create({
    containerId: entry.containerId,
    pid: entry.up ? entry.pid : 0,
    exitCode: entry.exitCode,
    oomKilled: entry.oomKilled,
    health: HEALTH[entry.health],
    restartCount: entry.restartCount,
    stopped,
    paused: entry.paused,
    healthOutput: entry.health === 'unhealthy' ? entry.healthOutput : '',
  });
}

/** True when reporting `next` after `last` would say nothing new. */
export function sameStatus(last: TaskStatus, next: TaskStatus): boolean {
  const a = { ...last, timestamp: 0 };
  const b = { ...next, timestamp: 0 };
  return bytesEqual(TaskStatusType.encode(a), TaskStatusType.encode(b));
}

function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Why a run ended, for people: `task: non-zero exit (1)`. */
export function exitError(entry: {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}): string {
  if (entry.oomKilled) return `task: non-zero exit (${entry.exitCode}): out of memory (OOM killed)`;
  return entry.exitCode === 0 ? '' : `task: non-zero exit (${entry.exitCode})`;
}
