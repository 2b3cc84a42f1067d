// The addresses of one subnet: who has which, and the next one for somebody new. Both families. Pure state; never gives out the gateway, the subnet's own
// address or (IPv4) its broadcast address, and an address that was given back only after all others had their turn.
import { TswarmError } from '#protocol/errors';
import { addressNumber, addressText, isSubnetText, prefixOf } from './host.ts';

/** Of those who have the addresses of a full subnet. */
const HOLDERS_NAMED_MAX = 5;

export interface PoolOptions {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway: string;
  /** CIDR within the subnet that new addresses are taken from; '' = all of it. */
  readonly range: string;
  /** Never given out: name → address. */
  readonly reserved: Readonly<Record<string, string>>;
  /** For messages. */
  readonly networkName: string;
}

export class AddressPool {
  readonly #options: PoolOptions;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #rangeFirst: bigint;
  readonly #rangeLast: bigint;
  /** address → container id, or what else it is for */
  readonly #used = new Map<bigint, string>();
  readonly #fixed: ReadonlySet<bigint>;
  #cursor: bigint;

  constructor(options: PoolOptions) {
    this.#options = options;
    const all = hostsOf(options.subnet);
    const range = options.range === '' ? all : within(hostsOf(options.range, 0n), all);
    this.#first = all.first;
    this.#last = all.last;
    this.#rangeFirst = range.first;
    this.#rangeLast = range.last;
    this.#cursor = range.first;
    this.#used.set(addressNumber(options.gateway), 'the gateway');
    for (const [name, address] of Object.entries(options.reserved))
      this.#used.set(addressNumber(address), `reserved for ${name}`);
    this.#fixed = new Set(this.#used.keys());
  }

  /**
   * An address for a container: the one asked for, else `former` if it is still free, else the next free one ('' = neither).
   * @throws TswarmError invalid_argument, conflict, resource_exhausted
   */
  take(containerId: string, asked: string, former: string): string {
    const { subnet, networkName } = this.#options;
    if (asked !== '') return this.#takeAsked(containerId, asked);
    const old = former === '' ? -1n : addressNumber(former);
    if (this.#isInside(old) && !this.#used.has(old)) return this.#give(old, containerId);
    const size = this.#rangeLast - this.#rangeFirst + 1n;
    for (let tried = 0n; tried < size && tried <= BigInt(this.#used.size); tried++) {
      const value = this.#cursor;
      this.#cursor = value >= this.#rangeLast ? this.#rangeFirst : value + 1n;
      if (!this.#used.has(value)) return this.#give(value, containerId);
    }
    throw new TswarmError(
      'resource_exhausted',
      `network ${networkName}: no free address left in ${this.#options.range || subnet}: ${this.#holders()}`,
      { hint: 'Remove containers, or create a network with a larger subnet.' },
    );
  }

  /** Who has them, in words. */
  #holders(): string {
    const names = [...this.#used]
      .filter(([value]) => value >= this.#rangeFirst && value <= this.#rangeLast)
      .map(([, holder]) => (/^[0-9a-f]{64}$/.test(holder) ? holder.slice(0, 12) : holder));
    const more = names.length - HOLDERS_NAMED_MAX;
    const named = names.slice(0, HOLDERS_NAMED_MAX).join(', ');
    return `in use by ${named}${more > 0 ? ` and ${more} more` : ''}`;
  }

  /** Takes over what a container had before a restart. */
  hold(containerId: string, address: string): void {
    const value = addressNumber(address);
    if (this.#isInside(value) && !this.#fixed.has(value)) this.#used.set(value, containerId);
  }

  /** Gives back what a container has. */
  release(containerId: string): void {
    for (const [value, holder] of this.#used) {
      if (holder === containerId && !this.#fixed.has(value)) this.#used.delete(value);
    }
  }

  #takeAsked(containerId: string, asked: string): string {
    const { subnet, networkName } = this.#options;
    const value = addressNumber(asked);
    if (!this.#isInside(value)) {
      throw new TswarmError(
        'invalid_argument',
        `address ${asked} is not in subnet ${subnet} of network ${networkName}`,
      );
    }
    const holder = this.#used.get(value);
    if (holder !== undefined && holder !== containerId) {
      throw new TswarmError(
        'conflict',
        `Address already in use: ${asked} of network ${networkName} (${holder.slice(0, 40)})`,
      );
    }
    return this.#give(value, containerId);
  }

  #give(value: bigint, containerId: string): string {
    this.#used.set(value, containerId);
    return addressText(value, this.#options.subnet.includes(':'));
  }

  #isInside(value: bigint): boolean {
    return value >= this.#first && value <= this.#last;
  }
}

/** The subnet's first host address: the gateway where none is asked for. */
export function firstAddress(subnet: string): string {
  return addressText(hostsOf(subnet).first, subnet.includes(':'));
}

/** A subnet with its host bits cleared, in the usual spelling; undefined when it is none or too small. */
export function exactSubnet(text: string): string | undefined {
  if (!isSubnetText(text)) return undefined;
  const { value, length, bits } = prefixOf(text);
  if (length < 8 || bits - length < 2) return undefined;
  const shift = BigInt(bits - length);
  return `${addressText((value >> shift) << shift, bits === 128)}/${length}`;
}

/** Whether the subnet has this address as one of its hosts'. */
export function hasHost(subnet: string, address: string): boolean {
  if (subnet.includes(':') !== address.includes(':')) return false;
  const { first, last } = hostsOf(subnet);
  const value = addressNumber(address);
  return value >= first && value <= last;
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** `edge`: addresses at each end that are not hosts'. */
function hostsOf(subnet: string, edge = 1n): Range {
  const { value, length, bits } = prefixOf(subnet);
  const shift = BigInt(bits - length);
  const base = (value >> shift) << shift;
  return { first: base + edge, last: base + (1n << shift) - 1n - edge };
}

function within(inner: Range, outer: Range): Range {
  return {
    first: inner.first > outer.first ? inner.first : outer.first,
    last: inner.last < outer.last ? inner.last : outer.last,
  };
}
