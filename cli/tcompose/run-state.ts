// stop, start, restart, pause, unpause: the services' run state in the cluster, followed until the containers are there.

import type { ServiceAction } from '#api/cluster/types';
import { hasCode, TswarmError } from '#protocol/errors';
import { call } from '../client/cluster-call.ts';
import type { Json } from '../client/http.ts';
import {
  composeKey,
  hasEnded,
  type ServiceView,
  StackModel,
  type TaskView,
} from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow, type Goal, hasCompleted, needsStart } from './follow.ts';
import { type KnownProject, knownProject, projectName } from './known-project.ts';
import { projectContainers, serviceOf } from './ps.ts';

export type RunStateWord = 'running' | 'stopped' | 'paused';

/** Services of the stack by key. @throws TswarmError when there are none or one of the names is unknown. */
export async function stackServices(
  context: ComposeContext,
  stack: string,
  keys: readonly string[],
): Promise<Json[]> {
  const detail = await call(context.client, 'GET /tswarm/v1/stacks/{name}', {
    params: { name: stack },
  });
  if (keys.length === 0) return [...detail.services];
  return keys.map((key) => {
    const found = detail.services.find((service) => composeKey(service) === key);
    if (!found)
      throw new TswarmError('not_found', `no such service: ${key}`, {
        hint: `It is not in the running project ${stack}; "tcompose up" starts it.`,
      });
    return found;
  });
}

/** Sets the run state where it differs. `ids` empty = all services of the stack. @returns index to wait for */
export async function setRunState(
  context: ComposeContext,
  stack: string,
  ids: readonly string[],
  state: RunStateWord,
): Promise<number> {
  const services = await stackServices(context, stack, []);
  const chosen = services.filter((service) => {
    const spec = service.Spec as Json;
    return (
      (ids.length === 0 || ids.includes(String(service.ID))) &&
      ((spec.RunState as string) || 'running') !== state
    );
  });
  if (chosen.length === 0) return 0;
  const body = { services: chosen.map((service) => String(service.ID)), runState: state };
  return (await call(context.client, 'POST /tswarm/v1/services/action', { body })).index;
}

const GOALS: Readonly<Record<RunStateWord, Goal>> = {
  running: 'started',
  stopped: 'stopped',
  paused: 'paused',
};

export interface StopOptions {
  /** `-t`: seconds between the stop signal and SIGKILL. */
  readonly timeout?: string;
  /** `start`: until all is healthy, or works for a while. */
  readonly wait?: boolean;
  /** Seconds. */
  readonly waitTimeout?: string;
  /** `restart`; false: not the services that depend on the named ones with `restart: true`. */
  readonly deps?: boolean;
}

export async function changeRunState(
  context: ComposeContext,
  keys: readonly string[],
  state: RunStateWord,
  options: StopOptions = {},
): Promise<number> {
  const stack = await projectName(context, keys);
  const services = await stackServices(context, stack, keys);
  const ids = services.map((service) => String(service.ID));
  if (state === 'stopped') await stopWithin(context, stack, keys, options.timeout);
  if (state === 'running') {
    const started = await startServices(context, stack, new Set(ids), true);
    const { waitTimeout } = options;
    const seconds = waitTimeout === undefined ? 0 : secondsOf('--wait-timeout', waitTimeout);
    const goal = options.wait ? 'healthy' : 'started';
    const limit = { hasBegun: started.settled, seconds };
    return followTo(context, stack, ids, started.index, goal, state, limit);
  }
  const index = await setRunState(context, stack, ids, state);
  return followTo(context, stack, ids, index, GOALS[state], state);
}

