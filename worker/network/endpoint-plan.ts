// The networks that this node knows, the cluster's and its own, and what a container gets on one of them: addresses, gateway, MAC. Takes addresses of
// local networks (cluster addresses are the manager's); whoever plans gives them back with `LocalNetworks.releaseAddresses` when it comes to nothing.
import { TswarmError } from '#protocol/errors';
import type { Network } from '#protocol/generated/objects';
import { hex } from '#protocol/ids';
import type { Log, Random } from '#protocol/world';
import { macFor } from './attachment.ts';
import { bare, type NetworkFact } from './desired-rules.ts';
import { subnetsMeet } from './host.ts';
import { MTU_BYTES_DEFAULT, MTU_BYTES_MAX, MTU_BYTES_MIN } from './limits.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { AttachedEndpoint, AttachmentRequest } from './types.ts';

export interface EndpointPlan {
  readonly endpoint: AttachedEndpoint;
  /** CIDR; '' = no such family. */
  readonly subnet4: string;
  readonly subnet6: string;
  readonly internal: boolean;
  readonly gwPriority: number;
  /** Further addresses of the interface, which nothing is routed to. */
  readonly linkLocalIps: readonly string[];
  readonly mtuBytes: number;
}

/** Docker's name of the one driver option that a network takes. */
export const MTU_OPTION = 'com.docker.network.driver.mtu';

/** What carries a cluster network between nodes: the tunnel, unless an administrator wants it in clear. */
export type Backend = 'wireguard' | 'vxlan' | 'host-gw';
const BACKEND_OPTION = 'backend';

/** A backend that this node does not know (it is older than the managers) is encrypted. */
function backendOf({ spec }: Network): Backend {
  const asked = spec?.driverConfig?.options[BACKEND_OPTION];
  return asked === 'vxlan' || asked === 'host-gw' ? asked : 'wireguard';
}

/** @throws TswarmError invalid_argument */
export function mtuOf(
  options: Readonly<Record<string, string>>,
  defaultBytes: number = MTU_BYTES_DEFAULT,
): number {
  const text = options[MTU_OPTION];
  if (text === undefined || text === '') return defaultBytes;
  const mtuBytes = Number(text);
  if (Number.isInteger(mtuBytes) && mtuBytes >= MTU_BYTES_MIN && mtuBytes <= MTU_BYTES_MAX)
    return mtuBytes;
  throw new TswarmError(
    'invalid_argument',
    `${MTU_OPTION}=${text}: a number from ${MTU_BYTES_MIN} to ${MTU_BYTES_MAX} is wanted`,
    { field: 'Options' },
  );
}

export interface PlanRequest {
  readonly containerId: string;
  readonly attachment: AttachmentRequest;
  /** Asked-for MAC address; '' = derived from the address. */
  readonly macAddress: string;
  /** Addresses to keep where nothing else is asked for. */
  readonly formerAddresses: readonly string[];
}

interface Addressing {
  readonly ipv4: string;
  readonly subnet4: string;
  readonly gateway: string;
  readonly ipv6: string;
  readonly subnet6: string;
  readonly ipv6Gateway: string;
}

export interface Acceptance {
  readonly accepted: readonly (NetworkFact & { readonly name: string })[];
  /** network id → why it cannot be used on this node */
  readonly refused: ReadonlyMap<string, string>;
}

/** Of networks with the same addresses only one can be used on a node: the first. Pure. */
export function acceptNetworks(
  networks: readonly (NetworkFact & { readonly name: string })[],
): Acceptance {
  const accepted: (NetworkFact & { readonly name: string })[] = [];
  const refused = new Map<string, string>();
  for (const network of networks) {
    const other = accepted.find((one) =>
      one.subnets.some((a) => network.subnets.some((b) => subnetsMeet(a, b))),
    );
    if (!other) accepted.push(network);
    else refused.set(network.id, `its subnet is in use on this node by network ${other.name}`);
  }
  return { accepted, refused };
}

export class KnownNetworks {
  readonly #local: LocalNetworks;
  readonly #random: Random;
  readonly #log: Log;
  readonly #clusterMtuBytes: (backend: Backend) => number;
  #cluster: ReadonlyMap<string, Network> = new Map();
  /** Computed when one of the two lists has changed. */
  #accepted: (Acceptance & { readonly localVersion: number }) | undefined;

  /** `clusterMtuBytes`: of the way to other nodes, as it is now. */
  constructor(
    local: LocalNetworks,
    random: Random,
    log: Log,
    clusterMtuBytes: (backend: Backend) => number,
  ) {
    this.#clusterMtuBytes = clusterMtuBytes;
    this.#local = local;
    this.#random = random;
    this.#log = log;
  }

  setCluster(networks: readonly Network[]): void {
    this.#cluster = new Map(networks.map((network) => [network.id, network]));
    this.#accepted = undefined;
  }

  /** Networks that can be used here. */
  facts(): readonly NetworkFact[] {
    return this.#known().accepted;
  }

