// Networks that go by plain routes (`backend=host-gw`): a container of another node is reached by that node's own address on the Ethernet that both are on.
// Only there: a router between them does not know the containers, so a node behind one gets no route and a fault instead. Pure.
import type { MeshPeer } from '#protocol/generated/dispatcher';
import { canonicalAddress } from '../host.ts';
import type { Path } from '../net-helper.ts';

/** A container of another node, and the host's interface that it is reached by. */
export interface DirectAddress {
  readonly link: string;
  readonly address: string;
}

/** Address of another host → the way to it; undefined = there is none. What has not been asked for is absent. */
export type Paths = ReadonlyMap<string, Path | undefined>;

export interface DirectRoutes {
  /** `via`: the other host. */
  readonly routes: readonly (DirectAddress & { readonly via: string })[];
  /** Why containers of this node cannot be reached so; '' = they can, or it is not known yet. */
  readonly fault: string;
}

/** All addresses of other hosts whose paths `directRoutes` looks at. */
export function addressesOfPeers(peers: readonly MeshPeer[]): readonly string[] {
  return [...new Set(peers.flatMap(candidates))];
}

/** `addresses`: of containers on that node, bare. */
export function directRoutes(
  peer: MeshPeer,
  addresses: readonly string[],
  paths: Paths,
): DirectRoutes {
  const at = canonicalAddress(peer.addr);
  if (addresses.length === 0) return { routes: [], fault: '' };
  const who = `node ${peer.hostname || peer.nodeId}`;
  const failed = (why: string): DirectRoutes => ({
    routes: [],
    fault: `host-gw: ${who} ${why}: use another backend for its networks`,
  });
  if (at === '') return failed('has no known address');
  if (!paths.has(at)) return { routes: [], fault: '' };
  const path = paths.get(at);
  if (!path) return failed(`(${at}) cannot be reached from this one`);
  if (path.gateway !== '') return failed(`(${at}) is behind the router ${path.gateway}`);
  // The same Ethernet, so that a bridge that both hosts happen to have of their own is never taken.
  const hop = (isMeant: (address: string) => boolean): string | undefined =>
    candidates(peer).find(
      (one) => isMeant(one) && paths.get(one)?.link === path.link && paths.get(one)?.gateway === '',
    );
  const hop6 = hop((one) => one.includes(':'));
  // Linux takes an IPv6 next hop for IPv4, not the other way round.
  const hop4 = hop((one) => !one.includes(':')) ?? hop6;
  const routes = addresses.flatMap((address) => {
    const via = address.includes(':') ? hop6 : hop4;
    return via === undefined ? [] : [{ link: path.link, address, via }];
  });
  if (routes.length === addresses.length) return { routes, fault: '' };
  const { fault } = failed(`has no IPv6 address on ${path.link}, but its containers have`);
  return { routes, fault };
}

/** The node's own address first, by which the managers know it. */
function candidates({ addr, hostAddrs }: MeshPeer): readonly string[] {
  return [...new Set([addr, ...hostAddrs].map(canonicalAddress))].filter((one) => one !== '');
}
