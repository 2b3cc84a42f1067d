// stop, start, restart, pause, unpause: the services' run state in the cluster, followed until the containers are there.
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { composeKey, StackModel } from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow, type Goal } from './follow.ts';

export type RunStateWord = 'running' | 'stopped' | 'paused';

interface StackServices {
  readonly services: readonly Json[];
}

/** Services of the stack by key. @throws TswarmError when there are none or one of the names is unknown. */
export async function stackServices(
  context: ComposeContext,
  stack: string,
  keys: readonly string[],
): Promise<Json[]> {
  const detail = await context.client.get<StackServices>(
    `/tswarm/v1/stacks/${encodeURIComponent(stack)}`,
  );
  if (keys.length === 0) return [...detail.services];
  return keys.map((key) => {
    const found = detail.services.find((service) => composeKey(service) === key);
    if (!found)
      throw new TswarmError('not_found', `service "${key}" is not running in project ${stack}`, {
        hint: 'Start it with "tcompose up".',
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
  const body = { services: chosen.map((service) => service.ID), runState: state };
  return (await context.client.post<{ index: number }>('/tswarm/v1/services/action', { body }))
    .index;
}

export async function changeRunState(
  context: ComposeContext,
  keys: readonly string[],
  state: RunStateWord,
): Promise<number> {
  const stack = projectName(context);
  const services = await stackServices(context, stack, keys);
  const ids = services.map((service) => String(service.ID));
  const index = await setRunState(context, stack, ids, state);
  return followTo(context, stack, ids, index, state === 'stopped' ? 'stopped' : 'started', state);
}

export async function restart(context: ComposeContext, keys: readonly string[]): Promise<number> {
  const stack = projectName(context);
  const services = await stackServices(context, stack, keys);
  const ids = services.map((service) => String(service.ID));
  await setRunState(context, stack, ids, 'running');
  const before = await runsOf(context, stack);
  const body = { services: ids, restart: true };
  const { index } = await context.client.post<{ index: number }>('/tswarm/v1/services/action', {
    body,
  });
  return followTo(context, stack, ids, index, 'started', 'restarted', before);
}

/** How often each task's container has been started so far. */
async function runsOf(
  context: ComposeContext,
  stack: string,
): Promise<ReadonlyMap<string, number>> {
  const detail = await context.client.get<Json>(`/tswarm/v1/stacks/${encodeURIComponent(stack)}`);
  const model = StackModel.of(detail);
  return new Map(model.tasks().map((task) => [task.id, task.run]));
}

const TITLES: Readonly<Record<string, string>> = {
  running: 'Starting',
  stopped: 'Stopping',
  paused: 'Pausing',
  restarted: 'Restarting',
};

async function followTo(
  context: ComposeContext,
  stack: string,
  ids: readonly string[],
  index: number,
  goal: Goal,
  what: RunStateWord | 'restarted',
  runsBefore: ReadonlyMap<string, number> = new Map(),
): Promise<number> {
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
        if (what === 'restarted') return task.run > (runsBefore.get(task.id) ?? 0);
        if (what === 'paused') return task.paused;
        return goal === 'stopped' || (!task.paused && !task.stopped);
      },
    });
    display.stop();
    for (const failure of result.failures) process.stderr.write(`Error: ${failure}\n`);
    return result.ok ? EXIT.ok : EXIT.failed;
  } finally {
    display.stop();
  }
}

/** Name of the project of the current files. */
export function projectName(context: ComposeContext): string {
  return context.load().project.name;
}
