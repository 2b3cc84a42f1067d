// What the controllers remember between passes: only what a scan of the store would give again, kept so that a pass costs what changed
// and not what exists. Made new when a manager becomes leader and when a proposal was lost.
import { Allocator } from '#manager/allocator/allocator';
import { NodeSet } from '#manager/scheduler/node-set';
import { SlotIndex } from './slot-index.ts';

export interface ControllerMemory {
  readonly allocator: Allocator;
  readonly nodes: NodeSet;
  /** which tasks stand in which slot */
  readonly slots: SlotIndex;
  /** service name → ids of the services that depend on it or stand beside its tasks */
  readonly dependents: Map<string, Set<string>>;
  /** ids of tasks without a node, looked at again when nodes or resources change */
  readonly unplaced: Set<string>;
  /** When they are all looked at again, even if nothing has changed (µs since 1970). */
  retryAtMicros: number;
  /** ids of tasks that need addresses or a node; what one pass has no room for the next one begins with */
  readonly backlog: Set<string>;
  /** ids of tasks for which their node has no room any more */
  readonly evicted: Set<string>;
  /** service id → time (µs since 1970) to look again */
  readonly wakeups: Map<string, number>;
  /** ids of services that could not get a port or an address, with the reason */
  readonly serviceFaults: Map<string, string>;
}

export function newControllerMemory(): ControllerMemory {
  return {
    allocator: new Allocator(),
    nodes: new NodeSet(),
    slots: new SlotIndex(),
    dependents: new Map(),
    unplaced: new Set(),
    retryAtMicros: 0,
    backlog: new Set(),
    evicted: new Set(),
    wakeups: new Map(),
    serviceFaults: new Map(),
  };
}
