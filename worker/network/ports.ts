// Who has which port of this host: containers of this node, services of the cluster, other programs. Owns the claims of containers; a claim is made
// in one step, so that two containers that start at the same time cannot both get a port. Services' ports are the managers' to give away; here they
// are only looked at.
import { TswarmError } from '#protocol/errors';
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import { PortConfig, PublishMode } from '#protocol/generated/specs';
import { isAddress, PROTOCOL_WORDS } from './desired-rules.ts';
import type { HolderSearch } from './host.ts';
import { EPHEMERAL_FIRST, EPHEMERAL_LAST } from './limits.ts';

interface Claim {
  /** The container as a person knows it. */
  readonly owner: string;
  readonly ports: readonly PortConfig[];
}

export class PortRegistry {
  readonly #findHolder: HolderSearch;
  readonly #services: () => readonly ServiceEndpoints[];
  /** container id → its ports */
  readonly #claims = new Map<string, Claim>();
  #cursor = EPHEMERAL_FIRST;

  /** `findHolder`: which other program listens there. `services`: as last told by the managers. */
  constructor(findHolder: HolderSearch, services: () => readonly ServiceEndpoints[]) {
    this.#findHolder = findHolder;
    this.#services = services;
  }

  /**
   * The ports with the numbers that were chosen for 0; they are the container's until `release`.
   * @throws TswarmError `failed_precondition` when one is taken (by whom), `invalid_argument`, `resource_exhausted`. Then nothing is claimed.
   */
  async claim(
    containerId: string,
    owner: string,
    asked: readonly PortConfig[],
  ): Promise<readonly PortConfig[]> {
    const chosen: PortConfig[] = [];
    for (const port of asked) {
      if (port.hostIp !== '' && !isAddress(port.hostIp)) {
        throw new TswarmError('invalid_argument', `invalid host address "${port.hostIp}"`, {
          field: 'HostConfig.PortBindings',
        });
      }
      if (port.publishedPort !== 0) this.#mustBeFree(port, containerId, chosen);
      chosen.push(port.publishedPort === 0 ? this.#numbered(port, containerId, chosen) : port);
    }
    this.#claims.set(containerId, { owner, ports: chosen });
    try {
      for (const [index, port] of chosen.entries()) {
        if (asked[index]?.publishedPort !== 0) await this.#refuseHeld(port);
        else chosen[index] = await this.#reallyFree(port, containerId, chosen);
      }
    } catch (error) {
      this.#claims.delete(containerId);
      throw error;
    }
    return chosen;
  }

  /** Takes over what was claimed before a restart. */
  hold(containerId: string, owner: string, ports: readonly PortConfig[]): void {
    this.#claims.set(containerId, { owner, ports });
  }

  release(containerId: string): void {
    this.#claims.delete(containerId);
  }

  /**
   * A task whose service publishes a port that another program of this host holds must not start: its traffic would go astray.
   * The service is found by its id: a task that starts again is not among its backends yet.
   * @returns the ingress ports of the service. @throws TswarmError failed_precondition
   */
  async checkIngress(serviceId: string): Promise<readonly PortConfig[]> {
    if (serviceId === '') return [];
    const service = this.#services().find((candidate) => candidate.serviceId === serviceId);
    const ingress = (service?.ports ?? []).filter(
      (port) => port.publishMode === PublishMode.INGRESS,
    );
    for (const port of ingress) await this.#refuseHeld(port);
    return ingress;
  }

  #mustBeFree(port: PortConfig, containerId: string, own: readonly PortConfig[]): void {
    const taker = own.some((other) => meet(other, port))
      ? 'this container'
      : this.#takerOf(port, containerId);
    if (taker === undefined) return;
    throw new TswarmError(
      'failed_precondition',
      `Bind for ${port.hostIp || '0.0.0.0'}:${port.publishedPort} failed: port is already allocated (by ${taker})`,
    );
  }

  /** Which container or service of ours has the port. */
  #takerOf(port: PortConfig, containerId: string): string | undefined {
    for (const [id, claim] of this.#claims) {
      if (id !== containerId && claim.ports.some((other) => meet(other, port)))
        return `container ${claim.owner}`;
    }
    const service = this.#services().find((candidate) =>
      candidate.ports.some(
        (other) => other.publishMode === PublishMode.INGRESS && meet(other, port),
      ),
    );
    return service ? `service ${service.serviceName}` : undefined;
  }

  /** The port with a number that none of ours has. */
  #numbered(port: PortConfig, containerId: string, own: readonly PortConfig[]): PortConfig {
    if (port.publishedFirst > 0) return this.#numberedInRange(port, containerId, own);
    for (let tried = EPHEMERAL_FIRST; tried <= EPHEMERAL_LAST; tried++) {
      const candidate = PortConfig.create({ ...port, publishedPort: this.#cursor });
      this.#cursor = this.#cursor >= EPHEMERAL_LAST ? EPHEMERAL_FIRST : this.#cursor + 1;
      const taken = own.some((other) => other !== port && meet(other, candidate));
      if (!taken && this.#takerOf(candidate, containerId) === undefined) return candidate;
    }
    throw new TswarmError('resource_exhausted', 'no free port left for publishing');
  }

  /** The first of the port's own range that none of ours has, after the one that it has already. */
  #numberedInRange(port: PortConfig, containerId: string, own: readonly PortConfig[]): PortConfig {
    const { publishedFirst: first, publishedLast: last } = port;
    for (let number = Math.max(first, port.publishedPort + 1); number <= last; number++) {
      const candidate = PortConfig.create({ ...port, publishedPort: number });
      const taken = own.some((other) => other !== port && meet(other, candidate));
      if (!taken && this.#takerOf(candidate, containerId) === undefined) return candidate;
    }
    throw new TswarmError('resource_exhausted', `no port from ${first} to ${last} is free`);
  }

  /** The chosen port, or the next one that no other program holds either. */
  async #reallyFree(
    port: PortConfig,
    containerId: string,
    own: readonly PortConfig[],
  ): Promise<PortConfig> {
    let candidate = port;
    for (let tried = EPHEMERAL_FIRST; tried <= EPHEMERAL_LAST; tried++) {
      if ((await this.#holderOf(candidate)) === undefined) return candidate;
      candidate = this.#numbered(candidate, containerId, own);
    }
    throw new TswarmError('resource_exhausted', 'no free port left for publishing');
  }

  async #refuseHeld(port: PortConfig): Promise<void> {
    const holder = await this.#holderOf(port);
    if (holder === undefined) return;
    throw new TswarmError(
      'failed_precondition',
      `port ${port.publishedPort}/${PROTOCOL_WORDS[port.protocol]} is already in use on this host by ${holder}`,
      { hint: 'Stop that program or publish another port.' },
    );
  }

  async #holderOf(port: PortConfig): Promise<string | undefined> {
    const protocol = PROTOCOL_WORDS[port.protocol];
    // The kernel does not list who listens on SCTP ports in the same way.
    if (protocol === undefined || protocol === 'sctp' || port.publishedPort === 0) return undefined;
    return this.#findHolder(protocol, port.publishedPort, port.hostIp);
  }
}

function meet(a: PortConfig, b: PortConfig): boolean {
  return (
    a.protocol === b.protocol &&
    a.publishedPort === b.publishedPort &&
    (isAny(a.hostIp) || isAny(b.hostIp) || a.hostIp === b.hostIp)
  );
}

function isAny(hostIp: string): boolean {
  return hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
}
