// Generated from protocol/proto/images.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';

export interface ImageReport {
  readonly imageIds: readonly string[];
}
export const ImageReport: MessageType<ImageReport> = {
  name: 'ImageReport',
  fields: [
    { name: 'imageIds', json: 'ImageIds', id: 1, kind: 'string', shape: 'repeated' },
  ],
  create: (partial?: Partial<ImageReport>): ImageReport => ({ ...{ imageIds: [] }, ...partial }),
  write(m: ImageReport, w: Writer): Writer {
    for (const v of m.imageIds) w.uint32(10).string(v);
    return w;
  },
  read(r: Reader, length: number): ImageReport {
    const end = r.pos + length;
    const m: { imageIds: string[] } = { imageIds: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.imageIds.push(r.string());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageReport): Uint8Array => ImageReport.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageReport => ImageReport.read(Reader.create(bytes), bytes.length),
};

export interface ImageReportResponse {
}
export const ImageReportResponse: MessageType<ImageReportResponse> = {
  name: 'ImageReportResponse',
  fields: [
  ],
  create: (partial?: Partial<ImageReportResponse>): ImageReportResponse => ({ ...{  }, ...partial }),
  write(m: ImageReportResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): ImageReportResponse {
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
  encode: (m: ImageReportResponse): Uint8Array => ImageReportResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageReportResponse => ImageReportResponse.read(Reader.create(bytes), bytes.length),
};

export interface ImageFindRequest {
  readonly imageId: string;
}
export const ImageFindRequest: MessageType<ImageFindRequest> = {
  name: 'ImageFindRequest',
  fields: [
    { name: 'imageId', json: 'ImageID', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (partial?: Partial<ImageFindRequest>): ImageFindRequest => ({ ...{ imageId: '' }, ...partial }),
  write(m: ImageFindRequest, w: Writer): Writer {
    if (m.imageId !== '') w.uint32(10).string(m.imageId);
    return w;
  },
  read(r: Reader, length: number): ImageFindRequest {
    const end = r.pos + length;
    const m: { imageId: string } = { imageId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.imageId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageFindRequest): Uint8Array => ImageFindRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageFindRequest => ImageFindRequest.read(Reader.create(bytes), bytes.length),
};

export interface ImageHolder {
  readonly nodeId: string;
  readonly addr: string;
}
export const ImageHolder: MessageType<ImageHolder> = {
  name: 'ImageHolder',
  fields: [
    { name: 'nodeId', json: 'NodeID', id: 1, kind: 'string', shape: 'one' },
    { name: 'addr', json: 'Addr', id: 2, kind: 'string', shape: 'one' },
  ],
  create: (partial?: Partial<ImageHolder>): ImageHolder => ({ ...{ nodeId: '', addr: '' }, ...partial }),
  write(m: ImageHolder, w: Writer): Writer {
    if (m.nodeId !== '') w.uint32(10).string(m.nodeId);
    if (m.addr !== '') w.uint32(18).string(m.addr);
    return w;
  },
  read(r: Reader, length: number): ImageHolder {
    const end = r.pos + length;
    const m: { nodeId: string; addr: string } = { nodeId: '', addr: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.nodeId = r.string();
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
  encode: (m: ImageHolder): Uint8Array => ImageHolder.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageHolder => ImageHolder.read(Reader.create(bytes), bytes.length),
};

export interface ImageFindResponse {
  readonly holders: readonly ImageHolder[];
}
export const ImageFindResponse: MessageType<ImageFindResponse> = {
  name: 'ImageFindResponse',
  fields: [
    { name: 'holders', json: 'Holders', id: 1, kind: 'message', shape: 'repeated', message: () => ImageHolder },
  ],
  create: (partial?: Partial<ImageFindResponse>): ImageFindResponse => ({ ...{ holders: [] }, ...partial }),
  write(m: ImageFindResponse, w: Writer): Writer {
    for (const v of m.holders) ImageHolder.write(v, w.uint32(10).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ImageFindResponse {
    const end = r.pos + length;
    const m: { holders: ImageHolder[] } = { holders: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.holders.push(ImageHolder.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageFindResponse): Uint8Array => ImageFindResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageFindResponse => ImageFindResponse.read(Reader.create(bytes), bytes.length),
};

/** At the leader, for nodes. */
export interface ImageDirectoryMethods {
  readonly report: { readonly request: ImageReport; readonly response: ImageReportResponse; readonly requestStream: false; readonly responseStream: false };
  readonly find: { readonly request: ImageFindRequest; readonly response: ImageFindResponse; readonly requestStream: false; readonly responseStream: false };
}
export const ImageDirectoryService: ServiceDescriptor<ImageDirectoryMethods> = {
  name: 'tswarm.v1.ImageDirectory',
  methods: {
    report: { path: '/tswarm.v1.ImageDirectory/Report', request: ImageReport, response: ImageReportResponse, requestStream: false, responseStream: false },
    find: { path: '/tswarm.v1.ImageDirectory/Find', request: ImageFindRequest, response: ImageFindResponse, requestStream: false, responseStream: false },
  },
};

export interface ImageSaveRequest {
  readonly imageId: string;
}
export const ImageSaveRequest: MessageType<ImageSaveRequest> = {
  name: 'ImageSaveRequest',
  fields: [
    { name: 'imageId', json: 'ImageID', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (partial?: Partial<ImageSaveRequest>): ImageSaveRequest => ({ ...{ imageId: '' }, ...partial }),
  write(m: ImageSaveRequest, w: Writer): Writer {
    if (m.imageId !== '') w.uint32(10).string(m.imageId);
    return w;
  },
  read(r: Reader, length: number): ImageSaveRequest {
    const end = r.pos + length;
    const m: { imageId: string } = { imageId: '' };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.imageId = r.string();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageSaveRequest): Uint8Array => ImageSaveRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageSaveRequest => ImageSaveRequest.read(Reader.create(bytes), bytes.length),
};

export interface ImagePiece {
  readonly data: Uint8Array;
}
export const ImagePiece: MessageType<ImagePiece> = {
  name: 'ImagePiece',
  fields: [
    { name: 'data', json: 'Data', id: 1, kind: 'bytes', shape: 'one' },
  ],
  create: (partial?: Partial<ImagePiece>): ImagePiece => ({ ...{ data: new Uint8Array(0) }, ...partial }),
  write(m: ImagePiece, w: Writer): Writer {
    if (m.data.length > 0) w.uint32(10).bytes(m.data);
    return w;
  },
  read(r: Reader, length: number): ImagePiece {
    const end = r.pos + length;
    const m: { data: Uint8Array } = { data: new Uint8Array(0) };
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
  encode: (m: ImagePiece): Uint8Array => ImagePiece.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImagePiece => ImagePiece.read(Reader.create(bytes), bytes.length),
};

/** At each node, for the other nodes of its cluster. */
export interface ImageShareMethods {
  readonly save: { readonly request: ImageSaveRequest; readonly response: ImagePiece; readonly requestStream: false; readonly responseStream: true };
}
export const ImageShareService: ServiceDescriptor<ImageShareMethods> = {
  name: 'tswarm.v1.ImageShare',
  methods: {
    save: { path: '/tswarm.v1.ImageShare/Save', request: ImageSaveRequest, response: ImagePiece, requestStream: false, responseStream: true },
  },
};
