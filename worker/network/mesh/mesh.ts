// Keeps the mesh of this node as planned: the WireGuard interface (the kernel's, or wireguard-go), its peers, the VXLAN for published ports inside it,
// routes, next hops and routing rules. What was told is remembered, so that a change costs what changed; whenever that is not certain (start, somebody else
// meddled, a failure) the kernel is asked what it has. The mesh never holds up anything else: what fails is logged, shown, and tried again.
import { messageOf, TswarmError } from '#protocol/errors';
import type { MeshPeer, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { MESH_PORT } from '#protocol/manager-ipc';
import type { Clock, Log } from '#protocol/world';
import { readTextFile, writeFileAtomic } from '../../files.ts';
import { wholeAddress } from '../host.ts';
import {
  DOOR_OVERHEAD_BYTES,
  MESH_RETRY_MS,
  MESH_RETRY_MS_MAX,
  MTU_BYTES_DEFAULT,
  MTU_BYTES_MIN,
  TUNNEL_OVERHEAD_BYTES,
} from '../limits.ts';
import type { NetHelper } from '../net-helper.ts';
import {
  CLEAR_UDP_PORT,
  CLEAR_VXLAN_ID,
  DOOR_UDP_PORT,
  DOOR_VXLAN_ID,
  type MeshNames,
  meshIdentity,
  RULE_END,
  RULE_MESH,
} from './addresses.ts';
import { addressesOfPeers, type Paths } from './direct.ts';
import { callsFirst, Greeting } from './greeting.ts';
import type { KernelDevice } from './kernel-device.ts';
import { forgetMeshKey, type MeshKey, newMeshKey, openMeshKey } from './keys.ts';
import { MeshMemory } from './memory.ts';
import { leastMtuBytes } from './path-mtu.ts';
import { type MeshPlan, NO_MESH, planMesh, withFormerDoors } from './plan.ts';
import type { Probe } from './probe.ts';
import { itemsOf, type RoutingItem, withoutLink } from './routing.ts';
import type { UserspaceDevice } from './userspace-device.ts';
import {
  calledAgain,
  callsFromHere,
  type DeviceState,
  keepAlive,
  peerChanges,
  type ToldPeers,
  toldFrom,
  type WireguardDevice,
} from './wireguard.ts';

export interface MeshOptions {
  readonly names: MeshNames;
  readonly keyFile: string;
  readonly memoryFile: string;
  /** UDP port that this node was given; 0 = the cluster's. */
  readonly port: number;
  /** The cluster's port is kept here: the node must be found at it also when no manager is. */
  readonly portFile: string;
}

export interface MeshDeps {
  readonly helper: NetHelper;
  readonly kernel: KernelDevice;
  readonly userspace: UserspaceDevice;
  readonly clock: Clock;
  readonly log: Log;
  /** Which of these nodes (addresses inside the tunnel) answer, asked in a hurry. */
  readonly probe: (addresses: readonly string[]) => Promise<ReadonlyMap<string, Probe>>;
  /** The plan has changed while it was applied: rules are to follow. */
  readonly replanned: () => void;
}

/** What the managers say, as far as the mesh goes. Replaced as a whole. */
export interface MeshState {
  readonly nodeId: string;
  readonly peers: readonly MeshPeer[];
  readonly services: readonly ServiceEndpoints[];
  readonly networkIds: ReadonlySet<string>;
  /** Those of them that go in clear, in a VXLAN. */
  readonly clearIds: ReadonlySet<string>;
  /** Those of them that go in clear, by plain routes. */
  readonly directIds: ReadonlySet<string>;
}

export class Mesh {
  readonly #options: MeshOptions;
  readonly #deps: MeshDeps;
  readonly #memory: MeshMemory;
  #key: MeshKey | undefined;
  #port: number;
  #device: WireguardDevice | undefined;
  #state: MeshState | undefined;
  #plan: MeshPlan = NO_MESH;
  /** Undefined = not certain. */
  #told: ToldPeers | undefined;
  #routing: ReadonlyMap<string, RoutingItem> | undefined;
  #hasDoor = false;
  #hasClearLeft = false;
  /** Family of the interface for networks in clear; '' = not certain that there is one. */
  #clear: MeshPlan['clear'] = '';
  #mtuBytes = MTU_BYTES_DEFAULT - TUNNEL_OVERHEAD_BYTES;
  #pathBytes = MTU_BYTES_DEFAULT;
  /** To the addresses of the other nodes, as last asked for; only for networks that go without a tunnel. */
  #paths: Paths = new Map();
  #running: Promise<void> = Promise.resolve();
  readonly #greeting = new Greeting();
  #greetTimer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = MESH_RETRY_MS;
  #fault = '';
  #stopped = false;

  constructor(options: MeshOptions, deps: MeshDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#port = options.port || MESH_PORT;
    this.#memory = new MeshMemory(options.memoryFile);
  }

  async start(): Promise<void> {
    this.#key = await openMeshKey(this.#options.keyFile);
    await this.#memory.load();
    const kept = Number((await readTextFile(this.#options.portFile)) ?? '');
    if (this.#options.port === 0 && isPort(kept)) this.#port = kept;
    // Read again with the first peer; until then a guess will do.
    await this.#run(() => this.#readMtu([]));
  }

  /** Base64. */
  get publicKey(): string {
    return this.#key?.publicKey ?? '';
  }

  /** UDP port, as others must call it. */
  get port(): number {
    return this.#port;
  }

  /** Listens at the port that the cluster wants (0 = the usual one), unless this node was given one. True when that is another than before. */
  async setPort(wanted: number): Promise<boolean> {
    const port = isPort(wanted) ? wanted : MESH_PORT;
    if (this.#options.port !== 0 || port === this.#port) return false;
    this.#port = port;
    await this.#run(async () => {
      await writeFileAtomic(this.#options.portFile, `${port}\n`);
      if (this.#told) await this.#device?.write({ listenPort: port, peers: [] });
    });
    return true;
  }

  /** MTU of the interfaces of containers whose packets go through the tunnel, in bytes. */
  get mtuBytes(): number {
    return this.#mtuBytes;
  }

  /** MTU of the ways to the other nodes, in bytes, for packets that go without a tunnel. */
  get pathMtuBytes(): number {
    return this.#pathBytes;
  }

  /** As of the last `setState`; the rules are made from it. */
  get plan(): MeshPlan {
    return this.#plan;
  }

  /** Why there is no mesh now; '' = there is. */
  get fault(): string {
    return this.#fault;
  }

  /** What WireGuard knows of the peers; undefined while there is no mesh. */
  async device(): Promise<WireguardDevice | undefined> {
    await this.#running;
    return this.#told ? this.#device : undefined;
  }

  setState(said: MeshState): void {
    const state = { ...said, nodeId: this.#memory.nodeIdOf(said) };
    this.#state = state;
    this.#memory.assign(state.peers.map((peer) => peer.nodeId));
    this.#replan(state);
  }

  #replan(state: MeshState): void {
    const { names } = this.#options;
    const plan = planMesh({ ...state, names, numbers: this.#memory.numbers, paths: this.#paths });
    this.#plan = withFormerDoors(plan, this.#plan.doors);
  }

  /** Resolves when the plan of this moment is in the kernel, or has failed and will be tried again. */
  apply(): Promise<void> {
    return this.#run(() => this.#apply());
  }

  /** Follows the host's own routes to the other nodes, where networks go by them; nobody tells of their changes. */
  async followPaths(): Promise<void> {
    if (this.#state && this.#state.directIds.size > 0) await this.apply();
  }

  /** Looks at what there really is and makes it right. */
  check(): Promise<void> {
    return this.#run(() => this.#applyAnew());
  }

  /** This host has other addresses: the others hear from it at once, managers or none, and the ways to them are looked at again. */
  hostMoved(): Promise<void> {
    return this.#run(async () => {
      await this.#applyAnew();
      if (!this.#told || !this.#device) return;
      const { peers } = await this.#device.read();
      await this.#device.write({ peers: callsFromHere(peers) });
    });
  }

  async #applyAnew(): Promise<void> {
    if (!this.#device || this.#plan.peers.size === 0) return;
    this.#told = undefined;
    this.#routing = undefined;
    await this.#apply();
  }

  /** What of the plan is not in the kernel's routing now, in words. */
  async missing(): Promise<readonly string[]> {
    await this.#running;
    if (this.#plan.routing.size === 0) return [];
    const range = { min: RULE_MESH, max: RULE_END };
    const actual = itemsOf(await this.#deps.helper.inspectMesh(this.#options.names.prefix, range));
    return [...this.#plan.routing]
      .filter(([key, { kind }]) => (kind === 'route' || kind === 'rule') && !actual.has(key))
      .map(([key]) => key);
  }

  /** A new key; the managers must be told. Peers call as soon as they have heard of it. */
  renewKey(): Promise<void> {
    return this.#run(async () => {
      this.#key = await newMeshKey(this.#options.keyFile);
      if (this.#told) await this.#device?.write({ privateKey: this.#key.privateKey, peers: [] });
    });
  }

  /** The next cluster gets to know another key. */
  forgetKey(): Promise<void> {
    return this.#run(async () => {
      await forgetMeshKey(this.#options.keyFile);
      this.#key = await openMeshKey(this.#options.keyFile);
    });
  }

  /** Takes all of it out of the kernel. */
  async remove(): Promise<void> {
    await this.#run(async () => {
      const { helper, userspace } = this.#deps;
      const { names } = this.#options;
      clearTimeout(this.#retry);
      this.#greeting.clear();
      const actual = await helper.inspectMesh(names.prefix, { min: RULE_MESH, max: RULE_END });
      await helper.routing([], [...itemsOf(actual).values()]);
      await helper.deleteLinks(actual.links.map((link) => link.name));
      await userspace.end();
      this.#told = undefined;
      this.#routing = undefined;
      this.#device = undefined;
      this.#hasDoor = false;
      this.#clear = '';
      this.#plan = NO_MESH;
    });
  }

  /** Everything stays in the kernel. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#greetTimer);
  }

  #run(work: () => Promise<void>): Promise<void> {
    const next = this.#running.then(work).then(
      () => {
        this.#fault = '';
        this.#retryMs = MESH_RETRY_MS;
      },
      (error: unknown) => this.#failed(error),
    );
    this.#running = next;
    return next;
  }

  #failed(error: unknown): void {
    this.#told = undefined;
    this.#routing = undefined;
    if (this.#stopped) return;
    const reason = messageOf(error);
    if (reason !== this.#fault) {
      const hint = error instanceof TswarmError ? error.hint : undefined;
      this.#deps.log.error('no mesh to other nodes', { error: reason, hint });
    }
    this.#fault = reason;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.apply(), this.#retryMs);
    this.#retry.unref();
    this.#retryMs = Math.min(2 * this.#retryMs, MESH_RETRY_MS_MAX);
  }

  async #apply(): Promise<void> {
    await this.#learnPaths();
    const plan = this.#plan;
    const nodeId = this.#state?.nodeId ?? '';
    // Before the node's id is known nothing is touched: what there is goes on.
    if (nodeId === '' || (plan.peers.size === 0 && !this.#device)) return;
    await this.#memory.save();
    if (!this.#told || !this.#routing) await this.#adopt(nodeId);
    await this.#tellPeers(plan);
    await this.#route(plan, nodeId);
  }

  /** Where networks go by plain routes, the plan depends on the host's own routes, which change at any time. */
  async #learnPaths(): Promise<void> {
    const state = this.#state;
    if (!state) return;
    const to = state.directIds.size > 0 ? addressesOfPeers(state.peers) : [];
    const found = to.length > 0 ? await this.#deps.helper.paths(to) : [];
    const paths = new Map(to.map((address, index) => [address, found[index]]));
    if (JSON.stringify([...paths]) === JSON.stringify([...this.#paths])) return;
    this.#paths = paths;
    // Said anew meanwhile: then that is planned, with these paths.
    if (this.#state) this.#replan(this.#state);
    this.#deps.replanned();
  }

  /** Makes sure of the tunnel and finds out what it has. */
  async #adopt(nodeId: string): Promise<void> {
    const { helper } = this.#deps;
    const { names } = this.#options;
    const port = this.#port;
    await this.#readMtu([...(this.#state?.peers ?? [])]);
    this.#device = await this.#openDevice();
    await helper.meshLink({
      name: names.tunnel,
      mtu: this.#mtuBytes,
      addresses: [wholeAddress(meshIdentity(nodeId).address)],
    });
    const state = await this.#device.read();
    const key = this.#key;
    if (key && (state.publicKey !== key.publicKey || state.listenPort !== port)) {
      await this.#device.write({ privateKey: key.privateKey, listenPort: port, peers: [] });
    }
    this.#told = toldFrom(state, this.#plan.peers);
    // Whoever was here before may have ended between the two.
    await this.#device.write({ peers: [...this.#told.keys()].map(keepAlive) });
    const actual = await helper.inspectMesh(names.prefix, { min: RULE_MESH, max: RULE_END });
    this.#hasDoor = false;
    this.#clear = '';
    this.#hasClearLeft = actual.links.some((link) => link.name === names.clear);
    this.#routing = itemsOf(actual);
  }

  async #openDevice(): Promise<WireguardDevice> {
    const { helper, kernel, userspace } = this.#deps;
    try {
      await helper.makeLink(this.#options.names.tunnel, 'wireguard', this.#mtuBytes);
      if (await kernel.isOurs()) return kernel;
    } catch (error) {
      if (!(error instanceof TswarmError && error.code === 'not_supported')) throw error;
    }
    await userspace.ensure();
    return userspace;
  }

  async #tellPeers(plan: MeshPlan): Promise<void> {
    if (!this.#told) return;
    const known = new Set(this.#told.keys());
    const peers = peerChanges(this.#told, plan.peers, (key) => callsFirst(this.publicKey, key));
    if (peers.length > 0) await this.#device?.write({ peers });
    for (const { publicKey, remove } of peers) if (remove) this.#greeting.done(publicKey);
    // Without an address of theirs it is they who call.
    const fresh = peers.filter(({ publicKey, endpoint }) => endpoint && !known.has(publicKey));
    const keys = fresh.map(({ publicKey }) => publicKey);
    this.#greeting.begin(this.publicKey, keys, this.#deps.clock.monotonicMs());
    this.#greetLater();
  }

  #greetLater(): void {
    clearTimeout(this.#greetTimer);
    const nextMs = this.#greeting.nextMs();
    if (nextMs === undefined || this.#stopped) return;
    const waitMs = Math.max(0, nextMs - this.#deps.clock.monotonicMs());
    this.#greetTimer = setTimeout(() => void this.#run(() => this.#greet()), waitMs);
    this.#greetTimer.unref();
  }

  /** Calls new peers again that have not answered, and asks the others whether they hear us. */
  async #greet(): Promise<void> {
    if (!this.#told || !this.#device) return;
    const { peers: known } = await this.#device.read();
    const isSilent = (key: string): boolean => known.get(key)?.handshakeMs === 0;
    const { greet, call, ask } = this.#greeting.due(this.#deps.clock.monotonicMs(), isSilent);
    await this.#callAgain(call);
    const all = [...greet, ...ask].filter((key) => this.#plan.peers.has(key));
    if (all.length > 0) await this.#device.write({ peers: all.map(keepAlive) });
    // Nobody waits for the answers.
    if (ask.length > 0) void this.#confirm(ask, known);
    this.#greetLater();
  }

  async #callAgain(publicKeys: readonly string[]): Promise<void> {
    if (!this.#told) return;
    const peers = calledAgain(this.#told, this.#plan.peers, publicKeys);
    if (peers.length > 0) await this.#device?.write({ peers });
  }

  /** `known`: as of before. Peers that have shaken hands since then are left alone. */
  async #confirm(publicKeys: readonly string[], known: DeviceState['peers']): Promise<void> {
    const inside = (key: string): string =>
      meshIdentity(this.#plan.peers.get(key)?.nodeId ?? '').address;
    const answers = await this.#deps.probe(publicKeys.map(inside)).catch(() => undefined);
    // Without a probe there is no reason to doubt.
    const isAnswered = (key: string): boolean => (answers?.get(inside(key))?.received ?? 1) > 0;
    for (const key of publicKeys.filter(isAnswered)) this.#greeting.done(key);
    const unheard = publicKeys.filter((key) => !isAnswered(key));
    if (unheard.length === 0) return;
    await this.#run(async () => {
      if (!this.#told || !this.#device || this.#stopped) return;
      const now = (await this.#device.read()).peers;
      await this.#callAgain(
        unheard.filter((key) => now.get(key)?.handshakeMs === known.get(key)?.handshakeMs),
      );
    });
  }

  async #route(plan: MeshPlan, nodeId: string): Promise<void> {
    const { helper } = this.#deps;
    let before = this.#routing ?? new Map<string, RoutingItem>();
    if (!this.#hasDoor && plan.doors.size + plan.origins.size > 0) await this.#openDoor(nodeId);
    if (plan.clear !== '' && this.#clear !== plan.clear) {
      const isOther = await this.#openClear(plan.clear, nodeId);
      // With the interface its routes went.
      if (isOther) before = withoutLink(before, this.#options.names.clear);
    }
    const add = [...plan.routing].filter(([key]) => !before.has(key)).map(([, item]) => item);
    const remove = [...before].filter(([key]) => !plan.routing.has(key)).map(([, item]) => item);
    if (add.length + remove.length > 0) await helper.routing(add, remove);
    this.#routing = plan.routing;
    if (plan.clear === '' && this.#hasClearLeft) {
      await helper.deleteLinks([this.#options.names.clear]);
      this.#hasClearLeft = false;
      this.#clear = '';
    }
  }

  /** For networks that an administrator lets go in clear: beside the tunnel. True when one for the other family had to go. */
  async #openClear(family: '4' | '6', nodeId: string): Promise<boolean> {
    const { names } = this.#options;
    const isOther = this.#clear !== '';
    if (isOther) await this.#deps.helper.deleteLinks([names.clear]);
    await this.#deps.helper.meshLink({
      name: names.clear,
      mtu: this.#mtuBytes,
      addresses: [],
      make: {
        kind: 'vxlan',
        mac: meshIdentity(nodeId).mac,
        vxlan: {
          id: CLEAR_VXLAN_ID,
          port: CLEAR_UDP_PORT,
          local: family === '4' ? '0.0.0.0' : '::',
        },
      },
    });
    this.#clear = family;
    this.#hasClearLeft = true;
    return isOther;
  }

  async #openDoor(nodeId: string): Promise<void> {
    const { names } = this.#options;
    const identity = meshIdentity(nodeId);
    await this.#deps.helper.meshLink({
      name: names.door,
      mtu: Math.max(MTU_BYTES_MIN, this.#mtuBytes - DOOR_OVERHEAD_BYTES),
      addresses: [],
      make: {
        kind: 'vxlan',
        mac: identity.mac,
        vxlan: { id: DOOR_VXLAN_ID, port: DOOR_UDP_PORT, local: identity.address },
      },
    });
    this.#hasDoor = true;
  }

  async #readMtu(peers: readonly MeshPeer[]): Promise<void> {
    this.#pathBytes = await leastMtuBytes(this.#deps.helper, peers);
    this.#mtuBytes = Math.max(MTU_BYTES_MIN, this.#pathBytes - TUNNEL_OVERHEAD_BYTES);
  }
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}
