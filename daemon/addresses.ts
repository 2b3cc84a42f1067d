// Addresses for `init`: reads `host:port`, `host`, `:port`, an interface's name, and finds the address that other hosts reach this one at.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TswarmError } from '#protocol/errors';
import { CONTROL_PORT } from './limits.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The address of another host: `host:port` or `host`, where host is an IP address or a name. @throws invalid_argument. */
export function parseRemoteAddress(text: string, field: string): Address {
  if (isIP(text) === 6) return { host: text, port: CONTROL_PORT };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = match?.[3] === undefined ? CONTROL_PORT : Number(match[3]);
  if (host === '' || port < 1 || port > 65_535) throw bad(field, text);
  return { host, port };
}

/** `text` with defaults for the parts it lacks. @throws invalid_argument naming the field. */
export function parseAddress(text: string, fallback: Address, field: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  // A bare IPv6 address has colons of its own.
  if (isIP(text) === 6) return { host: text, port: fallback.port };
  if (!match) throw bad(field, text);
  const [, bracketed, plain, port] = match;
  const host = bracketed ?? plain ?? '';
  const number = port === undefined ? fallback.port : Number(port);
  if (number < 1 || number > 65535) throw bad(field, text);
  return { host: host === '' ? fallback.host : addressOf(host, field), port: number };
}

function bad(field: string, text: string): TswarmError {
  return new TswarmError(
    'invalid_argument',
    `${field}: ${JSON.stringify(text)} is not an address`,
    {
      field,
      hint: `Use host:port, for example 192.0.2.10:${CONTROL_PORT}.`,
    },
  );
}

/** Fields as Docker's clients know them. */
const WORDS: Readonly<Record<string, string>> = {
  advertiseAddr: 'advertise address',
  listenAddr: 'listen address',
};

/** An address as it is, an interface's first address for its name. */
function addressOf(host: string, field: string): string {
  if (isIP(host) !== 0) return host;
  const addresses = networkInterfaces()[host];
  if (!addresses) {
    throw new TswarmError(
      'invalid_argument',
      `${WORDS[field] ?? field} must be a non-zero IP address or network interface (with optional port number)`,
      { field, hint: `This host has no interface ${JSON.stringify(host)}.` },
    );
  }
  const chosen = addresses.find((a) => a.family === 'IPv4') ?? addresses[0];
  if (!chosen) {
    throw new TswarmError('invalid_argument', `${field}: interface ${host} has no address`, {
      field,
    });
  }
  return chosen.address;
}

/**
 * The address to advertise when none was given: that of the interface with the default route, else the only one there is, else loopback.
 * @throws failed_precondition when there are several to choose from.
 */
export function ownAddress(): string {
  const all = networkInterfaces();
  const route = defaultRouteInterface();
  const ofRoute = all[route ?? '']?.find((a) => a.family === 'IPv4');
  if (ofRoute) return ofRoute.address;
  const candidates = Object.values(all)
    .flatMap((list) => list ?? [])
    .filter((a) => a.family === 'IPv4' && !a.internal && !a.address.startsWith('169.254.'));
  const [first, second] = candidates;
  if (first && second) {
    throw new TswarmError(
      'failed_precondition',
      `could not choose an address to advertise: this host has ${candidates.map((c) => c.address).join(', ')}`,
      { field: 'advertiseAddr', hint: 'Specify one with --advertise-addr.' },
    );
  }
  return first?.address ?? '127.0.0.1';
}

function defaultRouteInterface(): string | undefined {
  let text = '';
  try {
    text = readFileSync('/proc/net/route', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n').slice(1)) {
    const [name, destination, , , , , , mask] = line.split('\t');
    if (destination === '00000000' && mask === '00000000') return name;
  }
  return undefined;
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress(address: Address): string {
  return isIP(address.host) === 6
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}
