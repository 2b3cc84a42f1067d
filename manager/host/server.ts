// The manager's gRPC server: all services on one port, callers of passed-on calls restored, the
// identity exchangeable while it runs.
import type * as grpc from '@grpc/grpc-js';
import { leafValidityMicros } from '#manager/ca/issue';
import { trustBundle, trustedRoots } from '#manager/ca/rotation';
import { controlHandlers } from '#manager/control/control-service';
import { NodeCaService } from '#protocol/generated/ca';
import { ControlService } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { ImageDirectoryService } from '#protocol/generated/images';
import { MembershipService } from '#protocol/generated/membership';
import { ReachService } from '#protocol/generated/reach';
import {
  addService,
  createServer,
  listen,
  replaceServerIdentity,
  serverCredentials,
  type TlsIdentity,
} from '#protocol/transport/grpc';
import { TSWARM_VERSION } from '#protocol/version';
import type { Log, Random } from '#protocol/world';
import { SHUTDOWN_GRACE_MS } from '../limits.ts';
import { backupOf } from './backup.ts';
import { type CertificateAuthority, publicKeyOfCsr } from './ca-service.ts';
import { forCallers } from './caller.ts';
import { clusterTools } from './cluster-tools.ts';
import type { DispatcherHost } from './dispatcher-service.ts';
import type { ImageDirectory } from './image-directory.ts';
import type { LeaderAccess } from './leader-access.ts';
import { membershipHandlers } from './membership-service.ts';
import type { RaftNode } from './raft/raft-node.ts';
import type { ReachHub } from './reach-hub.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface ManagerServerDeps {
  readonly nodeId: string;
  readonly raft: RaftNode;
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly authority: CertificateAuthority;
  readonly dispatcher: DispatcherHost;
  readonly reach: ReachHub;
  readonly images: ImageDirectory;
  readonly random: Random;
  readonly log: Log;
  nowMicros(): number;
  controlAddress(): string;
}

export class ManagerServer {
  readonly #deps: ManagerServerDeps;
  readonly #server: grpc.Server = createServer();
  #credentials: grpc.ServerCredentials | undefined;

  constructor(deps: ManagerServerDeps) {
    this.#deps = deps;
  }

  /** Serves on `host:port`; returns the port. @throws TswarmError failed_precondition */
  async listen(address: string, identity: TlsIdentity): Promise<number> {
    this.#addServices();
    const credentials = serverCredentials(identity, false);
    this.#credentials = credentials;
    return await listen(this.#server, address, credentials);
  }

  /** For new connections; open ones go on. */
  useIdentity(identity: TlsIdentity): void {
    if (this.#credentials) replaceServerIdentity(this.#credentials, identity);
  }

  /** Lets open calls end for a moment. */
  async close(): Promise<void> {
    if (!this.#credentials) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => {
        this.#server.forceShutdown();
        resolve();
      }, SHUTDOWN_GRACE_MS);
      this.#server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    });
  }

  #addServices(): void {
    const { replicated, leader, raft, random, nowMicros, authority } = this.#deps;
    const roots = (): readonly string[] => trustedRoots(replicated.view.cluster());
    const view = (): typeof replicated.view => replicated.view;
    const control = controlHandlers({
      replicated,
      leader,
      raft,
      nodeId: this.#deps.nodeId,
      version: TSWARM_VERSION,
      controlAddress: () => this.#deps.controlAddress(),
      world: {
        members: () => raft.status().members,
        tools: clusterTools({ random, nowMicros }),
      },
      why: {
        get nowMicros() {
          return nowMicros();
        },
        lagging: (serviceId) => this.#deps.dispatcher.lagging(serviceId),
      },
      issueCertificate: ({ csr, ...leaf }) => {
        const cluster = replicated.view.cluster();
        const certificate = authority.issueOutside(cluster, {
          ...leaf,
          publicKey: publicKeyOfCsr(csr),
          validityMicros: leaf.validityMicros || leafValidityMicros(cluster),
        });
        return { certificate, caCert: trustBundle(cluster) };
      },
      backup: () => backupOf(this.#deps.nodeId, replicated.store, nowMicros()),
    });
    const membership = membershipHandlers({
      replicated,
      leader,
      raft,
      random,
      log: this.#deps.log.child('membership'),
    });
    const { dispatcher, reach, images } = this.#deps;
    addService(this.#server, ControlService, forCallers(control, view), roots);
    addService(this.#server, NodeCaService, forCallers(authority.handlers(), view), roots);
    addService(this.#server, MembershipService, forCallers(membership, view), roots);
    addService(this.#server, ReachService, forCallers(reach.handlers(), view), roots);
    // Sessions are never passed on: nodes go to the leader themselves.
    addService(this.#server, DispatcherService, dispatcher.handlers(), roots);
    addService(this.#server, ImageDirectoryService, images.handlers(), roots);
  }
}
