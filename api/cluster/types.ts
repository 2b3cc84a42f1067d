// Bodies of /tswarm/v1, as its clients (the CLIs, the dashboard) see them. Objects inside have the Engine API's JSON names
// (EngineJson); the envelopes are camelCase. Changing a name here breaks clients: add, do not rename.
import type { Role } from '#protocol/access';
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

/** One object of a plan. Bytes of secrets and configs are never in it; references are by name. */
export interface PlannedChangeInfo {
  readonly kind: StackObjectKind;
  readonly name: string;
  readonly action: 'none' | 'created' | 'updated' | 'removed';
  /** A new object takes the place of the old one. */
  readonly recreated: boolean;
  /** Specification in the Engine API's form; null when there is none before (after). */
  readonly before: EngineJson | null;
  readonly after: EngineJson | null;
}

/** One container of a plan, as the scheduler would place it now. */
export interface PlannedTaskInfo {
  /** Name of the service in the cluster. */
  readonly service: string;
  /** 0 = one per node. */
  readonly slot: number;
  readonly action: 'keep' | 'start' | 'replace' | 'stop' | 'restart' | 'pending';
  /** Host on which it will be (or is, when it stops); '' = none. */
  readonly node: string;
  /** Host of the container that it replaces. */
  readonly from: string;
  /** Why no node takes it, or what it waits for. */
  readonly reason: string;
}

/** Answer of POST /tswarm/v1/stacks/{name}/plan, whose request is that of …/deploy. Nothing has been changed. */
export interface StackPlan {
  readonly changes: readonly PlannedChangeInfo[];
  readonly tasks: readonly PlannedTaskInfo[];
  readonly warnings: readonly string[];
  /** For `expectedState` of a deployment that must be this one. */
  readonly state: string;
  /** That delays and watching of updates take at least. */
  readonly durationMs: number;
  /** False: the rollout takes too long to be followed to its end. */
  readonly complete: boolean;
  /** That are ready and take containers. */
  readonly nodes: number;
  /** Of the project as it is; 0 = it is new. */
  readonly revision: number;
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
  /** With `marks`, and then `line` is empty: why nothing (more) of this container comes. */
  readonly missing?: string;
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

/** A credential without its secret. `expiresAt` null = never. */
export interface CredentialInfo {
  readonly id: string;
  readonly name: string;
  readonly kind: 'token' | 'certificate';
  /** '' for one that this version does not know: it may do nothing. */
  readonly role: Role | '';
  readonly owner: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** Answer of POST /tswarm/v1/tokens: the only time that the token is shown. */
export interface NewToken extends CredentialInfo {
  readonly token: string;
}

/** Answer of POST /tswarm/v1/certificates: PEM. */
export interface NewCertificate extends CredentialInfo {
  readonly certificate: string;
  readonly caCert: string;
}

/** Answer of GET /tswarm/v1/access. */
export interface WhoAmI {
  readonly name: string;
  readonly role: Role;
}

/** A line of the audit log. */
export interface AuditRow {
  readonly time: string;
  /** Name of the credential; "local" for a unix socket; '' for nobody that is known. */
  readonly who: string;
  readonly role: Role | '';
  /** Id of the credential; '' = none. */
  readonly credential: string;
  /** IP address, or "unix". */
  readonly from: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
}

/** Answer of calls that change something: a cache at the index shows it. */
export interface IndexAnswer {
  readonly index: number;
}

/** Answer of calls that make an object. */
export interface CreatedObject {
  readonly id: string;
  readonly index: number;
}

/** A node that an answer has nothing of: it is down, or did not answer in time. */
export interface MissingNode {
  readonly id: string;
  readonly node: string;
  readonly reason: string;
}

/** An image, and the nodes (host names) that have it. */
export interface ClusterImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly createdAt: string;
  readonly sizeBytes: number;
  readonly nodes: readonly string[];
}

/** Answer of GET /tswarm/v1/images. */
export interface ImageList {
  readonly images: readonly ClusterImage[];
  readonly missing: readonly MissingNode[];
}

/** A volume as it is on one node. */
export interface LocalVolume {
  readonly name: string;
  readonly node: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly createdAt: string;
  readonly labels: EngineJson;
}

/** Answer of GET /tswarm/v1/local-volumes. */
export interface LocalVolumeList {
  readonly volumes: readonly LocalVolume[];
  readonly missing: readonly MissingNode[];
}

/** What one running container uses. Counters grow from its start; `time` is when they were read. */
export interface ContainerStats {
  readonly id: string;
  readonly name: string;
  /** Host name; '' when the node is in no cluster. */
  readonly node: string;
  /** Of a task; '' for other containers. */
  readonly service: string;
  readonly task: string;
  readonly stack: string;
  readonly time: string;
  readonly cpuNanos: number;
  /** Processors of the node. */
  readonly cpus: number;
  /** Without what the kernel would give back at once (inactive files). */
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

/** Answer of GET /tswarm/v1/stats. */
export interface StatsList {
  readonly containers: readonly ContainerStats[];
  readonly missing: readonly MissingNode[];
}

/** Answer of POST /tswarm/v1/services/{id}/rollout. */
export interface RolloutResult {
  readonly index: number;
  /** Tasks that move, of a rebalance. */
  readonly moving: number;
}

/** POST /tswarm/v1/tokens. */
export interface TokenRequest {
  readonly name: string;
  /** viewer unless given. */
  readonly role?: Role;
  /** RFC 3339; none = without end. */
  readonly expiresAt?: string;
}

/** POST /tswarm/v1/certificates. */
export interface CertificateRequest {
  readonly name: string;
  /** viewer unless given. */
  readonly role?: Role;
  /** RFC 3339; a year unless given, five years at most. */
  readonly expiresAt?: string;
  /** PKCS #10, PEM; only its public key counts. */
  readonly csr: string;
}

/** Text messages to GET /tswarm/v1/exec; bytes of input are binary messages that begin with a zero byte. */
export type ExecControl =
  | { readonly type: 'resize'; readonly width: number; readonly height: number }
  | { readonly type: 'end-of-input' };

/** Text messages from it: `started` comes first; `exit` or `error` is the last. Output is binary, 1 (stdout) or 2 (stderr) in the first byte. */
export type ExecNotice =
  | { readonly type: 'started'; readonly container: string; readonly command: readonly string[] }
  | { readonly type: 'exit'; readonly code: number }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly detail: string;
      readonly hint?: string;
    };

/** POST /tswarm/v1/dashboard/links. */
export interface LinkRequest {
  /** admin unless given. */
  readonly role?: Role;
}

/** Answer of POST /tswarm/v1/dashboard/links. */
export interface DashboardLink {
  readonly url: string;
  readonly role: Role;
  readonly validSeconds: number;
}
