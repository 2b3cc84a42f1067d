// What goes into the agent and what comes out. Inputs are facts (assignments, what happened to containers, time); effects are plain data that the host
// executes. The order of effects in one answer counts: `save` before the effect that it belongs to, so that a run number is never given twice.
import type { Task, TaskStatus } from '#protocol/generated/objects';
import type { PortConfig } from '#protocol/generated/specs';

/** What a container does as far as the agent looks. */
export interface ObservedContainer {
  readonly containerId: string;
  readonly taskId: string;
  readonly status: 'created' | 'running' | 'ended';
  readonly pid: number;
  readonly paused: boolean;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Ended while the worker was away (now, not in an earlier life of the worker). */
  readonly endedUnseen: boolean;
  /** Why it ended when the exit status does not say; '' = it does. */
  readonly reason: string;
  /** Age of the run in ms; 0 when it does not run. */
  readonly ranMs: number;
  readonly health: AgentHealth;
  readonly hasHealthCheck: boolean;
  readonly ports: readonly PortConfig[];
}

export type AgentHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

/** Kept on disk per task; the container itself is found by its record. */
export interface SavedTask {
  readonly task: Task;
  readonly status: TaskStatus;
  readonly run: number;
  readonly restartCount: number;
  readonly restartsInRow: number;
  readonly restartSeen: number;
  readonly held: boolean;
  readonly besideContainers: readonly string[];
  readonly besideRuns: readonly number[];
}

/** A container whose namespaces another one joins. */
export interface Companion {
  /** Name of its service. */
  readonly service: string;
  readonly containerId: string;
}

export type AgentInput =
  /** A task that is new or has changed. */
  | { readonly type: 'assign'; readonly task: Task }
  /** It is not this node's any more: stop, delete, forget. */
  | { readonly type: 'unassign'; readonly taskId: string }
  /** Which secrets and configs are here now. */
  | { readonly type: 'files'; readonly present: ReadonlySet<string> }
  /** The session with a manager began or ended. */
  | { readonly type: 'connected'; readonly connected: boolean }
  | { readonly type: 'prepared'; readonly taskId: string; readonly containerId: string }
  | { readonly type: 'prepareFailed'; readonly taskId: string; readonly error: string }
  | {
      readonly type: 'started';
      readonly taskId: string;
      readonly containerId: string;
      readonly pid: number;
      readonly hasHealthCheck: boolean;
      readonly ports: readonly PortConfig[];
    }
  | {
      readonly type: 'startFailed';
      readonly taskId: string;
      readonly error: string;
      readonly exitCode: number;
      /** The same start may go through later (port taken, file not here). */
      readonly retryable: boolean;
    }
  | {
      readonly type: 'exited';
      readonly taskId: string;
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly byUser: boolean;
      readonly reason: string;
    }
  /** A stop did not go through (the process hangs in the kernel). */
  | { readonly type: 'stopFailed'; readonly taskId: string; readonly error: string }
  | {
      readonly type: 'health';
      readonly taskId: string;
      readonly health: AgentHealth;
      readonly output: string;
    }
  /** The answer to `awaitListening`; `missing`: ports on which nothing listens even now. */
  | {
      readonly type: 'listening';
      readonly taskId: string;
      readonly pid: number;
      readonly missing: readonly number[];
    }
  | { readonly type: 'paused'; readonly taskId: string; readonly paused: boolean }
  | { readonly type: 'removed'; readonly taskId: string }
  | { readonly type: 'removeFailed'; readonly taskId: string; readonly error: string }
  /** A time from `nextWakeMs` has come. */
  | { readonly type: 'wake' };

export type Effect =
  | { readonly type: 'save'; readonly taskId: string; readonly saved: SavedTask }
  | { readonly type: 'forget'; readonly taskId: string }
  /** From now on it takes, or takes no, new connections. Comes before whatever depends on it: the report, the stop. */
  | {
      readonly type: 'serving';
      readonly taskId: string;
      readonly containerId: string;
      readonly serving: boolean;
    }
  | { readonly type: 'report'; readonly taskId: string; readonly status: TaskStatus }
  | { readonly type: 'prepare'; readonly task: Task; readonly companions: readonly Companion[] }
  /** What is being prepared, or its hooks after the start, need not go on: the task is not wanted any more. */
  | { readonly type: 'cancelPrepare'; readonly taskId: string }
  | { readonly type: 'start'; readonly taskId: string; readonly containerId: string }
  /** Tell when the process `pid` listens on these TCP ports, or when that need not be waited for any longer. */
  | {
      readonly type: 'awaitListening';
      readonly taskId: string;
      readonly containerId: string;
      readonly pid: number;
      readonly ports: readonly number[];
    }
  | {
      readonly type: 'stop';
      readonly taskId: string;
      readonly containerId: string;
      /** Before the stop signal, for open connections to end; 0 = not at all. */
      readonly drainMs: number;
      /** Between stop signal and KILL. */
      readonly graceMs: number;
    }
  | { readonly type: 'pause'; readonly taskId: string; readonly containerId: string }
  | { readonly type: 'unpause'; readonly taskId: string; readonly containerId: string }
  | { readonly type: 'remove'; readonly taskId: string; readonly containerId: string };

/** What the host is doing for a task right now; nothing else is asked for until it has answered. */
export type Busy = '' | 'preparing' | 'starting' | 'stopping' | 'pausing' | 'removing';

/** Why the agent stops a container. */
export type StopReason = '' | 'shutdown' | 'requested' | 'restart' | 'unhealthy' | 'rejoin';

/** One task's part of the agent's state. Only the agent writes it. */
export interface Entry {
  task: Task;
  /** '' = none. */
  containerId: string;
  busy: Busy;
  up: boolean;
  paused: boolean;
  pid: number;
  hasHealthCheck: boolean;
  health: AgentHealth;
  healthOutput: string;
  /** TCP ports on which it must listen before it counts as running; none when it has a health check, or once it does. */
  unopened: readonly number[];
  ports: readonly PortConfig[];
  /** What the host was told last; undefined = its state is that of an earlier life. */
  serving: boolean | undefined;
  /** When this run began, agent's clock. */
  startedAtMs: number;
  run: number;
  restartCount: number;
  restartsInRow: number;
  restartSeen: number;
  /** Not before this time; 0 = at once. */
  startAtMs: number;
  /** Stopped through the Engine API; stays so until somebody starts it or asks for a restart. */
  held: boolean;
  stopReason: StopReason;
  /** In the order of `task.beside`: the containers that its own was made for, and the runs of them that its run has joined. */
  besideContainers: readonly string[];
  besideRuns: readonly number[];
  /** No longer assigned. */
  gone: boolean;
  exitCode: number;
  oomKilled: boolean;
  status: TaskStatus;
}
