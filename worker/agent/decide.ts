// The one rule: compare what is wanted of a task (desired state, run state, restart requests) with what is there (container, process), and ask for the next
// step. Level-triggered: it may be called at any time, any number of times; while the host is busy with a step for the task nothing else is asked for.
import type { TaskState as TaskStateValue } from '#protocol/generated/objects';
import { TaskState } from '#protocol/generated/objects';
import { RunState } from '#protocol/generated/specs';
import { besideText, companionsFor, isMadeForOthers, mustRejoin, runsToJoin } from './beside.ts';
import { savedOf } from './entry.ts';
import type { StatusChange } from './status.ts';
import type { Effect, Entry, StopReason } from './types.ts';

/** One call of the agent: what it knows, and where effects go. */
export interface Pass {
  readonly nowMs: number;
  readonly effects: Effect[];
  /** Ids of the secrets and configs that are here. */
  readonly present: ReadonlySet<string>;
  readonly connected: boolean;
  entryOf(taskId: string): Entry | undefined;
  report(entry: Entry, change: StatusChange): void;
}

/** Docker's: 10 s between the stop signal and KILL. */
const STOP_GRACE_MS_DEFAULT = 10_000;
const NANOS_PER_MS = 1e6;

/** Asks for the next step of one task. */
export function converge(entry: Entry, pass: Pass): void {
  const { desiredState } = entry.task;
  const away = entry.gone || desiredState === TaskState.REMOVE;
  const down = away || desiredState > TaskState.COMPLETE;
  if (entry.busy !== '') {
    if ((entry.busy === 'preparing' || entry.busy === 'starting') && down) {
      pass.effects.push({ type: 'cancelPrepare', taskId: entry.task.id });
    }
    return;
  }
  if (entry.up) convergeUp(entry, down, pass);
  else if (away) convergeAway(entry, pass);
  else if (down) reportShutdown(entry, pass);
  else convergeDown(entry, pass);
}

/** A process runs. */
function convergeUp(entry: Entry, down: boolean, pass: Pass): void {
  const { runState, restartRequest } = entry.task;
  const { containerId } = entry;
  const taskId = entry.task.id;
  if (!isForThisRun(entry)) entry.restartSeen = restartRequest;
  if (down) stop(entry, 'shutdown', pass);
  else if (runState === RunState.STOPPED) stop(entry, 'requested', pass);
  else if (restartRequest > entry.restartSeen) stop(entry, 'restart', pass);
  else if (entry.health === 'unhealthy' && !entry.task.spec?.engineRestart) {
    stop(entry, 'unhealthy', pass);
  } else if (mustRejoin(entry, pass)) {
    stop(entry, 'rejoin', pass);
  } else if (runState === RunState.PAUSED && !entry.paused) {
    entry.busy = 'pausing';
    pass.effects.push({ type: 'pause', taskId, containerId });
  } else if (runState === RunState.RUNNING && entry.paused) {
    entry.busy = 'pausing';
    pass.effects.push({ type: 'unpause', taskId, containerId });
  }
}

/** Whoever asked for the restart may have seen an earlier run, which is over. */
function isForThisRun(entry: Entry): boolean {
  const { restartAfterRun } = entry.task;
  return restartAfterRun === 0 || entry.run <= restartAfterRun;
}

function stop(entry: Entry, reason: StopReason, pass: Pass): void {
  entry.busy = 'stopping';
  entry.stopReason = reason;
  const grace = entry.task.spec?.containerSpec?.stopGracePeriod;
  pass.effects.push({
    type: 'stop',
    taskId: entry.task.id,
    containerId: entry.containerId,
    // Only what left service with the whole cluster knowing is worth waiting for.
    drainMs: reason === 'shutdown' ? (entry.task.drain?.timeout ?? 0) / NANOS_PER_MS : 0,
    graceMs: grace === undefined ? STOP_GRACE_MS_DEFAULT : grace / NANOS_PER_MS,
  });
}

/** Nothing of it may stay. The task is reported as over only once its container is gone. */
function convergeAway(entry: Entry, pass: Pass): void {
  if (entry.containerId !== '') {
    entry.busy = 'removing';
    pass.effects.push({
      type: 'remove',
      taskId: entry.task.id,
      containerId: entry.containerId,
    });
  } else if (entry.status.state < TaskState.COMPLETE) {
    reportShutdown(entry, pass);
  } else if (entry.status.containerStatus?.containerId) {
    // Over before; what is new is that its container is gone.
    const { state, message, err, containerStatus } = entry.status;
    pass.report(entry, { state, message, err, stopped: containerStatus.stopped });
  }
}

