// A Raft member whose log is an array in memory, for tests of what stands on it. Commits in the
// next turn unless held; can lose or delay proposals. The real one has its own tests;
// test/e2e/manager.test.ts runs this code on it.
import type {
  AppliedEntry,
  Proposed,
  RaftLog,
  RaftRole,
  RaftStatus,
} from '#manager/host/raft/raft-node';

interface Waiting {
  readonly data: Uint8Array;
  readonly resolve: (proposed: Proposed) => void;
  readonly reject: (error: unknown) => void;
}

export class TestRaft implements RaftLog {
  readonly log: Uint8Array[] = [];
  isHeld = false;
  /** As shown by `status`. */
  leaderId: number | null = 1;
  term = 1;
  /** What confirms a read; rejects when no quorum does. */
  confirm: () => Promise<void> = () => Promise.resolve();
  reads = 0;
  #waiting: Waiting[] = [];
  #apply: (entry: AppliedEntry) => void = () => undefined;
  #provide: () => Uint8Array | Promise<Uint8Array> = () => new Uint8Array();
  #role: (role: RaftRole, status: RaftStatus) => void = () => undefined;

  async start(): Promise<void> {
    this.#role('leader', this.status());
  }

  propose(data: Uint8Array): Promise<Proposed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ data, resolve, reject });
      if (!this.isHeld) setImmediate(() => this.commit());
    });
  }

  /** Commits the oldest `count` proposals. */
  commit(count: number = this.#waiting.length): void {
    for (const { data, resolve } of this.#waiting.splice(0, count)) resolve(this.#append(data));
  }

  /**
   * The oldest proposal is lost; its caller gets `error`. With `late` it is committed all the same,
   * after that.
   */
  async lose(error: unknown, late = false): Promise<void> {
    const lost = this.#waiting.shift();
    lost?.reject(error);
    await new Promise((resolve) => setImmediate(resolve));
    if (lost && late) this.#append(lost.data);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  #append(data: Uint8Array): Proposed {
    this.log.push(data);
    const proposed = { index: this.log.length, term: 1 };
    this.#apply({ ...proposed, data });
    return proposed;
  }

  onApply(callback: (entry: AppliedEntry) => void): void {
    this.#apply = callback;
  }

  onSnapshotRestore(): void {}

  provideSnapshot(callback: () => Uint8Array | Promise<Uint8Array>): void {
    this.#provide = callback;
  }

  snapshot(): Uint8Array | Promise<Uint8Array> {
    return this.#provide();
  }

  async readIndex(): Promise<number> {
    this.reads++;
    await this.confirm();
    return this.log.length;
  }

  status(): RaftStatus {
    const index = this.log.length;
    return {
      raftId: 1,
      role: 'leader',
      term: this.term,
      leaderId: this.leaderId,
      commitIndex: index,
      appliedIndex: index,
      firstIndex: 1,
      lastIndex: index,
      snapshotIndex: 0,
      members: [
        {
          raftId: 1,
          voter: true,
          matchIndex: index,
          active: true,
          rttMs: null,
          silentMs: 0,
          instance: null,
        },
      ],
      walSyncs: 0,
      walBytes: 0,
      peerPort: null,
      isRecovering: false,
    };
  }

  onRoleChange(callback: (role: RaftRole, status: RaftStatus) => void): void {
    this.#role = callback;
  }

  async stop(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('stopped'));
  }
}
