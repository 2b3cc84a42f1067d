// The words of the scheduler's files in one place: the generated objects that it reads.
export {
  type Node,
  NodeState,
  type Service,
  type Task,
  TaskState,
} from '#protocol/generated/objects';
export { MountType, NodeAvailability, NodeRole, PublishMode } from '#protocol/generated/specs';
