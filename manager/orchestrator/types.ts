// The words of the orchestrator's files in one place, and what one pass carries along.
import type { DecisionContext, WriteView } from '#manager/store/view';
import type { Task } from '#protocol/generated/objects';
import type { ControllerMemory } from './memory.ts';

export {
  HealthState,
  type Node,
  NodeState,
  type Service,
  type Task,
  TaskState,
  TaskStatus,
  UpdateState,
} from '#protocol/generated/objects';
export {
  DependencyCondition,
  FailureAction,
  NodeAvailability,
  PublishMode,
  RestartCondition,
  RunState,
  type ServiceSpec,
  type UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';

/** One pass: the transaction, what it may know of the world, what the controllers remember, and the earliest time to look again. */
export interface Pass {
  readonly tx: WriteView;
  readonly context: DecisionContext;
  readonly memory: ControllerMemory;
  /** Tasks that need addresses or a node, in the order in which they were made; what one pass has no room for stays for the next. */
  readonly unassigned: Set<string>;
  /** Asks for another look at this service at a time (µs since 1970). */
  wakeAt(serviceId: string, micros: number): void;
  createTask(task: Task): void;
  updateTask(task: Task, changed: Partial<Task>): Task;
  removeTask(task: Task): void;
}

/** Microseconds per nanosecond-valued field: spec durations are nanoseconds, times are microseconds. */
export function microsOf(nanos: number): number {
  return Math.ceil(nanos / 1000);
}
