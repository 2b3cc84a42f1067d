// Finds the handler of a request. Patterns: `/containers/{id}/json`, greedy names with slashes `/images/{name:*}/json`.
// Fixed segments win over names, earlier routes over later ones. An unknown path and a wrong method are the same to the Engine API:
// 404 page not found. Refuses to know anything about what it routes to.

export interface Match<Handler> {
  readonly handler: Handler;
  /** `METHOD pattern`, as it was added. */
  readonly route: string;
  readonly params: Readonly<Record<string, string>>;
}

interface Route<Handler> {
  readonly handler: Handler;
  readonly route: string;
  readonly expression: RegExp;
  readonly names: readonly string[];
  /** Number of characters that are fixed: the more, the earlier it is tried. */
  readonly fixed: number;
}

export class Router<Handler> {
  /** `METHOD first-segment` → routes, the most specific first. */
  readonly #routes = new Map<string, Route<Handler>[]>();

  add(method: string, pattern: string, handler: Handler): void {
    const key = `${method} ${firstSegment(pattern)}`;
    const list = this.#routes.get(key) ?? [];
    list.push(compile(method, pattern, handler));
    list.sort((a, b) => b.fixed - a.fixed);
    this.#routes.set(key, list);
  }

  /** @returns undefined when nothing matches. A malformed percent escape matches nothing. */
  find(method: string, path: string): Match<Handler> | undefined {
    for (const route of this.#routes.get(`${method} ${firstSegment(path)}`) ?? []) {
      const found = route.expression.exec(path);
      if (!found) continue;
      const params: Record<string, string> = {};
      try {
        route.names.forEach((name, i) => {
          params[name] = decodeURIComponent(found[i + 1] ?? '');
        });
      } catch {
        return undefined;
      }
      return { handler: route.handler, route: route.route, params };
    }
    return undefined;
  }
}

function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path : path.slice(0, end);
}

function compile<Handler>(method: string, pattern: string, handler: Handler): Route<Handler> {
  const names: string[] = [];
  let fixed = 0;
  const parts = pattern.split(/(\{[^}]+\})/).map((part) => {
    const name = /^\{(\w+)(:\*)?\}$/.exec(part);
    if (!name) {
      fixed += part.length;
      return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }
    names.push(name[1] ?? '');
    return name[2] ? '(.+)' : '([^/]+)';
  });
  return {
    handler,
    route: `${method} ${pattern}`,
    names,
    fixed,
    expression: new RegExp(`^${parts.join('')}/?$`),
  };
}
