// Addresses that a service asks for by name: within a subnet that the network was made with, nobody's by its meaning (gateway, broadcast), and in nobody's
// use. Said when the service is written, since a task that waits for an address which it can never get helps nobody. What is about to become free is no
// conflict: its task waits and says so (manager/allocator). Refuses addresses on networks whose subnet was left to the cluster, as Docker does: after
// the next `down` and `up` it may be another one.
import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import {
  type Cidr,
  contains,
  formatAddress,
  meaningOf,
  parseAddress,
  parseCidr,
} from '#manager/allocator/cidr';
import type { ReadView } from '#manager/store/view';
import { type Network, type Service, TaskState } from '#protocol/generated/objects';
import type { IpamConfig, NetworkAttachmentConfig } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { invalid } from './validate-names.ts';

const FIELD = 'TaskTemplate.Networks';

interface Wish {
  readonly service: Service;
  readonly network: Network;
  readonly family: 4 | 6;
  readonly text: string;
  readonly value: bigint;
}

/** @throws TswarmError invalid_argument that names the network, the address and what is in the way. */
export function refuseAddressConflicts(view: ReadView, service: Service): void {
  for (const config of service.spec?.taskTemplate?.networks ?? []) {
    for (const family of [4, 6] as const) {
      const text = addressIn(config, family);
      if (text === '') continue;
      const wish = wishOf(view, service, config.target, { family, text });
      checkPlace(wish);
      checkUse(view, wish);
    }
  }
}

function addressIn(config: NetworkAttachmentConfig, family: 4 | 6): string {
  return family === 4 ? config.ipv4Address : config.ipv6Address;
}

function wishOf(
  view: ReadView,
  service: Service,
  target: string,
  { family, text }: Pick<Wish, 'family' | 'text'>,
): Wish {
  const network = view.get('network', target);
  if (!network || NODE_LOCAL_NETWORKS.has(network.spec?.driverConfig?.name ?? '')) {
    const name = network?.spec?.name ?? target;
    throw invalid(
      FIELD,
      `address ${text}: network ${name} is each node's own, and a service cannot choose addresses there`,
      'Leave the address out, or use an overlay network.',
    );
  }
  const value = parseAddress(text);
  if (value === undefined || text.includes(':') !== (family === 6)) {
    throw invalid(
      FIELD,
      `network ${network.spec?.name}: ${JSON.stringify(text)} is not an IPv${family} address`,
      'Write it without a prefix length.',
    );
  }
  return { service, network, family, text, value };
}

/** Subnets of the family that the network was made with. */
function subnetsOf({ network, family }: Wish): (readonly [Cidr, IpamConfig])[] {
  return (network.spec?.ipam?.config ?? [])
    .filter(({ subnet }) => subnet !== '' && subnet.includes(':') === (family === 6))
    .map((config) => [parseCidr(config.subnet, 'IPAM.Config.Subnet'), config] as const);
}

function checkPlace(wish: Wish): void {
  const { network, text, value, family } = wish;
  const name = network.spec?.name ?? network.id;
  const subnets = subnetsOf(wish);
  if (subnets.length === 0) {
    throw invalid(
      FIELD,
      `address ${text}: network ${name} was made without an IPv${family} subnet of its own`,
      'Give the network a subnet, or leave the address out.',
    );
  }
  const [subnet, config] = subnets.find(([cidr]) => contains(cidr, value)) ?? [];
  if (!subnet || !config) {
    const texts = subnets.map(([, one]) => one.subnet).join(', ');
    throw invalid(FIELD, `address ${text} is outside subnet ${texts} of network ${name}`);
  }
  const meaning = placeOf(subnet, config, value);
  if (meaning === undefined) return;
  throw invalid(
    FIELD,
    `address ${text} is ${meaning} of network ${name}`,
    'Choose another address.',
  );
}

/** What an address is for when no container of this network can have it. */
function placeOf(subnet: Cidr, config: IpamConfig, value: bigint): string | undefined {
  const meaning = meaningOf(subnet, value);
  if (meaning !== undefined) return meaning;
  const gateway =
    config.gateway === '' ? formatAddress(subnet.base + 1n, subnet.family) : config.gateway;
  if (parseAddress(gateway) === value) return 'the gateway';
  for (const [name, address] of Object.entries(config.auxAddresses)) {
    if (parseAddress(address) === value) return `the auxiliary address ${name}`;
  }
  return undefined;
}

function checkUse(view: ReadView, wish: Wish): void {
  const { network, text } = wish;
  const holder = holderOf(view, wish);
  if (holder === undefined) return;
  throw invalid(
    FIELD,
    `address ${text} of network ${network.spec?.name} is in use by ${holder}`,
    'Choose another address.',
  );
}

/** Who has the address: a service that asks for it, one that has it as its virtual address, or a task that was given it. */
function holderOf(view: ReadView, { service, network, family, value }: Wish): string | undefined {
  const isIt = (text: string): boolean => parseAddress(text.split('/')[0] ?? '') === value;
  for (const other of view.list('service')) {
    const config = other.spec?.taskTemplate?.networks.find(({ target }) => target === network.id);
    const name = other.spec?.name ?? other.id;
    const isVip = (other.endpoint?.virtualIps ?? []).some(
      ({ networkId, addr }) => networkId === network.id && isIt(addr),
    );
    if (isVip) return `service ${name}, as its virtual address`;
    if (!config || other.id === service.id) continue;
    const fixed = addressIn(config, family);
    if (fixed !== '' && isIt(fixed)) return `service ${name}`;
    // Who asks for another address now gives this one back by its update.
    if (fixed !== '') continue;
    for (const task of view.tasksByService(other.id)) {
      const ended = (task.status?.state ?? TaskState.NEW) >= TaskState.COMPLETE;
      if (ended || task.desiredState > TaskState.COMPLETE) continue;
      const attachment = task.networkAttachments.find((one) => one.networkId === network.id);
      if (attachment?.addresses.some(isIt)) return `task ${taskName(task)}`;
    }
  }
  return undefined;
}
