// Gives this node's images to the other nodes of its cluster: a gRPC service over mutual TLS. Whoever has a node's certificate of this cluster may take any
// image, as any of them may be told to run it; nobody else gets further than the handshake.
import type * as grpc from '@grpc/grpc-js';
import { isNodeRole, pemBlocks } from '#protocol/certificates';
import type { ImageEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { ImagePiece, type ImageShareMethods, ImageShareService } from '#protocol/generated/images';
import {
  addService,
  type CallContext,
  createServer,
  type Handlers,
  listen,
  replaceServerIdentity,
  serverCredentials,
  type TlsIdentity,
} from '#protocol/transport/grpc';
import { IMAGE_PORT, IMAGE_SHARES_MAX } from '../limits.ts';

const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

export class ShareServer {
  readonly #images: Pick<ImageEngine, 'save'>;
  readonly #server: grpc.Server = createServer();
  #identity: TlsIdentity;
  #credentials: grpc.ServerCredentials | undefined;
  #running = 0;

  constructor(images: Pick<ImageEngine, 'save'>, identity: TlsIdentity) {
    this.#images = images;
    this.#identity = identity;
    const roots = (): readonly string[] => pemBlocks(this.#identity.caCert);
    addService(this.#server, ImageShareService, this.#handlers(), roots);
  }

  /** @returns the port: the usual one, or any other when that is taken */
  async start(): Promise<number> {
    const credentials = serverCredentials(this.#identity, true);
    this.#credentials = credentials;
    // Several nodes on one host: the others are told the port anyway.
    return listen(this.#server, `0.0.0.0:${IMAGE_PORT}`, credentials).catch(() =>
      listen(this.#server, '0.0.0.0:0', credentials),
    );
  }

  setIdentity(identity: TlsIdentity): void {
    this.#identity = identity;
    if (this.#credentials) replaceServerIdentity(this.#credentials, identity);
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #handlers(): Handlers<ImageShareMethods> {
    return { save: ({ imageId }, context) => this.#save(imageId, context) };
  }

  async *#save(imageId: string, { peer, signal }: CallContext): AsyncIterable<ImagePiece> {
    if (!isNodeRole(peer.role)) {
      throw new TswarmError('permission_denied', 'only nodes of this cluster get images');
    }
    if (!IMAGE_ID.test(imageId)) {
      throw new TswarmError('invalid_argument', 'image_id: expected sha256:<64 hex digits>');
    }
    if (this.#running >= IMAGE_SHARES_MAX) {
      const text = `this node is giving ${this.#running} images already`;
      throw new TswarmError('resource_exhausted', text, { retryable: true });
    }
    this.#running += 1;
    try {
      for await (const data of await this.#images.save([imageId])) {
        if (signal.aborted) return;
        yield ImagePiece.create({ data });
      }
    } finally {
      this.#running -= 1;
    }
  }
}
