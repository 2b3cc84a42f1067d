// The agent: what this node does about its tasks. Pure: facts and time in, effects out; one entry per task, and one rule (`converge`, decide.ts) that
// compares what is wanted with what is. Killed and made again from the saved tasks and the containers that are there, it goes on where it was.
// After swarmkit agent/worker.go, agent/task.go and agent/exec/controller.go; deviations: tasks with engine_restart restart their own container, and every
// task does so while no manager is in reach (architecture §10, Task and container).
// Refuses: to know how containers are made, to read a clock, to throw for a task's failure (that is a status).
import type { TaskStatus } from '#protocol/generated/objects';
import { TaskState } from '#protocol/generated/objects';
import { PortProtocol } from '#protocol/generated/specs';
import type { Pass } from './decide.ts';
import { converge } from './decide.ts';
import { afterExit, afterStartFailure } from './ending.ts';
import { entryFrom, newEntry, savedOf } from './entry.ts';
import type { StatusChange } from './status.ts';
import { sameStatus, statusOf } from './status.ts';
import type { AgentInput, Effect, Entry, ObservedContainer, SavedTask } from './types.ts';

export interface AgentOptions {
  readonly nodeId: string;
}

export class Agent {
  readonly #nodeId: string;
  readonly #entries = new Map<string, Entry>();
  /** When all tasks were last looked at. */
  #lookedMs = 0;
  #present: ReadonlySet<string> = new Set();
  #connected = false;

  constructor(options: AgentOptions) {
    this.#nodeId = options.nodeId;
  }

  /** Ids of the tasks that this node has. */
  taskIds(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The last status of every task: what a new session is told. */
  statuses(): readonly { readonly taskId: string; readonly status: TaskStatus }[] {
    return [...this.#entries].map(([taskId, entry]) => ({ taskId, status: entry.status }));
  }

  /** A start is under way or a restart is waited for. */
  willRun(taskId: string): boolean {
    const entry = this.#entries.get(taskId);
    return entry !== undefined && (entry.busy === 'starting' || entry.startAtMs > 0);
  }

  /** When the host must give a `wake` input; undefined = not needed. Ms of the same clock as `step`. */
  nextWakeMs(): number | undefined {
    let next: number | undefined;
    for (const entry of this.#entries.values()) {
      // What was due at the last look and did not start waits for something else, which is an input of its own.
      const isOverdue = entry.startAtMs < this.#lookedMs;
      const waits = entry.startAtMs > 0 && !isOverdue && !entry.up && entry.busy === '';
      if (waits && (next === undefined || entry.startAtMs < next)) next = entry.startAtMs;
    }
    return next;
  }

  /** Goes on after a restart of the worker. Containers that belong to no task are removed. */
  restore(
    saved: readonly SavedTask[],
    observed: readonly ObservedContainer[],
    nowMs: number,
  ): readonly Effect[] {
    const pass = this.#pass(nowMs);
    const byTask = new Map(observed.map((container) => [container.taskId, container]));
    for (const one of saved) {
      const entry = entryFrom(one);
      this.#entries.set(one.task.id, entry);
      const container = byTask.get(one.task.id);
      byTask.delete(one.task.id);
      if (container) this.#resume(entry, container, pass);
      else if (isLive(entry.status)) entry.containerId = '';
    }
    for (const orphan of byTask.values()) {
      pass.effects.push({
        type: 'remove',
        taskId: orphan.taskId,
        containerId: orphan.containerId,
      });
    }
    for (const entry of this.#entries.values()) converge(entry, pass);
    return this.#finish(pass);
  }

  #resume(entry: Entry, container: ObservedContainer, pass: Pass): void {
    entry.containerId = container.containerId;
    entry.hasHealthCheck = container.hasHealthCheck;
    entry.ports = container.ports;
    if (container.status === 'running') {
      entry.up = true;
      entry.pid = container.pid;
      entry.paused = container.paused;
      entry.startedAtMs = pass.nowMs - container.ranMs;
      entry.health = container.health;
      entry.run = Math.max(1, entry.run);
      if (!wasRunning(entry)) awaitListening(entry, pass);
      reportUp(entry, pass);
    } else if (
      container.status === 'ended' &&
      isLive(entry.status) &&
      endedUnseen(entry, container)
    ) {
      entry.startedAtMs = pass.nowMs - container.ranMs;
      afterExit(entry, { ...container, byUser: false }, pass);
    } else {
      entry.exitCode = container.exitCode;
      entry.oomKilled = container.oomKilled;
    }
  }

  /** One fact. @returns what is to be done, in order */
  step(input: AgentInput, nowMs: number): readonly Effect[] {
    const pass = this.#pass(nowMs);
    switch (input.type) {
      case 'assign':
        this.#assign(input.task, pass);
        break;
      case 'files':
        this.#present = input.present;
        this.#convergeAll(this.#pass(nowMs, pass.effects));
        break;
      case 'connected':
        this.#connected = input.connected;
        this.#convergeAll(this.#pass(nowMs, pass.effects));
        break;
      case 'wake':
        this.#convergeAll(pass);
        break;
      default:
        this.#about(input, pass);
        this.#convergeBeside(input.taskId, pass);
    }
    return this.#finish(pass);
  }

  #pass(nowMs: number, effects: Effect[] = []): Pass {
    // A clock that was set back.
    this.#lookedMs = Math.min(this.#lookedMs, nowMs);
    const report = (entry: Entry, change: StatusChange): void => {
      const status = statusOf(entry, change, nowMs, this.#nodeId);
      if (sameStatus(entry.status, status)) return;
      entry.status = status;
      effects.push({ type: 'save', taskId: entry.task.id, saved: savedOf(entry) });
      effects.push({ type: 'report', taskId: entry.task.id, status });
    };
    return {
      nowMs,
      effects,
      present: this.#present,
      connected: this.#connected,
      entryOf: (taskId) => this.#entries.get(taskId),
      report,
    };
  }

  /** Those whose containers join the namespaces of this one's. */
  #convergeBeside(taskId: string, pass: Pass): void {
    for (const entry of this.#entries.values())
      if (entry.task.beside.includes(taskId)) converge(entry, pass);
  }

  #convergeAll(pass: Pass): void {
    this.#lookedMs = pass.nowMs;
    for (const entry of this.#entries.values()) converge(entry, pass);
  }

  /** Says who takes connections now, and forgets what is done with. */
  #finish(pass: Pass): readonly Effect[] {
    for (const [taskId, entry] of this.#entries) {
      const serving = isServing(entry);
      if (entry.containerId !== '' && serving !== entry.serving) {
        entry.serving = serving;
        const { containerId } = entry;
        pass.effects.unshift({ type: 'serving', taskId, containerId, serving });
      }
      if (!entry.gone || entry.containerId !== '' || entry.busy !== '') continue;
      this.#entries.delete(taskId);
      pass.effects.push({ type: 'forget', taskId });
    }
    return pass.effects;
  }

  #assign(task: Entry['task'], pass: Pass): void {
    const known = this.#entries.get(task.id);
    if (known) {
      known.task = task;
      known.gone = false;
      pass.effects.push({ type: 'save', taskId: task.id, saved: savedOf(known) });
      converge(known, pass);
      if (known.status.state > (task.status?.state ?? 0)) {
        // The manager is behind (a report was lost with a session): say it again.
        pass.effects.push({ type: 'report', taskId: task.id, status: known.status });
      }
      return;
    }
    const entry = newEntry(task);
    this.#entries.set(task.id, entry);
    converge(entry, pass);
  }

