// What the daemon asks of the worker besides its engine. The worker's own interface is adapted to this in main.ts.
import type { NodeEngine } from '#protocol/engine';
import type { TlsIdentity } from '#protocol/transport/grpc';

export interface Membership {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly identity: TlsIdentity;
  /** `host:port` of managers, at least one. */
  readonly managers: readonly string[];
}

export interface WorkerPort {
  readonly engine: NodeEngine;
  /** Adopts what still runs. */
  start(): Promise<void>;
  /** Ends the session; containers go on. */
  stop(): Promise<void>;
  /** Begins to work for a cluster; needs no manager in reach. */
  join(membership: Membership): Promise<void>;
  /** A newer certificate of the same node. */
  setIdentity(identity: TlsIdentity): Promise<void>;
  /** Removes all containers of tasks, the cluster's networks and what was kept of the cluster. Nothing when in none. */
  leave(): Promise<void>;
}
