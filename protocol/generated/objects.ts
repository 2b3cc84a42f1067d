// Generated from protocol/proto/objects.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';
import { ClusterSpec, ConfigSpec, CredentialSpec, EndpointSpec, GenericResource, IpamConfig, NetworkSpec, NodeRole, NodeRoleText, NodeSpec, Platform, PortConfig, Resources, RunState, RunStateText, SecretSpec, ServiceSpec, StackSpec, TaskSpec, VolumeSpec } from './specs.ts';

export interface Version {
  readonly index: number;
}
export const Version: MessageType<Version> = {
  name: 'Version',
  fields: [
    { name: 'index', json: 'Index', id: 1, kind: 'int64', shape: 'one', always: true },
  ],
  create: (p: Partial<Version> = {}): Version => ({ index: p.index ?? 0 }),
  write(m: Version, w: Writer): Writer {
    if (m.index !== 0) w.uint32(8).int64(m.index);
    return w;
  },
  read(r: Reader, length: number): Version {
    const end = r.pos + length;
    const m: { index: number } = { index: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.index = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Version): Uint8Array => Version.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Version => Version.read(Reader.create(bytes), bytes.length),
};

/** Common to all objects; flattened into them. Stamped by the leader when a transaction is proposed. */
export interface Meta {
  readonly version: Version | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}
export const Meta: MessageType<Meta> = {
  name: 'Meta',
  fields: [
    { name: 'version', json: 'Version', id: 1, kind: 'message', shape: 'optional', message: () => Version, always: true },
    { name: 'createdAt', json: 'CreatedAt', id: 2, kind: 'int64', shape: 'one', time: true, always: true },
    { name: 'updatedAt', json: 'UpdatedAt', id: 3, kind: 'int64', shape: 'one', time: true, always: true },
  ],
  create: (p: Partial<Meta> = {}): Meta => ({ version: p.version, createdAt: p.createdAt ?? 0, updatedAt: p.updatedAt ?? 0 }),
  write(m: Meta, w: Writer): Writer {
    if (m.version !== undefined) Version.write(m.version, w.uint32(10).fork()).ldelim();
    if (m.createdAt !== 0) w.uint32(16).int64(m.createdAt);
    if (m.updatedAt !== 0) w.uint32(24).int64(m.updatedAt);
    return w;
  },
  read(r: Reader, length: number): Meta {
    const end = r.pos + length;
    const m: { version: Version | undefined; createdAt: number; updatedAt: number } = { version: undefined, createdAt: 0, updatedAt: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.version = Version.read(r, r.uint32());
          break;
        case 2:
          m.createdAt = readInt64(r.int64());
          break;
        case 3:
          m.updatedAt = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Meta): Uint8Array => Meta.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Meta => Meta.read(Reader.create(bytes), bytes.length),
};

/** ---- task --------------------------------------------------------------------------------------------------------------- The state of a task only ever grows within one run (a Lamport clock); gaps leave room (swarmkit api/types.proto). */
export const TaskState = {
  NEW: 0,
  PENDING: 64,
  ASSIGNED: 192,
  ACCEPTED: 256,
  PREPARING: 320,
  READY: 384,
  STARTING: 448,
  RUNNING: 512,
  COMPLETE: 576,
  SHUTDOWN: 640,
  FAILED: 704,
  REJECTED: 768,
  REMOVE: 800,
  ORPHANED: 832,
} as const;
export type TaskState = (typeof TaskState)[keyof typeof TaskState];
export const TaskStateText: ReadonlyMap<number, string> = new Map([[0, 'new'], [64, 'pending'], [192, 'assigned'], [256, 'accepted'], [320, 'preparing'], [384, 'ready'], [448, 'starting'], [512, 'running'], [576, 'complete'], [640, 'shutdown'], [704, 'failed'], [768, 'rejected'], [800, 'remove'], [832, 'orphaned']]);

export interface PortStatus {
  readonly ports: readonly PortConfig[];
}
export const PortStatus: MessageType<PortStatus> = {
  name: 'PortStatus',
  fields: [
    { name: 'ports', json: 'Ports', id: 1, kind: 'message', shape: 'repeated', message: () => PortConfig },
  ],
  create: (p: Partial<PortStatus> = {}): PortStatus => ({ ports: p.ports ?? [] }),
  write(m: PortStatus, w: Writer): Writer {
    for (const v of m.ports) PortConfig.write(v, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): PortStatus {
    const end = r.pos + length;
    const m: { ports: PortConfig[] } = { ports: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.ports.push(PortConfig.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PortStatus): Uint8Array => PortStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PortStatus => PortStatus.read(Reader.create(bytes), bytes.length),
};

export const HealthState = {
  NONE: 0,
  STARTING: 1,
  HEALTHY: 2,
  UNHEALTHY: 3,
} as const;
export type HealthState = (typeof HealthState)[keyof typeof HealthState];
export const HealthStateText: ReadonlyMap<number, string> = new Map([[0, ''], [1, 'starting'], [2, 'healthy'], [3, 'unhealthy']]);

export interface ContainerStatus {
  readonly containerId: string;
  readonly pid: number;
  readonly exitCode: number;
  /** Extensions. */
  readonly oomKilled: boolean;
  readonly health: HealthState;
  /** restarts of the same container */
  readonly restartCount: number;
  /** stopped on request (run_state or `docker stop`): not a failure */
  readonly stopped: boolean;
  readonly paused: boolean;
  /** the last failing probe's output, at most 4 KiB */
  readonly healthOutput: string;
}
export const ContainerStatus: MessageType<ContainerStatus> = {
  name: 'ContainerStatus',
  fields: [
    { name: 'containerId', json: 'ContainerID', id: 1, kind: 'string', shape: 'one' },
    { name: 'pid', json: 'PID', id: 2, kind: 'int64', shape: 'one', always: true },
    { name: 'exitCode', json: 'ExitCode', id: 3, kind: 'int64', shape: 'one', always: true },
    { name: 'oomKilled', json: 'OOMKilled', id: 100, kind: 'bool', shape: 'one' },
    { name: 'health', json: 'Health', id: 101, kind: 'enum', shape: 'one', text: HealthStateText },
    { name: 'restartCount', json: 'RestartCount', id: 102, kind: 'int64', shape: 'one' },
    { name: 'stopped', json: 'Stopped', id: 103, kind: 'bool', shape: 'one' },
    { name: 'paused', json: 'Paused', id: 104, kind: 'bool', shape: 'one' },
    { name: 'healthOutput', json: 'HealthOutput', id: 105, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<ContainerStatus> = {}): ContainerStatus => ({ containerId: p.containerId ?? '', pid: p.pid ?? 0, exitCode: p.exitCode ?? 0, oomKilled: p.oomKilled ?? false, health: p.health ?? 0, restartCount: p.restartCount ?? 0, stopped: p.stopped ?? false, paused: p.paused ?? false, healthOutput: p.healthOutput ?? '' }),
  write(m: ContainerStatus, w: Writer): Writer {
    if (m.containerId !== '') w.uint32(10).string(m.containerId);
    if (m.pid !== 0) w.uint32(16).int64(m.pid);
    if (m.exitCode !== 0) w.uint32(24).int64(m.exitCode);
    if (m.oomKilled) w.uint32(800).bool(m.oomKilled);
    if (m.health !== 0) w.uint32(808).int32(m.health);
    if (m.restartCount !== 0) w.uint32(816).int64(m.restartCount);
    if (m.stopped) w.uint32(824).bool(m.stopped);
    if (m.paused) w.uint32(832).bool(m.paused);
    if (m.healthOutput !== '') w.uint32(842).string(m.healthOutput);
    return w;
  },
  read(r: Reader, length: number): ContainerStatus {
    const end = r.pos + length;
    const m: { containerId: string; pid: number; exitCode: number; oomKilled: boolean; health: HealthState; restartCount: number; stopped: boolean; paused: boolean; healthOutput: string } = { containerId: '', pid: 0, exitCode: 0, oomKilled: false, health: 0, restartCount: 0, stopped: false, paused: false, healthOutput: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.containerId = r.string();
          break;
        case 2:
          m.pid = readInt64(r.int64());
          break;
        case 3:
          m.exitCode = readInt64(r.int64());
          break;
        case 100:
          m.oomKilled = r.bool();
          break;
        case 101:
          m.health = r.int32() as HealthState;
          break;
        case 102:
          m.restartCount = readInt64(r.int64());
          break;
        case 103:
          m.stopped = r.bool();
          break;
        case 104:
          m.paused = r.bool();
          break;
        case 105:
          m.healthOutput = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ContainerStatus): Uint8Array => ContainerStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ContainerStatus => ContainerStatus.read(Reader.create(bytes), bytes.length),
};

export interface TaskStatus {
  readonly timestamp: number;
  readonly state: TaskState;
  readonly message: string;
  readonly err: string;
  readonly containerStatus: ContainerStatus | undefined;
  readonly portStatus: PortStatus | undefined;
  /** Starts of the same container so far; a status with a higher run wins, within one run the higher state. */
  readonly run: number;
  /** node that reported */
  readonly appliedBy: string;
  /** By the manager's clock, written by the dispatcher: when it took this state, and when this run first reached RUNNING (0 = it did not). */
  readonly appliedAt: number;
  readonly runningSince: number;
}
export const TaskStatus: MessageType<TaskStatus> = {
  name: 'TaskStatus',
  fields: [
    { name: 'timestamp', json: 'Timestamp', id: 1, kind: 'int64', shape: 'one', time: true, always: true },
    { name: 'state', json: 'State', id: 2, kind: 'enum', shape: 'one', text: TaskStateText, always: true },
    { name: 'message', json: 'Message', id: 3, kind: 'string', shape: 'one' },
    { name: 'err', json: 'Err', id: 4, kind: 'string', shape: 'one' },
    { name: 'containerStatus', json: 'ContainerStatus', id: 5, kind: 'message', shape: 'optional', message: () => ContainerStatus },
    { name: 'portStatus', json: 'PortStatus', id: 6, kind: 'message', shape: 'optional', message: () => PortStatus },
    { name: 'run', json: 'Run', id: 100, kind: 'int64', shape: 'one' },
    { name: 'appliedBy', json: 'AppliedBy', id: 101, kind: 'string', shape: 'one' },
    { name: 'appliedAt', json: 'AppliedAt', id: 102, kind: 'int64', shape: 'one', time: true, internal: true },
    { name: 'runningSince', json: 'RunningSince', id: 103, kind: 'int64', shape: 'one', time: true },
  ],
  create: (p: Partial<TaskStatus> = {}): TaskStatus => ({ timestamp: p.timestamp ?? 0, state: p.state ?? 0, message: p.message ?? '', err: p.err ?? '', containerStatus: p.containerStatus, portStatus: p.portStatus, run: p.run ?? 0, appliedBy: p.appliedBy ?? '', appliedAt: p.appliedAt ?? 0, runningSince: p.runningSince ?? 0 }),
  write(m: TaskStatus, w: Writer): Writer {
    if (m.timestamp !== 0) w.uint32(8).int64(m.timestamp);
    if (m.state !== 0) w.uint32(16).int32(m.state);
    if (m.message !== '') w.uint32(26).string(m.message);
    if (m.err !== '') w.uint32(34).string(m.err);
    if (m.containerStatus !== undefined) ContainerStatus.write(m.containerStatus, w.uint32(42).fork()).ldelim();
    if (m.portStatus !== undefined) PortStatus.write(m.portStatus, w.uint32(50).fork()).ldelim();
    if (m.run !== 0) w.uint32(800).int64(m.run);
    if (m.appliedBy !== '') w.uint32(810).string(m.appliedBy);
    if (m.appliedAt !== 0) w.uint32(816).int64(m.appliedAt);
    if (m.runningSince !== 0) w.uint32(824).int64(m.runningSince);
    return w;
  },
  read(r: Reader, length: number): TaskStatus {
    const end = r.pos + length;
    const m: { timestamp: number; state: TaskState; message: string; err: string; containerStatus: ContainerStatus | undefined; portStatus: PortStatus | undefined; run: number; appliedBy: string; appliedAt: number; runningSince: number } = { timestamp: 0, state: 0, message: '', err: '', containerStatus: undefined, portStatus: undefined, run: 0, appliedBy: '', appliedAt: 0, runningSince: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.timestamp = readInt64(r.int64());
          break;
        case 2:
          m.state = r.int32() as TaskState;
          break;
        case 3:
          m.message = r.string();
          break;
        case 4:
          m.err = r.string();
          break;
        case 5:
          m.containerStatus = ContainerStatus.read(r, r.uint32());
          break;
        case 6:
          m.portStatus = PortStatus.read(r, r.uint32());
          break;
        case 100:
          m.run = readInt64(r.int64());
          break;
        case 101:
          m.appliedBy = r.string();
          break;
        case 102:
          m.appliedAt = readInt64(r.int64());
          break;
        case 103:
          m.runningSince = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: TaskStatus): Uint8Array => TaskStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): TaskStatus => TaskStatus.read(Reader.create(bytes), bytes.length),
};

/** A task that left service before it stops: first no node sends it new connections, then the open ones may end, then comes the stop signal. */
export interface Drain {
  /** orchestrator, with desired state > COMPLETE: it takes no new connections */
  readonly startedAt: number;
  /** every node has heard of it (dispatcher), or none could be waited for (orchestrator): its node may stop it */
  readonly acknowledgedAt: number;
  /** nanoseconds for open connections to end, from acknowledged_at */
  readonly timeout: number;
}
export const Drain: MessageType<Drain> = {
  name: 'Drain',
  fields: [
    { name: 'startedAt', json: 'StartedAt', id: 1, kind: 'int64', shape: 'one', time: true },
    { name: 'acknowledgedAt', json: 'AcknowledgedAt', id: 2, kind: 'int64', shape: 'one', time: true },
    { name: 'timeout', json: 'Timeout', id: 3, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<Drain> = {}): Drain => ({ startedAt: p.startedAt ?? 0, acknowledgedAt: p.acknowledgedAt ?? 0, timeout: p.timeout ?? 0 }),
  write(m: Drain, w: Writer): Writer {
    if (m.startedAt !== 0) w.uint32(8).int64(m.startedAt);
    if (m.acknowledgedAt !== 0) w.uint32(16).int64(m.acknowledgedAt);
    if (m.timeout !== 0) w.uint32(24).int64(m.timeout);
    return w;
  },
  read(r: Reader, length: number): Drain {
    const end = r.pos + length;
    const m: { startedAt: number; acknowledgedAt: number; timeout: number } = { startedAt: 0, acknowledgedAt: 0, timeout: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.startedAt = readInt64(r.int64());
          break;
        case 2:
          m.acknowledgedAt = readInt64(r.int64());
          break;
        case 3:
          m.timeout = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Drain): Uint8Array => Drain.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Drain => Drain.read(Reader.create(bytes), bytes.length),
};

export interface NetworkAttachment {
  readonly networkId: string;
  /** CIDR, v4 then v6; written by the allocator */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
}
export const NetworkAttachment: MessageType<NetworkAttachment> = {
  name: 'NetworkAttachment',
  fields: [
    { name: 'networkId', json: 'NetworkID', id: 1, kind: 'string', shape: 'one' },
    { name: 'addresses', json: 'Addresses', id: 2, kind: 'string', shape: 'repeated' },
    { name: 'aliases', json: 'Aliases', id: 3, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<NetworkAttachment> = {}): NetworkAttachment => ({ networkId: p.networkId ?? '', addresses: p.addresses ?? [], aliases: p.aliases ?? [] }),
  write(m: NetworkAttachment, w: Writer): Writer {
    if (m.networkId !== '') w.uint32(10).string(m.networkId);
    for (const v of m.addresses) w.uint32(18).string(v);
    for (const v of m.aliases) w.uint32(26).string(v);
    return w;
  },
  read(r: Reader, length: number): NetworkAttachment {
    const end = r.pos + length;
    const m: { networkId: string; addresses: string[]; aliases: string[] } = { networkId: '', addresses: [], aliases: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.networkId = r.string();
          break;
        case 2:
          m.addresses.push(r.string());
          break;
        case 3:
          m.aliases.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NetworkAttachment): Uint8Array => NetworkAttachment.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NetworkAttachment => NetworkAttachment.read(Reader.create(bytes), bytes.length),
};

export interface Task {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** orchestrator, never changed afterwards */
  readonly spec: TaskSpec | undefined;
  readonly serviceId: string;
  /** 1..N; 0 = global */
  readonly slot: number;
  /** scheduler (global: orchestrator) */
  readonly nodeId: string;
  /** orchestrators only */
  readonly desiredState: TaskState;
  /** agent through dispatcher; up to ASSIGNED: allocator, scheduler */
  readonly status: TaskStatus | undefined;
  readonly networkAttachments: readonly NetworkAttachment[];
  readonly assignedGenericResources: readonly GenericResource[];
  readonly jobIteration: Version | undefined;
  /** of the service when the task was made */
  readonly specVersion: Version | undefined;
  /** ports as resolved at creation */
  readonly endpoint: EndpointSpec | undefined;
  readonly serviceName: string;
  /** Extensions. */
  readonly runState: RunState;
  /** grows by one for `tcompose restart`; the agent restarts the container once per step */
  readonly restartRequest: number;
  /** why it does not go on (depends_on, no node, …); orchestrator or scheduler */
  readonly waitingFor: string;
  /** unset = it is not, or was not, drained */
  readonly drain: Drain | undefined;
  /** there is a better node for it: replaced as if it were of an older specification */
  readonly toMove: boolean;
  /** the request is for this run (status.run) or one before it; a later one, which has begun meanwhile, goes on. 0 = for any */
  readonly restartAfterRun: number;
  /** ids of the tasks whose namespaces its container joins, all on its node; scheduler */
  readonly beside: readonly string[];
}
export const Task: MessageType<Task> = {
  name: 'Task',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'labels', json: 'Labels', id: 3, kind: 'string', shape: 'map' },
    { name: 'spec', json: 'Spec', id: 4, kind: 'message', shape: 'optional', message: () => TaskSpec },
    { name: 'serviceId', json: 'ServiceID', id: 5, kind: 'string', shape: 'one' },
    { name: 'slot', json: 'Slot', id: 6, kind: 'int64', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 7, kind: 'string', shape: 'one' },
    { name: 'desiredState', json: 'DesiredState', id: 8, kind: 'enum', shape: 'one', text: TaskStateText, always: true },
    { name: 'status', json: 'Status', id: 9, kind: 'message', shape: 'optional', message: () => TaskStatus, always: true },
    { name: 'networkAttachments', json: 'NetworksAttachments', id: 10, kind: 'message', shape: 'repeated', message: () => NetworkAttachment },
    { name: 'assignedGenericResources', json: 'AssignedGenericResources', id: 11, kind: 'message', shape: 'repeated', message: () => GenericResource },
    { name: 'jobIteration', json: 'JobIteration', id: 12, kind: 'message', shape: 'optional', message: () => Version },
    { name: 'specVersion', json: 'SpecVersion', id: 13, kind: 'message', shape: 'optional', message: () => Version, internal: true },
    { name: 'endpoint', json: 'Endpoint', id: 14, kind: 'message', shape: 'optional', message: () => EndpointSpec, internal: true },
    { name: 'serviceName', json: 'ServiceName', id: 15, kind: 'string', shape: 'one', internal: true },
    { name: 'runState', json: 'RunState', id: 100, kind: 'enum', shape: 'one', text: RunStateText },
    { name: 'restartRequest', json: 'RestartRequest', id: 101, kind: 'int64', shape: 'one' },
    { name: 'waitingFor', json: 'WaitingFor', id: 102, kind: 'string', shape: 'one' },
    { name: 'drain', json: 'Drain', id: 103, kind: 'message', shape: 'optional', message: () => Drain },
    { name: 'toMove', json: 'ToMove', id: 104, kind: 'bool', shape: 'one', internal: true },
    { name: 'restartAfterRun', json: 'RestartAfterRun', id: 106, kind: 'int64', shape: 'one', internal: true },
    { name: 'beside', json: 'Beside', id: 105, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<Task> = {}): Task => ({ id: p.id ?? '', meta: p.meta, labels: p.labels ?? {}, spec: p.spec, serviceId: p.serviceId ?? '', slot: p.slot ?? 0, nodeId: p.nodeId ?? '', desiredState: p.desiredState ?? 0, status: p.status, networkAttachments: p.networkAttachments ?? [], assignedGenericResources: p.assignedGenericResources ?? [], jobIteration: p.jobIteration, specVersion: p.specVersion, endpoint: p.endpoint, serviceName: p.serviceName ?? '', runState: p.runState ?? 0, restartRequest: p.restartRequest ?? 0, waitingFor: p.waitingFor ?? '', drain: p.drain, toMove: p.toMove ?? false, restartAfterRun: p.restartAfterRun ?? 0, beside: p.beside ?? [] }),
  write(m: Task, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(26).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    if (m.spec !== undefined) TaskSpec.write(m.spec, w.uint32(34).fork()).ldelim();
    if (m.serviceId !== '') w.uint32(42).string(m.serviceId);
    if (m.slot !== 0) w.uint32(48).int64(m.slot);
    if (m.nodeId !== '') w.uint32(58).string(m.nodeId);
    if (m.desiredState !== 0) w.uint32(64).int32(m.desiredState);
    if (m.status !== undefined) TaskStatus.write(m.status, w.uint32(74).fork()).ldelim();
    for (const v of m.networkAttachments) NetworkAttachment.write(v, w.uint32(82).fork()).ldelim();
    for (const v of m.assignedGenericResources) GenericResource.write(v, w.uint32(90).fork()).ldelim();
    if (m.jobIteration !== undefined) Version.write(m.jobIteration, w.uint32(98).fork()).ldelim();
    if (m.specVersion !== undefined) Version.write(m.specVersion, w.uint32(106).fork()).ldelim();
    if (m.endpoint !== undefined) EndpointSpec.write(m.endpoint, w.uint32(114).fork()).ldelim();
    if (m.serviceName !== '') w.uint32(122).string(m.serviceName);
    if (m.runState !== 0) w.uint32(800).int32(m.runState);
    if (m.restartRequest !== 0) w.uint32(808).int64(m.restartRequest);
    if (m.waitingFor !== '') w.uint32(818).string(m.waitingFor);
    if (m.drain !== undefined) Drain.write(m.drain, w.uint32(826).fork()).ldelim();
    if (m.toMove) w.uint32(832).bool(m.toMove);
    if (m.restartAfterRun !== 0) w.uint32(848).int64(m.restartAfterRun);
    for (const v of m.beside) w.uint32(842).string(v);
    return w;
  },
  read(r: Reader, length: number): Task {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; labels: Record<string, string>; spec: TaskSpec | undefined; serviceId: string; slot: number; nodeId: string; desiredState: TaskState; status: TaskStatus | undefined; networkAttachments: NetworkAttachment[]; assignedGenericResources: GenericResource[]; jobIteration: Version | undefined; specVersion: Version | undefined; endpoint: EndpointSpec | undefined; serviceName: string; runState: RunState; restartRequest: number; waitingFor: string; drain: Drain | undefined; toMove: boolean; restartAfterRun: number; beside: string[] } = { id: '', meta: undefined, labels: {}, spec: undefined, serviceId: '', slot: 0, nodeId: '', desiredState: 0, status: undefined, networkAttachments: [], assignedGenericResources: [], jobIteration: undefined, specVersion: undefined, endpoint: undefined, serviceName: '', runState: 0, restartRequest: 0, waitingFor: '', drain: undefined, toMove: false, restartAfterRun: 0, beside: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 4:
          m.spec = TaskSpec.read(r, r.uint32());
          break;
        case 5:
          m.serviceId = r.string();
          break;
        case 6:
          m.slot = readInt64(r.int64());
          break;
        case 7:
          m.nodeId = r.string();
          break;
        case 8:
          m.desiredState = r.int32() as TaskState;
          break;
        case 9:
          m.status = TaskStatus.read(r, r.uint32());
          break;
        case 10:
          m.networkAttachments.push(NetworkAttachment.read(r, r.uint32()));
          break;
        case 11:
          m.assignedGenericResources.push(GenericResource.read(r, r.uint32()));
          break;
        case 12:
          m.jobIteration = Version.read(r, r.uint32());
          break;
        case 13:
          m.specVersion = Version.read(r, r.uint32());
          break;
        case 14:
          m.endpoint = EndpointSpec.read(r, r.uint32());
          break;
        case 15:
          m.serviceName = r.string();
          break;
        case 100:
          m.runState = r.int32() as RunState;
          break;
        case 101:
          m.restartRequest = readInt64(r.int64());
          break;
        case 102:
          m.waitingFor = r.string();
          break;
        case 103:
          m.drain = Drain.read(r, r.uint32());
          break;
        case 104:
          m.toMove = r.bool();
          break;
        case 106:
          m.restartAfterRun = readInt64(r.int64());
          break;
        case 105:
          m.beside.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Task): Uint8Array => Task.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Task => Task.read(Reader.create(bytes), bytes.length),
};

/** ---- service ------------------------------------------------------------------------------------------------------------ */
export interface EndpointVip {
  readonly networkId: string;
  readonly addr: string;
}
export const EndpointVip: MessageType<EndpointVip> = {
  name: 'EndpointVip',
  fields: [
    { name: 'networkId', json: 'NetworkID', id: 1, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<EndpointVip> = {}): EndpointVip => ({ networkId: p.networkId ?? '', addr: p.addr ?? '' }),
  write(m: EndpointVip, w: Writer): Writer {
    if (m.networkId !== '') w.uint32(10).string(m.networkId);
    if (m.addr !== '') w.uint32(18).string(m.addr);
    return w;
  },
  read(r: Reader, length: number): EndpointVip {
    const end = r.pos + length;
    const m: { networkId: string; addr: string } = { networkId: '', addr: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.networkId = r.string();
          break;
        case 2:
          m.addr = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EndpointVip): Uint8Array => EndpointVip.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EndpointVip => EndpointVip.read(Reader.create(bytes), bytes.length),
};

export interface Endpoint {
  readonly spec: EndpointSpec | undefined;
  readonly ports: readonly PortConfig[];
  readonly virtualIps: readonly EndpointVip[];
}
export const Endpoint: MessageType<Endpoint> = {
  name: 'Endpoint',
  fields: [
    { name: 'spec', json: 'Spec', id: 1, kind: 'message', shape: 'optional', message: () => EndpointSpec, always: true },
    { name: 'ports', json: 'Ports', id: 2, kind: 'message', shape: 'repeated', message: () => PortConfig },
    { name: 'virtualIps', json: 'VirtualIPs', id: 3, kind: 'message', shape: 'repeated', message: () => EndpointVip },
  ],
  create: (p: Partial<Endpoint> = {}): Endpoint => ({ spec: p.spec, ports: p.ports ?? [], virtualIps: p.virtualIps ?? [] }),
  write(m: Endpoint, w: Writer): Writer {
    if (m.spec !== undefined) EndpointSpec.write(m.spec, w.uint32(10).fork()).ldelim();
    for (const v of m.ports) PortConfig.write(v, w.uint32(18).fork()).ldelim();
    for (const v of m.virtualIps) EndpointVip.write(v, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Endpoint {
    const end = r.pos + length;
    const m: { spec: EndpointSpec | undefined; ports: PortConfig[]; virtualIps: EndpointVip[] } = { spec: undefined, ports: [], virtualIps: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.spec = EndpointSpec.read(r, r.uint32());
          break;
        case 2:
          m.ports.push(PortConfig.read(r, r.uint32()));
          break;
        case 3:
          m.virtualIps.push(EndpointVip.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Endpoint): Uint8Array => Endpoint.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Endpoint => Endpoint.read(Reader.create(bytes), bytes.length),
};

export const UpdateState = {
  NONE: 0,
  UPDATING: 1,
  PAUSED: 2,
  COMPLETED: 3,
  ROLLBACK_STARTED: 4,
  ROLLBACK_PAUSED: 5,
  ROLLBACK_COMPLETED: 6,
  FAILED: 7,
} as const;
export type UpdateState = (typeof UpdateState)[keyof typeof UpdateState];
export const UpdateStateText: ReadonlyMap<number, string> = new Map([[0, ''], [1, 'updating'], [2, 'paused'], [3, 'completed'], [4, 'rollback_started'], [5, 'rollback_paused'], [6, 'rollback_completed'], [7, 'failed']]);

export interface UpdateStatus {
  readonly state: UpdateState;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly message: string;
  /** Extensions: how far it is, in slots. progress_at grows with `updated` only, so that tasks that crash again and again are no progress. */
  readonly progressAt: number;
  readonly updated: number;
  readonly failed: number;
  readonly total: number;
}
export const UpdateStatus: MessageType<UpdateStatus> = {
  name: 'UpdateStatus',
  fields: [
    { name: 'state', json: 'State', id: 1, kind: 'enum', shape: 'one', text: UpdateStateText },
    { name: 'startedAt', json: 'StartedAt', id: 2, kind: 'int64', shape: 'one', time: true },
    { name: 'completedAt', json: 'CompletedAt', id: 3, kind: 'int64', shape: 'one', time: true },
    { name: 'message', json: 'Message', id: 4, kind: 'string', shape: 'one' },
    { name: 'progressAt', json: 'ProgressAt', id: 100, kind: 'int64', shape: 'one', time: true },
    { name: 'updated', json: 'Updated', id: 101, kind: 'int64', shape: 'one' },
    { name: 'failed', json: 'Failed', id: 102, kind: 'int64', shape: 'one' },
    { name: 'total', json: 'Total', id: 103, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<UpdateStatus> = {}): UpdateStatus => ({ state: p.state ?? 0, startedAt: p.startedAt ?? 0, completedAt: p.completedAt ?? 0, message: p.message ?? '', progressAt: p.progressAt ?? 0, updated: p.updated ?? 0, failed: p.failed ?? 0, total: p.total ?? 0 }),
  write(m: UpdateStatus, w: Writer): Writer {
    if (m.state !== 0) w.uint32(8).int32(m.state);
    if (m.startedAt !== 0) w.uint32(16).int64(m.startedAt);
    if (m.completedAt !== 0) w.uint32(24).int64(m.completedAt);
    if (m.message !== '') w.uint32(34).string(m.message);
    if (m.progressAt !== 0) w.uint32(800).int64(m.progressAt);
    if (m.updated !== 0) w.uint32(808).int64(m.updated);
    if (m.failed !== 0) w.uint32(816).int64(m.failed);
    if (m.total !== 0) w.uint32(824).int64(m.total);
    return w;
  },
  read(r: Reader, length: number): UpdateStatus {
    const end = r.pos + length;
    const m: { state: UpdateState; startedAt: number; completedAt: number; message: string; progressAt: number; updated: number; failed: number; total: number } = { state: 0, startedAt: 0, completedAt: 0, message: '', progressAt: 0, updated: 0, failed: 0, total: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.state = r.int32() as UpdateState;
          break;
        case 2:
          m.startedAt = readInt64(r.int64());
          break;
        case 3:
          m.completedAt = readInt64(r.int64());
          break;
        case 4:
          m.message = r.string();
          break;
        case 100:
          m.progressAt = readInt64(r.int64());
          break;
        case 101:
          m.updated = readInt64(r.int64());
          break;
        case 102:
          m.failed = readInt64(r.int64());
          break;
        case 103:
          m.total = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: UpdateStatus): Uint8Array => UpdateStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): UpdateStatus => UpdateStatus.read(Reader.create(bytes), bytes.length),
};

/** A specification that was replaced. */
export interface ServiceRevision {
  readonly revision: number;
  readonly replacedAt: number;
  readonly spec: ServiceSpec | undefined;
}
export const ServiceRevision: MessageType<ServiceRevision> = {
  name: 'ServiceRevision',
  fields: [
    { name: 'revision', json: 'Revision', id: 1, kind: 'int64', shape: 'one', always: true },
    { name: 'replacedAt', json: 'ReplacedAt', id: 2, kind: 'int64', shape: 'one', time: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => ServiceSpec },
  ],
  create: (p: Partial<ServiceRevision> = {}): ServiceRevision => ({ revision: p.revision ?? 0, replacedAt: p.replacedAt ?? 0, spec: p.spec }),
  write(m: ServiceRevision, w: Writer): Writer {
    if (m.revision !== 0) w.uint32(8).int64(m.revision);
    if (m.replacedAt !== 0) w.uint32(16).int64(m.replacedAt);
    if (m.spec !== undefined) ServiceSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ServiceRevision {
    const end = r.pos + length;
    const m: { revision: number; replacedAt: number; spec: ServiceSpec | undefined } = { revision: 0, replacedAt: 0, spec: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.revision = readInt64(r.int64());
          break;
        case 2:
          m.replacedAt = readInt64(r.int64());
          break;
        case 3:
          m.spec = ServiceSpec.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceRevision): Uint8Array => ServiceRevision.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceRevision => ServiceRevision.read(Reader.create(bytes), bytes.length),
};

export interface JobStatus {
  readonly jobIteration: Version | undefined;
  readonly lastExecution: number;
}
export const JobStatus: MessageType<JobStatus> = {
  name: 'JobStatus',
  fields: [
    { name: 'jobIteration', json: 'JobIteration', id: 1, kind: 'message', shape: 'optional', message: () => Version },
    { name: 'lastExecution', json: 'LastExecution', id: 2, kind: 'int64', shape: 'one', time: true },
  ],
  create: (p: Partial<JobStatus> = {}): JobStatus => ({ jobIteration: p.jobIteration, lastExecution: p.lastExecution ?? 0 }),
  write(m: JobStatus, w: Writer): Writer {
    if (m.jobIteration !== undefined) Version.write(m.jobIteration, w.uint32(10).fork()).ldelim();
    if (m.lastExecution !== 0) w.uint32(16).int64(m.lastExecution);
    return w;
  },
  read(r: Reader, length: number): JobStatus {
    const end = r.pos + length;
    const m: { jobIteration: Version | undefined; lastExecution: number } = { jobIteration: undefined, lastExecution: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.jobIteration = Version.read(r, r.uint32());
          break;
        case 2:
          m.lastExecution = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: JobStatus): Uint8Array => JobStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): JobStatus => JobStatus.read(Reader.create(bytes), bytes.length),
};

export interface Service {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: ServiceSpec | undefined;
  readonly previousSpec: ServiceSpec | undefined;
  /** allocator */
  readonly endpoint: Endpoint | undefined;
  /** updater */
  readonly updateStatus: UpdateStatus | undefined;
  readonly jobStatus: JobStatus | undefined;
  /** grows only when what tasks are made from changes */
  readonly specVersion: Version | undefined;
  /** stack name, "" = none */
  readonly stack: string;
  readonly restartRequest: number;
  /** replaced specifications, newest first; control API */
  readonly revisions: readonly ServiceRevision[];
  /** number of the present specification; 0 = the first */
  readonly revision: number;
  /** Credentials for the registry of the image: RegistryAuth as JSON, given with the specification. Only nodes with a task get them, as they get secrets. */
  readonly registryAuth: Uint8Array;
  readonly previousRegistryAuth: Uint8Array;
}
export const Service: MessageType<Service> = {
  name: 'Service',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => ServiceSpec, always: true },
    { name: 'previousSpec', json: 'PreviousSpec', id: 4, kind: 'message', shape: 'optional', message: () => ServiceSpec },
    { name: 'endpoint', json: 'Endpoint', id: 5, kind: 'message', shape: 'optional', message: () => Endpoint, always: true },
    { name: 'updateStatus', json: 'UpdateStatus', id: 6, kind: 'message', shape: 'optional', message: () => UpdateStatus },
    { name: 'jobStatus', json: 'JobStatus', id: 7, kind: 'message', shape: 'optional', message: () => JobStatus },
    { name: 'specVersion', json: 'SpecVersion', id: 8, kind: 'message', shape: 'optional', message: () => Version, internal: true },
    { name: 'stack', json: 'Stack', id: 100, kind: 'string', shape: 'one' },
    { name: 'restartRequest', json: 'RestartRequest', id: 101, kind: 'int64', shape: 'one', internal: true },
    { name: 'revisions', json: 'Revisions', id: 102, kind: 'message', shape: 'repeated', message: () => ServiceRevision, internal: true },
    { name: 'revision', json: 'Revision', id: 103, kind: 'int64', shape: 'one' },
    { name: 'registryAuth', json: 'RegistryAuth', id: 104, kind: 'bytes', shape: 'one', internal: true },
    { name: 'previousRegistryAuth', json: 'PreviousRegistryAuth', id: 105, kind: 'bytes', shape: 'one', internal: true },
  ],
  create: (p: Partial<Service> = {}): Service => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, previousSpec: p.previousSpec, endpoint: p.endpoint, updateStatus: p.updateStatus, jobStatus: p.jobStatus, specVersion: p.specVersion, stack: p.stack ?? '', restartRequest: p.restartRequest ?? 0, revisions: p.revisions ?? [], revision: p.revision ?? 0, registryAuth: p.registryAuth ?? NO_BYTES, previousRegistryAuth: p.previousRegistryAuth ?? NO_BYTES }),
  write(m: Service, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) ServiceSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.previousSpec !== undefined) ServiceSpec.write(m.previousSpec, w.uint32(34).fork()).ldelim();
    if (m.endpoint !== undefined) Endpoint.write(m.endpoint, w.uint32(42).fork()).ldelim();
    if (m.updateStatus !== undefined) UpdateStatus.write(m.updateStatus, w.uint32(50).fork()).ldelim();
    if (m.jobStatus !== undefined) JobStatus.write(m.jobStatus, w.uint32(58).fork()).ldelim();
    if (m.specVersion !== undefined) Version.write(m.specVersion, w.uint32(66).fork()).ldelim();
    if (m.stack !== '') w.uint32(802).string(m.stack);
    if (m.restartRequest !== 0) w.uint32(808).int64(m.restartRequest);
    for (const v of m.revisions) ServiceRevision.write(v, w.uint32(818).fork()).ldelim();
    if (m.revision !== 0) w.uint32(824).int64(m.revision);
    if (m.registryAuth.length > 0) w.uint32(834).bytes(m.registryAuth);
    if (m.previousRegistryAuth.length > 0) w.uint32(842).bytes(m.previousRegistryAuth);
    return w;
  },
  read(r: Reader, length: number): Service {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: ServiceSpec | undefined; previousSpec: ServiceSpec | undefined; endpoint: Endpoint | undefined; updateStatus: UpdateStatus | undefined; jobStatus: JobStatus | undefined; specVersion: Version | undefined; stack: string; restartRequest: number; revisions: ServiceRevision[]; revision: number; registryAuth: Uint8Array; previousRegistryAuth: Uint8Array } = { id: '', meta: undefined, spec: undefined, previousSpec: undefined, endpoint: undefined, updateStatus: undefined, jobStatus: undefined, specVersion: undefined, stack: '', restartRequest: 0, revisions: [], revision: 0, registryAuth: NO_BYTES, previousRegistryAuth: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = ServiceSpec.read(r, r.uint32());
          break;
        case 4:
          m.previousSpec = ServiceSpec.read(r, r.uint32());
          break;
        case 5:
          m.endpoint = Endpoint.read(r, r.uint32());
          break;
        case 6:
          m.updateStatus = UpdateStatus.read(r, r.uint32());
          break;
        case 7:
          m.jobStatus = JobStatus.read(r, r.uint32());
          break;
        case 8:
          m.specVersion = Version.read(r, r.uint32());
          break;
        case 100:
          m.stack = r.string();
          break;
        case 101:
          m.restartRequest = readInt64(r.int64());
          break;
        case 102:
          m.revisions.push(ServiceRevision.read(r, r.uint32()));
          break;
        case 103:
          m.revision = readInt64(r.int64());
          break;
        case 104:
          m.registryAuth = sizeLimitedBytes(r.bytes());
          break;
        case 105:
          m.previousRegistryAuth = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Service): Uint8Array => Service.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Service => Service.read(Reader.create(bytes), bytes.length),
};

/** ---- node --------------------------------------------------------------------------------------------------------------- */
export interface PluginDescription {
  readonly type: string;
  readonly name: string;
}
export const PluginDescription: MessageType<PluginDescription> = {
  name: 'PluginDescription',
  fields: [
    { name: 'type', json: 'Type', id: 1, kind: 'string', shape: 'one' },
    { name: 'name', json: 'Name', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<PluginDescription> = {}): PluginDescription => ({ type: p.type ?? '', name: p.name ?? '' }),
  write(m: PluginDescription, w: Writer): Writer {
    if (m.type !== '') w.uint32(10).string(m.type);
    if (m.name !== '') w.uint32(18).string(m.name);
    return w;
  },
  read(r: Reader, length: number): PluginDescription {
    const end = r.pos + length;
    const m: { type: string; name: string } = { type: '', name: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.type = r.string();
          break;
        case 2:
          m.name = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PluginDescription): Uint8Array => PluginDescription.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PluginDescription => PluginDescription.read(Reader.create(bytes), bytes.length),
};

export interface EngineDescription {
  readonly engineVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly plugins: readonly PluginDescription[];
}
export const EngineDescription: MessageType<EngineDescription> = {
  name: 'EngineDescription',
  fields: [
    { name: 'engineVersion', json: 'EngineVersion', id: 1, kind: 'string', shape: 'one' },
    { name: 'labels', json: 'Labels', id: 2, kind: 'string', shape: 'map' },
    { name: 'plugins', json: 'Plugins', id: 3, kind: 'message', shape: 'repeated', message: () => PluginDescription },
  ],
  create: (p: Partial<EngineDescription> = {}): EngineDescription => ({ engineVersion: p.engineVersion ?? '', labels: p.labels ?? {}, plugins: p.plugins ?? [] }),
  write(m: EngineDescription, w: Writer): Writer {
    if (m.engineVersion !== '') w.uint32(10).string(m.engineVersion);
    for (const k in m.labels) {
      const v = m.labels[k] as string;
      w.uint32(18).fork().uint32(10).string(k);
      w.uint32(18).string(v);
      w.ldelim();
    }
    for (const v of m.plugins) PluginDescription.write(v, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): EngineDescription {
    const end = r.pos + length;
    const m: { engineVersion: string; labels: Record<string, string>; plugins: PluginDescription[] } = { engineVersion: '', labels: {}, plugins: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.engineVersion = r.string();
          break;
        case 2: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: string = '';
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = r.string();
            else r.skipType(kt & 7);
          }
          m.labels[k] = v;
          break;
        }
        case 3:
          m.plugins.push(PluginDescription.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EngineDescription): Uint8Array => EngineDescription.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EngineDescription => EngineDescription.read(Reader.create(bytes), bytes.length),
};

export interface NodeTlsInfo {
  readonly trustRoot: string;
  readonly certIssuerSubject: Uint8Array;
  readonly certIssuerPublicKey: Uint8Array;
}
export const NodeTlsInfo: MessageType<NodeTlsInfo> = {
  name: 'NodeTlsInfo',
  fields: [
    { name: 'trustRoot', json: 'TrustRoot', id: 1, kind: 'string', shape: 'one' },
    { name: 'certIssuerSubject', json: 'CertIssuerSubject', id: 2, kind: 'bytes', shape: 'one' },
    { name: 'certIssuerPublicKey', json: 'CertIssuerPublicKey', id: 3, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<NodeTlsInfo> = {}): NodeTlsInfo => ({ trustRoot: p.trustRoot ?? '', certIssuerSubject: p.certIssuerSubject ?? NO_BYTES, certIssuerPublicKey: p.certIssuerPublicKey ?? NO_BYTES }),
  write(m: NodeTlsInfo, w: Writer): Writer {
    if (m.trustRoot !== '') w.uint32(10).string(m.trustRoot);
    if (m.certIssuerSubject.length > 0) w.uint32(18).bytes(m.certIssuerSubject);
    if (m.certIssuerPublicKey.length > 0) w.uint32(26).bytes(m.certIssuerPublicKey);
    return w;
  },
  read(r: Reader, length: number): NodeTlsInfo {
    const end = r.pos + length;
    const m: { trustRoot: string; certIssuerSubject: Uint8Array; certIssuerPublicKey: Uint8Array } = { trustRoot: '', certIssuerSubject: NO_BYTES, certIssuerPublicKey: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.trustRoot = r.string();
          break;
        case 2:
          m.certIssuerSubject = sizeLimitedBytes(r.bytes());
          break;
        case 3:
          m.certIssuerPublicKey = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NodeTlsInfo): Uint8Array => NodeTlsInfo.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NodeTlsInfo => NodeTlsInfo.read(Reader.create(bytes), bytes.length),
};

export interface NodeDescription {
  readonly hostname: string;
  readonly platform: Platform | undefined;
  readonly resources: Resources | undefined;
  readonly engine: EngineDescription | undefined;
  readonly tlsInfo: NodeTlsInfo | undefined;
  /** addresses of the host's interfaces */
  readonly addresses: readonly string[];
  /** public key, base64; "" = no mesh */
  readonly wireguardKey: string;
  /** How other nodes reach its mesh device over UDP. */
  readonly meshAddr: string;
  /** 0 = 51820 */
  readonly meshPort: number;
  /** TCP port on which it gives images to other nodes; 0 = it gives none */
  readonly imagePort: number;
  /** what is wrong with its mesh now, one sentence each; empty = nothing */
  readonly meshFaults: readonly string[];
}
export const NodeDescription: MessageType<NodeDescription> = {
  name: 'NodeDescription',
  fields: [
    { name: 'hostname', json: 'Hostname', id: 1, kind: 'string', shape: 'one' },
    { name: 'platform', json: 'Platform', id: 2, kind: 'message', shape: 'optional', message: () => Platform },
    { name: 'resources', json: 'Resources', id: 3, kind: 'message', shape: 'optional', message: () => Resources },
    { name: 'engine', json: 'Engine', id: 4, kind: 'message', shape: 'optional', message: () => EngineDescription },
    { name: 'tlsInfo', json: 'TLSInfo', id: 5, kind: 'message', shape: 'optional', message: () => NodeTlsInfo },
    { name: 'addresses', json: 'Addresses', id: 100, kind: 'string', shape: 'repeated' },
    { name: 'wireguardKey', json: 'WireguardKey', id: 101, kind: 'string', shape: 'one' },
    { name: 'meshAddr', json: 'MeshAddr', id: 102, kind: 'string', shape: 'one' },
    { name: 'meshPort', json: 'MeshPort', id: 103, kind: 'uint32', shape: 'one' },
    { name: 'imagePort', json: 'ImagePort', id: 105, kind: 'uint32', shape: 'one' },
    { name: 'meshFaults', json: 'MeshFaults', id: 104, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<NodeDescription> = {}): NodeDescription => ({ hostname: p.hostname ?? '', platform: p.platform, resources: p.resources, engine: p.engine, tlsInfo: p.tlsInfo, addresses: p.addresses ?? [], wireguardKey: p.wireguardKey ?? '', meshAddr: p.meshAddr ?? '', meshPort: p.meshPort ?? 0, imagePort: p.imagePort ?? 0, meshFaults: p.meshFaults ?? [] }),
  write(m: NodeDescription, w: Writer): Writer {
    if (m.hostname !== '') w.uint32(10).string(m.hostname);
    if (m.platform !== undefined) Platform.write(m.platform, w.uint32(18).fork()).ldelim();
    if (m.resources !== undefined) Resources.write(m.resources, w.uint32(26).fork()).ldelim();
    if (m.engine !== undefined) EngineDescription.write(m.engine, w.uint32(34).fork()).ldelim();
    if (m.tlsInfo !== undefined) NodeTlsInfo.write(m.tlsInfo, w.uint32(42).fork()).ldelim();
    for (const v of m.addresses) w.uint32(802).string(v);
    if (m.wireguardKey !== '') w.uint32(810).string(m.wireguardKey);
    if (m.meshAddr !== '') w.uint32(818).string(m.meshAddr);
    if (m.meshPort !== 0) w.uint32(824).uint32(m.meshPort);
    if (m.imagePort !== 0) w.uint32(840).uint32(m.imagePort);
    for (const v of m.meshFaults) w.uint32(834).string(v);
    return w;
  },
  read(r: Reader, length: number): NodeDescription {
    const end = r.pos + length;
    const m: { hostname: string; platform: Platform | undefined; resources: Resources | undefined; engine: EngineDescription | undefined; tlsInfo: NodeTlsInfo | undefined; addresses: string[]; wireguardKey: string; meshAddr: string; meshPort: number; imagePort: number; meshFaults: string[] } = { hostname: '', platform: undefined, resources: undefined, engine: undefined, tlsInfo: undefined, addresses: [], wireguardKey: '', meshAddr: '', meshPort: 0, imagePort: 0, meshFaults: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.hostname = r.string();
          break;
        case 2:
          m.platform = Platform.read(r, r.uint32());
          break;
        case 3:
          m.resources = Resources.read(r, r.uint32());
          break;
        case 4:
          m.engine = EngineDescription.read(r, r.uint32());
          break;
        case 5:
          m.tlsInfo = NodeTlsInfo.read(r, r.uint32());
          break;
        case 100:
          m.addresses.push(r.string());
          break;
        case 101:
          m.wireguardKey = r.string();
          break;
        case 102:
          m.meshAddr = r.string();
          break;
        case 103:
          m.meshPort = r.uint32();
          break;
        case 105:
          m.imagePort = r.uint32();
          break;
        case 104:
          m.meshFaults.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NodeDescription): Uint8Array => NodeDescription.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NodeDescription => NodeDescription.read(Reader.create(bytes), bytes.length),
};

export const NodeState = {
  UNKNOWN: 0,
  DOWN: 1,
  READY: 2,
  DISCONNECTED: 3,
} as const;
export type NodeState = (typeof NodeState)[keyof typeof NodeState];
export const NodeStateText: ReadonlyMap<number, string> = new Map([[0, 'unknown'], [1, 'down'], [2, 'ready'], [3, 'disconnected']]);

export interface NodeStatus {
  readonly state: NodeState;
  readonly message: string;
  readonly addr: string;
}
export const NodeStatus: MessageType<NodeStatus> = {
  name: 'NodeStatus',
  fields: [
    { name: 'state', json: 'State', id: 1, kind: 'enum', shape: 'one', text: NodeStateText, always: true },
    { name: 'message', json: 'Message', id: 2, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 3, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<NodeStatus> = {}): NodeStatus => ({ state: p.state ?? 0, message: p.message ?? '', addr: p.addr ?? '' }),
  write(m: NodeStatus, w: Writer): Writer {
    if (m.state !== 0) w.uint32(8).int32(m.state);
    if (m.message !== '') w.uint32(18).string(m.message);
    if (m.addr !== '') w.uint32(26).string(m.addr);
    return w;
  },
  read(r: Reader, length: number): NodeStatus {
    const end = r.pos + length;
    const m: { state: NodeState; message: string; addr: string } = { state: 0, message: '', addr: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.state = r.int32() as NodeState;
          break;
        case 2:
          m.message = r.string();
          break;
        case 3:
          m.addr = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: NodeStatus): Uint8Array => NodeStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): NodeStatus => NodeStatus.read(Reader.create(bytes), bytes.length),
};

export const Reachability = {
  UNKNOWN: 0,
  UNREACHABLE: 1,
  REACHABLE: 2,
} as const;
export type Reachability = (typeof Reachability)[keyof typeof Reachability];
export const ReachabilityText: ReadonlyMap<number, string> = new Map([[0, 'unknown'], [1, 'unreachable'], [2, 'reachable']]);

/** Written by the leader only. Present while the node is a member of the Raft group. */
export interface ManagerStatus {
  readonly leader: boolean;
  readonly reachability: Reachability;
  /** control, dispatcher and CA: host:port as nodes reach it */
  readonly addr: string;
  /** never used again for another disk */
  readonly raftId: number;
  /** Raft peers: host:port */
  readonly raftAddr: string;
  /** of the root that signed this manager's present certificate */
  readonly rootDigest: string;
  /** of the root that signed its gateway's administrator certificate; "" = not known */
  readonly adminRootDigest: string;
  /** member of the same node whose disk is gone; leaves when raft_id gets its vote */
  readonly replacedRaftId: number;
}
export const ManagerStatus: MessageType<ManagerStatus> = {
  name: 'ManagerStatus',
  fields: [
    { name: 'leader', json: 'Leader', id: 1, kind: 'bool', shape: 'one' },
    { name: 'reachability', json: 'Reachability', id: 2, kind: 'enum', shape: 'one', text: ReachabilityText },
    { name: 'addr', json: 'Addr', id: 3, kind: 'string', shape: 'one' },
    { name: 'raftId', json: 'RaftID', id: 4, kind: 'int64', shape: 'one', internal: true },
    { name: 'raftAddr', json: 'RaftAddr', id: 5, kind: 'string', shape: 'one', internal: true },
    { name: 'rootDigest', json: 'RootDigest', id: 6, kind: 'string', shape: 'one', internal: true },
    { name: 'adminRootDigest', json: 'AdminRootDigest', id: 8, kind: 'string', shape: 'one', internal: true },
    { name: 'replacedRaftId', json: 'ReplacedRaftID', id: 7, kind: 'int64', shape: 'one', internal: true },
  ],
  create: (p: Partial<ManagerStatus> = {}): ManagerStatus => ({ leader: p.leader ?? false, reachability: p.reachability ?? 0, addr: p.addr ?? '', raftId: p.raftId ?? 0, raftAddr: p.raftAddr ?? '', rootDigest: p.rootDigest ?? '', adminRootDigest: p.adminRootDigest ?? '', replacedRaftId: p.replacedRaftId ?? 0 }),
  write(m: ManagerStatus, w: Writer): Writer {
    if (m.leader) w.uint32(8).bool(m.leader);
    if (m.reachability !== 0) w.uint32(16).int32(m.reachability);
    if (m.addr !== '') w.uint32(26).string(m.addr);
    if (m.raftId !== 0) w.uint32(32).int64(m.raftId);
    if (m.raftAddr !== '') w.uint32(42).string(m.raftAddr);
    if (m.rootDigest !== '') w.uint32(50).string(m.rootDigest);
    if (m.adminRootDigest !== '') w.uint32(66).string(m.adminRootDigest);
    if (m.replacedRaftId !== 0) w.uint32(56).int64(m.replacedRaftId);
    return w;
  },
  read(r: Reader, length: number): ManagerStatus {
    const end = r.pos + length;
    const m: { leader: boolean; reachability: Reachability; addr: string; raftId: number; raftAddr: string; rootDigest: string; adminRootDigest: string; replacedRaftId: number } = { leader: false, reachability: 0, addr: '', raftId: 0, raftAddr: '', rootDigest: '', adminRootDigest: '', replacedRaftId: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.leader = r.bool();
          break;
        case 2:
          m.reachability = r.int32() as Reachability;
          break;
        case 3:
          m.addr = r.string();
          break;
        case 4:
          m.raftId = readInt64(r.int64());
          break;
        case 5:
          m.raftAddr = r.string();
          break;
        case 6:
          m.rootDigest = r.string();
          break;
        case 8:
          m.adminRootDigest = r.string();
          break;
        case 7:
          m.replacedRaftId = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ManagerStatus): Uint8Array => ManagerStatus.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ManagerStatus => ManagerStatus.read(Reader.create(bytes), bytes.length),
};

export interface Node {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: NodeSpec | undefined;
  /** agent through dispatcher */
  readonly description: NodeDescription | undefined;
  /** dispatcher */
  readonly status: NodeStatus | undefined;
  readonly managerStatus: ManagerStatus | undefined;
  /** PEM of the issued certificate */
  readonly certificate: Uint8Array;
  /** Raft index of the last change of anything; Version.Index moves only with the spec, so that heartbeats do not fight with updates. */
  readonly statusIndex: number;
  /** What the node is; spec.role is what it shall be. MANAGER from the promotion on, WORKER once it has left the Raft group (role manager). */
  readonly role: NodeRole;
  /** of the root that signed `certificate`; "" = of the first root */
  readonly rootDigest: string;
}
export const Node: MessageType<Node> = {
  name: 'Node',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => NodeSpec, always: true },
    { name: 'description', json: 'Description', id: 4, kind: 'message', shape: 'optional', message: () => NodeDescription },
    { name: 'status', json: 'Status', id: 5, kind: 'message', shape: 'optional', message: () => NodeStatus, always: true },
    { name: 'managerStatus', json: 'ManagerStatus', id: 6, kind: 'message', shape: 'optional', message: () => ManagerStatus },
    { name: 'certificate', json: 'Certificate', id: 7, kind: 'bytes', shape: 'one', internal: true },
    { name: 'statusIndex', json: 'StatusIndex', id: 100, kind: 'int64', shape: 'one', internal: true },
    { name: 'role', json: 'Role', id: 101, kind: 'enum', shape: 'one', text: NodeRoleText, internal: true },
    { name: 'rootDigest', json: 'RootDigest', id: 102, kind: 'string', shape: 'one', internal: true },
  ],
  create: (p: Partial<Node> = {}): Node => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, description: p.description, status: p.status, managerStatus: p.managerStatus, certificate: p.certificate ?? NO_BYTES, statusIndex: p.statusIndex ?? 0, role: p.role ?? 0, rootDigest: p.rootDigest ?? '' }),
  write(m: Node, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) NodeSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.description !== undefined) NodeDescription.write(m.description, w.uint32(34).fork()).ldelim();
    if (m.status !== undefined) NodeStatus.write(m.status, w.uint32(42).fork()).ldelim();
    if (m.managerStatus !== undefined) ManagerStatus.write(m.managerStatus, w.uint32(50).fork()).ldelim();
    if (m.certificate.length > 0) w.uint32(58).bytes(m.certificate);
    if (m.statusIndex !== 0) w.uint32(800).int64(m.statusIndex);
    if (m.role !== 0) w.uint32(808).int32(m.role);
    if (m.rootDigest !== '') w.uint32(818).string(m.rootDigest);
    return w;
  },
  read(r: Reader, length: number): Node {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: NodeSpec | undefined; description: NodeDescription | undefined; status: NodeStatus | undefined; managerStatus: ManagerStatus | undefined; certificate: Uint8Array; statusIndex: number; role: NodeRole; rootDigest: string } = { id: '', meta: undefined, spec: undefined, description: undefined, status: undefined, managerStatus: undefined, certificate: NO_BYTES, statusIndex: 0, role: 0, rootDigest: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = NodeSpec.read(r, r.uint32());
          break;
        case 4:
          m.description = NodeDescription.read(r, r.uint32());
          break;
        case 5:
          m.status = NodeStatus.read(r, r.uint32());
          break;
        case 6:
          m.managerStatus = ManagerStatus.read(r, r.uint32());
          break;
        case 7:
          m.certificate = sizeLimitedBytes(r.bytes());
          break;
        case 100:
          m.statusIndex = readInt64(r.int64());
          break;
        case 101:
          m.role = r.int32() as NodeRole;
          break;
        case 102:
          m.rootDigest = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Node): Uint8Array => Node.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Node => Node.read(Reader.create(bytes), bytes.length),
};

/** ---- the others --------------------------------------------------------------------------------------------------------- */
export interface Network {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: NetworkSpec | undefined;
  /** allocator: the subnets in use, gateway .1 */
  readonly ipam: readonly IpamConfig[];
  readonly stack: string;
  /** goes as soon as no service and no task uses it */
  readonly pendingDelete: boolean;
}
export const Network: MessageType<Network> = {
  name: 'Network',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => NetworkSpec, always: true },
    { name: 'ipam', json: 'Ipam', id: 4, kind: 'message', shape: 'repeated', message: () => IpamConfig },
    { name: 'stack', json: 'Stack', id: 100, kind: 'string', shape: 'one' },
    { name: 'pendingDelete', json: 'PendingDelete', id: 101, kind: 'bool', shape: 'one', internal: true },
  ],
  create: (p: Partial<Network> = {}): Network => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, ipam: p.ipam ?? [], stack: p.stack ?? '', pendingDelete: p.pendingDelete ?? false }),
  write(m: Network, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) NetworkSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    for (const v of m.ipam) IpamConfig.write(v, w.uint32(34).fork()).ldelim();
    if (m.stack !== '') w.uint32(802).string(m.stack);
    if (m.pendingDelete) w.uint32(808).bool(m.pendingDelete);
    return w;
  },
  read(r: Reader, length: number): Network {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: NetworkSpec | undefined; ipam: IpamConfig[]; stack: string; pendingDelete: boolean } = { id: '', meta: undefined, spec: undefined, ipam: [], stack: '', pendingDelete: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = NetworkSpec.read(r, r.uint32());
          break;
        case 4:
          m.ipam.push(IpamConfig.read(r, r.uint32()));
          break;
        case 100:
          m.stack = r.string();
          break;
        case 101:
          m.pendingDelete = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Network): Uint8Array => Network.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Network => Network.read(Reader.create(bytes), bytes.length),
};

export interface Secret {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: SecretSpec | undefined;
  readonly stack: string;
  readonly pendingDelete: boolean;
}
export const Secret: MessageType<Secret> = {
  name: 'Secret',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => SecretSpec, always: true },
    { name: 'stack', json: 'Stack', id: 100, kind: 'string', shape: 'one' },
    { name: 'pendingDelete', json: 'PendingDelete', id: 101, kind: 'bool', shape: 'one', internal: true },
  ],
  create: (p: Partial<Secret> = {}): Secret => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, stack: p.stack ?? '', pendingDelete: p.pendingDelete ?? false }),
  write(m: Secret, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) SecretSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.stack !== '') w.uint32(802).string(m.stack);
    if (m.pendingDelete) w.uint32(808).bool(m.pendingDelete);
    return w;
  },
  read(r: Reader, length: number): Secret {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: SecretSpec | undefined; stack: string; pendingDelete: boolean } = { id: '', meta: undefined, spec: undefined, stack: '', pendingDelete: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = SecretSpec.read(r, r.uint32());
          break;
        case 100:
          m.stack = r.string();
          break;
        case 101:
          m.pendingDelete = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Secret): Uint8Array => Secret.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Secret => Secret.read(Reader.create(bytes), bytes.length),
};

export interface Config {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: ConfigSpec | undefined;
  readonly stack: string;
  readonly pendingDelete: boolean;
}
export const Config: MessageType<Config> = {
  name: 'Config',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => ConfigSpec, always: true },
    { name: 'stack', json: 'Stack', id: 100, kind: 'string', shape: 'one' },
    { name: 'pendingDelete', json: 'PendingDelete', id: 101, kind: 'bool', shape: 'one', internal: true },
  ],
  create: (p: Partial<Config> = {}): Config => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, stack: p.stack ?? '', pendingDelete: p.pendingDelete ?? false }),
  write(m: Config, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) ConfigSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.stack !== '') w.uint32(802).string(m.stack);
    if (m.pendingDelete) w.uint32(808).bool(m.pendingDelete);
    return w;
  },
  read(r: Reader, length: number): Config {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: ConfigSpec | undefined; stack: string; pendingDelete: boolean } = { id: '', meta: undefined, spec: undefined, stack: '', pendingDelete: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = ConfigSpec.read(r, r.uint32());
          break;
        case 100:
          m.stack = r.string();
          break;
        case 101:
          m.pendingDelete = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Config): Uint8Array => Config.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Config => Config.read(Reader.create(bytes), bytes.length),
};

