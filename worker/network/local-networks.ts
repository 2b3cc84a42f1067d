// Networks of this node alone: `bridge`, `host`, `none`, and those made by `docker network create`. Owns their list on disk and the addresses that
// containers have on them. Cluster networks are the manager's and never appear here.
import { TswarmError } from '#protocol/errors';
import { newContainerId } from '#protocol/ids';
import { RESERVED_SUBNETS } from '#protocol/reserved-subnets';
import type { Clock, Random } from '#protocol/world';
import { readJsonFile, writeFileAtomic } from '../files.ts';
import { AddressPool, exactSubnet, firstAddress, hasHost } from './address-pool.ts';
import { addressText, isSubnetText, overlapsHostRoute, subnetsMeet } from './host.ts';

export interface LocalNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'null';
  /** At most one of each family, IPv4 first; none for host and none. */
  readonly ipam: readonly LocalIpam[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
}

export interface LocalIpam {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway: string;
  /** CIDR; '' = all of the subnet. */
  readonly range: string;
  /** name → address that is never given out */
  readonly reserved: Readonly<Record<string, string>>;
}

export interface NewLocalNetwork {
  readonly name: string;
  readonly driver: string;
  /** '' where something is left to the node. Without an IPv4 subnet, one is chosen. */
  readonly ipam: readonly LocalIpam[];
  /** An IPv6 subnet is chosen where none is given. */
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

export const PREDEFINED: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);

/** Tried for local networks, as Docker's default pools. */
const SUBNETS: readonly string[] = [
  ...Array.from({ length: 15 }, (_, i) => `172.${17 + i}.0.0/16`),
  ...Array.from({ length: 16 }, (_, i) => `192.168.${i * 16}.0/20`),
];
const NO_IPAM: LocalIpam = { subnet: '', gateway: '', range: '', reserved: {} };

export class LocalNetworks {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #networks = new Map<string, LocalNetwork>();
  /** network id → a pool for each of its `ipam` */
  readonly #pools = new Map<string, readonly AddressPool[]>();
  /** Grows with every change of the list. */
  version = 0;
  /** Subnets of others, that a new network must not get by chance. */
  otherSubnets: () => readonly string[] = () => [];
  /** Networks are made one after another: name and subnet are looked up and taken in one step. */
  #creating: Promise<unknown> = Promise.resolve();

  constructor(file: string, clock: Clock, random: Random) {
    this.#file = file;
    this.#clock = clock;
    this.#random = random;
  }

