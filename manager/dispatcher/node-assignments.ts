// What one node must know, as a stream of messages: first everything, then differences with
// sequence numbers. Tasks assigned to the node, and for the tasks that are alive their secrets,
// configs, networks and volumes, and the endpoints of all services on those networks and of all
// that publish an ingress port; and the nodes that those are on, for the mesh. Only what is marked
// dirty is looked at again. Invariant: after a
// message, what the node holds is exactly what `#sent` holds. swarmkit
// manager/dispatcher/assignments.go.
import type { StoreView } from '#manager/store/state';
import {
  Assignment,
  AssignmentAction,
  type AssignmentChange,
  type AssignmentsMessage,
  AssignmentsType,
  ServiceEndpoints,
} from '#protocol/generated/dispatcher';
import { Config, Network, Secret, Task, TaskState, Volume } from '#protocol/generated/objects';
import { MountType, SecretSpec, type TaskSpec } from '#protocol/generated/specs';
import { registryAuthId } from '#protocol/ids';
import { asItsNodeSees, endpointsAsSeenBy } from './drains.ts';
import { type EndpointsCache, networksUnder, publishesIngress } from './endpoints.ts';
import { MeshPeers } from './mesh-peers.ts';

type DependencyKind = 'secret' | 'config' | 'network' | 'volume';

interface Dependency {
  readonly kind: DependencyKind;
  readonly object: Secret | Config | Network | Volume;
}

export class NodeAssignments {
  readonly nodeId: string;
  readonly sessionId: string;
  readonly peers: MeshPeers;
  /** `<kind>/<id>` → what the node was sent last. */
  readonly #sent: Map<string, object> = new Map();
  readonly #dirtyTasks: Set<string> = new Set();
  readonly #dirtyServices: Set<string> = new Set();
  /** The node's tasks that have, or may get, a container, by id. */
  readonly #alive: Map<string, Task> = new Map();
  #networks: Set<string> = new Set();
  #areDependenciesDirty = false;
  #sequence = 0;
  /** service id → number of the message that last said something of its endpoints */
  readonly #endpointsSentIn: Map<string, number> = new Map();

  constructor(nodeId: string, sessionId: string) {
    this.nodeId = nodeId;
    this.sessionId = sessionId;
    this.peers = new MeshPeers(nodeId);
  }

  get isDirty(): boolean {
    return (
      this.#sequence === 0 ||
      this.#areDependenciesDirty ||
      this.#dirtyTasks.size > 0 ||
      this.#dirtyServices.size > 0 ||
      this.peers.isDirty
    );
  }

