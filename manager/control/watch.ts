// The stream that caches live on: first the state, then every committed change in order, one
// message per log entry (several when the watcher lags). Also entries without a change of interest
// are told, by their index alone, because callers wait for "the cache has reached index N". A
// watcher that lags too far gets a new snapshot instead of an ever growing queue. Secret bytes, the
// root key and the unlock key never leave the manager.
import { kindOf, toUnion } from '#manager/store/kinds';
import type { CommittedEntry } from '#manager/store/recent-changes';
import type { Store } from '#manager/store/store';
import type { Kind, ObjectTypes } from '#manager/store/view';
import {
  type ObjectKind,
  type ObjectUnion,
  WatchAction,
  type WatchEvent,
  type WatchMessage,
  type WatchRequest,
} from '#protocol/generated/control';
import type { Cluster, Secret, Service } from '#protocol/generated/objects';
import { OBJECT_KINDS } from '#protocol/object-kinds';
import type { CancelSignal } from '#protocol/world';
import { WATCH_EVENTS_PER_MESSAGE, WATCH_QUEUE_MAX, WATCH_SNAPSHOT_OBJECTS } from '../limits.ts';

/** The messages of one watch, until `signal` aborts. */
export async function* watch(
  store: Store,
  request: WatchRequest,
  signal: CancelSignal,
): AsyncIterable<WatchMessage> {
  const kinds = kindsOf(request.kinds);
  const feed = new Feed(store, signal);
  try {
    const missed = request.from > 0 ? store.changesSince(request.from) : undefined;
    if (missed) yield* messagesOf(missed, kinds);
    else yield* snapshotOf(store, kinds);
    while (!signal.aborted) {
      const entries = await feed.next();
      if (entries === 'reset') yield* snapshotOf(store, kinds);
      else yield* messagesOf(entries, kinds);
    }
  } finally {
    feed.close();
  }
}

function kindsOf(numbers: readonly ObjectKind[]): ReadonlySet<Kind> {
  const asked = numbers.length === 0 ? Object.values(OBJECT_KINDS) : numbers;
  return new Set(asked.map(kindOf).filter((kind) => kind !== undefined));
}

function* snapshotOf(store: Store, kinds: ReadonlySet<Kind>): Iterable<WatchMessage> {
  const { view } = store;
  const index = store.changeIndex;
  let events: WatchEvent[] = [];
  let isFirst = true;
  const message = (isLast: boolean): WatchMessage => {
    const part = { index: isLast ? index : 0, events, snapshotBegin: isFirst, snapshotEnd: isLast };
    events = [];
    isFirst = false;
    return part;
  };
  for (const kind of kinds) {
    for (const object of view.list(kind)) {
      const event = { action: WatchAction.SNAPSHOT, object: publicUnion(kind, object) };
      events.push({ ...event, oldObject: undefined });
      if (events.length >= WATCH_SNAPSHOT_OBJECTS) yield message(false);
    }
  }
  yield message(true);
}

/** A lagging watcher gets several entries in one message; the index is the last one's. */
function* messagesOf(
  entries: readonly CommittedEntry[],
  kinds: ReadonlySet<Kind>,
): Iterable<WatchMessage> {
  let events: WatchEvent[] = [];
  let index = 0;
  for (const entry of entries) {
    events.push(...eventsOf(entry, kinds));
    index = entry.index;
    if (events.length < WATCH_EVENTS_PER_MESSAGE) continue;
    yield { index, events, snapshotBegin: false, snapshotEnd: false };
    events = [];
    index = 0;
  }
  if (index > 0) yield { index, events, snapshotBegin: false, snapshotEnd: false };
}

function eventsOf(entry: CommittedEntry, kinds: ReadonlySet<Kind>): WatchEvent[] {
  const events: WatchEvent[] = [];
  for (const { kind, before, after } of entry.changes) {
    if (!kinds.has(kind)) continue;
    const object = after ?? before;
    if (!object) continue;
    const action = !after ? WatchAction.REMOVE : before ? WatchAction.UPDATE : WatchAction.CREATE;
    // Caches have the old object; sending it too would double the traffic.
    events.push({ action, object: publicUnion(kind, object), oldObject: undefined });
  }
  return events;
}

/** The object as administrators may see it. */
export function publicUnion<K extends Kind>(kind: K, object: ObjectTypes[K]): ObjectUnion {
  if (kind === 'secret') {
    const secret = object as Secret;
    const spec = secret.spec && { ...secret.spec, data: new Uint8Array() };
    return toUnion('secret', { ...secret, spec });
  }
  if (kind === 'service') {
    const none = new Uint8Array();
    const service = object as Service;
    const hidden = { registryAuth: none, previousRegistryAuth: none };
    return toUnion('service', { ...service, ...hidden });
  }
  if (kind === 'cluster') {
    const cluster = object as Cluster;
    const { rootRotation } = cluster.rootCa ?? {};
    const rootCa = cluster.rootCa && {
      ...cluster.rootCa,
      caKey: '',
      rootRotation: rootRotation && { ...rootRotation, caKey: '' },
    };
    return toUnion('cluster', { ...cluster, rootCa, unlockKey: new Uint8Array() });
  }
  return toUnion(kind, object);
}

/** Collects committed entries for one watcher. */
class Feed {
  readonly #signal: CancelSignal;
  readonly #unsubscribe: () => void;
  #queue: CommittedEntry[] = [];
  #isReset = false;
  #wake: (() => void) | undefined;

  constructor(store: Store, signal: CancelSignal) {
    this.#signal = signal;
    this.#unsubscribe = store.subscribe((entry) => {
      if (entry === 'reset' || this.#queue.length >= WATCH_QUEUE_MAX) {
        this.#queue = [];
        this.#isReset = true;
      } else if (!this.#isReset) {
        this.#queue.push(entry);
      }
      this.#wake?.();
    });
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  /**
   * What has been committed since the last call; waits until there is something or the watcher is
   * gone.
   */
  async next(): Promise<readonly CommittedEntry[] | 'reset'> {
    while (this.#queue.length === 0 && !this.#isReset && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.#isReset) {
      this.#isReset = false;
      return 'reset';
    }
    const entries = this.#queue;
    this.#queue = [];
    return entries;
  }

  close(): void {
    this.#unsubscribe();
  }
}
