// One container in memory: its record, its state, and the handles that only live while it runs. The table finds containers by id, name or id prefix.
// Only the files of this folder change a container; every change of state goes through `setState`, which writes it to disk in order.
import { STATE_RETRY_MS } from '../limits.ts';
import type { AttachedEndpoint, AttachResult } from '../network/types.ts';
import type { Deferred } from '../queue.ts';
import { deferred, Lock } from '../queue.ts';
import type { ResolvedUser } from './bundle.ts';
import type { ContainerFiles, ContainerPaths } from './container-files.ts';
import type { ContainerRecord, ContainerState, HealthRecord } from './record.ts';
import type { ExitInfo, ShimClient, ShimStream } from './shim-client.ts';

/** An attach that came before the container was started. */
export interface PendingAttach {
  readonly options: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Undefined: the container was not started after all. */
  readonly stream: Deferred<ShimStream | undefined>;
}

/** Things that end with one run of the container. */
export interface Run {
  readonly shim: ShimClient;
  readonly pid: number;
  /** As the shim told it: RFC 3339 with nanoseconds. */
  readonly startedAt: string;
  /** Monotonic ms of the start (or of the adoption); for durations. */
  readonly startedAtMs: number;
  /** Resolves when the container has ended and everything of the run is cleaned up. */
  readonly done: Deferred<ExitInfo>;
  readonly user: ResolvedUser;
  /** As of now: the network writes it when the container is connected to another network, or taken off one. */
  attach: AttachResult | undefined;
  closeWait(): void;
}

export class Container {
  record: ContainerRecord;
  readonly paths: ContainerPaths;
  /** One operation that changes it at a time. */
  readonly lock: Lock = new Lock();
  run: Run | undefined;
  /** The end of a run is being dealt with: whether it is started again is not decided yet. */
  ending = false;
  /** Told when `ending` is over. */
  readonly endListeners: Set<() => void> = new Set();
  /** Set by a stop request before its signal; tells the end of this run from a crash. */
  stopping = false;
  removed = false;
  healthTimer: { stop(): void } | undefined;
  restartTimer: NodeJS.Timeout | undefined;
  readonly pendingAttaches: Set<PendingAttach> = new Set();
  /** Remembered ones too. */
  readonly execIds: Set<string> = new Set();
  /** Created or running. */
  readonly openExecIds: Set<string> = new Set();
  readonly exitWaiters: Set<Deferred<ExitInfo>> = new Set();
  readonly removeWaiters: Set<Deferred<void>> = new Set();
  #state: ContainerState;
  readonly #files: ContainerFiles;
  readonly #writes = new Lock();
  /** On disk; a container without a state file is in the first state. */
  #written: ContainerState;
  #mustSync = false;
  /** The last attempt has failed. */
  #isUnwritten = false;

  constructor(record: ContainerRecord, state: ContainerState, files: ContainerFiles) {
    this.record = record;
    this.#state = state;
    this.#written = state;
    this.#files = files;
    this.paths = files.pathsOf(record.id);
  }

  get id(): string {
    return this.record.id;
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** A process exists (also while paused). */
  get isRunning(): boolean {
    return this.#state.status === 'running' || this.#state.status === 'paused';
  }

  get endpoints(): readonly AttachedEndpoint[] {
    return this.run?.attach?.endpoints ?? [];
  }

  /**
   * In memory at once; resolves when it is on disk. Several changes that wait are written as one. Never fails: what has happened has happened, and what cannot be written
   * now (a full disk) is logged and written later.
   */
  setState(change: Partial<ContainerState>): Promise<void> {
    this.#mustSync = true;
    return this.#change(change);
  }

  /** Found out anew after a power cut: it need not be on the disk. */
  setHealth(health: HealthRecord): Promise<void> {
    return this.#change({ health });
  }

  #change(change: Partial<ContainerState>): Promise<void> {
    const isNew = Object.entries(change).some(
      ([key, value]) => this.#state[key as keyof ContainerState] !== value,
    );
    if (isNew) this.#state = { ...this.#state, ...change };
    return this.#writes.run(async () => {
      if (this.removed || this.#written === this.#state) return;
      const state = this.#state;
      const sync = this.#mustSync;
      this.#mustSync = false;
      try {
        await this.#files.writeState(this.id, state, sync);
      } catch (error) {
        this.#mustSync ||= sync;
        if (!this.#isUnwritten) this.#files.tell('state not written, tried again', this.id, error);
        this.#isUnwritten = true;
        setTimeout(() => void this.#change({}), STATE_RETRY_MS).unref();
        return;
      }
      this.#isUnwritten = false;
      this.#written = state;
    });
  }

  /** @throws when it cannot be written; then the record is as it was */
  async setRecord(record: ContainerRecord): Promise<void> {
    const before = this.record;
    this.record = record;
    try {
      await this.#files.writeRecord(record);
    } catch (error) {
      if (this.record === record) this.record = before;
      throw error;
    }
  }

  /** Resolves when the container is gone. */
  nextRemoval(): Promise<void> {
    const waiter = deferred<void>();
    this.removeWaiters.add(waiter);
    return waiter.promise;
  }

  /** The end of this run, or of the next one when none is on. */
  nextExit(): Promise<ExitInfo> {
    const waiter = deferred<ExitInfo>();
    this.exitWaiters.add(waiter);
    return waiter.promise;
  }
}

export class ContainerTable {
  readonly #byId = new Map<string, Container>();
  readonly #idByName = new Map<string, string>();
  readonly #byTask = new Map<string, Container>();
  /** Ids of containers that are being made and not in the table yet. */
  readonly making: Set<string> = new Set();

  /** Newest first. */
  list(): readonly Container[] {
    return [...this.#byId.values()].sort(
      (a, b) => b.record.createdAt - a.record.createdAt || (a.id < b.id ? -1 : 1),
    );
  }

  get(id: string): Container | undefined {
    return this.#byId.get(id);
  }

  /** The container of a task. */
  ofTask(taskId: string): Container | undefined {
    return this.#byTask.get(taskId);
  }

  /** Who has this name. */
  byName(name: string): Container | undefined {
    const id = this.#idByName.get(name);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** Full id, then name, then unique prefix of an id. */
  find(idOrName: string): Container | undefined {
    const text = idOrName.replace(/^\//, '');
    const exact = this.#byId.get(text) ?? this.byName(text);
    if (exact || !/^[0-9a-f]+$/.test(text)) return exact;
    const matches = [...this.#byId.keys()].filter((id) => id.startsWith(text));
    const [only] = matches;
    return matches.length === 1 && only !== undefined ? this.#byId.get(only) : undefined;
  }

  add(container: Container): void {
    this.#byId.set(container.id, container);
    this.#idByName.set(container.record.name, container.id);
    const { task } = container.record;
    if (task) this.#byTask.set(task.taskId, container);
  }

  delete(container: Container): void {
    this.#byId.delete(container.id);
    const taskId = container.record.task?.taskId ?? '';
    if (this.#byTask.get(taskId) === container) this.#byTask.delete(taskId);
    if (this.#idByName.get(container.record.name) === container.id) {
      this.#idByName.delete(container.record.name);
    }
  }

  /** Finds it by another name from now on. */
  rename(container: Container, from: string, to: string): void {
    if (this.#idByName.get(from) === container.id) this.#idByName.delete(from);
    this.#idByName.set(to, container.id);
  }
}
