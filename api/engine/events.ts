// GET /events: the node's own events (from the worker) and the cluster's (from the cache) as one stream of JSON objects; on cluster.sock those of the other nodes as well (other-events.ts).
// Headers go out at once. A reader that falls too far behind is disconnected rather than kept in memory.
import type { EngineFilters, EngineJson } from '#protocol/engine';
import { checkFilters } from '#protocol/engine-filters';
import type { Context, Route } from '../context.ts';
import { parseFilters } from '../http/filters.ts';
import { BoundedQueue } from '../http/json-stream.ts';
import { rawValue } from '../http/raw-json.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { EVENTS_BACKLOG_MAX } from '../limits.ts';
import { nameMissingNodes } from '../reach/missing-nodes.ts';
import { timeParam } from './container-streams.ts';
import { OtherEvents } from './other-events.ts';

export function eventRoutes(context: Context): readonly Route[] {
  return [{ method: 'GET', pattern: '/events', handler: (q, r) => events(context, q, r) }];
}

async function events(context: Context, request: ApiRequest, reply: Reply): Promise<void> {
  const filters = parseFilters(request.query.raw('filters'));
  checkFilters(filters, FILTERS);
  const sinceMicros = timeParam(request, 'since');
  const untilMicros = timeParam(request, 'until');
  const queue = new BoundedQueue<EngineJson>(EVENTS_BACKLOG_MAX, 'events');
  const merged = new PastFirst(queue);
  const span = { sinceMicros, untilMicros, filters };
  const isWhole = request.scope === 'cluster' && mayBeLocal(filters);
  const others = isWhole
    ? new OtherEvents(context, span, (event) => merged.push(event))
    : undefined;
  nameMissingNodes(reply, others?.missing() ?? []);
  const stream = reply.stream(200, 'application/json');
  const ending = endingAt(context, untilMicros, request.signal, queue);
  const isPastWanted = sinceMicros > 0 || untilMicros > 0;
  const past = isPastWanted ? context.clusterEvents.since(sinceMicros) : [];
  for (const event of past) {
    if (untilMicros === 0 || event.micros <= untilMicros) merged.push(event.json);
  }
  const unsubscribe = context.clusterEvents.subscribe((event) => merged.push(event.json));
  const nowMicros = Math.floor(context.clock.nowMs() * 1000);
  const isOver = untilMicros > 0 && untilMicros <= nowMicros;
  const asked = isPastWanted
    ? others?.past(isOver ? untilMicros : nowMicros, ending.signal)
    : undefined;
  if (!isOver) others?.follow(ending.signal);
  const local = copyLocal(context, span, ending.signal, merged, asked);
  // What this node remembers comes without waiting for anything: by now it is all there.
  setImmediate(() => void (asked ?? Promise.resolve()).then(() => merged.goLive()));
  try {
    for await (const event of queue.read(request.signal)) {
      if (matches(event, filters)) await stream.write(`${JSON.stringify(event)}\n`);
    }
    stream.end();
  } finally {
    unsubscribe();
    ending.stop();
    await local;
  }
}

/** Two sources in one queue: what both remember in the order of time, then events as they come. */
class PastFirst {
  readonly #queue: BoundedQueue<EngineJson>;
  #past: EngineJson[] | undefined = [];

  constructor(queue: BoundedQueue<EngineJson>) {
    this.#queue = queue;
  }

