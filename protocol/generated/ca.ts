// Generated from protocol/proto/ca.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';
import { NodeAvailability, NodeAvailabilityText, NodeRole, NodeRoleText } from './specs.ts';

export interface GetRootCertificateRequest {
}
export const GetRootCertificateRequest: MessageType<GetRootCertificateRequest> = {
  name: 'GetRootCertificateRequest',
  fields: [
  ],
  create: (): GetRootCertificateRequest => ({  }),
  write(m: GetRootCertificateRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): GetRootCertificateRequest {
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
  encode: (m: GetRootCertificateRequest): Uint8Array => GetRootCertificateRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GetRootCertificateRequest => GetRootCertificateRequest.read(Reader.create(bytes), bytes.length),
};

export interface GetRootCertificateResponse {
  readonly caCert: string;
}
export const GetRootCertificateResponse: MessageType<GetRootCertificateResponse> = {
  name: 'GetRootCertificateResponse',
  fields: [
    { name: 'caCert', json: 'CaCert', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<GetRootCertificateResponse> = {}): GetRootCertificateResponse => ({ caCert: p.caCert ?? '' }),
  write(m: GetRootCertificateResponse, w: Writer): Writer {
    if (m.caCert !== '') w.uint32(10).string(m.caCert);
    return w;
  },
  read(r: Reader, length: number): GetRootCertificateResponse {
    const end = r.pos + length;
    const m: { caCert: string } = { caCert: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.caCert = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: GetRootCertificateResponse): Uint8Array => GetRootCertificateResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): GetRootCertificateResponse => GetRootCertificateResponse.read(Reader.create(bytes), bytes.length),
};

export interface IssueNodeCertificateRequest {
  /** PEM; only the public key counts */
  readonly csr: string;
  /** empty on renewal: then the client certificate says who it is */
  readonly token: string;
  readonly availability: NodeAvailability;
  readonly hostname: string;
  /** of the certificate: a node has one for its worker, and as a manager another one for another key */
  readonly role: NodeRole;
  /** the caller's clock; 0: it does not say */
  readonly nowMicros: number;
}
export const IssueNodeCertificateRequest: MessageType<IssueNodeCertificateRequest> = {
  name: 'IssueNodeCertificateRequest',
  fields: [
    { name: 'csr', json: 'Csr', id: 1, kind: 'string', shape: 'one' },
    { name: 'token', json: 'Token', id: 2, kind: 'string', shape: 'one' },
    { name: 'availability', json: 'Availability', id: 3, kind: 'enum', shape: 'one', text: NodeAvailabilityText },
    { name: 'hostname', json: 'Hostname', id: 4, kind: 'string', shape: 'one' },
    { name: 'role', json: 'Role', id: 5, kind: 'enum', shape: 'one', text: NodeRoleText },
    { name: 'nowMicros', json: 'NowMicros', id: 6, kind: 'uint64', shape: 'one' },
  ],
  create: (p: Partial<IssueNodeCertificateRequest> = {}): IssueNodeCertificateRequest => ({ csr: p.csr ?? '', token: p.token ?? '', availability: p.availability ?? 0, hostname: p.hostname ?? '', role: p.role ?? 0, nowMicros: p.nowMicros ?? 0 }),
  write(m: IssueNodeCertificateRequest, w: Writer): Writer {
    if (m.csr !== '') w.uint32(10).string(m.csr);
    if (m.token !== '') w.uint32(18).string(m.token);
    if (m.availability !== 0) w.uint32(24).int32(m.availability);
    if (m.hostname !== '') w.uint32(34).string(m.hostname);
    if (m.role !== 0) w.uint32(40).int32(m.role);
    if (m.nowMicros !== 0) w.uint32(48).uint64(m.nowMicros);
    return w;
  },
  read(r: Reader, length: number): IssueNodeCertificateRequest {
    const end = r.pos + length;
    const m: { csr: string; token: string; availability: NodeAvailability; hostname: string; role: NodeRole; nowMicros: number } = { csr: '', token: '', availability: 0, hostname: '', role: 0, nowMicros: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.csr = r.string();
          break;
        case 2:
          m.token = r.string();
          break;
        case 3:
          m.availability = r.int32() as NodeAvailability;
          break;
        case 4:
          m.hostname = r.string();
          break;
        case 5:
          m.role = r.int32() as NodeRole;
          break;
        case 6:
          m.nowMicros = readInt64(r.uint64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IssueNodeCertificateRequest): Uint8Array => IssueNodeCertificateRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IssueNodeCertificateRequest => IssueNodeCertificateRequest.read(Reader.create(bytes), bytes.length),
};

export interface IssueNodeCertificateResponse {
  readonly nodeId: string;
  /** PEM, leaf first; while the root is rotated followed by the cross-signed root */
  readonly certificate: string;
  /** PEM; while the root is rotated several blocks: all of them are trusted */
  readonly caCert: string;
  readonly clusterId: string;
  /** of the node */
  readonly role: NodeRole;
}
export const IssueNodeCertificateResponse: MessageType<IssueNodeCertificateResponse> = {
  name: 'IssueNodeCertificateResponse',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'certificate', json: 'Certificate', id: 2, kind: 'string', shape: 'one' },
    { name: 'caCert', json: 'CaCert', id: 3, kind: 'string', shape: 'one' },
    { name: 'clusterId', json: 'ClusterID', id: 4, kind: 'string', shape: 'one' },
    { name: 'role', json: 'Role', id: 5, kind: 'enum', shape: 'one', text: NodeRoleText },
  ],
  create: (p: Partial<IssueNodeCertificateResponse> = {}): IssueNodeCertificateResponse => ({ nodeId: p.nodeId ?? '', certificate: p.certificate ?? '', caCert: p.caCert ?? '', clusterId: p.clusterId ?? '', role: p.role ?? 0 }),
  write(m: IssueNodeCertificateResponse, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.certificate !== '') w.uint32(18).string(m.certificate);
    if (m.caCert !== '') w.uint32(26).string(m.caCert);
    if (m.clusterId !== '') w.uint32(34).string(m.clusterId);
    if (m.role !== 0) w.uint32(40).int32(m.role);
    return w;
  },
  read(r: Reader, length: number): IssueNodeCertificateResponse {
    const end = r.pos + length;
    const m: { nodeId: string; certificate: string; caCert: string; clusterId: string; role: NodeRole } = { nodeId: '', certificate: '', caCert: '', clusterId: '', role: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.certificate = r.string();
          break;
        case 3:
          m.caCert = r.string();
          break;
        case 4:
          m.clusterId = r.string();
          break;
        case 5:
          m.role = r.int32() as NodeRole;
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: IssueNodeCertificateResponse): Uint8Array => IssueNodeCertificateResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): IssueNodeCertificateResponse => IssueNodeCertificateResponse.read(Reader.create(bytes), bytes.length),
};

/** Any manager answers; it passes on to the leader what must be written. */
export interface NodeCaMethods {
  readonly getRootCertificate: { readonly request: GetRootCertificateRequest; readonly response: GetRootCertificateResponse; readonly requestStream: false; readonly responseStream: false };
  readonly issueNodeCertificate: { readonly request: IssueNodeCertificateRequest; readonly response: IssueNodeCertificateResponse; readonly requestStream: false; readonly responseStream: false };
}
export const NodeCaService: ServiceDescriptor<NodeCaMethods> = {
  name: 'tswarm.v1.NodeCa',
  methods: {
    getRootCertificate: { path: '/tswarm.v1.NodeCa/GetRootCertificate', request: GetRootCertificateRequest, response: GetRootCertificateResponse, requestStream: false, responseStream: false },
    issueNodeCertificate: { path: '/tswarm.v1.NodeCa/IssueNodeCertificate', request: IssueNodeCertificateRequest, response: IssueNodeCertificateResponse, requestStream: false, responseStream: false },
  },
};
