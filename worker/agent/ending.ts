// What the end of a run means: over (complete, failed, shut down), or the same container again after a back-off. Who restarts: the agent for Compose tasks
// (engine_restart), the orchestrator for the others; while no manager is in reach the agent does it for those too, by their own restart policy.
import { TaskState } from '#protocol/generated/objects';
import { EngineRestart, RestartCondition, RunState } from '#protocol/generated/specs';
import { mustRejoin, runsToJoin } from './beside.ts';
import type { Pass } from './decide.ts';
import type { RestartName } from './restart-policy.ts';
import { decideRestart } from './restart-policy.ts';
import { exitError } from './status.ts';
import type { Entry } from './types.ts';

const RESTART_NAMES: Readonly<Record<EngineRestart, RestartName>> = {
  [EngineRestart.NO]: 'no',
  [EngineRestart.ALWAYS]: 'always',
  [EngineRestart.UNLESS_STOPPED]: 'unless-stopped',
  [EngineRestart.ON_FAILURE]: 'on-failure',
};

/** Swarm's default delay between an end and the next start. */
const RESTART_DELAY_MS_DEFAULT = 5_000;
const NANOS_PER_MS = 1e6;

interface Ending {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly byUser: boolean;
  /** '' = the exit status says it all. */
  readonly reason: string;
}

/** The container's process has ended. Reports; the caller converges afterwards. */
export function afterExit(entry: Entry, ending: Ending, pass: Pass): void {
  const reason = entry.stopReason;
  const ranMs = Math.max(0, pass.nowMs - entry.startedAtMs);
  entry.up = false;
  entry.paused = false;
  entry.busy = '';
  entry.stopReason = '';
  entry.pid = 0;
  entry.exitCode = ending.exitCode;
  entry.oomKilled = ending.oomKilled;
  const wasUnhealthy = entry.health === 'unhealthy';
  entry.health = 'none';
  entry.unopened = [];
  switch (reason) {
    case 'shutdown':
      // Removal reports it, once nothing is left.
      if (entry.task.desiredState !== TaskState.REMOVE && !entry.gone) {
        pass.report(entry, { state: TaskState.SHUTDOWN, message: 'shutdown' });
      }
      return;
    case 'requested':
      pass.report(entry, { state: TaskState.SHUTDOWN, message: 'stopped', stopped: true });
      return;
    case 'restart':
      entry.restartSeen = entry.task.restartRequest;
      again(entry, 0, 'restarting on request', pass);
      return;
    case 'rejoin':
      again(entry, 0, 'restarting, as the container beside which it runs was started again', pass);
      return;
    case 'unhealthy':
      pass.report(entry, {
        state: TaskState.FAILED,
        message: 'started',
        err: 'task: unhealthy container',
      });
      return;
    default:
      endedByItself(entry, ending, ranMs, wasUnhealthy, pass);
  }
}

function endedByItself(
  entry: Entry,
  ending: Ending,
  ranMs: number,
  wasUnhealthy: boolean,
  pass: Pass,
): void {
  const engineRestart = entry.task.spec?.engineRestart;
  if (ending.byUser && engineRestart) {
    entry.held = true;
    pass.report(entry, { state: TaskState.SHUTDOWN, message: 'stopped', stopped: true });
    return;
  }
  if (entry.task.runState === RunState.STOPPED) {
    pass.report(entry, { state: TaskState.SHUTDOWN, message: 'stopped', stopped: true });
    return;
  }
  const unwanted = entry.gone || entry.task.desiredState > TaskState.COMPLETE;
  const text = [ending.reason, exitError(ending)].filter((part) => part !== '').join('; ');
  const restart = unwanted ? undefined : nextRestart(entry, ending, ranMs, pass);
  if (restart) {
    entry.restartsInRow = restart.restartsInRow;
    entry.restartCount += 1;
    again(entry, restart.delayMs, `restarting: ${text === '' ? 'exit (0)' : text}`, pass);
    return;
  }
  const ok = ending.exitCode === 0 && ending.reason === '';
  pass.report(entry, {
    state: unwanted ? TaskState.SHUTDOWN : ok ? TaskState.COMPLETE : TaskState.FAILED,
    message: unwanted ? 'shutdown' : 'finished',
    err: ok || unwanted ? '' : wasUnhealthy ? `${text}; it was unhealthy` : text,
  });
}

