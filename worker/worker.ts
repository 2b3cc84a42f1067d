// The worker of one node, wired: containers, images, network, volumes, logs, events, and, once the node is in a cluster, agent and session. Used by the
// daemon, which owns the process. `stop` leaves every container running; the next `start` adopts them.
// Order of start: host facts → folders → network and images → containers adopted → what policy brings back. Stop is the reverse.
import { join } from 'node:path';
import type { NodeEngine } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ManagerAddress, SessionMessage } from '#protocol/generated/dispatcher';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import { AgentHost } from './agent-host.ts';
import { AssignedStore } from './assigned-store.ts';
import { NodePlaces } from './cluster-places.ts';
import { describeNode } from './describe-node.ts';
import { EventLog } from './events.ts';
import { listFolder, makeFolder, removeTree, sweepTemporaries } from './files.ts';
import { ImageExchange } from './image-share/image-exchange.ts';
import { MANAGERS_TOLD_MAX } from './limits.ts';
import type { LogSource } from './logs/log-waker.ts';
import { makeNodeEngine } from './node-engine.ts';
import type { Parts } from './parts.ts';
import { makeParts, removeAll } from './parts.ts';
import { expandPayload } from './payload-template.ts';
import { serveReach } from './reach.ts';
import { Remotes } from './remotes.ts';
import { bringBack } from './runtime/bring-back.ts';
import { removeCgroupRoots } from './runtime/cgroup-roots.ts';
import type { Container } from './runtime/container.ts';
import { ContainerTable } from './runtime/container.ts';
import type { ContainerChange, FileReader } from './runtime/deps.ts';
import type { FileReference } from './runtime/record.ts';
import { closeSecretsRoot, openSecretsRoot } from './secrets-root.ts';
import { Session } from './session.ts';
import type { TemplateNode } from './template.ts';

export interface WorkerOptions {
  /** Absolute. State that survives a reboot. */
  readonly dataRoot: string;
  /** Absolute. Sockets, bundles; best on a tmpfs. */
  readonly runRoot: string;
  /** Folder of the native programs. */
  readonly nativeDir: string;
  /** '' = tswarm-runtime; or the path of runc or crun. */
  readonly runtimePath: string;
  readonly engineVersion: string;
  /** Socket of this node's API, for the gateways of other nodes; absent = they cannot reach it. */
  readonly engineSocket?: string;
  /** Labels of the engine, for constraints (`engine.labels.x`). */
  readonly labels: Readonly<Record<string, string>>;
  /** `KIND=name` or `KIND=number`: what tasks can reserve besides cpu and memory. */
  readonly genericResources: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** UDP port of the mesh between nodes; absent or 0 = 51820. */
  readonly meshPort?: number;
  /** IP address by which other nodes reach it; absent or '' = the one that the managers see. */
  readonly meshAddress?: string;
}

export interface WorkerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** This host's addresses or default routes may be others. */
  readonly hostChanged?: () => void;
}

/** The node's place in a cluster. */
export interface WorkerMembership {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly identity: TlsIdentity;
  /** `host:port` of managers, at least one. */
  readonly managers: readonly string[];
  readonly observer?: MembershipObserver;
}

/** Who is told what the managers say about this node. */
export interface MembershipObserver {
  /** This node's object, all managers, the root certificate; at the start of a session and whenever one of them changes. */
  sessionMessage(message: SessionMessage): void;
  /** A session began, or ended or could not be had, with the reason. */
  sessionChanged(connected: boolean, reason: unknown): void;
}

export interface Worker {
  /** Usable once `start` has resolved. */
  readonly engine: NodeEngine;
  start(): Promise<void>;
  stop(): Promise<void>;
  join(membership: WorkerMembership): Promise<void>;
  /** A new certificate, for the next session. */
  setIdentity(identity: TlsIdentity): void;
  /** Where managers are now, and that one of them can be reached: a pause before the next try ends. */
  setManagers(managers: readonly string[]): void;
  leave(): Promise<void>;
  /** Takes every container, network, mount and cgroup of this node away, then stops. Images and volumes stay on disk. */
  destroy(): Promise<void>;
}

export function createWorker(options: WorkerOptions, deps: WorkerDeps): Worker {
  return new NodeWorker(options, deps);
}

class NodeWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #deps: WorkerDeps;
  readonly #events: EventLog;
  readonly #table = new ContainerTable();
  readonly #changeListeners = new Set<(change: ContainerChange) => void>();
  #parts: Parts | undefined;
  #engine: NodeEngine | undefined;
  #host: AgentHost | undefined;
  #store: AssignedStore | undefined;
  /** This node as templates see it. */
  #templateNode: TemplateNode | undefined;
  #session: Session | undefined;
  #membership: WorkerMembership | undefined;
  #identity: TlsIdentity | undefined;
  #remotes: Remotes = new Remotes([]);
  #isConnected = false;
  readonly #places: NodePlaces;
  /** Images from and for the other nodes. */
  #exchange: ImageExchange | undefined;
  #watching: AbortController = new AbortController();

  constructor(options: WorkerOptions, deps: WorkerDeps) {
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child('worker') };
    this.#events = new EventLog(deps.clock);
    this.#places = new NodePlaces({
      clock: deps.clock,
      log: this.#deps.log.child('places'),
      isMember: async () =>
        this.#membership !== undefined ||
        (await listFolder(join(this.#options.dataRoot, 'agent'))).length > 0,
      network: () => this.#parts?.network.manager,
      session: () => this.#session,
    });
  }

  get engine(): NodeEngine {
    this.#started();
    if (!this.#engine) throw new Error('bug: started without an engine');
    return this.#engine;
  }

  #started(): Parts {
    if (this.#parts) return this.#parts;
    throw new TswarmError('unavailable', 'the worker has not started yet', { retryable: true });
  }

  async start(): Promise<void> {
    const { dataRoot, runRoot } = this.#options;
    await Promise.all([makeFolder(dataRoot, 0o711), makeFolder(runRoot, 0o711)]);
    // Only tasks have secrets: it comes into memory when the node joins.
    await makeFolder(this.#secretsRoot());
    await this.#sweep();
    const parts = await makeParts({
      options: this.#options,
      deps: this.#deps,
      events: this.#events,
      table: this.#table,
      secretsRoot: this.#secretsRoot(),
      fileSource: { read: (file, reader) => this.#readFile(file, reader) },
      changed: (change) => this.#changed(change),
      meshChanged: () => this.#session?.describeAgain(),
      places: this.#places,
      logSource: (container) => this.#logSource(container),
    });
    this.#engine = makeNodeEngine({
      options: this.#options,
      deps: this.#deps,
      events: this.#events,
      table: this.#table,
      parts,
      networkOf: (idOrName) => this.#networkOf(idOrName, parts),
      logSource: (container) => this.#logSource(container),
      onRemoved: (listener) => {
        this.#changeListeners.add((change) => {
          if (change.type === 'removed') listener(change.container);
        });
      },
    });
    this.#parts = parts;
    const { restored, containers, runtime, builder } = parts;
    for (const { container, run, exit } of restored.adopted) {
      containers.watch(container, run, exit, true);
    }
    // What ended containers have left unsent.
    for (const container of this.#table.list()) parts.forwarding.follow(container);
    bringBack(restored, containers, runtime);
    const { log } = this.#deps;
    builder.recover().catch((error: unknown) => {
      log.warn('left-overs of a build', { reason: String(error) });
    });
    log.info('containers adopted', {
      running: restored.adopted.length,
      ended: restored.ended.length,
    });
  }

  #networkOf(idOrName: string, parts: Parts): { id: string; name: string } | undefined {
    const assigned = this.#store?.networks.objects.get(idOrName);
    if (assigned) return { id: assigned.id, name: assigned.spec?.name ?? assigned.id };
    return parts.localNetworks.find(idOrName);
  }

  /** Temporary files of a worker that was killed while it wrote. */
  async #sweep(): Promise<void> {
    const { dataRoot, runRoot } = this.#options;
    await Promise.all([
      ...['', 'build', 'images'].map((name) => sweepTemporaries(join(dataRoot, name))),
      ...['agent', 'containers', 'identity', 'images/layers', 'network', 'volumes'].map((name) =>
        sweepTemporaries(join(dataRoot, name), 1),
      ),
      sweepTemporaries(runRoot),
      sweepTemporaries(join(runRoot, 'network'), 1),
      sweepTemporaries(this.#secretsRoot(), 2),
    ]);
  }

  #secretsRoot(): string {
    return join(this.#options.runRoot, 'secrets');
  }

  #changed(change: ContainerChange): void {
    this.#host?.changed(change);
    for (const listener of this.#changeListeners) listener(change);
  }

  /** For followers of a log: active until the container has ended and will not be started again by itself. */
  #logSource(container: Container): LogSource {
    return {
      isActive: () => {
        const taskId = container.record.task?.taskId;
        return (
          !container.removed &&
          (container.run !== undefined ||
            container.ending ||
            container.restartTimer !== undefined ||
            (taskId !== undefined && this.#host?.willRun(taskId) === true))
        );
      },
      onChange: (listener) => {
        const filtered = (change: ContainerChange): void => {
          if (change.container === container) listener();
        };
        this.#changeListeners.add(filtered);
        container.endListeners.add(listener);
        return () => {
          this.#changeListeners.delete(filtered);
          container.endListeners.delete(listener);
        };
      },
    };
  }

  /** A secret or config for a container; a template is evaluated now. */
  #readFile(file: FileReference, reader: FileReader): Uint8Array | undefined {
    const store = this.#store;
    const data = store?.data(file.id);
    if (!store || !data || !store.isTemplate(file.id)) return data;
    const task = store.savedTask(reader.taskId);
    const node = this.#templateNode;
    if (!task || !node) return undefined;
    const context = { task, node, env: reader.env, data: (id: string) => store.data(id) };
    return expandPayload(data, context, `${file.kind} ${file.name}`);
  }

  async join(membership: WorkerMembership): Promise<void> {
    const parts = this.#started();
    if (this.#membership) {
      throw new TswarmError('failed_precondition', 'this node is already part of a swarm');
    }
    this.#membership = membership;
    await openSecretsRoot(this.#secretsRoot());
    const { clock, log } = this.#deps;
    const store = new AssignedStore(
      {
        dataDir: join(this.#options.dataRoot, 'agent'),
        secretsDir: join(this.#secretsRoot(), 'assigned'),
      },
      log,
    );
    this.#store = store;
    const node: TemplateNode = {
      id: membership.nodeId,
      hostname: parts.host.hostname,
      os: 'linux',
      architecture: parts.host.machine,
    };
    this.#templateNode = node;
    const exchange = new ImageExchange({
      images: parts.images,
      clock,
      random: this.#deps.random,
      log: log.child('images'),
      changed: () => this.#session?.describeAgain(),
      managersNews: (managers) => this.#hearOfManagers(managers),
    });
    this.#exchange = exchange;
    exchange.setIdentity(membership.identity);
    await exchange.listen(membership.managers);
    this.#watching = new AbortController();
    void this.#watchImages(exchange, this.#watching.signal);
    const host = new AgentHost(node, {
      clock,
      log: log.child('agent'),
      containers: parts.containers,
      table: this.#table,
      images: parts.images.store,
      exchange,
      network: parts.network.manager,
      volumes: parts.volumes,
      store,
      engineSocket: this.#options.engineSocket ?? '',
      report: (taskId, status) => this.#session?.report(taskId, status),
      acknowledge: (sequence) => this.#session?.acknowledge(sequence),
    });
    this.#host = host;
    await host.start(new Set(parts.restored.ended.map(({ container }) => container.id)));
    this.#identity = membership.identity;
    this.#remotes = new Remotes(membership.managers.map(unnamed));
    this.#session = this.#newSession(membership, parts, host);
    this.#session.start();
  }

  #newSession(membership: WorkerMembership, parts: Parts, host: AgentHost): Session {
    const { clock, random, log } = this.#deps;
    this.#isConnected = false;
    return new Session(
      { identity: membership.identity, remotes: this.#remotes },
      {
        clock,
        random,
        log: log.child('session'),
        describe: () =>
          describeNode({
            host: parts.host,
            engineVersion: this.#options.engineVersion,
            labels: this.#options.labels,
            genericResources: this.#options.genericResources,
            mesh: parts.network.mesh(),
            imagePort: this.#exchange?.port ?? 0,
            identity: this.#identity ?? membership.identity,
          }),
        statuses: () => host.statuses(),
        assigned: (message) => {
          host.assigned(message);
          this.#places.assigned(message);
        },
        connected: (connected, reason) => {
          if (connected !== this.#isConnected) {
            host.connected(connected);
            this.#places.connected(connected);
          }
          this.#isConnected = connected;
          tell(log, () => membership.observer?.sessionChanged(connected, reason));
        },
        sessionMessage: (message) => {
          this.#setMeshPort(message.dataPathPort);
          this.#exchange?.setRemovedNodes(message.removedNodes);
          tell(log, () => membership.observer?.sessionMessage(message));
        },
        attached: (channel, signal) => {
          this.#exchange?.attached(channel, signal);
          const { engineSocket } = this.#options;
          if (engineSocket === undefined) return;
          void serveReach(channel, { engineSocket, log: log.child('reach') }, signal);
        },
      },
    );
  }

  async #watchImages(exchange: ImageExchange, signal: AbortSignal): Promise<void> {
    const query = { sinceMicros: 0, untilMicros: 0, filters: { type: ['image'] } };
    for await (const _ of this.#events.events(query, signal)) exchange.imagesChanged();
  }

  #stopExchange(): void {
    this.#watching.abort();
    this.#exchange?.stop();
    this.#exchange = undefined;
  }

  setIdentity(identity: TlsIdentity): void {
    const isNewKey = this.#identity !== undefined && this.#identity.key !== identity.key;
    this.#identity = identity;
    this.#session?.setIdentity(identity);
    this.#exchange?.setIdentity(identity);
    // The key of the mesh is as old as the certificate. Others hear of it at once and call; what is under way meanwhile is sent again.
    if (isNewKey) this.#renewMeshKey();
    // While the root is replaced, the managers wait for every node to say what it has.
    this.#session?.describeAgain();
  }

  #setMeshPort(port: number): void {
    this.#parts?.network.setMeshPort(port).catch((error: unknown) => {
      this.#deps.log.error('port of the mesh not changed', { error: messageOf(error) });
    });
  }

  #renewMeshKey(): void {
    const { log } = this.#deps;
    this.#parts?.network.renewMeshKey().then(
      () => this.#session?.describeAgain(),
      (error: unknown) => log.error('mesh key not renewed', { reason: messageOf(error) }),
    );
  }

  setManagers(managers: readonly string[]): void {
    const known = new Map(this.#remotes.list().map((manager) => [manager.addr, manager]));
    this.#remotes.set(managers.map((addr) => known.get(addr) ?? unnamed(addr)));
    this.#session?.retryNow();
    // A cluster of this host alone may have been opened to others.
    void this.#exchange?.listen(managers);
  }

  /** Somebody with a manager's certificate has called. With a session this node knows better; without one it tries there, too. */
  #hearOfManagers(managers: readonly ManagerAddress[]): void {
    if (this.#isConnected) return;
    this.#deps.log.info('told where the managers are', {
      managers: managers.map(({ addr }) => addr).join(' '),
    });
    this.#remotes.set([...managers, ...this.#remotes.list()].slice(0, 2 * MANAGERS_TOLD_MAX));
    this.#session?.retryNow();
  }

  /** Also with no manager in reach. */
  async leave(): Promise<void> {
    const parts = this.#started();
    await this.#session?.stop();
    this.#session = undefined;
    this.#places.forget();
    this.#stopExchange();
    // A leave that was cut short may find containers without a membership.
    const host = this.#host;
    this.#host = undefined;
    if (host) await host.removeAll();
    else
      await removeAll(
        parts,
        this.#table.list().filter(({ record }) => record.task),
      );
    await this.#store?.clear();
    await removeTree(join(this.#options.dataRoot, 'agent'));
    await parts.network.manager.setState({
      nodeId: '',
      networks: [],
      endpoints: [],
      peers: [],
    });
    this.#store = undefined;
    this.#membership = undefined;
    await closeSecretsRoot(this.#secretsRoot());
    await parts.network.rest();
    await removeCgroupRoots(parts.runtime);
  }

  async destroy(): Promise<void> {
    const parts = this.#started();
    await this.leave();
    await removeAll(parts, this.#table.list());
    await parts.network.removeAll();
    await removeCgroupRoots(parts.runtime);
    await this.stop();
    await closeSecretsRoot(this.#secretsRoot());
  }

  async stop(): Promise<void> {
    await this.#session?.stop();
    this.#session = undefined;
    this.#stopExchange();
    this.#host?.stop();
    this.#host = undefined;
    this.#membership = undefined;
    const parts = this.#parts;
    if (!parts) return;
    for (const container of this.#table.list()) parts.containers.release(container);
    await parts.forwarding.stop();
    await parts.images.stop();
    await parts.network.stop();
    this.#parts = undefined;
  }
}

const unnamed = (addr: string): ManagerAddress => ({ nodeId: '', addr, weight: 1 });

/** An observer that throws must not end the session. */
function tell(log: Log, call: () => void): void {
  try {
    call();
  } catch (error) {
    log.error('bug: an observer of the session', { reason: messageOf(error) });
  }
}
