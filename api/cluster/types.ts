// Bodies of /tswarm/v1, as its clients (the CLIs, the dashboard) see them. Objects inside have the Engine API's JSON names
// (EngineJson); the envelopes are camelCase. Changing a name here breaks clients: add, do not rename.
// Longer than 500 lines because the schemas of all bodies are made from this one file.
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

/** A compose file as text: body of POST /tswarm/v1/compose/plan and …/deploy, answer of GET /tswarm/v1/stacks/{name}/compose. */
export interface ComposeSource {
  /** Of the project; '' = as the text says. */
  readonly name: string;
  /** YAML. */
  readonly content: string;
  /** Text of the file `.env`; '' = none. */
  readonly environment: string;
}

/** What is wrong with a compose file, or worth knowing. */
export interface ComposeProblem {
  /** Only errors keep it from being deployed. */
  readonly severity: 'error' | 'warning' | 'notice';
  readonly message: string;
  /** From 1. */
  readonly line?: number;
  readonly column?: number;
  /** `services.web.ports.0` */
  readonly path?: string;
  readonly hint?: string;
}

/** An image that a service of a compose file needs. */
export interface ComposeImage {
  readonly service: string;
  readonly image: string;
  /** '' when this node does not have it. */
  readonly id: string;
  /** The file says how to build it. */
  readonly isBuilt: boolean;
}

/** Answer of POST /tswarm/v1/compose/plan. Nothing has been changed. */
export interface ComposePlan {
  readonly name: string;
  readonly problems: readonly ComposeProblem[];
  readonly images: readonly ComposeImage[];
  /** Null when there are errors. */
  readonly plan: ShownPlan | null;
}

/** A StackPlan with the fields that differ instead of both specifications. */
export interface ShownPlan {
  readonly changes: readonly ShownChange[];
  readonly tasks: readonly PlannedTaskInfo[];
  readonly warnings: readonly string[];
  readonly risks: readonly ShownRisk[];
  readonly state: string;
  readonly durationMs: number;
  readonly complete: boolean;
  readonly nodes: number;
  readonly revision: number;
}

export interface ShownRisk {
  /** Name in the cluster of what it is about. */
  readonly about: string;
  readonly message: string;
  /** '' = nothing can be done. */
  readonly hint: string;
}

export interface ShownChange {
  readonly kind: StackObjectKind;
  readonly name: string;
  readonly action: 'none' | 'created' | 'updated' | 'removed';
  readonly recreated: boolean;
  readonly fields: readonly ShownField[];
}

/** A difference under the name that the compose file has for it. */
export interface ShownField {
  readonly field: string;
  /** Absent for something new. */
  readonly before?: string;
  /** Absent for something gone. */
  readonly after?: string;
}

/** One row of GET /tswarm/v1/stacks/{name}/versions. */
export interface StackVersion {
  /** RFC 3339. The stack was like this until then; names the version. */
  readonly until: string;
  /** What was replaced then; images are equal when something else differs. */
  readonly replaced: readonly {
    readonly service: string;
    readonly imageBefore: string;
    readonly imageAfter: string;
  }[];
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
  /** With `restart`: ids of the tasks of these services that are meant, in the runs that they are in now: one that has been started again meanwhile goes on. Empty = all. */
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

/** Something of containers on this node's host that no container has. */
export interface NodeLeftover {
  /** folder, mount, cgroup, process, interface or namespace. */
  readonly kind: string;
  /** Path, name, or process id and program. */
  readonly what: string;
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

/** Answer of GET /tswarm/v1/topology. Ids name objects of the same answer. */
export interface Topology {
  /** That the answer shows; `/events?since=` goes on behind it. */
  readonly index: number;
  readonly nodes: readonly TopologyNode[];
  readonly services: readonly TopologyService[];
  /** That have a container, or are on their way to one. */
  readonly tasks: readonly TopologyTask[];
  /** That a task is attached to. */
  readonly networks: readonly TopologyNetwork[];
}

export interface TopologyNode {
  readonly id: string;
  readonly name: string;
  readonly role: 'manager' | 'worker';
  readonly state: string;
  readonly availability: string;
  readonly addr: string;
  readonly isLeader: boolean;
  /** 1e9 = one core */
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** By all tasks on it, also those of other stacks. */
  readonly nanoCpusReserved: number;
  readonly memoryBytesReserved: number;
  readonly tasks: number;
}

export interface TopologyService {
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  readonly mode: string;
  readonly running: number;
  readonly desired: number;
  readonly ports: readonly TopologyPort[];
  /** On which it has an address of its own. */
  readonly networks: readonly string[];
}

export interface TopologyPort {
  readonly target: number;
  /** 0 = not chosen yet */
  readonly published: number;
  readonly protocol: string;
  /** ingress, host */
  readonly mode: string;
}

export interface TopologyTask {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  /** '' = none yet */
  readonly nodeId: string;
  readonly slot: number;
  readonly state: string;
  readonly desired: string;
  readonly health: string;
  readonly waitingFor: string;
  readonly err: string;
}

export interface TopologyNetwork {
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly services: readonly string[];
  readonly nodes: readonly string[];
}
