// A subnet for a network that asks for none, out of the cluster's pools. Pure.
import type { ReadView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import { IpamConfig } from '#protocol/generated/specs';
import { type Cidr, formatAddress, formatCidr, parseCidr, sizeOf } from './cidr.ts';

const DEFAULT_POOL = '10.0.0.0/8';
const DEFAULT_SUBNET_LENGTH = 24;

/** @throws TswarmError resource_exhausted when all are taken. */
export function freeSubnet(
  cluster: ReturnType<ReadView['cluster']>,
  networkName: string,
  isTaken: (subnet: Cidr) => boolean,
): IpamConfig {
  const pools = cluster.defaultAddrPool.length > 0 ? cluster.defaultAddrPool : [DEFAULT_POOL];
  const length = cluster.subnetSize > 0 ? cluster.subnetSize : DEFAULT_SUBNET_LENGTH;
  for (const text of pools) {
    const pool = parseCidr(text, 'DefaultAddrPool');
    const step = 1n << BigInt(32 - length);
    // The pool's first subnet stays free: hosts and people like to use it (10.0.0.0/24).
    for (let base = pool.base + step; base + step <= pool.base + sizeOf(pool); base += step) {
      const candidate: Cidr = { family: 4, base, length };
      if (isTaken(candidate)) continue;
      return IpamConfig.create({
        subnet: formatCidr(candidate),
        gateway: formatAddress(base + 1n, 4),
      });
    }
  }
  throw new TswarmError(
    'resource_exhausted',
    `network ${networkName}: no free /${length} subnet left in ${pools.join(', ')}`,
    { hint: 'Remove unused networks or give the network a subnet of its own.' },
  );
}
