// The append thread of the Raft core, as a queue in front of the WAL: while one sync runs, storage
// messages collect; when it returns, everything waiting goes into the next frames (group commit
// without a timer, raft.md §5). Responses are delivered only after the sync has returned, in order.
// A message that changes nothing that must be durable (a commit mark alone) is answered without
// I/O.
import { invariant } from '#manager/raft/invariant';
import { entryBytes, type MemoryStorage } from '#manager/raft/storage';
import {
  type Entry,
  type HardState,
  type Message,
  NO_NODE,
  type Snapshot,
} from '#manager/raft/types';
import type { SnapshotMark } from '#manager/wal/frame';
import type { Wal, WalBatch } from '#manager/wal/wal';

/** Where responses and failures go. */
export interface AppendWriterEvents {
  /** The messages are allowed out now. */
  readonly respond: (messages: readonly Message[]) => void;
  /** The log cannot be written: the process must end. */
  readonly fail: (error: Error) => void;
  /** A write took this long. */
  readonly wrote: (tookMs: number) => void;
  /** A mark is durable; old snapshots may go. */
  readonly marked: (mark: SnapshotMark) => void;
  /** Whether the leader's snapshot at `index` is in a file (the empty state has none). */
  readonly hasFile: (index: number) => boolean;
}

/** A mark of the host's own making: a local snapshot is on the disk. */
interface MarkRequest {
  readonly mark: SnapshotMark;
}

/** The next segment is to be begun now. */
interface SegmentRequest {
  readonly begun: () => void;
}

type Work = Message | MarkRequest | SegmentRequest;

export class AppendWriter {
  readonly #wal: Wal;
  readonly #storage: MemoryStorage;
  readonly #events: AppendWriterEvents;
  #queue: Work[] = [];
  #isWriting = false;
  #isPumping = false;
  #hardState: HardState;
  #startedMs: number | null = null;
  readonly #nowMs: () => number;

  constructor(wal: Wal, storage: MemoryStorage, nowMs: () => number, events: AppendWriterEvents) {
    this.#wal = wal;
    this.#storage = storage;
    this.#nowMs = nowMs;
    this.#events = events;
    this.#hardState = storage.hardState();
  }

  get isIdle(): boolean {
    return !this.#isWriting && this.#queue.length === 0;
  }

  /** Takes a storageAppend message; nothing is written before `pump`. */
  enqueue(message: Message): void {
    const { snapshot, entries, commit } = message;
    if (snapshot === null || entries.length === 0) {
      this.#queue.push(message);
      return;
    }
    // Entries came behind a snapshot before that was handed over: it is written first, and knows of nothing behind it.
    const restored = { ...message, entries: [], responses: [] };
    this.#queue.push({ ...restored, commit: Math.min(commit, snapshot.index) });
    this.#queue.push({ ...message, snapshot: null });
  }

  /** Records a local snapshot in the log, behind everything queued so far. */
  enqueueMark(mark: SnapshotMark): void {
    this.#queue.push({ mark });
  }

  /** Begins a new segment behind everything queued so far. */
  enqueueSegment(begun: () => void): void {
    this.#queue.push({ begun });
  }

  /** How long the write that is on its way has taken so far; 0 when there is none. */
  writingMs(nowMs: number): number {
    return this.#startedMs === null ? 0 : nowMs - this.#startedMs;
  }

