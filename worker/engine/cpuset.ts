// Processors and memory nodes that a container asks for: lists as the kernel writes them (`0-3,8`), checked against what is online before anything is made,
// and refused in Docker's words. What a control group of the host forbids besides is the kernel's to refuse.
import { readFileSync } from 'node:fs';

const KINDS = {
  cpus: { what: 'CPUs', online: '/sys/devices/system/cpu/online' },
  mems: { what: 'memory nodes', online: '/sys/devices/system/node/online' },
} as const;

/** What is online on this host. A kernel without memory nodes has one. */
export function onlineList(kind: keyof typeof KINDS): string {
  try {
    return readFileSync(KINDS[kind].online, 'utf8').trim();
  } catch {
    return '0';
  }
}

/** Why `asked` cannot be had where `available` is online; undefined: it can. */
export function cpusetRefusal(
  kind: keyof typeof KINDS,
  asked: string,
  available: string,
): string | undefined {
  const wanted = rangesOf(asked);
  if (!wanted) return `Invalid value ${asked} for cpuset ${kind}: invalid format: ${asked}`;
  const there = rangesOf(available) ?? [];
  const isThere = ({ first, last }: Range): boolean =>
    there.some((range) => range.first <= first && last <= range.last);
  if (wanted.every(isThere)) return undefined;
  return `Requested ${KINDS[kind].what} are not available - requested ${asked}, available: ${available}`;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Undefined when it is no list. */
function rangesOf(text: string): readonly Range[] | undefined {
  const ranges: Range[] = [];
  for (const part of text.split(',')) {
    const [, from = '', to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const range = { first: Number(from), last: Number(to) };
    if (from === '' || range.last < range.first) return undefined;
    ranges.push(range);
  }
  return ranges;
}
