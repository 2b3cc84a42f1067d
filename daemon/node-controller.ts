// This node's membership: none, starting, member, leaving; the one place that changes it. Order matters and is the same after a kill at any point:
// init   manager bootstraps → certificate saved → node.json written → worker joins.   No node.json = no cluster; leftovers are removed.
// join   token → certificate saved → node.json written → worker joins; the role that the managers say makes it a manager (role.ts).
// leave  node.json says `leaving` → manager stopped → containers and networks removed → state removed → node.json removed last.
// start  node.json read → worker joins at once (it needs no manager for what runs) → manager started again and again until it runs.
import { join } from 'node:path';
import type { ClusterEvents } from '#api/cache/cluster-events';
import type {
  ClusterSession,
  InitOptions,
  JoinOptions,
  NodeControl,
  NodeState,
  RestoreOptions,
} from '#api/node-control';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { SessionMessage } from '#protocol/generated/dispatcher';
import { NodeState as SwarmNodeState } from '#protocol/generated/objects';
import { NodeAvailability, NodeRole } from '#protocol/generated/specs';
import { parseJoinToken } from '#protocol/join-token';
import type { ManagerReady, ManagerRequest } from '#protocol/manager-ipc';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import { removeTree } from '#worker/files';
import { certificateRequestFor, newNodeKey } from '#worker/identity/csr';
import { joinCluster, requestCertificate } from '#worker/identity/join';
import { lifeOf, type NodeIdentity, NodeIdentityFile } from '#worker/identity/node-identity';
import { Renewal } from '#worker/identity/renewal';
import { Lock } from '#worker/queue';
import type { Worker } from '#worker/worker';
import { formatAddress, parseAddress, parseRemoteAddress } from './addresses.ts';
import type { Config } from './config.ts';
import { explainJoinFailure } from './join-errors.ts';
import { demoteSelf, setAvailability } from './leaving.ts';
import { CERTIFICATE_RENEW_AT, CLUSTER_READY_TIMEOUT_MS, JOIN_WAIT_MS } from './limits.ts';
import { LocalManager, managerFolder } from './local-manager.ts';
import type { User } from './manager-user.ts';
import { type NodeRecord, readNodeRecord, removeNodeRecord, writeNodeRecord } from './node-file.ts';
import {
  addressTowards,
  checkPlacesFree,
  choosePlaces,
  embeddedPlaces,
  LOOPBACK,
  type Places,
} from './places.ts';
import { nextRoleStep } from './role.ts';
import { withSpoolFile } from './spool.ts';

export interface NodeControllerDeps {
  readonly worker: Worker;
  readonly clusterEvents: ClusterEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly hostname: string;
  /** Path of manager/main.ts or its compiled form. */
  readonly managerScript: string;
  /** Who the manager runs as; undefined = root. */
  readonly managerUser: User | undefined;
}

const WAIT_STEP_MS = 20;

export class NodeController implements NodeControl {
  readonly #config: Config;
  readonly #deps: NodeControllerDeps;
  readonly #identityFile: NodeIdentityFile;
  #record: NodeRecord | undefined;
  #identity: NodeIdentity | undefined;
  #manager: LocalManager | undefined;
  #renewal: Renewal | undefined;
  /** Key of a certificate that the manager on this node was asked to sign. */
  #newKey: string | undefined;
  /** What the managers said last about this node. */
  #heard: SessionMessage | undefined;
  #hasSession = false;
  /** Why there is no session; undefined when nothing was tried yet or all is well. */
  #sessionError: unknown;
  #leaving = false;
  /** Init, join, leave, unlock and restore: one at a time, a second one is refused. */
  #busy = false;
  /** Changes of node.json, the identity and the manager's life that come from the session: one after the other. */
  readonly #changes: Lock = new Lock();

  constructor(config: Config, deps: NodeControllerDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#identityFile = new NodeIdentityFile(join(config.dataRoot, 'identity'));
  }

