// Generated from protocol/proto/membership.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';
import { ManagerAddress } from './dispatcher.ts';

export interface RaftPeer {
  readonly raftId: number;
  readonly nodeId: string;
  readonly addr: string;
}
export const RaftPeer: MessageType<RaftPeer> = {
  name: 'RaftPeer',
  fields: [
    { name: 'raftId', json: 'RaftID', id: 1, kind: 'int64', shape: 'one' },
    { name: 'nodeId', json: 'NodeID', id: 2, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 3, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<RaftPeer> = {}): RaftPeer => ({ raftId: p.raftId ?? 0, nodeId: p.nodeId ?? '', addr: p.addr ?? '' }),
  write(m: RaftPeer, w: Writer): Writer {
    if (m.raftId !== 0) w.uint32(8).int64(m.raftId);
    if (m.nodeId !== '') w.uint32(18).string(m.nodeId);
    if (m.addr !== '') w.uint32(26).string(m.addr);
    return w;
  },
  read(r: Reader, length: number): RaftPeer {
    const end = r.pos + length;
    const m: { raftId: number; nodeId: string; addr: string } = { raftId: 0, nodeId: '', addr: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.raftId = readInt64(r.int64());
          break;
        case 2:
          m.nodeId = r.string();
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
  encode: (m: RaftPeer): Uint8Array => RaftPeer.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): RaftPeer => RaftPeer.read(Reader.create(bytes), bytes.length),
};

export interface JoinRequest {
  /** must be the certificate's */
  readonly nodeId: string;
  /** host:port as nodes and managers reach it; an unspecified host is replaced by the observed one */
  readonly controlAddr: string;
  readonly raftAddr: string;
  /** of the disk, when it has one from an earlier try; 0 = give me one */
  readonly raftId: number;
  /** version that the manager speaks */
  readonly protocol: number;
}
export const JoinRequest: MessageType<JoinRequest> = {
  name: 'JoinRequest',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'controlAddr', json: 'ControlAddr', id: 2, kind: 'string', shape: 'one' },
    { name: 'raftAddr', json: 'RaftAddr', id: 3, kind: 'string', shape: 'one' },
    { name: 'raftId', json: 'RaftID', id: 4, kind: 'int64', shape: 'one' },
    { name: 'protocol', json: 'Protocol', id: 5, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<JoinRequest> = {}): JoinRequest => ({ nodeId: p.nodeId ?? '', controlAddr: p.controlAddr ?? '', raftAddr: p.raftAddr ?? '', raftId: p.raftId ?? 0, protocol: p.protocol ?? 0 }),
  write(m: JoinRequest, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.controlAddr !== '') w.uint32(18).string(m.controlAddr);
    if (m.raftAddr !== '') w.uint32(26).string(m.raftAddr);
    if (m.raftId !== 0) w.uint32(32).int64(m.raftId);
    if (m.protocol !== 0) w.uint32(40).int64(m.protocol);
    return w;
  },
  read(r: Reader, length: number): JoinRequest {
    const end = r.pos + length;
    const m: { nodeId: string; controlAddr: string; raftAddr: string; raftId: number; protocol: number } = { nodeId: '', controlAddr: '', raftAddr: '', raftId: 0, protocol: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.controlAddr = r.string();
          break;
        case 3:
          m.raftAddr = r.string();
          break;
        case 4:
          m.raftId = readInt64(r.int64());
          break;
        case 5:
          m.protocol = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: JoinRequest): Uint8Array => JoinRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): JoinRequest => JoinRequest.read(Reader.create(bytes), bytes.length),
};

