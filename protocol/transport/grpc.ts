// gRPC servers and clients from generated service descriptors, over mutual TLS. Handlers and
// callers see plain messages and TswarmError; the code, field and hint of an error travel as
// metadata. Refuses plain-text listeners: there is no option for one.
import { Buffer } from 'node:buffer';
import * as grpc from '@grpc/grpc-js';
import type { MethodDescriptor, ServiceDescriptor } from '#protocol/codec';
import { ERROR_CODES, errorCodeFromText } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import { type Peer, peerOf, type TrustRoots } from './peer.ts';
import { promptUnary } from './prompt-unary.ts';

export type { Peer, TrustRoots } from './peer.ts';

/**
 * Largest message either way: a snapshot chunk or a full assignment set fits, a runaway does not.
 */
export const MESSAGE_BYTES_MAX: number = 16 * 1024 * 1024;

/**
 * Largest request: a change of the cluster has at most 1.5 MiB. Anybody may send one, also who has
 * no certificate.
 */
export const REQUEST_BYTES_MAX: number = 4 * 1024 * 1024;

export interface CallContext {
  readonly peer: Peer;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
  /** Text metadata of the call (`authorization`, …). */
  metadata(key: string): string;
}

type Shape = {
  readonly request: unknown;
  readonly response: unknown;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
};

/**
 * What a server implements for one method: async function, or async generator for a response
 * stream.
 */
export type Handler<M> = M extends Shape
  ? M['requestStream'] extends true
    ? M['responseStream'] extends true
      ? (
          requests: AsyncIterable<M['request']>,
          context: CallContext,
        ) => AsyncIterable<M['response']>
      : (requests: AsyncIterable<M['request']>, context: CallContext) => Promise<M['response']>
    : M['responseStream'] extends true
      ? (request: M['request'], context: CallContext) => AsyncIterable<M['response']>
      : (request: M['request'], context: CallContext) => Promise<M['response']>
  : never;

export type Handlers<Methods> = { readonly [K in keyof Methods]: Handler<Methods[K]> };

/** What a client offers for one method. */
export type Caller<M> = M extends Shape
  ? M['requestStream'] extends true
    ? M['responseStream'] extends true
      ? (
          requests: AsyncIterable<M['request']>,
          options?: CallOptions,
        ) => AsyncIterable<M['response']>
      : (requests: AsyncIterable<M['request']>, options?: CallOptions) => Promise<M['response']>
    : M['responseStream'] extends true
      ? (request: M['request'], options?: CallOptions) => AsyncIterable<M['response']>
      : (request: M['request'], options?: CallOptions) => Promise<M['response']>
  : never;

export type Client<Methods> = { readonly [K in keyof Methods]: Caller<Methods[K]> };

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: Readonly<Record<string, string>>;
}

type AnyMethod = MethodDescriptor<unknown, unknown>;

