// Facts about the host's network, read from /proc and /etc when they are needed: resolvers, routes, who listens on a port.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface HostResolver {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The host's /etc/resolv.conf; without servers the responder answers only our own names. */
export async function readHostResolver(): Promise<HostResolver> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const nameservers: string[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0]) nameservers.push(rest[0].split('%')[0] ?? rest[0]);
    if (word === 'search' || word === 'domain') search = rest;
    if (word === 'options') options.push(...rest);
  }
  return { nameservers, search, options };
}

/** True when some IPv4 route of the host overlaps the subnet (the default route does not count). */
export async function overlapsHostRoute(subnet: string): Promise<boolean> {
  const [base = '', length = '32'] = subnet.split('/');
  const text = await readFile('/proc/net/route', 'utf8').catch(() => '');
  const wanted = ipv4Number(base);
  for (const line of text.split('\n').slice(1)) {
    const [, destination, , , , , , mask] = line.split(/\s+/);
    if (!destination || !mask || mask === '00000000') continue;
    const route = littleEndian(destination);
    const size = Math.max(2 ** (32 - Number(length)), 2 ** 32 - littleEndian(mask));
    if (Math.floor(route / size) === Math.floor(wanted / size)) return true;
  }
  return false;
}

function littleEndian(hexText: string): number {
  return Buffer.from(hexText, 'hex').readUInt32LE(0);
}

export function ipv4Number(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** Whether two CIDR prefixes have an address in common. Prefixes of different families have none. */
export function subnetsMeet(a: string, b: string): boolean {
  const first = prefixOf(a);
  const second = prefixOf(b);
  if (first.bits !== second.bits) return false;
  const shift = BigInt(first.bits - Math.min(first.length, second.length));
  return first.value >> shift === second.value >> shift;
}

export interface Prefix {
  readonly value: bigint;
  readonly length: number;
  /** 32 or 128. */
  readonly bits: number;
}

/** The parts of a CIDR prefix; a bare address has all bits. */
export function prefixOf(subnet: string): Prefix {
  const [address = '', length] = subnet.split('/');
  const bits = address.includes(':') ? 128 : 32;
  return {
    value: addressNumber(address),
    bits,
    length: length === undefined ? bits : Number(length),
  };
}

/** `address/length`, the length one that the family has. */
export function isSubnetText(text: string): boolean {
  const [address = '', length = '', rest] = text.split('/');
  if (rest !== undefined || isIP(address) === 0 || address.includes('%')) return false;
  return /^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= (isIP(address) === 4 ? 32 : 128);
}

/** An address of either family as a number; -1 when it is none. */
export function addressNumber(text: string): bigint {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 0) return -1n;
  return family === 4 ? BigInt(ipv4Number(text)) : ipv6Number(text);
}

export function addressText(value: bigint, isIpv6: boolean): string {
  if (!isIpv6) return ipv4Text(Number(value));
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/** The URL parser knows all spellings and writes one; "::" is left to be filled in. */
function ipv6Number(text: string): bigint {
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: missing }, () => '0'), ...right].reduce(
    (sum, group) => sum * 65_536n + BigInt(`0x${group}`),
    0n,
  );
}

/** With its whole prefix length, spelled as the kernel does. */
export function wholeAddress(address: string): string {
  return `${canonicalAddress(address)}/${address.includes(':') ? 128 : 32}`;
}

/** '' for what is no address. */
export function canonicalAddress(text: string): string {
  // IPv4 has one spelling only, and is by far the most frequent.
  if (isIPv4(text)) return text;
  const value = addressNumber(text);
  return value < 0n ? '' : addressText(value, text.includes(':'));
}

/** Addresses of the host by which others reach it, in the order of its interfaces. Interfaces of ours (by prefix), loopback and link-local do not count. */
export function hostAddresses(ourPrefixes: readonly string[]): readonly string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !ourPrefixes.some((prefix) => name.startsWith(prefix)))
    .flatMap(([, list]) => list ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/.test(address))
    .map(({ address }) => address);
}

/** Who holds a port on this host, or undefined when it is free. */
export type HolderSearch = (
  protocol: 'tcp' | 'udp',
  port: number,
  hostIp: string,
) => Promise<string | undefined>;

const LISTEN = '0A';
const UDP_UNCONNECTED = '07';

/** Who holds a port on this host: "nginx (pid 812)", or undefined when it is free. `hostIp` '' = any address. */
export async function portHolder(
  protocol: 'tcp' | 'udp',
  port: number,
  hostIp: string,
): Promise<string | undefined> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const state = protocol === 'tcp' ? LISTEN : UDP_UNCONNECTED;
  const inodes = new Set<string>();
  for (const file of [protocol, `${protocol}6`]) {
    const text = await readFile(`/proc/net/${file}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = '', localPort = ''] = (fields[1] ?? '').split(':');
      if (localPort !== wanted || fields[3] !== state) continue;
      if (!addressesMeet(address, hostIp)) continue;
      inodes.add(fields[9] ?? '');
    }
  }
  if (inodes.size === 0) return undefined;
  return (await processOf(inodes)) ?? 'another program';
}

/** A listener on one address does not disturb a port published on another one. */
function addressesMeet(listener: string, hostIp: string): boolean {
  if (hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::') return true;
  if (/^0+$/.test(listener)) return true;
  if (listener.length !== 8 || hostIp.includes(':')) return false;
  return littleEndian(listener) === ipv4Number(hostIp);
}

async function processOf(inodes: ReadonlySet<string>): Promise<string | undefined> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [] as string[]);
    for (const fd of fds) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      return `${await programOf(pid)} (pid ${pid})`;
    }
  }
  return undefined;
}

/** The program's name as it was called; a thread's name (`comm`) would often tell nobody anything. */
async function programOf(pid: string): Promise<string> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const [called = ''] = command.split('\0');
  const name = called.split('/').at(-1)?.split(' ')[0];
  return name || (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
}
