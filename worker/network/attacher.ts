// Puts containers on networks and takes them off: plans, then kernel, record, rules and names side by side, and undoes everything when one of them fails.
// Invariants: rules and names are computed from the records and nothing else of containers; an address is given to the next container only when rules,
// interface and flows of the former one are gone.
import { messageOf, TswarmError } from '#protocol/errors';
import type { PortConfig } from '#protocol/generated/specs';
import type { Log, Random } from '#protocol/world';
import { readTextFile } from '../files.ts';
import {
  type AttachmentRecord,
  defaultRouteIndex,
  type HelperInterface,
  helperInterface,
  interfaceName,
  namespaceSysctls,
  newLinkName,
  withDefaultRoute,
} from './attachment.ts';
import type { AttachmentStore } from './attachment-store.ts';
import type { EndpointPlan, KnownNetworks } from './endpoint-plan.ts';
import type { Forwarding } from './forwarding.ts';
import type { HostResolver } from './host.ts';
import type { KernelState } from './kernel-state.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { NetHelper } from './net-helper.ts';
import type { PortRegistry } from './ports.ts';
import { checkNameservers, resolvConf } from './resolv-conf.ts';
import type { RuleNames } from './ruleset.ts';
import type { AttachedEndpoint, AttachmentRequest, AttachRequest, AttachResult } from './types.ts';

export interface AttacherDeps {
  readonly helper: NetHelper;
  readonly forwarding: Forwarding;
  readonly records: AttachmentStore;
  readonly kernel: KernelState;
  readonly known: KnownNetworks;
  readonly local: LocalNetworks;
  readonly ports: PortRegistry;
  readonly rules: RuleNames;
  readonly random: Random;
  readonly log: Log;
  readonly hostResolver: () => HostResolver;
  /** Folder of the namespaces. */
  readonly netnsDir: string;
  /** Interfaces were left for the kernel to remove. */
  readonly linksLeft: () => void;
}

export class Attacher {
  readonly #deps: AttacherDeps;
  /** Containers whose interfaces are being made or changed. */
  readonly #changing = new Set<string>();

  constructor(deps: AttacherDeps) {
    this.#deps = deps;
  }

  isChanging(containerId: string): boolean {
    return this.#changing.has(containerId);
  }

  /** See NetworkManager.attach. */
  async attach(containerId: string, request: AttachRequest): Promise<AttachResult> {
    const { records, ports, local } = this.#deps;
    checkNameservers(request.dns.nameservers);
    const former = records.get(containerId)?.result.endpoints ?? [];
    await this.detach(containerId);
    if (request.mode === 'host') return this.#attachToHost(containerId, request);
    const ingressPorts = await ports.checkIngress(request.serviceId);
    const owner = request.names[0] ?? containerId.slice(0, 12);
    const claimed = await ports.claim(containerId, owner, request.ports);
    try {
      const planned = this.#planned(containerId, request, claimed, former);
      const record = { ...planned, result: { ...planned.result, ingressPorts } };
      await this.#make(record);
      return record.result;
    } catch (error) {
      ports.release(containerId);
      local.releaseAddresses(containerId);
      throw error;
    }
  }

  async detach(containerId: string): Promise<void> {
    const { records, ports, local } = this.#deps;
    const record = records.get(containerId);
    if (!record) return;
    await this.#takeAway(record);
    local.releaseAddresses(containerId);
    ports.release(containerId);
  }