  /** Ids of the cluster's networks that can be used here. */
  clusterIds(): ReadonlySet<string> {
    const { refused } = this.#known();
    return new Set([...this.#cluster.keys()].filter((id) => !refused.has(id)));
  }

  /** Ids of the cluster's networks that are carried so between nodes. */
  idsBy(backend: Backend): ReadonlySet<string> {
    const all = [...this.#cluster.values()].filter((network) => backendOf(network) === backend);
    return new Set(all.map(({ id }) => id));
  }

  /** Id of the network that is meant: an id, or the name of a local one. */
  idOf(idOrName: string): string {
    return this.#cluster.has(idOrName) ? idOrName : (this.#local.find(idOrName)?.id ?? idOrName);
  }

  /** @throws TswarmError not_found, failed_precondition, conflict, resource_exhausted */
  plan(request: PlanRequest): EndpointPlan {
    const cluster = this.#cluster.get(request.attachment.networkId);
    const refused = cluster && this.#known().refused.get(cluster.id);
    if (cluster && refused !== undefined) {
      throw new TswarmError(
        'failed_precondition',
        `network ${cluster.spec?.name ?? cluster.id} cannot be used: ${refused}`,
        { hint: 'Remove one of them, or create it again with another --subnet.' },
      );
    }
    return cluster ? this.#clusterPlan(cluster, request) : this.#localPlan(request);
  }

  #known(): Acceptance {
    const localVersion = this.#local.version;
    if (this.#accepted?.localVersion === localVersion) return this.#accepted;
    const local = this.#local
      .list()
      .filter((network) => network.ipam.length > 0)
      .map(({ id, name, ipam, internal }) => ({
        id,
        name,
        subnets: ipam.map(({ subnet }) => subnet),
        internal,
      }));
    const cluster = [...this.#cluster.values()].map((network) => ({
      id: network.id,
      name: network.spec?.name ?? network.id,
      subnets: network.ipam.map((config) => config.subnet).filter((subnet) => subnet !== ''),
      internal: network.spec?.internal ?? false,
    }));
    const known = acceptNetworks([...local, ...cluster]);
    for (const [id, reason] of known.refused) {
      this.#log.error('network cannot be used', { network: id, reason });
    }
    this.#accepted = { ...known, localVersion };
    return known;
  }

  #clusterPlan(network: Network, request: PlanRequest): EndpointPlan {
    const { addresses } = request.attachment;
    const name = network.spec?.name ?? network.id;
    const v4 = network.ipam.find((config) => config.subnet.includes('.'));
    const v6 = network.ipam.find((config) => config.subnet.includes(':'));
    const ipv4 = bare(addresses.find((address) => !address.includes(':')) ?? '');
    const ipv6 = bare(addresses.find((address) => address.includes(':')) ?? '');
    if (!v4 || ipv4 === '') {
      throw new TswarmError(
        'failed_precondition',
        `network ${name}: the task has no address on it yet`,
      );
    }
    const addressing: Addressing = {
      ipv4,
      subnet4: v4.subnet,
      gateway: v4.gateway,
      ipv6: v6 ? ipv6 : '',
      subnet6: v6?.subnet ?? '',
      ipv6Gateway: v6?.gateway ?? '',
    };
    return this.#endpoint(request, addressing, {
      id: network.id,
      name,
      internal: network.spec?.internal ?? false,
      options: network.spec?.driverConfig?.options ?? {},
      mtuBytesDefault: this.#clusterMtuBytes(backendOf(network)),
    });
  }

  #localPlan(request: PlanRequest): EndpointPlan {
    const { containerId, attachment, formerAddresses } = request;
    const network = this.#local.find(attachment.networkId);
    if (network?.driver !== 'bridge') {
      throw new TswarmError('not_found', `network ${attachment.networkId} not found`);
    }
    const wrong = attachment.addresses.find((address) => bare(address) === '');
    if (wrong !== undefined) {
      throw new TswarmError('invalid_argument', `"${wrong}" is not an IP address`);
    }
    const asked = attachment.addresses.map(bare);
    const [v4, v6] = network.ipam;
    if (!v6 && asked.some((address) => address.includes(':'))) {
      throw new TswarmError('invalid_argument', `network ${network.name} has no IPv6 subnet`, {
        hint: 'Create it with --ipv6.',
      });
    }
    const [ipv4 = '', ipv6 = ''] = this.#local.takeAddresses(
      network,
      containerId,
      asked,
      formerAddresses,
    );
    const addressing: Addressing = {
      ipv4,
      subnet4: v4?.subnet ?? '',
      gateway: v4?.gateway ?? '',
      ipv6,
      subnet6: v6?.subnet ?? '',
      ipv6Gateway: v6?.gateway ?? '',
    };
    const mtuBytesDefault = MTU_BYTES_DEFAULT;
    return this.#endpoint(request, addressing, { ...network, mtuBytesDefault });
  }

  #endpoint(
    { attachment, macAddress }: PlanRequest,
    addressing: Addressing,
    network: {
      readonly id: string;
      readonly name: string;
      readonly internal: boolean;
      readonly options: Readonly<Record<string, string>>;
      readonly mtuBytesDefault: number;
    },
  ): EndpointPlan {
    const { ipv4, ipv6, subnet4, subnet6 } = addressing;
    const length = (subnet: string): number => Number(subnet.split('/')[1] ?? '0');
    return {
      endpoint: {
        networkId: network.id,
        networkName: network.name,
        endpointId: hex(this.#random.bytes(32)),
        macAddress: macAddress === '' ? macFor(ipv4, 'container') : macAddress,
        ipv4,
        ipv4PrefixLength: length(subnet4),
        gateway: addressing.gateway,
        ipv6,
        ipv6PrefixLength: ipv6 === '' ? 0 : length(subnet6),
        ipv6Gateway: ipv6 === '' ? '' : addressing.ipv6Gateway,
        aliases: attachment.aliases,
      },
      subnet4,
      subnet6,
      internal: network.internal,
      gwPriority: attachment.gwPriority,
      linkLocalIps: attachment.linkLocalIps ?? [],
      mtuBytes: mtuOf(network.options, network.mtuBytesDefault),
    };
  }
}
