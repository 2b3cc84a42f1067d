// Bodies of /tswarm/v1, as its clients (the CLIs, the dashboard) see them. Objects inside have the Engine API's JSON names
// (EngineJson); the envelopes are camelCase. Changing a name here breaks clients: add, do not rename.
import type { EngineJson } from '#protocol/engine';

/** Where this node stands with its cluster. */
export type ClusterState = 'inactive' | 'pending' | 'active' | 'locked' | 'error';

/** GET /tswarm/v1/cluster. Only `state` is there when the node is in no cluster. */
export interface ClusterInfo {
  readonly state: ClusterState;
  /** Why, when `state` is `error` or `pending`. */
  readonly error?: string;
  readonly nodeId?: string;
  readonly clusterId?: string;
  readonly isManager?: boolean;
  /** This node leads. */
  readonly leader?: boolean;
  /** Control address of the leader; '' when none is known. */
  readonly leaderAddr?: string;
  /** Managers need the unlock key when they start. */
  readonly autolock?: boolean;
  readonly managers?: number;
  readonly nodes?: number;
  /** Index that the gateway's cache has reached. */
  readonly index?: number;
  readonly version?: string;
  readonly controlAddr?: string;
  readonly joinTokens?: { readonly worker: string; readonly manager: string };
}

/** POST /tswarm/v1/cluster/init. Addresses are `host:port`, `host` or `:port`; empty = default. */
export interface InitRequest {
  readonly listenAddr?: string;
  readonly advertiseAddr?: string;
  /** Single-node cluster on 127.0.0.1, on any free port when 2377 is taken. */
  readonly embedded?: boolean;
  readonly defaultAddrPool?: readonly string[];
  readonly subnetSize?: number;
  readonly availability?: 'active' | 'pause' | 'drain';
  readonly dataPathPort?: number;
  readonly forceNewCluster?: boolean;
  /** Settings of the cluster, in the Engine API's form (ClusterSpec); what is not named keeps its default. */
  readonly spec?: EngineJson;
}

/** POST /tswarm/v1/cluster/join. */
export interface JoinRequest {
  /** `host:port` or `host` of managers; the first that answers is asked. */
  readonly remoteAddrs: readonly string[];
  readonly token: string;
  readonly listenAddr?: string;
  readonly advertiseAddr?: string;
  readonly availability?: 'active' | 'pause' | 'drain';
}

/** POST /tswarm/v1/cluster/update. Settings that are not named stay. */
export interface UpdateRequest {
  readonly spec?: EngineJson;
  readonly rotateWorkerToken?: boolean;
  readonly rotateManagerToken?: boolean;
  readonly rotateUnlockKey?: boolean;
}

/** POST /tswarm/v1/cluster/unlock, and the answer of GET …/unlock-key. */
export interface UnlockKey {
  /** `SWMKEY-1-…`; '' when the cluster does not lock itself. */
  readonly unlockKey: string;
}

export type StackObjectKind =
  | 'stack'
  | 'service'
  | 'task'
  | 'network'
  | 'volume'
  | 'secret'
  | 'config';

export interface StackChangeInfo {
  readonly kind: StackObjectKind;
  readonly id: string;
  readonly name: string;
  readonly action: 'none' | 'created' | 'updated' | 'removed';
}

/** Answer of POST /tswarm/v1/stacks/{name}/deploy. */
export interface DeployResult {
  readonly changes: readonly StackChangeInfo[];
  readonly index: number;
  readonly warnings: readonly string[];
  readonly stack: EngineJson | null;
}

/** Answer of DELETE /tswarm/v1/stacks/{name}. */
export interface RemoveResult {
  readonly changes: readonly StackChangeInfo[];
  readonly index: number;
}

/** One row of GET /tswarm/v1/stacks. */
export interface StackSummary {
  readonly name: string;
  readonly id: string;
  readonly revision: number;
  readonly services: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** All objects of one stack. */
export interface StackObjects {
  readonly stack: EngineJson | null;
  readonly services: readonly EngineJson[];
  readonly tasks: readonly EngineJson[];
  readonly networks: readonly EngineJson[];
  readonly volumes: readonly EngineJson[];
  readonly secrets: readonly EngineJson[];
  readonly configs: readonly EngineJson[];
}

/** One line of GET /tswarm/v1/stacks/{name}/watch. */
export type WatchLine =
  | ({ readonly type: 'snapshot'; readonly index: number } & StackObjects)
  | {
      readonly type: 'change';
      readonly index: number;
      readonly kind: StackObjectKind;
      readonly action: 'create' | 'update' | 'remove';
      readonly object: EngineJson;
    };

/** One line of GET /tswarm/v1/stacks/{name}/logs. */
export interface LogLine {
  readonly service: string;
  readonly task: string;
  readonly slot: number;
  readonly node: string;
  readonly container: string;
  readonly containerName: string;
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  /** Without the line end; a line without one (still being written) comes as it is. */
  readonly line: string;
}

/** POST /tswarm/v1/services/action. */
export interface ServiceAction {
  /** Ids, names or unique id prefixes. */
  readonly services: readonly string[];
  readonly runState?: 'running' | 'stopped' | 'paused';
  readonly restart?: boolean;
  /** With `restart`: ids of the tasks of these services that are meant; empty = all. */
  readonly restartTasks?: readonly string[];
  readonly replicas?: number;
}

/** One row of GET /tswarm/v1/history. */
export interface HistoryRow {
  readonly index: number;
  readonly time: string;
  readonly author: string;
  readonly summary: string;
}

/** Body of every answer with status ≥ 400 (application/problem+json). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** A code of protocol/error-codes.ts. */
  readonly code: string;
  readonly detail: string;
  readonly field?: string;
  readonly hint?: string;
}