/** Lets go on what was paused; what was stopped or has ended stays so. */
export async function unpause(context: ComposeContext, keys: readonly string[]): Promise<number> {
  const stack = await projectName(context, keys);
  const services = await stackServices(context, stack, keys);
  const paused = services.filter((service) => (service.Spec as Json).RunState === 'paused');
  if (paused.length === 0) return EXIT.ok;
  const ids = paused.map((service) => String(service.ID));
  const index = await setRunState(context, stack, ids, 'running');
  return followTo(context, stack, ids, index, 'started', 'unpaused');
}

/** @throws TswarmError invalid_argument */
export function secondsOf(flag: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new TswarmError('invalid_argument', `${flag} ${text}: must be a number of seconds`);
}

/** Stops the containers with another grace period than their own; nothing without one. */
export async function stopWithin(
  context: ComposeContext,
  stack: string,
  keys: readonly string[],
  timeout: string | undefined,
): Promise<void> {
  if (timeout === undefined) return;
  const seconds = secondsOf('-t', timeout);
  const containers = await projectContainers(context, stack, false);
  const wanted = containers.filter(
    (container) => keys.length === 0 || keys.includes(serviceOf(container)),
  );
  await Promise.all(
    wanted.map((container) =>
      context.client.post(`/containers/${container.Id}/stop`, { query: { t: seconds } }),
    ),
  );
}

/** With those that depend on them by `restart: true`, directly or not. */
function withDependents({ services }: KnownProject, named: readonly string[]): readonly string[] {
  const keys = new Set(named);
  for (const key of keys) {
    for (const [other, { depends_on: dependencies }] of Object.entries(services))
      if (dependencies?.[key]?.restart === true) keys.add(other);
  }
  return [...keys];
}

export async function restart(
  context: ComposeContext,
  named: readonly string[],
  options: StopOptions = {},
): Promise<number> {
  const project = await knownProject(context, named);
  const stack = project.name;
  const keys = options.deps === false ? named : withDependents(project, named);
  const services = await stackServices(context, stack, keys);
  const ids = services.map((service) => String(service.ID));
  await setRunState(context, stack, ids, 'running');
  const before = await runsOf(context, stack);
  await stopWithin(context, stack, keys, options.timeout);
  const body = { services: ids, restart: true };
  const { index } = await call(context.client, 'POST /tswarm/v1/services/action', {
    body,
  });
  return followTo(context, stack, ids, index, 'started', 'restarted', {
    hasBegun: (task) => task.run > (before.get(task.id) ?? 0),
  });
}

/**
 * Sets services to run, and starts those of their containers again that nothing else would start: what has failed or was stopped by hand, and with
 * `completed` what has done its work. Containers beside them that run are left alone.
 */
export async function startServices(
  context: ComposeContext,
  stack: string,
  ids: ReadonlySet<string>,
  completed: boolean,
): Promise<Started> {
  if (ids.size === 0) return { index: 0, settled: () => true };
  const model = StackModel.of(
    await call(context.client, 'GET /tswarm/v1/stacks/{name}', { params: { name: stack } }),
  );
  const chosen = model.services().filter((service) => ids.has(service.id));
  const ended = chosen
    .flatMap((service) => model.currentTasks(service.id))
    .filter((task) => needsStart(task) || (completed && hasCompleted(task)));
  const withEnded = new Set(ended.map((task) => task.serviceId));
  const asleep = chosen.filter((s) => s.runState !== 'running' && !withEnded.has(s.id));
  const act = async (body: ServiceAction): Promise<number> => {
    if (body.services.length === 0) return 0;
    const path = '/tswarm/v1/services/action';
    return (await context.client.post<{ index: number }>(path, { body })).index;
  };
  const indexes = [
    ...(await resumeUpdates(context, chosen)),
    await act({
      services: [...withEnded],
      runState: 'running',
      restart: true,
      restartTasks: ended.map((task) => task.id),
    }),
    await act({ services: asleep.map((service) => service.id), runState: 'running' }),
  ];
  const runs = new Map(ended.map((task) => [task.id, task.run]));
  return {
    index: Math.max(...indexes),
    settled: (task) => task.run > (runs.get(task.id) ?? -1),
  };
}