export interface Volume {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: VolumeSpec | undefined;
  /** home node, set when the first task that uses it is placed */
  readonly nodeId: string;
  readonly stack: string;
  readonly pendingDelete: boolean;
}
export const Volume: MessageType<Volume> = {
  name: 'Volume',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => VolumeSpec, always: true },
    { name: 'nodeId', json: 'NodeID', id: 4, kind: 'string', shape: 'one' },
    { name: 'stack', json: 'Stack', id: 100, kind: 'string', shape: 'one' },
    { name: 'pendingDelete', json: 'PendingDelete', id: 101, kind: 'bool', shape: 'one', internal: true },
  ],
  create: (p: Partial<Volume> = {}): Volume => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, nodeId: p.nodeId ?? '', stack: p.stack ?? '', pendingDelete: p.pendingDelete ?? false }),
  write(m: Volume, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) VolumeSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.nodeId !== '') w.uint32(34).string(m.nodeId);
    if (m.stack !== '') w.uint32(802).string(m.stack);
    if (m.pendingDelete) w.uint32(808).bool(m.pendingDelete);
    return w;
  },
  read(r: Reader, length: number): Volume {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: VolumeSpec | undefined; nodeId: string; stack: string; pendingDelete: boolean } = { id: '', meta: undefined, spec: undefined, nodeId: '', stack: '', pendingDelete: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = VolumeSpec.read(r, r.uint32());
          break;
        case 4:
          m.nodeId = r.string();
          break;
        case 100:
          m.stack = r.string();
          break;
        case 101:
          m.pendingDelete = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Volume): Uint8Array => Volume.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Volume => Volume.read(Reader.create(bytes), bytes.length),
};