  #about(
    input: Exclude<AgentInput, { type: 'assign' | 'files' | 'connected' | 'wake' }>,
    pass: Pass,
  ): void {
    const entry = this.#entries.get(input.taskId);
    if (!entry) return;
    switch (input.type) {
      case 'unassign':
        entry.gone = true;
        break;
      case 'prepared':
        entry.busy = '';
        entry.containerId = input.containerId;
        pass.report(entry, { state: TaskState.READY, message: 'prepared' });
        break;
      case 'prepareFailed':
        entry.busy = '';
        if (!isUnwanted(entry)) {
          pass.report(entry, {
            state: TaskState.REJECTED,
            message: 'preparing',
            err: input.error,
          });
        }
        break;
      case 'started':
        this.#started(entry, input, pass);
        break;
      case 'startFailed':
        entry.busy = '';
        entry.exitCode = input.exitCode;
        afterStartFailure(entry, input, pass);
        break;
      case 'exited':
        afterExit(entry, input, pass);
        break;
      case 'stopFailed':
        entry.busy = '';
        pass.report(entry, {
          state: entry.status.state,
          message: entry.status.message,
          err: input.error,
        });
        return;
      case 'health':
        entry.health = input.health;
        entry.healthOutput = input.output;
        if (entry.up && entry.busy !== 'stopping') reportUp(entry, pass);
        break;
      case 'listening':
        if (entry.pid !== input.pid || !entry.up) return;
        entry.unopened = [];
        reportUp(entry, pass, input.missing);
        break;
      case 'paused':
        entry.busy = entry.busy === 'pausing' ? '' : entry.busy;
        entry.paused = input.paused;
        if (entry.up) reportUp(entry, pass);
        break;
      case 'removed':
        this.#removed(entry, pass);
        break;
      case 'removeFailed':
        entry.busy = '';
        // It stays as a left-over of this node until the worker starts again; the task itself is over.
        if (entry.gone || entry.task.desiredState === TaskState.REMOVE) entry.containerId = '';
        pass.report(entry, {
          state: Math.max(entry.status.state, TaskState.SHUTDOWN) as TaskState,
          message: 'container not removed',
          err: input.error,
        });
        return;
    }
    converge(entry, pass);
  }

  #started(entry: Entry, input: Extract<AgentInput, { type: 'started' }>, pass: Pass): void {
    // Not asked for by us: somebody used `docker start` on it.
    if (entry.busy !== 'starting') entry.run += 1;
    entry.busy = '';
    entry.held = false;
    entry.up = true;
    entry.paused = false;
    entry.pid = input.pid;
    entry.containerId = input.containerId;
    entry.ports = input.ports;
    entry.hasHealthCheck = input.hasHealthCheck;
    entry.health = input.hasHealthCheck ? 'starting' : 'none';
    entry.healthOutput = '';
    entry.exitCode = 0;
    entry.oomKilled = false;
    entry.startedAtMs = pass.nowMs;
    entry.startAtMs = 0;
    entry.restartSeen = Math.max(entry.restartSeen, entry.task.restartRequest);
    awaitListening(entry, pass);
    reportUp(entry, pass);
  }

  #removed(entry: Entry, pass: Pass): void {
    const asked = entry.busy === 'removing';
    entry.busy = '';
    entry.containerId = '';
    entry.up = false;
    if (asked || isUnwanted(entry) || !isLive(entry.status)) return;
    if (entry.task.spec?.engineRestart) {
      // Deleted under our hands: made again, as a new run.
      entry.run += 1;
      pass.report(entry, { state: TaskState.PREPARING, message: 'container was removed' });
    } else {
      pass.report(entry, {
        state: TaskState.FAILED,
        message: 'stopped',
        err: 'the container was removed on the node',
      });
    }
  }
}

