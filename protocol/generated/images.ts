// Generated from protocol/proto/images.proto by `npm run gen`. Do not edit.

import type { MessageType, ServiceDescriptor } from '../codec.ts';
import { NO_BYTES, Reader, Writer, readInt64, sizeLimitedBytes } from '../codec.ts';

export interface ImageReport {
  /** all that the node has */
  readonly imageIds: readonly string[];
  /** all that it can give: SHA-256 digests, 32 bytes each */
  readonly blobs: readonly Uint8Array[];
}
export const ImageReport: MessageType<ImageReport> = {
  name: 'ImageReport',
  fields: [
    { name: 'imageIds', json: 'ImageIds', id: 1, kind: 'string', shape: 'repeated' },
    { name: 'blobs', json: 'Blobs', id: 2, kind: 'bytes', shape: 'repeated' },
  ],
  create: (p: Partial<ImageReport> = {}): ImageReport => ({ imageIds: p.imageIds ?? [], blobs: p.blobs ?? [] }),
  write(m: ImageReport, w: Writer): Writer {
    for (const v of m.imageIds) w.uint32(10).string(v);
    for (const v of m.blobs) w.uint32(18).bytes(v);
    return w;
  },
  read(r: Reader, length: number): ImageReport {
    const end = r.pos + length;
    const m: { imageIds: string[]; blobs: Uint8Array[] } = { imageIds: [], blobs: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.imageIds.push(r.string());
          break;
        case 2:
          m.blobs.push(sizeLimitedBytes(r.bytes()));
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
  create: (): ImageReportResponse => ({  }),
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
  create: (p: Partial<ImageFindRequest> = {}): ImageFindRequest => ({ imageId: p.imageId ?? '' }),
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
  create: (p: Partial<ImageHolder> = {}): ImageHolder => ({ nodeId: p.nodeId ?? '', addr: p.addr ?? '' }),
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
  create: (p: Partial<ImageFindResponse> = {}): ImageFindResponse => ({ holders: p.holders ?? [] }),
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

export interface BlobFindRequest {
  readonly digest: string;
  /** that could not give it */
  readonly failedNodes: readonly string[];
  /** no registry has it, or none is in reach */
  readonly nodesOnly: boolean;
}
export const BlobFindRequest: MessageType<BlobFindRequest> = {
  name: 'BlobFindRequest',
  fields: [
    { name: 'digest', json: 'Digest', id: 1, kind: 'string', shape: 'one' },
    { name: 'failedNodes', json: 'FailedNodes', id: 2, kind: 'string', shape: 'repeated' },
    { name: 'nodesOnly', json: 'NodesOnly', id: 3, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<BlobFindRequest> = {}): BlobFindRequest => ({ digest: p.digest ?? '', failedNodes: p.failedNodes ?? [], nodesOnly: p.nodesOnly ?? false }),
  write(m: BlobFindRequest, w: Writer): Writer {
    if (m.digest !== '') w.uint32(10).string(m.digest);
    for (const v of m.failedNodes) w.uint32(18).string(v);
    if (m.nodesOnly) w.uint32(24).bool(m.nodesOnly);
    return w;
  },
  read(r: Reader, length: number): BlobFindRequest {
    const end = r.pos + length;
    const m: { digest: string; failedNodes: string[]; nodesOnly: boolean } = { digest: '', failedNodes: [], nodesOnly: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.digest = r.string();
          break;
        case 2:
          m.failedNodes.push(r.string());
          break;
        case 3:
          m.nodesOnly = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlobFindRequest): Uint8Array => BlobFindRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobFindRequest => BlobFindRequest.read(Reader.create(bytes), bytes.length),
};

/** Neither a holder nor the registry: somebody is about to have it, ask again. */
export interface BlobFindResponse {
  /** take it from there */
  readonly holder: ImageHolder | undefined;
  /** nobody has it: it is the caller's to fetch, the others wait for that */
  readonly fromRegistry: boolean;
}
export const BlobFindResponse: MessageType<BlobFindResponse> = {
  name: 'BlobFindResponse',
  fields: [
    { name: 'holder', json: 'Holder', id: 1, kind: 'message', shape: 'optional', message: () => ImageHolder },
    { name: 'fromRegistry', json: 'FromRegistry', id: 2, kind: 'bool', shape: 'one' },
  ],
  create: (p: Partial<BlobFindResponse> = {}): BlobFindResponse => ({ holder: p.holder, fromRegistry: p.fromRegistry ?? false }),
  write(m: BlobFindResponse, w: Writer): Writer {
    if (m.holder !== undefined) ImageHolder.write(m.holder, w.uint32(10).fork()).ldelim();
    if (m.fromRegistry) w.uint32(16).bool(m.fromRegistry);
    return w;
  },
  read(r: Reader, length: number): BlobFindResponse {
    const end = r.pos + length;
    const m: { holder: ImageHolder | undefined; fromRegistry: boolean } = { holder: undefined, fromRegistry: false };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.holder = ImageHolder.read(r, r.uint32());
          break;
        case 2:
          m.fromRegistry = r.bool();
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlobFindResponse): Uint8Array => BlobFindResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobFindResponse => BlobFindResponse.read(Reader.create(bytes), bytes.length),
};

export const BlobState = {
  FETCHING: 0,
  HAVE: 1,
  GIVEN_UP: 2,
} as const;
export type BlobState = (typeof BlobState)[keyof typeof BlobState];
export const BlobStateText: ReadonlyMap<number, string> = new Map([[0, 'fetching'], [1, 'have'], [2, 'given-up']]);

export interface BlobNote {
  readonly digest: string;
  readonly state: BlobState;
}
export const BlobNote: MessageType<BlobNote> = {
  name: 'BlobNote',
  fields: [
    { name: 'digest', json: 'Digest', id: 1, kind: 'string', shape: 'one' },
    { name: 'state', json: 'State', id: 2, kind: 'enum', shape: 'one', text: BlobStateText },
  ],
  create: (p: Partial<BlobNote> = {}): BlobNote => ({ digest: p.digest ?? '', state: p.state ?? 0 }),
  write(m: BlobNote, w: Writer): Writer {
    if (m.digest !== '') w.uint32(10).string(m.digest);
    if (m.state !== 0) w.uint32(16).int32(m.state);
    return w;
  },
  read(r: Reader, length: number): BlobNote {
    const end = r.pos + length;
    const m: { digest: string; state: BlobState } = { digest: '', state: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.digest = r.string();
          break;
        case 2:
          m.state = r.int32() as BlobState;
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlobNote): Uint8Array => BlobNote.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobNote => BlobNote.read(Reader.create(bytes), bytes.length),
};

export interface BlobNoteResponse {
}
export const BlobNoteResponse: MessageType<BlobNoteResponse> = {
  name: 'BlobNoteResponse',
  fields: [
  ],
  create: (): BlobNoteResponse => ({  }),
  write(m: BlobNoteResponse, w: Writer): Writer {
    void m;
    return w;
  },
  read(r: Reader, length: number): BlobNoteResponse {
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
  encode: (m: BlobNoteResponse): Uint8Array => BlobNoteResponse.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobNoteResponse => BlobNoteResponse.read(Reader.create(bytes), bytes.length),
};

/** At the leader, for nodes. */
export interface ImageDirectoryMethods {
  readonly report: { readonly request: ImageReport; readonly response: ImageReportResponse; readonly requestStream: false; readonly responseStream: false };
  readonly find: { readonly request: ImageFindRequest; readonly response: ImageFindResponse; readonly requestStream: false; readonly responseStream: false };
  readonly findBlob: { readonly request: BlobFindRequest; readonly response: BlobFindResponse; readonly requestStream: false; readonly responseStream: false };
  readonly noteBlob: { readonly request: BlobNote; readonly response: BlobNoteResponse; readonly requestStream: false; readonly responseStream: false };
}
export const ImageDirectoryService: ServiceDescriptor<ImageDirectoryMethods> = {
  name: 'tswarm.v1.ImageDirectory',
  methods: {
    report: { path: '/tswarm.v1.ImageDirectory/Report', request: ImageReport, response: ImageReportResponse, requestStream: false, responseStream: false },
    find: { path: '/tswarm.v1.ImageDirectory/Find', request: ImageFindRequest, response: ImageFindResponse, requestStream: false, responseStream: false },
    findBlob: { path: '/tswarm.v1.ImageDirectory/FindBlob', request: BlobFindRequest, response: BlobFindResponse, requestStream: false, responseStream: false },
    noteBlob: { path: '/tswarm.v1.ImageDirectory/NoteBlob', request: BlobNote, response: BlobNoteResponse, requestStream: false, responseStream: false },
  },
};

export interface ImageDescribeRequest {
  readonly imageId: string;
}
export const ImageDescribeRequest: MessageType<ImageDescribeRequest> = {
  name: 'ImageDescribeRequest',
  fields: [
    { name: 'imageId', json: 'ImageID', id: 1, kind: 'string', shape: 'one' },
  ],
  create: (p: Partial<ImageDescribeRequest> = {}): ImageDescribeRequest => ({ imageId: p.imageId ?? '' }),
  write(m: ImageDescribeRequest, w: Writer): Writer {
    if (m.imageId !== '') w.uint32(10).string(m.imageId);
    return w;
  },
  read(r: Reader, length: number): ImageDescribeRequest {
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
  encode: (m: ImageDescribeRequest): Uint8Array => ImageDescribeRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageDescribeRequest => ImageDescribeRequest.read(Reader.create(bytes), bytes.length),
};

export interface BlobDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
export const BlobDescriptor: MessageType<BlobDescriptor> = {
  name: 'BlobDescriptor',
  fields: [
    { name: 'mediaType', json: 'MediaType', id: 1, kind: 'string', shape: 'one' },
    { name: 'digest', json: 'Digest', id: 2, kind: 'string', shape: 'one' },
    { name: 'size', json: 'Size', id: 3, kind: 'uint64', shape: 'one' },
  ],
  create: (p: Partial<BlobDescriptor> = {}): BlobDescriptor => ({ mediaType: p.mediaType ?? '', digest: p.digest ?? '', size: p.size ?? 0 }),
  write(m: BlobDescriptor, w: Writer): Writer {
    if (m.mediaType !== '') w.uint32(10).string(m.mediaType);
    if (m.digest !== '') w.uint32(18).string(m.digest);
    if (m.size !== 0) w.uint32(24).uint64(m.size);
    return w;
  },
  read(r: Reader, length: number): BlobDescriptor {
    const end = r.pos + length;
    const m: { mediaType: string; digest: string; size: number } = { mediaType: '', digest: '', size: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.mediaType = r.string();
          break;
        case 2:
          m.digest = r.string();
          break;
        case 3:
          m.size = readInt64(r.uint64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlobDescriptor): Uint8Array => BlobDescriptor.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobDescriptor => BlobDescriptor.read(Reader.create(bytes), bytes.length),
};

export interface ImageDescription {
  readonly config: BlobDescriptor | undefined;
  /** lowest first, as this node can give them */
  readonly layers: readonly BlobDescriptor[];
}
export const ImageDescription: MessageType<ImageDescription> = {
  name: 'ImageDescription',
  fields: [
    { name: 'config', json: 'Config', id: 1, kind: 'message', shape: 'optional', message: () => BlobDescriptor },
    { name: 'layers', json: 'Layers', id: 2, kind: 'message', shape: 'repeated', message: () => BlobDescriptor },
  ],
  create: (p: Partial<ImageDescription> = {}): ImageDescription => ({ config: p.config, layers: p.layers ?? [] }),
  write(m: ImageDescription, w: Writer): Writer {
    if (m.config !== undefined) BlobDescriptor.write(m.config, w.uint32(10).fork()).ldelim();
    for (const v of m.layers) BlobDescriptor.write(v, w.uint32(18).fork()).ldelim();
    return w;
  },
  read(r: Reader, length: number): ImageDescription {
    const end = r.pos + length;
    const m: { config: BlobDescriptor | undefined; layers: BlobDescriptor[] } = { config: undefined, layers: [] };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.config = BlobDescriptor.read(r, r.uint32());
          break;
        case 2:
          m.layers.push(BlobDescriptor.read(r, r.uint32()));
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: ImageDescription): Uint8Array => ImageDescription.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): ImageDescription => ImageDescription.read(Reader.create(bytes), bytes.length),
};

export interface BlobReadRequest {
  readonly digest: string;
  readonly offset: number;
}
export const BlobReadRequest: MessageType<BlobReadRequest> = {
  name: 'BlobReadRequest',
  fields: [
    { name: 'digest', json: 'Digest', id: 1, kind: 'string', shape: 'one' },
    { name: 'offset', json: 'Offset', id: 2, kind: 'uint64', shape: 'one' },
  ],
  create: (p: Partial<BlobReadRequest> = {}): BlobReadRequest => ({ digest: p.digest ?? '', offset: p.offset ?? 0 }),
  write(m: BlobReadRequest, w: Writer): Writer {
    if (m.digest !== '') w.uint32(10).string(m.digest);
    if (m.offset !== 0) w.uint32(16).uint64(m.offset);
    return w;
  },
  read(r: Reader, length: number): BlobReadRequest {
    const end = r.pos + length;
    const m: { digest: string; offset: number } = { digest: '', offset: 0 };
    while (r.pos < end) {
      const t = r.uint32();
      switch (t >>> 3) {
        case 1:
          m.digest = r.string();
          break;
        case 2:
          m.offset = readInt64(r.uint64());
          break;
        default:
          r.skipType(t & 7);
      }
    }
    return m;
  },
  encode: (m: BlobReadRequest): Uint8Array => BlobReadRequest.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobReadRequest => BlobReadRequest.read(Reader.create(bytes), bytes.length),
};

export interface BlobPiece {
  readonly data: Uint8Array;
}
export const BlobPiece: MessageType<BlobPiece> = {
  name: 'BlobPiece',
  fields: [
    { name: 'data', json: 'Data', id: 1, kind: 'bytes', shape: 'one' },
  ],
  create: (p: Partial<BlobPiece> = {}): BlobPiece => ({ data: p.data ?? NO_BYTES }),
  write(m: BlobPiece, w: Writer): Writer {
    if (m.data.length > 0) w.uint32(10).bytes(m.data);
    return w;
  },
  read(r: Reader, length: number): BlobPiece {
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
  encode: (m: BlobPiece): Uint8Array => BlobPiece.write(m, Writer.create()).finish(),
  decode: (bytes: Uint8Array): BlobPiece => BlobPiece.read(Reader.create(bytes), bytes.length),
};

/** At each node, for the other nodes of its cluster. */
export interface ImageShareMethods {
  readonly describe: { readonly request: ImageDescribeRequest; readonly response: ImageDescription; readonly requestStream: false; readonly responseStream: false };
  readonly readBlob: { readonly request: BlobReadRequest; readonly response: BlobPiece; readonly requestStream: false; readonly responseStream: true };
}
export const ImageShareService: ServiceDescriptor<ImageShareMethods> = {
  name: 'tswarm.v1.ImageShare',
  methods: {
    describe: { path: '/tswarm.v1.ImageShare/Describe', request: ImageDescribeRequest, response: ImageDescription, requestStream: false, responseStream: false },
    readBlob: { path: '/tswarm.v1.ImageShare/ReadBlob', request: BlobReadRequest, response: BlobPiece, requestStream: false, responseStream: true },
  },
};
