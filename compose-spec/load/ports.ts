// Short-form ports, `[IP:][HOST[-HOST]:]CONTAINER[-CONTAINER][/PROTOCOL]` (compose.md §2.7). Equal
// ranges expand to one entry per port; a host range for one container port stays a range, from
// which any free port is taken. Messages after go-connections/nat.

/** One port of a short form. */
export interface ShortPort {
  readonly hostIp?: string;
  readonly published?: string;
  readonly target: number;
  readonly protocol: string;
}

export type ShortPortsResult =
  | { readonly ok: true; readonly ports: readonly ShortPort[] }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/** Takes a short-form port apart. */
export function parseShortPorts(spec: string): ShortPortsResult {
  const slash = spec.indexOf('/');
  const address = slash === -1 ? spec : spec.slice(0, slash);
  const protocol = slash === -1 ? 'tcp' : spec.slice(slash + 1).toLowerCase();
  const parts = address.split(':');
  const container = parts.at(-1) ?? '';
  const host = parts.at(-2) ?? '';
  const ip = parts
    .slice(0, -2)
    .join(':')
    .replace(/^\[(.*)\]$/, '$1');
  if (ip !== '' && !isIpAddress(ip)) return { ok: false, message: `invalid IP address: ${ip}` };
  if (container === '') return { ok: false, message: `no port specified: ${spec}<empty>` };
  const target = parseRange(container);
  if (target === undefined) {
    return { ok: false, message: `invalid containerPort: ${container}`, hint: PORT_HINT };
  }
  const published = host === '' ? undefined : parseRange(host);
  if (host !== '' && published === undefined) {
    return { ok: false, message: `invalid hostPort: ${host}`, hint: PORT_HINT };
  }
  const count = target.end - target.start;
  if (published !== undefined && published.end - published.start !== count && count !== 0) {
    return {
      ok: false,
      message: `invalid ranges specified for container and host Ports: ${container} and ${host}`,
      hint: 'both ranges must have the same length',
    };
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) {
    return { ok: false, message: `invalid proto: ${protocol}`, hint: 'use tcp, udp or sctp' };
  }
  return { ok: true, ports: expand({ ip, target, published, protocol }) };
}

const PORT_HINT = 'a port is a number from 1 to 65535';

interface Range {
  readonly start: number;
  readonly end: number;
}

function expand(spec: {
  ip: string;
  target: Range;
  published: Range | undefined;
  protocol: string;
}): ShortPort[] {
  const { ip, target, published, protocol } = spec;
  const ports: ShortPort[] = [];
  for (let i = 0; i <= target.end - target.start; i += 1) {
    let host: string | undefined;
    if (published !== undefined) {
      host = String(published.start + i);
      if (target.start === target.end && published.start !== published.end) {
        host += `-${published.end}`;
      }
    }
    ports.push({
      ...(ip === '' ? {} : { hostIp: ip }),
      ...(host === undefined ? {} : { published: host }),
      target: target.start + i,
      protocol,
    });
  }
  // compose-go lists the ports of a range in the order of their texts.
  return ports.sort((a, b) => (String(a.target) < String(b.target) ? -1 : 1));
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = match[2] === undefined ? start : Number(match[2]);
  return end > 65_535 || start > end ? undefined : { start, end };
}

/** Whether `text` is an IPv4 or IPv6 address, without zone or prefix length. */
export function isIpAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return (
    parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  );
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':');
    for (const [i, part] of parts.entries()) {
      const isLast = index === halves.length - 1 && i === parts.length - 1;
      if (isLast && part.includes('.')) {
        if (!isIpv4(part)) return false;
        groups += 2;
      } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}
