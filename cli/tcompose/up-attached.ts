// tcompose up in the foreground: logs until Ctrl-C, until all containers have ended, or until the first one has (--abort-on-container-exit and its
// kin), and then the stop of the project.
import type { WatchLine } from '#api/cluster/types';
import { connectionLost } from '../client/endpoint.ts';
import { hasEnded, StackModel, type TaskView } from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow } from './follow.ts';
import type { Interrupt } from './interrupt.ts';
import { showLogs } from './logs.ts';
import { projectContainers } from './ps.ts';
import { setRunState, stopWithin } from './run-state.ts';
import type { UpOptions } from './up.ts';

export interface Attached {
  readonly stack: string;
  /** Keys of the services whose logs are shown. */
  readonly keys: readonly string[];
  /** Ids of the services that were started: their ends count. */
  readonly services: ReadonlySet<string>;
  /** When `up` began, in ms since 1970: what ended before is history. */
  readonly sinceMs: number;
  /** Some of the services were there before, with a log of what they did. */
  readonly hasHistory: boolean;
}

/** After the last container has ended its last lines may still be on their way. */
const LAST_LINES_MS = 300;

/** True when the end of one container ends all. */
export function endsWithFirst(options: UpOptions): boolean {
  return (
    options.abortOnContainerExit === true ||
    options.abortOnContainerFailure === true ||
    options.exitCodeFrom !== undefined
  );
}

/** @returns the exit code of `up` */
export async function attachToLogs(
  context: ComposeContext,
  attached: Attached,
  options: UpOptions,
  interrupt: Interrupt,
): Promise<number> {
  const logs = new AbortController();
  interrupt.onInterrupt(() => logs.abort());
  process.stderr.write(`Attaching to ${attached.keys.join(', ')}\n`);
  const lines = showLogs(context, {
    stack: attached.stack,
    services: attached.keys,
    follow: true,
    tail: 'all',
    // What is new is all, where nothing is old: no clock is asked then.
    ...(attached.hasHistory ? { since: new Date(attached.sinceMs).toISOString() } : {}),
    prefix: options.noLogPrefix !== true,
    timestamps: options.timestamps === true,
    signal: logs.signal,
  });
  const ends = firstEnd(context, attached, options, logs.signal);
  const end = await Promise.race([ends, lines.then(() => undefined)]);
  await new Promise((resolve) => setTimeout(resolve, end === undefined ? 0 : LAST_LINES_MS));
  logs.abort();
  await Promise.all([lines, ends]);
  if (interrupt.count > 0) {
    await stopProject(context, attached.stack, options, interrupt);
    return EXIT.interrupted;
  }
  if (end === undefined || end === 'all') return EXIT.ok;
  process.stderr.write('Aborting on container exit...\n');
  await stopProject(context, attached.stack, options, interrupt, '');
  const from = options.exitCodeFrom;
  return from === undefined ? end.exitCode : exitCodeOf(context, attached.stack, from);
}

/** The end that ends `up`: the first container's where that was asked for, else 'all' when none runs any more; undefined when interrupted. */
async function firstEnd(
  context: ComposeContext,
  attached: Attached,
  options: UpOptions,
  signal: AbortSignal,
): Promise<TaskView | 'all' | undefined> {
  const model = new StackModel();
  const seen = new Set<string>();
  const path = `/tswarm/v1/stacks/${encodeURIComponent(attached.stack)}/watch`;
  for await (const line of context.client.lines('GET', path, { signal })) {
    model.apply(line as unknown as WatchLine);
    const services = model.services().filter((service) => attached.services.has(service.id));
    const tasks = services.flatMap((service) => model.currentTasks(service.id));
    for (const task of tasks) {
      if (Date.parse(task.since) < attached.sinceMs || !isNewEnd(task, seen)) continue;
      const service = services.find(({ id }) => id === task.serviceId);
      if (attached.keys.includes(service?.key ?? '')) tellEnd(task, attached.stack);
      const counts = options.abortOnContainerFailure ? task.exitCode !== 0 : endsWithFirst(options);
      if (counts && hasEnded(task) && !task.restarts) return task;
    }
    if (tasks.length > 0 && tasks.every((task) => hasEnded(task) && !task.restarts)) return 'all';
  }
  if (!signal.aborted) throw connectionLost(context.client.endpoint);
  return undefined;
}

/** A run that has ended, for the first time that it is seen. */
function isNewEnd(task: TaskView, seen: Set<string>): boolean {
  const key = `${task.id} ${task.run}`;
  if (seen.has(key) || (!hasEnded(task) && !task.backsOff)) return false;
  seen.add(key);
  return true;
}

/** Says so a moment later, behind the last lines of its log. */
function tellEnd(task: TaskView, stack: string): void {
  const name = task.containerName.replace(`${stack}-`, '');
  const again = task.backsOff ? ' (restarting)' : '';
  const line = `${name} exited with code ${task.exitCode}${again}\n`;
  setTimeout(() => process.stdout.write(line), LAST_LINES_MS / 2);
}

async function exitCodeOf(context: ComposeContext, stack: string, key: string): Promise<number> {
  const path = `/tswarm/v1/stacks/${encodeURIComponent(stack)}`;
  const model = StackModel.of(await context.client.get(path));
  const service = model.services().find((one) => one.key === key);
  return model.currentTasks(service?.id ?? '')[0]?.exitCode ?? EXIT.failed;
}

/** Stops the project and waits; a second Ctrl-C kills what has not ended by then. */
export async function stopProject(
  context: ComposeContext,
  stack: string,
  options: UpOptions,
  interrupt: Interrupt,
  words = 'Gracefully Stopping... press Ctrl+C again to force\n',
): Promise<void> {
  process.stderr.write(words);
  const display = new ProgressDisplay('Stopping', context.progress);
  try {
    interrupt.onInterrupt(() => void killAll(context, stack));
    await stopWithin(context, stack, [], options.timeout);
    const minIndex = await setRunState(context, stack, [], 'stopped');
    await follow({ client: context.client, stack, display, goal: 'stopped', minIndex });
  } finally {
    display.stop();
  }
}

/** The second Ctrl-C: no more grace. Containers that ended meanwhile are no failure. */
async function killAll(context: ComposeContext, stack: string): Promise<void> {
  const containers = await projectContainers(context, stack, false);
  const query = { signal: 'SIGKILL' };
  await Promise.allSettled(
    containers.map(({ Id }) => context.client.post(`/containers/${Id}/kill`, { query })),
  );
}
