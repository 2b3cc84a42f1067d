// The main thread of a simulated manager, as host/manager.ts puts it together: the store on Raft, the
// dispatcher and the controllers, started and stopped as leadership comes and goes. Servers, TLS and
// files are left out; calls come in by function.
import { firstNode, newCluster } from '#manager/ca/cluster';
import type { Applicant } from '#manager/ca/issue';
import { ControllersLoop } from '#manager/host/controllers';
import { DispatcherHost } from '#manager/host/dispatcher-service';
import type { RaftLog, RaftNode } from '#manager/host/raft/raft-node';
import { ReplicatedStore, type Updated, type UpdateOptions } from '#manager/host/replicated-store';
import { type ControllerMemory, newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import type { DispatcherMethods } from '#protocol/generated/dispatcher';
import { newId } from '#protocol/ids';
import { RateLimit } from '#protocol/rate-limit';
import type { Handlers } from '#protocol/transport/grpc';
import type { Clock, Random } from '#protocol/world';
import type { Prng } from '#test/support/prng';
import type { ClusterChecks } from './cluster-checks.ts';
import type { GroupChecks } from './group-checks.ts';
import { type Issued, issueCertificate, newRootKey, SIM_CA_CRYPTO } from './sim-authority.ts';
import { SILENT } from './sim-process.ts';
import type { Actor, World } from './world.ts';

/** Wall time and durations of whichever actor is running. */
export const CLOCK: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export const nowMicros = (): number => Date.now() * 1000;

/** Tries again to create the cluster after this time. */
const CREATE_AGAIN_MS = 200;

export interface SimManagerDeps {
  readonly world: World;
  readonly id: number;
  readonly node: RaftNode;
  readonly main: Actor;
  readonly prng: Prng;
  readonly checks: GroupChecks;
  readonly clusterChecks: ClusterChecks;
  readonly heartbeatMs: number;
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
  readonly #strangers = new RateLimit({ perSecond: 2, burst: 4, keysMax: 3 });
  #isServing = false;

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
    const advertiseHost = `10.99.0.${deps.id}`;
    this.#host = new DispatcherHost({
      replicated,
      clock: CLOCK,
      random,
      log: SILENT,
      advertiseHost,
    });
    this.dispatcher = this.#host.handlers();
    this.#controllers = new ControllersLoop({
      replicated,
      controllers: { newMemory: newControllerMemory, reconcile },
      log: SILENT,
      nowMicros,
    });
    deps.clusterChecks.watch(deps.id, replicated.store);
    deps.node.onRoleChange((role) => this.#roleChanged(role === 'leader'));
  }

  /** A certificate for whoever may have one; strangers may not ask too often. */
  async issue(request: IssueNodeCertificateRequest, applicant: Applicant): Promise<Issued> {
    const isStranger = applicant.nodeId === '';
    if (isStranger && !this.#strangers.take(request.hostname, CLOCK.monotonicMs())) {
      throw new TswarmError('resource_exhausted', 'too many attempts from this address');
    }
    const world = { random: this.random, nowMicros: nowMicros() };
    return issueCertificate(this.replicated, request, applicant, world);
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
      this.#controllers.stop();
    }
  }

  #createThenServe(): void {
    this.#createClusterOnce().then(
      () => {
        if (!this.replicated.isLeading || this.#isServing) return;
        this.#isServing = true;
        this.#controllers.start();
        this.#host.start();
      },
      () => {
        setTimeout(() => {
          if (this.replicated.isLeading && !this.#isServing) this.#createThenServe();
        }, CREATE_AGAIN_MS);
      },
    );
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
    const node = firstNode({
      id: newId(random),
      hostname: `manager-${this.id}`,
      raftId: this.id,
      controlAddress: `10.99.0.${this.id}:2377`,
    });
    await replicated.update({ author: 'admin', summary: 'cluster: create' }, (tx) => {
      if ([...tx.list('cluster')].length > 0) return;
      const { spec } = cluster;
      if (!spec) throw new Error('a cluster without settings');
      tx.create('cluster', { ...cluster, spec: { ...spec, dispatcher: { heartbeatPeriod } } });
      tx.create('node', node);
    });
  }
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
        checks.order(id, appliedIndex, entry.index, 'entry');
        checks.applied(id, entry.index, entry.data);
        appliedIndex = entry.index;
        callback(entry);
      }),
    onSnapshotRestore: (callback) =>
      node.onSnapshotRestore((bytes, index) => {
        checks.order(id, appliedIndex, index, 'snapshot');
        appliedIndex = index;
        callback(bytes, index);
      }),
    provideSnapshot: (callback) =>
      node.provideSnapshot(async () => {
        const index = appliedIndex;
        const bytes = await callback();
        checks.snapshot(id, index, bytes);
        return bytes;
      }),
    readIndex: () => node.readIndex(),
    status: () => node.status(),
    onRoleChange: (callback) => node.onRoleChange(callback),
    stop: () => node.stop(),
  };
}
