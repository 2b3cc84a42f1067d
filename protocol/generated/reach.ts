// Generated from protocol/proto/reach.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';

export interface ReachAttachRequest {
}
export const ReachAttachRequest: MessageType<ReachAttachRequest> = {
  name: 'ReachAttachRequest',
  fields: [
  ],
  create: (): ReachAttachRequest => ({  }),
  write(m: ReachAttachRequest, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): ReachAttachRequest {
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
  encode: (m: ReachAttachRequest): Uint8Array => ReachAttachRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReachAttachRequest => ReachAttachRequest.read(Reader.create(bytes), bytes.length),
};

export interface ReachAsk {
  readonly operation: string;
}
export const ReachAsk: MessageType<ReachAsk> = {
  name: 'ReachAsk',
  fields: [
    { name: 'operation', json: 'Operation', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<ReachAsk> = {}): ReachAsk => ({ operation: p.operation ?? '' }),
  write(m: ReachAsk, w: Writer): Writer {
    if (m.operation !== '') w.uint32(10).string(m.operation);
    return w;
  },
  read(r: Reader, length: number): ReachAsk {
    const end = r.pos + length;
    const m: { operation: string } = { operation: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.operation = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ReachAsk): Uint8Array => ReachAsk.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReachAsk => ReachAsk.read(Reader.create(bytes), bytes.length),
};

export interface ReachPiece {
  /** in the first piece of Open: which node */
  readonly nodeId: string;
  /** in the first piece of Serve: which question */
  readonly operation: string;
  readonly data: Uint8Array;
  /** to the node: the caller sends nothing more */
  readonly end: boolean;
}
export const ReachPiece: MessageType<ReachPiece> = {
  name: 'ReachPiece',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'operation', json: 'Operation', id: 2, kind: 'string', shape: 'one' },
    { name: 'data', json: 'Data', id: 3, kind: 'bytes', shape: 'one' },
    { name: 'end', json: 'End', id: 4, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<ReachPiece> = {}): ReachPiece => ({ nodeId: p.nodeId ?? '', operation: p.operation ?? '', data: p.data ?? NO_BYTES, end: p.end ?? false }),
  write(m: ReachPiece, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.operation !== '') w.uint32(18).string(m.operation);
    if (m.data.length > 0) w.uint32(26).bytes(m.data);
    if (m.end) w.uint32(32).bool(m.end);
    return w;
  },
  read(r: Reader, length: number): ReachPiece {
    const end = r.pos + length;
    const m: { nodeId: string; operation: string; data: Uint8Array; end: boolean } = { nodeId: '', operation: '', data: NO_BYTES, end: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
          break;
        case 2:
          m.operation = r.string();
          break;
        case 3:
          m.data = sizeLimitedBytes(r.bytes());
          break;
        case 4:
          m.end = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ReachPiece): Uint8Array => ReachPiece.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ReachPiece => ReachPiece.read(Reader.create(bytes), bytes.length),
};

export interface ReachMethods {
  readonly attach: { readonly request: ReachAttachRequest; readonly response: ReachAsk; readonly requestStream: false; readonly responseStream: true };
  readonly serve: { readonly request: ReachPiece; readonly response: ReachPiece; readonly requestStream: true; readonly responseStream: true };
  readonly open: { readonly request: ReachPiece; readonly response: ReachPiece; readonly requestStream: true; readonly responseStream: true };
}
export const ReachService: ServiceDescriptor<ReachMethods> = {
  name: 'tswarm.v1.Reach',
  methods: {
    attach: { path: '/tswarm.v1.Reach/Attach', request: ReachAttachRequest, response: ReachAsk, requestStream: false, responseStream: true },
    serve: { path: '/tswarm.v1.Reach/Serve', request: ReachPiece, response: ReachPiece, requestStream: true, responseStream: true },
    open: { path: '/tswarm.v1.Reach/Open', request: ReachPiece, response: ReachPiece, requestStream: true, responseStream: true },
  },
};
