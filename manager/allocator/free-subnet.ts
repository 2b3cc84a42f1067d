// A subnet for a network that asks for none, out of the cluster's pools. Pure.
import type { ReadView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import { IpamConfig } from '#protocol/generated/specs';
import { type Cidr, formatAddress, formatCidr, parseCidr, sizeOf } from './cidr.ts';

const DEFAULT_POOL = '10.0.0.0/8';
const DEFAULT_SUBNET_LENGTH = 24;

/**
 * The lowest one that meets none of `taken`. One look at these in order of their addresses.
 * @throws TswarmError resource_exhausted when all are taken.
 */
export function freeSubnet(
  cluster: ReturnType<ReadView['cluster']>,
  networkName: string,
  taken: Iterable<Cidr>,
): IpamConfig {
  const pools = cluster.defaultAddrPool.length > 0 ? cluster.defaultAddrPool : [DEFAULT_POOL];
  const length = cluster.subnetSize > 0 ? cluster.subnetSize : DEFAULT_SUBNET_LENGTH;
  const inOrder = [...taken].filter(({ family }) => family === 4).sort(byBase);
  for (const text of pools) {
    const base = lowestFree(parseCidr(text, 'DefaultAddrPool'), length, inOrder);
    if (base === undefined) continue;
    return IpamConfig.create({
      subnet: formatCidr({ family: 4, base, length }),
      gateway: formatAddress(base + 1n, 4),
    });
  }
  throw new TswarmError(
    'resource_exhausted',
    `network ${networkName}: no free /${length} subnet left in ${pools.join(', ')}`,
    { hint: 'Remove unused networks or give the network a subnet of its own.' },
  );
}

/** Two subnets either share nothing or one is inside the other, so those that end before `base` are done with. */
function lowestFree(pool: Cidr, length: number, inOrder: readonly Cidr[]): bigint | undefined {
  const step = 1n << BigInt(32 - length);
  const poolEnd = pool.base + sizeOf(pool);
  // The pool's first subnet stays free: hosts and people like to use it (10.0.0.0/24).
  let base = pool.base + step;
  for (const other of inOrder) {
    const otherEnd = other.base + sizeOf(other);
    if (otherEnd <= base) continue;
    if (other.base >= base + step) break;
    base = otherEnd > base + step ? otherEnd : base + step;
  }
  return base + step <= poolEnd ? base : undefined;
}

function byBase(a: Cidr, b: Cidr): number {
  if (a.base !== b.base) return a.base < b.base ? -1 : 1;
  return a.length - b.length;
}
