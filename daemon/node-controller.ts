// This node's membership: none, starting, member, leaving; the one place that changes it. Order matters and is the same after a kill at any point:
// init   manager bootstraps → certificates saved → node.json written → worker joins.   No node.json = no cluster; leftovers of an init are removed.
// leave  node.json says `leaving` → manager stopped → containers and networks removed → state removed → node.json removed last.
// start  node.json read → manager started again and again until it runs → worker joins at once (it needs no manager for what runs).
import { join } from 'node:path';
import type { ClusterEvents } from '#api/cache/cluster-events';
import type {
  ClusterSession,
  InitOptions,
  JoinOptions,
  NodeControl,
  NodeState,
} from '#api/node-control';
import { messageOf, TswarmError } from '#protocol/errors';
import { ObjectKind, SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { NodeState as SwarmNodeState } from '#protocol/generated/objects';
import { NodeAvailability } from '#protocol/generated/specs';
import type { ManagerReady, ToManager } from '#protocol/manager-ipc';
import type { Clock, Log } from '#protocol/world';
import { removeTree } from '#worker/files';
import type { Worker } from '#worker/worker';
import { type Address, formatAddress, ownAddress, parseAddress } from './addresses.ts';
import { ClusterLink } from './cluster-link.ts';
import type { Config } from './config.ts';
import { IdentityFiles, lifePassed } from './identity-files.ts';
import {
  CERTIFICATE_CHECK_MS,
  CERTIFICATE_RENEW_AT,
  CLUSTER_READY_TIMEOUT_MS,
  CONTROL_PORT,
} from './limits.ts';
import { ManagerProcess } from './manager-process.ts';
import { handOver, type User } from './manager-user.ts';
import { type NodeRecord, readNodeRecord, removeNodeRecord, writeNodeRecord } from './node-file.ts';
import { checkPortFree, freePort, isPortFree } from './ports.ts';

export interface NodeControllerDeps {
  readonly worker: Worker;
  readonly clusterEvents: ClusterEvents;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostname: string;
  /** Path of manager/main.ts or its compiled form. */
  readonly managerScript: string;
  /** Who the manager runs as; undefined = root. */
  readonly managerUser: User | undefined;
}

type Phase = 'inactive' | 'pending' | 'active' | 'leaving';

interface Places {
  readonly listen: Address;
  readonly advertise: Address;
}

export class NodeController implements NodeControl {
  readonly #config: Config;
  readonly #deps: NodeControllerDeps;
  readonly #identity: IdentityFiles;
  #phase: Phase = 'inactive';
  #error = '';
  #record: NodeRecord | undefined;
  #manager: ManagerProcess | undefined;
  #link: ClusterLink | undefined;
  #unfollow: (() => void) | undefined;
  #renewal: NodeJS.Timeout | undefined;
  /** Init and leave one after the other. */
  #busy = false;

  constructor(config: Config, deps: NodeControllerDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#identity = new IdentityFiles(config.dataRoot);
  }

  /** Goes on where the last run stopped. Does not wait for the manager: what runs on this node does not need it. */
  async start(): Promise<void> {
    const record = await readNodeRecord(this.#config.dataRoot);
    if (!record) {
      await this.#removeState();
      return;
    }
    this.#record = record;
    if (record.phase === 'leaving') {
      this.#phase = 'leaving';
      this.#deps.log.info('finishing a leave that was interrupted');
      await this.#finishLeave();
      return;
    }
    this.#phase = 'pending';
    const identity = await this.#identity.load('worker');
    if (identity) await this.#joinWorker(record, identity);
    const manager = this.#newManager(record);
    this.#manager = manager;
    manager.keepStarting();
    this.#watchCertificates();
  }

  /** Stops session and manager; containers and the node's state stay. */
  async stop(): Promise<void> {
    clearInterval(this.#renewal);
    await this.#closeLink();
    await this.#manager?.stop();
  }

  state(): NodeState {
    const record = this.#record;
    if (!record) return NO_CLUSTER;
    const ready = this.#link?.cache.isReady === true;
    return {
      state: this.#phase === 'active' && ready ? 'active' : 'pending',
      error: this.#error,
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      isManager: record.isManager,
      nodeAddr: parseAddress(record.advertiseAddr, FALLBACK, 'advertiseAddr').host,
      controlAddr: record.advertiseAddr,
      remoteManagers: [{ nodeId: record.nodeId, addr: record.advertiseAddr }],
    };
  }

  session(): ClusterSession | undefined {
    return this.#phase === 'active' ? this.#link : undefined;
  }

  async init(options: InitOptions): Promise<string> {
    return this.#exclusively(async () => {
      if (this.#record) {
        throw new TswarmError('already_exists', 'this node is already in a cluster');
      }
      const places = await choosePlaces(options, this.#config);
      try {
        return await this.#bootstrap(options, places);
      } catch (error) {
        await this.#undoInit();
        throw error;
      }
    });
  }

  async join(_options: JoinOptions): Promise<void> {
    throw new TswarmError('not_supported', 'joining another cluster is not supported yet', {
      hint: 'This version runs clusters of one node: use `tswarm init`.',
    });
  }

  async leave(_options: { force: boolean }): Promise<void> {
    await this.#exclusively(async () => {
      const record = this.#record;
      if (!record) throw new TswarmError('no_cluster', 'this node is in no cluster');
      this.#deps.log.info('leaving the cluster', { node: record.nodeId });
      await writeNodeRecord(this.#config.dataRoot, { ...record, phase: 'leaving' });
      this.#phase = 'leaving';
      await this.#finishLeave();
    });
  }

  async unlock(_key: string): Promise<void> {
    throw new TswarmError('not_supported', 'locked clusters are not supported yet');
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy || this.#phase === 'leaving') {
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
    const manager = this.#newManager({
      listenAddr: formatAddress(places.listen),
      advertiseAddr: formatAddress(places.advertise),
    });
    this.#manager = manager;
    const ready = await manager.start({
      type: 'bootstrap',
      workerCsr: await this.#identity.request('worker'),
      adminCsr: await this.#identity.request('admin'),
      hostname: this.#deps.hostname,
      addressPools: options.defaultAddrPool,
      subnetSize: options.subnetSize,
    });
    const record: NodeRecord = {
      format: 1,
      phase: 'member',
      nodeId: ready.nodeId,
      clusterId: ready.clusterId,
      isManager: true,
      listenAddr: formatAddress(places.listen),
      advertiseAddr: formatAddress(places.advertise),
      controlAddr: ready.controlAddress,
    };
    await writeNodeRecord(this.#config.dataRoot, record);
    this.#record = record;
    const identity = await this.#identity.load('worker');
    if (!identity) throw new Error('bug: no certificate after bootstrap');
    await this.#joinWorker(record, identity);
    await this.#untilReady(record.nodeId);
    await this.#setAvailability(record.nodeId, options.availability);
    this.#watchCertificates();
    this.#deps.log.info('cluster created', { node: record.nodeId, address: record.advertiseAddr });
    return record.nodeId;
  }

  #newManager(places: Pick<NodeRecord, 'listenAddr' | 'advertiseAddr'>): ManagerProcess {
    const user = this.#deps.managerUser;
    const dataDir = join(this.#config.dataRoot, 'manager');
    handOver(dataDir, user);
    return new ManagerProcess(
      {
        script: this.#deps.managerScript,
        args: [
          ...['--data', dataDir],
          ...['--listen', places.listenAddr],
          ...['--advertise', places.advertiseAddr],
          ...['--log-level', this.#config.logLevel],
          ...['--log-format', this.#config.logFormat],
          ...(user ? ['--uid', String(user.uid), '--gid', String(user.gid)] : []),
        ],
      },
      {
        clock: this.#deps.clock,
        log: this.#deps.log.child('manager-process'),
        restartRequest: () => this.#restartRequest(),
        onReady: (ready) => this.#onManagerReady(ready),
        onDown: (reason) => {
          this.#error = `the manager on this node is down: ${reason}`;
        },
      },
    );
  }

  async #restartRequest(): Promise<ToManager> {
    return {
      type: 'start',
      adminCsr: await this.#identity.request('admin'),
      workerCsr: await this.#identity.request('worker'),
    };
  }

  /** New certificates are kept. The link stays, so that clients that watch the cluster go on watching. */
  async #onManagerReady(ready: ManagerReady): Promise<void> {
    this.#error = '';
    for (const [name, certificate] of [
      ['worker', ready.workerCertificate],
      ['admin', ready.adminCertificate],
    ] as const) {
      if (certificate !== '') await this.#identity.store(name, certificate, ready.caCert);
    }
    const admin = await this.#identity.load('admin');
    if (!admin) {
      this.#error = 'the manager gave no administrator certificate';
      return;
    }
    if (this.#link) this.#link.reconnect(ready.controlAddress, admin);
    else {
      this.#link = new ClusterLink(ready.controlAddress, admin, this.#deps.log.child('cluster'));
      this.#unfollow = this.#deps.clusterEvents.follow(this.#link.cache);
    }
    this.#phase = 'active';
    const worker = await this.#identity.load('worker');
    if (this.#record && worker) {
      this.#deps.worker.setIdentity(worker).catch((error: unknown) => {
        this.#deps.log.error('worker refused its new certificate', { reason: messageOf(error) });
      });
    }
  }

  async #joinWorker(
    record: NodeRecord,
    identity: { readonly caCert: string; readonly certificate: string; readonly key: string },
  ): Promise<void> {
    await this.#deps.worker.join({
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      identity,
      managers: [record.controlAddr],
    });
  }

  /** Until the cache is filled and the manager has the node as ready: the first task can be placed. */
  async #untilReady(nodeId: string): Promise<void> {
    const deadline = this.#deps.clock.monotonicMs() + CLUSTER_READY_TIMEOUT_MS;
    for (;;) {
      const cache = this.#link?.cache;
      const node = cache?.isReady ? cache.get('node', nodeId) : undefined;
      if (node?.status?.state === SwarmNodeState.READY) return;
      if (this.#deps.clock.monotonicMs() > deadline) {
        const what = cache?.isReady ? 'the worker has no session' : 'the manager does not answer';
        throw new TswarmError('deadline_exceeded', `the new cluster did not get ready: ${what}`, {
          hint: 'The log of tswarmd says more.',
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #setAvailability(nodeId: string, wanted: InitOptions['availability']): Promise<void> {
    const link = this.#link;
    const node = link?.cache.get('node', nodeId);
    if (wanted === 'active' || !link || !node?.spec) return;
    const availability = wanted === 'pause' ? NodeAvailability.PAUSE : NodeAvailability.DRAIN;
    const { index } = await link.control.updateObject(
      UpdateObjectRequest.create({
        kind: ObjectKind.NODE,
        id: nodeId,
        version: node.meta?.version?.index ?? 0,
        spec: SpecUnion.create({ node: { ...node.spec, availability } }),
        keepExtensions: true,
      }),
      { timeoutMs: CLUSTER_READY_TIMEOUT_MS },
    );
    await link.cache.reached(index);
  }

  async #undoInit(): Promise<void> {
    await this.#closeLink();
    await this.#manager?.stop();
    this.#manager = undefined;
    if (this.#record) await this.#deps.worker.leave();
    await this.#removeState();
    await removeNodeRecord(this.#config.dataRoot);
    this.#record = undefined;
    this.#phase = 'inactive';
    this.#error = '';
  }

  async #finishLeave(): Promise<void> {
    clearInterval(this.#renewal);
    await this.#closeLink();
    await this.#manager?.stop();
    this.#manager = undefined;
    await this.#deps.worker.leave();
    await this.#removeState();
    await removeNodeRecord(this.#config.dataRoot);
    this.#record = undefined;
    this.#phase = 'inactive';
    this.#error = '';
  }

  async #closeLink(): Promise<void> {
    this.#unfollow?.();
    this.#unfollow = undefined;
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  async #removeState(): Promise<void> {
    await removeTree(join(this.#config.dataRoot, 'manager'));
    await this.#identity.remove();
  }

  /** Certificates are signed anew whenever the manager starts; one that grows old without that makes it start once. */
  #watchCertificates(): void {
    clearInterval(this.#renewal);
    this.#renewal = setInterval(() => void this.#renewIfOld(), CERTIFICATE_CHECK_MS);
    this.#renewal.unref();
  }

  async #renewIfOld(): Promise<void> {
    const admin = await this.#identity.load('admin');
    if (!admin) return;
    if (lifePassed(admin.certificate, this.#deps.clock.nowMs()) < CERTIFICATE_RENEW_AT) return;
    this.#deps.log.info('renewing certificates');
    this.#manager?.recycle();
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

const FALLBACK: Address = { host: '127.0.0.1', port: CONTROL_PORT };

/** Where the manager listens and what it tells others. @throws when an address is wrong or a port is taken. */
async function choosePlaces(options: InitOptions, config: Config): Promise<Places> {
  if (options.embedded) return embeddedPlaces();
  const listen = parseAddress(
    options.listenAddr || config.listenAddr,
    { host: '0.0.0.0', port: CONTROL_PORT },
    'listenAddr',
  );
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const asked = options.advertiseAddr || config.advertiseAddr;
  const advertise =
    asked === ''
      ? { host: isAny ? ownAddress() : listen.host, port: listen.port }
      : parseAddress(asked, { host: '127.0.0.1', port: listen.port }, 'advertiseAddr');
  await checkPortFree(listen.host, listen.port);
  return { listen, advertise };
}

async function embeddedPlaces(): Promise<Places> {
  const { host } = FALLBACK;
  const port = (await isPortFree(host, CONTROL_PORT)) ? CONTROL_PORT : await freePort(host);
  return { listen: { host, port }, advertise: { host, port } };
}
