// Where a manager on this node is reached now, when that may have changed since it was written down: the host has got another address (DHCP, another network), or
// the daemon was started with another `--advertise-addr`. An address that a person gave for this cluster stays: it may be that of a translation in front.
import { networkInterfaces } from 'node:os';
import { type Address, formatAddress, ownAddress, parseAddress } from './addresses.ts';
import { LOOPBACK, type RecordedPlaces } from './places.ts';

/** The addresses of this host. */
export interface Interfaces {
  has(host: string): boolean;
  /** The one to advertise. @throws when there are several to choose from */
  own(): string;
}

export const ownInterfaces: Interfaces = {
  has: (host) =>
    Object.values(networkInterfaces()).some((list) => list?.some((a) => a.address === host)),
  own: ownAddress,
};

/** What is to be written down instead; undefined = nothing. `flag`: the daemon's setting, '' = none. */
export function advertisedNow(
  record: RecordedPlaces,
  flag: string,
  interfaces: Interfaces,
): Omit<RecordedPlaces, 'listenAddr'> | undefined {
  const before = parseAddress(record.advertiseAddr, LOOPBACK, 'advertiseAddr');
  const isNewFlag = record.advertiseFlag !== null && record.advertiseFlag !== flag;
  if (isNewFlag && flag !== '') {
    const { port } = parseAddress(record.listenAddr, LOOPBACK, 'listenAddr');
    const given = parseAddress(flag, { host: before.host, port }, 'advertiseAddr');
    return moved(given, 'given', flag);
  }
  const isFound = isNewFlag || record.advertiseIs === 'found';
  if (!isFound || (!isNewFlag && interfaces.has(before.host))) return undefined;
  const host = hostNow(interfaces);
  if (host === undefined || host === before.host) return undefined;
  return moved({ ...before, host }, 'found', flag);
}

function moved(
  address: Address,
  advertiseIs: RecordedPlaces['advertiseIs'],
  advertiseFlag: string,
): Omit<RecordedPlaces, 'listenAddr'> {
  return { advertiseAddr: formatAddress(address), advertiseIs, advertiseFlag };
}

/** Undefined while there is none that others could use, or no single one: then the old one is as good as any. */
function hostNow(interfaces: Interfaces): string | undefined {
  try {
    const host = interfaces.own();
    return host.startsWith('127.') ? undefined : host;
  } catch {
    return undefined;
  }
}
