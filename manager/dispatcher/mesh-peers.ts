// Who must know whom for the encrypted mesh. A node gets as peers the nodes with a task of any
// service that it was told of; one that serves ingress ports gets all nodes, because any of them
// may pass a client on. The relation is symmetric: a shared network or an ingress port makes both
// ends know each other. Pure; one instance per connected node.
import type { ReadView, StoreChange } from '#manager/store/view';
import { MeshPeer, type ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { Node } from '#protocol/generated/objects';
import { PublishMode } from '#protocol/generated/specs';
import { MESH_PORT } from '#protocol/manager-ipc';

export class MeshPeers {
  readonly #nodeId: string;
  /** node id → number of sent services with a task there */
  readonly #counts: Map<string, number> = new Map();
  /** Sent services with ingress ports that have a task on this node. */
  #ingressServed = 0;
  readonly #dirty: Set<string> = new Set();
  #areAllDirty = false;
  readonly #sent: Map<string, MeshPeer> = new Map();

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  get isDirty(): boolean {
    return this.#areAllDirty || this.#dirty.size > 0;
  }

  /** What the node was sent of a service has changed. */
  noteEndpoints(before: ServiceEndpoints | undefined, after: ServiceEndpoints | undefined): void {
    const had = before ? backendNodes(before) : NONE;
    const has = after ? backendNodes(after) : NONE;
    for (const id of had) if (!has.has(id)) this.#count(id, -1);
    for (const id of has) if (!had.has(id)) this.#count(id, 1);
    const step = Number(this.#isServedHere(after)) - Number(this.#isServedHere(before));
    if (step === 0) return;
    const servedBefore = this.#ingressServed > 0;
    this.#ingressServed += step;
    if (servedBefore !== this.#ingressServed > 0) this.#areAllDirty = true;
  }

  /** A node object has changed in a way that matters here (`concernsMesh`). */
  noteNode(nodeId: string): void {
    if (this.#isWanted(nodeId) || this.#sent.has(nodeId)) this.#dirty.add(nodeId);
  }

  /** What the node must be told now: new and changed peers, and those that it can forget. */
  changes(view: ReadView): {
    readonly updates: readonly MeshPeer[];
    readonly removals: readonly MeshPeer[];
  } {
    if (this.#areAllDirty) {
      for (const { id } of view.list('node')) this.#dirty.add(id);
      for (const id of this.#sent.keys()) this.#dirty.add(id);
    }
    this.#areAllDirty = false;
    const updates: MeshPeer[] = [];
    const removals: MeshPeer[] = [];
    for (const nodeId of this.#dirty) {
      const node = this.#isWanted(nodeId) ? view.get('node', nodeId) : undefined;
      const peer = node && meshPeerOf(node);
      const sent = this.#sent.get(nodeId);
      if (!peer) {
        if (!this.#sent.delete(nodeId)) continue;
        removals.push(MeshPeer.create({ nodeId }));
      } else if (!sent || !isSame(sent, peer)) {
        this.#sent.set(nodeId, peer);
        updates.push(peer);
      }
    }
    this.#dirty.clear();
    return { updates, removals };
  }

  #isWanted(nodeId: string): boolean {
    if (nodeId === this.#nodeId) return false;
    return this.#ingressServed > 0 || (this.#counts.get(nodeId) ?? 0) > 0;
  }

  #isServedHere(endpoints: ServiceEndpoints | undefined): boolean {
    if (endpoints === undefined || !backendNodes(endpoints).has(this.#nodeId)) return false;
    return endpoints.ports.some((port) => port.publishMode === PublishMode.INGRESS);
  }

  #count(nodeId: string, step: number): void {
    const count = (this.#counts.get(nodeId) ?? 0) + step;
    if (count > 0) this.#counts.set(nodeId, count);
    else this.#counts.delete(nodeId);
    this.#dirty.add(nodeId);
  }
}

const NONE: ReadonlySet<string> = new Set();
const NODES: WeakMap<ServiceEndpoints, ReadonlySet<string>> = new WeakMap();

/** Nodes with a task of the service. Computed once per object: endpoints are never changed. */
function backendNodes(endpoints: ServiceEndpoints): ReadonlySet<string> {
  const known = NODES.get(endpoints);
  if (known) return known;
  const nodes = new Set(endpoints.backends.map((backend) => backend.nodeId));
  NODES.set(endpoints, nodes);
  return nodes;
}

/** Undefined for a node without a key: it has no mesh. */
export function meshPeerOf(node: Node): MeshPeer | undefined {
  const { description } = node;
  if (!description || description.wireguardKey === '') return undefined;
  return MeshPeer.create({
    nodeId: node.id,
    hostname: description.hostname,
    wireguardKey: description.wireguardKey,
    addr: description.meshAddr === '' ? (node.status?.addr ?? '') : description.meshAddr,
    port: description.meshPort === 0 ? MESH_PORT : description.meshPort,
    hostAddrs: description.addresses,
  });
}

/** Whether a change of a node may change how others reach it. */
export function concernsMesh({ before, after }: StoreChange<'node'>): boolean {
  const was = before && meshPeerOf(before);
  const is = after && meshPeerOf(after);
  if (!was || !is) return was !== is;
  return !isSame(was, is);
}

function isSame(a: MeshPeer, b: MeshPeer): boolean {
  return (
    a.wireguardKey === b.wireguardKey &&
    a.addr === b.addr &&
    a.port === b.port &&
    a.hostname === b.hostname &&
    a.hostAddrs.length === b.hostAddrs.length &&
    a.hostAddrs.every((address, index) => address === b.hostAddrs[index])
  );
}