  async load(): Promise<void> {
    const saved = (await readJsonFile(this.#file)) as
      | { networks?: readonly LocalNetwork[] }
      | undefined;
    for (const network of saved?.networks ?? []) if (network.ipam) this.#add(network);
    const known = this.list().length;
    for (const [name, driver] of [
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      if (this.find(name)) continue;
      const ipam = driver === 'bridge' ? [withGateway(NO_IPAM, await this.#freeSubnet())] : [];
      const common = { internal: false, attachable: false, labels: {}, options: {} };
      this.#add({ ...common, name, driver, ipam, ...this.#birth() });
    }
    if (this.list().length > known) await this.#save();
  }

  list(): readonly LocalNetwork[] {
    return [...this.#networks.values()];
  }

  /** By full id, name or unique id prefix. */
  find(idOrName: string): LocalNetwork | undefined {
    const exact = this.#networks.get(idOrName);
    if (exact) return exact;
    const named = this.list().find((network) => network.name === idOrName);
    if (named) return named;
    const prefixed = /^[0-9a-f]{3,}$/.test(idOrName)
      ? this.list().filter((network) => network.id.startsWith(idOrName))
      : [];
    return prefixed.length === 1 ? prefixed[0] : undefined;
  }

  /** @throws TswarmError already_exists, invalid_argument (subnet in use), not_supported (driver), resource_exhausted. */
  create(wanted: NewLocalNetwork): Promise<LocalNetwork> {
    const created = this.#creating.catch(() => {}).then(() => this.#create(wanted));
    this.#creating = created;
    return created;
  }

  async #create(wanted: NewLocalNetwork): Promise<LocalNetwork> {
    if (this.list().some((network) => network.name === wanted.name)) {
      throw new TswarmError('already_exists', `network with name ${wanted.name} already exists`);
    }
    if (wanted.driver !== 'bridge') {
      throw new TswarmError('not_found', `plugin "${wanted.driver}" not found`, {
        field: 'Driver',
        hint: 'Network drivers are bridge for one node and overlay for the cluster.',
      });
    }
    const { ipv6, ...rest } = wanted;
    const ipam = await this.#completed(wanted.ipam, ipv6);
    const network: LocalNetwork = { ...rest, driver: 'bridge', ipam, ...this.#birth() };
    this.#add(network);
    try {
      await this.#save();
    } catch (error) {
      this.#drop(network);
      throw error;
    }
    return network;
  }

  async remove(network: LocalNetwork): Promise<void> {
    await this.#save(this.list().filter(({ id }) => id !== network.id));
    this.#drop(network);
  }

  #drop(network: LocalNetwork): void {
    this.#networks.delete(network.id);
    this.#pools.delete(network.id);
    this.version += 1;
  }

  /**
   * Addresses for a container, one for each `ipam` of the network: those asked for, else those of `former` that are still free, else the next free ones.
   * @throws TswarmError when one is taken or none is left; then nothing is taken.
   */
  takeAddresses(
    network: LocalNetwork,
    containerId: string,
    asked: readonly string[],
    former: readonly string[],
  ): readonly string[] {
    const of = (list: readonly string[], subnet: string): string =>
      list.find((address) => address.includes(':') === subnet.includes(':')) ?? '';
    const pools = this.#pools.get(network.id) ?? [];
    try {
      return network.ipam.map(
        ({ subnet }, index) =>
          pools[index]?.take(containerId, of(asked, subnet), of(former, subnet)) ?? '',
      );
    } catch (error) {
      this.releaseAddress(network.id, containerId);
      throw error;
    }
  }

  /** Takes over what a container had before a restart. Nothing for networks that are not local. */
  holdAddresses(networkId: string, containerId: string, addresses: readonly string[]): void {
    for (const pool of this.#pools.get(networkId) ?? [])
      for (const address of addresses) pool.hold(containerId, address);
  }

  releaseAddress(networkId: string, containerId: string): void {
    for (const pool of this.#pools.get(networkId) ?? []) pool.release(containerId);
  }

  releaseAddresses(containerId: string): void {
    for (const networkId of this.#pools.keys()) this.releaseAddress(networkId, containerId);
  }

  #birth(): { readonly id: string; readonly created: string } {
    return {
      id: newContainerId(this.#random),
      created: new Date(this.#clock.nowMs()).toISOString(),
    };
  }

  #add(network: LocalNetwork): void {
    this.#networks.set(network.id, network);
    const pools = network.ipam.map(
      (ipam) => new AddressPool({ ...ipam, networkName: network.name }),
    );
    this.#pools.set(network.id, pools);
    this.version += 1;
  }

  async #completed(asked: readonly LocalIpam[], ipv6: boolean): Promise<readonly LocalIpam[]> {
    const given = asked.map((ipam) => (ipam.subnet === '' ? ipam : this.#checked(ipam)));
    const v4 = given.filter(({ subnet }) => !subnet.includes(':'));
    const v6 = given.filter(({ subnet }) => subnet.includes(':'));
    if (v4.length > 1 || v6.length > 1) {
      throw new TswarmError('invalid_argument', 'a network has one subnet of each family', {
        field: 'IPAM.Config',
      });
    }
    const first = v4[0] ?? NO_IPAM;
    const complete = [
      first.subnet === '' ? withGateway(first, await this.#freeSubnet()) : first,
      ...(ipv6 && v6.length === 0 ? [withGateway(NO_IPAM, this.#newIpv6Subnet())] : v6),
    ];
    for (const ipam of complete) checkInside(ipam);
    return complete;
  }

  #checked(ipam: LocalIpam): LocalIpam {
    if (!isSubnetText(ipam.subnet)) {
      const why = `invalid CIDR address: ${ipam.subnet}`;
      throw new TswarmError('invalid_argument', `Invalid subnet ${ipam.subnet} : ${why}`, {
        field: 'IPAM.Config.Subnet',
      });
    }
    const subnet = exactSubnet(ipam.subnet);
    if (subnet === undefined) {
      throw new TswarmError(
        'invalid_argument',
        `invalid subnet ${ipam.subnet}: a prefix from /8 to /30 (IPv6: /126) is wanted`,
        { field: 'IPAM.Config.Subnet' },
      );
    }
    const reserved = RESERVED_SUBNETS.find((one) => subnetsMeet(one.subnet, subnet));
    if (reserved) {
      throw new TswarmError(
        'invalid_argument',
        `subnet ${subnet} overlaps ${reserved.what} (${reserved.subnet})`,
        { field: 'IPAM.Config.Subnet' },
      );
    }
    const clash = this.list().find((network) =>
      network.ipam.some((other) => subnetsMeet(other.subnet, subnet)),
    );
    if (clash) {
      throw new TswarmError(
        'invalid_argument',
        `Pool overlaps with other one on this address space: ${subnet} and network ${clash.name}`,
        { field: 'IPAM.Config.Subnet' },
      );
    }
    return withGateway(ipam, subnet);
  }

  async #freeSubnet(): Promise<string> {
    const taken = this.list()
      .flatMap((network) => network.ipam.map(({ subnet }) => subnet))
      .concat(this.otherSubnets());
    for (const subnet of SUBNETS) {
      if (taken.some((other) => subnetsMeet(other, subnet))) continue;
      if (!(await overlapsHostRoute(subnet))) return subnet;
    }
    throw new TswarmError('resource_exhausted', 'no free subnet for a local network', {
      hint: 'Give the network a subnet with --subnet.',
    });
  }

  /** A /64 of the unique local addresses (RFC 4193): 40 random bits, so that it meets no other. */
  #newIpv6Subnet(): string {
    let id = 0xfdn;
    for (const byte of this.#random.bytes(5)) id = id * 256n + BigInt(byte);
    return `${addressText(id << 80n, true)}/64`;
  }

  async #save(networks: readonly LocalNetwork[] = this.list()): Promise<void> {
    await writeFileAtomic(this.#file, JSON.stringify({ networks }), { sync: true });
  }
}

function withGateway(ipam: LocalIpam, subnet: string): LocalIpam {
  return { ...ipam, subnet, gateway: ipam.gateway === '' ? firstAddress(subnet) : ipam.gateway };
}

/** Gateway, range and reserved addresses must be of the subnet. */
function checkInside({ subnet, gateway, range, reserved }: LocalIpam): void {
  const refuse = (what: string, field: string): never => {
    throw new TswarmError('invalid_argument', `${what} is not in subnet ${subnet}`, {
      field: `IPAM.Config.${field}`,
    });
  };
  if (!hasHost(subnet, gateway)) refuse(`gateway ${gateway}`, 'Gateway');
  if (range !== '') {
    const exact = exactSubnet(range);
    const isInside = exact !== undefined && subnetsMeet(exact, subnet);
    if (!isInside || Number(range.split('/')[1]) < Number(subnet.split('/')[1]))
      refuse(`range ${range}`, 'IPRange');
  }
  for (const [name, address] of Object.entries(reserved))
    if (!hasHost(subnet, address)) refuse(`${name}=${address}`, 'AuxiliaryAddresses');
}
