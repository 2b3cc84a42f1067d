// Follows a stack until it is as asked, and shows each container's way there. `assess` is pure: from a task to a line of progress and whether that
// is the end of it; the loop around it reads the watch stream and gives up on a reason that cannot mend itself.
import type { WatchLine } from '#api/cluster/types';
import { connectionLost } from '../client/endpoint.ts';
import type { ApiClient } from '../client/http.ts';
import {
  hasEnded,
  isWanted,
  type ServiceView,
  StackModel,
  type TaskView,
} from '../client/stack-model.ts';
import type { ProgressDisplay, ProgressState } from '../output/progress.ts';

export type Goal = 'started' | 'paused' | 'healthy' | 'stopped' | 'removed';

export interface Assessment {
  readonly state: ProgressState;
  readonly text: string;
  readonly details: string;
  /** pending: not there yet; ok: as asked; failed: it will not get there by itself. */
  readonly verdict: 'pending' | 'ok' | 'failed';
}

const PENDING_WORDS: Readonly<Record<string, string>> = {
  new: 'Creating',
  pending: 'Creating',
  assigned: 'Creating',
  accepted: 'Creating',
  preparing: 'Creating',
  ready: 'Created',
  starting: 'Starting',
};

/** Prefix of reasons that end a wait (manager: dependencies). */
const DEPENDENCY_FAILED = 'dependency failed to start';

/** Where a task stands on its way to the goal. */
export function assess(task: TaskView, goal: Goal): Assessment {
  if (goal === 'stopped') return assessStop(task);
  if (goal === 'paused' && task.paused) return verdict('done', 'Paused', '', 'ok');
  const { state } = task;
  // Stopped on request before, and asked to run again by now.
  if (task.stopped && hasEnded(task)) return verdict('working', 'Starting', '', 'pending');
  if (state === 'rejected' || state === 'orphaned')
    return verdict('error', 'Error', task.error || state, 'failed');
  if (task.waitingFor.startsWith(DEPENDENCY_FAILED))
    return verdict('error', 'Error', task.waitingFor, 'failed');
  if (hasEnded(task)) return assessEnd(task);
  if (state === 'running') {
    if (task.health === 'unhealthy')
      return verdict('warning', 'Unhealthy', '', goal === 'healthy' ? 'failed' : 'ok');
    if (task.health === 'starting')
      return verdict(
        goal === 'healthy' ? 'working' : 'done',
        'Started',
        '',
        goal === 'healthy' ? 'pending' : 'ok',
      );
    return verdict('done', task.health === 'healthy' ? 'Healthy' : 'Started', '', 'ok');
  }
  if (state === 'starting') {
    // STARTING lasts until the first healthy probe: the process runs already.
    const details = goal === 'healthy' ? 'waiting to be healthy' : '';
    return goal === 'healthy'
      ? verdict('working', 'Waiting', details, 'pending')
      : verdict('done', 'Started', '', 'ok');
  }
  const reason = task.waitingFor || task.error;
  return verdict(
    'working',
    reason === '' ? (PENDING_WORDS[state] ?? 'Creating') : 'Waiting',
    reason,
    'pending',
  );
}

/** True for a task whose container has failed, or was stopped by hand, and that nothing will start again by itself. */
export function needsStart(task: TaskView): boolean {
  if (task.containerId === '') return false;
  if (task.stopped) return true;
  return task.state === 'failed' && !(task.restarts && task.desired === 'running');
}

/** True for a task whose container has done its work. */
export function hasCompleted(task: TaskView): boolean {
  return task.state === 'complete' && task.containerId !== '';
}

function assessEnd(task: TaskView): Assessment {
  if (task.state === 'complete' || task.exitCode === 0)
    return verdict('done', 'Exited', '(0)', 'ok');
  if (task.restarts) return verdict('warning', 'Restarting', `exit ${task.exitCode}`, 'pending');
  const details = task.error === '' ? `exit ${task.exitCode}` : task.error;
  return verdict('error', 'Exited', details, 'failed');
}

