// Snapshots of this member: when one is due, how it gets into the log, and those that come from the
// leader. A local one: asked for, stored as a file, named in the log by a mark, then the log is
// compacted. One from the leader: stored first, then decided about by the core, then the state is
// replaced. A snapshot of no bytes is the empty state that a group begins with: it has no file.
// A failed snapshot only means a longer log. A state that is large is written when the log has become
// as large as it, so that snapshots never cost more than the log itself.
import type { RawNode } from '#manager/raft/raw-node';
import type { MemoryStorage } from '#manager/raft/storage';
import type { Message, SnapshotMeta } from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import { SNAPSHOT_INTERVALS_MAX, SNAPSHOT_SMALL_BYTES } from './limits.ts';
import type { SnapshotSettings } from './raft-node.ts';
import type { SnapshotFiles } from './snapshot-store.ts';
import type { ThreadNote } from './thread-messages.ts';

const NO_DATA = new Uint8Array(0);

export interface SnapshotterDeps {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotFiles;
  readonly everyBytes: number;
  readonly enqueueMark: (mark: SnapshotMark) => void;
  readonly note: (
    level: ThreadNote['level'],
    message: string,
    values: ThreadNote['values'],
  ) => void;
  readonly wake: () => void;
}

export class Snapshotter {
  readonly #deps: SnapshotterDeps;
  #settings: SnapshotSettings;
  #entriesSince = 0;
  #bytesSince = 0;
  /** Of the newest snapshot; 0 before the first one of this process. */
  #stateBytes = 0;
  /** From asking for one until its mark is durable. */
  #isRunning = false;
  #isWanted = false;
  /** A file is being written. */
  #isStoring = false;
  /** Somebody waits for a snapshot that drops the whole log before it. */
  #onWhole: ((isDone: boolean) => void)[] = [];
  /** The running one was asked for by them. */
  #isWhole = false;
  /** Snapshots from the leader that the core has taken, until their mark is durable, by index: what
   * the log names must be here then. A leader sends one at a time, so there are hardly ever two. */
  readonly #taken = new Map<number, Uint8Array>();

  constructor(settings: SnapshotSettings, deps: SnapshotterDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  get isStoring(): boolean {
    return this.#isStoring;
  }

  set settings(settings: SnapshotSettings) {
    this.#settings = settings;
  }

  /** Counts what was applied. */
  applied(entries: number, bytes: number): void {
    this.#entriesSince += entries;
    this.#bytesSince += bytes;
  }

  /** Asks for one now and drops all log before it; `done(false)`: it could not be made. */
  takeWhole(done: (isDone: boolean) => void): void {
    this.#onWhole.push(done);
    this.wantIfDue();
  }

  wantIfDue(): void {
    const isDue =
      this.#onWhole.length > 0 ||
      this.#isIntervalOver() ||
      this.#bytesSince >= this.#deps.everyBytes;
    if (!isDue || this.#isRunning) return;
    this.#isRunning = true;
    this.#isWanted = true;
    this.#isWhole = this.#onWhole.length > 0;
    this.#entriesSince = 0;
    this.#bytesSince = 0;
  }

  #isIntervalOver(): boolean {
    const { everyEntries } = this.#settings;
    if (this.#entriesSince < everyEntries) return false;
    return (
      this.#stateBytes <= Math.max(SNAPSHOT_SMALL_BYTES, this.#bytesSince) ||
      this.#entriesSince >= SNAPSHOT_INTERVALS_MAX * everyEntries
    );
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Whether the main thread is to be asked; says yes once per snapshot. */
  takeWish(): boolean {
    const isWanted = this.#isWanted;
    this.#isWanted = false;
    return isWanted;
  }

  /** The main thread's state as of `index`. */
  store(index: number, bytes: Uint8Array): void {
    const { storage, snapshots, node } = this.#deps;
    const term = storage.term(index);
    const confState = node.confStateAt(index);
    if (index < 1 || term === null || confState === null || bytes.length === 0) {
      // There is no log yet, a snapshot from the leader has overtaken it, or none is given.
      this.#end(false);
      return;
    }
    const meta = { index, term, confState };
    this.#isStoring = true;
    snapshots.write(meta, bytes).then(
      () => {
        this.#isStoring = false;
        this.#mark(meta, bytes.length);
        this.#deps.wake();
      },
      (error: unknown) => {
        this.#isStoring = false;
        this.#end(false);
        this.#deps.note('error', 'snapshot could not be written', { index, error: String(error) });
        this.#deps.wake();
      },
    );
  }

  #mark(meta: SnapshotMeta, bytes: number): void {
    const { storage, node } = this.#deps;
    const { index } = meta;
    this.#stateBytes = bytes;
    const trailing = this.#isWhole ? 0 : this.#settings.trailingEntries;
    // By the core's log: a snapshot from the leader may be on its way to the disk, and the mark of an
    // older one must not follow it there.
    const baseIndex = Math.max(node.raft.log.firstIndex() - 1, index - trailing);
    const baseTerm = storage.term(baseIndex);
    if (baseTerm === null || baseIndex > index) {
      this.#end(false); // Overtaken while it was written.
      return;
    }
    const base = { index: baseIndex, term: baseTerm };
    storage.recordSnapshot({ ...meta, data: NO_DATA });
    storage.compact(baseIndex);
    this.#deps.enqueueMark({ meta, hasFile: true, base, replacesLog: false });
    this.#deps.note('info', 'snapshot written', { index, bytes });
  }

  /** A mark is durable. Returns the state to restore if it came from the leader. */
  marked(mark: SnapshotMark): { readonly index: number; readonly bytes: Uint8Array } | null {
    const { index } = mark.meta;
    this.#deps.snapshots.removeOlder(index);
    if (!mark.replacesLog) {
      this.#end(true);
      return null;
    }
    this.#end(false);
    const bytes = this.#taken.get(index);
    // Not the newer ones: their marks are still on the way.
    for (const taken of this.#taken.keys()) if (taken <= index) this.#taken.delete(taken);
    if (bytes === undefined) {
      throw new Error(`the snapshot at ${index} is in the log but was never stored`);
    }
    return { index, bytes };
  }

  #end(isDone: boolean): void {
    this.#isRunning = false;
    if (!this.#isWhole) {
      this.wantIfDue();
      return;
    }
    this.#isWhole = false;
    for (const done of this.#onWhole.splice(0)) done(isDone);
  }

  /** Whether the snapshot at `index`, taken by the core, is in a file. */
  hasFile(index: number): boolean {
    return (this.#taken.get(index)?.length ?? 0) > 0;
  }

  /** One from the leader has arrived whole: stores it, then lets the core decide by `step`. */
  async receive(message: Message, step: (message: Message) => void): Promise<void> {
    const { snapshot } = message;
    if (snapshot === null) return;
    const { index, term, confState, data } = snapshot;
    this.#stateBytes = data.length;
    if (data.length > 0) {
      this.#isStoring = true;
      try {
        await this.#deps.snapshots.write({ index, term, confState }, data);
      } finally {
        this.#isStoring = false;
      }
    }
    step({ ...message, snapshot: { index, term, confState, data: NO_DATA } });
    const { unstable } = this.#deps.node.raft.log;
    if (unstable.nextSnapshot()?.index === index) this.#taken.set(index, data);
  }
}
