// Which addresses of one subnet are taken, and by whom. The next address is looked for after the last one given, so that a freed address
// rests as long as possible before somebody else gets it (stale connections and DNS answers then reach nobody, not a stranger).
import { type Cidr, contains, formatAddress, parseAddress, sizeOf } from './cidr.ts';

export class AddressPool {
  readonly subnet: Cidr;
  readonly #first: bigint;
  readonly #last: bigint;
  #cursor: bigint;
  /** address → owner (task or service id, "gateway") */
  readonly #owners: Map<bigint, string> = new Map();
  readonly #reserved: ReadonlyMap<bigint, string>;

  /**
   * `range` narrows what is given out without being asked for by name. `reserved`: address → service that has asked for it, shared with the caller; what it
   * holds is given to tasks of that service only.
   */
  constructor(
    subnet: Cidr,
    gateway: string,
    range: Cidr | undefined,
    reserved: ReadonlyMap<bigint, string> = new Map(),
  ) {
    this.subnet = subnet;
    this.#reserved = reserved;
    const from = range ?? subnet;
    const whole = from.base === subnet.base && from.length === subnet.length;
    // The network address and, for IPv4, the broadcast address are nobody's.
    this.#first = whole ? from.base + 1n : from.base;
    this.#last = from.base + sizeOf(from) - (whole && subnet.family === 4 ? 2n : 1n);
    this.#cursor = this.#first;
    const gatewayAddress = parseAddress(gateway);
    if (gatewayAddress !== undefined) this.#owners.set(gatewayAddress, 'gateway');
  }

  get used(): number {
    return this.#owners.size;
  }

  /** Whose they are, one for each address. */
  owners(): Iterable<string> {
    return this.#owners.values();
  }

  /** Marks an address that is known to be in use (after a restart). */
  hold(address: string, owner: string): void {
    const value = parseAddress(address.split('/')[0] ?? '');
    if (value !== undefined && contains(this.subnet, value)) this.#owners.set(value, owner);
  }

  /** The same, unless somebody has it already. */
  holdIfFree(address: string, owner: string): void {
    const value = parseAddress(address.split('/')[0] ?? '');
    if (value === undefined || !contains(this.subnet, value)) return;
    if (!this.#owners.has(value)) this.#owners.set(value, owner);
  }

  release(address: string, owner: string): void {
    const value = parseAddress(address.split('/')[0] ?? '');
    if (value !== undefined && this.#owners.get(value) === owner) this.#owners.delete(value);
  }

  /** Takes a given address of this subnet for a task of `serviceId`: who is in the way, or `undefined`. */
  claim(address: string, owner: string, serviceId: string): string | undefined {
    const value = parseAddress(address);
    if (value === undefined) return undefined;
    const holder = this.#owners.get(value);
    if (holder !== undefined && holder !== owner) return holder;
    const other = this.#reserved.get(value);
    if (other !== undefined && other !== serviceId) return other;
    this.#owners.set(value, owner);
    return undefined;
  }

  /** A free address as "10.0.1.5/24", `undefined` when the subnet is exhausted. */
  take(owner: string): string | undefined {
    const total = this.#last - this.#first + 1n;
    for (let tried = 0n; tried < total; tried++) {
      const value = this.#cursor;
      this.#cursor = value >= this.#last ? this.#first : value + 1n;
      if (this.#owners.has(value) || this.#reserved.has(value)) continue;
      this.#owners.set(value, owner);
      return `${formatAddress(value, this.subnet.family)}/${this.subnet.length}`;
    }
    return undefined;
  }
}