  /** Starts writing unless a write is on its way. With a synchronous disk all is done on return. */
  pump(): void {
    if (this.#isPumping) return; // With a synchronous disk a write ends within this loop.
    this.#isPumping = true;
    while (!this.#isWriting && this.#queue.length > 0) this.#writeGroup();
    this.#isPumping = false;
  }

  #writeGroup(): void {
    const [first] = this.#queue;
    if (first !== undefined && 'begun' in first) {
      this.#beginSegment(first);
      return;
    }
    const group = this.#takeGroup();
    const { entries, hardState } = group;
    const isVoteNews =
      hardState.term !== this.#hardState.term || hardState.vote !== this.#hardState.vote;
    this.#hardState = hardState;
    const batches: WalBatch[] = split(entries, this.#wal.frameSoftBytes).map((part) => ({
      hardState,
      entries: part,
      mark: null,
    }));
    if (group.mark !== null) batches.push({ hardState, entries: [], mark: group.mark });
    if (batches.length === 0 && isVoteNews) batches.push({ hardState, entries: [], mark: null });
    this.#isWriting = true;
    this.#startedMs = this.#nowMs();
    this.#writeBatches(batches, 0, () => {
      this.#isWriting = false;
      const tookMs = this.#nowMs() - (this.#startedMs ?? 0);
      this.#startedMs = null;
      if (batches.length > 0) this.#events.wrote(tookMs);
      this.#storage.setHardState(hardState);
      this.#storage.append(entries);
      if (group.snapshot !== null) this.#storage.applySnapshot(group.snapshot);
      if (group.mark !== null) this.#events.marked(group.mark);
      this.#events.respond(group.responses);
      this.pump(); // What has collected meanwhile; no turn may be due.
    });
  }

  #beginSegment({ begun }: SegmentRequest): void {
    this.#queue.shift();
    this.#isWriting = true;
    this.#wal.beginNextSegment((error) => {
      this.#isWriting = false;
      if (error !== null) {
        this.#events.fail(error);
        return;
      }
      begun();
      this.pump();
    });
  }

  #writeBatches(batches: readonly WalBatch[], i: number, done: () => void): void {
    const batch = batches[i];
    if (batch === undefined) {
      done();
      return;
    }
    this.#wal.append(batch, (error) => {
      if (error !== null) this.#events.fail(error);
      else this.#writeBatches(batches, i + 1, done);
    });
  }

  /** Merges waiting messages up to the first snapshot or mark, which ends a group. */
  #takeGroup(): {
    entries: Entry[];
    hardState: HardState;
    mark: SnapshotMark | null;
    snapshot: Snapshot | null;
    responses: Message[];
  } {
    let hardState = this.#hardState;
    let mark: SnapshotMark | null = null;
    let snapshot: Snapshot | null = null;
    const entries: Entry[] = [];
    const responses: Message[] = [];
    let taken = 0;
    for (const work of this.#queue) {
      if ('begun' in work) break;
      taken++;
      if ('mark' in work) {
        mark = work.mark;
        break;
      }
      if (work.term !== 0 || work.commit !== 0 || work.vote !== NO_NODE) {
        hardState = { term: work.term, vote: work.vote, commit: work.commit };
      }
      mergeEntries(entries, work.entries);
      responses.push(...work.responses);
      if (work.snapshot !== null) {
        snapshot = work.snapshot;
        const { index, term, confState } = snapshot;
        const meta = { index, term, confState };
        const hasFile = this.#events.hasFile(index);
        mark = { meta, hasFile, base: { index, term }, replacesLog: true };
        invariant(work.entries.length === 0, 'snapshot and entries in one append');
        break;
      }
    }
    this.#queue = this.#queue.slice(taken);
    return { entries, hardState, mark, snapshot, responses };
  }
}

/** Appends `more` to `entries`, dropping what it overwrites; the result stays consecutive. */
function mergeEntries(entries: Entry[], more: readonly Entry[]): void {
  const first = more[0];
  if (first === undefined) return;
  const start = entries[0]?.index ?? first.index;
  if (first.index <= start) entries.length = 0;
  else entries.length = Math.min(entries.length, first.index - start);
  for (const entry of more) entries.push(entry);
}

/** Cuts entries into pieces of at most `softBytes`, or of one entry. */
function split(entries: readonly Entry[], softBytes: number): Entry[][] {
  const parts: Entry[][] = [];
  let part: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (part.length > 0 && bytes + entryBytes(entry) > softBytes) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += entryBytes(entry);
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