export interface JoinResponse {
  readonly raftId: number;
  /** all members, the caller included */
  readonly peers: readonly RaftPeer[];
  readonly managers: readonly ManagerAddress[];
  /** empty = autolock is off; else seal the keys with it from the start */
  readonly unlockKey: Uint8Array;
  /** as recorded */
  readonly controlAddr: string;
  readonly raftAddr: string;
}
export const JoinResponse: MessageType<JoinResponse> = {
  name: 'JoinResponse',
  fields: [
    { name: 'raftId', json: 'RaftID', id: 1, kind: 'int64', shape: 'one' },
    { name: 'peers', json: 'Peers', id: 2, kind: 'message', shape: 'repeated', message: () => RaftPeer },
    { name: 'managers', json: 'Managers', id: 3, kind: 'message', shape: 'repeated', message: () => ManagerAddress },
    { name: 'unlockKey', json: 'UnlockKey', id: 4, kind: 'bytes', shape: 'one' },
    { name: 'controlAddr', json: 'ControlAddr', id: 5, kind: 'string', shape: 'one' },
    { name: 'raftAddr', json: 'RaftAddr', id: 6, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<JoinResponse> = {}): JoinResponse => ({ raftId: p.raftId ?? 0, peers: p.peers ?? [], managers: p.managers ?? [], unlockKey: p.unlockKey ?? NO_BYTES, controlAddr: p.controlAddr ?? '', raftAddr: p.raftAddr ?? '' }),
  write(m: JoinResponse, w: Writer): Writer {
    if (m.raftId !== 0) w.uint32(8).int64(m.raftId);
    for (const v of m.peers) RaftPeer.write(v, w.uint32(18).fork()).ldelim();
    for (const v of m.managers) ManagerAddress.write(v, w.uint32(26).fork()).ldelim();
    if (m.unlockKey.length > 0) w.uint32(34).bytes(m.unlockKey);
    if (m.controlAddr !== '') w.uint32(42).string(m.controlAddr);
    if (m.raftAddr !== '') w.uint32(50).string(m.raftAddr);
    return w;
  },
  read(r: Reader, length: number): JoinResponse {
    const end = r.pos + length;
    const m: { raftId: number; peers: RaftPeer[]; managers: ManagerAddress[]; unlockKey: Uint8Array; controlAddr: string; raftAddr: string } = { raftId: 0, peers: [], managers: [], unlockKey: NO_BYTES, controlAddr: '', raftAddr: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.raftId = readInt64(r.int64());
          break;
        case 2:
          m.peers.push(RaftPeer.read(r, r.uint32()));
          break;
        case 3:
          m.managers.push(ManagerAddress.read(r, r.uint32()));
          break;
        case 4:
          m.unlockKey = sizeLimitedBytes(r.bytes());
          break;
        case 5:
          m.controlAddr = r.string();
          break;
        case 6:
          m.raftAddr = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: JoinResponse): Uint8Array => JoinResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): JoinResponse => JoinResponse.read(Reader.create(bytes), bytes.length),
};

/** At every start and whenever something of it changes. */
export interface AnnounceRequest {
  readonly nodeId: string;
  readonly raftId: number;
  readonly controlAddr: string;
  readonly raftAddr: string;
  /** of the root that signed the manager's certificate */
  readonly rootDigest: string;
  /** PEM, when this manager has signed one for its own worker; "" = unchanged */
  readonly workerCertificate: string;
  /** when this manager has signed one for its own gateway; "" = unchanged */
  readonly adminRootDigest: string;
  /** of its process, as in its PeerHello; "" = not said */
  readonly instance: string;
}
export const AnnounceRequest: MessageType<AnnounceRequest> = {
  name: 'AnnounceRequest',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'raftId', json: 'RaftID', id: 2, kind: 'int64', shape: 'one' },
    { name: 'controlAddr', json: 'ControlAddr', id: 3, kind: 'string', shape: 'one' },
    { name: 'raftAddr', json: 'RaftAddr', id: 4, kind: 'string', shape: 'one' },
    { name: 'rootDigest', json: 'RootDigest', id: 5, kind: 'string', shape: 'one' },
    { name: 'workerCertificate', json: 'WorkerCertificate', id: 6, kind: 'string', shape: 'one' },
    { name: 'adminRootDigest', json: 'AdminRootDigest', id: 7, kind: 'string', shape: 'one' },
    { name: 'instance', json: 'Instance', id: 8, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<AnnounceRequest> = {}): AnnounceRequest => ({ nodeId: p.nodeId ?? '', raftId: p.raftId ?? 0, controlAddr: p.controlAddr ?? '', raftAddr: p.raftAddr ?? '', rootDigest: p.rootDigest ?? '', workerCertificate: p.workerCertificate ?? '', adminRootDigest: p.adminRootDigest ?? '', instance: p.instance ?? '' }),
  write(m: AnnounceRequest, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.raftId !== 0) w.uint32(16).int64(m.raftId);
    if (m.controlAddr !== '') w.uint32(26).string(m.controlAddr);
    if (m.raftAddr !== '') w.uint32(34).string(m.raftAddr);
    if (m.rootDigest !== '') w.uint32(42).string(m.rootDigest);
    if (m.workerCertificate !== '') w.uint32(50).string(m.workerCertificate);
    if (m.adminRootDigest !== '') w.uint32(58).string(m.adminRootDigest);
    if (m.instance !== '') w.uint32(66).string(m.instance);
    return w;
  },
  read(r: Reader, length: number): AnnounceRequest {
    const end = r.pos + length;
    const m: { nodeId: string; raftId: number; controlAddr: string; raftAddr: string; rootDigest: string; workerCertificate: string; adminRootDigest: string; instance: string } = { nodeId: '', raftId: 0, controlAddr: '', raftAddr: '', rootDigest: '', workerCertificate: '', adminRootDigest: '', instance: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.raftId = readInt64(r.int64());
          break;
        case 3:
          m.controlAddr = r.string();
          break;
        case 4:
          m.raftAddr = r.string();
          break;
        case 5:
          m.rootDigest = r.string();
          break;
        case 6:
          m.workerCertificate = r.string();
          break;
        case 7:
          m.adminRootDigest = r.string();
          break;
        case 8:
          m.instance = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: AnnounceRequest): Uint8Array => AnnounceRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AnnounceRequest => AnnounceRequest.read(Reader.create(bytes), bytes.length),
};

