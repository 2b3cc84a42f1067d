// Where a manager on this node listens and what it tells others: from flags, settings, or found out. The control port and Raft's (one higher) are checked
// to be free here, so that the error names who has them. Refuses addresses that are not of this host, and names of interfaces without an address.
import { connect, isIP, type LookupFunction } from 'node:net';
import type { InitOptions } from '#api/node-control';
import { TswarmError } from '#protocol/errors';
import { reachErrorText } from '#protocol/transport/reach-errors';
import {
  type Address,
  formatAddress,
  ownAddress,
  parseAddress,
  parseRemoteAddress,
} from './addresses.ts';
import type { Config } from './config.ts';
import { CONTROL_PORT, REACH_TIMEOUT_MS } from './limits.ts';
import type { NodeRecord } from './node-file.ts';
import { checkPortFree, freePort, isPortFree } from './ports.ts';

/** The Raft listener is on the next port of both. */
export interface Places {
  readonly listen: Address;
  readonly advertise: Address;
  /** Nobody gave the advertised address: it is that of an interface. */
  readonly isFound: boolean;
}

/** A node's addresses as node.json has them. */
export type RecordedPlaces = Pick<
  NodeRecord,
  'listenAddr' | 'advertiseAddr' | 'advertiseIs' | 'advertiseFlag'
>;

/** Pairs of ports that are tried; of the 28,000 that the kernel gives out few are taken. */
const FREE_PORT_TRIES = 50;

export const LOOPBACK: Address = { host: '127.0.0.1', port: CONTROL_PORT };

/** For `init` and `join`. `towards`: this host's address on the way to the cluster, when it joins one. @throws when an address is wrong. */
export function choosePlaces(
  options: { readonly listenAddr: string; readonly advertiseAddr: string },
  config: Pick<Config, 'listenAddr' | 'advertiseAddr'>,
  towards?: string,
): Places {
  const listen = parseAddress(
    options.listenAddr || config.listenAddr,
    { host: '0.0.0.0', port: CONTROL_PORT },
    'listenAddr',
  );
  const isAny = listen.host === '0.0.0.0' || listen.host === '::';
  const asked = options.advertiseAddr || config.advertiseAddr;
  const advertise =
    asked === ''
      ? { host: isAny ? (towards ?? ownAddress()) : listen.host, port: listen.port }
      : parseAddress(asked, { host: '127.0.0.1', port: listen.port }, 'advertiseAddr');
  if (listen.port >= 65_535) {
    throw new TswarmError('invalid_argument', 'listenAddr: port 65535 leaves none for Raft', {
      field: 'listenAddr',
      hint: 'Raft listens on the next port: choose a lower one.',
    });
  }
  return { listen, advertise, isFound: asked === '' && isAny };
}

/** @throws already_exists, naming who has one of the two ports. */
export async function checkPlacesFree({ listen }: Places): Promise<void> {
  await checkPortFree(listen.host, listen.port);
  await checkPortFree(listen.host, listen.port + 1);
}

/** For the cluster of one node that `tcompose up` makes: loopback, on any free ports when the usual ones are taken. */
export async function embeddedPlaces(): Promise<Places> {
  const { host, port } = LOOPBACK;
  for (
    let found = port, tries = 0;
    tries < FREE_PORT_TRIES;
    found = await freePort(host), tries++
  ) {
    if ((await isPortFree(host, found)) && (await isPortFree(host, found + 1))) {
      const address = { host, port: found };
      return { listen: address, advertise: address, isFound: false };
    }
  }
  throw new TswarmError('resource_exhausted', 'no two free ports beside each other were found', {
    hint: 'Give an address: tswarm init --listen-addr 127.0.0.1:PORT.',
  });
}

/** Only this host reaches the cluster: its one manager listens on loopback. */
export function isHostOnly({ listenAddr, managers, nodeId }: NodeRecord): boolean {
  const listen = parseAddress(listenAddr, LOOPBACK, 'listenAddr');
  return isLoopback(listen) && managers.every((manager) => manager.nodeId === nodeId);
}

export function isLoopback({ host }: Address): boolean {
  return host === '::1' || host === 'localhost' || host.startsWith('127.');
}

