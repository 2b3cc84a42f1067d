// One port of the cluster belongs to one service of a project: what two of them publish is refused here, with both names, before anything is deployed. A range
// of which one port is taken must not hold a port that another service asks for by its number; of two ranges each finds one that the other has not. What other
// projects publish only the manager knows.
import type { Project } from '../load/project.ts';
import { portRange } from './endpoints.ts';
import type { Problems } from './problems.ts';

interface Published {
  readonly key: string;
  readonly first: number;
  readonly last: number;
  readonly protocol: string;
  readonly ip: string;
}

/** Refuses ports that two services publish. */
export function checkPublishedPorts(project: Project, problems: Problems): void {
  const single = new Map<string, Published[]>();
  const ranges: Published[] = [];
  for (const [key, service] of Object.entries(project.services)) {
    for (const [i, port] of (service.ports ?? []).entries()) {
      const { published = '', protocol = 'tcp', host_ip: ip = '' } = port;
      const range = portRange(published);
      if (range === undefined || range.first === 0) continue;
      const own = { ...range, key, protocol, ip };
      const other = takerOf(own, single, ranges);
      if (other !== undefined) {
        const owner = other.key === key ? 'this service' : `service ${other.key}`;
        const message = `port ${published}/${protocol} is published by ${owner} already`;
        problems.error(`services.${key}.ports.${i}`, message, 'publish another port', 'conflict');
      }
      if (own.first !== own.last) ranges.push(own);
      else single.set(place(own), [...(single.get(place(own)) ?? []), own]);
    }
  }
}

function place({ first, protocol }: Published): string {
  return `${first}/${protocol}`;
}

function takerOf(
  own: Published,
  single: ReadonlyMap<string, readonly Published[]>,
  ranges: readonly Published[],
): Published | undefined {
  if (own.first !== own.last) {
    for (const others of single.values()) {
      const other = others.find((it) => meet(it, own));
      if (other !== undefined) return other;
    }
    return undefined;
  }
  return single.get(place(own))?.find((it) => meet(it, own)) ?? ranges.find((it) => meet(it, own));
}

function meet(a: Published, b: Published): boolean {
  if (a.protocol !== b.protocol || a.last < b.first || b.last < a.first) return false;
  return a.ip === b.ip || isAnyAddress(a.ip) || isAnyAddress(b.ip);
}

function isAnyAddress(ip: string): boolean {
  return ip === '' || ip === '0.0.0.0' || ip === '::';
}