  /** Goes on where the last run stopped. Does not wait for a manager: what runs on this node does not need one. */
  async start(): Promise<void> {
    const record = await readNodeRecord(this.#config.dataRoot);
    if (!record) {
      await this.#removeState();
      return;
    }
    this.#record = record;
    if (record.phase === 'leaving') {
      this.#deps.log.info('finishing a leave that was interrupted');
      await this.#finishLeave();
      return;
    }
    this.#identity = await this.#identityFile.load();
    if (this.#identity) await this.#joinWorker(record, this.#identity);
    if (record.manager === 'none') return;
    this.#manager = this.#newManager(record);
    this.#manager.keepStarting();
  }

  /** Stops session and manager; containers and the node's state stay. */
  async stop(): Promise<void> {
    await this.#renewal?.stop();
    await this.#manager?.stop();
    await this.#changes.idle();
  }

  state(): NodeState {
    const record = this.#record;
    if (!record) return NO_CLUSTER;
    const isManager = record.manager === 'member';
    const [state, error] = this.#condition(isManager);
    return {
      state,
      error,
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      isManager,
      nodeAddr: parseAddress(record.advertiseAddr, LOOPBACK, 'advertiseAddr').host,
      controlAddr: record.advertiseAddr,
      remoteManagers: record.managers,
    };
  }

  #condition(isManager: boolean): readonly [NodeState['state'], string] {
    const manager = this.#manager;
    if (manager?.isLocked) return ['locked', ''];
    if (hasCode(this.#sessionError, 'permission_denied')) {
      return ['error', `${messageOf(this.#sessionError)}; run "tswarm leave" on this node`];
    }
    if (isManager) {
      const isReady = manager?.link?.cache.isReady === true && !this.#leaving;
      return [isReady ? 'active' : 'pending', manager?.error ?? ''];
    }
    if (this.#hasSession) return ['active', ''];
    return ['pending', this.#sessionError === undefined ? '' : messageOf(this.#sessionError)];
  }

  session(): ClusterSession | undefined {
    return this.#record?.manager === 'member' && !this.#leaving ? this.#manager?.link : undefined;
  }

  async init(options: InitOptions): Promise<string> {
    return this.#exclusively(async () => {
      const record = this.#record;
      if (options.forceNewCluster && record) return this.#forceNewCluster(options, record);
      if (record) throw new TswarmError('already_exists', 'this node is already in a cluster');
      if (options.forceNewCluster) {
        throw new TswarmError('failed_precondition', 'this node is in no cluster to recover', {
          hint: 'Run init without --force-new-cluster, or restore a backup: tswarm restore FILE.',
        });
      }
      const places = options.embedded
        ? await embeddedPlaces()
        : choosePlaces(options, this.#config);
      await checkPlacesFree(places);
      try {
        return await this.#bootstrap(options, places);
      } catch (error) {
        await this.#undo();
        throw error;
      }
    });
  }

  async join(options: JoinOptions): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#record) {
        throw new TswarmError('already_exists', 'this node is already in a cluster');
      }
      parseJoinToken(options.joinToken);
      await this.#joinByToken(options);
    });
  }

  async leave(_options: { force: boolean }): Promise<void> {
    await this.#exclusively(async () => {
      const record = this.#record;
      if (!record) throw new TswarmError('no_cluster', 'this node is in no cluster');
      this.#deps.log.info('leaving the cluster', { node: record.nodeId });
      const manager = this.#manager;
      if (record.manager === 'member' && manager?.link) {
        await demoteSelf(manager.link, record.nodeId, () => manager.wasRemoved, this.#deps);
      }
      this.#leaving = true;
      await this.#changes.run(() =>
        writeNodeRecord(this.#config.dataRoot, { ...(this.#record ?? record), phase: 'leaving' }),
      );
      await this.#finishLeave();
    });
  }

  async unlock(key: string): Promise<void> {
    await this.#exclusively(async () => {
      if (!this.#manager?.isLocked) throw new TswarmError('conflict', 'swarm is not locked');
      await this.#manager.unlock(key);
    });
  }

  async restore(options: RestoreOptions): Promise<string> {
    return this.#exclusively(async () => {
      if (this.#record) {
        throw new TswarmError('already_exists', 'this node is already in a cluster', {
          hint: 'Leave it first: tswarm leave --force.',
        });
      }
      const places = choosePlaces(options, this.#config);
      await checkPlacesFree(places);
      const { data, unlockKey } = options;
      const { hostname, managerUser } = this.#deps;
      return withSpoolFile(this.#config.dataRoot, data, managerUser, async (file) => {
        const request = { type: 'restore', file, unlockKey, hostname, ...this.#csrs() } as const;
        try {
          return await this.#startFirst(request, places);
        } catch (error) {
          await this.#undo();
          throw error;
        }
      });
    });
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy || this.#leaving) {
      throw new TswarmError('conflict', 'this node is just joining or leaving a cluster', {
        retryable: true,
        hint: 'Try again when that is done.',
      });
    }
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  async #bootstrap(options: InitOptions, places: Places): Promise<string> {
    const nodeId = await this.#startFirst(
      {
        type: 'bootstrap',
        ...this.#csrs(),
        hostname: this.#deps.hostname,
        addressPools: options.defaultAddrPool,
        subnetSize: options.subnetSize,
        dataPathPort: options.dataPathPort,
      },
      places,
    );
    const link = this.#manager?.link;
    if (link) await setAvailability(link, nodeId, options.availability);
    return nodeId;
  }

  /** The first manager of a cluster, new or restored. @returns the node's id once it is ready for tasks. */
  async #startFirst(request: ManagerRequest, places: Places): Promise<string> {
    const addresses = addressesOf(places);
    const manager = this.#newManager(addresses);
    this.#manager = manager;
    const ready = await manager.start(request);
    const record: NodeRecord = {
      format: 1,
      phase: 'member',
      nodeId: ready.nodeId,
      clusterId: ready.clusterId,
      manager: 'member',
      ...addresses,
      managers: [{ nodeId: ready.nodeId, addr: ready.controlAddress }],
    };
    await this.#setRecord(record);
    if (!this.#identity) throw new Error('bug: no certificate after the first start');
    await this.#joinWorker(record, this.#identity);
    await this.#untilReady(record.nodeId);
    this.#deps.log.info('cluster created', { node: record.nodeId, address: record.advertiseAddr });
    return record.nodeId;
  }

  /** Goes on alone with the state that this manager has. */
  async #forceNewCluster(options: InitOptions, record: NodeRecord): Promise<string> {
    if (record.manager !== 'member') {
      throw new TswarmError('failed_precondition', 'this node is not a manager', {
        hint: 'Run it on a node that was a manager of the cluster; its state is what is kept.',
      });
    }
    const given = options.listenAddr !== '' || options.advertiseAddr !== '';
    const addresses = given ? addressesOf(choosePlaces(options, this.#config)) : record;
    await this.#manager?.stop();
    const manager = this.#newManager(addresses);
    this.#manager = manager;
    try {
      const ready = await manager.start({ ...this.#startRequest(), forceNewCluster: true });
      const managers = [{ nodeId: ready.nodeId, addr: ready.controlAddress }];
      const { listenAddr, advertiseAddr } = addresses;
      await this.#setRecord({ ...record, listenAddr, advertiseAddr, managers });
      this.#deps.worker.setManagers([ready.controlAddress]);
    } catch (error) {
      // As it was: it is started again by itself.
      await manager.stop();
      this.#manager = this.#newManager(record);
      this.#manager.keepStarting();
      throw error;
    }
    await this.#untilReady(record.nodeId);
    return record.nodeId;
  }

  async #joinByToken(options: JoinOptions): Promise<void> {
    const remote = await firstReachable(options.remoteAddrs);
    const places = choosePlaces(options, this.#config, remote.towards);
    // A manager's token is not told from a worker's before it is used; a worker may be promoted later, too.
    await checkPlacesFree(places);
    const joined = await joinCluster({
      address: remote.address,
      token: options.joinToken,
      hostname: this.#deps.hostname,
      availability: availabilityOf(options.availability),
    }).catch((error: unknown) => {
      throw explainJoinFailure(error, remote.address, this.#deps.clock.nowMs());
    });
    const { identity, role } = joined;
    await this.#identityFile.save(identity);
    this.#identity = identity;
    const record: NodeRecord = {
      format: 1,
      phase: 'member',
      nodeId: identity.nodeId,
      clusterId: identity.clusterId,
      manager: 'none',
      ...addressesOf(places),
      managers: [{ nodeId: '', addr: remote.address }],
    };
    await this.#setRecord(record);
    await this.#joinWorker(record, identity);
    this.#deps.log.info('joined a cluster', { node: record.nodeId, manager: remote.address });
    await this.#untilJoined(role);
  }

  /** @throws deadline_exceeded, in Swarm's words; joining goes on. */
  async #untilJoined(role: NodeRole): Promise<void> {
    const deadlineMs = this.#deps.clock.monotonicMs() + JOIN_WAIT_MS;
    while (this.#deps.clock.monotonicMs() < deadlineMs) {
      const isManager = this.#record?.manager === 'member' && this.#manager?.link?.cache.isReady;
      if (role === NodeRole.MANAGER ? isManager === true : this.#hasSession) return;
      await sleep(WAIT_STEP_MS);
    }
    const why = this.#manager?.error || (this.#sessionError && messageOf(this.#sessionError));
    throw new TswarmError(
      'deadline_exceeded',
      'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. ' +
        `Use the "tswarm info" command to see the current swarm status of your node.${why ? ` (${why})` : ''}`,
    );
  }

  #newManager(places: Pick<NodeRecord, 'listenAddr' | 'advertiseAddr'>): LocalManager {
    return new LocalManager(places, {
      config: this.#config,
      clusterEvents: this.#deps.clusterEvents,
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log,
      script: this.#deps.managerScript,
      user: this.#deps.managerUser,
      restartRequest: () => this.#restartRequest(),
      sign: (csr) => this.#signForManager(csr),
      onReady: (ready) => this.#managerReady(ready),
      onRemoved: () => this.#later(() => this.#followRole()),
    });
  }

  /** A key of its own for the worker's certificate that the manager on this node signs. The administrator's is the local manager's business. */
  #csrs(): { readonly workerCsr: string; readonly adminCsr: string } {
    this.#newKey = newNodeKey();
    return { workerCsr: certificateRequestFor(this.#newKey), adminCsr: '' };
  }

  #startRequest(): Extract<ManagerRequest, { type: 'start' }> {
    const identity = this.#identity;
    const life = identity && lifeOf(identity.certificate);
    const passed = life
      ? (this.#deps.clock.nowMs() - life.fromMs) / (life.toMs - life.fromMs)
      : Number.POSITIVE_INFINITY;
    if (passed >= CERTIFICATE_RENEW_AT) return { type: 'start', ...this.#csrs() };
    this.#newKey = undefined;
    return { type: 'start', workerCsr: '', adminCsr: '' };
  }

  #restartRequest(): ManagerRequest {
    const [record, identity] = [this.#record, this.#identity];
    if (record?.manager !== 'joining' || !identity) return this.#startRequest();
    this.#newKey = undefined;
    return {
      type: 'join',
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      caCert: identity.caCert,
      managers: record.managers.map(({ addr }) => addr),
      adminCsr: '',
    };
  }

  async #signForManager(csr: string): Promise<{ certificate: string; caCert: string }> {
    const [record, identity] = [this.#record, this.#identity];
    if (!record || !identity) throw new TswarmError('no_cluster', 'this node is in no cluster');
    const managers = record.managers.map(({ addr }) => addr);
    return requestCertificate(managers, identity, csr, NodeRole.MANAGER);
  }

  async #managerReady(ready: ManagerReady): Promise<void> {
    if (ready.workerCertificate !== '' && this.#newKey !== undefined) {
      const { nodeId, clusterId, caCert, workerCertificate: certificate } = ready;
      await this.#useIdentity({ nodeId, clusterId, caCert, certificate, key: this.#newKey });
    }
    await this.#changes.run(async () => {
      const record = this.#record;
      if (!record || this.#leaving) return;
      const own = { nodeId: record.nodeId, addr: ready.controlAddress };
      const managers = [own, ...record.managers.filter(({ nodeId }) => nodeId !== own.nodeId)];
      await this.#setRecord({ ...record, manager: 'member', managers });
      const identity = this.#identity;
      // A node whose certificate had gone missing or run out.
      if (identity && !this.#renewal) await this.#joinWorker(record, identity);
      this.#deps.worker.setManagers(managers.map(({ addr }) => addr));
    });
  }

  async #joinWorker(record: NodeRecord, identity: NodeIdentity): Promise<void> {
    await this.#deps.worker.join({
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      identity,
      managers: record.managers.map(({ addr }) => addr),
      observer: {
        sessionMessage: (message) => this.#hear(message),
        sessionChanged: (connected, reason) => {
          if (connected) this.#hasSession = true;
          this.#sessionError = connected ? undefined : reason;
        },
      },
    });
    this.#renewal = new Renewal({
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log.child('renewal'),
      current: () => this.#identity ?? identity,
      managers: () => (this.#record ?? record).managers.map(({ addr }) => addr),
      renewed: (renewed) => this.#useIdentity({ ...identity, ...renewed }),
    });
    this.#renewal.start();
  }

  #hear(message: SessionMessage): void {
    this.#heard = message;
    if (message.renewCertificate) {
      this.#renewal?.now();
      this.#manager?.renewNow();
    }
    this.#later(async () => {
      await this.#keepManagers(message);
      const identity = this.#identity;
      if (identity && message.caCert !== '' && message.caCert !== identity.caCert) {
        await this.#useIdentity({ ...identity, caCert: message.caCert });
      }
      await this.#followRole();
    });
  }

  async #keepManagers(message: SessionMessage): Promise<void> {
    const record = this.#record;
    const managers = message.managers.map(({ nodeId, addr }) => ({ nodeId, addr }));
    if (!record || managers.length === 0) return;
    if (JSON.stringify(managers) === JSON.stringify(record.managers)) return;
    await this.#setRecord({ ...record, managers });
  }

  /** Does what the managers' last word about this node's role asks for. */
  async #followRole(): Promise<void> {
    const [record, manager] = [this.#record, this.#manager];
    const node = this.#heard?.node;
    if (!record || !node) return;
    const step = nextRoleStep({
      desired: node.spec?.role ?? NodeRole.WORKER,
      observed: node.role,
      manager: record.manager,
      wasRemoved: manager?.wasRemoved === true,
    });
    if (step === 'nothing') return;
    this.#deps.log.info(step === 'retire' ? 'no manager any more' : 'becoming a manager');
    await manager?.stop();
    this.#manager = undefined;
    await removeTree(managerFolder(this.#config.dataRoot));
    // Written before the manager can count in a quorum: after a kill it must be started without being told to.
    await this.#setRecord({ ...record, manager: step === 'retire' ? 'none' : 'joining' });
    if (step === 'retire') return;
    this.#manager = this.#newManager(record);
    this.#manager.keepStarting();
  }

  /** After what is under way; not while leaving. */
  #later(work: () => Promise<void>): void {
    this.#changes
      .run(async () => {
        if (!this.#leaving) await work();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('membership', { reason: messageOf(error) });
      });
  }

  async #useIdentity(identity: NodeIdentity): Promise<void> {
    await this.#identityFile.save(identity);
    this.#identity = identity;
    this.#deps.worker.setIdentity(identity as TlsIdentity);
  }

  async #setRecord(record: NodeRecord): Promise<void> {
    await writeNodeRecord(this.#config.dataRoot, record);
    this.#record = record;
  }

  /** Until the cache is filled and the manager has the node as ready: the first task can be placed. */
  async #untilReady(nodeId: string): Promise<void> {
    const deadline = this.#deps.clock.monotonicMs() + CLUSTER_READY_TIMEOUT_MS;
    for (;;) {
      const cache = this.#manager?.link?.cache;
      const node = cache?.isReady ? cache.get('node', nodeId) : undefined;
      if (node?.status?.state === SwarmNodeState.READY) return;
      if (this.#deps.clock.monotonicMs() > deadline) {
        const what = cache?.isReady ? 'the worker has no session' : 'the manager does not answer';
        throw new TswarmError('deadline_exceeded', `the new cluster did not get ready: ${what}`, {
          hint: 'The log of tswarmd says more.',
        });
      }
      await sleep(WAIT_STEP_MS);
    }
  }

  /** An init or restore that failed. */
  async #undo(): Promise<void> {
    this.#leaving = true;
    await this.#finishLeave();
  }

  async #finishLeave(): Promise<void> {
    this.#leaving = true;
    await this.#renewal?.stop();
    this.#renewal = undefined;
    await this.#changes.idle();
    await this.#manager?.stop();
    this.#manager = undefined;
    await this.#deps.worker.leave();
    await this.#removeState();
    await removeNodeRecord(this.#config.dataRoot);
    this.#record = undefined;
    this.#identity = undefined;
    this.#heard = undefined;
    this.#hasSession = false;
    this.#sessionError = undefined;
    this.#leaving = false;
  }

  async #removeState(): Promise<void> {
    await removeTree(managerFolder(this.#config.dataRoot));
    await this.#identityFile.remove();
  }
}