export interface Stack {
  readonly id: string;
  readonly meta: Meta | undefined;
  /** secrets and configs without data */
  readonly spec: StackSpec | undefined;
  readonly revision: number;
}
export const Stack: MessageType<Stack> = {
  name: 'Stack',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => StackSpec, always: true },
    { name: 'revision', json: 'Revision', id: 4, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<Stack> = {}): Stack => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, revision: p.revision ?? 0 }),
  write(m: Stack, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) StackSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.revision !== 0) w.uint32(32).int64(m.revision);
    return w;
  },
  read(r: Reader, length: number): Stack {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: StackSpec | undefined; revision: number } = { id: '', meta: undefined, spec: undefined, revision: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = StackSpec.read(r, r.uint32());
          break;
        case 4:
          m.revision = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Stack): Uint8Array => Stack.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Stack => Stack.read(Reader.create(bytes), bytes.length),
};

/** A bearer token or a client certificate. It is good for as long as it is here and not past spec.expires_at. */
export interface Credential {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: CredentialSpec | undefined;
  /** SHA-256 of the token's secret */
  readonly secretDigest: Uint8Array;
  /** who made it, as in the history */
  readonly owner: string;
}
export const Credential: MessageType<Credential> = {
  name: 'Credential',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => CredentialSpec, always: true },
    { name: 'secretDigest', json: 'SecretDigest', id: 4, kind: 'bytes', shape: 'one', internal: true },
    { name: 'owner', json: 'Owner', id: 5, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<Credential> = {}): Credential => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, secretDigest: p.secretDigest ?? NO_BYTES, owner: p.owner ?? '' }),
  write(m: Credential, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) CredentialSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.secretDigest.length > 0) w.uint32(34).bytes(m.secretDigest);
    if (m.owner !== '') w.uint32(42).string(m.owner);
    return w;
  },
  read(r: Reader, length: number): Credential {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: CredentialSpec | undefined; secretDigest: Uint8Array; owner: string } = { id: '', meta: undefined, spec: undefined, secretDigest: NO_BYTES, owner: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = CredentialSpec.read(r, r.uint32());
          break;
        case 4:
          m.secretDigest = sizeLimitedBytes(r.bytes());
          break;
        case 5:
          m.owner = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Credential): Uint8Array => Credential.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Credential => Credential.read(Reader.create(bytes), bytes.length),
};

