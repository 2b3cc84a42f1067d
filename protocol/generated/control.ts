// Generated from protocol/proto/control.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';
import { Cluster, Config, Credential, Network, Node, NodeState, NodeStateText, Secret, Service, Stack, Task, TaskState, TaskStateText, UpdateStatus, Volume } from './objects.ts';
import { ClusterSpec, ConfigSpec, CredentialSpec, NetworkSpec, NodeAvailability, NodeAvailabilityText, NodeSpec, RunState, RunStateText, SecretSpec, ServiceSpec, StackSpec, VolumeSpec } from './specs.ts';

export const ObjectKind = {
  UNKNOWN: 0,
  NODE: 1,
  SERVICE: 2,
  TASK: 3,
  NETWORK: 4,
  SECRET: 5,
  CONFIG: 6,
  CLUSTER: 7,
  VOLUME: 8,
  STACK: 9,
  CREDENTIAL: 10,
} as const;
export type ObjectKind = (typeof ObjectKind)[keyof typeof ObjectKind];
export const ObjectKindText: ReadonlyMap<number, string> = new Map([[0, 'unknown'], [1, 'node'], [2, 'service'], [3, 'task'], [4, 'network'], [5, 'secret'], [6, 'config'], [7, 'cluster'], [8, 'volume'], [9, 'stack'], [10, 'credential']]);