  /** Adds an interface to a container that is running. */
  async connect(containerId: string, attachment: AttachmentRequest): Promise<void> {
    const { records, known, helper, rules, local, kernel } = this.#deps;
    const record = this.#recordOf(containerId);
    const networkId = known.idOf(attachment.networkId);
    if (record.result.endpoints.some((endpoint) => endpoint.networkId === networkId)) {
      throw new TswarmError(
        'already_exists',
        `container ${containerId.slice(0, 12)} is already on network ${attachment.networkId}`,
      );
    }
    const plan = known.plan({ containerId, attachment, macAddress: '', formerAddresses: [] });
    const taken = new Set(record.interfaces.map(({ name }) => name));
    const name = interfaceName(attachment.interfaceName, taken);
    const names = { host: this.#newLink([]), name };
    const next = this.#withDefault({
      ...record,
      request: { ...record.request, attachments: [...record.request.attachments, attachment] },
      result: { ...record.result, endpoints: [...record.result.endpoints, plan.endpoint] },
      interfaces: [...record.interfaces, helperInterface(plan, names, false)],
    });
    const interfaces = next.interfaces.slice(-1);
    const netns = record.result.netnsPath;
    this.#changing.add(containerId);
    try {
      if (interfaces.some((itf) => itf.v6)) await this.#deps.forwarding.needIpv6();
      await together([
        helper.connect({ netns, dns: rules.dns, interfaces }),
        records.put(next),
        kernel.flush(),
      ]);
    } catch (error) {
      await together([records.put(record), helper.deleteLinks([names.host]), kernel.flush()]).catch(
        (second: unknown) => this.#warn(second),
      );
      local.releaseAddress(networkId, containerId);
      throw error;
    } finally {
      this.#changing.delete(containerId);
    }
  }

  async disconnect(containerId: string, networkId: string): Promise<void> {
    const { records, kernel, helper, local } = this.#deps;
    const record = this.#recordOf(containerId);
    const index = record.result.endpoints.findIndex((endpoint) => endpoint.networkId === networkId);
    const endpoint = record.result.endpoints[index];
    const itf = record.interfaces[index];
    if (!endpoint || !itf) {
      throw new TswarmError(
        'not_found',
        `container ${containerId} is not connected to network ${networkId}`,
      );
    }
    const keep = <T>(list: readonly T[]): T[] => list.filter((_, place) => place !== index);
    const next = this.#withDefault({
      ...record,
      request: { ...record.request, attachments: keep(record.request.attachments) },
      result: { ...record.result, endpoints: keep(record.result.endpoints) },
      interfaces: keep(record.interfaces),
    });
    const primary = next.interfaces.find((other) => other.v4?.defaultRoute === true);
    this.#changing.add(containerId);
    try {
      kernel.forgetFlows(addressesOf(endpoint));
      // First the new way out, so that the container is never without one.
      if (primary) await helper.setDefaultRoutes(record.result.netnsPath, primary);
      await together([records.put(next), helper.deleteLinks([itf.host]), kernel.flush()]);
    } finally {
      this.#changing.delete(containerId);
    }
    local.releaseAddress(networkId, containerId);
  }

  #recordOf(containerId: string): AttachmentRecord {
    const record = this.#deps.records.get(containerId);
    if (record && record.result.netnsPath !== '') return record;
    throw new TswarmError('not_found', `container ${containerId} has no network of its own`);
  }

  async #attachToHost(containerId: string, request: AttachRequest): Promise<AttachResult> {
    const result: AttachResult = {
      netnsPath: '',
      resolvConf:
        request.dns.nameservers.length === 0
          ? ((await readTextFile('/etc/resolv.conf')) ?? '')
          : resolvConf(request.dns, this.#deps.hostResolver(), false),
      hostGateway: '',
      endpoints: [],
      portStatus: [],
      ingressPorts: [],
    };
    const record: AttachmentRecord = {
      containerId,
      request,
      result,
      interfaces: [],
      serving: servesAtOnce(request),
    };
    await this.#deps.records.put(record);
    return result;
  }

  #planned(
    containerId: string,
    request: AttachRequest,
    ports: readonly PortConfig[],
    former: readonly AttachedEndpoint[],
  ): AttachmentRecord {
    const plans = this.#plans(containerId, request, former);
    const primary = defaultRouteIndex(plans);
    const interfaces: HelperInterface[] = [];
    const taken = new Set(request.attachments.map((asked) => asked.interfaceName ?? ''));
    for (const [index, plan] of plans.entries()) {
      const host = this.#newLink(interfaces);
      const name = interfaceName(request.attachments[index]?.interfaceName, taken);
      taken.add(name);
      interfaces.push(helperInterface(plan, { host, name }, index === primary));
    }
    const result: AttachResult = {
      netnsPath: `${this.#deps.netnsDir}/${containerId}`,
      resolvConf: resolvConf(request.dns, this.#deps.hostResolver(), plans.length > 0),
      hostGateway: plans[primary]?.endpoint.gateway ?? '',
      endpoints: plans.map((plan) => plan.endpoint),
      portStatus: ports,
      ingressPorts: [],
    };
    return { containerId, request, result, interfaces, serving: servesAtOnce(request) };
  }

  #plans(
    containerId: string,
    request: AttachRequest,
    former: readonly AttachedEndpoint[],
  ): readonly EndpointPlan[] {
    const { known } = this.#deps;
    const plans: EndpointPlan[] = [];
    const asked = request.mode === 'none' ? [] : request.attachments;
    for (const [index, attachment] of asked.entries()) {
      const id = known.idOf(attachment.networkId);
      if (plans.some((plan) => plan.endpoint.networkId === id)) {
        throw new TswarmError('invalid_argument', `network ${attachment.networkId} is named twice`);
      }
      plans.push(
        known.plan({
          containerId,
          attachment,
          // A MAC address is asked for one interface, the first.
          macAddress: attachment.macAddress || (index === 0 ? request.macAddress : ''),
          formerAddresses: former
            .filter((endpoint) => endpoint.networkId === id)
            .flatMap(addressesOf),
        }),
      );
    }
    return plans;
  }

  #newLink(more: readonly HelperInterface[]): string {
    const { records, rules, random } = this.#deps;
    return newLinkName(
      rules.links,
      (length) => random.bytes(length),
      (name) => records.hasLink(name) || more.some((itf) => itf.host === name),
    );
  }

  /** The record with the default route at the interface that should have it now. */
  #withDefault(record: AttachmentRecord): AttachmentRecord {
    const internal = new Set(
      this.#deps.known
        .facts()
        .filter((fact) => fact.internal)
        .map((fact) => fact.id),
    );
    const primary = defaultRouteIndex(
      record.result.endpoints.map((endpoint, index) => ({
        internal: internal.has(endpoint.networkId),
        gwPriority: record.request.attachments[index]?.gwPriority ?? 0,
      })),
    );
    const interfaces = record.interfaces.map((itf, index) =>
      withDefaultRoute(itf, index === primary),
    );
    return { ...record, interfaces };
  }

  async #make(record: AttachmentRecord): Promise<void> {
    const { helper, records, kernel, rules } = this.#deps;
    const { containerId, interfaces } = record;
    this.#changing.add(containerId);
    try {
      if (interfaces.some((itf) => itf.v6)) await this.#deps.forwarding.needIpv6();
      await together([
        helper.attach({
          netns: record.result.netnsPath,
          dns: rules.dns,
          interfaces,
          sysctls: namespaceSysctls(record.request.sysctls),
        }),
        records.put(record),
        interfaces.length > 0 ? kernel.flush() : undefined,
      ]);
    } catch (error) {
      await this.#takeAway(record).catch((second: unknown) => this.#warn(second));
      throw error;
    } finally {
      this.#changing.delete(containerId);
    }
  }

  async #takeAway(record: AttachmentRecord): Promise<void> {
    const { helper, records, kernel, linksLeft } = this.#deps;
    const { netnsPath, endpoints } = record.result;
    const links = record.interfaces.map((itf) => itf.host);
    kernel.forgetFlows(endpoints.flatMap(addressesOf));
    const forgotten = records.delete(record.containerId);
    if (links.length > 0) linksLeft();
    await together([
      netnsPath === '' ? undefined : helper.detach(netnsPath, links),
      links.length > 0 ? kernel.flush() : undefined,
      forgotten,
    ]);
  }

  #warn(error: unknown): void {
    this.#deps.log.warn('attachment not taken away as a whole', { error: messageOf(error) });
  }
}

export function addressesOf(endpoint: AttachedEndpoint): string[] {
  return [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== '');
}

/** Awaits all, also when one fails, so that nothing is under way when the undoing begins. */
async function together(work: readonly (Promise<void> | undefined)[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

/** A task takes connections once it is said to be able to; nobody says so of a container of `docker run`. */
function servesAtOnce({ taskId }: AttachRequest): boolean {
  return taskId === '';
}