const HALTED: ReadonlySet<string> = new Set(['paused', 'failed', 'rollback_paused']);

/** An update that has halted goes on: the reason may be gone by now, and if it is not, it halts again and says so. */
async function resumeUpdates(
  context: ComposeContext,
  services: readonly ServiceView[],
): Promise<number[]> {
  const indexes: number[] = [];
  for (const service of services) {
    if (!HALTED.has(service.updateState)) continue;
    const path = `/tswarm/v1/services/${service.id}/rollout`;
    const query = { action: 'resume' };
    try {
      indexes.push((await context.client.post<{ index: number }>(path, { query })).index);
    } catch (error) {
      // It has gone on by itself meanwhile.
      if (!hasCode(error, 'failed_precondition')) throw error;
    }
  }
  return indexes;
}

/** What to wait for after `startServices`: the index, and that ended tasks have begun another run. */
export interface Started {
  readonly index: number;
  readonly settled: (task: TaskView) => boolean;
}

/** Services of the stack; none when there is no such stack. */
export async function servicesOrNone(
  context: ComposeContext,
  stack: string,
): Promise<readonly Json[]> {
  try {
    return await stackServices(context, stack, []);
  } catch (error) {
    if (hasCode(error, 'not_found')) return [];
    throw error;
  }
}

/** Names of the stack's services that are to run; none when there is no such stack. */
export async function runningServices(
  context: ComposeContext,
  stack: string,
): Promise<ReadonlySet<string>> {
  const services = await servicesOrNone(context, stack);
  const specs = services.map((service) => service.Spec as Json);
  const running = specs.filter((spec) => ((spec.RunState as string) || 'running') === 'running');
  return new Set(running.map((spec) => String(spec.Name)));
}

/** How often each task's container has been started so far. */
async function runsOf(
  context: ComposeContext,
  stack: string,
): Promise<ReadonlyMap<string, number>> {
  const detail = await call(context.client, 'GET /tswarm/v1/stacks/{name}', {
    params: { name: stack },
  });
  const model = StackModel.of(detail);
  return new Map(model.tasks().map((task) => [task.id, task.run]));
}

const TITLES: Readonly<Record<string, string>> = {
  running: 'Starting',
  stopped: 'Stopping',
  paused: 'Pausing',
  unpaused: 'Unpausing',
  restarted: 'Restarting',
};

interface Limit {
  readonly hasBegun?: (task: TaskView) => boolean;
  /** 0 = as long as it takes. */
  readonly seconds?: number;
}

async function followTo(
  context: ComposeContext,
  stack: string,
  ids: readonly string[],
  index: number,
  goal: Goal,
  what: RunStateWord | 'restarted' | 'unpaused',
  { hasBegun = () => true, seconds = 0 }: Limit = {},
): Promise<number> {
  const late = new AbortController();
  const timer = seconds > 0 ? setTimeout(() => late.abort(), seconds * 1000) : undefined;
  const display = new ProgressDisplay(TITLES[what] ?? '', context.progress);
  try {
    const result = await follow({
      client: context.client,
      stack,
      display,
      goal,
      services: new Set(ids),
      minIndex: index,
      settled: (task) => {
        if (!hasBegun(task)) return false;
        if (what === 'restarted') return true;
        if (what === 'unpaused') return !task.paused;
        if (what === 'paused') return task.paused || hasEnded(task);
        return goal === 'stopped' || (!task.paused && !task.stopped);
      },
      signal: late.signal,
    });
    display.stop();
    if (late.signal.aborted)
      process.stderr.write(`Error: application not healthy after ${seconds}s\n`);
    for (const failure of result.failures) process.stderr.write(`Error: ${failure}\n`);
    return result.ok ? EXIT.ok : EXIT.failed;
  } finally {
    clearTimeout(timer);
    display.stop();
  }
}
