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

export type Goal = 'created' | 'started' | 'ran' | 'paused' | 'healthy' | 'stopped' | 'removed';

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

/** How the agent's reason for the end of a process begins; a start that failed has others. */
const ENDED_BY_ITSELF = 'task: non-zero exit';

/** Prefix of reasons that end a wait (manager: dependencies). */
const DEPENDENCY_FAILED = 'dependency failed to start';

/** Where a task stands on its way to the goal. */
export function assess(task: TaskView, goal: Goal): Assessment {
  if (goal === 'stopped') return assessStop(task);
  if (goal === 'created' && task.containerId !== '') return verdict('done', 'Created', '', 'ok');
  if (goal === 'paused' && task.paused) return verdict('done', 'Paused', '', 'ok');
  const { state } = task;
  // Stopped on request before, and asked to run again by now.
  if (task.stopped && hasEnded(task)) return verdict('working', 'Starting', '', 'pending');
  if (state === 'rejected' || state === 'orphaned')
    return verdict('error', 'Error', task.error || state, 'failed');
  if (task.waitingFor.startsWith(DEPENDENCY_FAILED))
    return verdict('error', 'Error', task.waitingFor, 'failed');
  if (hasEnded(task) || task.backsOff) return assessEnd(task, goal);
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
  // On its way into the next run, after a restart that was asked for.
  if (state === 'starting' && !task.hasProcess)
    return verdict('working', 'Restarting', '', 'pending');
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

function assessEnd(task: TaskView, goal: Goal): Assessment {
  if (!task.backsOff && (task.state === 'complete' || task.exitCode === 0))
    return verdict('done', 'Exited', '(0)', 'ok');
  if (task.restarts) {
    // Whoever waits for it to work learns that it does not; it may come round in the background.
    if (goal === 'healthy')
      return verdict('error', 'Restarting', `exited (${task.exitCode})`, 'failed');
    return verdict('warning', 'Restarting', `exit ${task.exitCode}`, 'pending');
  }
  const details = task.error === '' ? `exit ${task.exitCode}` : task.error;
  // It did run: what became of it is told by its log.
  if (goal === 'ran' && task.error.startsWith(ENDED_BY_ITSELF))
    return verdict('warning', 'Exited', `(${task.exitCode})`, 'ok');
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
  const watched = new Watched();
  const path = `/tswarm/v1/stacks/${encodeURIComponent(options.stack)}/watch`;
  const stop = new AbortController();
  options.signal?.addEventListener('abort', () => stop.abort(), { once: true });
  const lines = options.client.lines('GET', path, { signal: stop.signal });
  let next = lines.next();
  let lookAgainMs: number | undefined;
  try {
    for (;;) {
      const line = await within(next, lookAgainMs);
      if (line?.done === true) break;
      if (line) {
        model.apply(line.value as unknown as WatchLine);
        next = lines.next();
      }
      if (model.index < options.minIndex) continue;
      const step =
        options.goal === 'removed'
          ? showRemoval(model, options, watched)
          : showServices(model, options, watched);
      if (step.isEnd) return { ok: step.failures.length === 0, model, failures: step.failures };
      lookAgainMs = step.lookAgainMs;
    }
  } finally {
    stop.abort();
  }
  if (!options.signal?.aborted) throw connectionLost(options.client.endpoint);
  return { ok: false, model, failures: [] };
}

/** The promise's value, or undefined when it takes longer than `ms` (undefined = as long as it takes). */
async function within<T>(promise: Promise<T>, ms: number | undefined): Promise<T | undefined> {
  if (ms === undefined) return promise;
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}

interface Step {
  /** Nothing is to be waited for any more. */
  readonly isEnd: boolean;
  readonly failures: readonly string[];
  /** Time may change the judgement, even if nothing is heard. */
  readonly lookAgainMs?: number;
}

const GO_ON: Step = { isEnd: false, failures: [] };

/**
 * How long a container without a health check must have run before `--wait` believes that it works: a program that cannot work (a missing setting, a
 * taken port) ends within its first second or two.
 */
export const STEADY_MS = 2000;

/** What was seen while following: which runs have begun, which tasks had ended before. */
export class Watched {
  readonly #firstSeenMs = new Map<string, number>();
  #endedBefore: ReadonlySet<string> | undefined;
  /** Names of containers that were there. */
  readonly containers: Set<string> = new Set();

  /** Ms until a running task without a health check counts as working; 0 = it does. */
  unsteadyMs(task: TaskView, nowMs: number, wallMs: number): number {
    const hasCheck = task.health !== '' && task.health !== 'none';
    if (task.state !== 'running' || hasCheck) return 0;
    const key = `${task.id} ${task.run}`;
    const seenMs = this.#firstSeenMs.get(key) ?? nowMs;
    this.#firstSeenMs.set(key, seenMs);
    const ranMs = Math.max(nowMs - seenMs, wallMs - Date.parse(task.since) || 0);
    return Math.max(0, STEADY_MS - ranMs);
  }

  /** Tasks that failed since the first look and were replaced by others (Swarm's way to restart). */
  replacedFailures(model: StackModel, serviceId: string): readonly TaskView[] {
    const ended = model.tasks().filter((task) => hasEnded(task) && !isWanted(task));
    this.#endedBefore ??= new Set(ended.map((task) => task.id));
    const before = this.#endedBefore;
    return ended.filter(
      (task) => task.serviceId === serviceId && task.state === 'failed' && !before.has(task.id),
    );
  }
}

function counts(service: ServiceView, options: FollowOptions): boolean {
  return options.services === undefined || options.services.has(service.id);
}

function showServices(model: StackModel, options: FollowOptions, watched: Watched): Step {
  const failures: string[] = [];
  let pending = false;
  let unsteadyMs = 0;
  for (const service of model.services()) {
    if (!counts(service, options)) continue;
    const current = model.currentTasks(service.id);
    if (isIncomplete(service, current, options.goal)) pending = true;
    if (service.updateState === 'paused' || service.updateState === 'failed') {
      failures.push(`Service ${service.key}: ${service.updateMessage}`);
    }
    if (options.goal === 'healthy') {
      for (const task of watched.replacedFailures(model, service.id))
        failures.push(`Container ${task.containerName}: exited (${task.exitCode})`);
    }
    const replaced = AFTER_DEPLOYMENT.has(options.goal) ? outdated(current) : NOTHING;
    for (const task of current) {
      if (replaced.has(task)) {
        // While both are there (start-first) the new one is told of.
        if (replaced.get(task) === 'alone') showReplaced(task, options.display);
        continue;
      }
      const assessment = showTask(task, options);
      if (assessment.verdict === 'failed') {
        const reason = plainReason(assessment.details || assessment.text);
        failures.push(`Container ${task.containerName}: ${reason}`);
      }
      if (assessment.verdict === 'pending') pending = true;
      if (assessment.verdict === 'ok' && options.goal === 'healthy')
        unsteadyMs = Math.max(unsteadyMs, watched.unsteadyMs(task, performance.now(), Date.now()));
    }
  }
  // As docker compose: the first failure ends the wait; what else moves goes on in the background.
  if (failures.length > 0) return { isEnd: true, failures };
  if (pending) return GO_ON;
  return unsteadyMs > 0 ? { ...GO_ON, lookAgainMs: unsteadyMs } : { isEnd: true, failures: [] };
}

/** Docker's chain of who called whom says nothing to somebody who wrote a compose file. */
export function plainReason(text: string): string {
  return text.replace(
    /^failed to create task for container: .*?unable to start container process: /,
    'cannot start: ',
  );
}

/** Goals of what follows a deployment: containers of an older version do not count. */
const AFTER_DEPLOYMENT: ReadonlySet<Goal> = new Set(['created', 'started', 'ran', 'healthy']);

/** Containers are still to be made, or replaced by an update. */
function isIncomplete(service: ServiceView, current: readonly TaskView[], goal: Goal): boolean {
  if (service.replicas !== undefined && current.length < service.replicas) return true;
  return AFTER_DEPLOYMENT.has(goal) && current.some((task) => !task.upToDate);
}

const NOTHING: ReadonlyMap<TaskView, 'alone' | 'beside'> = new Map();

/** Containers of an older version: whether the new one that takes the name is there already. */
function outdated(current: readonly TaskView[]): ReadonlyMap<TaskView, 'alone' | 'beside'> {
  const fresh = new Set(current.filter((task) => task.upToDate).map((task) => task.containerName));
  const old = current.filter((task) => !task.upToDate);
  return new Map(
    old.map((task) => [task, fresh.has(task.containerName) ? 'beside' : 'alone'] as const),
  );
}

/** In docker compose's word. */
function showReplaced({ containerName }: TaskView, display: ProgressDisplay): void {
  display.update(`Container ${containerName}`, 'working', 'Recreate');
}

/** "Waiting waiting for …" says it twice. */
function withoutVerb({ text, details }: Assessment): string {
  return text === 'Waiting' ? details.replace(/^waiting /, '') : details;
}

/** Shows where a task stands. One that has not come far enough to be judged is pending. */
function showTask(task: TaskView, options: FollowOptions): Assessment {
  const isSettled = options.settled?.(task) !== false;
  const assessment = isSettled
    ? assess(task, options.goal)
    : verdict('working', options.goal === 'started' ? 'Starting' : 'Waiting', '', 'pending');
  // Why it failed is said once, as the error at the end.
  const details = assessment.verdict === 'failed' ? '' : withoutVerb(assessment);
  options.display.update(
    `Container ${task.containerName}`,
    assessment.state,
    assessment.text,
    details,
  );
  return assessment;
}

function showRemoval(model: StackModel, options: FollowOptions, watched: Watched): Step {
  const { display } = options;
  const left = new Set<string>();
  for (const task of model.tasks()) {
    if (task.containerId === '') continue;
    left.add(task.containerName);
    watched.containers.add(task.containerName);
    if (!isWanted(task)) display.update(`Container ${task.containerName}`, 'working', 'Removing');
  }
  for (const name of watched.containers)
    if (!left.has(name)) display.update(`Container ${name}`, 'done', 'Removed');
  const objects = model.tasks().length + model.services().length + model.names('network').length;
  return objects === 0 && !model.hasStack ? { isEnd: true, failures: [] } : GO_ON;
}
