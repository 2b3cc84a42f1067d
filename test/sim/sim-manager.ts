// The main thread of a simulated manager, as host/manager.ts puts it together: the store on Raft, the
// dispatcher and the controllers, started and stopped as leadership comes and goes. Servers, TLS and
// files are left out; calls come in by function. What host/own-identity.ts and host/announcer.ts do with
// certificates on real disks is played: a manager follows the cluster's unlock key and root, and tells
// the leader, again and again until it is told.
import { firstNode, newCluster } from '#manager/ca/cluster';
import type { Applicant } from '#manager/ca/issue';
import { issuingRoot } from '#manager/ca/rotation';
import { type Member, managerOf } from '#manager/control/managers';
import {
  admitManager,
  announceManager,
  hasSeat,
  type JoinAddresses,
  takeOver,
} from '#manager/control/membership';
import { ControllersLoop } from '#manager/host/controllers';
import { DispatcherHost } from '#manager/host/dispatcher-service';
import { LeaderChores } from '#manager/host/leader-chores';
import type { RaftLog, RaftNode } from '#manager/host/raft/raft-node';
import { ReplicatedStore, type Updated, type UpdateOptions } from '#manager/host/replicated-store';
import { type ControllerMemory, newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import type { DispatcherMethods } from '#protocol/generated/dispatcher';
import {
  AnnounceRequest,
  type JoinRequest,
  type SeatRequest,
} from '#protocol/generated/membership';
import { ManagerStatus, type Node } from '#protocol/generated/objects';
import { newId } from '#protocol/ids';
import { RateLimit } from '#protocol/rate-limit';
import type { Handlers } from '#protocol/transport/grpc';
import type { Clock, Random } from '#protocol/world';
import type { Prng } from '#test/support/prng';
import type { ClusterChecks } from './cluster-checks.ts';
import type { GroupChecks } from './group-checks.ts';
import { RemovedChecks } from './removed-checks.ts';
import { type Issued, issueCertificate, newRootKey, SIM_CA_CRYPTO } from './sim-authority.ts';
import { SILENT } from './sim-process.ts';
import type { Actor, World } from './world.ts';

/** Wall time and durations of whichever actor is running. */
export const CLOCK: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export const nowMicros = (): number => Date.now() * 1000;

/** Tries again to create the cluster after this time. */
const CREATE_AGAIN_MS = 200;
/** So often a manager looks whether it is as the cluster wants it. */
const FOLLOW_MS = 300;

/** Where the manager with this Raft id is reached. */
export function addressesOf(raftId: number): JoinAddresses {
  return { control: `10.99.0.${raftId}:2377`, raft: `10.99.0.${raftId}:2378` };
}

export interface SimManagerDeps {
  readonly world: World;
  readonly id: number;
  readonly node: RaftNode;
  readonly main: Actor;
  readonly prng: Prng;
  /** Of the group that it is part of now. */
  readonly checks: () => GroupChecks;
  readonly clusterChecks: ClusterChecks;
  readonly heartbeatMs: number;
  /** Raft ids of the managers that the cluster begins with. */
  readonly first: readonly number[];
  /** What its key file is locked with, and a way to change that. */
  readonly unlockKey: () => Uint8Array | null;
  readonly setUnlockKey: (key: Uint8Array | null) => Promise<void>;
  /** It goes on alone after a lost quorum, and the state does not say so yet. */
  readonly mustTakeOver: () => boolean;
  readonly tookOver: () => void;
  /** Has the leader do something, if the way there is open and nothing is lost on it. */
  readonly atLeader: (action: (leader: SimManager) => Promise<void>) => void;
}

export class SimManager {
  readonly id: number;
  readonly main: Actor;
  readonly replicated: ReplicatedStore;
  readonly random: Random;
  readonly dispatcher: Handlers<DispatcherMethods>;
  readonly #deps: SimManagerDeps;
  readonly #host: DispatcherHost;
  readonly #controllers: ControllersLoop<ControllerMemory>;
  readonly #chores: LeaderChores;
  readonly #removed: RemovedChecks;
  readonly #strangers = new RateLimit({ perSecond: 2, burst: 4, keysMax: 3 });
  #isServing = false;
  /** The state is what the cluster's was after the start. */
  #isCurrent = false;
  #isFollowing = false;

  constructor(deps: SimManagerDeps) {
    this.#deps = deps;
    this.id = deps.id;
    this.main = deps.main;
    const { prng } = deps;
    this.random = { next: () => prng.next(), bytes: (count) => prng.bytes(count) };
    const raft = watched(deps);
    const options = { raft, random: this.random, log: SILENT, nowMicros };
    this.replicated = new WatchedStore(deps.world, options);
    const { replicated, random } = this;
    const advertiseHost = addressesOf(deps.id).control.replace(/:.*/, '');
    this.#host = new DispatcherHost({
      replicated,
      clock: CLOCK,
      random,
      log: SILENT,
      advertiseHost,
    });
    this.#removed = new RemovedChecks(deps.world, deps.id, replicated, deps.clusterChecks);
    this.dispatcher = this.#removed.around(this.#host.handlers());
    this.#controllers = new ControllersLoop({
      replicated,
      controllers: { newMemory: newControllerMemory, reconcile },
      log: SILENT,
      nowMicros,
    });
    this.#chores = new LeaderChores({ replicated, raft: deps.node, log: SILENT, nowMicros });
    deps.node.onRoleChange((role) => this.#roleChanged(role === 'leader'));
    deps.node.onStatusChange(() => this.#chores.statusChanged());
    setInterval(() => this.#follow(), FOLLOW_MS);
  }

  /** Whether it finds itself among the managers. */
  get isPart(): boolean {
    return managerOf(this.replicated.view, this.id) !== undefined;
  }

  members(): readonly Member[] {
    return this.#deps.node.status().members;
  }

  /** As membership-service.ts: a seat for the member `raftId`, which nobody has had before. */
  async admit(request: JoinRequest, addresses: JoinAddresses, raftId: number): Promise<void> {
    const options = { author: request.nodeId, summary: `manager ${request.nodeId}: join` };
    await this.replicated.update(options, (tx) =>
      admitManager(tx, request, addresses, this.members(), () => raftId),
    );
  }

  /** As membership-service.ts. */
  async hasSeat(request: SeatRequest): Promise<boolean> {
    await this.#deps.node.readIndex();
    return hasSeat(this.replicated.view, request);
  }

  async announce(request: AnnounceRequest): Promise<void> {
    await this.replicated.update({ author: request.nodeId, summary: '' }, (tx) =>
      announceManager(tx, request),
    );
  }

  // ---- as the cluster wants it

  #follow(): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    this.#followOnce().then(
      () => {
        this.#isFollowing = false;
      },
      () => {
        this.#isFollowing = false; // Looked at again in a moment.
      },
    );
  }

  async #followOnce(): Promise<void> {
    const { node, unlockKey, setUnlockKey } = this.#deps;
    if (!this.#isCurrent) {
      await node.readIndex();
      this.#isCurrent = true;
    }
    const [cluster] = this.replicated.view.list('cluster');
    if (cluster === undefined) return;
    const wanted = cluster.unlockKey.length > 0 ? cluster.unlockKey : null;
    const current = unlockKey();
    const isSame = wanted === null ? current === null : current && !Buffer.compare(wanted, current);
    if (!isSame) await setUnlockKey(wanted);
    this.#announce(issuingRoot(cluster).digest);
  }

  /** The first managers have no worker that would ask for a certificate: they sign one for it, as at a start. */
  #announce(rootDigest: string): void {
    const { id, first, atLeader } = this.#deps;
    const node = managerOf(this.replicated.view, id);
    if (!node) return;
    const isOld = first.includes(id) && node.rootDigest !== rootDigest;
    if (node.managerStatus?.rootDigest === rootDigest && !isOld) return;
    const { control: controlAddr, raft: raftAddr } = addressesOf(id);
    const announcement = AnnounceRequest.create({
      nodeId: node.id,
      raftId: id,
      controlAddr,
      raftAddr,
      rootDigest,
      workerCertificate: isOld ? `signed by ${id}` : '',
    });
    atLeader((leader) => leader.announce(announcement));
  }

  /** A certificate for whoever may have one; strangers may not ask too often. */
  async issue(request: IssueNodeCertificateRequest, applicant: Applicant): Promise<Issued> {
    const isStranger = applicant.nodeId === '';
    if (isStranger && !this.#strangers.take(request.hostname, CLOCK.monotonicMs())) {
      throw new TswarmError('resource_exhausted', 'too many attempts from this address');
    }
    const world = { random: this.random, nowMicros: nowMicros() };
    // A token counts whoever shows it.
    const nodeId = request.token === '' ? applicant.nodeId : '';
    return this.#removed.issued(nodeId, () =>
      issueCertificate(this.replicated, request, applicant, world),
    );
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  #roleChanged(isLeader: boolean): void {
    if (isLeader === this.replicated.isLeading) return;
    this.replicated.setLeading(isLeader);
    if (isLeader) {
      this.#createThenServe();
    } else if (this.#isServing) {
      this.#isServing = false;
      this.#host.stop();
      this.#chores.stop();
      this.#controllers.stop();
    }
  }

  #createThenServe(): void {
    this.#prepare().then(
      () => {
        if (!this.replicated.isLeading || this.#isServing) return;
        this.#isServing = true;
        this.#controllers.start();
        this.#host.start();
        this.#chores.start();
      },
      () => {
        setTimeout(() => {
          if (this.replicated.isLeading && !this.#isServing) this.#createThenServe();
        }, CREATE_AGAIN_MS);
      },
    );
  }

  async #prepare(): Promise<void> {
    await this.#createClusterOnce();
    if (!this.#deps.mustTakeOver()) return;
    const nodeId = managerOf(this.replicated.view, this.id)?.id ?? '';
    const options = { author: 'admin', summary: 'cluster: go on with one manager' };
    await this.replicated.update(options, (tx) => takeOver(tx, nodeId, this.id));
    this.#deps.tookOver();
  }

  async #createClusterOnce(): Promise<void> {
    const { replicated, random } = this;
    const { pem, signer } = newRootKey(random);
    const cluster = newCluster({
      id: 'simulated',
      crypto: SIM_CA_CRYPTO,
      rootSigner: signer,
      rootKey: pem,
      random,
      nowMicros: nowMicros(),
      addressPools: ['10.20.0.0/16'],
      subnetSize: 24,
      dataPathPort: 0,
    });
    const heartbeatPeriod = this.#deps.heartbeatMs * 1e6;
    const nodes = this.#deps.first.map((id) => firstManager(id, newId(random)));
    await replicated.update({ author: 'admin', summary: 'cluster: create' }, (tx) => {
      if ([...tx.list('cluster')].length > 0) return;
      const { spec } = cluster;
      if (!spec) throw new Error('a cluster without settings');
      tx.create('cluster', { ...cluster, spec: { ...spec, dispatcher: { heartbeatPeriod } } });
      for (const node of nodes) tx.create('node', node);
    });
  }
}