/** @throws failed_precondition, naming what only a new cluster takes: the subnets and the port of one that exists are in use. */
export function refuseForOpened(
  options: Pick<InitOptions, 'defaultAddrPool' | 'subnetSize' | 'dataPathPort'>,
): void {
  const fixed = [
    options.defaultAddrPool.length > 0 ? '--default-addr-pool' : '',
    options.subnetSize === 0 ? '' : '--default-addr-pool-mask-length',
    options.dataPathPort === 0 ? '' : '--data-path-port',
  ].filter((flag) => flag !== '');
  if (fixed.length === 0) return;
  throw new TswarmError(
    'failed_precondition',
    `this host has a cluster of its own already: ${fixed.join(', ')} can be chosen for a new one only`,
    { hint: 'Leave the flag out to open that cluster to other hosts, or "tswarm leave --force".' },
  );
}

/** For tests. */
interface ReachOptions {
  /** Finds addresses; the system unless given. */
  readonly lookup?: LookupFunction;
  readonly timeoutMs?: number;
}

/** Connects to a manager's port and closes again. @returns this host's address on that way. @throws unavailable: what is wrong, seen from where. */
export function addressTowards(
  manager: Address,
  { lookup, timeoutMs = REACH_TIMEOUT_MS }: ReachOptions = {},
): Promise<string> {
  const target = formatAddress(manager);
  return new Promise((resolve, reject) => {
    const { host, port } = manager;
    const socket = connect(lookup === undefined ? { host, port } : { host, port, lookup });
    // Silent name servers are told from a silent host.
    let isFound = isIP(manager.host) !== 0;
    socket.on('lookup', (error: Error | null) => {
      isFound = error === null;
    });
    const timer = setTimeout(() => {
      socket.destroy(codeError(isFound ? 'ETIMEDOUT' : 'EAI_AGAIN'));
    }, timeoutMs);
    socket.on('connect', () => {
      clearTimeout(timer);
      resolve((socket.localAddress ?? '').replace(/^::ffff:/, ''));
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(unreachable(target, error.code ?? error.message));
    });
  });
}

function codeError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

const REACH_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Check the address, and that the manager runs (tswarm info on that host).',
  ETIMEDOUT: 'Check the address, and that no firewall drops the port.',
  EHOSTUNREACH: 'Check address, cable and routes.',
  ENETUNREACH: 'Check the address and this host’s routes.',
  ENOTFOUND: 'Check the name, or give an IP address.',
  EAI_AGAIN: 'Check the name and how this host resolves names, or give an IP address.',
};

function unreachable(target: string, code: string): TswarmError {
  const hint = REACH_HINTS[code] ?? 'Check the address.';
  const why =
    code === 'ETIMEDOUT' ? `no answer within ${REACH_TIMEOUT_MS / 1000} s` : reachErrorText(code);
  return new TswarmError(
    'unavailable',
    `manager ${target} cannot be reached from ${hostAddressText()}: ${why}`,
    { field: 'remoteAddrs', hint, retryable: true },
  );
}

/** How this host is known, for a message: its own choice of address, or that there are several. */
function hostAddressText(): string {
  try {
    return `this host (${ownAddress()})`;
  } catch {
    return 'this host';
  }
}

/** As node.json has them. */
export function addressesOf(places: Places, config: Pick<Config, 'advertiseAddr'>): RecordedPlaces {
  return {
    listenAddr: formatAddress(places.listen),
    advertiseAddr: formatAddress(places.advertise),
    advertiseIs: places.isFound ? 'found' : 'given',
    advertiseFlag: config.advertiseAddr,
  };
}

/** The first of the given managers that answers. @throws what was wrong with the last one. */
export async function firstReachable(
  texts: readonly string[],
): Promise<{ readonly address: string; readonly towards: string }> {
  let failure: unknown = new TswarmError('invalid_argument', 'no manager’s address was given', {
    field: 'remoteAddrs',
    hint: 'Use: tswarm join --token TOKEN HOST:PORT.',
  });
  for (const address of texts.map((text) => parseRemoteAddress(text, 'remoteAddrs'))) {
    try {
      return { address: formatAddress(address), towards: await addressTowards(address) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
