// One manager put together: Raft, store, CA, control and dispatcher services, controllers. Started
// once, stopped once, in reverse order. The parts that only a leader has are started and stopped as
// leadership comes and goes.
import type * as grpc from '@grpc/grpc-js';
import { CERTIFICATE_ROLE } from '#manager/ca/certificates';
import { firstNode, newCluster } from '#manager/ca/cluster';
import { recordCertificate } from '#manager/ca/issue';
import { controlHandlers } from '#manager/control/control-service';
import { newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import { assert } from '#protocol/errors';
import { NodeCaService } from '#protocol/generated/ca';
import { ControlService } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { type Cluster, ManagerStatus, Reachability } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import type { ManagerBootstrap, ManagerReady, ManagerStart } from '#protocol/manager-ipc';
import {
  addService,
  createServer,
  listen,
  replaceServerIdentity,
  serverCredentials,
} from '#protocol/transport/grpc';
import { nodeClock, nodeRandom, nowMicros } from '#protocol/transport/node-world';
import { TSWARM_VERSION } from '#protocol/version';
import type { Log } from '#protocol/world';
import { IDENTITY_CHECK_MS, SHUTDOWN_GRACE_MS } from '../limits.ts';
import { CertificateAuthority, publicKeyOfCsr } from './ca-service.ts';
import { ControllersLoop } from './controllers.ts';
import { DispatcherHost } from './dispatcher-service.ts';
import { makePrivateFolder } from './files.ts';
import type { ManagerIdentity } from './identity.ts';
import { generateKey, nodeCaCrypto } from './node-crypto.ts';
import { createRaftNode } from './raft/client.ts';
import { compileRaftOptions } from './raft/options.ts';
import type { RaftNode } from './raft/raft-node.ts';
import { ReplicatedStore } from './replicated-store.ts';
import { serverIdentity } from './server-identity.ts';

export interface ManagerOptions {
  readonly dataDir: string;
  /** `host:port`; port 0 = any. */
  readonly listenAddress: string;
  /** `host:port` at which nodes reach this manager; port 0 = the one listened on. */
  readonly advertiseAddress: string;
  readonly identity: ManagerIdentity;
}

export class Manager {
  readonly #options: ManagerOptions;
  readonly #log: Log;
  readonly #raft: RaftNode;
  readonly #replicated: ReplicatedStore;
  readonly #authority: CertificateAuthority;
  readonly #controllers: ControllersLoop<ReturnType<typeof newControllerMemory>>;
  readonly #dispatcher: DispatcherHost;
  readonly #server: grpc.Server = createServer();
  #credentials: grpc.ServerCredentials | undefined;
  #identityCheck: NodeJS.Timeout | undefined;
  #controlAddress = '';

  constructor(options: ManagerOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    const { dataDir, identity } = options;
    makePrivateFolder(`${dataDir}/raft`);
    this.#raft = createRaftNode(
      compileRaftOptions({
        dataDir: `${dataDir}/raft`,
        clusterId: identity.clusterId,
        raftId: identity.raftId,
        startMode: 'bootstrap',
      }),
      { log: log.child('raft') },
    );
    this.#replicated = new ReplicatedStore({
      raft: this.#raft,
      random: nodeRandom,
      log: log.child('store'),
      nowMicros,
    });
    this.#authority = new CertificateAuthority({
      replicated: this.#replicated,
      random: nodeRandom,
      nowMicros,
    });
    this.#dispatcher = new DispatcherHost({
      replicated: this.#replicated,
      clock: nodeClock,
      random: nodeRandom,
      log: log.child('dispatcher'),
      advertiseHost: options.advertiseAddress.replace(/:\d+$/, ''),
    });
    this.#controllers = new ControllersLoop({
      replicated: this.#replicated,
      controllers: { newMemory: newControllerMemory, reconcile },
      log: log.child('controllers'),
      nowMicros,
    });
  }

  /** Gets going and answers what the daemon asked for. @throws TswarmError. */
  async start(request: ManagerBootstrap | ManagerStart): Promise<ManagerReady> {
    const { identity } = this.#options;
    this.#raft.onRoleChange((role) => this.#roleChanged(role === 'leader'));
    await this.#raft.start();
    await this.#createClusterOnce();
    const cluster = this.#replicated.view.cluster();
    await this.#serve(cluster);
    if (this.#replicated.isLeading) this.#startLeading();
    await this.#recordAddress();
    const workerCertificate = this.#sign(cluster, CERTIFICATE_ROLE.worker, request.workerCsr);
    const adminCertificate = this.#sign(cluster, CERTIFICATE_ROLE.admin, request.adminCsr);
    if (workerCertificate !== '') {
      await this.#replicated.update({ author: 'ca', summary: '' }, (tx) =>
        recordCertificate(tx, identity.nodeId, workerCertificate),
      );
    }
    return {
      type: 'ready',
      clusterId: cluster.id,
      nodeId: identity.nodeId,
      workerCertificate,
      adminCertificate,
      caCert: cluster.rootCa?.caCert ?? '',
      controlAddress: this.#controlAddress,
      raftAddress: '',
    };
  }

  /** Ends open calls, leaves the log clean. */
  async stop(): Promise<void> {
    clearInterval(this.#identityCheck);
    this.#roleChanged(false);
    await this.#closeServer();
    await this.#raft.stop();
  }

  #roleChanged(isLeader: boolean): void {
    if (isLeader === this.#replicated.isLeading) return;
    this.#log.info(isLeader ? 'this manager leads' : 'this manager does not lead any more');
    this.#replicated.setLeading(isLeader);
    if (!isLeader) {
      this.#dispatcher.stop();
      this.#controllers.stop();
    } else if (this.#controlAddress !== '') {
      this.#startLeading();
    }
  }

  /** What only a leader does; at first start not before the cluster object is there. */
  #startLeading(): void {
    this.#controllers.start();
    this.#dispatcher.start();
  }

  /** The first transaction of a cluster; a start after a crash before it comes here again. */
  async #createClusterOnce(): Promise<void> {
    const { identity, advertiseAddress } = this.#options;
    const isCreated = [...this.#replicated.view.list('cluster')].length > 0;
    if (isCreated) return;
    const { pem, signer } = generateKey();
    const cluster = newCluster({
      id: identity.clusterId,
      crypto: nodeCaCrypto,
      rootSigner: signer,
      rootKey: pem,
      random: nodeRandom,
      nowMicros: nowMicros(),
      addressPools: identity.addressPools,
      subnetSize: identity.subnetSize,
    });
    const node = firstNode({
      id: identity.nodeId,
      hostname: identity.hostname,
      raftId: identity.raftId,
      raftAddress: advertiseAddress,
    });
    await this.#replicated.update({ author: 'admin', summary: 'cluster: create' }, (tx) => {
      tx.create('cluster', cluster);
      tx.create('node', node);
    });
  }

  /** Where the other nodes find this manager; it may have moved since the last start. */
  async #recordAddress(): Promise<void> {
    const { nodeId, raftId } = this.#options.identity;
    await this.#replicated.update({ author: nodeId, summary: '' }, (tx) => {
      const node = tx.get('node', nodeId);
      if (!node) return;
      const managerStatus = ManagerStatus.create({
        leader: true,
        reachability: Reachability.REACHABLE,
        addr: this.#controlAddress,
        raftId,
      });
      tx.update('node', { ...node, managerStatus });
    });
  }

  #sign(cluster: Cluster, role: 'swarm-worker' | 'swarm-admin', csr: string): string {
    if (csr === '') return '';
    const { nodeId } = this.#options.identity;
    const nodeRole = NodeRole.MANAGER;
    return this.#authority.issue(
      cluster,
      { nodeId, certificateRole: role, nodeRole },
      publicKeyOfCsr(csr),
    );
  }

  async #serve(cluster: Cluster): Promise<void> {
    const { identity, listenAddress, advertiseAddress, dataDir } = this.#options;
    const roots = (): readonly string[] => {
      const root = this.#replicated.view.cluster().rootCa?.caCert;
      return root === undefined ? [] : [root];
    };
    const control = controlHandlers({
      replicated: this.#replicated,
      nodeId: identity.nodeId,
      version: TSWARM_VERSION,
      controlAddress: () => this.#controlAddress,
    });
    addService(this.#server, ControlService, control, roots);
    addService(this.#server, DispatcherService, this.#dispatcher.handlers(), roots);
    addService(this.#server, NodeCaService, this.#authority.handlers(), roots);
    const current = (): ReturnType<typeof serverIdentity> =>
      serverIdentity(dataDir, identity.nodeId, cluster, this.#authority, Date.now());
    const credentials = serverCredentials(current(), false);
    this.#credentials = credentials;
    const port = await listen(this.#server, listenAddress, credentials);
    this.#controlAddress = withPort(advertiseAddress, port);
    this.#identityCheck = setInterval(
      () => replaceServerIdentity(credentials, current()),
      IDENTITY_CHECK_MS,
    ).unref();
  }

  async #closeServer(): Promise<void> {
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
}

/** `host:port` with the port filled in when it is 0. */
function withPort(address: string, port: number): string {
  const at = address.lastIndexOf(':');
  assert(at > 0, 'an address has a port', { address });
  return address.endsWith(':0') ? `${address.slice(0, at)}:${port}` : address;
}
