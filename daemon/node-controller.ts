// This node's membership: none, starting, member, leaving; the one place that changes it. Order matters and is the same after a kill at any point:
// init   manager bootstraps → certificate saved → node.json written → worker joins.   No node.json = no cluster; leftovers are removed.
// join   token → certificate saved → node.json written → worker joins; the role that the managers say makes it a manager (role.ts).
//        On the manager of a cluster that only this host can reach, init opens it: the manager is started again where others reach it.
// leave  node.json says `leaving` → manager stopped → containers and networks removed → state removed → node.json removed last.
// start  node.json read → worker joins at once (it needs no manager for what runs) → manager started again and again until it runs.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvents } from '#api/cache/cluster-events';
import type {
  ClusterSession,
  InitOptions,
  JoinOptions,
  NodeControl,
  NodeState,
  RestoreOptions,
} from '#api/node-control';
import { messageOf, TswarmError } from '#protocol/errors';
import { NodeAvailability, NodeRole } from '#protocol/generated/specs';
import { parseJoinToken } from '#protocol/join-token';
import type { ManagerReady, ManagerRequest } from '#protocol/manager-ipc';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import type { Clock, Log, Random } from '#protocol/world';
import { removeTree } from '#worker/files';
import { joinCluster } from '#worker/identity/join';
import type { Worker } from '#worker/worker';
import { AddressWatch } from './address-watch.ts';
import { parseAddress } from './addresses.ts';
import { conditionOf, NO_CLUSTER, waitsForKey } from './condition.ts';
import type { Config } from './config.ts';
import { explainJoinFailure } from './join-errors.ts';
import { demoteSelf, setAvailability } from './leaving.ts';
import { CERTIFICATE_RENEW_AT, JOIN_WAIT_MS } from './limits.ts';
import { LocalManager, type ManagerPlaces, managerFolder } from './local-manager.ts';
import type { User } from './manager-user.ts';
import { Membership } from './membership.ts';
import type { NodeRecord } from './node-file.ts';
import {
  addressesOf,
  checkPlacesFree,
  choosePlaces,
  embeddedPlaces,
  firstReachable,
  isHostOnly,
  isLoopback,
  LOOPBACK,
  type Places,
  refuseForOpened,
} from './places.ts';
import { findAgain, hasLostItsCluster } from './rejoin.ts';
import { nextRoleStep } from './role.ts';
import { withSpoolFile } from './spool.ts';
import { untilReady } from './until-ready.ts';

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
  readonly #member: Membership;
  readonly #address: AddressWatch;
  #manager: LocalManager | undefined;
  /** Key of a certificate that the manager on this node was asked to sign. */
  #newKey: string | undefined;
  /** Init, join, leave, unlock and restore: one at a time, a second one is refused. */
  #busy = false;
  #isStopped = false;

  constructor(config: Config, deps: NodeControllerDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#member = new Membership({
      dataRoot: config.dataRoot,
      worker: deps.worker,
      clock: deps.clock,
      random: deps.random,
      log: deps.log,
      heard: () => this.#followRole(),
      renewNow: () => this.#manager?.renewNow(),
    });
    this.#address = new AddressWatch(config.advertiseAddr, {
      member: this.#member,
      log: deps.log,
      isBusy: () => this.#busy,
      moved: (record) => this.#moveManager(record),
    });
  }

  /** Goes on where the last run stopped. Does not wait for a manager: what runs on this node does not need one. */
  async start(): Promise<void> {
    const record = await this.#member.load();
    if (!record) {
      await removeTree(managerFolder(this.#config.dataRoot));
      return;
    }
    if (record.phase === 'leaving') {
      this.#deps.log.info('finishing a leave that was interrupted');
      await this.#finishLeave();
      return;
    }
    const placed = await this.#address.follow(record);
    await this.#member.joinWorker();
    if (placed.manager === 'none') return;
    this.#manager = this.#newManager(placed);
    this.#manager.keepStarting();
  }

  /** This host's addresses or its way out may be others. */
  hostChanged(): void {
    if (!this.#isStopped) this.#address.look();
  }

  /** A manager listens as before, but nobody would know where. */
  async #moveManager(record: NodeRecord): Promise<void> {
    const manager = this.#manager;
    if (!manager || manager.wasRemoved) return;
    await manager.stop();
    this.#manager = this.#newManager(record);
    this.#manager.keepStarting();
  }

  /** Stops session and manager; containers and the node's state stay. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#member.stop();
    await this.#manager?.stop();
  }

  state(): NodeState {
    const { record } = this.#member;
    if (!record) return NO_CLUSTER;
    const isManager = record.manager === 'member';
    const [state, error] = conditionOf(this.#member, this.#manager, isManager);
    return {
      state,
      error,
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      isManager,
      isHostOnly: isHostOnly(record),
      nodeAddr: parseAddress(record.advertiseAddr, LOOPBACK, 'advertiseAddr').host,
      controlAddr: record.advertiseAddr,
      remoteManagers: record.managers,
    };
  }

  session(): ClusterSession | undefined {
    const { record, isLeaving } = this.#member;
    return record?.manager === 'member' && !isLeaving ? this.#manager?.link : undefined;
  }

  async init(options: InitOptions): Promise<string> {
    return this.#exclusively(async () => {
      const { record } = this.#member;
      if (options.forceNewCluster && record) return this.#forceNewCluster(options, record);
      if (record && !options.embedded && isHostOnly(record)) {
        const places = choosePlaces(options, this.#config);
        if (!isLoopback(places.listen)) return this.#open(options, places, record);
      }
      this.#requireNone();
      if (options.forceNewCluster) {
        throw new TswarmError('failed_precondition', 'this node is in no cluster to recover', {
          hint: 'Run init without --force-new-cluster, or restore a backup: tswarm restore FILE.',
        });
      }
      const places = options.embedded
        ? await embeddedPlaces()
        : choosePlaces(options, this.#config);
      return this.#startFirst(
        {
          type: 'bootstrap',
          ...this.#csrs(),
          hostname: this.#deps.hostname,
          addressPools: options.defaultAddrPool,
          subnetSize: options.subnetSize,
          dataPathPort: options.dataPathPort,
        },
        places,
        async (nodeId) => {
          const link = this.#manager?.link;
          if (link) await setAvailability(link, nodeId, options.availability);
        },
      );
    });
  }

  async join(options: JoinOptions): Promise<void> {
    await this.#exclusively(async () => {
      if (hasLostItsCluster(this.#member, options.joinToken)) {
        await findAgain(this.#member, options.remoteAddrs, this.#deps);
        return;
      }
      this.#requireNone();
      parseJoinToken(options.joinToken);
      const role = await this.#joinByToken(options);
      await this.#untilJoined(role);
    });
  }

  async leave(_options: { force: boolean }): Promise<void> {
    await this.#exclusively(async () => {
      const { record } = this.#member;
      if (!record) throw new TswarmError('no_cluster', 'this node is in no cluster');
      this.#deps.log.info('leaving the cluster', { node: record.nodeId });
      const manager = this.#manager;
      if (record.manager === 'member' && manager?.link) {
        await demoteSelf(manager.link, record.nodeId, () => manager.wasRemoved, this.#deps);
      }
      await this.#member.beginLeaving();
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
      this.#requireNone();
      const places = choosePlaces(options, this.#config);
      const { data, unlockKey } = options;
      const { hostname, managerUser } = this.#deps;
      return withSpoolFile(this.#config.dataRoot, data, managerUser, (file) =>
        this.#startFirst({ type: 'restore', file, unlockKey, hostname, ...this.#csrs() }, places),
      );
    });
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy || this.#member.isLeaving) {
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

  #requireNone(): void {
    if (!this.#member.record) return;
    throw new TswarmError('already_exists', 'this node is already in a cluster', {
      hint: 'Leave it first: tswarm leave --force.',
    });
  }

  /** The first manager of a cluster, new or restored. @returns the node's id once it is ready for tasks. @throws after undoing all of it. */
  async #startFirst(
    request: ManagerRequest,
    places: Places,
    finish: (nodeId: string) => Promise<void> = async () => {},
  ): Promise<string> {
    await checkPlacesFree(places);
    try {
      const addresses = addressesOf(places, this.#config);
      const manager = this.#newManager(addresses);
      this.#manager = manager;
      const ready = await manager.start(request);
      await this.#member.setRecord({
        format: 1,
        phase: 'member',
        nodeId: ready.nodeId,
        clusterId: ready.clusterId,
        manager: 'member',
        ...addresses,
        managers: [{ nodeId: ready.nodeId, addr: ready.controlAddress }],
      });
      await this.#member.joinWorker();
      await untilReady(() => this.#manager, ready.nodeId, this.#member, this.#deps.clock);
      await finish(ready.nodeId);
      this.#deps.log.info('cluster created', { node: ready.nodeId, address: ready.controlAddress });
      return ready.nodeId;
    } catch (error) {
      await this.#member.beginLeaving();
      await this.#finishLeave();
      throw error;
    }
  }

  /** Goes on alone with the state that this manager has. */
  async #forceNewCluster(options: InitOptions, record: NodeRecord): Promise<string> {
    if (record.manager !== 'member') {
      throw new TswarmError('failed_precondition', 'this node is not a manager', {
        hint: 'Run it on a node that was a manager of the cluster; its state is what is kept.',
      });
    }
    const isMoved = options.listenAddr !== '' || options.advertiseAddr !== '';
    await this.#startAlone(isMoved ? choosePlaces(options, this.#config) : undefined, record);
    return record.nodeId;
  }

  /** The cluster of this host alone, from now on where other hosts reach it. */
  async #open(options: InitOptions, places: Places, record: NodeRecord): Promise<string> {
    refuseForOpened(options);
    await this.#startAlone(places, record);
    const link = this.#manager?.link;
    const { availability } = options;
    if (link && availability !== 'active') await setAvailability(link, record.nodeId, availability);
    return record.nodeId;
  }

  /** Starts the manager as the only one, elsewhere when `places` are given. @throws after it is as before; `locked`: it goes on alone once it is unlocked. */
  async #startAlone(places: Places | undefined, record: NodeRecord): Promise<void> {
    const addresses = places ? addressesOf(places, this.#config) : record;
    await this.#manager?.stop();
    const manager = this.#newManager(addresses);
    this.#manager = manager;
    const alone = this.#goOnAlone(manager, places, { ...record, ...addresses });
    if ((await Promise.race([alone, manager.untilLocked])) === 'locked') {
      alone.catch((error: unknown) => this.#deps.log.warn('not alone', { why: messageOf(error) }));
      throw waitsForKey();
    }
    await untilReady(() => this.#manager, record.nodeId, this.#member, this.#deps.clock);
  }

  async #goOnAlone(
    manager: LocalManager,
    places: Places | undefined,
    record: NodeRecord,
  ): Promise<void> {
    const before = this.#member.record;
    try {
      if (places) await checkPlacesFree(places);
      const ready = await manager.start({ ...this.#startRequest(), forceNewCluster: true });
      const managers = [{ nodeId: ready.nodeId, addr: ready.controlAddress }];
      await this.#member.change(() => this.#member.setRecord({ ...record, managers }));
      this.#deps.worker.setManagers([ready.controlAddress]);
    } catch (error) {
      // As it was: it is started again by itself. Whoever has stopped it has put another in its place.
      if (before && !manager.isStopped) {
        await manager.stop();
        this.#manager = this.#newManager(before);
        this.#manager.keepStarting();
      }
      throw error;
    }
  }

  /** @returns the role that the token stands for. */
  async #joinByToken(options: JoinOptions): Promise<NodeRole> {
    const remote = await firstReachable(options.remoteAddrs);
    const places = choosePlaces(options, this.#config, remote.towards);
    // A manager's token is not told from a worker's before it is used; a worker may be promoted later, too.
    await checkPlacesFree(places);
    const { identity, role } = await joinCluster({
      address: remote.address,
      token: options.joinToken,
      hostname: this.#deps.hostname,
      availability: availabilityOf(options.availability),
    }).catch((error: unknown) => {
      throw explainJoinFailure(error, remote.address, this.#deps.clock.nowMs());
    });
    await this.#member.setIdentity(identity);
    await this.#member.setRecord({
      format: 1,
      phase: 'member',
      nodeId: identity.nodeId,
      clusterId: identity.clusterId,
      manager: 'none',
      ...addressesOf(places, this.#config),
      managers: [{ nodeId: '', addr: remote.address }],
    });
    await this.#member.joinWorker();
    this.#deps.log.info('joined a cluster', { node: identity.nodeId, manager: remote.address });
    return role;
  }

  /** @throws deadline_exceeded, in Swarm's words; joining goes on. */
  async #untilJoined(role: NodeRole): Promise<void> {
    const deadlineMs = this.#deps.clock.monotonicMs() + JOIN_WAIT_MS;
    const isDone = (): boolean =>
      role === NodeRole.MANAGER
        ? this.#member.record?.manager === 'member' && this.#manager?.link?.cache.isReady === true
        : this.#member.hasSession;
    while (!isDone()) {
      if (this.#deps.clock.monotonicMs() > deadlineMs) {
        const reason = conditionOf(this.#member, this.#manager, role === NodeRole.MANAGER)[1];
        throw new TswarmError(
          'deadline_exceeded',
          `Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "tswarm info" command to see the current swarm status of your node.${reason === '' ? '' : ` (${reason})`}`,
        );
      }
      await sleep(WAIT_STEP_MS);
    }
  }

  #newManager(places: ManagerPlaces): LocalManager {
    return new LocalManager(places, {
      config: this.#config,
      clusterEvents: this.#deps.clusterEvents,
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log,
      script: this.#deps.managerScript,
      user: this.#deps.managerUser,
      restartRequest: () => this.#restartRequest(),
      sign: (csr) => this.#member.signForManager(csr),
      onReady: (ready) => this.#managerReady(ready),
      onRemoved: () => this.#member.later(() => this.#followRole()),
    });
  }

  /** A new key for the worker's certificate that the manager on this node signs. The administrator's is the local manager's business. */
  #csrs(): { readonly workerCsr: string; readonly adminCsr: string } {
    this.#newKey = newNodeKey();
    return { workerCsr: certificateRequestFor(this.#newKey), adminCsr: '' };
  }

  #startRequest(): Extract<ManagerRequest, { type: 'start' }> {
    if (this.#member.lifePassed >= CERTIFICATE_RENEW_AT) return { type: 'start', ...this.#csrs() };
    this.#newKey = undefined;
    return { type: 'start', workerCsr: '', adminCsr: '' };
  }

  #restartRequest(): ManagerRequest {
    const { record, identity, managers } = this.#member;
    if (record?.manager !== 'joining' || !identity) return this.#startRequest();
    this.#newKey = undefined;
    const { nodeId, clusterId } = record;
    const { caCert } = identity;
    return { type: 'join', nodeId, clusterId, caCert, managers, adminCsr: '' };
  }

  async #managerReady(ready: ManagerReady): Promise<void> {
    await this.#member.change(async () => {
      if (ready.workerCertificate !== '' && this.#newKey !== undefined) {
        const { nodeId, clusterId, caCert, workerCertificate: certificate } = ready;
        const key = this.#newKey;
        await this.#member.setIdentity({ nodeId, clusterId, caCert, certificate, key });
      }
      const { record, isLeaving } = this.#member;
      if (!record || isLeaving) return;
      const own = { nodeId: record.nodeId, addr: ready.controlAddress };
      const managers = [own, ...record.managers.filter(({ nodeId }) => nodeId !== own.nodeId)];
      await this.#member.setRecord({ ...record, manager: 'member', managers });
      // A node whose certificate had gone missing gets its session now.
      await this.#member.joinWorker();
      this.#deps.worker.setManagers(this.#member.managers);
    });
  }

  /** Does what the managers' last word about this node's role asks for. */
  async #followRole(): Promise<void> {
    const { record, node } = this.#member;
    const manager = this.#manager;
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
    await this.#member.setRecord({ ...record, manager: step === 'retire' ? 'none' : 'joining' });
    if (step === 'retire') return;
    this.#manager = this.#newManager(record);
    this.#manager.keepStarting();
  }

  async #finishLeave(): Promise<void> {
    await this.#member.stop();
    await this.#manager?.stop();
    this.#manager = undefined;
    await this.#deps.worker.leave();
    await removeTree(managerFolder(this.#config.dataRoot));
    await this.#member.forget();
  }
}

function availabilityOf(text: InitOptions['availability']): NodeAvailability {
  if (text === 'active') return NodeAvailability.ACTIVE;
  return text === 'pause' ? NodeAvailability.PAUSE : NodeAvailability.DRAIN;
}