const NO_CLUSTER: NodeState = {
  state: 'inactive',
  error: '',
  nodeId: '',
  clusterId: '',
  isManager: false,
  nodeAddr: '',
  controlAddr: '',
  remoteManagers: [],
};

function addressesOf(places: Places): Pick<NodeRecord, 'listenAddr' | 'advertiseAddr'> {
  return {
    listenAddr: formatAddress(places.listen),
    advertiseAddr: formatAddress(places.advertise),
  };
}

function availabilityOf(text: InitOptions['availability']): NodeAvailability {
  if (text === 'active') return NodeAvailability.ACTIVE;
  return text === 'pause' ? NodeAvailability.PAUSE : NodeAvailability.DRAIN;
}

/** The first of the given managers that answers. @throws what was wrong with the last one. */
async function firstReachable(
  texts: readonly string[],
): Promise<{ readonly address: string; readonly towards: string }> {
  let failure: unknown = new TswarmError('invalid_argument', 'no manager’s address was given', {
    field: 'remoteAddrs',
    hint: 'Use: tswarm join --token TOKEN HOST:PORT.',
  });
  for (const address of texts.map((text) => parseRemoteAddress(text, 'remoteAddrs'))) {
    try {
      return { address: formatAddress(address), towards: await addressTowards(address) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