/** A method as grpc-js wants it: for streams that are driven by hand. */
export function methodDefinition<Request, Response>(
  method: MethodDescriptor<Request, Response>,
): grpc.MethodDefinition<Request, Response> {
  return {
    path: method.path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: (message) => toBuffer(method.request.encode(message)),
    requestDeserialize: (bytes) => method.request.decode(bytes),
    responseSerialize: (message) => toBuffer(method.response.encode(message)),
    responseDeserialize: (bytes) => method.response.decode(bytes),
  };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function entriesOf<Methods>(service: ServiceDescriptor<Methods>): [string, AnyMethod][] {
  return Object.entries(service.methods) as [string, AnyMethod][];
}

// ---- server -------------------------------------------------------------------------------------

/** Registers the handlers of one service. */
export function addService<Methods>(
  server: grpc.Server,
  service: ServiceDescriptor<Methods>,
  handlers: Handlers<Methods>,
  trustRoots: TrustRoots,
): void {
  const definition: Record<string, grpc.MethodDefinition<unknown, unknown>> = {};
  const implementation: Record<string, grpc.UntypedHandleCall> = {};
  for (const [name, method] of entriesOf(service)) {
    definition[name] = methodDefinition(method);
    const handler = (handlers as Record<string, unknown>)[name] as UntypedHandler;
    implementation[name] = adaptHandler(method, handler, trustRoots);
  }
  server.addService(definition, implementation);
}

type UntypedHandler = (request: unknown, context: CallContext) => unknown;

function adaptHandler(
  method: AnyMethod,
  handler: UntypedHandler,
  trustRoots: TrustRoots,
): grpc.UntypedHandleCall {
  if (method.responseStream) {
    return ((call: grpc.ServerDuplexStream<unknown, unknown> & { request?: unknown }) => {
      const request = method.requestStream ? call : call.request;
      let responses: AsyncIterable<unknown>;
      try {
        responses = handler(request, contextOf(call, trustRoots)) as AsyncIterable<unknown>;
      } catch (error) {
        call.emit('error', toServiceError(error));
        return;
      }
      void pump(call, responses);
    }) as grpc.UntypedHandleCall;
  }
  return ((
    call: grpc.ServerUnaryCall<unknown, unknown> & AsyncIterable<unknown>,
    done: grpc.sendUnaryData<unknown>,
  ) => {
    const request = method.requestStream ? call : call.request;
    Promise.resolve()
      .then(() => handler(request, contextOf(call, trustRoots)))
      .then(
        (response) => done(null, response),
        (error: unknown) => done(toServiceError(error)),
      );
  }) as grpc.UntypedHandleCall;
}

async function pump(
  call: grpc.ServerDuplexStream<unknown, unknown>,
  responses: AsyncIterable<unknown>,
): Promise<void> {
  try {
    for await (const response of responses) {
      if (call.cancelled) return;
      if (!call.write(response)) await drained(call);
    }
    call.end();
  } catch (error) {
    if (!call.cancelled) call.emit('error', toServiceError(error));
  }
}

function drained(call: grpc.ServerDuplexStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      call.off('cancelled', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
  });
}

type ServerCall =
  | grpc.ServerUnaryCall<unknown, unknown>
  | grpc.ServerDuplexStream<unknown, unknown>;

const CALLER_GONE = new TswarmError('cancelled', 'the caller has gone');

function contextOf(call: ServerCall, trustRoots: TrustRoots): CallContext {
  // Few handlers of unary calls look at the signal, and every call ends with `cancelled`.
  let controller: AbortController | undefined;
  call.on('cancelled', () => controller?.abort(CALLER_GONE));
  return {
    peer: peerOf(call, trustRoots),
    get signal(): AbortSignal {
      controller ??= new AbortController();
      // A reason of our own: the default one is made anew for every call, with a stack.
      if (call.cancelled) controller.abort(CALLER_GONE);
      return controller.signal;
    },
    metadata: (key) => String(call.metadata.get(key)[0] ?? ''),
  };
}

// ---- client -------------------------------------------------------------------------------------

/**
 * A client of one service over an existing channel. Calls throw TswarmError. With a function each call goes over the channel of that moment, and one
 * that never began because its channel was closed over the next.
 */
export function clientOf<Methods>(
  service: ServiceDescriptor<Methods>,
  channel: grpc.Client | (() => grpc.Client),
): Client<Methods> {
  const channelOf = typeof channel === 'function' ? channel : (): grpc.Client => channel;
  const out: Record<string, unknown> = {};
  for (const [name, method] of entriesOf(service)) {
    const definition = methodDefinition(method);
    if (method.requestStream && !method.responseStream) {
      throw new Error(
        `bug: ${method.path}: client streaming without a response stream has no caller`,
      );
    }
    if (method.requestStream) {
      out[name] = (requests: AsyncIterable<unknown>, options?: CallOptions) =>
        callDuplex(channelOf(), definition, requests, options ?? {});
    } else if (method.responseStream) {
      out[name] = (request: unknown, options?: CallOptions) =>
        callServerStream(channelOf(), definition, request, options ?? {});
    } else {
      out[name] = (request: unknown, options?: CallOptions) =>
        callUnary(channelOf, definition, request, options ?? {});
    }
  }
  return out as Client<Methods>;
}

