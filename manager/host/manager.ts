// One manager put together: Raft, store, CA, control, dispatcher and membership services,
// controllers. Started once, stopped once, in reverse order. The parts that only a leader has are
// started and stopped as leadership comes and goes.

import { firstNode, newCluster } from '#manager/ca/cluster';
import { issuingRoot, trustBundle } from '#manager/ca/rotation';
import { type MemberAddress, peersOf, raftIdOf } from '#manager/control/managers';
import { takeOver } from '#manager/control/membership';
import { newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import type { CommittedEntry } from '#manager/store/recent-changes';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { messageOf } from '#protocol/errors';
import type { AnnounceRequest } from '#protocol/generated/membership';
import type { Cluster } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import { newId } from '#protocol/ids';
import type { ManagerJoin, ManagerReady, ManagerRequest } from '#protocol/manager-ipc';
import { nodeClock, nodeRandom, nowMicros } from '#protocol/transport/node-world';
import type { Log } from '#protocol/world';
import { HAND_OVER_MS, IDENTITY_CHECK_MS, LEADER_LOOK_MS } from '../limits.ts';
import { Announcer } from './announcer.ts';
import { CertificateAuthority, publicKeyOfCsr } from './ca-service.ts';
import { ControllersLoop } from './controllers.ts';
import { DispatcherHost } from './dispatcher-service.ts';
import { makePrivateFolder } from './files.ts';
import { writeIdentity } from './identity.ts';
import { ImageDirectory } from './image-directory.ts';
import { LeaderAccess } from './leader-access.ts';
import { LeaderChores } from './leader-chores.ts';
import { ManagerIdentityFiles } from './manager-identity.ts';
import { type MemberSettings, newRaft } from './manager-raft.ts';
import { NodeCaller } from './node-caller.ts';
import { generateKey, nodeCaCrypto } from './node-crypto.ts';
import { OwnIdentity } from './own-identity.ts';
import { Wakeups } from './pacing.ts';
import { withPortIfAny } from './places.ts';
import type { RaftNode } from './raft/raft-node.ts';
import { ReachHub } from './reach-hub.ts';
import { ReplicatedStore } from './replicated-store.ts';
import { SeatWatch } from './seat-watch.ts';
import { ManagerServer } from './server.ts';

export interface ManagerOptions extends MemberSettings {
  /** This manager is out of the Raft group for good. */
  removed(): void;
}

/** What this manager has signed for its host when it got ready. */
interface Signed {
  /** PEM; '' = none. */
  readonly worker: string;
  readonly hasAdmin: boolean;
  readonly rootDigest: string;
}

export class Manager {
  readonly #options: ManagerOptions;
  readonly #log: Log;
  readonly #raft: RaftNode;
  readonly #replicated: ReplicatedStore;
  readonly #leader: LeaderAccess;
  readonly #authority: CertificateAuthority;
  readonly #identity: OwnIdentity;
  readonly #controllers: ControllersLoop<ReturnType<typeof newControllerMemory>>;
  readonly #dispatcher: DispatcherHost;
  readonly #reach: ReachHub;
  readonly #images: ImageDirectory;
  readonly #chores: LeaderChores;
  readonly #caller: NodeCaller;
  readonly #announcer: Announcer;
  readonly #server: ManagerServer;
  readonly #wakeups: Wakeups = new Wakeups();
  readonly #instance: string = newId(nodeRandom);
  readonly #stopped: AbortController = new AbortController();
  #identityCheck: NodeJS.Timeout | undefined;
  /** Until it has its vote. */
  #seat: SeatWatch | undefined;
  /** Changes of identity and seals, one after the other. */
  #following: Promise<void> = Promise.resolve();
  #isServing = false;
  /** The store has caught up with the cluster since the start. */
  #isCurrent = false;
  /** Peers in manager.json. */
  #saved: readonly MemberAddress[];
  #controlAddress = '';
  /** Signed here at start, until the leader has been told. */
  #signed: Signed | undefined;
  /** What of it the present announcement carries: another may be signed before that one has arrived. */
  #telling: Signed | undefined;

  constructor(options: ManagerOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#saved = options.identity.peers;
    const { dataDir, identity, places } = options;
    makePrivateFolder(`${dataDir}/raft`);
    const raft = newRaft(options, this.#instance, log);
    const replicated = new ReplicatedStore({
      raft,
      random: nodeRandom,
      log: log.child('store'),
      nowMicros,
    });
    const leader = new LeaderAccess({
      replicated,
      clock: nodeClock,
      status: () => raft.status(),
      readIndex: () => raft.readIndex(),
      identity: () => this.#identity.current,
    });
    const authority = new CertificateAuthority({
      replicated,
      leader,
      random: nodeRandom,
      clock: nodeClock,
      nowMicros,
    });
    this.#raft = raft;
    this.#replicated = replicated;
    this.#leader = leader;
    this.#authority = authority;
    this.#identity = new OwnIdentity({
      nodeId: identity.nodeId,
      files: new ManagerIdentityFiles(dataDir, options.unlockKey),
      authority,
      raft,
      clock: nodeClock,
      log: log.child('identity'),
      changed: (own) => {
        this.#server.useIdentity(own);
        if (this.#isServing) void this.#announcer.announce();
      },
    });
    this.#dispatcher = new DispatcherHost({
      replicated,
      clock: nodeClock,
      random: nodeRandom,
      log: log.child('dispatcher'),
      advertiseHost: places.advertiseAddress.replace(/:\d+$/, ''),
    });
    this.#controllers = new ControllersLoop({
      replicated,
      controllers: { newMemory: newControllerMemory, reconcile },
      log: log.child('controllers'),
      nowMicros,
    });
    this.#images = new ImageDirectory(replicated, nodeClock);
    this.#reach = new ReachHub({ replicated, leader, random: nodeRandom });
    this.#chores = new LeaderChores({
      replicated,
      raft,
      log: log.child('chores'),
      nowMicros,
    });
    this.#caller = new NodeCaller({
      clock: nodeClock,
      log: log.child('node-caller'),
      view: () => replicated.view,
      isInTouch: (nodeId) => this.#dispatcher.isInTouch(nodeId),
      identity: () => this.#identity.current,
    });
    this.#announcer = new Announcer({
      replicated,
      leader,
      log: log.child('announcer'),
      describe: () => this.#describe(),
      told: () => {
        if (this.#signed === this.#telling) this.#signed = undefined;
      },
    });
    this.#server = new ManagerServer({
      nodeId: identity.nodeId,
      raft,
      replicated,
      leader,
      authority,
      dispatcher: this.#dispatcher,
      reach: this.#reach,
      images: this.#images,
      random: nodeRandom,
      log,
      nowMicros,
      controlAddress: () => this.#controlAddress,
    });
  }

  /** Gets going and answers what the daemon asked for. @throws TswarmError `locked`, and others. */
  async start(request: ManagerRequest): Promise<ManagerReady> {
    const { identity, places } = this.#options;
    this.#raft.onRoleChange((role) => this.#roleChanged(role === 'leader'));
    this.#raft.onStatusChange(() => this.#statusChanged());
    this.#raft.onRemoved(() => this.#options.removed());
    this.#replicated.store.subscribe((entry) => this.#committed(entry));
    await this.#raft.start();
    if (!identity.hasLog) writeIdentity(this.#options.dataDir, { ...identity, hasLog: true });
    this.#statusChanged();
    if (request.type === 'join') this.#seat = this.#watchSeat(request);
    if (identity.origin === 'bootstrap') await this.#createClusterOnce();
    await this.#untilCluster();
    if (this.#mustTakeOver()) await this.#takeOver();
    await this.#follow();
    await this.#until(() => this.#raft.status().peerPort !== null);
    const port = await this.#server.listen(places.listenAddress, this.#identity.current);
    this.#controlAddress = withPortIfAny(places.advertiseAddress, port);
    this.#isServing = true;
    void this.#untilCurrent();
    this.#identityCheck = setInterval(() => this.#followAll(), IDENTITY_CHECK_MS).unref();
    if (this.#replicated.isLeading) this.#startLeading();
    if (request.type === 'join') await this.#untilVoter();
    this.#seat?.stop();
    return this.#ready(request);
  }

  /** Hands leadership over, ends open calls, leaves the log clean. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#identityCheck);
    this.#seat?.stop();
    this.#announcer.stop();
    await this.#handOver();
    this.#roleChanged(false);
    await this.#server.close();
    this.#leader.close();
    await this.#raft.stop();
  }

  async #ready(request: ManagerRequest): Promise<ManagerReady> {
    const { identity } = this.#options;
    const cluster = this.#replicated.view.cluster();
    const workerCsr = request.type === 'join' ? '' : request.workerCsr;
    const workerCertificate = this.#sign(cluster, CERTIFICATE_ROLE.worker, workerCsr);
    const adminCertificate = this.#sign(cluster, CERTIFICATE_ROLE.admin, request.adminCsr);
    const rootDigest = issuingRoot(cluster).digest;
    this.#signed = { worker: workerCertificate, hasAdmin: adminCertificate !== '', rootDigest };
    const announced = this.#announcer.announce();
    // Without a leader there is nobody to tell, and what runs here does not need to wait for it.
    if (this.#replicated.isLeading) await announced;
    return {
      type: 'ready',
      clusterId: cluster.id,
      nodeId: identity.nodeId,
      workerCertificate,
      adminCertificate,
      caCert: trustBundle(cluster),
      controlAddress: this.#controlAddress,
      raftAddress: this.#raftAddress(),
    };
  }

  #roleChanged(isLeader: boolean): void {
    if (isLeader === this.#replicated.isLeading) return;
    this.#log.info(isLeader ? 'this manager leads' : 'this manager does not lead any more');
    this.#replicated.setLeading(isLeader);
    this.#leader.statusChanged();
    if (!isLeader) {
      this.#chores.stop();
      this.#caller.stop();
      this.#dispatcher.stop();
      this.#reach.reset();
      this.#images.reset();
      this.#controllers.stop();
    } else if (this.#isServing) {
      this.#startLeading();
    }
  }

  /** What only a leader does; at first start not before the cluster object is there. */
  #startLeading(): void {
    this.#controllers.start();
    this.#dispatcher.start();
    this.#chores.start();
    this.#caller.start();
  }

  #statusChanged(): void {
    this.#leader.statusChanged();
    this.#chores.statusChanged();
    this.#wakeups.wake();
  }

  /** Every manager follows what the state says of peers, identity, seals and the log's length. */
  #committed(entry: CommittedEntry | 'reset'): void {
    const has = (kind: string): boolean =>
      entry === 'reset' || entry.changes.some((change) => change.kind === kind);
    if (has('node')) {
      this.#followPeers();
    }
    if (has('cluster')) {
      this.#wakeups.wake();
      if (this.#isServing) void this.#follow();
    }
  }

  /**
   * Tells Raft whom to reach where: as the store has it; until that has caught up also those that
   * were there when this manager ran last, or that the leader named at the join. Without them, a
   * store that lags might not know the leader, and so never catch up.
   */
  #followPeers(): void {
    const { identity, dataDir } = this.#options;
    const known = peersOf(this.#replicated.view, identity.raftId);
    const others = this.#saved.filter((peer) => !known.some((k) => k.raftId === peer.raftId));
    this.#raft.setPeers(this.#isCurrent ? known : [...known, ...others]);
    if (!this.#isCurrent || JSON.stringify(known) === JSON.stringify(this.#saved)) return;
    try {
      writeIdentity(dataDir, { ...identity, hasLog: true, peers: known });
      this.#saved = known;
    } catch (error) {
      // On a full disk: with the next change, or the next look at the identity.
      this.#log.warn('manager.json not written', { error: messageOf(error) });
    }
  }

  /** From here on this manager's state is what the cluster's was after it started. */
  async #untilCurrent(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#leader.caughtUp();
        break;
      } catch (error) {
        this.#log.debug('not up to date yet', { error: messageOf(error) });
        await new Promise((resolve) => setTimeout(resolve, LEADER_LOOK_MS).unref());
      }
    }
    if (this.#stopped.signal.aborted) return;
    this.#isCurrent = true;
    this.#followPeers();
    await this.#follow();
  }

  /** What could not be written a while ago is tried again. */
  #followAll(): void {
    this.#followPeers();
    void this.#follow();
  }

  #follow(): Promise<void> {
    this.#following = this.#following.then(async () => {
      const cluster = this.#replicated.view.cluster();
      const { snapshotInterval = 0, logEntriesForSlowFollowers = 0 } = cluster.spec?.raft ?? {};
      if (snapshotInterval > 0) {
        this.#raft.setSnapshotSettings({
          everyEntries: snapshotInterval,
          trailingEntries: logEntriesForSlowFollowers,
        });
      }
      try {
        await this.#identity.follow(cluster, this.#isCurrent);
      } catch (error) {
        if (!this.#isServing) throw error;
        this.#log.error('identity not renewed', { error: messageOf(error) });
      }
    });
    return this.#following;
  }

  /** The first transaction of a cluster; a start after a crash before it comes here again. */
  async #createClusterOnce(): Promise<void> {
    const { identity, places } = this.#options;
    if (this.#hasCluster() || !this.#replicated.isLeading) return;
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
      dataPathPort: identity.dataPathPort,
    });
    const node = firstNode({
      id: identity.nodeId,
      hostname: identity.hostname,
      raftId: identity.raftId,
      controlAddress: places.advertiseAddress,
    });
    await this.#replicated.update({ author: 'admin', summary: 'cluster: create' }, (tx) => {
      tx.create('cluster', cluster);
      tx.create('node', node);
    });
  }

  #hasCluster(): boolean {
    return [...this.#replicated.view.list('cluster')].length > 0;
  }

  /** A manager that joins gets the state from the leader first. */
  async #untilCluster(): Promise<void> {
    if (this.#hasCluster()) return;
    this.#followPeers();
    await this.#identity.useAsItIs();
    await this.#until(() => this.#hasCluster());
  }

  #watchSeat({ managers }: ManagerJoin): SeatWatch {
    const { nodeId, raftId } = this.#options.identity;
    return new SeatWatch({
      nodeId,
      raftId,
      managers,
      log: this.#log,
      identity: () => this.#identity.current,
      lost: () => {
        this.#log.warn('its place among the managers was taken back before it had a vote');
        this.#options.removed();
      },
    });
  }

  async #untilVoter(): Promise<void> {
    const { raftId } = this.#options.identity;
    await this.#until(() =>
      this.#raft.status().members.some((member) => member.raftId === raftId && member.voter),
    );
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      const seen = this.#wakeups.count;
      if (condition() || this.#stopped.signal.aborted) return;
      await this.#wakeups.wait(this.#stopped.signal, seen);
    }
  }

  /** After a recovery, and at the first start from a backup. */
  #mustTakeOver(): boolean {
    const { identity, forceNewCluster } = this.#options;
    if (identity.origin !== 'restore') return forceNewCluster;
    const node = this.#replicated.view.get('node', identity.nodeId);
    return forceNewCluster || raftIdOf(node) !== identity.raftId;
  }

  async #takeOver(): Promise<void> {
    const { nodeId, raftId } = this.#options.identity;
    await this.#replicated.update(
      { author: 'admin', summary: 'cluster: go on with one manager' },
      (tx) => takeOver(tx, nodeId, raftId),
    );
    this.#log.warn('this manager goes on alone; the others are workers now', { node: nodeId });
  }

  #describe(): AnnounceRequest {
    const { nodeId, raftId } = this.#options.identity;
    const { digest } = issuingRoot(this.#replicated.view.cluster());
    this.#telling = this.#signed;
    const signed = this.#signed?.rootDigest === digest ? this.#signed : undefined;
    return {
      nodeId,
      raftId,
      controlAddr: this.#controlAddress,
      raftAddr: this.#raftAddress(),
      rootDigest: digest,
      workerCertificate: signed?.worker ?? '',
      adminRootDigest: signed?.hasAdmin ? digest : '',
      instance: this.#instance,
    };
  }

  #raftAddress(): string {
    const port = this.#raft.status().peerPort ?? 0;
    return withPortIfAny(this.#options.places.raftAdvertiseAddress, port);
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

  /** So that no write has to wait for an election when a manager is restarted. */
  async #handOver(): Promise<void> {
    if (!this.#replicated.isLeading) return;
    const { members, raftId } = this.#raft.status();
    const isAlone = !members.some((m) => m.voter && m.raftId !== raftId && m.active !== false);
    if (isAlone) return;
    const tooLong = new Promise((resolve) => setTimeout(resolve, HAND_OVER_MS).unref());
    await Promise.race([
      tooLong,
      this.#raft.transferLeadership().catch((error: unknown) => {
        this.#log.info('leadership was not handed over', { error: messageOf(error) });
      }),
    ]);
  }
}
