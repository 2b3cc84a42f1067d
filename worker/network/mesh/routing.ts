// What the kernel's routing is told for the mesh: items of tswarm-net's `routing`, the key by which each is known again, and the collections that a plan
// makes of them. Equal keys are the same object in the kernel. Pure.
import { canonicalAddress } from '../host.ts';
import type { MeshInspection } from '../net-helper.ts';
import {
  MARK_MASK,
  MESH_PREFIX,
  markOf,
  type meshIdentity,
  RULE_END,
  RULE_MESH,
  RULE_ORIGIN,
  RULE_UNMARKED,
  tableOf,
} from './addresses.ts';

const TABLE_MAIN = 254;

/** One item of tswarm-net's `routing`; see native/PROTOCOL.md. */
export type RoutingItem =
  | {
      readonly kind: 'route';
      readonly to: string;
      readonly link: string;
      readonly table: number;
      readonly via?: string;
      /** Through an interface that is not ours. */
      readonly direct?: boolean;
    }
  | {
      readonly kind: 'neighbour';
      readonly link: string;
      readonly mac: string;
      readonly address: string;
    }
  | { readonly kind: 'fdb'; readonly link: string; readonly mac: string; readonly to: string }
  | {
      readonly kind: 'rule';
      readonly family: 4 | 6;
      readonly priority: number;
      readonly mark?: number;
      readonly mask?: number;
      readonly to?: string;
      readonly table?: number;
      readonly goto?: number;
    };

/** Collects the items of a plan. */
export class Routing {
  readonly items: Map<string, RoutingItem> = new Map();

  route(
    to: string,
    link: string,
    more: { readonly via?: string; readonly table?: number; readonly direct?: boolean } = {},
  ): void {
    const item = { kind: 'route' as const, to, link, table: TABLE_MAIN, ...more };
    this.items.set(routeKey(item), item);
  }

  nextHop(link: string, { linkLocal, mac, address }: ReturnType<typeof meshIdentity>): void {
    const hop = canonicalAddress(linkLocal);
    this.items.set(`neighbour ${link} ${hop}`, { kind: 'neighbour', link, mac, address: hop });
    this.items.set(`fdb ${link} ${mac} ${address}`, {
      kind: 'fdb',
      link,
      mac,
      to: canonicalAddress(address),
    });
  }

  /** Answers to clients that came through that node go back through it. */
  wayBack(link: string, via: string, number: number): void {
    const table = tableOf(number);
    for (const [family, to] of [
      [4, '0.0.0.0/0'],
      [6, '::/0'],
    ] as const) {
      this.route(to, link, { via, table });
      this.rule({ family, priority: RULE_ORIGIN, mark: markOf(number), mask: MARK_MASK, table });
    }
  }

  commonRules(): void {
    // First, or the tunnel's own packets, which keep the mark of what they carry, would go round in circles.
    this.rule({ family: 6, priority: RULE_MESH, to: MESH_PREFIX, table: TABLE_MAIN });
    for (const family of [4, 6] as const) {
      // What has no mark of ours, nearly all, does not look at the rules of each node.
      this.rule({ family, priority: RULE_END });
      this.rule({ family, priority: RULE_UNMARKED, mark: 0, mask: MARK_MASK, goto: RULE_END });
    }
  }

  rule(rule: Omit<Extract<RoutingItem, { kind: 'rule' }>, 'kind'>): void {
    const item = { kind: 'rule' as const, ...rule };
    this.items.set(ruleKey(item), item);
  }
}

export function routeKey(route: {
  readonly to: string;
  readonly link: string;
  readonly table: number;
  readonly via?: string;
}): string {
  const via = route.via === undefined ? '' : canonicalAddress(route.via);
  return `route ${route.table} ${route.to} ${route.link} ${via}`;
}

export function ruleKey(rule: {
  readonly family: number;
  readonly priority: number;
  readonly mark?: number;
  readonly to?: string;
  readonly table?: number;
  readonly goto?: number;
}): string {
  const { family, priority, mark = 0, to = '', table = 0, goto = 0 } = rule;
  return `rule ${family} ${priority} ${mark} ${to} ${table} ${goto}`;
}

/** What there is, in the words of a plan. Next hops are always told again: telling twice is no error. */
export function itemsOf(actual: MeshInspection): ReadonlyMap<string, RoutingItem> {
  const items = new Map<string, RoutingItem>();
  for (const { to, length, link, table, via, direct } of actual.routes) {
    const item = {
      kind: 'route' as const,
      to: `${to}/${length}`,
      link,
      table,
      ...(via === undefined ? {} : { via }),
      ...(direct ? { direct } : {}),
    };
    items.set(routeKey(item), item);
  }
  for (const { family, priority, mark, mask, table, goto, to, length } of actual.rules) {
    const item = {
      kind: 'rule' as const,
      family,
      priority,
      ...(mask === 0 ? {} : { mark, mask }),
      ...(table === 0 ? {} : { table }),
      ...(goto === 0 ? {} : { goto }),
      ...(to === undefined ? {} : { to: `${to}/${length}` }),
    };
    items.set(ruleKey(item), item);
  }
  return items;
}

/** What is left when an interface has gone with its routes. */
export function withoutLink(
  items: ReadonlyMap<string, RoutingItem>,
  link: string,
): ReadonlyMap<string, RoutingItem> {
  return new Map([...items].filter(([, item]) => !('link' in item) || item.link !== link));
}
