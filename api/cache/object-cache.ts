// A copy of the manager's objects, kept up to date by its Watch stream; every read of the gateway is served from here. Only this file writes it;
// objects are immutable and shared. A snapshot is collected aside and swapped in whole, so that nobody sees half of one. When the stream
// breaks it is opened again from the last index; until then reads show the last known state.
// Leaves out what is large and rarely read: data of configs, projects of stacks (GetObject has them).
import { hasCode, messageOf } from '#protocol/errors';
import {
  ObjectUnion,
  WatchAction,
  type WatchEvent,
  type WatchMessage,
} from '#protocol/generated/control';
import type { Task } from '#protocol/generated/objects';
import type { Log } from '#protocol/world';
import type { ControlClient } from '../control.ts';
import { CACHE_CATCH_UP_TIMEOUT_MS, WATCH_RETRY_MAX_MS, WATCH_RETRY_MIN_MS } from '../limits.ts';
import { KIND_NAMES, type KindName, type ObjectOf, unionKind } from './kinds.ts';

export interface CacheChange {
  readonly kind: KindName;
  readonly action: 'create' | 'update' | 'remove';
  readonly object: ObjectUnion;
  /** Before the change; undefined for create. */
  readonly before: ObjectUnion | undefined;
}

export interface CacheNotice {
  readonly index: number;
  /** True after a snapshot: everything may be different, `changes` is empty. */
  readonly reset: boolean;
  readonly changes: readonly CacheChange[];
}

type Tables = { [K in KindName]: Map<string, ObjectOf<K>> };

export class ObjectCache {
  readonly #control: () => ControlClient;
  readonly #log: Log;
  readonly #listeners = new Set<(notice: CacheNotice) => void>();
  readonly #waiters = new Set<{ readonly index: number; readonly wake: () => void }>();
  readonly #abort = new AbortController();
  #tables: Tables = emptyTables();
  #tasksByService = new Map<string, Set<string>>();
  #incoming: Tables | undefined;
  #index = 0;
  #ready = false;
  #running: Promise<void> | undefined;

  /** `control` is asked at every new connection, so that a renewed certificate or a moved manager counts. */
  constructor(control: () => ControlClient, log: Log) {
    this.#control = control;
    this.#log = log;
  }

  /** Index of the state that is shown. */
  get index(): number {
    return this.#index;
  }

  /** True once a first snapshot was complete. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Aborted by `stop`: nothing will change any more, whoever waits for changes should end. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const waiter of this.#waiters) waiter.wake();
    await this.#running;
  }

  get<K extends KindName>(kind: K, id: string): ObjectOf<K> | undefined {
    return this.#tables[kind].get(id) as ObjectOf<K> | undefined;
  }

  all<K extends KindName>(kind: K): IterableIterator<ObjectOf<K>> {
    return this.#tables[kind].values() as IterableIterator<ObjectOf<K>>;
  }

  count(kind: KindName): number {
    return this.#tables[kind].size;
  }

  /** Tasks of one service, in no order. */
  *tasksOf(serviceId: string): IterableIterator<Task> {
    for (const id of this.#tasksByService.get(serviceId) ?? []) {
      const task = this.#tables.task.get(id);
      if (task) yield task;
    }
  }