export interface AnnounceResponse {
}
export const AnnounceResponse: MessageType<AnnounceResponse> = {
  name: 'AnnounceResponse',
  fields: [
  ],
  create: (): AnnounceResponse => ({  }),
  write(m: AnnounceResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): AnnounceResponse {
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
  encode: (m: AnnounceResponse): Uint8Array => AnnounceResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): AnnounceResponse => AnnounceResponse.read(Reader.create(bytes), bytes.length),
};

/** Whoever waits to be let into the group asks whether it still may: its seat may have been taken back, or given anew, before it got its first entries. */
export interface SeatRequest {
  readonly nodeId: string;
  readonly raftId: number;
}
export const SeatRequest: MessageType<SeatRequest> = {
  name: 'SeatRequest',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'raftId', json: 'RaftID', id: 2, kind: 'int64', shape: 'one' },
  ],
  create: (p: Partial<SeatRequest> = {}): SeatRequest => ({ nodeId: p.nodeId ?? '', raftId: p.raftId ?? 0 }),
  write(m: SeatRequest, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.raftId !== 0) w.uint32(16).int64(m.raftId);
    return w;
  },
  read(r: Reader, length: number): SeatRequest {
    const end = r.pos + length;
    const m: { nodeId: string; raftId: number } = { nodeId: '', raftId: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.raftId = readInt64(r.int64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SeatRequest): Uint8Array => SeatRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SeatRequest => SeatRequest.read(Reader.create(bytes), bytes.length),
};

export interface SeatResponse {
  readonly isGiven: boolean;
}
export const SeatResponse: MessageType<SeatResponse> = {
  name: 'SeatResponse',
  fields: [
    { name: 'isGiven', json: 'IsGiven', id: 1, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<SeatResponse> = {}): SeatResponse => ({ isGiven: p.isGiven ?? false }),
  write(m: SeatResponse, w: Writer): Writer {
    if (m.isGiven) w.uint32(8).bool(m.isGiven);
    return w;
  },
  read(r: Reader, length: number): SeatResponse {
    const end = r.pos + length;
    const m: { isGiven: boolean } = { isGiven: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.isGiven = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: SeatResponse): Uint8Array => SeatResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): SeatResponse => SeatResponse.read(Reader.create(bytes), bytes.length),
};

export interface MembershipMethods {
  readonly join: { readonly request: JoinRequest; readonly response: JoinResponse; readonly requestStream: false; readonly responseStream: false };
  readonly announce: { readonly request: AnnounceRequest; readonly response: AnnounceResponse; readonly requestStream: false; readonly responseStream: false };
  readonly seat: { readonly request: SeatRequest; readonly response: SeatResponse; readonly requestStream: false; readonly responseStream: false };
}
export const MembershipService: ServiceDescriptor<MembershipMethods> = {
  name: 'tswarm.v1.Membership',
  methods: {
    join: { path: '/tswarm.v1.Membership/Join', request: JoinRequest, response: JoinResponse, requestStream: false, responseStream: false },
    announce: { path: '/tswarm.v1.Membership/Announce', request: AnnounceRequest, response: AnnounceResponse, requestStream: false, responseStream: false },
    seat: { path: '/tswarm.v1.Membership/Seat', request: SeatRequest, response: SeatResponse, requestStream: false, responseStream: false },
  },
};
