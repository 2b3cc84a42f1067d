// What is kept of a container's attachment while it lives, and how it is derived: interface names, MAC addresses, the interfaces as the network
// helper wants them. Pure.
import type { EndpointPlan } from './endpoint-plan.ts';
import { ipv4Number } from './host.ts';
import { LINK_NAME_LENGTH } from './limits.ts';
import type { AttachRequest, AttachResult } from './types.ts';

/** One per container, also for `host` and `none`. `result.endpoints` and `interfaces` have the same order. */
export interface AttachmentRecord {
  readonly containerId: string;
  readonly request: AttachRequest;
  readonly result: AttachResult;
  readonly interfaces: readonly HelperInterface[];
  /** Able to answer; see NetworkManager.setServing. */
  readonly serving: boolean;
}

/** An interface as tswarm-net wants it (native/PROTOCOL.md). Kept, because a lost one is made again from it. */
export interface HelperInterface {
  /** Name of the host's end; new with every attachment, because the kernel removes old ones in its own time. */
  readonly host: string;
  /** In the container: `ethN`, or what was asked for. */
  readonly name: string;
  readonly mac: string;
  readonly hostMac: string;
  readonly mtu: number;
  readonly v4?: HelperFamily;
  readonly v6?: HelperFamily;
  /** Further addresses; absent: none. */
  readonly more?: readonly string[];
}

export interface HelperFamily {
  readonly address: string;
  readonly gateway: string;
  readonly subnet: string;
  readonly defaultRoute: boolean;
}

/** A name for a host's end that `taken` does not have. `bytes` gives random bytes. */
export function newLinkName(
  prefix: string,
  bytes: (length: number) => Uint8Array,
  taken: (name: string) => boolean,
): string {
  for (;;) {
    const digits = [...bytes(LINK_NAME_LENGTH)].map((byte) => (byte % 36).toString(36)).join('');
    const name = (prefix + digits).slice(0, LINK_NAME_LENGTH);
    if (!taken(name)) return name;
  }
}

/** Locally administered address derived from the IPv4 address, as Docker does; `side` keeps the two ends apart. */
export function macFor(ipv4: string, side: 'container' | 'host'): string {
  const hexPart = ipv4Number(ipv4).toString(16).padStart(8, '0').match(/../g) ?? [];
  return [side === 'container' ? '02:42' : '02:43', ...hexPart].join(':');
}

/** The asked-for name of an interface, or the first `ethN` that neither those that are there have nor those to come want. */
export function interfaceName(asked: string | undefined, taken: ReadonlySet<string>): string {
  if (asked !== undefined && asked !== '') return asked;
  let number = 0;
  while (taken.has(`eth${number}`)) number += 1;
  return `eth${number}`;
}

export function helperInterface(
  plan: EndpointPlan,
  names: { readonly host: string; readonly name: string },
  defaultRoute: boolean,
): HelperInterface {
  const { endpoint, subnet4, subnet6, linkLocalIps } = plan;
  return {
    host: names.host,
    name: names.name,
    mac: endpoint.macAddress,
    hostMac: macFor(endpoint.ipv4, 'host'),
    mtu: plan.mtuBytes,
    v4: { address: endpoint.ipv4, gateway: endpoint.gateway, subnet: subnet4, defaultRoute },
    ...(endpoint.ipv6 === ''
      ? {}
      : {
          v6: {
            address: endpoint.ipv6,
            gateway: endpoint.ipv6Gateway,
            subnet: subnet6,
            defaultRoute,
          },
        }),
    ...(linkLocalIps.length > 0 ? { more: linkLocalIps } : {}),
  };
}

/** The same interface with or without the default routes. */
export function withDefaultRoute(itf: HelperInterface, defaultRoute: boolean): HelperInterface {
  return {
    ...itf,
    ...(itf.v4 ? { v4: { ...itf.v4, defaultRoute } } : {}),
    ...(itf.v6 ? { v6: { ...itf.v6, defaultRoute } } : {}),
  };
}

/** Which of the endpoints gets the default route: highest priority, then networks that lead outside, then the order of the request. -1 = none. */
export function defaultRouteIndex(
  plans: readonly { readonly internal: boolean; readonly gwPriority: number }[],
): number {
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

/** Settings of a new network namespace. As Docker: any program may use low ports and ping inside its own. */
export function namespaceSysctls(
  asked: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
    ...asked,
  };
}
