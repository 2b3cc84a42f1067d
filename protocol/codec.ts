// What generated code stands on: the binary reader and writer (protobufjs) and the shapes of message and service descriptors.
// 64-bit numbers are JavaScript numbers up to 2^53; a larger one is an error, never a rounded value.
import protobuf from 'protobufjs/minimal.js';

// Without `long` the reader gives plain numbers, which is what we want and five times faster.
(protobuf.util as { Long: unknown }).Long = undefined;
protobuf.configure();

export type Reader = protobuf.Reader;
export type Writer = protobuf.Writer;
export const Reader: typeof protobuf.Reader = protobuf.Reader;
export const Writer: typeof protobuf.Writer = protobuf.Writer;

/** One field of a message, as the Engine JSON writer and reader need it. */
export interface FieldInfo {
  readonly name: string;
  readonly json: string;
  readonly id: number;
  readonly kind:
    | 'message'
    | 'enum'
    | 'string'
    | 'bytes'
    | 'bool'
    | 'double'
    | 'float'
    | 'int32'
    | 'uint32'
    | 'sint32'
    | 'int64'
    | 'uint64'
    | 'sint64';
  readonly shape: 'one' | 'optional' | 'repeated' | 'map';
  // biome-ignore lint/suspicious/noExplicitAny: a table refers to messages of every type
  readonly message?: () => MessageType<any>;
  readonly text?: ReadonlyMap<number, string>;
  /** Microseconds since 1970 here, RFC 3339 in JSON. */
  readonly time?: true;
  readonly always?: true;
  readonly internal?: true;
  readonly flatten?: true;
}

/** Creates, writes and reads messages of one type. `create` fills every field that is not given with its default. */
export interface MessageType<T> {
  readonly name: string;
  readonly fields: readonly FieldInfo[];
  create(partial?: Partial<T>): T;
  write(message: T, writer: Writer): Writer;
  read(reader: Reader, length: number): T;
  encode(message: T): Uint8Array;
  /** @throws RangeError when the bytes end early or hold a number beyond 2^53. */
  decode(bytes: Uint8Array): T;
}

export interface MethodDescriptor<Request, Response> {
  readonly path: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

interface MethodShape {
  readonly request: unknown;
  readonly response: unknown;
}

export interface ServiceDescriptor<Methods> {
  readonly name: string;
  readonly methods: {
    readonly [K in keyof Methods]: Methods[K] extends MethodShape
      ? MethodDescriptor<Methods[K]['request'], Methods[K]['response']>
      : never;
  };
}

/** A 64-bit value as a number. @throws RangeError beyond 2^53 - 1. */
export function readInt64(value: unknown): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`64-bit number ${number} is beyond 2^53`);
  return number;
}

/** What a bytes field without content holds; one for all, because nothing of it can be changed. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Short copies share buffers of this size: one of their own takes 200 bytes beside the content and
 * more time than all else that a field costs. A copy that is kept keeps its buffer with it.
 */
const SHARED_BUFFER_BYTES = 8192;
/** Longer copies have a buffer of their own. */
const SHARED_COPY_BYTES_MAX = 1024;
let shared = new ArrayBuffer(SHARED_BUFFER_BYTES);
let sharedAt = 0;

/** A copy that does not keep the whole received buffer alive. */
export function sizeLimitedBytes(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length === 0) return NO_BYTES;
  if (length > SHARED_COPY_BYTES_MAX) return new Uint8Array(bytes);
  if (sharedAt + length > SHARED_BUFFER_BYTES) {
    shared = new ArrayBuffer(SHARED_BUFFER_BYTES);
    sharedAt = 0;
  }
  const copy = new Uint8Array(shared, sharedAt, length);
  copy.set(bytes);
  sharedAt += length;
  return copy;
}