function assessStop(task: TaskView): Assessment {
  if (hasEnded(task) || task.stopped) return verdict('done', 'Stopped', '', 'ok');
  if (task.containerId === '') return verdict('done', 'Stopped', '', 'ok');
  return verdict('working', 'Stopping', '', 'pending');
}

function verdict(
  state: ProgressState,
  text: string,
  details: string,
  end: Assessment['verdict'],
): Assessment {
  return { state, text, details, verdict: end };
}

export interface FollowOptions {
  readonly client: ApiClient;
  readonly stack: string;
  readonly display: ProgressDisplay;
  readonly goal: Goal;
  /** Ids of the services that count; all when absent. */
  readonly services?: ReadonlySet<string>;
  /** The state before this index does not count. */
  readonly minIndex: number;
  /** Extra test that a task has come far enough to be judged. */
  readonly settled?: (task: TaskView) => boolean;
  readonly signal?: AbortSignal;
}

export interface FollowResult {
  readonly ok: boolean;
  readonly model: StackModel;
  /** "Container x: reason", one per failure. */
  readonly failures: readonly string[];
}

/** Reads the stack's watch stream until everything that counts has reached the goal or failed. */
export async function follow(options: FollowOptions): Promise<FollowResult> {
  const model = new StackModel();
  const path = `/tswarm/v1/stacks/${encodeURIComponent(options.stack)}/watch`;
  const stop = new AbortController();
  options.signal?.addEventListener('abort', () => stop.abort(), { once: true });
  let result: FollowResult | undefined;
  for await (const line of options.client.lines('GET', path, { signal: stop.signal })) {
    model.apply(line as unknown as WatchLine);
    if (model.index < options.minIndex) continue;
    const step =
      options.goal === 'removed' ? showRemoval(model, options) : showServices(model, options);
    if (!step) continue;
    result = { model, ...step };
    break;
  }
  stop.abort();
  if (result) return result;
  if (!options.signal?.aborted) throw connectionLost(options.client.endpoint);
  return { ok: false, model, failures: [] };
}

interface Step {
  readonly ok: boolean;
  readonly failures: readonly string[];
}

function counts(service: ServiceView, options: FollowOptions): boolean {
  return options.services === undefined || options.services.has(service.id);
}

function showServices(model: StackModel, options: FollowOptions): Step | undefined {
  const failures: string[] = [];
  let pending = false;
  for (const service of model.services()) {
    if (!counts(service, options)) continue;
    const current = model.currentTasks(service.id);
    if (service.replicas !== undefined && current.length < service.replicas) pending = true;
    if (service.updateState === 'updating' && current.some((task) => !task.upToDate))
      pending = true;
    if (service.updateState === 'paused' || service.updateState === 'failed') {
      failures.push(`Service ${service.key}: ${service.updateMessage}`);
    }
    for (const task of current) {
      const assessment = assess(task, options.goal);
      const unsettled = options.settled?.(task) === false;
      const id = `Container ${task.containerName}`;
      if (unsettled) options.display.update(id, 'working', 'Waiting');
      else options.display.update(id, assessment.state, assessment.text, assessment.details);
      if (assessment.verdict === 'failed' && !unsettled)
        failures.push(`${id}: ${assessment.details || assessment.text}`);
      if (assessment.verdict === 'pending' || unsettled) pending = true;
    }
  }
  // As docker compose: the first failure ends the wait; what else moves goes on in the background.
  if (failures.length > 0) return { ok: false, failures };
  return pending ? undefined : { ok: true, failures: [] };
}

function showRemoval(model: StackModel, options: FollowOptions): Step | undefined {
  const { display } = options;
  for (const task of model.tasks()) {
    const id = `Container ${task.containerName}`;
    if (task.containerId !== '' && isWanted(task) === false)
      display.update(id, 'working', 'Removing');
  }
  const left = model.tasks().length + model.services().length + model.names('network').length;
  return left === 0 && !model.hasStack ? { ok: true, failures: [] } : undefined;
}
