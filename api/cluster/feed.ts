// GET /tswarm/v1/events: what changes in the cluster, as server-sent events that can be resumed without a gap. First everything ("snapshot"), then one
// "change" per index. `since` (or Last-Event-ID, which browsers send when they connect again) goes on behind that index as long as the changes
// after it are still known; otherwise there is a snapshot again. One feed serves all streams of a cache: a change is turned into text once, when the
// first stream wants it, and a stream keeps nothing but its place, so that a slow one costs no memory.
import type { CacheChange, CacheNotice, ObjectCache } from '../cache/object-cache.ts';
import { type Context, requireSession } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { FEED_KEEP_ALIVE_MS, FEED_NOTICES_KEPT } from '../limits.ts';
import type { ChangeBatch, RowChange, RowKind, Snapshot } from './feed-types.ts';
import { ROW_MAKERS } from './rows.ts';

const ROW_KINDS = Object.keys(ROW_MAKERS) as readonly RowKind[];

/** One notice of the cache; its text is made when it is first read. */
interface Kept {
  readonly index: number;
  readonly changes: readonly CacheChange[];
  text: string | undefined;
}

/** Place of a stream: how many notices have gone by before its next one; undefined = it needs a snapshot. */
export type FeedPlace = number | undefined;

export class Feed {
  readonly #cache: ObjectCache;
  readonly #unsubscribe: () => void;
  #kept: Kept[] = [];
  /** Number of the first one in #kept. */
  #first = 0;
  /** Index behind which #kept knows everything. */
  #knownAfter: number;
  #wakeups = new Set<() => void>();

  constructor(cache: ObjectCache) {
    this.#cache = cache;
    this.#knownAfter = cache.index;
    this.#unsubscribe = cache.subscribe((notice) => this.#onNotice(notice));
  }

  close(): void {
    this.#unsubscribe();
  }

  /** The place behind an index. */
  placeAfter(index: number): FeedPlace {
    if (index < this.#knownAfter || index > this.#cache.index) return undefined;
    const at = this.#kept.findIndex((kept) => kept.index > index);
    return this.#first + (at < 0 ? this.#kept.length : at);
  }

  /** Text for a stream at `place`, and its place behind it. '' when there is nothing new. */
  read(place: FeedPlace): { readonly text: string; readonly place: number } {
    const end = this.#first + this.#kept.length;
    if (place === undefined || place < this.#first) return { text: this.#snapshot(), place: end };
    let text = '';
    for (const kept of this.#kept.slice(place - this.#first)) {
      kept.text ??= changeText(this.#cache, kept);
      text += kept.text;
    }
    return { text, place: end };
  }

  /** Resolves when there is something behind `place`, when the signal is aborted, or after `timeoutMs`. */
  async changed(place: number, signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (place < this.#first + this.#kept.length || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wakeups.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      this.#wakeups.add(done);
    });
  }

  #onNotice({ index, reset, changes }: CacheNotice): void {
    if (reset) {
      // One more has gone by, so that every stream's place is one that is no longer there.
      this.#first += this.#kept.length + 1;
      this.#kept = [];
      this.#knownAfter = index;
    } else {
      this.#kept.push({ index, changes, text: undefined });
      if (this.#kept.length > FEED_NOTICES_KEPT) {
        this.#knownAfter = this.#kept.shift()?.index ?? index;
        this.#first++;
      }
    }
    for (const wake of [...this.#wakeups]) wake();
  }

  #snapshot(): string {
    const rows = ROW_KINDS.map((kind) => [
      kind,
      [...this.#cache.all(kind)].map((object) => rowOf(this.#cache, kind, object)),
    ]);
    const { index } = this.#cache;
    const snapshot: Snapshot = { index, ...Object.fromEntries(rows) };
    return eventText('snapshot', index, snapshot);
  }
}

function rowOf(cache: ObjectCache, kind: RowKind, object: unknown): unknown {
  return ROW_MAKERS[kind](cache, object as never);
}

function changeText(cache: ObjectCache, { index, changes }: Kept): string {
  const batch: RowChange[] = [];
  const counted = new Set<string>();
  for (const { kind, action, object } of changes) {
    if (object.task) counted.add(object.task.serviceId);
    if (!(kind in ROW_MAKERS)) continue;
    const rowKind = kind as RowKind;
    const id = object[rowKind]?.id ?? '';
    const row = action === 'remove' ? null : rowOf(cache, rowKind, object[rowKind]);
    batch.push({ kind: rowKind, action, id, row } as RowChange);
    if (object.service) counted.delete(id);
  }
  // A changed task changes the counts of its service.
  for (const id of counted) {
    const service = cache.get('service', id);
    if (!service) continue;
    const row = ROW_MAKERS.service(cache, service as never);
    batch.push({ kind: 'service', action: 'update', id, row });
  }
  return batch.length === 0 ? '' : eventText('change', index, batch satisfies ChangeBatch);
}

function eventText(event: string, index: number, data: unknown): string {
  return `event: ${event}\nid: ${index}\ndata: ${JSON.stringify(data)}\n\n`;
}

const ALIVE = 'event: alive\ndata: {}\n\n';

/** The feed of a cache, made when the first client comes. */
const feeds = new WeakMap<ObjectCache, Feed>();

function feedOf(cache: ObjectCache): Feed {
  const known = feeds.get(cache);
  if (known) return known;
  const feed = new Feed(cache);
  feeds.set(cache, feed);
  return feed;
}

/** Streams until the client goes or this node leaves the cluster. */
export async function streamEvents(
  context: Context,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const { cache } = requireSession(context);
  const feed = feedOf(cache);
  const since = String(request.headers['last-event-id'] ?? request.query.text('since'));
  let place = /^\d{1,15}$/.test(since) ? feed.placeAfter(Number(since)) : undefined;
  const ended = AbortSignal.any([request.signal, cache.signal]);
  const stream = reply.stream(200, 'text/event-stream');
  // Browsers wait this long before they connect again.
  await stream.write('retry: 1000\n\n');
  while (!ended.aborted) {
    const next = feed.read(place);
    place = next.place;
    if (next.text !== '') await stream.write(next.text);
    await feed.changed(place, ended, FEED_KEEP_ALIVE_MS);
    // Shows a connection that is dead, to both ends; browsers tell a page nothing of comments.
    if (feed.read(place).text === '' && !ended.aborted) await stream.write(ALIVE);
  }
  stream.end();
}