/** Its end has not been told yet: it ended while the worker was away, or in its last moment. */
function endedUnseen(entry: Entry, container: ObservedContainer): boolean {
  return container.endedUnseen || (entry.status.containerStatus?.pid ?? 0) > 0;
}

/** Without a health check a task counts as running once it listens on the TCP ports that its service publishes. */
function awaitListening(entry: Entry, pass: Pass): void {
  const published = (entry.task.endpoint?.ports ?? []).filter(
    ({ protocol }) => protocol === PortProtocol.TCP,
  );
  entry.unopened = entry.hasHealthCheck
    ? []
    : [...new Set(published.map(({ targetPort }) => targetPort))];
  if (entry.unopened.length === 0) return;
  const { containerId, pid, unopened: ports } = entry;
  pass.effects.push({ type: 'awaitListening', taskId: entry.task.id, containerId, pid, ports });
}

/** Reports a running container in the state that its health and its ports give it. */
export function reportUp(entry: Entry, pass: Pass, missing: readonly number[] = []): void {
  const waiting =
    entry.unopened.length > 0 ||
    entry.health === 'starting' ||
    (entry.health === 'unhealthy' && entry.status.state < TaskState.RUNNING);
  const isStarting = waiting && !wasRunning(entry);
  pass.report(entry, {
    state: isStarting ? TaskState.STARTING : TaskState.RUNNING,
    message: isStarting ? startingText(entry) : startedText(missing),
    err: entry.health === 'unhealthy' ? 'unhealthy container' : '',
  });
}

function wasRunning({ status, run }: Entry): boolean {
  return status.run === run && status.state >= TaskState.RUNNING;
}

function startingText({ unopened }: Entry): string {
  return unopened.length === 0
    ? 'starting'
    : `starting: nothing listens on ${portsText(unopened)} yet`;
}

function startedText(missing: readonly number[]): string {
  return missing.length === 0
    ? 'started'
    : `started, but nothing listens on ${portsText(missing)}, which the service publishes`;
}

function portsText(ports: readonly number[]): string {
  return `port${ports.length > 1 ? 's' : ''} ${ports.join(', ')}`;
}

/** Whether its container should be found through names and ports now: it runs, listens, and is healthy when it has a check. */
function isServing(entry: Entry): boolean {
  return (
    entry.up &&
    !entry.paused &&
    entry.busy !== 'stopping' &&
    entry.busy !== 'removing' &&
    entry.unopened.length === 0 &&
    (entry.health === 'none' || entry.health === 'healthy')
  );
}

/** Not over yet. */
export function isLive(status: TaskStatus): boolean {
  return status.state < TaskState.COMPLETE;
}

function isUnwanted(entry: Entry): boolean {
  return entry.gone || entry.task.desiredState > TaskState.COMPLETE;
}
