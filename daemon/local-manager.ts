// The manager on this node, as the node controller sees it: the process, the administrator's certificate that it signs for the gateway at each start (the key
// stays in memory), and the gateway's link to it. The link outlives the process, so that clients that watch the cluster go on watching.
// Refuses nothing by itself: which request it is started with is the controller's decision.
import { join } from 'node:path';
import type { ClusterEvents } from '#api/cache/cluster-events';
import type { ManagerReady, ManagerRequest } from '#protocol/manager-ipc';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import { Renewal } from '#worker/identity/renewal';
import { ClusterLink } from './cluster-link.ts';
import type { Config } from './config.ts';
import { ManagerProcess } from './manager-process.ts';
import { handOver, type User } from './manager-user.ts';
import type { NodeRecord } from './node-file.ts';

export interface LocalManagerDeps {
  readonly config: Config;
  readonly clusterEvents: ClusterEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Path of manager/main.ts or its compiled form. */
  readonly script: string;
  /** Who the manager runs as; undefined = root. */
  readonly user: User | undefined;
  /** The request for a start that nobody waits for; the administrator's CSR is filled in here. */
  restartRequest(): ManagerRequest;
  sign(csr: string): Promise<{ readonly certificate: string; readonly caCert: string }>;
  /** Before the link is there. */
  onReady(ready: ManagerReady): Promise<void>;
  onRemoved(): void;
}

export type ManagerPlaces = Pick<NodeRecord, 'listenAddr' | 'advertiseAddr'>;

export class LocalManager {
  readonly #deps: LocalManagerDeps;
  readonly #process: ManagerProcess;
  #adminKey: string = newNodeKey();
  #admin: TlsIdentity | undefined;
  #controlAddress = '';
  #renewal: Renewal | undefined;
  #link: ClusterLink | undefined;
  #unfollow: (() => void) | undefined;
  #isLocked = false;
  readonly #locked = Promise.withResolvers<'locked'>();
  #isStopped = false;
  #wasRemoved = false;
  #error = '';

  constructor(places: ManagerPlaces, deps: LocalManagerDeps) {
    this.#deps = deps;
    const { config, user } = deps;
    const dataDir = managerFolder(config.dataRoot);
    handOver(dataDir, user);
    this.#process = new ManagerProcess(
      {
        script: deps.script,
        args: [
          ...['--data', dataDir],
          ...['--listen', places.listenAddr],
          ...['--advertise', places.advertiseAddr],
          ...['--log-level', config.logLevel],
          ...['--log-format', config.logFormat],
          ...(user ? ['--uid', String(user.uid), '--gid', String(user.gid)] : []),
        ],
      },
      {
        clock: deps.clock,
        log: deps.log.child('manager-process'),
        restartRequest: () => this.#withAdminCsr(deps.restartRequest()),
        onReady: (ready) => this.#ready(ready),
        sign: deps.sign,
        onLocked: () => {
          this.#isLocked = true;
          this.#locked.resolve('locked');
          this.#deps.log.warn('the manager is locked: it waits for the unlock key');
        },
        onDown: (reason) => {
          this.#error = `the manager on this node is down: ${reason}`;
        },
        onRemoved: () => {
          this.#wasRemoved = true;
          this.#deps.log.info('this node is no manager any more');
          deps.onRemoved();
        },
      },
    );
  }

  /** The gateway's way to it; undefined before it was ready. */
  get link(): ClusterLink | undefined {
    return this.#link;
  }

  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Resolves when it first waits for the unlock key. */
  get untilLocked(): Promise<'locked'> {
    return this.#locked.promise;
  }

  /** It was asked to stop. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** It left the Raft group and will not be started again. */
  get wasRemoved(): boolean {
    return this.#wasRemoved;
  }

  /** Why it does not run; '' while it does. */
  get error(): string {
    return this.#error;
  }

  /** Starts it once and waits. @throws what it says. */
  start(request: ManagerRequest): Promise<ManagerReady> {
    return this.#process.start(this.#withAdminCsr(request));
  }

  keepStarting(): void {
    this.#process.keepStarting();
  }

  unlock(key: string): Promise<void> {
    return this.#process.unlock(key);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#renewal?.stop();
    this.#unfollow?.();
    this.#unfollow = undefined;
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
    await this.#process.stop();
  }

  #withAdminCsr(request: ManagerRequest): ManagerRequest {
    this.#adminKey = newNodeKey();
    return { ...request, adminCsr: certificateRequestFor(this.#adminKey) };
  }

  async #ready(ready: ManagerReady): Promise<void> {
    this.#error = '';
    this.#isLocked = false;
    await this.#deps.onReady(ready);
    this.#controlAddress = ready.controlAddress;
    this.#useAdmin({
      key: this.#adminKey,
      certificate: ready.adminCertificate,
      caCert: ready.caCert,
    });
    await this.#renewal?.stop();
    this.#renewal = new Renewal({
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log.child('admin-renewal'),
      current: () => this.#admin ?? { key: '', certificate: '', caCert: '' },
      managers: () => [this.#controlAddress],
      renewed: async (admin) => this.#useAdmin(admin),
    });
    this.#renewal.start();
  }

  /** The managers want certificates to be renewed: the root is being changed. */
  renewNow(): void {
    this.#renewal?.now();
  }

  #useAdmin(admin: TlsIdentity): void {
    this.#admin = admin;
    if (this.#link) this.#link.reconnect(this.#controlAddress, admin);
    else {
      this.#link = new ClusterLink(this.#controlAddress, admin, this.#deps.log.child('cluster'));
      this.#unfollow = this.#deps.clusterEvents.follow(this.#link.cache);
    }
  }
}

/** Folder of the manager's state. */
export function managerFolder(dataRoot: string): string {
  return join(dataRoot, 'manager');
}