function reportShutdown(entry: Entry, pass: Pass): void {
  if (entry.status.state >= TaskState.COMPLETE) return;
  entry.startAtMs = 0;
  pass.report(entry, { state: TaskState.SHUTDOWN, message: 'shutdown' });
}

/** Wanted, and no process runs. */
function convergeDown(entry: Entry, pass: Pass): void {
  const over = entry.status.state >= TaskState.COMPLETE;
  const restartAsked = entry.task.restartRequest > entry.restartSeen;
  if (over && !restartAsked && !resumes(entry)) return;
  if (entry.task.runState === RunState.STOPPED) {
    // Not started at all, or waiting for a restart that is not wanted any more.
    if (entry.containerId !== '' && !over) {
      // The next start is a new run, also when a back-off had begun one.
      entry.startAtMs = 0;
      pass.report(entry, { state: TaskState.SHUTDOWN, message: 'stopped', stopped: true });
    } else if (entry.containerId === '' && !over) {
      prepare(entry, pass);
    }
    return;
  }
  const missing = missingFile(entry, pass);
  if (missing !== '') {
    waitFor(entry, missing, pass);
    return;
  }
  if (entry.containerId === '') {
    prepare(entry, pass);
    return;
  }
  if (isMadeForOthers(entry, pass)) {
    entry.busy = 'removing';
    const { containerId } = entry;
    pass.effects.push({ type: 'remove', taskId: entry.task.id, containerId });
    return;
  }
  if (entry.task.desiredState < TaskState.RUNNING) return;
  if (entry.startAtMs > pass.nowMs && !restartAsked) return;
  start(entry, pass);
}

/** Says what it waits for; what has not been prepared has been accepted. */
function waitFor(entry: Entry, reason: string, pass: Pass): void {
  newRunAfter(entry, TaskState.READY);
  const fresh = entry.status.run !== entry.run;
  const state = fresh
    ? TaskState.ACCEPTED
    : (Math.max(entry.status.state, TaskState.ACCEPTED) as TaskStateValue);
  pass.report(entry, { state, message: reason });
}

/** It was stopped on request, and is wanted running again. */
function resumes(entry: Entry): boolean {
  return (
    entry.status.state === TaskState.SHUTDOWN &&
    entry.status.containerStatus?.stopped === true &&
    !entry.held &&
    entry.task.runState === RunState.RUNNING
  );
}

/** Going back behind what was reported is only heard as a new run. */
function newRunAfter(entry: Entry, state: TaskStateValue): void {
  if (entry.status.run === entry.run && entry.status.state > state) entry.run += 1;
}

function prepare(entry: Entry, pass: Pass): void {
  const companions = companionsFor(entry, pass);
  if (companions === undefined) {
    waitFor(entry, besideText(entry, pass), pass);
    return;
  }
  entry.besideContainers = companions.map(({ containerId }) => containerId);
  newRunAfter(entry, TaskState.PREPARING);
  pass.report(entry, { state: TaskState.PREPARING, message: 'preparing' });
  entry.busy = 'preparing';
  pass.effects.push({ type: 'prepare', task: entry.task, companions });
}

function start(entry: Entry, pass: Pass): void {
  const runs = runsToJoin(entry, pass);
  if (runs === undefined) {
    const { state } = entry.status;
    pass.report(entry, { state, message: besideText(entry, pass) });
    return;
  }
  entry.besideRuns = runs;
  const restartAsked = entry.task.restartRequest > entry.restartSeen;
  if (restartAsked) entry.restartsInRow = 0;
  entry.restartSeen = entry.task.restartRequest;
  // A back-off has given the new run its number already.
  if (entry.startAtMs === 0 || restartAsked) entry.run += 1;
  entry.startAtMs = 0;
  entry.held = false;
  entry.busy = 'starting';
  pass.effects.push({ type: 'save', taskId: entry.task.id, saved: savedOf(entry) });
  pass.effects.push({ type: 'start', taskId: entry.task.id, containerId: entry.containerId });
}

/** Which secret or config is not here yet; '' = all are. */
function missingFile(entry: Entry, pass: Pass): string {
  const spec = entry.task.spec?.containerSpec;
  for (const secret of spec?.secrets ?? []) {
    if (!pass.present.has(secret.secretId)) {
      return `waiting for secret ${secret.secretName}: it comes from a manager`;
    }
  }
  for (const config of spec?.configs ?? []) {
    if (!pass.present.has(config.configId)) {
      return `waiting for config ${config.configName}: it comes from a manager`;
    }
  }
  return '';
}
