// The PlanStack call: what a deployment would change, field by field, and where its tasks would run. The change is made by deployStack itself and carried out by
// the controllers themselves, on a copy that is dropped: so the plan is what `up` does, and not a second opinion. Secrets and configs come without bytes.
import type { Rehearsal } from '#manager/store/rehearsal';
import type { StoreView } from '#manager/store/state';
import type { DecisionContext, ReadView } from '#manager/store/view';
import {
  type DeployStackRequest,
  ObjectKind,
  PlannedAction,
  PlannedChange,
  PlannedTask,
  PlanStackResponse,
  SpecUnion,
  type StackChange,
  StackChangeAction,
} from '#protocol/generated/control';
import { NodeState, type Service, type Task, TaskState } from '#protocol/generated/objects';
import {
  ContainerSpec,
  NetworkAttachmentConfig,
  NodeAvailability,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { rehearse } from './rehearse.ts';
import { deployStack, stackState } from './stack-deploy.ts';
import { hostnameOf } from './why-task.ts';

/** Works a deployment out. Yields now and then. @throws TswarmError as deployStack does */
export function* planStack(
  rehearsal: Rehearsal,
  context: DecisionContext,
  request: DeployStackRequest,
): Generator<void, PlanStackResponse> {
  const name = request.stack?.name ?? '';
  const before = rehearsal.view;
  const deployed = rehearsal.step(context.nowMicros, (tx) => deployStack(tx, context, request));
  const { changes, warnings } = deployed.value;
  const changed = rehearsal.view;
  const about = new Set(
    [before, changed].flatMap((view) => [...view.byStack('service', name)].map(({ id }) => id)),
  );
  const end = yield* rehearse(rehearsal, context, about);
  return PlanStackResponse.create({
    changes: changes.map((change) => plannedChange(before, changed, change)),
    tasks: plannedTasks(before, rehearsal.view, name),
    warnings: [...warnings],
    state: stackState(before, name),
    duration: end.durationMicros * 1000,
    complete: end.complete,
    nodes: [...before.list('node')].filter(
      ({ status, spec }) =>
        status?.state === NodeState.READY && spec?.availability === NodeAvailability.ACTIVE,
    ).length,
    revision: before.byName('stack', name)?.revision ?? 0,
  });
}

// ---- objects ------------------------------------------------------------------------------------

function plannedChange(before: StoreView, after: StoreView, change: StackChange): PlannedChange {
  const { kind, name, action, id } = change;
  const isNew = action === StackChangeAction.CREATED;
  const isGone = action === StackChangeAction.REMOVED;
  const old = isNew ? undefined : specNamed(before, kind, name);
  return PlannedChange.create({
    kind,
    name,
    action,
    before: old?.spec,
    after: isGone ? undefined : specNamed(after, kind, name)?.spec,
    recreated: action === StackChangeAction.UPDATED && old !== undefined && old.id !== id,
  });
}

interface NamedSpec {
  readonly id: string;
  readonly spec: SpecUnion;
}

const NO_BYTES: Uint8Array = new Uint8Array();

function specNamed(view: StoreView, kind: ObjectKind, name: string): NamedSpec | undefined {
  const of = (id: string, spec: Partial<SpecUnion>): NamedSpec => ({
    id,
    spec: SpecUnion.create(spec),
  });
  if (kind === ObjectKind.SERVICE) {
    const found = view.byName('service', name);
    return found?.spec && of(found.id, { service: withNames(view, found.spec) });
  }
  if (kind === ObjectKind.NETWORK) {
    const found = view.byName('network', name);
    return found && of(found.id, { network: found.spec });
  }
  if (kind === ObjectKind.VOLUME) {
    const found = view.byName('volume', name);
    return found && of(found.id, { volume: found.spec });
  }
  if (kind === ObjectKind.SECRET) {
    const found = view.byName('secret', name);
    return found?.spec && of(found.id, { secret: { ...found.spec, data: NO_BYTES } });
  }
  const found = view.byName('config', name);
  return found?.spec && of(found.id, { config: { ...found.spec, data: NO_BYTES } });
}

/** References as people know them: by name. */
function withNames(view: ReadView, spec: ServiceSpec): ServiceSpec {
  const { taskTemplate } = spec;
  const container = taskTemplate?.containerSpec;
  if (!taskTemplate || !container) return spec;
  return ServiceSpec.create({
    ...spec,
    taskTemplate: TaskSpec.create({
      ...taskTemplate,
      networks: taskTemplate.networks.map((one) =>
        NetworkAttachmentConfig.create({
          ...one,
          target: view.get('network', one.target)?.spec?.name ?? one.target,
        }),
      ),
      containerSpec: ContainerSpec.create({
        ...container,
        secrets: container.secrets.map((one) => ({ ...one, secretId: '' })),
        configs: container.configs.map((one) => ({ ...one, configId: '' })),
      }),
    }),
  });
}

// ---- tasks --------------------------------------------------------------------------------------

function plannedTasks(before: StoreView, after: StoreView, stack: string): PlannedTask[] {
  const [old, fresh] = [wantedTasks(before, stack), wantedTasks(after, stack)];
  const keys = [...new Set([...old.keys(), ...fresh.keys()])];
  return keys
    .map((key) => plannedTask(before, after, old.get(key), fresh.get(key)))
    .filter((task) => task !== undefined)
    .sort((a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : a.slot - b.slot));
}

/** The newest wanted task of each slot, by service's name and slot. */
function wantedTasks(view: StoreView, stack: string): Map<string, Task> {
  const tasks = new Map<string, Task>();
  for (const service of view.byStack('service', stack)) {
    for (const task of view.tasksByService(service.id)) {
      if (task.desiredState > TaskState.COMPLETE) continue;
      const key = `${nameOf(service)}/${isPerNode(service) ? task.nodeId : task.slot}`;
      const known = tasks.get(key);
      const isNewer = (task.meta?.createdAt ?? 0) >= (known?.meta?.createdAt ?? 0);
      if (!known || isNewer) tasks.set(key, task);
    }
  }
  return tasks;
}

function nameOf(service: Service): string {
  return service.spec?.name ?? service.id;
}

function isPerNode({ spec }: Service): boolean {
  return spec?.mode?.global !== undefined || spec?.mode?.globalJob !== undefined;
}

function plannedTask(
  before: StoreView,
  after: StoreView,
  old: Task | undefined,
  fresh: Task | undefined,
): PlannedTask | undefined {
  const task = fresh ?? old;
  if (!task) return undefined;
  const base = { service: task.serviceName, slot: task.slot };
  if (!fresh) {
    const hostname = hostnameOf(before, task.nodeId);
    return PlannedTask.create({ ...base, action: PlannedAction.STOP, hostname });
  }
  const from = old && old.id !== fresh.id ? hostnameOf(before, old.nodeId) : '';
  if (fresh.nodeId === '') {
    const reason = fresh.status?.err || fresh.waitingFor;
    return PlannedTask.create({ ...base, action: PlannedAction.PENDING, from, reason });
  }
  const hostname = hostnameOf(after, fresh.nodeId);
  const isHeldBack = fresh.desiredState < TaskState.RUNNING;
  const reason = isHeldBack ? fresh.waitingFor : '';
  return PlannedTask.create({ ...base, action: actionOf(old, fresh), hostname, from, reason });
}

function actionOf(old: Task | undefined, fresh: Task): PlannedAction {
  if (!old) return PlannedAction.START;
  if (old.id !== fresh.id) return PlannedAction.REPLACE;
  const isAnew = fresh.restartRequest > old.restartRequest || fresh.runState !== old.runState;
  return isAnew || wasEndedForGood(old) ? PlannedAction.RESTART : PlannedAction.KEEP;
}

/** Failed or stopped by hand, with nothing to start it again: `up` does. */
function wasEndedForGood(task: Task): boolean {
  const { status, spec } = task;
  if (status?.containerStatus?.stopped === true) return true;
  return status?.state === TaskState.FAILED && spec?.engineRestart !== undefined;
}
