// Networks of this node alone: `bridge`, `host`, `none`, and those made by `docker network create`. Owns their list on disk and the addresses that
// containers have on them. Cluster networks are the manager's and never appear here.
import { isIP } from 'node:net';
import { TswarmError } from '#protocol/errors';
import { newContainerId } from '#protocol/ids';
import type { Clock, Random } from '#protocol/world';
import { readJsonFile, writeFileAtomic } from '../files.ts';
import { ipv4Number, ipv4Text, overlapsHostRoute, subnetsMeet } from './host.ts';

export interface LocalNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'null';
  /** IPv4 CIDR; '' for host and none. */
  readonly subnet: string;
  readonly gateway: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
}

export interface NewLocalNetwork {
  readonly name: string;
  readonly driver: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

export const PREDEFINED: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);

/** /16 networks tried for local networks, as Docker's default pools. */
const SUBNETS: readonly string[] = [
  ...Array.from({ length: 15 }, (_, i) => `172.${17 + i}.0.0/16`),
  ...Array.from({ length: 16 }, (_, i) => `192.168.${i * 16}.0/20`),
];

export class LocalNetworks {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #networks = new Map<string, LocalNetwork>();
  /** network id → address → container id */
  readonly #addresses = new Map<string, Map<number, string>>();
  readonly #cursors = new Map<string, number>();
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
    for (const network of saved?.networks ?? []) this.#networks.set(network.id, network);
    for (const [name, driver] of [
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      if (this.find(name)) continue;
      const subnet = driver === 'bridge' ? await this.#freeSubnet() : '';
      this.#add({
        name,
        driver,
        subnet,
        gateway: '',
        internal: false,
        attachable: false,
        labels: {},
        options: {},
      });
    }
    await this.#save();
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

  /** @throws TswarmError already_exists, invalid_argument (subnet in use), not_supported (driver). */
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
      throw new TswarmError(
        'not_supported',
        `network driver "${wanted.driver}" is not known on this node`,
        {
          hint: 'Use bridge for one node, overlay for the cluster.',
        },
      );
    }
    const subnet =
      wanted.subnet === '' ? await this.#freeSubnet() : this.#checkedSubnet(wanted.subnet);
    this.#checkGateway(wanted.gateway, subnet);
    const network = this.#add({ ...wanted, driver: 'bridge', subnet });
    await this.#save();
    return network;
  }

  async remove(network: LocalNetwork): Promise<void> {
    this.#networks.delete(network.id);
    this.version += 1;
    this.#addresses.delete(network.id);
    await this.#save();
  }

  /** An address for a container: the one asked for, else `former` if it is still free, else the next free one. @throws TswarmError when taken or exhausted. */
  takeAddress(network: LocalNetwork, containerId: string, asked: string, former = ''): string {
    const used = this.#used(network);
    const { first, last } = hostRange(network.subnet);
    if (asked === '' && former !== '' && !used.has(ipv4Number(former))) {
      const value = ipv4Number(former);
      if (value >= first && value <= last && former !== network.gateway) {
        used.set(value, containerId);
        return former;
      }
    }
    if (asked !== '') {
      const value = ipv4Number(asked);
      if (!(value >= first && value <= last)) {
        throw new TswarmError(
          'invalid_argument',
          `address ${asked} is not in subnet ${network.subnet} of network ${network.name}`,
        );
      }
      const holder = asked === network.gateway ? 'the gateway' : used.get(value);
      if (holder !== undefined && holder !== containerId) {
        throw new TswarmError(
          'conflict',
          `Address already in use: ${asked} of network ${network.name} (${holder.slice(0, 12)})`,
        );
      }
      used.set(value, containerId);
      return asked;
    }
    let cursor = this.#cursors.get(network.id) ?? first;
    for (let tried = first; tried <= last; tried++) {
      const value = cursor > last ? first : cursor;
      cursor = value + 1;
      if (used.has(value) || ipv4Text(value) === network.gateway) continue;
      used.set(value, containerId);
      this.#cursors.set(network.id, cursor);
      return ipv4Text(value);
    }
    throw new TswarmError(
      'resource_exhausted',
      `network ${network.name}: no free address left in ${network.subnet}`,
    );
  }

  holdAddress(networkId: string, containerId: string, address: string): void {
    const network = this.#networks.get(networkId);
    if (network && address !== '') this.#used(network).set(ipv4Number(address), containerId);
  }

  releaseAddress(networkId: string, containerId: string): void {
    const used = this.#addresses.get(networkId) ?? new Map<number, string>();
    for (const [value, holder] of used) if (holder === containerId) used.delete(value);
  }

  releaseAddresses(containerId: string): void {
    for (const used of this.#addresses.values()) {
      for (const [value, holder] of used) if (holder === containerId) used.delete(value);
    }
  }

  #used(network: LocalNetwork): Map<number, string> {
    const used = this.#addresses.get(network.id) ?? new Map<number, string>();
    this.#addresses.set(network.id, used);
    return used;
  }

  #add(wanted: Omit<LocalNetwork, 'id' | 'created'>): LocalNetwork {
    const gateway =
      wanted.gateway !== '' || wanted.subnet === ''
        ? wanted.gateway
        : ipv4Text(hostRange(wanted.subnet).first);
    const network: LocalNetwork = {
      ...wanted,
      gateway,
      id: newContainerId(this.#random),
      created: new Date(this.#clock.nowMs()).toISOString(),
    };
    this.#networks.set(network.id, network);
    this.version += 1;
    return network;
  }

  /** The subnet with its host bits cleared. */
  #checkedSubnet(subnet: string): string {
    const [address = '', length = ''] = subnet.split('/');
    if (isIP(address) !== 4 || !/^([89]|[12]\d|30)$/.test(length)) {
      throw new TswarmError(
        'invalid_argument',
        `invalid subnet ${subnet}: an IPv4 prefix of /8 to /30 is wanted`,
        { field: 'IPAM.Config.Subnet' },
      );
    }
    const size = 2 ** (32 - Number(length));
    const exact = `${ipv4Text(Math.floor(ipv4Number(address) / size) * size)}/${length}`;
    const clash = this.list().find(
      (network) => network.subnet !== '' && subnetsMeet(network.subnet, exact),
    );
    if (clash) {
      throw new TswarmError(
        'invalid_argument',
        `Pool overlaps with other one on this address space: ${exact} and network ${clash.name} (${clash.subnet})`,
        { field: 'IPAM.Config.Subnet' },
      );
    }
    return exact;
  }

  #checkGateway(gateway: string, subnet: string): void {
    const { first, last } = hostRange(subnet);
    const value = isIP(gateway) === 4 ? ipv4Number(gateway) : -1;
    if (gateway === '' || (value >= first && value <= last)) return;
    throw new TswarmError(
      'invalid_argument',
      `invalid gateway ${gateway}: it is not an address of ${subnet}`,
      { field: 'IPAM.Config.Gateway' },
    );
  }

  async #freeSubnet(): Promise<string> {
    const taken = this.list()
      .map((network) => network.subnet)
      .filter((subnet) => subnet !== '')
      .concat(this.otherSubnets());
    for (const subnet of SUBNETS) {
      if (taken.some((other) => subnetsMeet(other, subnet))) continue;
      if (!(await overlapsHostRoute(subnet))) return subnet;
    }
    throw new TswarmError('resource_exhausted', 'no free subnet for a local network', {
      hint: 'Give the network a subnet with --subnet.',
    });
  }

  async #save(): Promise<void> {
    await writeFileAtomic(this.#file, JSON.stringify({ networks: this.list() }), { sync: true });
  }
}

function hostRange(subnet: string): { first: number; last: number } {
  const [base = '', length = '24'] = subnet.split('/');
  const start = ipv4Number(base);
  return { first: start + 1, last: start + 2 ** (32 - Number(length)) - 2 };
}
