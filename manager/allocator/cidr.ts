// IPv4 and IPv6 prefixes as numbers: parsing, formatting, overlap. Addresses are BigInt inside, text outside.
import { TswarmError } from '#protocol/errors';

export interface Cidr {
  readonly family: 4 | 6;
  /** First address of the prefix. */
  readonly base: bigint;
  readonly length: number;
}

/** Number of addresses. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt((cidr.family === 4 ? 32 : 128) - cidr.length);
}

/** Parses "10.0.0.0/8" or "fd00::/64". Host bits must be zero. @throws TswarmError invalid_argument naming `field`. */
export function parseCidr(text: string, field: string): Cidr {
  const [address = '', lengthText = ''] = text.split('/');
  const family = address.includes(':') ? 6 : 4;
  const base = parseAddress(address);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : Number.NaN;
  if (base === undefined || !(length >= 0 && length <= (family === 4 ? 32 : 128))) {
    throw new TswarmError('invalid_argument', `${field}: invalid CIDR address: ${text}`, { field });
  }
  const cidr = { family, base, length } as const;
  const masked = base - (base % sizeOf(cidr));
  if (masked !== base) {
    throw new TswarmError(
      'invalid_argument',
      `${field}: ${text} has host bits set; write ${formatCidr({ ...cidr, base: masked })}`,
      { field },
    );
  }
  return cidr;
}

/** Number of an address, `undefined` when the text is not one. */
export function parseAddress(text: string): bigint | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256n + BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const left = groups(halves[0] ?? '');
  const right = halves.length === 2 ? groups(halves[1] ?? '') : [];
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array.from({ length: missing }, () => '0'), ...right];
  let value = 0n;
  for (const group of all) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    value = value * 65536n + BigInt(`0x${group}`);
  }
  return value;
}

/** Text of an address; IPv6 with the longest run of zeros shortened (RFC 5952). */
export function formatAddress(value: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    Number((value >> BigInt(112 - 16 * i)) & 0xffffn),
  );
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const text = (part: number[]): string => part.map((g) => g.toString(16)).join(':');
  if (bestStart < 0) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestLength))}`;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.base, cidr.family)}/${cidr.length}`;
}

export function contains(cidr: Cidr, address: bigint): boolean {
  return address >= cidr.base && address < cidr.base + sizeOf(cidr);
}

/** What an address is for when no container can have it, whatever the network. */
export function meaningOf(subnet: Cidr, address: bigint): string | undefined {
  if (address === subnet.base) return 'the network address';
  const isLast = address === subnet.base + sizeOf(subnet) - 1n;
  return isLast && subnet.family === 4 ? 'the broadcast address' : undefined;
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a);
}