export interface ObjectUnion {
  readonly node: Node | undefined;
  readonly service: Service | undefined;
  readonly task: Task | undefined;
  readonly network: Network | undefined;
  readonly secret: Secret | undefined;
  readonly config: Config | undefined;
  readonly cluster: Cluster | undefined;
  readonly volume: Volume | undefined;
  readonly stack: Stack | undefined;
  readonly credential: Credential | undefined;
}
export const ObjectUnion: MessageType<ObjectUnion> = {
  name: 'ObjectUnion',
  fields: [
    { name: 'node', json: 'Node', id: 1, kind: 'message', shape: 'optional', message: () => Node },
    { name: 'service', json: 'Service', id: 2, kind: 'message', shape: 'optional', message: () => Service },
    { name: 'task', json: 'Task', id: 3, kind: 'message', shape: 'optional', message: () => Task },
    { name: 'network', json: 'Network', id: 4, kind: 'message', shape: 'optional', message: () => Network },
    { name: 'secret', json: 'Secret', id: 5, kind: 'message', shape: 'optional', message: () => Secret },
    { name: 'config', json: 'Config', id: 6, kind: 'message', shape: 'optional', message: () => Config },
    { name: 'cluster', json: 'Cluster', id: 7, kind: 'message', shape: 'optional', message: () => Cluster },
    { name: 'volume', json: 'Volume', id: 8, kind: 'message', shape: 'optional', message: () => Volume },
    { name: 'stack', json: 'Stack', id: 9, kind: 'message', shape: 'optional', message: () => Stack },
    { name: 'credential', json: 'Credential', id: 10, kind: 'message', shape: 'optional', message: () => Credential },
  ],
  create: (p: Partial<ObjectUnion> = {}): ObjectUnion => ({ node: p.node, service: p.service, task: p.task, network: p.network, secret: p.secret, config: p.config, cluster: p.cluster, volume: p.volume, stack: p.stack, credential: p.credential }),
  write(m: ObjectUnion, w: Writer): Writer {
    if (m.node !== undefined) Node.write(m.node, w.uint32(10).fork()).ldelim();
    if (m.service !== undefined) Service.write(m.service, w.uint32(18).fork()).ldelim();
    if (m.task !== undefined) Task.write(m.task, w.uint32(26).fork()).ldelim();
    if (m.network !== undefined) Network.write(m.network, w.uint32(34).fork()).ldelim();
    if (m.secret !== undefined) Secret.write(m.secret, w.uint32(42).fork()).ldelim();
    if (m.config !== undefined) Config.write(m.config, w.uint32(50).fork()).ldelim();
    if (m.cluster !== undefined) Cluster.write(m.cluster, w.uint32(58).fork()).ldelim();
    if (m.volume !== undefined) Volume.write(m.volume, w.uint32(66).fork()).ldelim();
    if (m.stack !== undefined) Stack.write(m.stack, w.uint32(74).fork()).ldelim();
    if (m.credential !== undefined) Credential.write(m.credential, w.uint32(82).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ObjectUnion {
    const end = r.pos + length;
    const m: { node: Node | undefined; service: Service | undefined; task: Task | undefined; network: Network | undefined; secret: Secret | undefined; config: Config | undefined; cluster: Cluster | undefined; volume: Volume | undefined; stack: Stack | undefined; credential: Credential | undefined } = { node: undefined, service: undefined, task: undefined, network: undefined, secret: undefined, config: undefined, cluster: undefined, volume: undefined, stack: undefined, credential: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.node = Node.read(r, r.uint32());
          break;
        case 2:
          m.service = Service.read(r, r.uint32());
          break;
        case 3:
          m.task = Task.read(r, r.uint32());
          break;
        case 4:
          m.network = Network.read(r, r.uint32());
          break;
        case 5:
          m.secret = Secret.read(r, r.uint32());
          break;
        case 6:
          m.config = Config.read(r, r.uint32());
          break;
        case 7:
          m.cluster = Cluster.read(r, r.uint32());
          break;
        case 8:
          m.volume = Volume.read(r, r.uint32());
          break;
        case 9:
          m.stack = Stack.read(r, r.uint32());
          break;
        case 10:
          m.credential = Credential.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ObjectUnion): Uint8Array => ObjectUnion.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ObjectUnion => ObjectUnion.read(Reader.create(bytes), bytes.length),
};

export interface SpecUnion {
  readonly node: NodeSpec | undefined;
  readonly service: ServiceSpec | undefined;
  readonly network: NetworkSpec | undefined;
  readonly secret: SecretSpec | undefined;
  readonly config: ConfigSpec | undefined;
  readonly cluster: ClusterSpec | undefined;
  readonly volume: VolumeSpec | undefined;
  readonly credential: CredentialSpec | undefined;
}
export const SpecUnion: MessageType<SpecUnion> = {
  name: 'SpecUnion',
  fields: [
    { name: 'node', json: 'Node', id: 1, kind: 'message', shape: 'optional', message: () => NodeSpec },
    { name: 'service', json: 'Service', id: 2, kind: 'message', shape: 'optional', message: () => ServiceSpec },
    { name: 'network', json: 'Network', id: 4, kind: 'message', shape: 'optional', message: () => NetworkSpec },
    { name: 'secret', json: 'Secret', id: 5, kind: 'message', shape: 'optional', message: () => SecretSpec },
    { name: 'config', json: 'Config', id: 6, kind: 'message', shape: 'optional', message: () => ConfigSpec },
    { name: 'cluster', json: 'Cluster', id: 7, kind: 'message', shape: 'optional', message: () => ClusterSpec },
    { name: 'volume', json: 'Volume', id: 8, kind: 'message', shape: 'optional', message: () => VolumeSpec },
    { name: 'credential', json: 'Credential', id: 10, kind: 'message', shape: 'optional', message: () => CredentialSpec },
  ],
  create: (p: Partial<SpecUnion> = {}): SpecUnion => ({ node: p.node, service: p.service, network: p.network, secret: p.secret, config: p.config, cluster: p.cluster, volume: p.volume, credential: p.credential }),
  write(m: SpecUnion, w: Writer): Writer {
    if (m.node !== undefined) NodeSpec.write(m.node, w.uint32(10).fork()).ldelim();
    if (m.service !== undefined) ServiceSpec.write(m.service, w.uint32(18).fork()).ldelim();
    if (m.network !== undefined) NetworkSpec.write(m.network, w.uint32(34).fork()).ldelim();
    if (m.secret !== undefined) SecretSpec.write(m.secret, w.uint32(42).fork()).ldelim();
    if (m.config !== undefined) ConfigSpec.write(m.config, w.uint32(50).fork()).ldelim();
    if (m.cluster !== undefined) ClusterSpec.write(m.cluster, w.uint32(58).fork()).ldelim();
    if (m.volume !== undefined) VolumeSpec.write(m.volume, w.uint32(66).fork()).ldelim();
    if (m.credential !== undefined) CredentialSpec.write(m.credential, w.uint32(82).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): SpecUnion {
    const end = r.pos + length;
    const m: { node: NodeSpec | undefined; service: ServiceSpec | undefined; network: NetworkSpec | undefined; secret: SecretSpec | undefined; config: ConfigSpec | undefined; cluster: ClusterSpec | undefined; volume: VolumeSpec | undefined; credential: CredentialSpec | undefined } = { node: undefined, service: undefined, network: undefined, secret: undefined, config: undefined, cluster: undefined, volume: undefined, credential: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.node = NodeSpec.read(r, r.uint32());
          break;
        case 2:
          m.service = ServiceSpec.read(r, r.uint32());
          break;
        case 4:
          m.network = NetworkSpec.read(r, r.uint32());
          break;
        case 5:
          m.secret = SecretSpec.read(r, r.uint32());
          break;
        case 6:
          m.config = ConfigSpec.read(r, r.uint32());
          break;
        case 7:
          m.cluster = ClusterSpec.read(r, r.uint32());
          break;
        case 8:
          m.volume = VolumeSpec.read(r, r.uint32());
          break;
        case 10:
          m.credential = CredentialSpec.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SpecUnion): Uint8Array => SpecUnion.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SpecUnion => SpecUnion.read(Reader.create(bytes), bytes.length),
};

/** ---- the store's log: one Raft entry is one StoreTransaction ------------------------------------------------------------ */
export const StoreActionKind = {
  CREATE: 0,
  UPDATE: 1,
  REMOVE: 2,
} as const;
export type StoreActionKind = (typeof StoreActionKind)[keyof typeof StoreActionKind];
export const StoreActionKindText: ReadonlyMap<number, string> = new Map([[0, 'create'], [1, 'update'], [2, 'remove']]);

export interface StoreAction {
  readonly kind: StoreActionKind;
  /** absent for remove; a task without spec keeps its own, or on creation takes its service's; a service without spec keeps its own specs */
  readonly object: ObjectUnion | undefined;
  readonly objectKind: ObjectKind;
  readonly id: string;
}
export const StoreAction: MessageType<StoreAction> = {
  name: 'StoreAction',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: StoreActionKindText },
    { name: 'object', json: 'Object', id: 2, kind: 'message', shape: 'optional', message: () => ObjectUnion },
    { name: 'objectKind', json: 'ObjectKind', id: 3, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<StoreAction> = {}): StoreAction => ({ kind: p.kind ?? 0, object: p.object, objectKind: p.objectKind ?? 0, id: p.id ?? '' }),
  write(m: StoreAction, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.object !== undefined) ObjectUnion.write(m.object, w.uint32(18).fork()).ldelim();
    if (m.objectKind !== 0) w.uint32(24).int32(m.objectKind);
    if (m.id !== '') w.uint32(34).string(m.id);
    return w;
  },
  read(r: Reader, length: number): StoreAction {
    const end = r.pos + length;
    const m: { kind: StoreActionKind; object: ObjectUnion | undefined; objectKind: ObjectKind; id: string } = { kind: 0, object: undefined, objectKind: 0, id: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as StoreActionKind;
          break;
        case 2:
          m.object = ObjectUnion.read(r, r.uint32());
          break;
        case 3:
          m.objectKind = r.int32() as ObjectKind;
          break;
        case 4:
          m.id = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StoreAction): Uint8Array => StoreAction.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StoreAction => StoreAction.read(Reader.create(bytes), bytes.length),
};

export interface StoreTransaction {
  readonly actions: readonly StoreAction[];
  /** microseconds since 1970, by the leader */
  readonly time: number;
  /** who asked: "admin", node id, "scheduler", … */
  readonly author: string;
  /** "service web: update", for the history */
  readonly summary: string;
  readonly formatVersion: number;
  /** unique; every transaction names the one that it was built upon, */
  readonly id: number;
  /** and is ignored when another one came between */
  readonly parent: number;
}
export const StoreTransaction: MessageType<StoreTransaction> = {
  name: 'StoreTransaction',
  fields: [
    { name: 'actions', json: 'Actions', id: 1, kind: 'message', shape: 'repeated', message: () => StoreAction },
    { name: 'time', json: 'Time', id: 2, kind: 'int64', shape: 'one' },
    { name: 'author', json: 'Author', id: 3, kind: 'string', shape: 'one' },
    { name: 'summary', json: 'Summary', id: 4, kind: 'string', shape: 'one' },
    { name: 'formatVersion', json: 'FormatVersion', id: 5, kind: 'int64', shape: 'one' },
    { name: 'id', json: 'ID', id: 6, kind: 'int64', shape: 'one' },
    { name: 'parent', json: 'Parent', id: 7, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<StoreTransaction> = {}): StoreTransaction => ({ actions: p.actions ?? [], time: p.time ?? 0, author: p.author ?? '', summary: p.summary ?? '', formatVersion: p.formatVersion ?? 0, id: p.id ?? 0, parent: p.parent ?? 0 }),
  write(m: StoreTransaction, w: Writer): Writer {
    for (const v of m.actions) StoreAction.write(v, w.uint32(10).fork()).ldelim();
    if (m.time !== 0) w.uint32(16).int64(m.time);
    if (m.author !== '') w.uint32(26).string(m.author);
    if (m.summary !== '') w.uint32(34).string(m.summary);
    if (m.formatVersion !== 0) w.uint32(40).int64(m.formatVersion);
    if (m.id !== 0) w.uint32(48).int64(m.id);
    if (m.parent !== 0) w.uint32(56).int64(m.parent);
    return w;
  },
  read(r: Reader, length: number): StoreTransaction {
    const end = r.pos + length;
    const m: { actions: StoreAction[]; time: number; author: string; summary: string; formatVersion: number; id: number; parent: number } = { actions: [], time: 0, author: '', summary: '', formatVersion: 0, id: 0, parent: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.actions.push(StoreAction.read(r, r.uint32()));
          break;
        case 2:
          m.time = readInt64(r.int64());
          break;
        case 3:
          m.author = r.string();
          break;
        case 4:
          m.summary = r.string();
          break;
        case 5:
          m.formatVersion = readInt64(r.int64());
          break;
        case 6:
          m.id = readInt64(r.int64());
          break;
        case 7:
          m.parent = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StoreTransaction): Uint8Array => StoreTransaction.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StoreTransaction => StoreTransaction.read(Reader.create(bytes), bytes.length),
};

/** A StoreTransaction whose actions are not looked at: the leader still has the objects that it was made from. */
export interface StoreTransactionHead {
  readonly time: number;
  readonly author: string;
  readonly summary: string;
  readonly formatVersion: number;
  readonly id: number;
  readonly parent: number;
}
export const StoreTransactionHead: MessageType<StoreTransactionHead> = {
  name: 'StoreTransactionHead',
  fields: [
    { name: 'time', json: 'Time', id: 2, kind: 'int64', shape: 'one' },
    { name: 'author', json: 'Author', id: 3, kind: 'string', shape: 'one' },
    { name: 'summary', json: 'Summary', id: 4, kind: 'string', shape: 'one' },
    { name: 'formatVersion', json: 'FormatVersion', id: 5, kind: 'int64', shape: 'one' },
    { name: 'id', json: 'ID', id: 6, kind: 'int64', shape: 'one' },
    { name: 'parent', json: 'Parent', id: 7, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<StoreTransactionHead> = {}): StoreTransactionHead => ({ time: p.time ?? 0, author: p.author ?? '', summary: p.summary ?? '', formatVersion: p.formatVersion ?? 0, id: p.id ?? 0, parent: p.parent ?? 0 }),
  write(m: StoreTransactionHead, w: Writer): Writer {
    if (m.time !== 0) w.uint32(16).int64(m.time);
    if (m.author !== '') w.uint32(26).string(m.author);
    if (m.summary !== '') w.uint32(34).string(m.summary);
    if (m.formatVersion !== 0) w.uint32(40).int64(m.formatVersion);
    if (m.id !== 0) w.uint32(48).int64(m.id);
    if (m.parent !== 0) w.uint32(56).int64(m.parent);
    return w;
  },
  read(r: Reader, length: number): StoreTransactionHead {
    const end = r.pos + length;
    const m: { time: number; author: string; summary: string; formatVersion: number; id: number; parent: number } = { time: 0, author: '', summary: '', formatVersion: 0, id: 0, parent: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 2:
          m.time = readInt64(r.int64());
          break;
        case 3:
          m.author = r.string();
          break;
        case 4:
          m.summary = r.string();
          break;
        case 5:
          m.formatVersion = readInt64(r.int64());
          break;
        case 6:
          m.id = readInt64(r.int64());
          break;
        case 7:
          m.parent = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StoreTransactionHead): Uint8Array => StoreTransactionHead.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StoreTransactionHead => StoreTransactionHead.read(Reader.create(bytes), bytes.length),
};

export interface StoreSnapshot {
  readonly objects: readonly ObjectUnion[];
  readonly index: number;
  readonly formatVersion: number;
  readonly history: readonly HistoryEntry[];
  /** id of the last one that was applied */
  readonly lastTransaction: number;
}
export const StoreSnapshot: MessageType<StoreSnapshot> = {
  name: 'StoreSnapshot',
  fields: [
    { name: 'objects', json: 'Objects', id: 1, kind: 'message', shape: 'repeated', message: () => ObjectUnion },
    { name: 'index', json: 'Index', id: 2, kind: 'int64', shape: 'one' },
    { name: 'formatVersion', json: 'FormatVersion', id: 3, kind: 'int64', shape: 'one' },
    { name: 'history', json: 'History', id: 4, kind: 'message', shape: 'repeated', message: () => HistoryEntry },
    { name: 'lastTransaction', json: 'LastTransaction', id: 5, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<StoreSnapshot> = {}): StoreSnapshot => ({ objects: p.objects ?? [], index: p.index ?? 0, formatVersion: p.formatVersion ?? 0, history: p.history ?? [], lastTransaction: p.lastTransaction ?? 0 }),
  write(m: StoreSnapshot, w: Writer): Writer {
    for (const v of m.objects) ObjectUnion.write(v, w.uint32(10).fork()).ldelim();
    if (m.index !== 0) w.uint32(16).int64(m.index);
    if (m.formatVersion !== 0) w.uint32(24).int64(m.formatVersion);
    for (const v of m.history) HistoryEntry.write(v, w.uint32(34).fork()).ldelim();
    if (m.lastTransaction !== 0) w.uint32(40).int64(m.lastTransaction);
    return w;
  },
  read(r: Reader, length: number): StoreSnapshot {
    const end = r.pos + length;
    const m: { objects: ObjectUnion[]; index: number; formatVersion: number; history: HistoryEntry[]; lastTransaction: number } = { objects: [], index: 0, formatVersion: 0, history: [], lastTransaction: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.objects.push(ObjectUnion.read(r, r.uint32()));
          break;
        case 2:
          m.index = readInt64(r.int64());
          break;
        case 3:
          m.formatVersion = readInt64(r.int64());
          break;
        case 4:
          m.history.push(HistoryEntry.read(r, r.uint32()));
          break;
        case 5:
          m.lastTransaction = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StoreSnapshot): Uint8Array => StoreSnapshot.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StoreSnapshot => StoreSnapshot.read(Reader.create(bytes), bytes.length),
};

export interface HistoryEntry {
  readonly index: number;
  readonly time: number;
  readonly author: string;
  readonly summary: string;
}
export const HistoryEntry: MessageType<HistoryEntry> = {
  name: 'HistoryEntry',
  fields: [
    { name: 'index', json: 'Index', id: 1, kind: 'int64', shape: 'one' },
    { name: 'time', json: 'Time', id: 2, kind: 'int64', shape: 'one', time: true },
    { name: 'author', json: 'Author', id: 3, kind: 'string', shape: 'one' },
    { name: 'summary', json: 'Summary', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<HistoryEntry> = {}): HistoryEntry => ({ index: p.index ?? 0, time: p.time ?? 0, author: p.author ?? '', summary: p.summary ?? '' }),
  write(m: HistoryEntry, w: Writer): Writer {
    if (m.index !== 0) w.uint32(8).int64(m.index);
    if (m.time !== 0) w.uint32(16).int64(m.time);
    if (m.author !== '') w.uint32(26).string(m.author);
    if (m.summary !== '') w.uint32(34).string(m.summary);
    return w;
  },
  read(r: Reader, length: number): HistoryEntry {
    const end = r.pos + length;
    const m: { index: number; time: number; author: string; summary: string } = { index: 0, time: 0, author: '', summary: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.index = readInt64(r.int64());
          break;
        case 2:
          m.time = readInt64(r.int64());
          break;
        case 3:
          m.author = r.string();
          break;
        case 4:
          m.summary = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HistoryEntry): Uint8Array => HistoryEntry.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HistoryEntry => HistoryEntry.read(Reader.create(bytes), bytes.length),
};

/** ---- calls -------------------------------------------------------------------------------------------------------------- */
export interface CreateObjectRequest {
  readonly spec: SpecUnion | undefined;
  /** service: Service.registry_auth */
  readonly registryAuth: Uint8Array;
  /** credential of kind TOKEN: SHA-256 of its secret, which never comes to the managers */
  readonly secretDigest: Uint8Array;
}
export const CreateObjectRequest: MessageType<CreateObjectRequest> = {
  name: 'CreateObjectRequest',
  fields: [
    { name: 'spec', json: 'Spec', id: 1, kind: 'message', shape: 'optional', message: () => SpecUnion },
    { name: 'registryAuth', json: 'RegistryAuth', id: 2, kind: 'bytes', shape: 'one' },
    { name: 'secretDigest', json: 'SecretDigest', id: 3, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<CreateObjectRequest> = {}): CreateObjectRequest => ({ spec: p.spec, registryAuth: p.registryAuth ?? NO_BYTES, secretDigest: p.secretDigest ?? NO_BYTES }),
  write(m: CreateObjectRequest, w: Writer): Writer {
    if (m.spec !== undefined) SpecUnion.write(m.spec, w.uint32(10).fork()).ldelim();
    if (m.registryAuth.length > 0) w.uint32(18).bytes(m.registryAuth);
    if (m.secretDigest.length > 0) w.uint32(26).bytes(m.secretDigest);
    return w;
  },
  read(r: Reader, length: number): CreateObjectRequest {
    const end = r.pos + length;
    const m: { spec: SpecUnion | undefined; registryAuth: Uint8Array; secretDigest: Uint8Array } = { spec: undefined, registryAuth: NO_BYTES, secretDigest: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.spec = SpecUnion.read(r, r.uint32());
          break;
        case 2:
          m.registryAuth = sizeLimitedBytes(r.bytes());
          break;
        case 3:
          m.secretDigest = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: CreateObjectRequest): Uint8Array => CreateObjectRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): CreateObjectRequest => CreateObjectRequest.read(Reader.create(bytes), bytes.length),
};

export interface UpdateObjectRequest {
  readonly kind: ObjectKind;
  readonly id: string;
  /** Version.Index that the caller read; another one is out_of_sequence */
  readonly version: number;
  /** whole spec (service: unset with rollback) */
  readonly spec: SpecUnion | undefined;
  /** service: back to the previous spec */
  readonly rollback: boolean;
  /** cluster */
  readonly rotateWorkerToken: boolean;
  readonly rotateManagerToken: boolean;
  readonly rotateUnlockKey: boolean;
  /** an Engine API client: extension fields that are absent stay as they are */
  readonly keepExtensions: boolean;
  /** with rollback: this revision; unset = the one before */
  readonly rollbackTo: number | undefined;
  /** service: other credentials; empty = those that it has */
  readonly registryAuth: Uint8Array;
  /** service: without others, those of the previous specification */
  readonly previousRegistryAuth: boolean;
}
export const UpdateObjectRequest: MessageType<UpdateObjectRequest> = {
  name: 'UpdateObjectRequest',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 2, kind: 'string', shape: 'one' },
    { name: 'version', json: 'Version', id: 3, kind: 'int64', shape: 'one' },
    { name: 'spec', json: 'Spec', id: 4, kind: 'message', shape: 'optional', message: () => SpecUnion },
    { name: 'rollback', json: 'Rollback', id: 5, kind: 'bool', shape: 'one' },
    { name: 'rotateWorkerToken', json: 'RotateWorkerToken', id: 6, kind: 'bool', shape: 'one' },
    { name: 'rotateManagerToken', json: 'RotateManagerToken', id: 7, kind: 'bool', shape: 'one' },
    { name: 'rotateUnlockKey', json: 'RotateUnlockKey', id: 8, kind: 'bool', shape: 'one' },
    { name: 'keepExtensions', json: 'KeepExtensions', id: 9, kind: 'bool', shape: 'one' },
    { name: 'rollbackTo', json: 'RollbackTo', id: 20, kind: 'int64', shape: 'optional' },
    { name: 'registryAuth', json: 'RegistryAuth', id: 21, kind: 'bytes', shape: 'one' },
    { name: 'previousRegistryAuth', json: 'PreviousRegistryAuth', id: 22, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<UpdateObjectRequest> = {}): UpdateObjectRequest => ({ kind: p.kind ?? 0, id: p.id ?? '', version: p.version ?? 0, spec: p.spec, rollback: p.rollback ?? false, rotateWorkerToken: p.rotateWorkerToken ?? false, rotateManagerToken: p.rotateManagerToken ?? false, rotateUnlockKey: p.rotateUnlockKey ?? false, keepExtensions: p.keepExtensions ?? false, rollbackTo: p.rollbackTo, registryAuth: p.registryAuth ?? NO_BYTES, previousRegistryAuth: p.previousRegistryAuth ?? false }),
  write(m: UpdateObjectRequest, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.id !== '') w.uint32(18).string(m.id);
    if (m.version !== 0) w.uint32(24).int64(m.version);
    if (m.spec !== undefined) SpecUnion.write(m.spec, w.uint32(34).fork()).ldelim();
    if (m.rollback) w.uint32(40).bool(m.rollback);
    if (m.rotateWorkerToken) w.uint32(48).bool(m.rotateWorkerToken);
    if (m.rotateManagerToken) w.uint32(56).bool(m.rotateManagerToken);
    if (m.rotateUnlockKey) w.uint32(64).bool(m.rotateUnlockKey);
    if (m.keepExtensions) w.uint32(72).bool(m.keepExtensions);
    if (m.rollbackTo !== undefined) w.uint32(160).int64(m.rollbackTo);
    if (m.registryAuth.length > 0) w.uint32(170).bytes(m.registryAuth);
    if (m.previousRegistryAuth) w.uint32(176).bool(m.previousRegistryAuth);
    return w;
  },
  read(r: Reader, length: number): UpdateObjectRequest {
    const end = r.pos + length;
    const m: { kind: ObjectKind; id: string; version: number; spec: SpecUnion | undefined; rollback: boolean; rotateWorkerToken: boolean; rotateManagerToken: boolean; rotateUnlockKey: boolean; keepExtensions: boolean; rollbackTo: number | undefined; registryAuth: Uint8Array; previousRegistryAuth: boolean } = { kind: 0, id: '', version: 0, spec: undefined, rollback: false, rotateWorkerToken: false, rotateManagerToken: false, rotateUnlockKey: false, keepExtensions: false, rollbackTo: undefined, registryAuth: NO_BYTES, previousRegistryAuth: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.id = r.string();
          break;
        case 3:
          m.version = readInt64(r.int64());
          break;
        case 4:
          m.spec = SpecUnion.read(r, r.uint32());
          break;
        case 5:
          m.rollback = r.bool();
          break;
        case 6:
          m.rotateWorkerToken = r.bool();
          break;
        case 7:
          m.rotateManagerToken = r.bool();
          break;
        case 8:
          m.rotateUnlockKey = r.bool();
          break;
        case 9:
          m.keepExtensions = r.bool();
          break;
        case 20:
          m.rollbackTo = readInt64(r.int64());
          break;
        case 21:
          m.registryAuth = sizeLimitedBytes(r.bytes());
          break;
        case 22:
          m.previousRegistryAuth = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: UpdateObjectRequest): Uint8Array => UpdateObjectRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): UpdateObjectRequest => UpdateObjectRequest.read(Reader.create(bytes), bytes.length),
};

export interface RemoveObjectRequest {
  readonly kind: ObjectKind;
  readonly id: string;
  readonly force: boolean;
}
export const RemoveObjectRequest: MessageType<RemoveObjectRequest> = {
  name: 'RemoveObjectRequest',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 2, kind: 'string', shape: 'one' },
    { name: 'force', json: 'Force', id: 3, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<RemoveObjectRequest> = {}): RemoveObjectRequest => ({ kind: p.kind ?? 0, id: p.id ?? '', force: p.force ?? false }),
  write(m: RemoveObjectRequest, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.id !== '') w.uint32(18).string(m.id);
    if (m.force) w.uint32(24).bool(m.force);
    return w;
  },
  read(r: Reader, length: number): RemoveObjectRequest {
    const end = r.pos + length;
    const m: { kind: ObjectKind; id: string; force: boolean } = { kind: 0, id: '', force: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.id = r.string();
          break;
        case 3:
          m.force = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RemoveObjectRequest): Uint8Array => RemoveObjectRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RemoveObjectRequest => RemoveObjectRequest.read(Reader.create(bytes), bytes.length),
};

export interface ObjectResponse {
  readonly object: ObjectUnion | undefined;
  readonly index: number;
  readonly warnings: readonly string[];
}
export const ObjectResponse: MessageType<ObjectResponse> = {
  name: 'ObjectResponse',
  fields: [
    { name: 'object', json: 'Object', id: 1, kind: 'message', shape: 'optional', message: () => ObjectUnion },
    { name: 'index', json: 'Index', id: 2, kind: 'int64', shape: 'one' },
    { name: 'warnings', json: 'Warnings', id: 3, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<ObjectResponse> = {}): ObjectResponse => ({ object: p.object, index: p.index ?? 0, warnings: p.warnings ?? [] }),
  write(m: ObjectResponse, w: Writer): Writer {
    if (m.object !== undefined) ObjectUnion.write(m.object, w.uint32(10).fork()).ldelim();
    if (m.index !== 0) w.uint32(16).int64(m.index);
    for (const v of m.warnings) w.uint32(26).string(v);
    return w;
  },
  read(r: Reader, length: number): ObjectResponse {
    const end = r.pos + length;
    const m: { object: ObjectUnion | undefined; index: number; warnings: string[] } = { object: undefined, index: 0, warnings: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.object = ObjectUnion.read(r, r.uint32());
          break;
        case 2:
          m.index = readInt64(r.int64());
          break;
        case 3:
          m.warnings.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ObjectResponse): Uint8Array => ObjectResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ObjectResponse => ObjectResponse.read(Reader.create(bytes), bytes.length),
};

export interface GetObjectRequest {
  readonly kind: ObjectKind;
  /** full id */
  readonly id: string;
  /** a state at least as new as this is enough; 0 = everything that was acknowledged before the call */
  readonly knownIndex: number;
}
export const GetObjectRequest: MessageType<GetObjectRequest> = {
  name: 'GetObjectRequest',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 2, kind: 'string', shape: 'one' },
    { name: 'knownIndex', json: 'KnownIndex', id: 3, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<GetObjectRequest> = {}): GetObjectRequest => ({ kind: p.kind ?? 0, id: p.id ?? '', knownIndex: p.knownIndex ?? 0 }),
  write(m: GetObjectRequest, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.id !== '') w.uint32(18).string(m.id);
    if (m.knownIndex !== 0) w.uint32(24).int64(m.knownIndex);
    return w;
  },
  read(r: Reader, length: number): GetObjectRequest {
    const end = r.pos + length;
    const m: { kind: ObjectKind; id: string; knownIndex: number } = { kind: 0, id: '', knownIndex: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.id = r.string();
          break;
        case 3:
          m.knownIndex = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GetObjectRequest): Uint8Array => GetObjectRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GetObjectRequest => GetObjectRequest.read(Reader.create(bytes), bytes.length),
};

export interface DeployStackRequest {
  readonly stack: StackSpec | undefined;
  readonly prune: boolean;
  readonly forceRecreate: boolean;
  /** with force_recreate: names of services; empty = all */
  readonly recreateOnly: readonly string[];
  /** of a plan: refused when the stack's objects have changed since; "" = not compared */
  readonly expectedState: string;
  /** by name of service: Service.registry_auth; without one, those that it has */
  readonly registryAuth: Readonly<Record<string, Uint8Array>>;
}
export const DeployStackRequest: MessageType<DeployStackRequest> = {
  name: 'DeployStackRequest',
  fields: [
    { name: 'stack', json: 'Stack', id: 1, kind: 'message', shape: 'optional', message: () => StackSpec },
    { name: 'prune', json: 'Prune', id: 2, kind: 'bool', shape: 'one' },
    { name: 'forceRecreate', json: 'ForceRecreate', id: 3, kind: 'bool', shape: 'one' },
    { name: 'recreateOnly', json: 'RecreateOnly', id: 4, kind: 'string', shape: 'repeated' },
    { name: 'expectedState', json: 'ExpectedState', id: 5, kind: 'string', shape: 'one' },
    { name: 'registryAuth', json: 'RegistryAuth', id: 6, kind: 'bytes', shape: 'map' },
  ],
  create: (p: Partial<DeployStackRequest> = {}): DeployStackRequest => ({ stack: p.stack, prune: p.prune ?? false, forceRecreate: p.forceRecreate ?? false, recreateOnly: p.recreateOnly ?? [], expectedState: p.expectedState ?? '', registryAuth: p.registryAuth ?? {} }),
  write(m: DeployStackRequest, w: Writer): Writer {
    if (m.stack !== undefined) StackSpec.write(m.stack, w.uint32(10).fork()).ldelim();
    if (m.prune) w.uint32(16).bool(m.prune);
    if (m.forceRecreate) w.uint32(24).bool(m.forceRecreate);
    for (const v of m.recreateOnly) w.uint32(34).string(v);
    if (m.expectedState !== '') w.uint32(42).string(m.expectedState);
    for (const k in m.registryAuth) {
      const v = m.registryAuth[k] as Uint8Array;
      w.uint32(50).fork().uint32(10).string(k);
      w.uint32(18).bytes(v);
      w.ldelim();
    }
    return w;
  },
  read(r: Reader, length: number): DeployStackRequest {
    const end = r.pos + length;
    const m: { stack: StackSpec | undefined; prune: boolean; forceRecreate: boolean; recreateOnly: string[]; expectedState: string; registryAuth: Record<string, Uint8Array> } = { stack: undefined, prune: false, forceRecreate: false, recreateOnly: [], expectedState: '', registryAuth: {} };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.stack = StackSpec.read(r, r.uint32());
          break;
        case 2:
          m.prune = r.bool();
          break;
        case 3:
          m.forceRecreate = r.bool();
          break;
        case 4:
          m.recreateOnly.push(r.string());
          break;
        case 5:
          m.expectedState = r.string();
          break;
        case 6: {
          const stop = r.uint32() + r.pos;
          let k = '';
          let v: Uint8Array = NO_BYTES;
          while (r.pos < stop) {
            const kt = r.uint32();
            if (kt >>> 3 === 1) k = r.string();
            else if (kt >>> 3 === 2) v = sizeLimitedBytes(r.bytes());
            else r.skipType(kt & 7);
          }
          m.registryAuth[k] = v;
          break;
        }
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DeployStackRequest): Uint8Array => DeployStackRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DeployStackRequest => DeployStackRequest.read(Reader.create(bytes), bytes.length),
};

export const StackChangeAction = {
  NONE: 0,
  CREATED: 1,
  UPDATED: 2,
  REMOVED: 3,
} as const;
export type StackChangeAction = (typeof StackChangeAction)[keyof typeof StackChangeAction];
export const StackChangeActionText: ReadonlyMap<number, string> = new Map([[0, 'none'], [1, 'created'], [2, 'updated'], [3, 'removed']]);

export interface StackChange {
  readonly kind: ObjectKind;
  readonly id: string;
  readonly name: string;
  readonly action: StackChangeAction;
}
export const StackChange: MessageType<StackChange> = {
  name: 'StackChange',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 2, kind: 'string', shape: 'one' },
    { name: 'name', json: 'Name', id: 3, kind: 'string', shape: 'one' },
    { name: 'action', json: 'Action', id: 4, kind: 'enum', shape: 'one', text: StackChangeActionText },
  ],
  create: (p: Partial<StackChange> = {}): StackChange => ({ kind: p.kind ?? 0, id: p.id ?? '', name: p.name ?? '', action: p.action ?? 0 }),
  write(m: StackChange, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.id !== '') w.uint32(18).string(m.id);
    if (m.name !== '') w.uint32(26).string(m.name);
    if (m.action !== 0) w.uint32(32).int32(m.action);
    return w;
  },
  read(r: Reader, length: number): StackChange {
    const end = r.pos + length;
    const m: { kind: ObjectKind; id: string; name: string; action: StackChangeAction } = { kind: 0, id: '', name: '', action: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.id = r.string();
          break;
        case 3:
          m.name = r.string();
          break;
        case 4:
          m.action = r.int32() as StackChangeAction;
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: StackChange): Uint8Array => StackChange.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): StackChange => StackChange.read(Reader.create(bytes), bytes.length),
};

export interface DeployStackResponse {
  readonly changes: readonly StackChange[];
  readonly index: number;
  readonly warnings: readonly string[];
  readonly stack: Stack | undefined;
}
export const DeployStackResponse: MessageType<DeployStackResponse> = {
  name: 'DeployStackResponse',
  fields: [
    { name: 'changes', json: 'Changes', id: 1, kind: 'message', shape: 'repeated', message: () => StackChange },
    { name: 'index', json: 'Index', id: 2, kind: 'int64', shape: 'one' },
    { name: 'warnings', json: 'Warnings', id: 3, kind: 'string', shape: 'repeated' },
    { name: 'stack', json: 'Stack', id: 4, kind: 'message', shape: 'optional', message: () => Stack },
  ],
  create: (p: Partial<DeployStackResponse> = {}): DeployStackResponse => ({ changes: p.changes ?? [], index: p.index ?? 0, warnings: p.warnings ?? [], stack: p.stack }),
  write(m: DeployStackResponse, w: Writer): Writer {
    for (const v of m.changes) StackChange.write(v, w.uint32(10).fork()).ldelim();
    if (m.index !== 0) w.uint32(16).int64(m.index);
    for (const v of m.warnings) w.uint32(26).string(v);
    if (m.stack !== undefined) Stack.write(m.stack, w.uint32(34).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): DeployStackResponse {
    const end = r.pos + length;
    const m: { changes: StackChange[]; index: number; warnings: string[]; stack: Stack | undefined } = { changes: [], index: 0, warnings: [], stack: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.changes.push(StackChange.read(r, r.uint32()));
          break;
        case 2:
          m.index = readInt64(r.int64());
          break;
        case 3:
          m.warnings.push(r.string());
          break;
        case 4:
          m.stack = Stack.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: DeployStackResponse): Uint8Array => DeployStackResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): DeployStackResponse => DeployStackResponse.read(Reader.create(bytes), bytes.length),
};

/** What DeployStack would do, worked out without doing it: the same change, then the controllers and the scheduler on it, with nodes on which everything succeeds. Where tasks go is a forecast. */
export const PlannedAction = {
  KEEP: 0,
  START: 1,
  REPLACE: 2,
  STOP: 3,
  RESTART: 4,
  PENDING: 5,
} as const;
export type PlannedAction = (typeof PlannedAction)[keyof typeof PlannedAction];
export const PlannedActionText: ReadonlyMap<number, string> = new Map([[0, 'keep'], [1, 'start'], [2, 'replace'], [3, 'stop'], [4, 'restart'], [5, 'pending']]);

export interface PlannedChange {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly action: StackChangeAction;
  /** references by name; no bytes of secrets and configs */
  readonly before: SpecUnion | undefined;
  readonly after: SpecUnion | undefined;
  /** an object of that name is replaced by a new one */
  readonly recreated: boolean;
}
export const PlannedChange: MessageType<PlannedChange> = {
  name: 'PlannedChange',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'name', json: 'Name', id: 2, kind: 'string', shape: 'one' },
    { name: 'action', json: 'Action', id: 3, kind: 'enum', shape: 'one', text: StackChangeActionText },
    { name: 'before', json: 'Before', id: 4, kind: 'message', shape: 'optional', message: () => SpecUnion },
    { name: 'after', json: 'After', id: 5, kind: 'message', shape: 'optional', message: () => SpecUnion },
    { name: 'recreated', json: 'Recreated', id: 6, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<PlannedChange> = {}): PlannedChange => ({ kind: p.kind ?? 0, name: p.name ?? '', action: p.action ?? 0, before: p.before, after: p.after, recreated: p.recreated ?? false }),
  write(m: PlannedChange, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.name !== '') w.uint32(18).string(m.name);
    if (m.action !== 0) w.uint32(24).int32(m.action);
    if (m.before !== undefined) SpecUnion.write(m.before, w.uint32(34).fork()).ldelim();
    if (m.after !== undefined) SpecUnion.write(m.after, w.uint32(42).fork()).ldelim();
    if (m.recreated) w.uint32(48).bool(m.recreated);
    return w;
  },
  read(r: Reader, length: number): PlannedChange {
    const end = r.pos + length;
    const m: { kind: ObjectKind; name: string; action: StackChangeAction; before: SpecUnion | undefined; after: SpecUnion | undefined; recreated: boolean } = { kind: 0, name: '', action: 0, before: undefined, after: undefined, recreated: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.name = r.string();
          break;
        case 3:
          m.action = r.int32() as StackChangeAction;
          break;
        case 4:
          m.before = SpecUnion.read(r, r.uint32());
          break;
        case 5:
          m.after = SpecUnion.read(r, r.uint32());
          break;
        case 6:
          m.recreated = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PlannedChange): Uint8Array => PlannedChange.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PlannedChange => PlannedChange.read(Reader.create(bytes), bytes.length),
};

export interface PlannedTask {
  readonly service: string;
  /** 0 = global */
  readonly slot: number;
  readonly action: PlannedAction;
  /** where it will be (or was, when it stops); "" = no node takes it */
  readonly hostname: string;
  /** of the task that it replaces */
  readonly from: string;
  /** why no node takes it, or what it waits for */
  readonly reason: string;
}
export const PlannedTask: MessageType<PlannedTask> = {
  name: 'PlannedTask',
  fields: [
    { name: 'service', json: 'Service', id: 1, kind: 'string', shape: 'one' },
    { name: 'slot', json: 'Slot', id: 2, kind: 'int64', shape: 'one' },
    { name: 'action', json: 'Action', id: 3, kind: 'enum', shape: 'one', text: PlannedActionText },
    { name: 'hostname', json: 'Hostname', id: 4, kind: 'string', shape: 'one' },
    { name: 'from', json: 'From', id: 5, kind: 'string', shape: 'one' },
    { name: 'reason', json: 'Reason', id: 6, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<PlannedTask> = {}): PlannedTask => ({ service: p.service ?? '', slot: p.slot ?? 0, action: p.action ?? 0, hostname: p.hostname ?? '', from: p.from ?? '', reason: p.reason ?? '' }),
  write(m: PlannedTask, w: Writer): Writer {
    if (m.service !== '') w.uint32(10).string(m.service);
    if (m.slot !== 0) w.uint32(16).int64(m.slot);
    if (m.action !== 0) w.uint32(24).int32(m.action);
    if (m.hostname !== '') w.uint32(34).string(m.hostname);
    if (m.from !== '') w.uint32(42).string(m.from);
    if (m.reason !== '') w.uint32(50).string(m.reason);
    return w;
  },
  read(r: Reader, length: number): PlannedTask {
    const end = r.pos + length;
    const m: { service: string; slot: number; action: PlannedAction; hostname: string; from: string; reason: string } = { service: '', slot: 0, action: 0, hostname: '', from: '', reason: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.service = r.string();
          break;
        case 2:
          m.slot = readInt64(r.int64());
          break;
        case 3:
          m.action = r.int32() as PlannedAction;
          break;
        case 4:
          m.hostname = r.string();
          break;
        case 5:
          m.from = r.string();
          break;
        case 6:
          m.reason = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PlannedTask): Uint8Array => PlannedTask.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PlannedTask => PlannedTask.read(Reader.create(bytes), bytes.length),
};

export interface PlanStackResponse {
  readonly changes: readonly PlannedChange[];
  readonly tasks: readonly PlannedTask[];
  readonly warnings: readonly string[];
  /** for DeployStackRequest.expected_state */
  readonly state: string;
  /** nanoseconds that delays and watching take at least */
  readonly duration: number;
  /** false: it was not followed to its end */
  readonly complete: boolean;
  /** that are ready and take tasks */
  readonly nodes: number;
  /** of the stack as it is; 0 = there is none */
  readonly revision: number;
}
export const PlanStackResponse: MessageType<PlanStackResponse> = {
  name: 'PlanStackResponse',
  fields: [
    { name: 'changes', json: 'Changes', id: 1, kind: 'message', shape: 'repeated', message: () => PlannedChange },
    { name: 'tasks', json: 'Tasks', id: 2, kind: 'message', shape: 'repeated', message: () => PlannedTask },
    { name: 'warnings', json: 'Warnings', id: 3, kind: 'string', shape: 'repeated' },
    { name: 'state', json: 'State', id: 4, kind: 'string', shape: 'one' },
    { name: 'duration', json: 'Duration', id: 5, kind: 'int64', shape: 'one' },
    { name: 'complete', json: 'Complete', id: 6, kind: 'bool', shape: 'one' },
    { name: 'nodes', json: 'Nodes', id: 7, kind: 'int64', shape: 'one' },
    { name: 'revision', json: 'Revision', id: 8, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<PlanStackResponse> = {}): PlanStackResponse => ({ changes: p.changes ?? [], tasks: p.tasks ?? [], warnings: p.warnings ?? [], state: p.state ?? '', duration: p.duration ?? 0, complete: p.complete ?? false, nodes: p.nodes ?? 0, revision: p.revision ?? 0 }),
  write(m: PlanStackResponse, w: Writer): Writer {
    for (const v of m.changes) PlannedChange.write(v, w.uint32(10).fork()).ldelim();
    for (const v of m.tasks) PlannedTask.write(v, w.uint32(18).fork()).ldelim();
    for (const v of m.warnings) w.uint32(26).string(v);
    if (m.state !== '') w.uint32(34).string(m.state);
    if (m.duration !== 0) w.uint32(40).int64(m.duration);
    if (m.complete) w.uint32(48).bool(m.complete);
    if (m.nodes !== 0) w.uint32(56).int64(m.nodes);
    if (m.revision !== 0) w.uint32(64).int64(m.revision);
    return w;
  },
  read(r: Reader, length: number): PlanStackResponse {
    const end = r.pos + length;
    const m: { changes: PlannedChange[]; tasks: PlannedTask[]; warnings: string[]; state: string; duration: number; complete: boolean; nodes: number; revision: number } = { changes: [], tasks: [], warnings: [], state: '', duration: 0, complete: false, nodes: 0, revision: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.changes.push(PlannedChange.read(r, r.uint32()));
          break;
        case 2:
          m.tasks.push(PlannedTask.read(r, r.uint32()));
          break;
        case 3:
          m.warnings.push(r.string());
          break;
        case 4:
          m.state = r.string();
          break;
        case 5:
          m.duration = readInt64(r.int64());
          break;
        case 6:
          m.complete = r.bool();
          break;
        case 7:
          m.nodes = readInt64(r.int64());
          break;
        case 8:
          m.revision = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PlanStackResponse): Uint8Array => PlanStackResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PlanStackResponse => PlanStackResponse.read(Reader.create(bytes), bytes.length),
};

export interface RemoveStackRequest {
  readonly name: string;
  readonly volumes: boolean;
}
export const RemoveStackRequest: MessageType<RemoveStackRequest> = {
  name: 'RemoveStackRequest',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one' },
    { name: 'volumes', json: 'Volumes', id: 2, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<RemoveStackRequest> = {}): RemoveStackRequest => ({ name: p.name ?? '', volumes: p.volumes ?? false }),
  write(m: RemoveStackRequest, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.volumes) w.uint32(16).bool(m.volumes);
    return w;
  },
  read(r: Reader, length: number): RemoveStackRequest {
    const end = r.pos + length;
    const m: { name: string; volumes: boolean } = { name: '', volumes: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.volumes = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RemoveStackRequest): Uint8Array => RemoveStackRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RemoveStackRequest => RemoveStackRequest.read(Reader.create(bytes), bytes.length),
};

export interface RemoveStackResponse {
  readonly changes: readonly StackChange[];
  readonly index: number;
}
export const RemoveStackResponse: MessageType<RemoveStackResponse> = {
  name: 'RemoveStackResponse',
  fields: [
    { name: 'changes', json: 'Changes', id: 1, kind: 'message', shape: 'repeated', message: () => StackChange },
    { name: 'index', json: 'Index', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<RemoveStackResponse> = {}): RemoveStackResponse => ({ changes: p.changes ?? [], index: p.index ?? 0 }),
  write(m: RemoveStackResponse, w: Writer): Writer {
    for (const v of m.changes) StackChange.write(v, w.uint32(10).fork()).ldelim();
    if (m.index !== 0) w.uint32(16).int64(m.index);
    return w;
  },
  read(r: Reader, length: number): RemoveStackResponse {
    const end = r.pos + length;
    const m: { changes: StackChange[]; index: number } = { changes: [], index: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.changes.push(StackChange.read(r, r.uint32()));
          break;
        case 2:
          m.index = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: RemoveStackResponse): Uint8Array => RemoveStackResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RemoveStackResponse => RemoveStackResponse.read(Reader.create(bytes), bytes.length),
};

export const RolloutAction = {
  NONE: 0,
  PAUSE: 1,
  RESUME: 2,
  REBALANCE: 3,
} as const;
export type RolloutAction = (typeof RolloutAction)[keyof typeof RolloutAction];
export const RolloutActionText: ReadonlyMap<number, string> = new Map([[0, 'none'], [1, 'pause'], [2, 'resume'], [3, 'rebalance']]);

export interface ServiceActionRequest {
  /** ids */
  readonly services: readonly string[];
  readonly runState: RunState;
  readonly setRunState: boolean;
  readonly restart: boolean;
  readonly replicas: number | undefined;
  /** of an update that is under way, or paused */
  readonly rollout: RolloutAction;
  /** with restart: ids; only these tasks of the services. Empty = all of them */
  readonly restartTasks: readonly string[];
}
export const ServiceActionRequest: MessageType<ServiceActionRequest> = {
  name: 'ServiceActionRequest',
  fields: [
    { name: 'services', json: 'Services', id: 1, kind: 'string', shape: 'repeated' },
    { name: 'runState', json: 'RunState', id: 2, kind: 'enum', shape: 'one', text: RunStateText },
    { name: 'setRunState', json: 'SetRunState', id: 3, kind: 'bool', shape: 'one' },
    { name: 'restart', json: 'Restart', id: 4, kind: 'bool', shape: 'one' },
    { name: 'replicas', json: 'Replicas', id: 5, kind: 'int64', shape: 'optional' },
    { name: 'rollout', json: 'Rollout', id: 6, kind: 'enum', shape: 'one', text: RolloutActionText },
    { name: 'restartTasks', json: 'RestartTasks', id: 7, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<ServiceActionRequest> = {}): ServiceActionRequest => ({ services: p.services ?? [], runState: p.runState ?? 0, setRunState: p.setRunState ?? false, restart: p.restart ?? false, replicas: p.replicas, rollout: p.rollout ?? 0, restartTasks: p.restartTasks ?? [] }),
  write(m: ServiceActionRequest, w: Writer): Writer {
    for (const v of m.services) w.uint32(10).string(v);
    if (m.runState !== 0) w.uint32(16).int32(m.runState);
    if (m.setRunState) w.uint32(24).bool(m.setRunState);
    if (m.restart) w.uint32(32).bool(m.restart);
    if (m.replicas !== undefined) w.uint32(40).int64(m.replicas);
    if (m.rollout !== 0) w.uint32(48).int32(m.rollout);
    for (const v of m.restartTasks) w.uint32(58).string(v);
    return w;
  },
  read(r: Reader, length: number): ServiceActionRequest {
    const end = r.pos + length;
    const m: { services: string[]; runState: RunState; setRunState: boolean; restart: boolean; replicas: number | undefined; rollout: RolloutAction; restartTasks: string[] } = { services: [], runState: 0, setRunState: false, restart: false, replicas: undefined, rollout: 0, restartTasks: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.services.push(r.string());
          break;
        case 2:
          m.runState = r.int32() as RunState;
          break;
        case 3:
          m.setRunState = r.bool();
          break;
        case 4:
          m.restart = r.bool();
          break;
        case 5:
          m.replicas = readInt64(r.int64());
          break;
        case 6:
          m.rollout = r.int32() as RolloutAction;
          break;
        case 7:
          m.restartTasks.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceActionRequest): Uint8Array => ServiceActionRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceActionRequest => ServiceActionRequest.read(Reader.create(bytes), bytes.length),
};

export interface ServiceActionResponse {
  readonly index: number;
  /** ROLLOUT_ACTION_REBALANCE: tasks that move */
  readonly moving: number;
}
export const ServiceActionResponse: MessageType<ServiceActionResponse> = {
  name: 'ServiceActionResponse',
  fields: [
    { name: 'index', json: 'Index', id: 1, kind: 'int64', shape: 'one' },
    { name: 'moving', json: 'Moving', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<ServiceActionResponse> = {}): ServiceActionResponse => ({ index: p.index ?? 0, moving: p.moving ?? 0 }),
  write(m: ServiceActionResponse, w: Writer): Writer {
    if (m.index !== 0) w.uint32(8).int64(m.index);
    if (m.moving !== 0) w.uint32(16).int64(m.moving);
    return w;
  },
  read(r: Reader, length: number): ServiceActionResponse {
    const end = r.pos + length;
    const m: { index: number; moving: number } = { index: 0, moving: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.index = readInt64(r.int64());
          break;
        case 2:
          m.moving = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ServiceActionResponse): Uint8Array => ServiceActionResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ServiceActionResponse => ServiceActionResponse.read(Reader.create(bytes), bytes.length),
};

export interface WatchRequest {
  readonly kinds: readonly ObjectKind[];
  readonly from: number;
}
export const WatchRequest: MessageType<WatchRequest> = {
  name: 'WatchRequest',
  fields: [
    { name: 'kinds', json: 'Kinds', id: 1, kind: 'enum', shape: 'repeated', text: ObjectKindText },
    { name: 'from', json: 'From', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<WatchRequest> = {}): WatchRequest => ({ kinds: p.kinds ?? [], from: p.from ?? 0 }),
  write(m: WatchRequest, w: Writer): Writer {
    for (const v of m.kinds) w.uint32(8).int32(v);
    if (m.from !== 0) w.uint32(16).int64(m.from);
    return w;
  },
  read(r: Reader, length: number): WatchRequest {
    const end = r.pos + length;
    const m: { kinds: ObjectKind[]; from: number } = { kinds: [], from: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          if ((t & 7) === 2) {
            const stop = r.uint32() + r.pos;
            while (r.pos < stop) m.kinds.push(r.int32() as ObjectKind);
          } else {
            m.kinds.push(r.int32() as ObjectKind);
          }
          break;
        case 2:
          m.from = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WatchRequest): Uint8Array => WatchRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WatchRequest => WatchRequest.read(Reader.create(bytes), bytes.length),
};

export const WatchAction = {
  SNAPSHOT: 0,
  CREATE: 1,
  UPDATE: 2,
  REMOVE: 3,
} as const;
export type WatchAction = (typeof WatchAction)[keyof typeof WatchAction];
export const WatchActionText: ReadonlyMap<number, string> = new Map([[0, 'snapshot'], [1, 'create'], [2, 'update'], [3, 'remove']]);

export interface WatchEvent {
  readonly action: WatchAction;
  readonly object: ObjectUnion | undefined;
  readonly oldObject: ObjectUnion | undefined;
}
export const WatchEvent: MessageType<WatchEvent> = {
  name: 'WatchEvent',
  fields: [
    { name: 'action', json: 'Action', id: 1, kind: 'enum', shape: 'one', text: WatchActionText },
    { name: 'object', json: 'Object', id: 2, kind: 'message', shape: 'optional', message: () => ObjectUnion },
    { name: 'oldObject', json: 'OldObject', id: 3, kind: 'message', shape: 'optional', message: () => ObjectUnion },
  ],
  create: (p: Partial<WatchEvent> = {}): WatchEvent => ({ action: p.action ?? 0, object: p.object, oldObject: p.oldObject }),
  write(m: WatchEvent, w: Writer): Writer {
    if (m.action !== 0) w.uint32(8).int32(m.action);
    if (m.object !== undefined) ObjectUnion.write(m.object, w.uint32(18).fork()).ldelim();
    if (m.oldObject !== undefined) ObjectUnion.write(m.oldObject, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): WatchEvent {
    const end = r.pos + length;
    const m: { action: WatchAction; object: ObjectUnion | undefined; oldObject: ObjectUnion | undefined } = { action: 0, object: undefined, oldObject: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.action = r.int32() as WatchAction;
          break;
        case 2:
          m.object = ObjectUnion.read(r, r.uint32());
          break;
        case 3:
          m.oldObject = ObjectUnion.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WatchEvent): Uint8Array => WatchEvent.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WatchEvent => WatchEvent.read(Reader.create(bytes), bytes.length),
};

export interface WatchMessage {
  /** state after these events */
  readonly index: number;
  readonly events: readonly WatchEvent[];
  /** forget everything that you had */
  readonly snapshotBegin: boolean;
  readonly snapshotEnd: boolean;
}
export const WatchMessage: MessageType<WatchMessage> = {
  name: 'WatchMessage',
  fields: [
    { name: 'index', json: 'Index', id: 1, kind: 'int64', shape: 'one' },
    { name: 'events', json: 'Events', id: 2, kind: 'message', shape: 'repeated', message: () => WatchEvent },
    { name: 'snapshotBegin', json: 'SnapshotBegin', id: 3, kind: 'bool', shape: 'one' },
    { name: 'snapshotEnd', json: 'SnapshotEnd', id: 4, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<WatchMessage> = {}): WatchMessage => ({ index: p.index ?? 0, events: p.events ?? [], snapshotBegin: p.snapshotBegin ?? false, snapshotEnd: p.snapshotEnd ?? false }),
  write(m: WatchMessage, w: Writer): Writer {
    if (m.index !== 0) w.uint32(8).int64(m.index);
    for (const v of m.events) WatchEvent.write(v, w.uint32(18).fork()).ldelim();
    if (m.snapshotBegin) w.uint32(24).bool(m.snapshotBegin);
    if (m.snapshotEnd) w.uint32(32).bool(m.snapshotEnd);
    return w;
  },
  read(r: Reader, length: number): WatchMessage {
    const end = r.pos + length;
    const m: { index: number; events: WatchEvent[]; snapshotBegin: boolean; snapshotEnd: boolean } = { index: 0, events: [], snapshotBegin: false, snapshotEnd: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.index = readInt64(r.int64());
          break;
        case 2:
          m.events.push(WatchEvent.read(r, r.uint32()));
          break;
        case 3:
          m.snapshotBegin = r.bool();
          break;
        case 4:
          m.snapshotEnd = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WatchMessage): Uint8Array => WatchMessage.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WatchMessage => WatchMessage.read(Reader.create(bytes), bytes.length),
};

export interface ClusterStatusRequest {
}
export const ClusterStatusRequest: MessageType<ClusterStatusRequest> = {
  name: 'ClusterStatusRequest',
  fields: [
  ],
  create: (): ClusterStatusRequest => ({  }),
  write(m: ClusterStatusRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): ClusterStatusRequest {
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
  encode: (m: ClusterStatusRequest): Uint8Array => ClusterStatusRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ClusterStatusRequest => ClusterStatusRequest.read(Reader.create(bytes), bytes.length),
};

export interface ClusterStatusResponse {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly leader: boolean;
  readonly managers: number;
  readonly nodes: number;
  readonly index: number;
  readonly version: string;
  readonly joinTokenWorker: string;
  readonly joinTokenManager: string;
  readonly caCert: string;
  readonly controlAddr: string;
  /** "" = no leader is known to this manager */
  readonly leaderNodeId: string;
  /** control address of it */
  readonly leaderAddr: string;
  readonly autolock: boolean;
  /** a new root is on its way in */
  readonly rootRotation: boolean;
  /** as this manager knows them */
  readonly raftTerm: number;
  readonly raftCommit: number;
  readonly raftApplied: number;
}
export const ClusterStatusResponse: MessageType<ClusterStatusResponse> = {
  name: 'ClusterStatusResponse',
  fields: [
    { name: 'clusterId', json: 'ClusterID', id: 1, kind: 'string', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 2, kind: 'string', shape: 'one' },
    { name: 'leader', json: 'Leader', id: 3, kind: 'bool', shape: 'one' },
    { name: 'managers', json: 'Managers', id: 4, kind: 'int64', shape: 'one' },
    { name: 'nodes', json: 'Nodes', id: 5, kind: 'int64', shape: 'one' },
    { name: 'index', json: 'Index', id: 6, kind: 'int64', shape: 'one' },
    { name: 'version', json: 'Version', id: 7, kind: 'string', shape: 'one' },
    { name: 'joinTokenWorker', json: 'JoinTokenWorker', id: 8, kind: 'string', shape: 'one' },
    { name: 'joinTokenManager', json: 'JoinTokenManager', id: 9, kind: 'string', shape: 'one' },
    { name: 'caCert', json: 'CaCert', id: 10, kind: 'string', shape: 'one' },
    { name: 'controlAddr', json: 'ControlAddr', id: 11, kind: 'string', shape: 'one' },
    { name: 'leaderNodeId', json: 'LeaderNodeID', id: 12, kind: 'string', shape: 'one' },
    { name: 'leaderAddr', json: 'LeaderAddr', id: 13, kind: 'string', shape: 'one' },
    { name: 'autolock', json: 'Autolock', id: 14, kind: 'bool', shape: 'one' },
    { name: 'rootRotation', json: 'RootRotation', id: 15, kind: 'bool', shape: 'one' },
    { name: 'raftTerm', json: 'RaftTerm', id: 16, kind: 'int64', shape: 'one' },
    { name: 'raftCommit', json: 'RaftCommit', id: 17, kind: 'int64', shape: 'one' },
    { name: 'raftApplied', json: 'RaftApplied', id: 18, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<ClusterStatusResponse> = {}): ClusterStatusResponse => ({ clusterId: p.clusterId ?? '', nodeId: p.nodeId ?? '', leader: p.leader ?? false, managers: p.managers ?? 0, nodes: p.nodes ?? 0, index: p.index ?? 0, version: p.version ?? '', joinTokenWorker: p.joinTokenWorker ?? '', joinTokenManager: p.joinTokenManager ?? '', caCert: p.caCert ?? '', controlAddr: p.controlAddr ?? '', leaderNodeId: p.leaderNodeId ?? '', leaderAddr: p.leaderAddr ?? '', autolock: p.autolock ?? false, rootRotation: p.rootRotation ?? false, raftTerm: p.raftTerm ?? 0, raftCommit: p.raftCommit ?? 0, raftApplied: p.raftApplied ?? 0 }),
  write(m: ClusterStatusResponse, w: Writer): Writer {
    if (m.clusterId !== '') w.uint32(10).string(m.clusterId);
    if (m.nodeId !== '') w.uint32(18).string(m.nodeId);
    if (m.leader) w.uint32(24).bool(m.leader);
    if (m.managers !== 0) w.uint32(32).int64(m.managers);
    if (m.nodes !== 0) w.uint32(40).int64(m.nodes);
    if (m.index !== 0) w.uint32(48).int64(m.index);
    if (m.version !== '') w.uint32(58).string(m.version);
    if (m.joinTokenWorker !== '') w.uint32(66).string(m.joinTokenWorker);
    if (m.joinTokenManager !== '') w.uint32(74).string(m.joinTokenManager);
    if (m.caCert !== '') w.uint32(82).string(m.caCert);
    if (m.controlAddr !== '') w.uint32(90).string(m.controlAddr);
    if (m.leaderNodeId !== '') w.uint32(98).string(m.leaderNodeId);
    if (m.leaderAddr !== '') w.uint32(106).string(m.leaderAddr);
    if (m.autolock) w.uint32(112).bool(m.autolock);
    if (m.rootRotation) w.uint32(120).bool(m.rootRotation);
    if (m.raftTerm !== 0) w.uint32(128).int64(m.raftTerm);
    if (m.raftCommit !== 0) w.uint32(136).int64(m.raftCommit);
    if (m.raftApplied !== 0) w.uint32(144).int64(m.raftApplied);
    return w;
  },
  read(r: Reader, length: number): ClusterStatusResponse {
    const end = r.pos + length;
    const m: { clusterId: string; nodeId: string; leader: boolean; managers: number; nodes: number; index: number; version: string; joinTokenWorker: string; joinTokenManager: string; caCert: string; controlAddr: string; leaderNodeId: string; leaderAddr: string; autolock: boolean; rootRotation: boolean; raftTerm: number; raftCommit: number; raftApplied: number } = { clusterId: '', nodeId: '', leader: false, managers: 0, nodes: 0, index: 0, version: '', joinTokenWorker: '', joinTokenManager: '', caCert: '', controlAddr: '', leaderNodeId: '', leaderAddr: '', autolock: false, rootRotation: false, raftTerm: 0, raftCommit: 0, raftApplied: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.clusterId = r.string();
          break;
        case 2:
          m.nodeId = r.string();
          break;
        case 3:
          m.leader = r.bool();
          break;
        case 4:
          m.managers = readInt64(r.int64());
          break;
        case 5:
          m.nodes = readInt64(r.int64());
          break;
        case 6:
          m.index = readInt64(r.int64());
          break;
        case 7:
          m.version = r.string();
          break;
        case 8:
          m.joinTokenWorker = r.string();
          break;
        case 9:
          m.joinTokenManager = r.string();
          break;
        case 10:
          m.caCert = r.string();
          break;
        case 11:
          m.controlAddr = r.string();
          break;
        case 12:
          m.leaderNodeId = r.string();
          break;
        case 13:
          m.leaderAddr = r.string();
          break;
        case 14:
          m.autolock = r.bool();
          break;
        case 15:
          m.rootRotation = r.bool();
          break;
        case 16:
          m.raftTerm = readInt64(r.int64());
          break;
        case 17:
          m.raftCommit = readInt64(r.int64());
          break;
        case 18:
          m.raftApplied = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ClusterStatusResponse): Uint8Array => ClusterStatusResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ClusterStatusResponse => ClusterStatusResponse.read(Reader.create(bytes), bytes.length),
};

export interface ReadIndexRequest {
}
export const ReadIndexRequest: MessageType<ReadIndexRequest> = {
  name: 'ReadIndexRequest',
  fields: [
  ],
  create: (): ReadIndexRequest => ({  }),
  write(m: ReadIndexRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): ReadIndexRequest {
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
  encode: (m: ReadIndexRequest): Uint8Array => ReadIndexRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReadIndexRequest => ReadIndexRequest.read(Reader.create(bytes), bytes.length),
};

export interface ReadIndexResponse {
  readonly index: number;
}
export const ReadIndexResponse: MessageType<ReadIndexResponse> = {
  name: 'ReadIndexResponse',
  fields: [
    { name: 'index', json: 'Index', id: 1, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<ReadIndexResponse> = {}): ReadIndexResponse => ({ index: p.index ?? 0 }),
  write(m: ReadIndexResponse, w: Writer): Writer {
    if (m.index !== 0) w.uint32(8).int64(m.index);
    return w;
  },
  read(r: Reader, length: number): ReadIndexResponse {
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
  encode: (m: ReadIndexResponse): Uint8Array => ReadIndexResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReadIndexResponse => ReadIndexResponse.read(Reader.create(bytes), bytes.length),
};

export interface GetUnlockKeyRequest {
}
export const GetUnlockKeyRequest: MessageType<GetUnlockKeyRequest> = {
  name: 'GetUnlockKeyRequest',
  fields: [
  ],
  create: (): GetUnlockKeyRequest => ({  }),
  write(m: GetUnlockKeyRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): GetUnlockKeyRequest {
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
  encode: (m: GetUnlockKeyRequest): Uint8Array => GetUnlockKeyRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GetUnlockKeyRequest => GetUnlockKeyRequest.read(Reader.create(bytes), bytes.length),
};

export interface GetUnlockKeyResponse {
  readonly unlockKey: string;
}
export const GetUnlockKeyResponse: MessageType<GetUnlockKeyResponse> = {
  name: 'GetUnlockKeyResponse',
  fields: [
    { name: 'unlockKey', json: 'UnlockKey', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<GetUnlockKeyResponse> = {}): GetUnlockKeyResponse => ({ unlockKey: p.unlockKey ?? '' }),
  write(m: GetUnlockKeyResponse, w: Writer): Writer {
    if (m.unlockKey !== '') w.uint32(10).string(m.unlockKey);
    return w;
  },
  read(r: Reader, length: number): GetUnlockKeyResponse {
    const end = r.pos + length;
    const m: { unlockKey: string } = { unlockKey: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.unlockKey = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GetUnlockKeyResponse): Uint8Array => GetUnlockKeyResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GetUnlockKeyResponse => GetUnlockKeyResponse.read(Reader.create(bytes), bytes.length),
};

/** A backup file is the concatenation of all chunks. */
export interface BackupRequest {
}
export const BackupRequest: MessageType<BackupRequest> = {
  name: 'BackupRequest',
  fields: [
  ],
  create: (): BackupRequest => ({  }),
  write(m: BackupRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): BackupRequest {
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
  encode: (m: BackupRequest): Uint8Array => BackupRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BackupRequest => BackupRequest.read(Reader.create(bytes), bytes.length),
};

export interface BackupChunk {
  readonly data: Uint8Array;
}
export const BackupChunk: MessageType<BackupChunk> = {
  name: 'BackupChunk',
  fields: [
    { name: 'data', json: 'Data', id: 1, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<BackupChunk> = {}): BackupChunk => ({ data: p.data ?? NO_BYTES }),
  write(m: BackupChunk, w: Writer): Writer {
    if (m.data.length > 0) w.uint32(10).bytes(m.data);
    return w;
  },
  read(r: Reader, length: number): BackupChunk {
    const end = r.pos + length;
    const m: { data: Uint8Array } = { data: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.data = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BackupChunk): Uint8Array => BackupChunk.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BackupChunk => BackupChunk.read(Reader.create(bytes), bytes.length),
};

/** A certificate of the cluster's root for a key outside of the nodes; only the request's public key counts. */
export interface IssueCertificateRequest {
  /** PEM */
  readonly csr: string;
  /** a person's or program's: of this credential (kind CERTIFICATE); "" = for this gateway's TLS listener */
  readonly credentialId: string;
  /** of the listener: DNS names */
  readonly names: readonly string[];
  /** of the listener: IP addresses, 4 or 16 bytes */
  readonly addresses: readonly Uint8Array[];
}
export const IssueCertificateRequest: MessageType<IssueCertificateRequest> = {
  name: 'IssueCertificateRequest',
  fields: [
    { name: 'csr', json: 'Csr', id: 1, kind: 'string', shape: 'one' },
    { name: 'credentialId', json: 'CredentialID', id: 2, kind: 'string', shape: 'one' },
    { name: 'names', json: 'Names', id: 3, kind: 'string', shape: 'repeated' },
    { name: 'addresses', json: 'Addresses', id: 4, kind: 'bytes', shape: 'repeated' },
  ],
  create: (p: Partial<IssueCertificateRequest> = {}): IssueCertificateRequest => ({ csr: p.csr ?? '', credentialId: p.credentialId ?? '', names: p.names ?? [], addresses: p.addresses ?? [] }),
  write(m: IssueCertificateRequest, w: Writer): Writer {
    if (m.csr !== '') w.uint32(10).string(m.csr);
    if (m.credentialId !== '') w.uint32(18).string(m.credentialId);
    for (const v of m.names) w.uint32(26).string(v);
    for (const v of m.addresses) w.uint32(34).bytes(v);
    return w;
  },
  read(r: Reader, length: number): IssueCertificateRequest {
    const end = r.pos + length;
    const m: { csr: string; credentialId: string; names: string[]; addresses: Uint8Array[] } = { csr: '', credentialId: '', names: [], addresses: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.csr = r.string();
          break;
        case 2:
          m.credentialId = r.string();
          break;
        case 3:
          m.names.push(r.string());
          break;
        case 4:
          m.addresses.push(sizeLimitedBytes(r.bytes()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IssueCertificateRequest): Uint8Array => IssueCertificateRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IssueCertificateRequest => IssueCertificateRequest.read(Reader.create(bytes), bytes.length),
};

export interface IssueCertificateResponse {
  readonly certificate: string;
  readonly caCert: string;
}
export const IssueCertificateResponse: MessageType<IssueCertificateResponse> = {
  name: 'IssueCertificateResponse',
  fields: [
    { name: 'certificate', json: 'Certificate', id: 1, kind: 'string', shape: 'one' },
    { name: 'caCert', json: 'CaCert', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<IssueCertificateResponse> = {}): IssueCertificateResponse => ({ certificate: p.certificate ?? '', caCert: p.caCert ?? '' }),
  write(m: IssueCertificateResponse, w: Writer): Writer {
    if (m.certificate !== '') w.uint32(10).string(m.certificate);
    if (m.caCert !== '') w.uint32(18).string(m.caCert);
    return w;
  },
  read(r: Reader, length: number): IssueCertificateResponse {
    const end = r.pos + length;
    const m: { certificate: string; caCert: string } = { certificate: '', caCert: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.certificate = r.string();
          break;
        case 2:
          m.caCert = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IssueCertificateResponse): Uint8Array => IssueCertificateResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IssueCertificateResponse => IssueCertificateResponse.read(Reader.create(bytes), bytes.length),
};

export interface HistoryRequest {
  readonly limit: number;
}
export const HistoryRequest: MessageType<HistoryRequest> = {
  name: 'HistoryRequest',
  fields: [
    { name: 'limit', json: 'Limit', id: 1, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<HistoryRequest> = {}): HistoryRequest => ({ limit: p.limit ?? 0 }),
  write(m: HistoryRequest, w: Writer): Writer {
    if (m.limit !== 0) w.uint32(8).int64(m.limit);
    return w;
  },
  read(r: Reader, length: number): HistoryRequest {
    const end = r.pos + length;
    const m: { limit: number } = { limit: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.limit = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HistoryRequest): Uint8Array => HistoryRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HistoryRequest => HistoryRequest.read(Reader.create(bytes), bytes.length),
};

export interface HistoryResponse {
  readonly entries: readonly HistoryEntry[];
}
export const HistoryResponse: MessageType<HistoryResponse> = {
  name: 'HistoryResponse',
  fields: [
    { name: 'entries', json: 'Entries', id: 1, kind: 'message', shape: 'repeated', message: () => HistoryEntry },
  ],
  create: (p: Partial<HistoryResponse> = {}): HistoryResponse => ({ entries: p.entries ?? [] }),
  write(m: HistoryResponse, w: Writer): Writer {
    for (const v of m.entries) HistoryEntry.write(v, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): HistoryResponse {
    const end = r.pos + length;
    const m: { entries: HistoryEntry[] } = { entries: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.entries.push(HistoryEntry.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: HistoryResponse): Uint8Array => HistoryResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): HistoryResponse => HistoryResponse.read(Reader.create(bytes), bytes.length),
};

/** ---- why: what the scheduler and the orchestrator know, as data; words are made by whoever shows it ------------------------- */
export interface WhyRequest {
  readonly kind: ObjectKind;
  readonly id: string;
}
export const WhyRequest: MessageType<WhyRequest> = {
  name: 'WhyRequest',
  fields: [
    { name: 'kind', json: 'Kind', id: 1, kind: 'enum', shape: 'one', text: ObjectKindText },
    { name: 'id', json: 'ID', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<WhyRequest> = {}): WhyRequest => ({ kind: p.kind ?? 0, id: p.id ?? '' }),
  write(m: WhyRequest, w: Writer): Writer {
    if (m.kind !== 0) w.uint32(8).int32(m.kind);
    if (m.id !== '') w.uint32(18).string(m.id);
    return w;
  },
  read(r: Reader, length: number): WhyRequest {
    const end = r.pos + length;
    const m: { kind: ObjectKind; id: string } = { kind: 0, id: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.kind = r.int32() as ObjectKind;
          break;
        case 2:
          m.id = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyRequest): Uint8Array => WhyRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyRequest => WhyRequest.read(Reader.create(bytes), bytes.length),
};

export interface WhyRefusal {
  readonly nodeId: string;
  readonly hostname: string;
  readonly detail: string;
}
export const WhyRefusal: MessageType<WhyRefusal> = {
  name: 'WhyRefusal',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'hostname', json: 'Hostname', id: 2, kind: 'string', shape: 'one' },
    { name: 'detail', json: 'Detail', id: 3, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<WhyRefusal> = {}): WhyRefusal => ({ nodeId: p.nodeId ?? '', hostname: p.hostname ?? '', detail: p.detail ?? '' }),
  write(m: WhyRefusal, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.hostname !== '') w.uint32(18).string(m.hostname);
    if (m.detail !== '') w.uint32(26).string(m.detail);
    return w;
  },
  read(r: Reader, length: number): WhyRefusal {
    const end = r.pos + length;
    const m: { nodeId: string; hostname: string; detail: string } = { nodeId: '', hostname: '', detail: '' };
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
          m.detail = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyRefusal): Uint8Array => WhyRefusal.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyRefusal => WhyRefusal.read(Reader.create(bytes), bytes.length),
};

export interface WhyFilter {
  /** ready, resource, plugin, constraint, platform, host-port, max-replicas, volume */
  readonly name: string;
  /** that it refused */
  readonly nodes: number;
  /** the first of them */
  readonly refusals: readonly WhyRefusal[];
}
export const WhyFilter: MessageType<WhyFilter> = {
  name: 'WhyFilter',
  fields: [
    { name: 'name', json: 'Name', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'nodes', json: 'Nodes', id: 2, kind: 'int64', shape: 'one', always: true },
    { name: 'refusals', json: 'Refusals', id: 3, kind: 'message', shape: 'repeated', message: () => WhyRefusal },
  ],
  create: (p: Partial<WhyFilter> = {}): WhyFilter => ({ name: p.name ?? '', nodes: p.nodes ?? 0, refusals: p.refusals ?? [] }),
  write(m: WhyFilter, w: Writer): Writer {
    if (m.name !== '') w.uint32(10).string(m.name);
    if (m.nodes !== 0) w.uint32(16).int64(m.nodes);
    for (const v of m.refusals) WhyRefusal.write(v, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): WhyFilter {
    const end = r.pos + length;
    const m: { name: string; nodes: number; refusals: WhyRefusal[] } = { name: '', nodes: 0, refusals: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.name = r.string();
          break;
        case 2:
          m.nodes = readInt64(r.int64());
          break;
        case 3:
          m.refusals.push(WhyRefusal.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyFilter): Uint8Array => WhyFilter.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyFilter => WhyFilter.read(Reader.create(bytes), bytes.length),
};

export interface WhyScore {
  readonly nodeId: string;
  readonly hostname: string;
  readonly recentFailures: number;
  /** tasks of the service in the node's branch, per preference */
  readonly spread: readonly number[];
  readonly serviceTasks: number;
  /** with this task */
  readonly reservedPercent: number;
  readonly tasks: number;
  readonly hasImage: boolean;
  /** 1 = first choice */
  readonly rank: number;
}
export const WhyScore: MessageType<WhyScore> = {
  name: 'WhyScore',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'hostname', json: 'Hostname', id: 2, kind: 'string', shape: 'one' },
    { name: 'recentFailures', json: 'RecentFailures', id: 3, kind: 'int64', shape: 'one', always: true },
    { name: 'spread', json: 'Spread', id: 4, kind: 'int64', shape: 'repeated' },
    { name: 'serviceTasks', json: 'ServiceTasks', id: 5, kind: 'int64', shape: 'one', always: true },
    { name: 'reservedPercent', json: 'ReservedPercent', id: 6, kind: 'int64', shape: 'one', always: true },
    { name: 'tasks', json: 'Tasks', id: 7, kind: 'int64', shape: 'one', always: true },
    { name: 'hasImage', json: 'HasImage', id: 8, kind: 'bool', shape: 'one', always: true },
    { name: 'rank', json: 'Rank', id: 9, kind: 'int64', shape: 'one', always: true },
  ],
  create: (p: Partial<WhyScore> = {}): WhyScore => ({ nodeId: p.nodeId ?? '', hostname: p.hostname ?? '', recentFailures: p.recentFailures ?? 0, spread: p.spread ?? [], serviceTasks: p.serviceTasks ?? 0, reservedPercent: p.reservedPercent ?? 0, tasks: p.tasks ?? 0, hasImage: p.hasImage ?? false, rank: p.rank ?? 0 }),
  write(m: WhyScore, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.hostname !== '') w.uint32(18).string(m.hostname);
    if (m.recentFailures !== 0) w.uint32(24).int64(m.recentFailures);
    for (const v of m.spread) w.uint32(32).int64(v);
    if (m.serviceTasks !== 0) w.uint32(40).int64(m.serviceTasks);
    if (m.reservedPercent !== 0) w.uint32(48).int64(m.reservedPercent);
    if (m.tasks !== 0) w.uint32(56).int64(m.tasks);
    if (m.hasImage) w.uint32(64).bool(m.hasImage);
    if (m.rank !== 0) w.uint32(72).int64(m.rank);
    return w;
  },
  read(r: Reader, length: number): WhyScore {
    const end = r.pos + length;
    const m: { nodeId: string; hostname: string; recentFailures: number; spread: number[]; serviceTasks: number; reservedPercent: number; tasks: number; hasImage: boolean; rank: number } = { nodeId: '', hostname: '', recentFailures: 0, spread: [], serviceTasks: 0, reservedPercent: 0, tasks: 0, hasImage: false, rank: 0 };
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
          m.recentFailures = readInt64(r.int64());
          break;
        case 4:
          if ((t & 7) === 2) {
            const stop = r.uint32() + r.pos;
            while (r.pos < stop) m.spread.push(readInt64(r.int64()));
          } else {
            m.spread.push(readInt64(r.int64()));
          }
          break;
        case 5:
          m.serviceTasks = readInt64(r.int64());
          break;
        case 6:
          m.reservedPercent = readInt64(r.int64());
          break;
        case 7:
          m.tasks = readInt64(r.int64());
          break;
        case 8:
          m.hasImage = r.bool();
          break;
        case 9:
          m.rank = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyScore): Uint8Array => WhyScore.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyScore => WhyScore.read(Reader.create(bytes), bytes.length),
};

export interface WhyFix {
  readonly code: string;
  readonly values: readonly string[];
}
export const WhyFix: MessageType<WhyFix> = {
  name: 'WhyFix',
  fields: [
    { name: 'code', json: 'Code', id: 1, kind: 'string', shape: 'one' },
    { name: 'values', json: 'Values', id: 2, kind: 'string', shape: 'repeated' },
  ],
  create: (p: Partial<WhyFix> = {}): WhyFix => ({ code: p.code ?? '', values: p.values ?? [] }),
  write(m: WhyFix, w: Writer): Writer {
    if (m.code !== '') w.uint32(10).string(m.code);
    for (const v of m.values) w.uint32(18).string(v);
    return w;
  },
  read(r: Reader, length: number): WhyFix {
    const end = r.pos + length;
    const m: { code: string; values: string[] } = { code: '', values: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.code = r.string();
          break;
        case 2:
          m.values.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyFix): Uint8Array => WhyFix.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyFix => WhyFix.read(Reader.create(bytes), bytes.length),
};

export interface WhyEarlierTask {
  readonly taskId: string;
  readonly nodeId: string;
  readonly state: TaskState;
  readonly createdAt: number;
  readonly runningSince: number;
  readonly endedAt: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly err: string;
  /** failed, completed, updated, node-down, node-drained, node-removed, constraint, scaled, removed, unknown */
  readonly replacedBecause: string;
}
export const WhyEarlierTask: MessageType<WhyEarlierTask> = {
  name: 'WhyEarlierTask',
  fields: [
    { name: 'taskId', json: 'TaskID', id: 1, kind: 'string', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 2, kind: 'string', shape: 'one' },
    { name: 'state', json: 'State', id: 3, kind: 'enum', shape: 'one', text: TaskStateText },
    { name: 'createdAt', json: 'CreatedAt', id: 4, kind: 'int64', shape: 'one', time: true },
    { name: 'runningSince', json: 'RunningSince', id: 5, kind: 'int64', shape: 'one', time: true },
    { name: 'endedAt', json: 'EndedAt', id: 6, kind: 'int64', shape: 'one', time: true },
    { name: 'exitCode', json: 'ExitCode', id: 7, kind: 'int64', shape: 'one', always: true },
    { name: 'oomKilled', json: 'OOMKilled', id: 8, kind: 'bool', shape: 'one' },
    { name: 'err', json: 'Err', id: 9, kind: 'string', shape: 'one' },
    { name: 'replacedBecause', json: 'ReplacedBecause', id: 10, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<WhyEarlierTask> = {}): WhyEarlierTask => ({ taskId: p.taskId ?? '', nodeId: p.nodeId ?? '', state: p.state ?? 0, createdAt: p.createdAt ?? 0, runningSince: p.runningSince ?? 0, endedAt: p.endedAt ?? 0, exitCode: p.exitCode ?? 0, oomKilled: p.oomKilled ?? false, err: p.err ?? '', replacedBecause: p.replacedBecause ?? '' }),
  write(m: WhyEarlierTask, w: Writer): Writer {
    if (m.taskId !== '') w.uint32(10).string(m.taskId);
    if (m.nodeId !== '') w.uint32(18).string(m.nodeId);
    if (m.state !== 0) w.uint32(24).int32(m.state);
    if (m.createdAt !== 0) w.uint32(32).int64(m.createdAt);
    if (m.runningSince !== 0) w.uint32(40).int64(m.runningSince);
    if (m.endedAt !== 0) w.uint32(48).int64(m.endedAt);
    if (m.exitCode !== 0) w.uint32(56).int64(m.exitCode);
    if (m.oomKilled) w.uint32(64).bool(m.oomKilled);
    if (m.err !== '') w.uint32(74).string(m.err);
    if (m.replacedBecause !== '') w.uint32(82).string(m.replacedBecause);
    return w;
  },
  read(r: Reader, length: number): WhyEarlierTask {
    const end = r.pos + length;
    const m: { taskId: string; nodeId: string; state: TaskState; createdAt: number; runningSince: number; endedAt: number; exitCode: number; oomKilled: boolean; err: string; replacedBecause: string } = { taskId: '', nodeId: '', state: 0, createdAt: 0, runningSince: 0, endedAt: 0, exitCode: 0, oomKilled: false, err: '', replacedBecause: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.taskId = r.string();
          break;
        case 2:
          m.nodeId = r.string();
          break;
        case 3:
          m.state = r.int32() as TaskState;
          break;
        case 4:
          m.createdAt = readInt64(r.int64());
          break;
        case 5:
          m.runningSince = readInt64(r.int64());
          break;
        case 6:
          m.endedAt = readInt64(r.int64());
          break;
        case 7:
          m.exitCode = readInt64(r.int64());
          break;
        case 8:
          m.oomKilled = r.bool();
          break;
        case 9:
          m.err = r.string();
          break;
        case 10:
          m.replacedBecause = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyEarlierTask): Uint8Array => WhyEarlierTask.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyEarlierTask => WhyEarlierTask.read(Reader.create(bytes), bytes.length),
};

export interface WhyTask {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly state: TaskState;
  readonly desiredState: TaskState;
  readonly message: string;
  readonly err: string;
  readonly waitingFor: string;
  /** that were asked */
  readonly nodes: number;
  readonly filters: readonly WhyFilter[];
  readonly scores: readonly WhyScore[];
  readonly fixes: readonly WhyFix[];
  readonly earlier: readonly WhyEarlierTask[];
  /** it is held back until then */
  readonly restartsAt: number;
  /** drained: nodes that have not heard of it yet */
  readonly unacknowledgedBy: readonly string[];
  readonly restartCount: number;
}
export const WhyTask: MessageType<WhyTask> = {
  name: 'WhyTask',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'name', json: 'Name', id: 2, kind: 'string', shape: 'one', always: true },
    { name: 'serviceId', json: 'ServiceID', id: 3, kind: 'string', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 4, kind: 'string', shape: 'one' },
    { name: 'state', json: 'State', id: 5, kind: 'enum', shape: 'one', text: TaskStateText, always: true },
    { name: 'desiredState', json: 'DesiredState', id: 6, kind: 'enum', shape: 'one', text: TaskStateText, always: true },
    { name: 'message', json: 'Message', id: 7, kind: 'string', shape: 'one' },
    { name: 'err', json: 'Err', id: 8, kind: 'string', shape: 'one' },
    { name: 'waitingFor', json: 'WaitingFor', id: 9, kind: 'string', shape: 'one' },
    { name: 'nodes', json: 'Nodes', id: 10, kind: 'int64', shape: 'one', always: true },
    { name: 'filters', json: 'Filters', id: 11, kind: 'message', shape: 'repeated', message: () => WhyFilter },
    { name: 'scores', json: 'Scores', id: 12, kind: 'message', shape: 'repeated', message: () => WhyScore },
    { name: 'fixes', json: 'Fixes', id: 13, kind: 'message', shape: 'repeated', message: () => WhyFix },
    { name: 'earlier', json: 'Earlier', id: 14, kind: 'message', shape: 'repeated', message: () => WhyEarlierTask },
    { name: 'restartsAt', json: 'RestartsAt', id: 15, kind: 'int64', shape: 'one', time: true },
    { name: 'unacknowledgedBy', json: 'UnacknowledgedBy', id: 16, kind: 'string', shape: 'repeated' },
    { name: 'restartCount', json: 'RestartCount', id: 17, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<WhyTask> = {}): WhyTask => ({ id: p.id ?? '', name: p.name ?? '', serviceId: p.serviceId ?? '', nodeId: p.nodeId ?? '', state: p.state ?? 0, desiredState: p.desiredState ?? 0, message: p.message ?? '', err: p.err ?? '', waitingFor: p.waitingFor ?? '', nodes: p.nodes ?? 0, filters: p.filters ?? [], scores: p.scores ?? [], fixes: p.fixes ?? [], earlier: p.earlier ?? [], restartsAt: p.restartsAt ?? 0, unacknowledgedBy: p.unacknowledgedBy ?? [], restartCount: p.restartCount ?? 0 }),
  write(m: WhyTask, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.name !== '') w.uint32(18).string(m.name);
    if (m.serviceId !== '') w.uint32(26).string(m.serviceId);
    if (m.nodeId !== '') w.uint32(34).string(m.nodeId);
    if (m.state !== 0) w.uint32(40).int32(m.state);
    if (m.desiredState !== 0) w.uint32(48).int32(m.desiredState);
    if (m.message !== '') w.uint32(58).string(m.message);
    if (m.err !== '') w.uint32(66).string(m.err);
    if (m.waitingFor !== '') w.uint32(74).string(m.waitingFor);
    if (m.nodes !== 0) w.uint32(80).int64(m.nodes);
    for (const v of m.filters) WhyFilter.write(v, w.uint32(90).fork()).ldelim();
    for (const v of m.scores) WhyScore.write(v, w.uint32(98).fork()).ldelim();
    for (const v of m.fixes) WhyFix.write(v, w.uint32(106).fork()).ldelim();
    for (const v of m.earlier) WhyEarlierTask.write(v, w.uint32(114).fork()).ldelim();
    if (m.restartsAt !== 0) w.uint32(120).int64(m.restartsAt);
    for (const v of m.unacknowledgedBy) w.uint32(130).string(v);
    if (m.restartCount !== 0) w.uint32(136).int64(m.restartCount);
    return w;
  },
  read(r: Reader, length: number): WhyTask {
    const end = r.pos + length;
    const m: { id: string; name: string; serviceId: string; nodeId: string; state: TaskState; desiredState: TaskState; message: string; err: string; waitingFor: string; nodes: number; filters: WhyFilter[]; scores: WhyScore[]; fixes: WhyFix[]; earlier: WhyEarlierTask[]; restartsAt: number; unacknowledgedBy: string[]; restartCount: number } = { id: '', name: '', serviceId: '', nodeId: '', state: 0, desiredState: 0, message: '', err: '', waitingFor: '', nodes: 0, filters: [], scores: [], fixes: [], earlier: [], restartsAt: 0, unacknowledgedBy: [], restartCount: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.name = r.string();
          break;
        case 3:
          m.serviceId = r.string();
          break;
        case 4:
          m.nodeId = r.string();
          break;
        case 5:
          m.state = r.int32() as TaskState;
          break;
        case 6:
          m.desiredState = r.int32() as TaskState;
          break;
        case 7:
          m.message = r.string();
          break;
        case 8:
          m.err = r.string();
          break;
        case 9:
          m.waitingFor = r.string();
          break;
        case 10:
          m.nodes = readInt64(r.int64());
          break;
        case 11:
          m.filters.push(WhyFilter.read(r, r.uint32()));
          break;
        case 12:
          m.scores.push(WhyScore.read(r, r.uint32()));
          break;
        case 13:
          m.fixes.push(WhyFix.read(r, r.uint32()));
          break;
        case 14:
          m.earlier.push(WhyEarlierTask.read(r, r.uint32()));
          break;
        case 15:
          m.restartsAt = readInt64(r.int64());
          break;
        case 16:
          m.unacknowledgedBy.push(r.string());
          break;
        case 17:
          m.restartCount = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyTask): Uint8Array => WhyTask.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyTask => WhyTask.read(Reader.create(bytes), bytes.length),
};

export interface WhyReason {
  readonly reason: string;
  readonly tasks: number;
  readonly exampleTaskId: string;
}
export const WhyReason: MessageType<WhyReason> = {
  name: 'WhyReason',
  fields: [
    { name: 'reason', json: 'Reason', id: 1, kind: 'string', shape: 'one' },
    { name: 'tasks', json: 'Tasks', id: 2, kind: 'int64', shape: 'one', always: true },
    { name: 'exampleTaskId', json: 'ExampleTaskID', id: 3, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<WhyReason> = {}): WhyReason => ({ reason: p.reason ?? '', tasks: p.tasks ?? 0, exampleTaskId: p.exampleTaskId ?? '' }),
  write(m: WhyReason, w: Writer): Writer {
    if (m.reason !== '') w.uint32(10).string(m.reason);
    if (m.tasks !== 0) w.uint32(16).int64(m.tasks);
    if (m.exampleTaskId !== '') w.uint32(26).string(m.exampleTaskId);
    return w;
  },
  read(r: Reader, length: number): WhyReason {
    const end = r.pos + length;
    const m: { reason: string; tasks: number; exampleTaskId: string } = { reason: '', tasks: 0, exampleTaskId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.reason = r.string();
          break;
        case 2:
          m.tasks = readInt64(r.int64());
          break;
        case 3:
          m.exampleTaskId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyReason): Uint8Array => WhyReason.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyReason => WhyReason.read(Reader.create(bytes), bytes.length),
};

export interface WhyService {
  readonly id: string;
  readonly name: string;
  readonly desired: number;
  readonly running: number;
  readonly updateStatus: UpdateStatus | undefined;
  /** why tasks do not run, by text */
  readonly reasons: readonly WhyReason[];
  /** of the update, or the latest */
  readonly failures: readonly WhyEarlierTask[];
  readonly fixes: readonly WhyFix[];
  /** a task that finds no node */
  readonly example: WhyTask | undefined;
}
export const WhyService: MessageType<WhyService> = {
  name: 'WhyService',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'name', json: 'Name', id: 2, kind: 'string', shape: 'one', always: true },
    { name: 'desired', json: 'Desired', id: 3, kind: 'int64', shape: 'one', always: true },
    { name: 'running', json: 'Running', id: 4, kind: 'int64', shape: 'one', always: true },
    { name: 'updateStatus', json: 'UpdateStatus', id: 5, kind: 'message', shape: 'optional', message: () => UpdateStatus },
    { name: 'reasons', json: 'Reasons', id: 6, kind: 'message', shape: 'repeated', message: () => WhyReason },
    { name: 'failures', json: 'Failures', id: 7, kind: 'message', shape: 'repeated', message: () => WhyEarlierTask },
    { name: 'fixes', json: 'Fixes', id: 8, kind: 'message', shape: 'repeated', message: () => WhyFix },
    { name: 'example', json: 'Example', id: 9, kind: 'message', shape: 'optional', message: () => WhyTask },
  ],
  create: (p: Partial<WhyService> = {}): WhyService => ({ id: p.id ?? '', name: p.name ?? '', desired: p.desired ?? 0, running: p.running ?? 0, updateStatus: p.updateStatus, reasons: p.reasons ?? [], failures: p.failures ?? [], fixes: p.fixes ?? [], example: p.example }),
  write(m: WhyService, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.name !== '') w.uint32(18).string(m.name);
    if (m.desired !== 0) w.uint32(24).int64(m.desired);
    if (m.running !== 0) w.uint32(32).int64(m.running);
    if (m.updateStatus !== undefined) UpdateStatus.write(m.updateStatus, w.uint32(42).fork()).ldelim();
    for (const v of m.reasons) WhyReason.write(v, w.uint32(50).fork()).ldelim();
    for (const v of m.failures) WhyEarlierTask.write(v, w.uint32(58).fork()).ldelim();
    for (const v of m.fixes) WhyFix.write(v, w.uint32(66).fork()).ldelim();
    if (m.example !== undefined) WhyTask.write(m.example, w.uint32(74).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): WhyService {
    const end = r.pos + length;
    const m: { id: string; name: string; desired: number; running: number; updateStatus: UpdateStatus | undefined; reasons: WhyReason[]; failures: WhyEarlierTask[]; fixes: WhyFix[]; example: WhyTask | undefined } = { id: '', name: '', desired: 0, running: 0, updateStatus: undefined, reasons: [], failures: [], fixes: [], example: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.name = r.string();
          break;
        case 3:
          m.desired = readInt64(r.int64());
          break;
        case 4:
          m.running = readInt64(r.int64());
          break;
        case 5:
          m.updateStatus = UpdateStatus.read(r, r.uint32());
          break;
        case 6:
          m.reasons.push(WhyReason.read(r, r.uint32()));
          break;
        case 7:
          m.failures.push(WhyEarlierTask.read(r, r.uint32()));
          break;
        case 8:
          m.fixes.push(WhyFix.read(r, r.uint32()));
          break;
        case 9:
          m.example = WhyTask.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyService): Uint8Array => WhyService.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyService => WhyService.read(Reader.create(bytes), bytes.length),
};

export interface WhyPending {
  readonly taskId: string;
  readonly name: string;
  readonly filter: string;
  readonly detail: string;
}
export const WhyPending: MessageType<WhyPending> = {
  name: 'WhyPending',
  fields: [
    { name: 'taskId', json: 'TaskID', id: 1, kind: 'string', shape: 'one' },
    { name: 'name', json: 'Name', id: 2, kind: 'string', shape: 'one' },
    { name: 'filter', json: 'Filter', id: 3, kind: 'string', shape: 'one' },
    { name: 'detail', json: 'Detail', id: 4, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<WhyPending> = {}): WhyPending => ({ taskId: p.taskId ?? '', name: p.name ?? '', filter: p.filter ?? '', detail: p.detail ?? '' }),
  write(m: WhyPending, w: Writer): Writer {
    if (m.taskId !== '') w.uint32(10).string(m.taskId);
    if (m.name !== '') w.uint32(18).string(m.name);
    if (m.filter !== '') w.uint32(26).string(m.filter);
    if (m.detail !== '') w.uint32(34).string(m.detail);
    return w;
  },
  read(r: Reader, length: number): WhyPending {
    const end = r.pos + length;
    const m: { taskId: string; name: string; filter: string; detail: string } = { taskId: '', name: '', filter: '', detail: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.taskId = r.string();
          break;
        case 2:
          m.name = r.string();
          break;
        case 3:
          m.filter = r.string();
          break;
        case 4:
          m.detail = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyPending): Uint8Array => WhyPending.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyPending => WhyPending.read(Reader.create(bytes), bytes.length),
};

export interface WhyNode {
  readonly id: string;
  readonly hostname: string;
  readonly state: NodeState;
  readonly availability: NodeAvailability;
  readonly message: string;
  readonly tasks: number;
  readonly nanoCpus: number;
  readonly nanoCpusReserved: number;
  readonly memoryBytes: number;
  readonly memoryBytesReserved: number;
  /** pending tasks that cannot go there */
  readonly refused: readonly WhyPending[];
  /** tasks that are still on a drained node */
  readonly stays: readonly WhyPending[];
  readonly fixes: readonly WhyFix[];
}
export const WhyNode: MessageType<WhyNode> = {
  name: 'WhyNode',
  fields: [
    { name: 'id', json: 'ID', id: 1, kind: 'string', shape: 'one', always: true },
    { name: 'hostname', json: 'Hostname', id: 2, kind: 'string', shape: 'one' },
    { name: 'state', json: 'State', id: 3, kind: 'enum', shape: 'one', text: NodeStateText, always: true },
    { name: 'availability', json: 'Availability', id: 4, kind: 'enum', shape: 'one', text: NodeAvailabilityText, always: true },
    { name: 'message', json: 'Message', id: 5, kind: 'string', shape: 'one' },
    { name: 'tasks', json: 'Tasks', id: 6, kind: 'int64', shape: 'one', always: true },
    { name: 'nanoCpus', json: 'NanoCPUs', id: 7, kind: 'int64', shape: 'one', always: true },
    { name: 'nanoCpusReserved', json: 'NanoCPUsReserved', id: 8, kind: 'int64', shape: 'one', always: true },
    { name: 'memoryBytes', json: 'MemoryBytes', id: 9, kind: 'int64', shape: 'one', always: true },
    { name: 'memoryBytesReserved', json: 'MemoryBytesReserved', id: 10, kind: 'int64', shape: 'one', always: true },
    { name: 'refused', json: 'Refused', id: 11, kind: 'message', shape: 'repeated', message: () => WhyPending },
    { name: 'stays', json: 'Stays', id: 12, kind: 'message', shape: 'repeated', message: () => WhyPending },
    { name: 'fixes', json: 'Fixes', id: 13, kind: 'message', shape: 'repeated', message: () => WhyFix },
  ],
  create: (p: Partial<WhyNode> = {}): WhyNode => ({ id: p.id ?? '', hostname: p.hostname ?? '', state: p.state ?? 0, availability: p.availability ?? 0, message: p.message ?? '', tasks: p.tasks ?? 0, nanoCpus: p.nanoCpus ?? 0, nanoCpusReserved: p.nanoCpusReserved ?? 0, memoryBytes: p.memoryBytes ?? 0, memoryBytesReserved: p.memoryBytesReserved ?? 0, refused: p.refused ?? [], stays: p.stays ?? [], fixes: p.fixes ?? [] }),
  write(m: WhyNode, w: Writer): Writer {
    if (m.id !== '') w.uint32(10).string(m.id);
    if (m.hostname !== '') w.uint32(18).string(m.hostname);
    if (m.state !== 0) w.uint32(24).int32(m.state);
    if (m.availability !== 0) w.uint32(32).int32(m.availability);
    if (m.message !== '') w.uint32(42).string(m.message);
    if (m.tasks !== 0) w.uint32(48).int64(m.tasks);
    if (m.nanoCpus !== 0) w.uint32(56).int64(m.nanoCpus);
    if (m.nanoCpusReserved !== 0) w.uint32(64).int64(m.nanoCpusReserved);
    if (m.memoryBytes !== 0) w.uint32(72).int64(m.memoryBytes);
    if (m.memoryBytesReserved !== 0) w.uint32(80).int64(m.memoryBytesReserved);
    for (const v of m.refused) WhyPending.write(v, w.uint32(90).fork()).ldelim();
    for (const v of m.stays) WhyPending.write(v, w.uint32(98).fork()).ldelim();
    for (const v of m.fixes) WhyFix.write(v, w.uint32(106).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): WhyNode {
    const end = r.pos + length;
    const m: { id: string; hostname: string; state: NodeState; availability: NodeAvailability; message: string; tasks: number; nanoCpus: number; nanoCpusReserved: number; memoryBytes: number; memoryBytesReserved: number; refused: WhyPending[]; stays: WhyPending[]; fixes: WhyFix[] } = { id: '', hostname: '', state: 0, availability: 0, message: '', tasks: 0, nanoCpus: 0, nanoCpusReserved: 0, memoryBytes: 0, memoryBytesReserved: 0, refused: [], stays: [], fixes: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.id = r.string();
          break;
        case 2:
          m.hostname = r.string();
          break;
        case 3:
          m.state = r.int32() as NodeState;
          break;
        case 4:
          m.availability = r.int32() as NodeAvailability;
          break;
        case 5:
          m.message = r.string();
          break;
        case 6:
          m.tasks = readInt64(r.int64());
          break;
        case 7:
          m.nanoCpus = readInt64(r.int64());
          break;
        case 8:
          m.nanoCpusReserved = readInt64(r.int64());
          break;
        case 9:
          m.memoryBytes = readInt64(r.int64());
          break;
        case 10:
          m.memoryBytesReserved = readInt64(r.int64());
          break;
        case 11:
          m.refused.push(WhyPending.read(r, r.uint32()));
          break;
        case 12:
          m.stays.push(WhyPending.read(r, r.uint32()));
          break;
        case 13:
          m.fixes.push(WhyFix.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyNode): Uint8Array => WhyNode.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyNode => WhyNode.read(Reader.create(bytes), bytes.length),
};

export interface WhyResponse {
  readonly task: WhyTask | undefined;
  readonly service: WhyService | undefined;
  readonly node: WhyNode | undefined;
}
export const WhyResponse: MessageType<WhyResponse> = {
  name: 'WhyResponse',
  fields: [
    { name: 'task', json: 'Task', id: 1, kind: 'message', shape: 'optional', message: () => WhyTask },
    { name: 'service', json: 'Service', id: 2, kind: 'message', shape: 'optional', message: () => WhyService },
    { name: 'node', json: 'Node', id: 3, kind: 'message', shape: 'optional', message: () => WhyNode },
  ],
  create: (p: Partial<WhyResponse> = {}): WhyResponse => ({ task: p.task, service: p.service, node: p.node }),
  write(m: WhyResponse, w: Writer): Writer {
    if (m.task !== undefined) WhyTask.write(m.task, w.uint32(10).fork()).ldelim();
    if (m.service !== undefined) WhyService.write(m.service, w.uint32(18).fork()).ldelim();
    if (m.node !== undefined) WhyNode.write(m.node, w.uint32(26).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): WhyResponse {
    const end = r.pos + length;
    const m: { task: WhyTask | undefined; service: WhyService | undefined; node: WhyNode | undefined } = { task: undefined, service: undefined, node: undefined };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.task = WhyTask.read(r, r.uint32());
          break;
        case 2:
          m.service = WhyService.read(r, r.uint32());
          break;
        case 3:
          m.node = WhyNode.read(r, r.uint32());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: WhyResponse): Uint8Array => WhyResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): WhyResponse => WhyResponse.read(Reader.create(bytes), bytes.length),
};

export interface ControlMethods {
  readonly createObject: { readonly request: CreateObjectRequest; readonly response: ObjectResponse; readonly requestStream: false; readonly responseStream: false };
  readonly updateObject: { readonly request: UpdateObjectRequest; readonly response: ObjectResponse; readonly requestStream: false; readonly responseStream: false };
  readonly removeObject: { readonly request: RemoveObjectRequest; readonly response: ObjectResponse; readonly requestStream: false; readonly responseStream: false };
  readonly getObject: { readonly request: GetObjectRequest; readonly response: ObjectResponse; readonly requestStream: false; readonly responseStream: false };
  readonly deployStack: { readonly request: DeployStackRequest; readonly response: DeployStackResponse; readonly requestStream: false; readonly responseStream: false };
  readonly planStack: { readonly request: DeployStackRequest; readonly response: PlanStackResponse; readonly requestStream: false; readonly responseStream: false };
  readonly removeStack: { readonly request: RemoveStackRequest; readonly response: RemoveStackResponse; readonly requestStream: false; readonly responseStream: false };
  readonly serviceAction: { readonly request: ServiceActionRequest; readonly response: ServiceActionResponse; readonly requestStream: false; readonly responseStream: false };
  readonly watch: { readonly request: WatchRequest; readonly response: WatchMessage; readonly requestStream: false; readonly responseStream: true };
  readonly clusterStatus: { readonly request: ClusterStatusRequest; readonly response: ClusterStatusResponse; readonly requestStream: false; readonly responseStream: false };
  readonly history: { readonly request: HistoryRequest; readonly response: HistoryResponse; readonly requestStream: false; readonly responseStream: false };
  readonly why: { readonly request: WhyRequest; readonly response: WhyResponse; readonly requestStream: false; readonly responseStream: false };
  readonly readIndex: { readonly request: ReadIndexRequest; readonly response: ReadIndexResponse; readonly requestStream: false; readonly responseStream: false };
  readonly getUnlockKey: { readonly request: GetUnlockKeyRequest; readonly response: GetUnlockKeyResponse; readonly requestStream: false; readonly responseStream: false };
  readonly issueCertificate: { readonly request: IssueCertificateRequest; readonly response: IssueCertificateResponse; readonly requestStream: false; readonly responseStream: false };
  readonly backup: { readonly request: BackupRequest; readonly response: BackupChunk; readonly requestStream: false; readonly responseStream: true };
}
export const ControlService: ServiceDescriptor<ControlMethods> = {
  name: 'tswarm.v1.Control',
  methods: {
    createObject: { path: '/tswarm.v1.Control/CreateObject', request: CreateObjectRequest, response: ObjectResponse, requestStream: false, responseStream: false },
    updateObject: { path: '/tswarm.v1.Control/UpdateObject', request: UpdateObjectRequest, response: ObjectResponse, requestStream: false, responseStream: false },
    removeObject: { path: '/tswarm.v1.Control/RemoveObject', request: RemoveObjectRequest, response: ObjectResponse, requestStream: false, responseStream: false },
    getObject: { path: '/tswarm.v1.Control/GetObject', request: GetObjectRequest, response: ObjectResponse, requestStream: false, responseStream: false },
    deployStack: { path: '/tswarm.v1.Control/DeployStack', request: DeployStackRequest, response: DeployStackResponse, requestStream: false, responseStream: false },
    planStack: { path: '/tswarm.v1.Control/PlanStack', request: DeployStackRequest, response: PlanStackResponse, requestStream: false, responseStream: false },
    removeStack: { path: '/tswarm.v1.Control/RemoveStack', request: RemoveStackRequest, response: RemoveStackResponse, requestStream: false, responseStream: false },
    serviceAction: { path: '/tswarm.v1.Control/ServiceAction', request: ServiceActionRequest, response: ServiceActionResponse, requestStream: false, responseStream: false },
    watch: { path: '/tswarm.v1.Control/Watch', request: WatchRequest, response: WatchMessage, requestStream: false, responseStream: true },
    clusterStatus: { path: '/tswarm.v1.Control/ClusterStatus', request: ClusterStatusRequest, response: ClusterStatusResponse, requestStream: false, responseStream: false },
    history: { path: '/tswarm.v1.Control/History', request: HistoryRequest, response: HistoryResponse, requestStream: false, responseStream: false },
    why: { path: '/tswarm.v1.Control/Why', request: WhyRequest, response: WhyResponse, requestStream: false, responseStream: false },
    readIndex: { path: '/tswarm.v1.Control/ReadIndex', request: ReadIndexRequest, response: ReadIndexResponse, requestStream: false, responseStream: false },
    getUnlockKey: { path: '/tswarm.v1.Control/GetUnlockKey', request: GetUnlockKeyRequest, response: GetUnlockKeyResponse, requestStream: false, responseStream: false },
    issueCertificate: { path: '/tswarm.v1.Control/IssueCertificate', request: IssueCertificateRequest, response: IssueCertificateResponse, requestStream: false, responseStream: false },
    backup: { path: '/tswarm.v1.Control/Backup', request: BackupRequest, response: BackupChunk, requestStream: false, responseStream: true },
  },
};
