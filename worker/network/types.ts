// What the rest of the worker may ask of the network: follow the desired state, give a container a network namespace with its addresses,
// ports and resolver, take it away again; and what it is told about containers. Implemented in network-manager.ts.
// Invariant: everything here is idempotent and level-triggered; after a restart of the worker `restore` says what is alive and the rest is swept.
import type { EngineJson, LocalNetworkEngine } from '#protocol/engine';
import type { MeshPeer, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { Network } from '#protocol/generated/objects';
import type { PortConfig } from '#protocol/generated/specs';
import type { Clock, Log, Random } from '#protocol/world';
import type { NetworkReport } from './mesh/network-check.ts';

/** The cluster's view as this node needs it; from the assignments. Replaces the former one as a whole. */
export interface DesiredNetworkState {
  readonly nodeId: string;
  /** The cluster's networks that this node takes part in. */
  readonly networks: readonly Network[];
  readonly endpoints: readonly ServiceEndpoints[];
  /** The other nodes that this one exchanges packets with. */
  readonly peers: readonly MeshPeer[];
}

export interface AttachmentRequest {
  /** Id of a cluster network, id or name of a local one. */
  readonly networkId: string;
  /** CIDR or bare, v4 then v6; empty = the node chooses (local networks only). */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
  /** The highest gives the default route; equal: the first. */
  readonly gwPriority: number;
  /** Asked-for MAC address of this interface; absent or '': the request's (of the first), or made from the address. */
  readonly macAddress?: string;
  /** Asked-for name of the interface in the container; absent or '': the next `ethN`. */
  readonly interfaceName?: string;
  /** Further addresses of the interface, which nothing is routed to. */
  readonly linkLocalIps?: readonly string[];
  /** Task that stands for a container of `docker run` on this network of the cluster; absent for local networks and tasks' containers. */
  readonly attachmentId?: string;
}

/** Places on the cluster's networks for containers that are no task's; managers give them. */
export interface ClusterPlaces {
  /**
   * The attachment with the network's id, addresses and `attachmentId`, once this node knows the network. `attached` or `release` must follow.
   * @throws not_found, permission_denied (not attachable), failed_precondition (no address), unavailable (no manager in reach)
   */
  acquire(container: PlaceSeeker, attachment: AttachmentRequest): Promise<AttachmentRequest>;
  /** It is in the kernel: other nodes may send to it. */
  attached(attachmentId: string, containerId: string): void;
  release(attachmentId: string): void;
}

export interface PlaceSeeker {
  readonly containerId: string;
  readonly hostname: string;
  /** DNS names; the first is the container's own. */
  readonly names: readonly string[];
}

export interface AttachRequest {
  /** `networks`: the list below (empty = loopback only); `host`: no namespace; `none`: loopback only. */
  readonly mode: 'networks' | 'host' | 'none';
  readonly attachments: readonly AttachmentRequest[];
  /** Published by this container on this node: host-mode ports of a task, `-p` of `docker run`. Port 0 = chosen here. Ingress ports come with the endpoints. */
  readonly ports: readonly PortConfig[];
  readonly hostname: string;
  /** DNS names of the container itself (container name, short id, service names are in the endpoints). */
  readonly names: readonly string[];
  /** Nameservers, search domains, options that the user set; empty = the host's. */
  readonly dns: {
    readonly nameservers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  /** Written into the new namespace (`net.*`); the runtime refuses them for `host`. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** `NAME:ALIAS`: what this container alone calls another one; absent: none. */
  readonly links?: readonly string[];
  /** Asked-for MAC address; '' = derived from the address. */
  readonly macAddress: string;
  /** Task that the container belongs to; '' for `docker run`. */
  readonly taskId: string;
  /** Service of the task; '' for `docker run`. */
  readonly serviceId: string;
}

/** One interface as `NetworkSettings.Networks` shows it. */
export interface AttachedEndpoint {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  readonly macAddress: string;
  /** Bare address, '' = none. */
  readonly ipv4: string;
  readonly ipv4PrefixLength: number;
  readonly gateway: string;
  readonly ipv6: string;
  readonly ipv6PrefixLength: number;
  readonly ipv6Gateway: string;
  readonly aliases: readonly string[];
}

export interface AttachResult {
  /** Path for the OCI config's network namespace; '' for `host`. A bind mount or /proc path that stays valid until `detach`. */
  readonly netnsPath: string;
  /** Whole content of the container's /etc/resolv.conf. */
  readonly resolvConf: string;
  /** Address of the host as containers reach it: `host-gateway` in extra hosts; '' = none. */
  readonly hostGateway: string;
  readonly endpoints: readonly AttachedEndpoint[];
  /** Ports as published, with the chosen numbers. */
  readonly portStatus: readonly PortConfig[];
  /** Ports that the task's service publishes on every node; for display. */
  readonly ingressPorts: readonly PortConfig[];
}

export interface NetworkManager {
  /** Resolves when all of it is in the kernel and in the names file. Calls are applied in order; of several waiting ones only the last. */
  setState(desired: DesiredNetworkState): Promise<void>;
  /**
   * A second call for the same container replaces the first (same addresses where it can).
   * @throws TswarmError `failed_precondition` "port is already allocated …" with who has it; `not_found` for a network that is not here;
   * `resource_exhausted` when the subnet is full. Then nothing is left behind.
   */
  attach(containerId: string, request: AttachRequest): Promise<AttachResult>;
  /** Removes namespace, interfaces, routes, ports, names. Nothing when unknown. */
  detach(containerId: string): Promise<void>;
  /** The current result of `attach`; undefined when the container is not attached. Synchronous. */
  stateOf(containerId: string): AttachResult | undefined;
  /**
   * Called when a container becomes able to answer or stops being so (running and healthy / draining): names and rules follow. Resolves when they have.
   */
  setServing(containerId: string, serving: boolean): Promise<void>;
  /**
   * After a restart of the worker: these live; everything else of ours is removed. `known`: the cluster's networks as they were last known, so that
   * published ports and names go on while the worker starts. Must be called once, before the first attach.
   */
  restore(liveContainerIds: readonly string[], known: DesiredNetworkState): Promise<void>;
  /** Places on networks of the cluster that containers of `docker run` have now. */
  places(): readonly (PlaceSeeker & { readonly attachment: AttachmentRequest })[];
  /** The place is called otherwise from now on: its manager had forgotten it. Addresses are the same. */
  renamePlace(attachmentId: string, next: string): Promise<void>;
  /** Docker's bytes and packets per interface for stats; empty for host mode. */
  interfaceStats(containerId: string): Promise<Readonly<Record<string, InterfaceStats>>>;
}

export interface InterfaceStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

export interface NetworkService {
  readonly manager: NetworkManager;
  readonly api: LocalNetworkEngine;
  /** What the managers tell other nodes about the mesh of this one. */
  mesh(): MeshDescription;
  /** With each new certificate: a new key for the mesh. The managers must be told (`mesh`) right away. */
  renewMeshKey(): Promise<void>;
  /** UDP port that the cluster wants for the mesh (0 = 51820); a port given to this node goes before. */
  setMeshPort(port: number): Promise<void>;
  /** Looks at everything between this node and the others; changes nothing. */
  check(): Promise<NetworkReport>;
  /** Interfaces and namespaces of this node that no container has. */
  left(): Promise<{ readonly links: readonly string[]; readonly namespaces: readonly string[] }>;
  /** Takes them away. */
  sweep(): Promise<void>;
  /** Network part of GET /info (plugins, warnings). */
  info(): Promise<EngineJson>;
  /** Stops helpers that must not outlive the worker; containers' namespaces, rules and the names program stay. */
  stop(): Promise<void>;
  /**
   * When the node has left its cluster: takes rules, interfaces and the names program away if no container needs them. The next container brings them back.
   */
  rest(): Promise<void>;
  /** Removes everything of this node from the kernel, for good. */
  removeAll(): Promise<void>;
}

export interface MeshDescription {
  /** Public WireGuard key, base64. */
  readonly wireguardKey: string;
  /** Bare IP address for other nodes; '' = the one that the managers see. */
  readonly address: string;
  /** UDP port. */
  readonly port: number;
  /** All addresses of the host, without those of containers' interfaces. */
  readonly hostAddresses: readonly string[];
  /** What is wrong now, one sentence each. */
  readonly faults: readonly string[];
}

/** Everything that one network may have been called when a container was put on it: its id and its name. */
export type NetworkNames = readonly string[];

/** What the network's API needs to know of containers. */
export interface NetworkContainers {
  /** Full id, name or unique prefix. */
  resolve(
    idOrName: string,
  ): { readonly id: string; readonly name: string; readonly running: boolean } | undefined;
  /** Asked for by a container that is not running now: kept with it and used at its next start. */
  setAttachment(
    containerId: string,
    attachment: AttachmentRequest,
    names: NetworkNames,
  ): Promise<void>;
  removeAttachment(containerId: string, names: NetworkNames): Promise<void>;
  /** A running container is on other networks than at its start. */
  reattached(containerId: string, now: AttachResult | undefined): void;
  /** Networks that a stopped container still refers to (a network in use cannot be removed). */
  usersOf(networkIdOrName: string): readonly string[];
}

export interface NetworkOptions {
  /** Absolute: `<dataRoot>/network`. */
  readonly dataDir: string;
  /** Absolute: `<runRoot>/network`; gone after a reboot. */
  readonly runDir: string;
  /** Folder of the native programs (`tswarm-names`, the network helper). */
  readonly nativeDir: string;
  /** UDP port of the mesh, whatever the cluster says; 0 = the cluster's. */
  readonly meshPort: number;
  /** Address by which other nodes reach it; '' = the one that the managers see. */
  readonly meshAddress: string;
  /** Letters and digits, at most 8: prefix of everything in the kernel, so that several nodes fit on one host. */
  readonly nodeTag: string;
}

export interface NetworkDeps {
  /** The mesh's description has changed: the managers should hear of it. */
  readonly meshChanged?: () => void;
  /** This host's addresses or default routes may be others. */
  readonly hostChanged?: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: {
    emit(event: {
      readonly type: 'network';
      readonly action: string;
      readonly actorId: string;
      readonly attributes: Readonly<Record<string, string>>;
    }): void;
  };
  readonly containers: NetworkContainers;
  /** Absent: only tasks' containers get onto networks of the cluster. */
  readonly places?: ClusterPlaces;
}