function firstManager(raftId: number, id: string): Node {
  const { control, raft } = addressesOf(raftId);
  const hostname = `manager-${raftId}`;
  const node = firstNode({ id, hostname, raftId, controlAddress: control });
  const managerStatus = ManagerStatus.create({ ...node.managerStatus, raftAddr: raft });
  return { ...node, managerStatus };
}

/** A store that notices who asks it without end. */
class WatchedStore extends ReplicatedStore {
  readonly #world: World;

  constructor(world: World, deps: ConstructorParameters<typeof ReplicatedStore>[0]) {
    super(deps);
    this.#world = world;
  }

  override update<T>(
    options: UpdateOptions,
    fn: (tx: StoreWriteView, context: DecisionContext) => T,
  ): Promise<Updated<T>> {
    // Without an answer the loop stands still; an error it might catch, and go on.
    if (!this.#world.spend('ReplicatedStore.update')) return Promise.withResolvers<never>().promise;
    return super.update(options, fn);
  }
}

/** The log with the checks between it and the store. */
function watched({ node, checks, id }: SimManagerDeps): RaftLog {
  let appliedIndex = 0;
  return {
    start: () => node.start(),
    propose: (data) => node.propose(data),
    onApply: (callback) =>
      node.onApply((entry) => {
        checks().order(id, appliedIndex, entry.index, 'entry');
        checks().applied(id, entry.index, entry.data);
        appliedIndex = entry.index;
        callback(entry);
      }),
    onSnapshotRestore: (callback) =>
      node.onSnapshotRestore((bytes, index) => {
        checks().order(id, appliedIndex, index, 'snapshot');
        appliedIndex = index;
        callback(bytes, index);
      }),
    provideSnapshot: (callback) =>
      node.provideSnapshot(async () => {
        const index = appliedIndex;
        const bytes = await callback();
        checks().snapshot(id, index, bytes);
        return bytes;
      }),
    readIndex: () => node.readIndex(),
    status: () => node.status(),
    onRoleChange: (callback) => node.onRoleChange(callback),
    stop: () => node.stop(),
  };
}
