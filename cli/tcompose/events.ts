// tcompose events: what happens to the project's containers, a line each, or JSON. One-off containers and everything that is no container are left out,
// as docker compose does.
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { timeOf } from '../output/times.ts';
import type { ComposeContext } from './context.ts';
import { projectName } from './known-project.ts';

export interface EventsOptions {
  readonly json?: boolean;
  readonly since?: string;
  readonly until?: string;
}

const COMPOSE_LABELS = 'com.docker.compose.';

export async function events(
  context: ComposeContext,
  keys: readonly string[],
  options: EventsOptions,
): Promise<number> {
  const project = await projectName(context, keys);
  const now = Date.now();
  const filters = JSON.stringify({
    type: ['container'],
    label: [`${COMPOSE_LABELS}project=${project}`],
  });
  const query = {
    filters,
    since: options.since === undefined ? undefined : timeOf('--since', options.since, now),
    until: options.until === undefined ? undefined : timeOf('--until', options.until, now),
  };
  for await (const event of context.client.lines('GET', '/events', { query })) {
    const shown = eventOf(event);
    if (!shown || (keys.length > 0 && !keys.includes(shown.service))) continue;
    process.stdout.write(`${options.json ? JSON.stringify(shown) : lineOf(shown)}\n`);
  }
  if (options.until === undefined)
    throw new TswarmError('unavailable', 'the stream of events ended');
  return EXIT.ok;
}

interface ShownEvent {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly type: 'container';
  readonly service: string;
  readonly id: string;
  readonly action: string;
  readonly attributes: Readonly<Record<string, string>>;
}

function eventOf(event: Json): ShownEvent | undefined {
  const actor = (event.Actor ?? {}) as Json;
  const all = (actor.Attributes ?? {}) as Readonly<Record<string, string>>;
  if (all[`${COMPOSE_LABELS}oneoff`] === 'True') return undefined;
  const kept = Object.entries(all).filter(([name]) => !name.startsWith(COMPOSE_LABELS));
  const seconds = Number(event.time ?? 0);
  const nanos = String(event.timeNano ?? '')
    .slice(-9)
    .padStart(9, '0');
  return {
    time: `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${nanos}Z`,
    type: 'container',
    service: all[`${COMPOSE_LABELS}service`] ?? '',
    id: String(actor.ID ?? ''),
    action: String(event.Action ?? ''),
    attributes: Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function lineOf(event: ShownEvent): string {
  const time = event.time.slice(0, 26).replace('T', ' ');
  const attributes = Object.entries(event.attributes).map(([name, value]) => `${name}=${value}`);
  return `${time} container ${event.action} ${event.id} (${attributes.join(', ')})`;
}