type Definition = grpc.MethodDefinition<unknown, unknown>;

function metadataOf(options: CallOptions): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  return metadata;
}

function grpcOptions(options: CallOptions): grpc.CallOptions {
  return options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
}

function callUnary(
  channelOf: () => grpc.Client,
  method: Definition,
  request: unknown,
  options: CallOptions,
): Promise<unknown> {
  const channel = channelOf();
  return new Promise((resolve, reject) => {
    const again = (): void => resolve(callUnary(channelOf, method, request, options));
    const call = channel.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadataOf(options),
      grpcOptions(options),
      (error, response) => {
        if (!error) resolve(response);
        else if (neverBegan(error) && channelOf() !== channel) again();
        else reject(fromServiceError(error));
      },
    );
    linkAbort(call, options.signal);
  });
}

/** Whether the call was still waiting for its connection when the channel was closed. */
function neverBegan({ code, details }: grpc.ServiceError): boolean {
  return code === grpc.status.UNAVAILABLE && details === 'Channel closed before call started';
}

async function* callServerStream(
  channel: grpc.Client,
  method: Definition,
  request: unknown,
  options: CallOptions,
): AsyncIterable<unknown> {
  const call = channel.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataOf(options),
    grpcOptions(options),
  );
  yield* readCall(call, options.signal);
}

async function* callDuplex(
  channel: grpc.Client,
  method: Definition,
  requests: AsyncIterable<unknown>,
  options: CallOptions,
): AsyncIterable<unknown> {
  const call = channel.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadataOf(options),
    grpcOptions(options),
  );
  const sending = (async () => {
    for await (const request of requests) {
      if (!call.write(request)) await new Promise((resolve) => call.once('drain', resolve));
    }
    call.end();
  })();
  sending.catch(() => call.cancel());
  yield* readCall(call, options.signal);
}

async function* readCall(
  call: grpc.ClientReadableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>,
  signal: AbortSignal | undefined,
): AsyncIterable<unknown> {
  linkAbort(call, signal);
  try {
    for await (const response of call) yield response;
  } catch (error) {
    throw fromServiceError(error as grpc.ServiceError);
  } finally {
    call.cancel();
  }
}

function linkAbort(call: { cancel(): void }, signal: AbortSignal | undefined): void {
  if (!signal) return;
  if (signal.aborted) call.cancel();
  else signal.addEventListener('abort', () => call.cancel(), { once: true });
}

// ---- errors -------------------------------------------------------------------------------------

/** An error as it goes over the wire. */
export function toServiceError(error: unknown): Partial<grpc.ServiceError> {
  const metadata = new grpc.Metadata();
  const known = error instanceof TswarmError ? error : undefined;
  metadata.set('tswarm-code', known?.code ?? 'internal');
  if (known?.field) metadata.set('tswarm-field', encodeURIComponent(known.field));
  if (known?.hint) metadata.set('tswarm-hint', encodeURIComponent(known.hint));
  if (known?.retryable) metadata.set('tswarm-retryable', '1');
  if (known?.redirect) metadata.set('tswarm-redirect', encodeURIComponent(known.redirect));
  return { code: ERROR_CODES[known?.code ?? 'internal'].grpc, details: messageOf(error), metadata };
}

