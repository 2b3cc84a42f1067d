// `pre_start` hooks of each replica: containers that run to their end before the task's own is started for the first time, one after the other, on the same node, with its networks, mounts,
// secrets and limits, in an image of their own or the task's. One that fails is the reason why the task fails. None outlives its turn: it is removed at its end, and what a worker that ended
// in the middle left behind is removed at its next start, when the hooks begin anew. Hooks that run once for the service are services of their own (compose-spec/deploy/pre-start.ts).
import { messageOf, TswarmError } from '#protocol/errors';
import type { Task } from '#protocol/generated/objects';
import type { LifecycleHook } from '#protocol/generated/specs';
import { ContainerSpec, TaskSpec } from '#protocol/generated/specs';
import type { Log } from '#protocol/world';
import { HOOK_REASON_CHARACTERS_MAX, HOOK_REASON_LINES_MAX } from './limits.ts';
import { readLogs } from './logs/read-logs.ts';
import type { Container, ContainerTable } from './runtime/container.ts';
import type { Containers, NewContainer } from './runtime/containers.ts';
import type { TaskContext } from './task-container.ts';
import { taskContainer } from './task-container.ts';
import type { TaskImages } from './task-images.ts';

export interface PreStartDeps {
  readonly containers: Containers;
  readonly images: Pick<TaskImages, 'find'>;
  readonly context: Omit<TaskContext, 'companions'>;
  /** The worker ends: what is under way is left for its next start. */
  readonly stopping: AbortSignal;
}

/** Runs them one after the other. @throws TswarmError failed_precondition naming the first that fails, cancelled when the signal aborts */
export async function runPreStart(
  main: Container,
  task: Task,
  deps: PreStartDeps,
  signal: AbortSignal,
): Promise<void> {
  const hooks = task.spec?.containerSpec?.preStart ?? [];
  for (const [index, hook] of hooks.entries()) {
    if (signal.aborted) throw new TswarmError('cancelled', 'no longer wanted');
    const container = await deps.containers.create(hookContainer(main, task, index, deps));
    try {
      await runOne(container, hookName(hook, index), deps, signal);
    } finally {
      if (!deps.stopping.aborted) await removeHook(container, deps);
    }
  }
}

const hookName = ({ command }: LifecycleHook, index: number): string =>
  `pre_start hook ${index + 1} (${command.join(' ')})`;

/** Hooks that a worker that was ended has left. */
export async function removeLeftHooks(
  table: ContainerTable,
  deps: Pick<PreStartDeps, 'containers'> & { readonly log: Log },
): Promise<void> {
  const left = table.list().filter(({ record }) => record.task?.isHook === true);
  await Promise.all(
    left.map((container) =>
      removeHook(container, deps).catch((error: unknown) =>
        deps.log.warn('left-over hook', { container: container.id, reason: messageOf(error) }),
      ),
    ),
  );
}

async function removeHook(
  container: Container,
  { containers }: Pick<PreStartDeps, 'containers'>,
): Promise<void> {
  const { name } = container.record;
  await containers.remove(container, { force: true, volumes: true, shownName: name });
}

/** The task's container with another program: what concerns that one's own and its clients is left out. */
function hookContainer(
  main: Container,
  task: Task,
  index: number,
  deps: PreStartDeps,
): NewContainer {
  const spec = ContainerSpec.create(task.spec?.containerSpec ?? {});
  const hook = spec.preStart[index];
  if (!hook) throw new Error('bug: no such hook');
  const image = hook.image === '' ? spec.imageId || spec.image : hook.image;
  const own = ContainerSpec.create({
    image: hook.image === '' ? spec.image : hook.image,
    args: hook.command,
    env: [...spec.env, ...hook.env],
    user: hook.user === '' ? spec.user : hook.user,
    dir: hook.workingDir === '' ? spec.dir : hook.workingDir,
    hostname: spec.hostname,
    domainname: spec.domainname,
    labels: spec.labels,
    secrets: spec.secrets,
    configs: spec.configs,
    links: spec.links,
    healthcheck: { ...NO_HEALTH },
  });
  const wanted = taskContainer(
    { ...task, spec: TaskSpec.create({ ...task.spec, containerSpec: own }), endpoint: undefined },
    deps.images.find(image),
    { ...deps.context, companions: [] },
  );
  const { Mounts: _mounts, ...host } = main.record.hostConfig;
  return {
    ...wanted,
    name: `${main.record.name}-pre_start-${index + 1}`,
    hostConfig: {
      ...host,
      Binds: null,
      VolumesFrom: [main.id],
      PortBindings: {},
      PublishAllPorts: false,
      Privileged: host.Privileged || hook.privileged,
    },
    ...(main.record.task ? { task: { ...main.record.task, isHook: true } } : {}),
  };
}

const NO_HEALTH = {
  test: ['NONE'],
  interval: 0,
  timeout: 0,
  retries: 0,
  startPeriod: 0,
  startInterval: 0,
};

async function runOne(
  container: Container,
  name: string,
  { containers }: PreStartDeps,
  signal: AbortSignal,
): Promise<void> {
  const ended = container.nextExit();
  await containers.start(container);
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const exit = await Promise.race([ended, aborted]);
  if (!exit) throw new TswarmError('cancelled', `${name}: no longer wanted`);
  if (exit.exitCode === 0) return;
  const said = await lastWords(container);
  throw new TswarmError(
    'failed_precondition',
    `${name} exited with status ${exit.exitCode}${said && `: ${said}`}`,
  );
}

/** The end of what it wrote. */
async function lastWords(container: Container): Promise<string> {
  const log = {
    stdout: true,
    stderr: true,
    follow: false,
    timestamps: false,
    details: false,
    sinceMicros: 0,
    untilMicros: 0,
    tail: HOOK_REASON_LINES_MAX,
  };
  const source = { isActive: () => false, onChange: () => () => undefined };
  const options = { path: container.paths.logPath, log, source };
  let text = '';
  for await (const { data } of readLogs(options, new AbortController().signal)) {
    text += Buffer.from(data).toString('utf8');
  }
  return text.trim().slice(-HOOK_REASON_CHARACTERS_MAX);
}
