// Generated from protocol/proto/dispatcher.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';
import { Config, EndpointVip, Network, NetworkAttachment, Node, NodeDescription, Secret, Task, TaskStatus, Volume } from './objects.ts';
import { EndpointMode, EndpointModeText, NetworkAttachmentConfig, NetworkAttachmentSpec, PortConfig, SessionAffinity, SessionAffinityText } from './specs.ts';

export interface SessionRequest {
  readonly description: NodeDescription | undefined;
  readonly sessionId: string;
  readonly protocol: number;
}
export const SessionRequest: MessageType<SessionRequest> = {
  name: 'SessionRequest',
  fields: [
    { name: 'description', json: 'Description', id: 1, kind: 'message', shape: 'optional', message: () => NodeDescription },
    { name: 'sessionId', json: 'SessionID', id: 2, kind: 'string', shape: 'one' },
    { name: 'protocol', json: 'Protocol', id: 15, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<SessionRequest> = {}): SessionRequest => ({ description: p.description, sessionId: p.sessionId ?? '', protocol: p.protocol ?? 0 }),
  write(m: SessionRequest, w: Writer): Writer {
    if (m.description !== undefined) NodeDescription.write(m.description, w.uint32(10).fork()).ldelim();
    if (m.sessionId !== '') w.uint32(18).string(m.sessionId);
    if (m.protocol !== 0) w.uint32(120).int64(m.protocol);
    return w;
  },
  read(r: Reader, length: number): SessionRequest {
    const end = r.pos + length;
    const m: { description: NodeDescription | undefined; sessionId: string; protocol: number } = { description: undefined, sessionId: '', protocol: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.description = NodeDescription.read(r, r.uint32());
          break;
        case 2:
          m.sessionId = r.string();
          break;
        case 15:
          m.protocol = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SessionRequest): Uint8Array => SessionRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SessionRequest => SessionRequest.read(Reader.create(bytes), bytes.length),
};

export interface ManagerAddress {
  readonly nodeId: string;
  readonly addr: string;
  readonly weight: number;
}
export const ManagerAddress: MessageType<ManagerAddress> = {
  name: 'ManagerAddress',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 2, kind: 'string', shape: 'one' },
    { name: 'weight', json: 'Weight', id: 3, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<ManagerAddress> = {}): ManagerAddress => ({ nodeId: p.nodeId ?? '', addr: p.addr ?? '', weight: p.weight ?? 0 }),
  write(m: ManagerAddress, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.addr !== '') w.uint32(18).string(m.addr);
    if (m.weight !== 0) w.uint32(24).int64(m.weight);
    return w;
  },
  read(r: Reader, length: number): ManagerAddress {
    const end = r.pos + length;
    const m: { nodeId: string; addr: string; weight: number } = { nodeId: '', addr: '', weight: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.addr = r.string();
          break;
        case 3:
          m.weight = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ManagerAddress): Uint8Array => ManagerAddress.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ManagerAddress => ManagerAddress.read(Reader.create(bytes), bytes.length),
};

export interface SessionMessage {
  readonly sessionId: string;
  readonly node: Node | undefined;
  readonly managers: readonly ManagerAddress[];
  /** PEM; while the root is rotated several blocks: all of them are trusted */
  readonly caCert: string;
  /** nanoseconds */
  readonly heartbeatPeriod: number;
  /** the node's certificate is of a root that goes out: get a new one (with a new key) now */
  readonly renewCertificate: boolean;
  /** UDP port of the mesh on nodes that have none of their own; 0 = 51820 */
  readonly dataPathPort: number;
  /** ids of nodes that are out of the cluster, while their certificates may still be valid: nothing for them */
  readonly removedNodes: readonly string[];
}
export const SessionMessage: MessageType<SessionMessage> = {
  name: 'SessionMessage',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
    { name: 'node', json: 'Node', id: 2, kind: 'message', shape: 'optional', message: () => Node },
    { name: 'managers', json: 'Managers', id: 3, kind: 'message', shape: 'repeated', message: () => ManagerAddress },
    { name: 'caCert', json: 'CaCert', id: 4, kind: 'string', shape: 'one' },
    { name: 'heartbeatPeriod', json: 'HeartbeatPeriod', id: 5, kind: 'int64', shape: 'one' },
    { name: 'renewCertificate', json: 'RenewCertificate', id: 6, kind: 'bool', shape: 'one' },
    { name: 'dataPathPort', json: 'DataPathPort', id: 8, kind: 'uint32', shape: 'one' },
    { name: 'removedNodes', json: 'RemovedNodes', id: 7, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<SessionMessage> = {}): SessionMessage => ({ sessionId: p.sessionId ?? '', node: p.node, managers: p.managers ?? [], caCert: p.caCert ?? '', heartbeatPeriod: p.heartbeatPeriod ?? 0, renewCertificate: p.renewCertificate ?? false, dataPathPort: p.dataPathPort ?? 0, removedNodes: p.removedNodes ?? [] }),
  write(m: SessionMessage, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    if (m.node !== undefined) Node.write(m.node, w.uint32(18).fork()).ldelim();
    for (const v of m.managers) ManagerAddress.write(v, w.uint32(26).fork()).ldelim();
    if (m.caCert !== '') w.uint32(34).string(m.caCert);
    if (m.heartbeatPeriod !== 0) w.uint32(40).int64(m.heartbeatPeriod);
    if (m.renewCertificate) w.uint32(48).bool(m.renewCertificate);
    if (m.dataPathPort !== 0) w.uint32(64).uint32(m.dataPathPort);
    for (const v of m.removedNodes) w.uint32(58).string(v);
    return w;
  },
  read(r: Reader, length: number): SessionMessage {
    const end = r.pos + length;
    const m: { sessionId: string; node: Node | undefined; managers: ManagerAddress[]; caCert: string; heartbeatPeriod: number; renewCertificate: boolean; dataPathPort: number; removedNodes: string[] } = { sessionId: '', node: undefined, managers: [], caCert: '', heartbeatPeriod: 0, renewCertificate: false, dataPathPort: 0, removedNodes: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        case 2:
          m.node = Node.read(r, r.uint32());
          break;
        case 3:
          m.managers.push(ManagerAddress.read(r, r.uint32()));
          break;
        case 4:
          m.caCert = r.string();
          break;
        case 5:
          m.heartbeatPeriod = readInt64(r.int64());
          break;
        case 6:
          m.renewCertificate = r.bool();
          break;
        case 8:
          m.dataPathPort = r.uint32();
          break;
        case 7:
          m.removedNodes.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SessionMessage): Uint8Array => SessionMessage.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SessionMessage => SessionMessage.read(Reader.create(bytes), bytes.length),
};

/** At each node, for managers: says where the managers are now to a node that has no session, because all that it knew have moved or are gone. */
export interface ManagersNews {
  readonly managers: readonly ManagerAddress[];
}
export const ManagersNews: MessageType<ManagersNews> = {
  name: 'ManagersNews',
  fields: [
    { name: 'managers', json: 'Managers', id: 1, kind: 'message', shape: 'repeated', message: () => ManagerAddress },
  ],
  create: (p: Partial<ManagersNews> = {}): ManagersNews => ({ managers: p.managers ?? [] }),
  write(m: ManagersNews, w: Writer): Writer {
    for (const v of m.managers) ManagerAddress.write(v, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ManagersNews {
    const end = r.pos + length;
    const m: { managers: ManagerAddress[] } = { managers: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.managers.push(ManagerAddress.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ManagersNews): Uint8Array => ManagersNews.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ManagersNews => ManagersNews.read(Reader.create(bytes), bytes.length),
};

export interface ManagersNewsResponse {
}
export const ManagersNewsResponse: MessageType<ManagersNewsResponse> = {
  name: 'ManagersNewsResponse',
  fields: [
  ],
  create: (): ManagersNewsResponse => ({  }),
  write(m: ManagersNewsResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): ManagersNewsResponse {
    const end = r.pos + length;
    const m: {  } = {  };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ManagersNewsResponse): Uint8Array => ManagersNewsResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ManagersNewsResponse => ManagersNewsResponse.read(Reader.create(bytes), bytes.length),
};

export interface NodeDoorMethods {
  readonly tellManagers: { readonly request: ManagersNews; readonly response: ManagersNewsResponse; readonly requestStream: false; readonly responseStream: false };
}
export const NodeDoorService: ServiceDescriptor<NodeDoorMethods> = {
  name: 'tswarm.v1.NodeDoor',
  methods: {
    tellManagers: { path: '/tswarm.v1.NodeDoor/TellManagers', request: ManagersNews, response: ManagersNewsResponse, requestStream: false, responseStream: false },
  },
};

export interface HeartbeatRequest {
  readonly sessionId: string;
}
export const HeartbeatRequest: MessageType<HeartbeatRequest> = {
  name: 'HeartbeatRequest',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<HeartbeatRequest> = {}): HeartbeatRequest => ({ sessionId: p.sessionId ?? '' }),
  write(m: HeartbeatRequest, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    return w;
  },
  read(r: Reader, length: number): HeartbeatRequest {
    const end = r.pos + length;
    const m: { sessionId: string } = { sessionId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HeartbeatRequest): Uint8Array => HeartbeatRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HeartbeatRequest => HeartbeatRequest.read(Reader.create(bytes), bytes.length),
};

export interface HeartbeatResponse {
  readonly period: number;
}
export const HeartbeatResponse: MessageType<HeartbeatResponse> = {
  name: 'HeartbeatResponse',
  fields: [
    { name: 'period', json: 'Period', id: 1, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<HeartbeatResponse> = {}): HeartbeatResponse => ({ period: p.period ?? 0 }),
  write(m: HeartbeatResponse, w: Writer): Writer {
    if (m.period !== 0) w.uint32(8).int64(m.period);
    return w;
  },
  read(r: Reader, length: number): HeartbeatResponse {
    const end = r.pos + length;
    const m: { period: number } = { period: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.period = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HeartbeatResponse): Uint8Array => HeartbeatResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HeartbeatResponse => HeartbeatResponse.read(Reader.create(bytes), bytes.length),
};

export interface TaskStatusUpdate {
  readonly taskId: string;
  readonly status: TaskStatus | undefined;
}
export const TaskStatusUpdate: MessageType<TaskStatusUpdate> = {
  name: 'TaskStatusUpdate',
  fields: [
    { name: 'taskId', json: 'TaskID', id: 1, kind: 'string', shape: 'one' },
    { name: 'status', json: 'Status', id: 2, kind: 'message', shape: 'optional', message: () => TaskStatus },
  ],
  create: (p: Partial<TaskStatusUpdate> = {}): TaskStatusUpdate => ({ taskId: p.taskId ?? '', status: p.status }),
  write(m: TaskStatusUpdate, w: Writer): Writer {
    if (m.taskId !== '') w.uint32(10).string(m.taskId);
    if (m.status !== undefined) TaskStatus.write(m.status, w.uint32(18).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): TaskStatusUpdate {
    const end = r.pos + length;
    const m: { taskId: string; status: TaskStatus | undefined } = { taskId: '', status: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.taskId = r.string();
          break;
        case 2:
          m.status = TaskStatus.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: TaskStatusUpdate): Uint8Array => TaskStatusUpdate.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): TaskStatusUpdate => TaskStatusUpdate.read(Reader.create(bytes), bytes.length),
};

export interface UpdateTaskStatusRequest {
  readonly sessionId: string;
  readonly updates: readonly TaskStatusUpdate[];
  readonly description: NodeDescription | undefined;
}
export const UpdateTaskStatusRequest: MessageType<UpdateTaskStatusRequest> = {
  name: 'UpdateTaskStatusRequest',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
    { name: 'updates', json: 'Updates', id: 2, kind: 'message', shape: 'repeated', message: () => TaskStatusUpdate },
    { name: 'description', json: 'Description', id: 3, kind: 'message', shape: 'optional', message: () => NodeDescription },
  ],
  create: (p: Partial<UpdateTaskStatusRequest> = {}): UpdateTaskStatusRequest => ({ sessionId: p.sessionId ?? '', updates: p.updates ?? [], description: p.description }),
  write(m: UpdateTaskStatusRequest, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    for (const v of m.updates) TaskStatusUpdate.write(v, w.uint32(18).fork()).ldelim();
    if (m.description !== undefined) NodeDescription.write(m.description, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): UpdateTaskStatusRequest {
    const end = r.pos + length;
    const m: { sessionId: string; updates: TaskStatusUpdate[]; description: NodeDescription | undefined } = { sessionId: '', updates: [], description: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        case 2:
          m.updates.push(TaskStatusUpdate.read(r, r.uint32()));
          break;
        case 3:
          m.description = NodeDescription.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: UpdateTaskStatusRequest): Uint8Array => UpdateTaskStatusRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): UpdateTaskStatusRequest => UpdateTaskStatusRequest.read(Reader.create(bytes), bytes.length),
};

export interface UpdateTaskStatusResponse {
}
export const UpdateTaskStatusResponse: MessageType<UpdateTaskStatusResponse> = {
  name: 'UpdateTaskStatusResponse',
  fields: [
  ],
  create: (): UpdateTaskStatusResponse => ({  }),
  write(m: UpdateTaskStatusResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): UpdateTaskStatusResponse {
    const end = r.pos + length;
    const m: {  } = {  };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: UpdateTaskStatusResponse): Uint8Array => UpdateTaskStatusResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): UpdateTaskStatusResponse => UpdateTaskStatusResponse.read(Reader.create(bytes), bytes.length),
};

/** A service as the network sees it: what DNS, VIPs and published ports are made from. Sent to each node that has a task on one of its networks; to every node when it publishes a port in ingress mode. */
export interface EndpointBackend {
  readonly taskId: string;
  /** <service>.<slot or node id>.<task id> */
  readonly taskName: string;
  /** "" = task_name */
  readonly containerName: string;
  readonly hostname: string;
  readonly slot: number;
  readonly nodeId: string;
  /** running, healthy, not draining: in DNS and load balancing */
  readonly serving: boolean;
  readonly attachments: readonly NetworkAttachment[];
}
export const EndpointBackend: MessageType<EndpointBackend> = {
  name: 'EndpointBackend',
  fields: [
    { name: 'taskId', json: 'TaskID', id: 1, kind: 'string', shape: 'one' },
    { name: 'taskName', json: 'TaskName', id: 2, kind: 'string', shape: 'one' },
    { name: 'containerName', json: 'ContainerName', id: 3, kind: 'string', shape: 'one' },
    { name: 'hostname', json: 'Hostname', id: 4, kind: 'string', shape: 'one' },
    { name: 'slot', json: 'Slot', id: 5, kind: 'int64', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 6, kind: 'string', shape: 'one' },
    { name: 'serving', json: 'Serving', id: 7, kind: 'bool', shape: 'one' },
    { name: 'attachments', json: 'Attachments', id: 8, kind: 'message', shape: 'repeated', message: () => NetworkAttachment },
  ],
  create: (p: Partial<EndpointBackend> = {}): EndpointBackend => ({ taskId: p.taskId ?? '', taskName: p.taskName ?? '', containerName: p.containerName ?? '', hostname: p.hostname ?? '', slot: p.slot ?? 0, nodeId: p.nodeId ?? '', serving: p.serving ?? false, attachments: p.attachments ?? [] }),
  write(m: EndpointBackend, w: Writer): Writer {
    if (m.taskId !== '') w.uint32(10).string(m.taskId);
    if (m.taskName !== '') w.uint32(18).string(m.taskName);
    if (m.containerName !== '') w.uint32(26).string(m.containerName);
    if (m.hostname !== '') w.uint32(34).string(m.hostname);
    if (m.slot !== 0) w.uint32(40).int64(m.slot);
    if (m.nodeId !== '') w.uint32(50).string(m.nodeId);
    if (m.serving) w.uint32(56).bool(m.serving);
    for (const v of m.attachments) NetworkAttachment.write(v, w.uint32(66).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): EndpointBackend {
    const end = r.pos + length;
    const m: { taskId: string; taskName: string; containerName: string; hostname: string; slot: number; nodeId: string; serving: boolean; attachments: NetworkAttachment[] } = { taskId: '', taskName: '', containerName: '', hostname: '', slot: 0, nodeId: '', serving: false, attachments: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.taskId = r.string();
          break;
        case 2:
          m.taskName = r.string();
          break;
        case 3:
          m.containerName = r.string();
          break;
        case 4:
          m.hostname = r.string();
          break;
        case 5:
          m.slot = readInt64(r.int64());
          break;
        case 6:
          m.nodeId = r.string();
          break;
        case 7:
          m.serving = r.bool();
          break;
        case 8:
          m.attachments.push(NetworkAttachment.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: EndpointBackend): Uint8Array => EndpointBackend.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): EndpointBackend => EndpointBackend.read(Reader.create(bytes), bytes.length),
};

export interface ServiceEndpoints {
  readonly serviceId: string;
  readonly serviceName: string;
  readonly mode: EndpointMode;
  readonly virtualIps: readonly EndpointVip[];
  /** resolved */
  readonly ports: readonly PortConfig[];
  /** aliases */
  readonly networks: readonly NetworkAttachmentConfig[];
  readonly backends: readonly EndpointBackend[];
  readonly stack: string;
  /** DNS names of the service besides service_name (Compose: the key) */
  readonly names: readonly string[];
  readonly sessionAffinity: SessionAffinity;
  readonly preferSameNode: boolean;
}
export const ServiceEndpoints: MessageType<ServiceEndpoints> = {
  name: 'ServiceEndpoints',
  fields: [
    { name: 'serviceId', json: 'ServiceID', id: 1, kind: 'string', shape: 'one' },
    { name: 'serviceName', json: 'ServiceName', id: 2, kind: 'string', shape: 'one' },
    { name: 'mode', json: 'Mode', id: 3, kind: 'enum', shape: 'one', text: EndpointModeText },
    { name: 'virtualIps', json: 'VirtualIps', id: 4, kind: 'message', shape: 'repeated', message: () => EndpointVip },
    { name: 'ports', json: 'Ports', id: 5, kind: 'message', shape: 'repeated', message: () => PortConfig },
    { name: 'networks', json: 'Networks', id: 6, kind: 'message', shape: 'repeated', message: () => NetworkAttachmentConfig },
    { name: 'backends', json: 'Backends', id: 7, kind: 'message', shape: 'repeated', message: () => EndpointBackend },
    { name: 'stack', json: 'Stack', id: 8, kind: 'string', shape: 'one' },
    { name: 'names', json: 'Names', id: 9, kind: 'string', shape: 'repeated' },
    { name: 'sessionAffinity', json: 'SessionAffinity', id: 10, kind: 'enum', shape: 'one', text: SessionAffinityText },
    { name: 'preferSameNode', json: 'PreferSameNode', id: 11, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<ServiceEndpoints> = {}): ServiceEndpoints => ({ serviceId: p.serviceId ?? '', serviceName: p.serviceName ?? '', mode: p.mode ?? 0, virtualIps: p.virtualIps ?? [], ports: p.ports ?? [], networks: p.networks ?? [], backends: p.backends ?? [], stack: p.stack ?? '', names: p.names ?? [], sessionAffinity: p.sessionAffinity ?? 0, preferSameNode: p.preferSameNode ?? false }),
  write(m: ServiceEndpoints, w: Writer): Writer {
    if (m.serviceId !== '') w.uint32(10).string(m.serviceId);
    if (m.serviceName !== '') w.uint32(18).string(m.serviceName);
    if (m.mode !== 0) w.uint32(24).int32(m.mode);
    for (const v of m.virtualIps) EndpointVip.write(v, w.uint32(34).fork()).ldelim();
    for (const v of m.ports) PortConfig.write(v, w.uint32(42).fork()).ldelim();
    for (const v of m.networks) NetworkAttachmentConfig.write(v, w.uint32(50).fork()).ldelim();
    for (const v of m.backends) EndpointBackend.write(v, w.uint32(58).fork()).ldelim();
    if (m.stack !== '') w.uint32(66).string(m.stack);
    for (const v of m.names) w.uint32(74).string(v);
    if (m.sessionAffinity !== 0) w.uint32(80).int32(m.sessionAffinity);
    if (m.preferSameNode) w.uint32(88).bool(m.preferSameNode);
    return w;
  },
  read(r: Reader, length: number): ServiceEndpoints {
    const end = r.pos + length;
    const m: { serviceId: string; serviceName: string; mode: EndpointMode; virtualIps: EndpointVip[]; ports: PortConfig[]; networks: NetworkAttachmentConfig[]; backends: EndpointBackend[]; stack: string; names: string[]; sessionAffinity: SessionAffinity; preferSameNode: boolean } = { serviceId: '', serviceName: '', mode: 0, virtualIps: [], ports: [], networks: [], backends: [], stack: '', names: [], sessionAffinity: 0, preferSameNode: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.serviceId = r.string();
          break;
        case 2:
          m.serviceName = r.string();
          break;
        case 3:
          m.mode = r.int32() as EndpointMode;
          break;
        case 4:
          m.virtualIps.push(EndpointVip.read(r, r.uint32()));
          break;
        case 5:
          m.ports.push(PortConfig.read(r, r.uint32()));
          break;
        case 6:
          m.networks.push(NetworkAttachmentConfig.read(r, r.uint32()));
          break;
        case 7:
          m.backends.push(EndpointBackend.read(r, r.uint32()));
          break;
        case 8:
          m.stack = r.string();
          break;
        case 9:
          m.names.push(r.string());
          break;
        case 10:
          m.sessionAffinity = r.int32() as SessionAffinity;
          break;
        case 11:
          m.preferSameNode = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceEndpoints): Uint8Array => ServiceEndpoints.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceEndpoints => ServiceEndpoints.read(Reader.create(bytes), bytes.length),
};

/** Another node, for the encrypted mesh. Sent of the nodes that have a task on one of this node's networks or of a service with ingress ports; of all nodes to one that has a task with ingress ports. */
export interface MeshPeer {
  readonly nodeId: string;
  readonly hostname: string;
  /** public key, base64 */
  readonly wireguardKey: string;
  /** bare IP address of its mesh device, as other nodes reach it; "" = not known */
  readonly addr: string;
  readonly port: number;
  /** all addresses of the host: its own programs call with one of these */
  readonly hostAddrs: readonly string[];
}
export const MeshPeer: MessageType<MeshPeer> = {
  name: 'MeshPeer',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'hostname', json: 'Hostname', id: 2, kind: 'string', shape: 'one' },
    { name: 'wireguardKey', json: 'WireguardKey', id: 3, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 4, kind: 'string', shape: 'one' },
    { name: 'port', json: 'Port', id: 5, kind: 'uint32', shape: 'one' },
    { name: 'hostAddrs', json: 'HostAddrs', id: 6, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<MeshPeer> = {}): MeshPeer => ({ nodeId: p.nodeId ?? '', hostname: p.hostname ?? '', wireguardKey: p.wireguardKey ?? '', addr: p.addr ?? '', port: p.port ?? 0, hostAddrs: p.hostAddrs ?? [] }),
  write(m: MeshPeer, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.hostname !== '') w.uint32(18).string(m.hostname);
    if (m.wireguardKey !== '') w.uint32(26).string(m.wireguardKey);
    if (m.addr !== '') w.uint32(34).string(m.addr);
    if (m.port !== 0) w.uint32(40).uint32(m.port);
    for (const v of m.hostAddrs) w.uint32(50).string(v);
    return w;
  },
  read(r: Reader, length: number): MeshPeer {
    const end = r.pos + length;
    const m: { nodeId: string; hostname: string; wireguardKey: string; addr: string; port: number; hostAddrs: string[] } = { nodeId: '', hostname: '', wireguardKey: '', addr: '', port: 0, hostAddrs: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.hostname = r.string();
          break;
        case 3:
          m.wireguardKey = r.string();
          break;
        case 4:
          m.addr = r.string();
          break;
        case 5:
          m.port = r.uint32();
          break;
        case 6:
          m.hostAddrs.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: MeshPeer): Uint8Array => MeshPeer.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): MeshPeer => MeshPeer.read(Reader.create(bytes), bytes.length),
};

export interface Assignment {
  readonly task: Task | undefined;
  readonly secret: Secret | undefined;
  readonly config: Config | undefined;
  readonly network: Network | undefined;
  readonly endpoints: ServiceEndpoints | undefined;
  readonly volume: Volume | undefined;
  readonly peer: MeshPeer | undefined;
}
export const Assignment: MessageType<Assignment> = {
  name: 'Assignment',
  fields: [
    { name: 'task', json: 'Task', id: 1, kind: 'message', shape: 'optional', message: () => Task },
    { name: 'secret', json: 'Secret', id: 2, kind: 'message', shape: 'optional', message: () => Secret },
    { name: 'config', json: 'Config', id: 3, kind: 'message', shape: 'optional', message: () => Config },
    { name: 'network', json: 'Network', id: 4, kind: 'message', shape: 'optional', message: () => Network },
    { name: 'endpoints', json: 'Endpoints', id: 5, kind: 'message', shape: 'optional', message: () => ServiceEndpoints },
    { name: 'volume', json: 'Volume', id: 6, kind: 'message', shape: 'optional', message: () => Volume },
    { name: 'peer', json: 'Peer', id: 7, kind: 'message', shape: 'optional', message: () => MeshPeer },
  ],
  create: (p: Partial<Assignment> = {}): Assignment => ({ task: p.task, secret: p.secret, config: p.config, network: p.network, endpoints: p.endpoints, volume: p.volume, peer: p.peer }),
  write(m: Assignment, w: Writer): Writer {
    if (m.task !== undefined) Task.write(m.task, w.uint32(10).fork()).ldelim();
    if (m.secret !== undefined) Secret.write(m.secret, w.uint32(18).fork()).ldelim();
    if (m.config !== undefined) Config.write(m.config, w.uint32(26).fork()).ldelim();
    if (m.network !== undefined) Network.write(m.network, w.uint32(34).fork()).ldelim();
    if (m.endpoints !== undefined) ServiceEndpoints.write(m.endpoints, w.uint32(42).fork()).ldelim();
    if (m.volume !== undefined) Volume.write(m.volume, w.uint32(50).fork()).ldelim();
    if (m.peer !== undefined) MeshPeer.write(m.peer, w.uint32(58).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): Assignment {
    const end = r.pos + length;
    const m: { task: Task | undefined; secret: Secret | undefined; config: Config | undefined; network: Network | undefined; endpoints: ServiceEndpoints | undefined; volume: Volume | undefined; peer: MeshPeer | undefined } = { task: undefined, secret: undefined, config: undefined, network: undefined, endpoints: undefined, volume: undefined, peer: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.task = Task.read(r, r.uint32());
          break;
        case 2:
          m.secret = Secret.read(r, r.uint32());
          break;
        case 3:
          m.config = Config.read(r, r.uint32());
          break;
        case 4:
          m.network = Network.read(r, r.uint32());
          break;
        case 5:
          m.endpoints = ServiceEndpoints.read(r, r.uint32());
          break;
        case 6:
          m.volume = Volume.read(r, r.uint32());
          break;
        case 7:
          m.peer = MeshPeer.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: Assignment): Uint8Array => Assignment.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): Assignment => Assignment.read(Reader.create(bytes), bytes.length),
};

export const AssignmentAction = {
  UPDATE: 0,
  REMOVE: 1,
} as const;
export type AssignmentAction = (typeof AssignmentAction)[keyof typeof AssignmentAction];
export const AssignmentActionText: ReadonlyMap<number, string> = new Map([[0, 'update'], [1, 'remove']]);

export interface AssignmentChange {
  readonly assignment: Assignment | undefined;
  readonly action: AssignmentAction;
}
export const AssignmentChange: MessageType<AssignmentChange> = {
  name: 'AssignmentChange',
  fields: [
    { name: 'assignment', json: 'Assignment', id: 1, kind: 'message', shape: 'optional', message: () => Assignment },
    { name: 'action', json: 'Action', id: 2, kind: 'enum', shape: 'one', text: AssignmentActionText },
  ],
  create: (p: Partial<AssignmentChange> = {}): AssignmentChange => ({ assignment: p.assignment, action: p.action ?? 0 }),
  write(m: AssignmentChange, w: Writer): Writer {
    if (m.assignment !== undefined) Assignment.write(m.assignment, w.uint32(10).fork()).ldelim();
    if (m.action !== 0) w.uint32(16).int32(m.action);
    return w;
  },
  read(r: Reader, length: number): AssignmentChange {
    const end = r.pos + length;
    const m: { assignment: Assignment | undefined; action: AssignmentAction } = { assignment: undefined, action: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.assignment = Assignment.read(r, r.uint32());
          break;
        case 2:
          m.action = r.int32() as AssignmentAction;
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AssignmentChange): Uint8Array => AssignmentChange.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AssignmentChange => AssignmentChange.read(Reader.create(bytes), bytes.length),
};

export const AssignmentsType = {
  COMPLETE: 0,
  INCREMENTAL: 1,
} as const;
export type AssignmentsType = (typeof AssignmentsType)[keyof typeof AssignmentsType];
export const AssignmentsTypeText: ReadonlyMap<number, string> = new Map([[0, 'complete'], [1, 'incremental']]);

export interface AssignmentsRequest {
  readonly sessionId: string;
}
export const AssignmentsRequest: MessageType<AssignmentsRequest> = {
  name: 'AssignmentsRequest',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<AssignmentsRequest> = {}): AssignmentsRequest => ({ sessionId: p.sessionId ?? '' }),
  write(m: AssignmentsRequest, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    return w;
  },
  read(r: Reader, length: number): AssignmentsRequest {
    const end = r.pos + length;
    const m: { sessionId: string } = { sessionId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AssignmentsRequest): Uint8Array => AssignmentsRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AssignmentsRequest => AssignmentsRequest.read(Reader.create(bytes), bytes.length),
};

export interface AssignmentsMessage {
  readonly type: AssignmentsType;
  /** sequence that this diff starts from; a gap makes the agent start a new session */
  readonly appliesTo: string;
  readonly resultsIn: string;
  readonly changes: readonly AssignmentChange[];
}
export const AssignmentsMessage: MessageType<AssignmentsMessage> = {
  name: 'AssignmentsMessage',
  fields: [
    { name: 'type', json: 'Type', id: 1, kind: 'enum', shape: 'one', text: AssignmentsTypeText },
    { name: 'appliesTo', json: 'AppliesTo', id: 2, kind: 'string', shape: 'one' },
    { name: 'resultsIn', json: 'ResultsIn', id: 3, kind: 'string', shape: 'one' },
    { name: 'changes', json: 'Changes', id: 4, kind: 'message', shape: 'repeated', message: () => AssignmentChange },
  ],
  create: (p: Partial<AssignmentsMessage> = {}): AssignmentsMessage => ({ type: p.type ?? 0, appliesTo: p.appliesTo ?? '', resultsIn: p.resultsIn ?? '', changes: p.changes ?? [] }),
  write(m: AssignmentsMessage, w: Writer): Writer {
    if (m.type !== 0) w.uint32(8).int32(m.type);
    if (m.appliesTo !== '') w.uint32(18).string(m.appliesTo);
    if (m.resultsIn !== '') w.uint32(26).string(m.resultsIn);
    for (const v of m.changes) AssignmentChange.write(v, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): AssignmentsMessage {
    const end = r.pos + length;
    const m: { type: AssignmentsType; appliesTo: string; resultsIn: string; changes: AssignmentChange[] } = { type: 0, appliesTo: '', resultsIn: '', changes: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.type = r.int32() as AssignmentsType;
          break;
        case 2:
          m.appliesTo = r.string();
          break;
        case 3:
          m.resultsIn = r.string();
          break;
        case 4:
          m.changes.push(AssignmentChange.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AssignmentsMessage): Uint8Array => AssignmentsMessage.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AssignmentsMessage => AssignmentsMessage.read(Reader.create(bytes), bytes.length),
};

/** A container of `docker run` is to join a network of the cluster. The answer comes when it has its addresses; the task is assigned to the node like any other, and the node reports it RUNNING while the container is attached and COMPLETE afterwards, which removes it. */
export interface AttachNetworkRequest {
  readonly sessionId: string;
  /** target: id or name */
  readonly network: NetworkAttachmentConfig | undefined;
  readonly container: NetworkAttachmentSpec | undefined;
}
export const AttachNetworkRequest: MessageType<AttachNetworkRequest> = {
  name: 'AttachNetworkRequest',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
    { name: 'network', json: 'Network', id: 2, kind: 'message', shape: 'optional', message: () => NetworkAttachmentConfig },
    { name: 'container', json: 'Container', id: 3, kind: 'message', shape: 'optional', message: () => NetworkAttachmentSpec },
  ],
  create: (p: Partial<AttachNetworkRequest> = {}): AttachNetworkRequest => ({ sessionId: p.sessionId ?? '', network: p.network, container: p.container }),
  write(m: AttachNetworkRequest, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    if (m.network !== undefined) NetworkAttachmentConfig.write(m.network, w.uint32(18).fork()).ldelim();
    if (m.container !== undefined) NetworkAttachmentSpec.write(m.container, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): AttachNetworkRequest {
    const end = r.pos + length;
    const m: { sessionId: string; network: NetworkAttachmentConfig | undefined; container: NetworkAttachmentSpec | undefined } = { sessionId: '', network: undefined, container: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        case 2:
          m.network = NetworkAttachmentConfig.read(r, r.uint32());
          break;
        case 3:
          m.container = NetworkAttachmentSpec.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AttachNetworkRequest): Uint8Array => AttachNetworkRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AttachNetworkRequest => AttachNetworkRequest.read(Reader.create(bytes), bytes.length),
};

export interface AttachNetworkResponse {
  readonly task: Task | undefined;
}
export const AttachNetworkResponse: MessageType<AttachNetworkResponse> = {
  name: 'AttachNetworkResponse',
  fields: [
    { name: 'task', json: 'Task', id: 1, kind: 'message', shape: 'optional', message: () => Task },
  ],
  create: (p: Partial<AttachNetworkResponse> = {}): AttachNetworkResponse => ({ task: p.task }),
  write(m: AttachNetworkResponse, w: Writer): Writer {
    if (m.task !== undefined) Task.write(m.task, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): AttachNetworkResponse {
    const end = r.pos + length;
    const m: { task: Task | undefined } = { task: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.task = Task.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AttachNetworkResponse): Uint8Array => AttachNetworkResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AttachNetworkResponse => AttachNetworkResponse.read(Reader.create(bytes), bytes.length),
};

export interface AckEndpointsRequest {
  readonly sessionId: string;
  readonly sequence: string;
}
export const AckEndpointsRequest: MessageType<AckEndpointsRequest> = {
  name: 'AckEndpointsRequest',
  fields: [
    { name: 'sessionId', json: 'SessionID', id: 1, kind: 'string', shape: 'one' },
    { name: 'sequence', json: 'Sequence', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<AckEndpointsRequest> = {}): AckEndpointsRequest => ({ sessionId: p.sessionId ?? '', sequence: p.sequence ?? '' }),
  write(m: AckEndpointsRequest, w: Writer): Writer {
    if (m.sessionId !== '') w.uint32(10).string(m.sessionId);
    if (m.sequence !== '') w.uint32(18).string(m.sequence);
    return w;
  },
  read(r: Reader, length: number): AckEndpointsRequest {
    const end = r.pos + length;
    const m: { sessionId: string; sequence: string } = { sessionId: '', sequence: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.sessionId = r.string();
          break;
        case 2:
          m.sequence = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AckEndpointsRequest): Uint8Array => AckEndpointsRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AckEndpointsRequest => AckEndpointsRequest.read(Reader.create(bytes), bytes.length),
};

export interface AckEndpointsResponse {
}
export const AckEndpointsResponse: MessageType<AckEndpointsResponse> = {
  name: 'AckEndpointsResponse',
  fields: [
  ],
  create: (): AckEndpointsResponse => ({  }),
  write(m: AckEndpointsResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): AckEndpointsResponse {
    const end = r.pos + length;
    const m: {  } = {  };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AckEndpointsResponse): Uint8Array => AckEndpointsResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AckEndpointsResponse => AckEndpointsResponse.read(Reader.create(bytes), bytes.length),
};

/** Only the leader answers; others fail with no_leader and the leader's address (TswarmError.redirect) when they know it. */
export interface DispatcherMethods {
  readonly session: { readonly request: SessionRequest; readonly response: SessionMessage; readonly requestStream: false; readonly responseStream: true };
  readonly heartbeat: { readonly request: HeartbeatRequest; readonly response: HeartbeatResponse; readonly requestStream: false; readonly responseStream: false };
  readonly updateTaskStatus: { readonly request: UpdateTaskStatusRequest; readonly response: UpdateTaskStatusResponse; readonly requestStream: false; readonly responseStream: false };
  readonly assignments: { readonly request: AssignmentsRequest; readonly response: AssignmentsMessage; readonly requestStream: false; readonly responseStream: true };
  readonly attachNetwork: { readonly request: AttachNetworkRequest; readonly response: AttachNetworkResponse; readonly requestStream: false; readonly responseStream: false };
  readonly ackEndpoints: { readonly request: AckEndpointsRequest; readonly response: AckEndpointsResponse; readonly requestStream: false; readonly responseStream: false };
}
export const DispatcherService: ServiceDescriptor<DispatcherMethods> = {
  name: 'tswarm.v1.Dispatcher',
  methods: {
    session: { path: '/tswarm.v1.Dispatcher/Session', request: SessionRequest, response: SessionMessage, requestStream: false, responseStream: true },
    heartbeat: { path: '/tswarm.v1.Dispatcher/Heartbeat', request: HeartbeatRequest, response: HeartbeatResponse, requestStream: false, responseStream: false },
    updateTaskStatus: { path: '/tswarm.v1.Dispatcher/UpdateTaskStatus', request: UpdateTaskStatusRequest, response: UpdateTaskStatusResponse, requestStream: false, responseStream: false },
    assignments: { path: '/tswarm.v1.Dispatcher/Assignments', request: AssignmentsRequest, response: AssignmentsMessage, requestStream: false, responseStream: true },
    attachNetwork: { path: '/tswarm.v1.Dispatcher/AttachNetwork', request: AttachNetworkRequest, response: AttachNetworkResponse, requestStream: false, responseStream: false },
    ackEndpoints: { path: '/tswarm.v1.Dispatcher/AckEndpoints', request: AckEndpointsRequest, response: AckEndpointsResponse, requestStream: false, responseStream: false },
  },
};