/** An error as it came over the wire. */
export function fromServiceError(error: grpc.ServiceError): TswarmError {
  const get = (key: string): string =>
    decodeURIComponent(String(error.metadata?.get(key)[0] ?? ''));
  const ours = get('tswarm-code');
  if (ours !== '') {
    return new TswarmError(errorCodeFromText(ours), error.details, {
      ...(get('tswarm-field') === '' ? {} : { field: get('tswarm-field') }),
      ...(get('tswarm-hint') === '' ? {} : { hint: get('tswarm-hint') }),
      ...(get('tswarm-redirect') === '' ? {} : { redirect: get('tswarm-redirect') }),
      retryable: get('tswarm-retryable') === '1',
    });
  }
  if (error.code === grpc.status.CANCELLED) return new TswarmError('cancelled', error.details);
  if (error.code === grpc.status.DEADLINE_EXCEEDED) {
    return new TswarmError('deadline_exceeded', error.details, { retryable: true });
  }
  return new TswarmError('unavailable', error.details ?? String(error), {
    retryable: true,
    cause: error,
  });
}

// ---- TLS ----------------------------------------------------------------------------------------

/** PEM texts of one identity. */
export interface TlsIdentity {
  readonly caCert: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * TLS server credentials. A client certificate is always asked for; when it is not required a
 * caller may come without one (joining), and `addService` refuses a certificate that our root did
 * not sign.
 */
export function serverCredentials(
  identity: TlsIdentity,
  requireClientCertificate: boolean,
): grpc.ServerCredentials {
  const pair = {
    cert_chain: Buffer.from(identity.certificate),
    private_key: Buffer.from(identity.key),
  };
  const credentials = grpc.ServerCredentials.createSsl(Buffer.from(identity.caCert), [pair], true);
  if (requireClientCertificate) return credentials;
  const constructorOptions = credentials._getConstructorOptions();
  // grpc-js knows only "required" and "not asked for".
  credentials._getConstructorOptions = () => ({
    ...constructorOptions,
    requestCert: true,
    rejectUnauthorized: false,
  });
  return credentials;
}

/** Lets new connections of a running server use another certificate; open ones go on. */
export function replaceServerIdentity(
  credentials: grpc.ServerCredentials,
  identity: TlsIdentity,
): void {
  // Not in the public types: made for certificate providers, of which we have no other use.
  const updatable = credentials as unknown as {
    updateSecureContextOptions(options: Record<string, unknown>): void;
  };
  updatable.updateSecureContextOptions({
    ...credentials._getSecureContextOptions(),
    ca: Buffer.from(identity.caCert),
    cert: [Buffer.from(identity.certificate)],
    key: [Buffer.from(identity.key)],
  });
}

/**
 * A channel to `host:port` whose server must present a certificate of our root with the name
 * `serverName`.
 */
export function connectChannel(
  address: string,
  identity: Partial<TlsIdentity> & { readonly caCert: string },
  serverName: string,
): grpc.Client {
  const credentials = grpc.credentials.createSsl(
    Buffer.from(identity.caCert),
    identity.key === undefined ? null : Buffer.from(identity.key),
    identity.certificate === undefined ? null : Buffer.from(identity.certificate),
  );
  return new grpc.Client(address, credentials, {
    'grpc.ssl_target_name_override': serverName,
    'grpc.default_authority': serverName,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_reconnect_backoff_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.enable_channelz': 0,
  });
}

/** A server with our limits. */
export function createServer(): grpc.Server {
  return new grpc.Server({
    'grpc.max_receive_message_length': REQUEST_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    // A caller whose host is gone is noticed although it says nothing.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.max_concurrent_streams': 4096,
    'grpc.enable_channelz': 0,
    interceptors: [promptUnary],
  });
}

/**
 * Starts to listen on `host:port` (port 0 = any). Returns the port. @throws TswarmError
 * failed_precondition when the address cannot be had.
 */
export function listen(
  server: grpc.Server,
  address: string,
  credentials: grpc.ServerCredentials,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (!error) {
        resolve(port);
        return;
      }
      const inUse = error.message.includes('EADDRINUSE');
      const why = inUse ? 'the port is already in use' : error.message;
      reject(
        new TswarmError('failed_precondition', `cannot listen on ${address}: ${why}`, {
          cause: error,
          ...(inUse ? { hint: `\`ss -ltnp\` shows by whom; give another address.` } : {}),
        }),
      );
    });
  });
}
