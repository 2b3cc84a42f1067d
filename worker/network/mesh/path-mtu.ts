// How large packets between nodes may be, as the host's own routes say: the least of the ways to the other nodes, so that one value does for all of
// them. Refuses to send anything: what a router on the way takes is learnt by the kernel.
import type { MeshPeer } from '#protocol/generated/dispatcher';
import { canonicalAddress } from '../host.ts';
import { MTU_BYTES_DEFAULT } from '../limits.ts';
import type { NetHelper } from '../net-helper.ts';

/** Addresses that nobody has (RFC 5737, 3849): whatever leads to them is the default route. */
const DEFAULT_ROUTE_PROBES = ['192.0.2.1', '2001:db8::1'];

/** In bytes. Without known addresses of peers, that of the default route. */
export async function leastMtuBytes(
  helper: Pick<NetHelper, 'paths'>,
  peers: readonly MeshPeer[],
): Promise<number> {
  const known = peers.map((peer) => canonicalAddress(peer.addr)).filter((to) => to !== '');
  const paths = await helper.paths(known.length > 0 ? known : DEFAULT_ROUTE_PROBES);
  const found = paths.flatMap((path) => (path ? [path.mtuBytes] : []));
  return found.length > 0 ? Math.min(...found) : MTU_BYTES_DEFAULT;
}
