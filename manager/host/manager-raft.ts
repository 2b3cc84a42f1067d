// The Raft member of a manager, from what the manager knows of itself.
import type { TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { ManagerIdentity } from './identity.ts';
import type { Places } from './places.ts';
import { createRaftNode } from './raft/client.ts';
import { compileRaftOptions } from './raft/options.ts';
import type { RaftNode } from './raft/raft-node.ts';

export interface MemberSettings {
  readonly dataDir: string;
  readonly places: Places;
  readonly identity: ManagerIdentity;
  /** Unlock key of the cluster, when the keys on the disk are sealed by it. */
  readonly unlockKey: Uint8Array | null;
  /** Recovery from a lost quorum: go on alone. */
  readonly forceNewCluster: boolean;
  /** The log cannot be written, or the core is broken: nothing may go on. */
  fatal(error: TswarmError): void;
}

/** This manager's member, not started yet. */
export function newRaft(
  { dataDir, identity, places, ...options }: MemberSettings,
  instance: string,
  log: Log,
): RaftNode {
  return createRaftNode(
    compileRaftOptions({
      dataDir: `${dataDir}/raft`,
      clusterId: identity.clusterId,
      raftId: identity.raftId,
      startMode: startModeOf(identity),
      forceNewCluster: options.forceNewCluster,
      listenAddress: places.raftListenAddress,
      advertiseAddress: places.raftAdvertiseAddress,
      instance,
    }),
    {
      log: log.child('raft'),
      onFatal: (error) => options.fatal(error),
      ...(options.unlockKey ? { kek: options.unlockKey } : {}),
    },
  );
}

/** With a log that was there once and is gone, this seat is lost; Raft then says so. */
function startModeOf({ hasLog, origin }: ManagerIdentity): 'bootstrap' | 'join' | 'restart' {
  if (hasLog || origin === 'restore') return 'restart';
  return origin;
}
