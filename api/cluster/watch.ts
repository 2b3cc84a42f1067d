// GET /tswarm/v1/stacks/{name}/watch: JSON lines of one stack. First a snapshot, then a line per change; after the cache had to start over,
// or when the client is too far behind, another snapshot: a client that keeps only the last state never has to ask again.
import type { EngineJson } from '#protocol/engine';
import { ObjectUnion } from '#protocol/generated/control';
import type { CacheNotice, ObjectCache } from '../cache/object-cache.ts';
import { type Context, requireSession } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import type { ApiRequest } from '../http/request.ts';
import { WATCH_BACKLOG_MAX } from '../limits.ts';
import type { StackObjectKind, WatchLine } from './types.ts';
import { isOfStack, objectView, STACK_KINDS, stackObjects } from './views.ts';

/** Streams until the client goes or this node leaves the cluster. */
export async function watchStack(
  context: Context,
  request: ApiRequest,
  reply: Reply,
): Promise<void> {
  const { cache } = requireSession(context);
  const watcher = new StackWatcher(cache, request.params.name ?? '');
  const ended = AbortSignal.any([request.signal, cache.signal]);
  const stream = reply.stream(200, 'application/x-ndjson');
  try {
    for (;;) {
      for (const line of watcher.take()) await stream.write(`${JSON.stringify(line)}\n`);
      await watcher.changed(ended);
      if (ended.aborted) break;
    }
    stream.end();
  } finally {
    watcher.close();
  }
}

/** Collects lines between two writes. */
export class StackWatcher {
  readonly #cache: ObjectCache;
  readonly #stack: string;
  readonly #unsubscribe: () => void;
  #lines: WatchLine[] = [];
  #needsSnapshot = true;
  #wake: (() => void) | undefined;

  constructor(cache: ObjectCache, stack: string) {
    this.#cache = cache;
    this.#stack = stack;
    this.#unsubscribe = cache.subscribe((notice) => this.#onNotice(notice));
  }

  close(): void {
    this.#unsubscribe();
  }

  /** What has happened since the last call. */
  take(): readonly WatchLine[] {
    if (this.#needsSnapshot) {
      this.#needsSnapshot = false;
      this.#lines = [];
      return [
        {
          type: 'snapshot',
          index: this.#cache.index,
          ...stackObjects(this.#cache, this.#stack),
        },
      ];
    }
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Resolves when `take` has something, or the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#needsSnapshot || this.#lines.length > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done);
    });
  }

  #onNotice(notice: CacheNotice): void {
    if (notice.reset) this.#needsSnapshot = true;
    if (this.#needsSnapshot) {
      this.#wake?.();
      return;
    }
    const services = new Set<string>();
    for (const change of notice.changes) {
      if (!STACK_KINDS.includes(change.kind as StackObjectKind)) continue;
      if (!isOfStack(this.#cache, change.kind, change.object, this.#stack)) continue;
      this.#lines.push({
        type: 'change',
        index: notice.index,
        kind: change.kind as StackObjectKind,
        action: change.action,
        object: objectView(this.#cache, change.kind, change.object),
      });
      const task = change.object.task;
      if (task) services.add(task.serviceId);
      if (change.object.service) services.delete(change.object.service.id);
    }
    this.#addCounts(services, notice.index);
    if (this.#lines.length > WATCH_BACKLOG_MAX) this.#needsSnapshot = true;
    if (this.#lines.length > 0 || this.#needsSnapshot) this.#wake?.();
  }

  /** A changed task changes its service's counts: the service is sent again, so that clients need not count. */
  #addCounts(services: ReadonlySet<string>, index: number): void {
    for (const id of services) {
      const service = this.#cache.get('service', id);
      if (!service) continue;
      const object: EngineJson = objectView(
        this.#cache,
        'service',
        ObjectUnion.create({ service }),
      );
      this.#lines.push({ type: 'change', index, kind: 'service', action: 'update', object });
    }
  }
}
