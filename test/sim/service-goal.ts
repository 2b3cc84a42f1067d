// What a service must have come to when all faults are over: its tasks run where they were put, once
// each, of the present version; jobs have been done, as often as was asked for.
import { hasEnded, stateOf } from '#manager/orchestrator/tasks';
import type { StoreView } from '#manager/store/state';
import { NodeState, type Service, type Task, TaskState } from '#protocol/generated/objects';
import { NodeAvailability, RestartCondition } from '#protocol/generated/specs';

/** What the service lacks, or ''. `running`: tasks whose container runs. */
export function serviceGap(
  view: StoreView,
  service: Service,
  running: ReadonlySet<string>,
): string {
  const mode = service.spec?.mode;
  if (mode?.replicatedJob || mode?.globalJob) return jobGap(view, service);
  // A manager that no worker ever spoke for (there is none in this simulation) may be wanted to run one.
  const nodes = mode?.global ? nodesOf(view) : null;
  const replicas = nodes?.length ?? mode?.replicated?.replicas ?? 0;
  const name = service.spec?.name ?? '';
  const wanted = [...view.tasksByService(service.id)].filter(
    ({ desiredState, nodeId }) =>
      desiredState === TaskState.RUNNING && (nodes === null || nodes.includes(nodeId)),
  );
  const done = wanted.filter((task) => hasEnded(task) && mayStayEnded(service));
  const up = wanted.filter((task) => stateOf(task) === TaskState.RUNNING);
  if (up.length + done.length !== replicas || wanted.length !== replicas) {
    return `service ${name} has ${up.length} of ${replicas} tasks (${wanted.length} wanted)`;
  }
  const places = new Set(wanted.map(({ nodeId, slot }) => (mode?.global ? nodeId : slot)));
  if (places.size !== replicas) return `two tasks of ${name} are in one slot`;
  return taskGap(service, up, running);
}

function taskGap(service: Service, up: readonly Task[], running: ReadonlySet<string>): string {
  const { spec, updateStatus, previousSpec } = service;
  const image = spec?.taskTemplate?.containerSpec?.image;
  const isRolledBack = previousSpec !== undefined && updateStatus !== undefined;
  for (const task of up) {
    if (!running.has(task.id)) return `task ${task.id} of ${spec?.name} has no container`;
    const isOld = task.spec?.containerSpec?.image !== image;
    if (isOld && !isRolledBack) return `task ${task.id} of ${spec?.name} has an old image`;
  }
  return '';
}

function jobGap(view: StoreView, service: Service): string {
  const mode = service.spec?.mode;
  const iteration = service.jobStatus?.jobIteration?.index ?? 0;
  const done = new Set<string | number>();
  for (const task of view.tasksByService(service.id)) {
    const isOfThis = (task.jobIteration?.index ?? 0) === iteration;
    if (!isOfThis || stateOf(task) !== TaskState.COMPLETE) continue;
    done.add(mode?.globalJob ? task.nodeId : task.slot);
  }
  const name = service.spec?.name ?? '';
  if (mode?.globalJob) {
    const missing = nodesOf(view).find((id) => !done.has(id));
    return missing === undefined ? '' : `job ${name} was not done on node ${missing}`;
  }
  const total = mode?.replicatedJob?.totalCompletions ?? 1;
  return done.size === total ? '' : `job ${name} has ${done.size} of ${total} completions`;
}

/** Nodes that have a task of each global service. */
function nodesOf(view: StoreView): string[] {
  return [...view.list('node')]
    .filter(({ spec, status }) => {
      const isActive = spec?.availability === NodeAvailability.ACTIVE;
      return isActive && status?.state === NodeState.READY;
    })
    .map(({ id }) => id);
}

/** Its restart policy need not replace a task that has ended. */
function mayStayEnded(service: Service): boolean {
  const policy = service.spec?.taskTemplate?.restartPolicy;
  return policy?.condition !== RestartCondition.ANY || policy.maxAttempts > 0;
}