  /** Called after every change is visible. @returns ends the subscription. */
  subscribe(listener: (notice: CacheNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the state of `index` is shown, or after a few seconds without it: false, and an answer then may be a little old. */
  async reached(index: number, timeoutMs: number = CACHE_CATCH_UP_TIMEOUT_MS): Promise<boolean> {
    if (this.#index >= index) return true;
    await new Promise<void>((resolve) => {
      const waiter = { index, wake: resolve };
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      waiter.wake = end;
      this.#waiters.add(waiter);
    });
    return this.#index >= index;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let pauseMs = WATCH_RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        const stream = this.#control().watch(
          { kinds: [], from: this.#ready ? this.#index : 0 },
          { signal },
        );
        for await (const message of stream) {
          this.apply(message);
          pauseMs = WATCH_RETRY_MIN_MS;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!hasCode(error, 'unavailable') || pauseMs >= WATCH_RETRY_MAX_MS) {
          this.#log.warn('watch of the manager broke', { reason: messageOf(error) });
        }
      }
      this.#incoming = undefined;
      await pause(pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, WATCH_RETRY_MAX_MS);
    }
  }

  /** Takes one message of the watch stream. */
  apply(message: WatchMessage): void {
    if (message.snapshotBegin) this.#incoming = emptyTables();
    if (this.#incoming) {
      for (const event of message.events) store(this.#incoming, event.object);
      if (message.snapshotEnd) this.#swapIn(this.#incoming, message.index);
      return;
    }
    const changes: CacheChange[] = [];
    for (const event of message.events) {
      const change = this.#change(event);
      if (change) changes.push(change);
    }
    this.#advance(message.index, { index: message.index, reset: false, changes });
  }

  #swapIn(tables: Tables, index: number): void {
    this.#incoming = undefined;
    this.#tables = tables;
    this.#tasksByService = new Map();
    for (const task of tables.task.values()) this.#indexTask(task);
    this.#ready = true;
    // A snapshot of an older index than ours can only come from another cluster history: take it as it is.
    this.#index = 0;
    this.#advance(index, { index, reset: true, changes: [] });
  }

  #change(event: WatchEvent): CacheChange | undefined {
    const union = event.object;
    const kind = union && unionKind(union);
    if (!union || !kind) return undefined;
    const id = union[kind]?.id ?? '';
    const held = this.#tables[kind].get(id);
    const before = held && wrap(kind, held);
    if (event.action === WatchAction.REMOVE) {
      if (!held) return undefined;
      this.#tables[kind].delete(id);
      if (kind === 'task') this.#forgetTask(held as Task);
      return { kind, action: 'remove', object: wrap(kind, held), before };
    }
    const object = store(this.#tables, union);
    if (kind === 'task' && !held && object?.task) this.#indexTask(object.task);
    return { kind, action: held ? 'update' : 'create', object: object ?? union, before };
  }

  #indexTask(task: Task): void {
    const ids = this.#tasksByService.get(task.serviceId) ?? new Set();
    ids.add(task.id);
    this.#tasksByService.set(task.serviceId, ids);
  }

  #forgetTask(task: Task): void {
    const ids = this.#tasksByService.get(task.serviceId);
    ids?.delete(task.id);
    if (ids?.size === 0) this.#tasksByService.delete(task.serviceId);
  }

  #advance(index: number, notice: CacheNotice): void {
    this.#index = Math.max(this.#index, index);
    for (const waiter of this.#waiters) if (waiter.index <= this.#index) waiter.wake();
    if (!notice.reset && notice.changes.length === 0) return;
    for (const listener of this.#listeners) listener(notice);
  }
}

function emptyTables(): Tables {
  return Object.fromEntries(KIND_NAMES.map((kind) => [kind, new Map()])) as unknown as Tables;
}

/** Puts an object into its table, without its large parts. @returns what was put. */
function store(tables: Tables, union: ObjectUnion | undefined): ObjectUnion | undefined {
  const kind = union && unionKind(union);
  if (!union || !kind) return undefined;
  const slim = slimmed(union);
  const object = slim[kind];
  if (object) (tables[kind] as Map<string, unknown>).set(object.id, object);
  return slim;
}

const NOTHING: Uint8Array = new Uint8Array(0);

function slimmed(union: ObjectUnion): ObjectUnion {
  if (union.config?.spec && union.config.spec.data.length > 0) {
    return { ...union, config: { ...union.config, spec: { ...union.config.spec, data: NOTHING } } };
  }
  if (union.stack?.spec && union.stack.spec.project.length > 0) {
    return { ...union, stack: { ...union.stack, spec: { ...union.stack.spec, project: NOTHING } } };
  }
  return union;
}

function wrap<K extends KindName>(kind: K, object: ObjectOf<K>): ObjectUnion {
  return ObjectUnion.create({ [kind]: object });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
