// What this node must do about its manager, from what the managers say about its role and what there is. Pure: a table, so that every case can be tried.
// Desired is what an administrator asked for (`node promote`), observed what the cluster has carried out: a manager goes only after it has left the Raft group.
import { NodeRole } from '#protocol/generated/specs';

export interface RoleFacts {
  readonly desired: NodeRole;
  readonly observed: NodeRole;
  /** Of node.json. */
  readonly manager: 'none' | 'joining' | 'member';
  /** The manager's process ended because it is no member any more. */
  readonly wasRemoved: boolean;
}

/** `become`: start a manager in an empty folder. `retire`: stop it and remove its folder. */
export type RoleStep = 'nothing' | 'become' | 'retire';

export function nextRoleStep({ desired, observed, manager, wasRemoved }: RoleFacts): RoleStep {
  if (desired === NodeRole.MANAGER) {
    // Removed and wanted again (or replaced by a disk that is gone): its log is of no use.
    return manager === 'none' || wasRemoved ? 'become' : 'nothing';
  }
  return manager !== 'none' && observed === NodeRole.WORKER ? 'retire' : 'nothing';
}
