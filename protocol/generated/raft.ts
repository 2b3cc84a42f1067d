// Generated from protocol/proto/raft.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';

/** The first frame of every call: who calls whom, and what it knows of the group. */
export interface PeerHello {
  /** of this protocol: 1 */
  readonly version: number;
  readonly clusterId: string;
  /** Raft ids */
  readonly from: number;
  readonly to: number;
  /** how often the group was forced to begin anew (force-new-cluster); 0 with an empty log as well */
  readonly epoch: number;
  /** index up to which the caller knows the log to be committed */
  readonly commit: number;
  /** the caller is a member by the configuration at `commit` */
  readonly member: boolean;
  /** host:port at which the caller is reached now, whatever was known before; "" = as known */
  readonly addr: string;
  /** of the caller's process: tells a copy of its disk from itself; "" = not said */
  readonly instance: string;
  /** whoever is called is a member by the caller's configuration in effect */
  readonly namesCallee: boolean;
}
export const PeerHello: MessageType<PeerHello> = {
  name: 'PeerHello',
  fields: [
    { name: 'version', json: 'Version', id: 1, kind: 'int64', shape: 'one' },
    { name: 'clusterId', json: 'ClusterID', id: 2, kind: 'string', shape: 'one' },
    { name: 'from', json: 'From', id: 3, kind: 'int64', shape: 'one' },
    { name: 'to', json: 'To', id: 4, kind: 'int64', shape: 'one' },
    { name: 'epoch', json: 'Epoch', id: 5, kind: 'int64', shape: 'one' },
    { name: 'commit', json: 'Commit', id: 6, kind: 'int64', shape: 'one' },
    { name: 'member', json: 'Member', id: 7, kind: 'bool', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 8, kind: 'string', shape: 'one' },
    { name: 'instance', json: 'Instance', id: 9, kind: 'string', shape: 'one' },
    { name: 'namesCallee', json: 'NamesCallee', id: 10, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<PeerHello> = {}): PeerHello => ({ version: p.version ?? 0, clusterId: p.clusterId ?? '', from: p.from ?? 0, to: p.to ?? 0, epoch: p.epoch ?? 0, commit: p.commit ?? 0, member: p.member ?? false, addr: p.addr ?? '', instance: p.instance ?? '', namesCallee: p.namesCallee ?? false }),
  write(m: PeerHello, w: Writer): Writer {
    if (m.version !== 0) w.uint32(8).int64(m.version);
    if (m.clusterId !== '') w.uint32(18).string(m.clusterId);
    if (m.from !== 0) w.uint32(24).int64(m.from);
    if (m.to !== 0) w.uint32(32).int64(m.to);
    if (m.epoch !== 0) w.uint32(40).int64(m.epoch);
    if (m.commit !== 0) w.uint32(48).int64(m.commit);
    if (m.member) w.uint32(56).bool(m.member);
    if (m.addr !== '') w.uint32(66).string(m.addr);
    if (m.instance !== '') w.uint32(74).string(m.instance);
    if (m.namesCallee) w.uint32(80).bool(m.namesCallee);
    return w;
  },
  read(r: Reader, length: number): PeerHello {
    const end = r.pos + length;
    const m: { version: number; clusterId: string; from: number; to: number; epoch: number; commit: number; member: boolean; addr: string; instance: string; namesCallee: boolean } = { version: 0, clusterId: '', from: 0, to: 0, epoch: 0, commit: 0, member: false, addr: '', instance: '', namesCallee: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.version = readInt64(r.int64());
          break;
        case 2:
          m.clusterId = r.string();
          break;
        case 3:
          m.from = readInt64(r.int64());
          break;
        case 4:
          m.to = readInt64(r.int64());
          break;
        case 5:
          m.epoch = readInt64(r.int64());
          break;
        case 6:
          m.commit = readInt64(r.int64());
          break;
        case 7:
          m.member = r.bool();
          break;
        case 8:
          m.addr = r.string();
          break;
        case 9:
          m.instance = r.string();
          break;
        case 10:
          m.namesCallee = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PeerHello): Uint8Array => PeerHello.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PeerHello => PeerHello.read(Reader.create(bytes), bytes.length),
};

/** Everything that one turn brought for this member. */
export interface PeerFrame {
  readonly hello: PeerHello | undefined;
  readonly messages: Uint8Array;
}
export const PeerFrame: MessageType<PeerFrame> = {
  name: 'PeerFrame',
  fields: [
    { name: 'hello', json: 'Hello', id: 1, kind: 'message', shape: 'optional', message: () => PeerHello },
    { name: 'messages', json: 'Messages', id: 2, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<PeerFrame> = {}): PeerFrame => ({ hello: p.hello, messages: p.messages ?? NO_BYTES }),
  write(m: PeerFrame, w: Writer): Writer {
    if (m.hello !== undefined) PeerHello.write(m.hello, w.uint32(10).fork()).ldelim();
    if (m.messages.length > 0) w.uint32(18).bytes(m.messages);
    return w;
  },
  read(r: Reader, length: number): PeerFrame {
    const end = r.pos + length;
    const m: { hello: PeerHello | undefined; messages: Uint8Array } = { hello: undefined, messages: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.hello = PeerHello.read(r, r.uint32());
          break;
        case 2:
          m.messages = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PeerFrame): Uint8Array => PeerFrame.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PeerFrame => PeerFrame.read(Reader.create(bytes), bytes.length),
};

/** Answer to the hello; nothing else comes on this way. */
export interface PeerNotice {
  readonly accepted: boolean;
}
export const PeerNotice: MessageType<PeerNotice> = {
  name: 'PeerNotice',
  fields: [
    { name: 'accepted', json: 'Accepted', id: 1, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<PeerNotice> = {}): PeerNotice => ({ accepted: p.accepted ?? false }),
  write(m: PeerNotice, w: Writer): Writer {
    if (m.accepted) w.uint32(8).bool(m.accepted);
    return w;
  },
  read(r: Reader, length: number): PeerNotice {
    const end = r.pos + length;
    const m: { accepted: boolean } = { accepted: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.accepted = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: PeerNotice): Uint8Array => PeerNotice.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): PeerNotice => PeerNotice.read(Reader.create(bytes), bytes.length),
};

export interface SnapshotHello {
  readonly peer: PeerHello | undefined;
  /** the core's message, without the snapshot's data */
  readonly message: Uint8Array;
  readonly totalBytes: number;
}
export const SnapshotHello: MessageType<SnapshotHello> = {
  name: 'SnapshotHello',
  fields: [
    { name: 'peer', json: 'Peer', id: 1, kind: 'message', shape: 'optional', message: () => PeerHello },
    { name: 'message', json: 'Message', id: 2, kind: 'bytes', shape: 'one' },
    { name: 'totalBytes', json: 'TotalBytes', id: 3, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<SnapshotHello> = {}): SnapshotHello => ({ peer: p.peer, message: p.message ?? NO_BYTES, totalBytes: p.totalBytes ?? 0 }),
  write(m: SnapshotHello, w: Writer): Writer {
    if (m.peer !== undefined) PeerHello.write(m.peer, w.uint32(10).fork()).ldelim();
    if (m.message.length > 0) w.uint32(18).bytes(m.message);
    if (m.totalBytes !== 0) w.uint32(24).int64(m.totalBytes);
    return w;
  },
  read(r: Reader, length: number): SnapshotHello {
    const end = r.pos + length;
    const m: { peer: PeerHello | undefined; message: Uint8Array; totalBytes: number } = { peer: undefined, message: NO_BYTES, totalBytes: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.peer = PeerHello.read(r, r.uint32());
          break;
        case 2:
          m.message = sizeLimitedBytes(r.bytes());
          break;
        case 3:
          m.totalBytes = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SnapshotHello): Uint8Array => SnapshotHello.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SnapshotHello => SnapshotHello.read(Reader.create(bytes), bytes.length),
};

/** hello first; then data from the offset that the answer names; the digest with the last piece. */
export interface SnapshotFrame {
  readonly hello: SnapshotHello | undefined;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly sha256: Uint8Array;
}
export const SnapshotFrame: MessageType<SnapshotFrame> = {
  name: 'SnapshotFrame',
  fields: [
    { name: 'hello', json: 'Hello', id: 1, kind: 'message', shape: 'optional', message: () => SnapshotHello },
    { name: 'offset', json: 'Offset', id: 2, kind: 'int64', shape: 'one' },
    { name: 'data', json: 'Data', id: 3, kind: 'bytes', shape: 'one' },
    { name: 'sha256', json: 'Sha256', id: 4, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<SnapshotFrame> = {}): SnapshotFrame => ({ hello: p.hello, offset: p.offset ?? 0, data: p.data ?? NO_BYTES, sha256: p.sha256 ?? NO_BYTES }),
  write(m: SnapshotFrame, w: Writer): Writer {
    if (m.hello !== undefined) SnapshotHello.write(m.hello, w.uint32(10).fork()).ldelim();
    if (m.offset !== 0) w.uint32(16).int64(m.offset);
    if (m.data.length > 0) w.uint32(26).bytes(m.data);
    if (m.sha256.length > 0) w.uint32(34).bytes(m.sha256);
    return w;
  },
  read(r: Reader, length: number): SnapshotFrame {
    const end = r.pos + length;
    const m: { hello: SnapshotHello | undefined; offset: number; data: Uint8Array; sha256: Uint8Array } = { hello: undefined, offset: 0, data: NO_BYTES, sha256: NO_BYTES };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.hello = SnapshotHello.read(r, r.uint32());
          break;
        case 2:
          m.offset = readInt64(r.int64());
          break;
        case 3:
          m.data = sizeLimitedBytes(r.bytes());
          break;
        case 4:
          m.sha256 = sizeLimitedBytes(r.bytes());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SnapshotFrame): Uint8Array => SnapshotFrame.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SnapshotFrame => SnapshotFrame.read(Reader.create(bytes), bytes.length),
};

export interface SnapshotNotice {
  /** so much of it is here already */
  readonly offset: number;
  /** whole, right and handed over */
  readonly done: boolean;
}
export const SnapshotNotice: MessageType<SnapshotNotice> = {
  name: 'SnapshotNotice',
  fields: [
    { name: 'offset', json: 'Offset', id: 1, kind: 'int64', shape: 'one' },
    { name: 'done', json: 'Done', id: 2, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<SnapshotNotice> = {}): SnapshotNotice => ({ offset: p.offset ?? 0, done: p.done ?? false }),
  write(m: SnapshotNotice, w: Writer): Writer {
    if (m.offset !== 0) w.uint32(8).int64(m.offset);
    if (m.done) w.uint32(16).bool(m.done);
    return w;
  },
  read(r: Reader, length: number): SnapshotNotice {
    const end = r.pos + length;
    const m: { offset: number; done: boolean } = { offset: 0, done: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.offset = readInt64(r.int64());
          break;
        case 2:
          m.done = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SnapshotNotice): Uint8Array => SnapshotNotice.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SnapshotNotice => SnapshotNotice.read(Reader.create(bytes), bytes.length),
};

/** A refusal that says "removed" (code failed_precondition, metadata field "removed") means: the caller is out of the group for good. */
export interface RaftTransportMethods {
  readonly messages: { readonly request: PeerFrame; readonly response: PeerNotice; readonly requestStream: true; readonly responseStream: true };
  readonly snapshot: { readonly request: SnapshotFrame; readonly response: SnapshotNotice; readonly requestStream: true; readonly responseStream: true };
}
export const RaftTransportService: ServiceDescriptor<RaftTransportMethods> = {
  name: 'tswarm.v1.RaftTransport',
  methods: {
    messages: { path: '/tswarm.v1.RaftTransport/Messages', request: PeerFrame, response: PeerNotice, requestStream: true, responseStream: true },
    snapshot: { path: '/tswarm.v1.RaftTransport/Snapshot', request: SnapshotFrame, response: SnapshotNotice, requestStream: true, responseStream: true },
  },
};