interface NextRestart {
  readonly delayMs: number;
  readonly restartsInRow: number;
}

/** Whether this node starts the same container again. */
function nextRestart(
  entry: Entry,
  ending: Ending,
  ranMs: number,
  pass: Pass,
): NextRestart | undefined {
  const policy = entry.task.spec?.engineRestart;
  if (policy) {
    const decision = decideRestart({
      name: RESTART_NAMES[policy.name],
      retriesMax: policy.maximumRetryCount,
      exitCode: ending.exitCode,
      stopRequested: false,
      ranMs,
      restartsInRow: entry.restartsInRow,
    });
    return decision.restart ? decision : undefined;
  }
  return pass.connected ? undefined : restartAlone(entry, ending);
}

/** Swarm's policy, followed by the node itself because nobody else can. */
function restartAlone(entry: Entry, ending: Ending): NextRestart | undefined {
  const policy = entry.task.spec?.restartPolicy;
  const condition = policy?.condition ?? RestartCondition.ANY;
  if (condition === RestartCondition.NONE) return undefined;
  const failed = ending.exitCode !== 0 || ending.reason !== '';
  if (condition === RestartCondition.ON_FAILURE && !failed) return undefined;
  // What runs to completion has got there.
  if (!failed && entry.task.jobIteration !== undefined) return undefined;
  const max = policy?.maxAttempts ?? 0;
  if (max > 0 && entry.restartsInRow >= max) return undefined;
  const delay = policy?.delay;
  return {
    delayMs: delay === undefined ? RESTART_DELAY_MS_DEFAULT : delay / NANOS_PER_MS,
    restartsInRow: entry.restartsInRow + 1,
  };
}

/** The same container again: reported as the next run at once, so that nobody takes this end for the last. */
function again(entry: Entry, delayMs: number, message: string, pass: Pass): void {
  entry.run += 1;
  entry.startAtMs = Math.max(1, pass.nowMs + delayMs);
  pass.report(entry, { state: TaskState.STARTING, message, err: exitError(entry) });
}

/** A start did not go through. The first one decides the task; a restart that may go through later is tried again. */
export function afterStartFailure(
  entry: Entry,
  failure: { readonly error: string; readonly retryable: boolean },
  pass: Pass,
): void {
  if (entry.gone || entry.task.desiredState > TaskState.COMPLETE) return;
  if (mustRejoin(entry, pass) || runsToJoin(entry, pass) === undefined) {
    // What it was to join has ended meanwhile; that is no failure of its own.
    again(entry, 0, failure.error, pass);
    return;
  }
  const policy = entry.task.spec?.engineRestart;
  const mayTryAgain = policy && (failure.retryable || entry.restartCount > 0);
  if (mayTryAgain) {
    const decision = decideRestart({
      name: RESTART_NAMES[policy.name],
      retriesMax: policy.maximumRetryCount,
      exitCode: entry.exitCode === 0 ? 1 : entry.exitCode,
      stopRequested: false,
      ranMs: 0,
      restartsInRow: entry.restartsInRow,
    });
    if (decision.restart) {
      entry.restartsInRow = decision.restartsInRow;
      entry.run += 1;
      entry.startAtMs = Math.max(1, pass.nowMs + decision.delayMs);
      pass.report(entry, {
        state: TaskState.STARTING,
        message: 'starting again',
        err: failure.error,
      });
      return;
    }
  }
  pass.report(entry, { state: TaskState.FAILED, message: 'starting', err: failure.error });
}