  /** Whether the node has a task on one of these networks. */
  isOnAny(networkIds: readonly string[]): boolean {
    return networkIds.some((id) => this.#networks.has(id));
  }

  knows(kind: 'endpoints' | DependencyKind, id: string): boolean {
    return this.#sent.has(`${kind}/${id}`);
  }

  /** Whether everything that this node is to know of a service's endpoints is in its kernel. */
  hasHeard(serviceId: string, acknowledged: string | undefined): boolean {
    if (this.#sequence === 0 || this.#dirtyServices.has(serviceId)) return false;
    const sentIn = this.#endpointsSentIn.get(serviceId);
    if (sentIn === undefined) return true;
    const [sessionId, number] = acknowledged?.split(':') ?? [];
    return sessionId === this.sessionId && Number(number) >= sentIn;
  }

  markTask(id: string): void {
    this.#dirtyTasks.add(id);
  }

  markService(id: string): void {
    this.#dirtyServices.add(id);
  }

  markDependencies(): void {
    this.#areDependenciesDirty = true;
  }

  /** The next message, or undefined when the node knows everything. */
  next(view: StoreView, endpoints: EndpointsCache): AssignmentsMessage | undefined {
    const isFirst = this.#sequence === 0;
    const changes = this.#changes(view, endpoints, isFirst);
    if (changes.length === 0 && !isFirst) return undefined;
    const appliesTo = isFirst ? '' : this.#sequenceText();
    this.#sequence++;
    return {
      type: isFirst ? AssignmentsType.COMPLETE : AssignmentsType.INCREMENTAL,
      appliesTo,
      resultsIn: this.#sequenceText(),
      changes,
    };
  }

  #sequenceText(): string {
    return `${this.sessionId}:${this.#sequence}`;
  }

  /** What tasks need comes before them in the message, and what they no longer need after. */
  #changes(view: StoreView, endpoints: EndpointsCache, isFirst: boolean): AssignmentChange[] {
    if (isFirst) for (const task of view.tasksByNode(this.nodeId)) this.#dirtyTasks.add(task.id);
    const tasks = this.#taskChanges(view);
    const needed: AssignmentChange[] = [];
    const unneeded: AssignmentChange[] = [];
    const networksBefore = this.#networks;
    if (this.#areDependenciesDirty || isFirst) this.#dependencyChanges(view, needed, unneeded);
    if (isFirst || networksBefore !== this.#networks) this.#markRelevantServices(view);
    this.#endpointChanges(view, endpoints, needed, unneeded);
    const peers = this.peers.changes(view);
    // The way to a node is there before the endpoints that use it, and goes after them.
    return [
      ...peers.updates.map((peer) => update({ peer })),
      ...needed,
      ...tasks,
      ...unneeded,
      ...peers.removals.map((peer) => removal({ peer })),
    ];
  }

  #taskChanges(view: StoreView): AssignmentChange[] {
    const changes: AssignmentChange[] = [];
    for (const id of this.#dirtyTasks) {
      const stored = view.get('task', id);
      const task = stored && asItsNodeSees(stored);
      const key = `task/${id}`;
      const isMine = task?.nodeId === this.nodeId && stateOf(task) >= TaskState.ASSIGNED;
      if (!task || !isMine) {
        if (this.#sent.delete(key)) changes.push(removal({ task: Task.create({ id }) }));
        this.#setAlive(id, undefined);
        continue;
      }
      const before = this.#sent.get(key) as Task | undefined;
      this.#setAlive(id, mayRun(task) ? task : undefined);
      this.#sent.set(key, task);
      // What the node itself has reported is no news to it.
      if (before && isSameForNode(before, task)) continue;
      changes.push(update({ task }));
    }
    this.#dirtyTasks.clear();
    return changes;
  }

  #setAlive(id: string, task: Task | undefined): void {
    const before = this.#alive.get(id);
    if (task) this.#alive.set(id, task);
    else this.#alive.delete(id);
    const isSame =
      before?.spec === task?.spec && before?.networkAttachments === task?.networkAttachments;
    if (before === task || (before && task && isSame)) return;
    this.#areDependenciesDirty = true;
  }

  #dependencyChanges(
    view: StoreView,
    needed: AssignmentChange[],
    unneeded: AssignmentChange[],
  ): void {
    this.#areDependenciesDirty = false;
    const wanted = this.#dependencies(view);
    for (const [key, { kind, object }] of wanted) {
      if (this.#sent.get(key) === object) continue;
      this.#sent.set(key, object);
      needed.push(update({ [kind]: object }));
    }
    for (const key of [...this.#sent.keys()]) {
      const [kind = '', id = ''] = key.split('/');
      if (kind === 'task' || kind === 'endpoints' || wanted.has(key)) continue;
      this.#sent.delete(key);
      unneeded.push(removal(dependencyById(kind as DependencyKind, id)));
    }
    const networks = new Set<string>();
    for (const { kind, object } of wanted.values()) if (kind === 'network') networks.add(object.id);
    if (!sameSet(networks, this.#networks)) this.#networks = networks;
  }

  #dependencies(view: StoreView): Map<string, Dependency> {
    const wanted = new Map<string, Dependency>();
    const add = (kind: DependencyKind, object: Dependency['object'] | undefined): void => {
      if (object) wanted.set(`${kind}/${object.id}`, { kind, object });
    };
    // The tasks of a service share their specification: each is looked at once.
    const services = new Set<string>();
    const specs = new Set<TaskSpec>();
    for (const { serviceId, spec, networkAttachments } of this.#alive.values()) {
      for (const { networkId } of networkAttachments)
        add('network', view.get('network', networkId));
      if (!services.has(serviceId)) add('secret', registryAuthOf(view, serviceId));
      services.add(serviceId);
      if (!spec || specs.has(spec)) continue;
      specs.add(spec);
      const container = spec.containerSpec;
      for (const ref of container?.secrets ?? []) add('secret', view.get('secret', ref.secretId));
      for (const ref of container?.configs ?? []) add('config', view.get('config', ref.configId));
      for (const mount of container?.mounts ?? []) {
        if (mount.type === MountType.VOLUME) add('volume', view.byName('volume', mount.source));
      }
    }
    return wanted;
  }

  /**
   * After the node joined or left a network: everything on its networks, and everything that it was
   * told of.
   */
  #markRelevantServices(view: StoreView): void {
    for (const networkId of this.#networks) {
      for (const service of view.servicesUsing('network', networkId)) this.markService(service.id);
      for (const { id } of view.attachmentsOn(networkId)) this.markService(id);
    }
    for (const service of view.list('service')) {
      if (publishesIngress(service)) this.markService(service.id);
    }
    for (const key of this.#sent.keys()) {
      if (key.startsWith('endpoints/')) this.markService(key.slice('endpoints/'.length));
    }
  }

  #endpointChanges(
    view: StoreView,
    endpoints: EndpointsCache,
    needed: AssignmentChange[],
    unneeded: AssignmentChange[],
  ): void {
    for (const serviceId of this.#dirtyServices) {
      const key = `endpoints/${serviceId}`;
      const service = view.get('service', serviceId);
      const isRelevant = this.isOnAny(networksUnder(view, serviceId)) || publishesIngress(service);
      const known = isRelevant ? endpoints.get(view, serviceId) : undefined;
      const current = known && endpointsAsSeenBy(this.nodeId, known, view);
      const before = this.#sent.get(key) as ServiceEndpoints | undefined;
      if (before === current) continue;
      this.peers.noteEndpoints(before, current);
      if (!current) {
        this.#sent.delete(key);
        unneeded.push(removal({ endpoints: ServiceEndpoints.create({ serviceId }) }));
      } else {
        this.#sent.set(key, current);
        this.#endpointsSentIn.set(serviceId, this.#sequence + 1);
        needed.push(update({ endpoints: current }));
      }
    }
    this.#dirtyServices.clear();
  }
}

/** Of credentials the secret that nodes are sent, so that the same bytes are the same object. */
const authSecrets = new WeakMap<Uint8Array, Secret>();

function registryAuthOf(view: StoreView, serviceId: string): Secret | undefined {
  const service = view.get('service', serviceId);
  if (!service || service.registryAuth.length === 0) return undefined;
  const known = authSecrets.get(service.registryAuth);
  if (known) return known;
  const spec = SecretSpec.create({ data: service.registryAuth });
  const secret = Secret.create({ id: registryAuthId(service.id), spec });
  authSecrets.set(service.registryAuth, secret);
  return secret;
}

function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

/**
 * Runs, or may run (again): a task whose agent restarts its container, or starts it when it is no
 * longer to be stopped, needs its networks and secrets also while it does not run.
 */
function mayRun(task: Task): boolean {
  if (stateOf(task) <= TaskState.RUNNING) return true;
  const wasStopped = task.status?.containerStatus?.stopped === true;
  const isResumed = task.spec?.engineRestart !== undefined || wasStopped;
  return task.desiredState <= TaskState.COMPLETE && isResumed;
}

/**
 * Whether two versions of a task ask the same of its node. Parts are compared by reference: equal
 * parts of other origin only cost a message.
 */
function isSameForNode(a: Task, b: Task): boolean {
  return (
    a.desiredState === b.desiredState &&
    a.drain?.acknowledgedAt === b.drain?.acknowledgedAt &&
    a.runState === b.runState &&
    a.restartRequest === b.restartRequest &&
    a.spec === b.spec &&
    a.networkAttachments === b.networkAttachments &&
    a.assignedGenericResources === b.assignedGenericResources &&
    a.endpoint === b.endpoint &&
    a.labels === b.labels
  );
}

function update(assignment: Partial<Assignment>): AssignmentChange {
  return { assignment: Assignment.create(assignment), action: AssignmentAction.UPDATE };
}

function removal(assignment: Partial<Assignment>): AssignmentChange {
  return { assignment: Assignment.create(assignment), action: AssignmentAction.REMOVE };
}

function dependencyById(kind: DependencyKind, id: string): Partial<Assignment> {
  switch (kind) {
    case 'secret':
      return { secret: Secret.create({ id }) };
    case 'config':
      return { config: Config.create({ id }) };
    case 'network':
      return { network: Network.create({ id }) };
    case 'volume':
      return { volume: Volume.create({ id }) };
  }
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