  push(event: EngineJson): void {
    if (this.#past) this.#past.push(event);
    else this.#queue.push(event);
  }

  goLive(): void {
    const past = this.#past ?? [];
    this.#past = undefined;
    past.sort((a, b) => rawValue(a.timeNano) - rawValue(b.timeNano));
    for (const event of past) this.#queue.push(event);
  }

  end(): void {
    this.goLive();
    this.#queue.end();
  }

  fail(error: Error): void {
    this.goLive();
    this.#queue.fail(error);
  }
}

/** Ends the queue at `until`: at once when that is in the past (what is known by then has been queued). */
function endingAt(
  context: Context,
  untilMicros: number,
  signal: AbortSignal,
  queue: BoundedQueue<EngineJson>,
): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const stop = (): void => {
    clearTimeout(timer);
    controller.abort();
  };
  let timer: NodeJS.Timeout | undefined;
  if (untilMicros > 0) {
    const waitMs = untilMicros / 1000 - context.clock.nowMs();
    if (waitMs > 0) {
      timer = setTimeout(
        () => {
          stop();
          queue.end();
        },
        Math.min(waitMs, 2 ** 31 - 1),
      );
    }
  }
  signal.addEventListener('abort', stop, { once: true });
  return { signal: controller.signal, stop };
}

async function copyLocal(
  context: Context,
  options: { sinceMicros: number; untilMicros: number; filters: EngineFilters },
  signal: AbortSignal,
  queue: PastFirst,
  others: Promise<void> | undefined,
): Promise<void> {
  try {
    for await (const event of context.engine.events(options, signal)) queue.push(event);
  } catch (error) {
    if (!signal.aborted) queue.fail(error instanceof Error ? error : new Error(String(error)));
    return;
  }
  // The worker's part ends by itself only when `until` has passed.
  const isPast = options.untilMicros > 0 && options.untilMicros / 1000 <= context.clock.nowMs();
  if (!isPast) return;
  await others;
  queue.end();
}

/** Kinds of objects that the cluster alone tells of. */
const CLUSTER_TYPES: ReadonlySet<string> = new Set(['service', 'node', 'secret', 'config']);

/** Whether the filters let anything through that a node tells of itself. */
function mayBeLocal({ scope, type }: EngineFilters): boolean {
  if (scope && !scope.includes('local')) return false;
  return !type || type.some((one) => !CLUSTER_TYPES.has(one));
}

const OBJECT_FILTERS = [
  'container',
  'image',
  'volume',
  'network',
  'daemon',
  'service',
  'node',
  'secret',
  'config',
  'plugin',
];

const FILTERS = [...OBJECT_FILTERS, 'type', 'scope', 'event', 'label'];

function matches(event: EngineJson, filters: EngineFilters): boolean {
  const type = String(event.Type);
  const action = String(event.Action);
  const actor = (event.Actor ?? {}) as { ID?: string; Attributes?: Record<string, string> };
  const attributes = actor.Attributes ?? {};
  const scope = event.scope === undefined ? 'local' : String(event.scope);
  if (filters.type && !filters.type.includes(type)) return false;
  if (filters.scope && !filters.scope.includes(scope)) return false;
  // "health_status" and "exec_create" stand for all events that begin so ("health_status: healthy").
  const name = action.split(':')[0] ?? action;
  if (filters.event && !filters.event.some((e) => e === action || e === name)) return false;
  for (const label of filters.label ?? []) {
    const at = label.indexOf('=');
    const key = at < 0 ? label : label.slice(0, at);
    if (!Object.hasOwn(attributes, key)) return false;
    if (at >= 0 && attributes[key] !== label.slice(at + 1)) return false;
  }
  const asked = OBJECT_FILTERS.filter((kind) => filters[kind] !== undefined);
  if (asked.length === 0) return true;
  return asked.some((kind) => isAbout(kind, filters[kind] ?? [], type, actor.ID ?? '', attributes));
}

/** Does an event concern one of these objects? `image` also selects containers made from it. */
function isAbout(
  kind: string,
  wanted: readonly string[],
  type: string,
  id: string,
  attributes: Readonly<Record<string, string>>,
): boolean {
  if (kind === 'image' && attributes.image !== undefined) {
    const image = attributes.image;
    return wanted.some((w) => image === w || image.split(':')[0] === w || id === w);
  }
  if (kind !== type) return false;
  const name = attributes.name ?? '';
  return wanted.some((w) => w === name || w === `/${name}` || (w !== '' && id.startsWith(w)));
}
