// What is kept of a container's attachment while it lives, and how it is derived: interface names, MAC addresses, the request to the
// network helper. The record is written below the run root (gone after a reboot, as the namespaces are).
import { createHash } from 'node:crypto';
import type { PortConfig } from '#protocol/generated/specs';
import { ipv4Number } from './host.ts';
import { resolverScript } from './ruleset.ts';
import type { AttachedEndpoint, AttachRequest, AttachResult } from './types.ts';

export interface AttachmentRecord {
  readonly containerId: string;
  readonly request: AttachRequest;
  readonly result: AttachResult;
  /** Host ends, one per endpoint. */
  readonly links: readonly string[];
  readonly ports: readonly PortConfig[];
  serving: boolean;
}

/** Linux limits interface names to 15 characters. */
const LINK_NAME_HASH_LENGTH = 6;

/** Name of the host end of the container's interface on a network. */
export function linkName(prefix: string, containerId: string, networkId: string): string {
  const hash = createHash('sha256').update(`${containerId}/${networkId}`).digest('hex');
  return prefix + hash.slice(0, LINK_NAME_HASH_LENGTH);
}

/** Locally administered address derived from the IPv4 address, as Docker does; `side` keeps the two ends apart. */
export function macFor(ipv4: string, side: 'container' | 'host'): string {
  const hexPart = ipv4Number(ipv4).toString(16).padStart(8, '0').match(/../g) ?? [];
  return [side === 'container' ? '02:42' : '02:43', ...hexPart].join(':');
}

export interface HelperInterface {
  readonly host: string;
  readonly name: string;
  readonly mac: string;
  readonly hostMac: string;
  readonly mtu: number;
  readonly v4?: HelperFamily;
  readonly v6?: HelperFamily;
}

interface HelperFamily {
  readonly address: string;
  readonly gateway: string;
  readonly subnet: string;
  readonly defaultRoute: boolean;
}

export interface EndpointPlan {
  readonly endpoint: AttachedEndpoint;
  readonly subnet4: string;
  readonly subnet6: string;
  readonly internal: boolean;
  readonly gwPriority: number;
}

/** The helper's description of a container's interfaces; `firstIndex` numbers ethN. */
export function helperInterfaces(
  plans: readonly EndpointPlan[],
  links: readonly string[],
  mtuBytes: number,
  firstIndex: number,
): HelperInterface[] {
  const gateway = firstIndex === 0 ? defaultRouteIndex(plans) : -1;
  return plans.map(({ endpoint, subnet4, subnet6 }, index) => ({
    host: links[index] ?? '',
    name: `eth${firstIndex + index}`,
    mac: endpoint.macAddress,
    hostMac: macFor(endpoint.ipv4, 'host'),
    mtu: mtuBytes,
    v4: {
      address: endpoint.ipv4,
      gateway: endpoint.gateway,
      subnet: subnet4,
      defaultRoute: index === gateway,
    },
    ...(endpoint.ipv6 === ''
      ? {}
      : {
          v6: {
            address: endpoint.ipv6,
            gateway: endpoint.ipv6Gateway,
            subnet: subnet6,
            defaultRoute: index === gateway,
          },
        }),
  }));
}

/** Highest priority first, then networks that lead outside, then the order of the request. */
function defaultRouteIndex(plans: readonly EndpointPlan[]): number {
  let best = -1;
  for (const [index, plan] of plans.entries()) {
    const current = plans[best];
    if (!current) best = index;
    else if (plan.gwPriority > current.gwPriority) best = index;
    else if (plan.gwPriority === current.gwPriority && current.internal && !plan.internal)
      best = index;
  }
  return best;
}

/** The request that attaches a container. */
export function attachRequest(
  netnsPath: string,
  dns: string,
  interfaces: readonly HelperInterface[],
  sysctls: Readonly<Record<string, string>>,
): Readonly<Record<string, unknown>> {
  return {
    op: 'attach',
    netns: netnsPath,
    interfaces,
    // As Docker: any program may use low ports and ping inside its own network namespace.
    sysctls: {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': '0 2147483647',
      ...sysctls,
    },
    ...(interfaces.length === 0 ? {} : { dns, rules: resolverScript(dns) }),
  };
}
