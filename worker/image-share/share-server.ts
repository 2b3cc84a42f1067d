// The port on which this node serves others of its cluster, by gRPC over mutual TLS. Nodes get its images: whoever has a node's certificate of this cluster and
// was not removed may take any, as any of them may be told to run it. Managers tell where they are now, when this node cannot find one. Nobody else gets further
// than the handshake.
import type * as grpc from '@grpc/grpc-js';
import { CERTIFICATE_ROLE, isNodeRole, pemBlocks } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import {
  type ManagerAddress,
  type NodeDoorMethods,
  NodeDoorService,
} from '#protocol/generated/dispatcher';
import {
  BlobDescriptor,
  BlobPiece,
  type BlobReadRequest,
  ImageDescription,
  type ImageShareMethods,
  ImageShareService,
} from '#protocol/generated/images';
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
import { isDigest } from '../images/digest.ts';
import type { Descriptor } from '../images/manifest.ts';
import type { ImageSharing } from '../images/sharing.ts';
import { BLOB_SHARES_MAX, IMAGE_PORT, MANAGERS_TOLD_MAX } from '../limits.ts';

const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

export interface ShareServerDeps {
  readonly images: Pick<ImageSharing, 'describe' | 'read'>;
  /** Nodes that are out of the cluster; undefined until a manager has said it since the start. */
  readonly removedNodes: () => ReadonlySet<string> | undefined;
  /** A manager says where the managers are. */
  readonly managersNews: (managers: readonly ManagerAddress[]) => void;
}

export class ShareServer {
  readonly #deps: ShareServerDeps;
  readonly #server: grpc.Server = createServer();
  #identity: TlsIdentity;
  #credentials: grpc.ServerCredentials | undefined;
  #running = 0;

  constructor(deps: ShareServerDeps, identity: TlsIdentity) {
    this.#deps = deps;
    this.#identity = identity;
    const roots = (): readonly string[] => pemBlocks(this.#identity.caCert);
    addService(this.#server, ImageShareService, this.#imageHandlers(), roots);
    addService(this.#server, NodeDoorService, this.#doorHandlers(), roots);
  }

  /** @returns the port: this one, or any other when that is taken */
  async start(port: number = IMAGE_PORT): Promise<number> {
    const credentials = serverCredentials(this.#identity, true);
    this.#credentials = credentials;
    // Several nodes on one host: the others are told the port anyway.
    return listen(this.#server, `0.0.0.0:${port}`, credentials).catch(() =>
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

  #imageHandlers(): Handlers<ImageShareMethods> {
    return {
      describe: ({ imageId }, context) => this.#describe(imageId, context),
      readBlob: (request, context) => this.#readBlob(request, context),
    };
  }

  #doorHandlers(): Handlers<NodeDoorMethods> {
    return {
      tellManagers: async ({ managers }, { peer }) => {
        const isOut = this.#deps.removedNodes()?.has(peer.nodeId) === true;
        if (peer.role !== CERTIFICATE_ROLE.manager || isOut) {
          throw new TswarmError('permission_denied', 'only managers of this cluster are heard');
        }
        if (managers.length > MANAGERS_TOLD_MAX) {
          const text = `${managers.length} managers at once, at most ${MANAGERS_TOLD_MAX}`;
          throw new TswarmError('too_large', text);
        }
        this.#deps.managersNews(managers);
        return {};
      },
    };
  }

  /** @throws TswarmError permission_denied, unavailable */
  #refuseStrangers({ nodeId, role }: CallContext['peer']): void {
    if (!isNodeRole(role)) {
      throw new TswarmError('permission_denied', 'only nodes of this cluster get images');
    }
    const removed = this.#deps.removedNodes();
    if (removed === undefined) {
      const text = 'this node has not heard from a manager yet who is still in the cluster';
      throw new TswarmError('unavailable', text, { retryable: true });
    }
    if (!removed.has(nodeId)) return;
    throw new TswarmError('permission_denied', `node ${nodeId} is no longer in the cluster`, {
      hint: 'Leave the cluster on that host and join again.',
    });
  }

  async #describe(imageId: string, { peer }: CallContext): Promise<ImageDescription> {
    this.#refuseStrangers(peer);
    if (!IMAGE_ID.test(imageId)) {
      throw new TswarmError('invalid_argument', 'image_id: expected sha256:<64 hex digits>');
    }
    const { config, layers } = await this.#deps.images.describe(imageId);
    return ImageDescription.create({ config: told(config), layers: layers.map(told) });
  }

  async *#readBlob(
    { digest, offset }: BlobReadRequest,
    { peer, signal }: CallContext,
  ): AsyncIterable<BlobPiece> {
    this.#refuseStrangers(peer);
    if (!isDigest(digest)) {
      throw new TswarmError('invalid_argument', 'digest: expected sha256:<64 hex digits>');
    }
    if (this.#running >= BLOB_SHARES_MAX) {
      const text = `this node is giving ${this.#running} blobs already`;
      throw new TswarmError('resource_exhausted', text, { retryable: true });
    }
    this.#running += 1;
    try {
      for await (const data of this.#deps.images.read(digest, offset, signal)) {
        if (signal.aborted) return;
        yield BlobPiece.create({ data });
      }
    } finally {
      this.#running -= 1;
    }
  }
}

function told({ mediaType, digest, size }: Descriptor): BlobDescriptor {
  return BlobDescriptor.create({ mediaType, digest, size });
}
