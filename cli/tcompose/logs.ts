// Logs of a project's containers, merged by the server, each line with its container's name in front.
import type { LogLine } from '#api/cluster/types';
import { colourPrefix, styleFor } from '../output/style.ts';
import { tailCount, timeOf } from '../output/times.ts';
import { hasNumber } from './containers.ts';
import type { ComposeContext } from './context.ts';

export interface ShowLogs {
  readonly stack: string;
  /** Keys of services; empty = all. */
  readonly services: readonly string[];
  readonly follow: boolean;
  /** Number of lines, or "all". */
  readonly tail: string;
  readonly prefix: boolean;
  readonly timestamps: boolean;
  readonly since?: string;
  readonly until?: string;
  /** Number of the container whose lines are shown. */
  readonly index?: string;
  readonly signal?: AbortSignal;
}

/** Prints until the stream ends or the signal comes. */
export async function showLogs(context: ComposeContext, options: ShowLogs): Promise<void> {
  const style = styleFor(process.stdout, process.env);
  const colours = new Map<string, number>();
  // `web-1` of the services that were named; others widen it when they come.
  let width = Math.max(0, ...options.services.map((key) => key.length + 2));
  const query = new URLSearchParams();
  for (const service of options.services) query.append('service', service);
  query.set('follow', String(options.follow));
  query.set('tail', tailCount(options.tail));
  if (options.since) query.set('since', timeOf('--since', options.since, Date.now()));
  if (options.until) query.set('until', timeOf('--until', options.until, Date.now()));
  const path = `/tswarm/v1/stacks/${encodeURIComponent(options.stack)}/logs?${query}`;
  const call = options.signal ? { signal: options.signal } : {};
  for await (const raw of context.client.lines('GET', path, call)) {
    const entry = raw as unknown as LogLine;
    const name = shortName(entry, options.stack);
    if (options.index !== undefined && !hasNumber(name, options.index)) continue;
    if (!colours.has(name)) colours.set(name, colours.size);
    width = Math.max(width, name.length);
    const prefix = options.prefix
      ? `${colourPrefix(`${name.padEnd(width)} |`, colours.get(name) ?? 0, style)} `
      : '';
    const time = options.timestamps ? `${entry.time} ` : '';
    const out = entry.stream === 'stderr' ? process.stderr : process.stdout;
    if (!out.write(`${prefix}${time}${entry.line}\n`))
      await new Promise((resolve) => out.once('drain', resolve));
  }
}

/** `web-1`: the container's name less the project's. */
function shortName(entry: LogLine, stack: string): string {
  const name = entry.containerName.replace(/^\//, '');
  return name.startsWith(`${stack}-`) ? name.slice(stack.length + 1) : name;
}
