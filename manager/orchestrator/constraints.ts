// Placement constraints of task specs, parsed once per spec: specs are shared by all tasks of a version and never change.
import { type Constraint, matchesConstraint, parseConstraint } from '#manager/scheduler/constraint';
import type { TaskSpec } from '#protocol/generated/specs';
import { type Node, NodeAvailability, NodeState, type Service } from './types.ts';

const parsed: WeakMap<TaskSpec, readonly Constraint[]> = new WeakMap();

export function constraintsOf(spec: TaskSpec | undefined): readonly Constraint[] {
  if (!spec?.placement || spec.placement.constraints.length === 0) return [];
  const known = parsed.get(spec);
  if (known) return known;
  const constraints = spec.placement.constraints.map(parseConstraint);
  parsed.set(spec, constraints);
  return constraints;
}

/** Whether the node meets all constraints of a task spec. */
export function meetsConstraints(spec: TaskSpec | undefined, node: Node): boolean {
  return constraintsOf(spec).every((constraint) => matchesConstraint(constraint, node));
}

/** Whether a service with a task per node has one on this node. */
export function fitsGlobal(node: Node, service: Service): boolean {
  return (
    node.status?.state !== NodeState.DOWN &&
    node.spec?.availability !== NodeAvailability.DRAIN &&
    meetsConstraints(service.spec?.taskTemplate, node)
  );
}
