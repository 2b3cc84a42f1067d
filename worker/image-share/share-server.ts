// The port on which this node serves others of its cluster, by gRPC over mutual TLS. Nodes get its images: whoever has a node's certificate of this cluster and
// was not removed may take any, as any of them may be told to run it. Managers tell where they are now, when this node cannot find one. Nobody else gets further
// than the handshake.
import type * as grpc from '@grpc/grpc-js';
import { CERTIFICATE_ROLE, isNodeRole, pemBlocks } from '#protocol/certificates';
import type { ImageEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import {
  type ManagerAddress,
  type NodeDoorMethods,
  NodeDoorService,
} from '#protocol/generated/dispatcher';
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
import { IMAGE_PORT, IMAGE_SHARES_MAX, MANAGERS_TOLD_MAX } from '../limits.ts';

const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

export interface ShareServerDeps {
  readonly images: Pick<ImageEngine, 'save'>;
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

  #imageHandlers(): Handlers<ImageShareMethods> {
    return { save: ({ imageId }, context) => this.#save(imageId, context) };
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
  #refuseRemoved(nodeId: string): void {
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

  async *#save(imageId: string, { peer, signal }: CallContext): AsyncIterable<ImagePiece> {
    if (!isNodeRole(peer.role)) {
      throw new TswarmError('permission_denied', 'only nodes of this cluster get images');
    }
    this.#refuseRemoved(peer.nodeId);
    if (!IMAGE_ID.test(imageId)) {
      throw new TswarmError('invalid_argument', 'image_id: expected sha256:<64 hex digits>');
    }
    if (this.#running >= IMAGE_SHARES_MAX) {
      const text = `this node is giving ${this.#running} images already`;
      throw new TswarmError('resource_exhausted', text, { retryable: true });
    }
    this.#running += 1;
    try {
      for await (const data of await this.#deps.images.save([imageId])) {
        if (signal.aborted) return;
        yield ImagePiece.create({ data });
      }
    } finally {
      this.#running -= 1;
    }
  }
}
