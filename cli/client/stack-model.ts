// A stack as the CLI follows it: the objects of the watch stream, kept current, in the shapes that the commands need. Built from lines only;
// opens no connection itself.
import type { StackObjectKind, StackObjects, WatchLine } from '#api/cluster/types';

export interface TaskView {
  readonly id: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly slot: number;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly state: string;
  readonly desired: string;
  readonly error: string;
  readonly message: string;
  readonly waitingFor: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly exitCode: number;
  readonly health: string;
  readonly stopped: boolean;
  readonly paused: boolean;
  readonly upToDate: boolean;
  readonly run: number;
  readonly restartRequest: number;
  readonly runState: string;
  readonly hasHealthcheck: boolean;
  readonly restarts: boolean;
  /** A process runs, as far as is known. */
  readonly hasProcess: boolean;
  /** Ended by itself and waits for its next start. */
  readonly backsOff: boolean;
  /** When it came into its state, RFC 3339. */
  readonly since: string;
}

export interface ServiceView {
  readonly id: string;
  readonly name: string;
  /** Key in the compose file; the service's name without one. */
  readonly key: string;
  readonly replicas: number | undefined;
  readonly runState: string;
  readonly updateState: string;
  readonly updateMessage: string;
}

type Json = Readonly<Record<string, unknown>>;

const COLLECTIONS: readonly Exclude<StackObjectKind, 'stack'>[] = [
  'service',
  'task',
  'network',
  'volume',
  'secret',
  'config',
];

export class StackModel {
  readonly #objects = new Map<string, Map<string, Json>>();
  index = 0;
  hasStack = false;

  /** The model of a stack's details as they are now (GET …/stacks/{name}). */
  static of(detail: Json | StackObjects): StackModel {
    const model = new StackModel();
    model.apply({ type: 'snapshot', index: 0, ...detail } as unknown as WatchLine);
    return model;
  }

  apply(line: WatchLine): void {
    this.index = line.index;
    if (line.type === 'snapshot') {
      for (const kind of COLLECTIONS) {
        const list = line[`${kind}s` as 'services'];
        this.#objects.set(kind, new Map(list.map((object) => [String(object.ID), object])));
      }
      this.hasStack = line.stack !== null;
      return;
    }
    if (line.kind === 'stack') {
      this.hasStack = line.action !== 'remove';
      return;
    }
    const objects = this.#objects.get(line.kind) ?? new Map<string, Json>();
    this.#objects.set(line.kind, objects);
    if (line.action === 'remove') objects.delete(String(line.object.ID));
    else objects.set(String(line.object.ID), line.object);
  }

  names(kind: 'network' | 'volume' | 'secret' | 'config'): string[] {
    return [...(this.#objects.get(kind)?.values() ?? [])].map((object) =>
      text(record(object.Spec).Name),
    );
  }

  services(): ServiceView[] {
    return [...(this.#objects.get('service')?.values() ?? [])]
      .map(serviceView)
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  tasks(): TaskView[] {
    return [...(this.#objects.get('task')?.values() ?? [])].map(taskView);
  }

  /** The task that each slot is to run now: the newest wanted one. */
  currentTasks(serviceId: string): TaskView[] {
    const tasks = this.tasks().filter((task) => task.serviceId === serviceId && isWanted(task));
    return tasks.sort((a, b) => a.slot - b.slot || a.id.localeCompare(b.id));
  }
}

/** False for tasks that were replaced or are on their way out. */
export function isWanted(task: TaskView): boolean {
  return task.desired === 'ready' || task.desired === 'running' || task.desired === 'complete';
}

const ENDED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);

export function hasEnded(task: TaskView): boolean {
  return ENDED.has(task.state);
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** Key of a service in its compose file. */
export function composeKey(object: Json): string {
  const spec = record(object.Spec);
  const labels = record(record(record(spec.TaskTemplate).ContainerSpec).Labels);
  return (
    text(labels['com.docker.compose.service']) ||
    text(record(spec.Labels)['com.docker.compose.service']) ||
    text(spec.Name)
  );
}

function serviceView(object: Json): ServiceView {
  const spec = record(object.Spec);
  const replicated = record(record(spec.Mode).Replicated);
  const update = record(object.UpdateStatus);
  return {
    id: text(object.ID),
    name: text(spec.Name),
    key: composeKey(object),
    replicas:
      'Replicated' in record(spec.Mode)
        ? replicated.Replicas === undefined
          ? 1
          : number(replicated.Replicas)
        : undefined,
    runState: text(spec.RunState) || 'running',
    updateState: text(update.State),
    updateMessage: text(update.Message),
  };
}

function taskView(object: Json): TaskView {
  const status = record(object.Status);
  const container = record(status.ContainerStatus);
  const spec = record(object.Spec);
  const containerSpec = record(spec.ContainerSpec);
  const hasProcess = number(container.PID) > 0;
  const restart = text(record(spec.EngineRestart).Name);
  // Who restarts its own container reports an end only when that was the last.
  const restarts =
    spec.EngineRestart === undefined ||
    (restart !== 'no' && restart !== '' && !ENDED.has(text(status.State)));
  const named = text(containerSpec.ContainerName).replaceAll('{slot}', String(object.Slot ?? ''));
  return {
    id: text(object.ID),
    serviceId: text(object.ServiceID),
    serviceName: text(object.ServiceName),
    slot: number(object.Slot),
    nodeId: text(object.NodeID),
    nodeName: text(object.NodeName),
    state: text(status.State),
    desired: text(object.DesiredState),
    error: text(status.Err),
    message: text(status.Message),
    waitingFor: text(object.WaitingFor),
    containerId: text(container.ContainerID),
    containerName: named || text(object.Name) || text(object.ID),
    exitCode: number(container.ExitCode),
    health: text(container.Health),
    stopped: container.Stopped === true,
    paused: container.Paused === true,
    upToDate: object.UpToDate !== false,
    run: number(status.Run),
    restartRequest: number(object.RestartRequest),
    runState: text(object.RunState) || 'running',
    hasHealthcheck: Array.isArray(record(containerSpec.Healthcheck).Test),
    restarts,
    hasProcess,
    backsOff:
      restarts &&
      text(status.State) === 'starting' &&
      text(container.ContainerID) !== '' &&
      !hasProcess,
    since: text(status.Timestamp),
  };
}