/** A new root on its way in: new certificates are signed with its key and carry cross_signed_ca_cert, so that who trusts only the old root accepts them. */
export interface RootRotation {
  /** PEM, self-signed */
  readonly caCert: string;
  readonly caKey: string;
  /** PEM, the same key signed by the old root */
  readonly crossSignedCaCert: string;
  /** of ca_cert */
  readonly caCertDigest: string;
}
export const RootRotation: MessageType<RootRotation> = {
  name: 'RootRotation',
  fields: [
    { name: 'caCert', json: 'CaCert', id: 1, kind: 'string', shape: 'one' },
    { name: 'caKey', json: 'CaKey', id: 2, kind: 'string', shape: 'one', internal: true },
    { name: 'crossSignedCaCert', json: 'CrossSignedCaCert', id: 3, kind: 'string', shape: 'one' },
    { name: 'caCertDigest', json: 'CaCertDigest', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<RootRotation> = {}): RootRotation => ({ caCert: p.caCert ?? '', caKey: p.caKey ?? '', crossSignedCaCert: p.crossSignedCaCert ?? '', caCertDigest: p.caCertDigest ?? '' }),
  write(m: RootRotation, w: Writer): Writer {
    if (m.caCert !== '') w.uint32(10).string(m.caCert);
    if (m.caKey !== '') w.uint32(18).string(m.caKey);
    if (m.crossSignedCaCert !== '') w.uint32(26).string(m.crossSignedCaCert);
    if (m.caCertDigest !== '') w.uint32(34).string(m.caCertDigest);
    return w;
  },
  read(r: Reader, length: number): RootRotation {
    const end = r.pos + length;
    const m: { caCert: string; caKey: string; crossSignedCaCert: string; caCertDigest: string } = { caCert: '', caKey: '', crossSignedCaCert: '', caCertDigest: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.caCert = r.string();
          break;
        case 2:
          m.caKey = r.string();
          break;
        case 3:
          m.crossSignedCaCert = r.string();
          break;
        case 4:
          m.caCertDigest = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RootRotation): Uint8Array => RootRotation.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RootRotation => RootRotation.read(Reader.create(bytes), bytes.length),
};

export interface RootCa {
  /** PEM */
  readonly caCert: string;
  /** PEM, managers only */
  readonly caKey: string;
  /** base36 SHA-256, as in the tokens */
  readonly caCertDigest: string;
  readonly joinTokenWorker: string;
  readonly joinTokenManager: string;
  /** absent when none is going on */
  readonly rootRotation: RootRotation | undefined;
  /** spec.ca_config.force_rotate that was answered last */
  readonly lastForcedRotation: number;
  /** SHA-256 (hex) of the last join tokens that were rotated out, to say so to who still has one */
  readonly rotatedTokens: readonly string[];
}
export const RootCa: MessageType<RootCa> = {
  name: 'RootCa',
  fields: [
    { name: 'caCert', json: 'CaCert', id: 1, kind: 'string', shape: 'one' },
    { name: 'caKey', json: 'CaKey', id: 2, kind: 'string', shape: 'one', internal: true },
    { name: 'caCertDigest', json: 'CaCertDigest', id: 3, kind: 'string', shape: 'one' },
    { name: 'joinTokenWorker', json: 'JoinTokenWorker', id: 4, kind: 'string', shape: 'one' },
    { name: 'joinTokenManager', json: 'JoinTokenManager', id: 5, kind: 'string', shape: 'one' },
    { name: 'rootRotation', json: 'RootRotation', id: 6, kind: 'message', shape: 'optional', message: () => RootRotation },
    { name: 'lastForcedRotation', json: 'LastForcedRotation', id: 7, kind: 'int64', shape: 'one' },
    { name: 'rotatedTokens', json: 'RotatedTokens', id: 8, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<RootCa> = {}): RootCa => ({ caCert: p.caCert ?? '', caKey: p.caKey ?? '', caCertDigest: p.caCertDigest ?? '', joinTokenWorker: p.joinTokenWorker ?? '', joinTokenManager: p.joinTokenManager ?? '', rootRotation: p.rootRotation, lastForcedRotation: p.lastForcedRotation ?? 0, rotatedTokens: p.rotatedTokens ?? [] }),
  write(m: RootCa, w: Writer): Writer {
    if (m.caCert !== '') w.uint32(10).string(m.caCert);
    if (m.caKey !== '') w.uint32(18).string(m.caKey);
    if (m.caCertDigest !== '') w.uint32(26).string(m.caCertDigest);
    if (m.joinTokenWorker !== '') w.uint32(34).string(m.joinTokenWorker);
    if (m.joinTokenManager !== '') w.uint32(42).string(m.joinTokenManager);
    if (m.rootRotation !== undefined) RootRotation.write(m.rootRotation, w.uint32(50).fork()).ldelim();
    if (m.lastForcedRotation !== 0) w.uint32(56).int64(m.lastForcedRotation);
    for (const v of m.rotatedTokens) w.uint32(66).string(v);
    return w;
  },
  read(r: Reader, length: number): RootCa {
    const end = r.pos + length;
    const m: { caCert: string; caKey: string; caCertDigest: string; joinTokenWorker: string; joinTokenManager: string; rootRotation: RootRotation | undefined; lastForcedRotation: number; rotatedTokens: string[] } = { caCert: '', caKey: '', caCertDigest: '', joinTokenWorker: '', joinTokenManager: '', rootRotation: undefined, lastForcedRotation: 0, rotatedTokens: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.caCert = r.string();
          break;
        case 2:
          m.caKey = r.string();
          break;
        case 3:
          m.caCertDigest = r.string();
          break;
        case 4:
          m.joinTokenWorker = r.string();
          break;
        case 5:
          m.joinTokenManager = r.string();
          break;
        case 6:
          m.rootRotation = RootRotation.read(r, r.uint32());
          break;
        case 7:
          m.lastForcedRotation = readInt64(r.int64());
          break;
        case 8:
          m.rotatedTokens.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RootCa): Uint8Array => RootCa.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RootCa => RootCa.read(Reader.create(bytes), bytes.length),
};

export interface Cluster {
  readonly id: string;
  readonly meta: Meta | undefined;
  readonly spec: ClusterSpec | undefined;
  readonly rootCa: RootCa | undefined;
  /** CIDR */
  readonly defaultAddrPool: readonly string[];
  readonly subnetSize: number;
  readonly dataPathPort: number;
  /** 32 bytes while autolock is on */
  readonly unlockKey: Uint8Array;
  readonly removedNodes: readonly RemovedNode[];
}
export const Cluster: MessageType<Cluster> = {
  name: 'Cluster',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'meta', json: 'Meta', id: 2, kind: 'message', shape: 'optional', message: () => Meta, flatten: true },
    { name: 'spec', json: 'Spec', id: 3, kind: 'message', shape: 'optional', message: () => ClusterSpec, always: true },
    { name: 'rootCa', json: 'RootCa', id: 4, kind: 'message', shape: 'optional', message: () => RootCa, internal: true },
    { name: 'defaultAddrPool', json: 'DefaultAddrPool', id: 5, kind: 'string', shape: 'repeated' },
    { name: 'subnetSize', json: 'SubnetSize', id: 6, kind: 'uint32', shape: 'one' },
    { name: 'dataPathPort', json: 'DataPathPort', id: 7, kind: 'uint32', shape: 'one' },
    { name: 'unlockKey', json: 'UnlockKey', id: 8, kind: 'bytes', shape: 'one', internal: true },
    { name: 'removedNodes', json: 'RemovedNodes', id: 9, kind: 'message', shape: 'repeated', message: () => RemovedNode, internal: true },
  ],
  create: (p: Partial<Cluster> = {}): Cluster => ({ id: p.id ?? '', meta: p.meta, spec: p.spec, rootCa: p.rootCa, defaultAddrPool: p.defaultAddrPool ?? [], subnetSize: p.subnetSize ?? 0, dataPathPort: p.dataPathPort ?? 0, unlockKey: p.unlockKey ?? NO_BYTES, removedNodes: p.removedNodes ?? [] }),
  write(m: Cluster, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.meta !== undefined) Meta.write(m.meta, w.uint32(18).fork()).ldelim();
    if (m.spec !== undefined) ClusterSpec.write(m.spec, w.uint32(26).fork()).ldelim();
    if (m.rootCa !== undefined) RootCa.write(m.rootCa, w.uint32(34).fork()).ldelim();
    for (const v of m.defaultAddrPool) w.uint32(42).string(v);
    if (m.subnetSize !== 0) w.uint32(48).uint32(m.subnetSize);
    if (m.dataPathPort !== 0) w.uint32(56).uint32(m.dataPathPort);
    if (m.unlockKey.length > 0) w.uint32(66).bytes(m.unlockKey);
    for (const v of m.removedNodes) RemovedNode.write(v, w.uint32(74).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Cluster {
    const end = r.pos + length;
    const m: { id: string; meta: Meta | undefined; spec: ClusterSpec | undefined; rootCa: RootCa | undefined; defaultAddrPool: string[]; subnetSize: number; dataPathPort: number; unlockKey: Uint8Array; removedNodes: RemovedNode[] } = { id: '', meta: undefined, spec: undefined, rootCa: undefined, defaultAddrPool: [], subnetSize: 0, dataPathPort: 0, unlockKey: NO_BYTES, removedNodes: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.meta = Meta.read(r, r.uint32());
          break;
        case 3:
          m.spec = ClusterSpec.read(r, r.uint32());
          break;
        case 4:
          m.rootCa = RootCa.read(r, r.uint32());
          break;
        case 5:
          m.defaultAddrPool.push(r.string());
          break;
        case 6:
          m.subnetSize = r.uint32();
          break;
        case 7:
          m.dataPathPort = r.uint32();
          break;
        case 8:
          m.unlockKey = sizeLimitedBytes(r.bytes());
          break;
        case 9:
          m.removedNodes.push(RemovedNode.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Cluster): Uint8Array => Cluster.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Cluster => Cluster.read(Reader.create(bytes), bytes.length),
};

/** A node that was removed while a certificate of its may still be valid. */
export interface RemovedNode {
  readonly id: string;
  /** Unix time in microseconds: by then every certificate of it has expired */
  readonly until: number;
}
export const RemovedNode: MessageType<RemovedNode> = {
  name: 'RemovedNode',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one' },
    { name: 'until', json: 'Until', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<RemovedNode> = {}): RemovedNode => ({ id: p.id ?? '', until: p.until ?? 0 }),
  write(m: RemovedNode, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.until !== 0) w.uint32(16).int64(m.until);
    return w;
  },
  read(r: Reader, length: number): RemovedNode {
    const end = r.pos + length;
    const m: { id: string; until: number } = { id: '', until: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.until = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RemovedNode): Uint8Array => RemovedNode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RemovedNode => RemovedNode.read(Reader.create(bytes), bytes.length),
};
