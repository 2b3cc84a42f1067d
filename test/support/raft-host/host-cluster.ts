// Three Raft hosts with real cores, real WAL code and disks that lose power, in one process: the
// host's own rules (group commit, responses after the sync, one report per turn) under crashes.
// Messages cross as bytes. The state machine of each member is the list of its applied texts, lost
// at a crash and rebuilt from the log.
import { tmpdir } from 'node:os';
import { RaftHost } from '#manager/host/raft/host';
import type { HostDeps } from '#manager/host/raft/host-deps';
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import { compileRaftOptions } from '#manager/host/raft/options';
import { packProposals, unpackApplied } from '#manager/host/raft/packing';
import { SnapshotStore } from '#manager/host/raft/snapshot-store';
import type { ThreadError, Turn } from '#manager/host/raft/thread-messages';
import { decodeMessages, encodeMessages } from '#manager/raft/codec';
import { MemoryStorage } from '#manager/raft/storage';
import { EMPTY_CONF_STATE, type Message } from '#manager/raft/types';
import { openWal, type Wal } from '#manager/wal/wal';
import type { Prng } from '#test/support/prng';
import { FakeDisk } from '#test/support/wal/fake-disk';
import { KEYS } from '#test/support/wal/harness';

const SEGMENT_BYTES = 256 * 1024;
const SESSION = new Uint8Array(8).fill(1);
const IDS = [1, 2, 3];

export interface HostMember {
  readonly id: number;
  readonly disk: FakeDisk;
  host: RaftHost | null;
  texts: string[];
  /** Applied index to acknowledge with the next input. */
  appliedIndex: number;
  turns: Turn[];
  due: (() => void)[];
  fatal: ThreadError | null;
}

/** Ways to make a cluster of honest members into another one. */
export interface HostClusterOptions {
  /** What the members look at before they believe a message. */
  readonly screen?: HostDeps['screen'];
  /** What becomes of a message on its way from `from`. */
  readonly tamper?: (message: Message, from: number) => Message;
}

export class HostCluster {
  readonly #prng: Prng;
  readonly #options: HostClusterOptions;
  readonly #folder: string;
  readonly members: HostMember[];
  #network: { readonly to: number; readonly bytes: Uint8Array }[] = [];
  #nextSeq = 1;
  #nowMs = 0;
  /** Texts whose proposer was told that they are applied. */
  readonly acknowledged: string[] = [];
  readonly #waiting = new Map<number, string>();

  constructor(prng: Prng, folder: string, options: HostClusterOptions = {}) {
    this.#prng = prng;
    this.#options = options;
    this.#folder = folder;
    this.members = IDS.map((id) => {
      const disk = new FakeDisk();
      const fields = { texts: [], appliedIndex: 0, turns: [], due: [], fatal: null };
      return { id, disk, host: null, ...fields };
    });
    for (const member of this.members) this.boot(member);
  }

  /** Opens the member's log and starts it; the first time, with all three as voters. */
  boot(member: HostMember): void {
    const identity = { clusterId: 'cluster-h', raftId: member.id };
    const options = { identity, segmentBytes: SEGMENT_BYTES, acceptDamage: false };
    const deps = { disk: member.disk, crypto: NODE_WAL_CRYPTO, keys: KEYS };
    const opened = openWal(options, deps);
    if (opened.state !== 'ok') throw new Error(`the log does not open: ${JSON.stringify(opened)}`);
    const { wal, contents } = opened;
    member.disk.isInstant = true;
    wal.begin(contents.void, rethrow);
    const mark = contents.mark ?? firstMark(wal);
    member.disk.isInstant = false;
    const storage = MemoryStorage.restore({
      // A log that was just made holds its first mark and the term of it.
      hardState: {
        ...contents.hardState,
        term: Math.max(1, contents.hardState.term),
        commit: Math.max(1, contents.hardState.commit),
      },
      snapshot: { ...mark.meta, data: new Uint8Array(0) },
      base: mark.base,
      entries: contents.entries,
    });
    member.texts = [];
    member.turns = [];
    member.due = [];
    member.appliedIndex = mark.meta.index;
    member.host = this.#host(member, wal, storage);
    member.host.start();
  }

  #host(member: HostMember, wal: Wal, storage: MemoryStorage): RaftHost {
    const identity = { clusterId: 'cluster-h', raftId: member.id };
    const raftOptions = compileRaftOptions({
      dataDir: tmpdir(),
      clusterId: identity.clusterId,
      raftId: member.id,
      startMode: 'restart',
      snapshotEveryEntries: Number.MAX_SAFE_INTEGER,
      snapshotEveryBytes: Number.MAX_SAFE_INTEGER,
    });
    const snapshots = new SnapshotStore(this.#folder, {
      identity,
      crypto: NODE_WAL_CRYPTO,
      keys: KEYS,
    });
    return new RaftHost(raftOptions, {
      wal,
      storage,
      snapshots,
      appliedIndex: member.appliedIndex,
      recoverUpTo: 0,
      recoverTerm: 0,
      random: () => this.#prng.next(),
      nowMs: () => this.#nowMs,
      sendSnapshot: () => {},
      peerPort: () => null,
      ...(this.#options.screen ? { screen: this.#options.screen } : {}),
      send: (to, messages) => this.send(to, messages, member.id),
      postTurn: (turn) => member.turns.push(turn),
      fatal: (error) => {
        member.fatal = error;
      },
      schedule: (action) => member.due.push(action),
    });
  }

  /** Puts messages on their way. */
  send(to: number, messages: readonly Message[], from: number): void {
    const { tamper } = this.#options;
    const sent = tamper ? messages.map((message) => tamper(message, from)) : messages;
    this.#network.push({ to, bytes: encodeMessages(sent) });
  }

  /** Power cut: the disk keeps what it kept, everything else is gone. */
  crash(member: HostMember): void {
    member.host = null;
    member.due = [];
    member.disk.crash(this.#prng);
    this.#waiting.clear();
  }

  step(drop: number): void {
    const member = this.members[this.#prng.below(3)] as HostMember;
    const { host } = member;
    if (host === null) return;
    const kind = this.#prng.next();
    if (kind < 0.1) {
      this.#nowMs += 10;
      host.tick();
    } else if (kind < 0.5) this.#deliver(drop);
    else if (kind < 0.7) member.disk.completeOne();
    else if (kind < 0.8) this.#propose(host);
    else member.due.shift()?.();
    this.#handleTurns(member);
  }

  #deliver(drop: number): void {
    const packet = this.#network.shift();
    if (packet === undefined || this.#prng.chance(drop)) return;
    const messages = decodeMessages(packet.bytes);
    if (messages === null) {
      // What was tampered with may be refused by the codec already.
      if (this.#options.tamper) return;
      throw new Error('a message does not survive its bytes');
    }
    this.members[packet.to - 1]?.host?.receive(messages);
  }

  #propose(host: RaftHost): void {
    if (host.status().role !== 'leader') return;
    const count = 1 + this.#prng.below(3);
    const firstSeq = this.#nextSeq;
    const items = Array.from({ length: count }, (_, i) => {
      const seq = firstSeq + i;
      const text = `text ${seq}`;
      this.#waiting.set(seq, text);
      return { seq, data: Buffer.from(text) };
    });
    this.#nextSeq += count;
    const packed = packProposals(SESSION, items);
    const appliedIndex = this.members[host.status().raftId - 1]?.appliedIndex ?? 0;
    host.handle({ type: 'input', packed, firstSeq, appliedIndex });
  }

  #handleTurns(member: HostMember): void {
    for (const turn of member.turns.splice(0)) {
      if (turn.applied === null) continue;
      for (const { seq, data } of unpackApplied(turn.applied.packed, SESSION)) {
        const text = Buffer.from(data).toString();
        member.texts.push(text);
        const isOwn = member.host?.status().role === 'leader';
        if (isOwn && seq !== null && this.#waiting.get(seq) === text) {
          this.#waiting.delete(seq);
          this.acknowledged.push(text);
        }
      }
      member.appliedIndex = turn.applied.appliedIndex;
      const { appliedIndex } = member;
      member.host?.handle({ type: 'input', packed: null, firstSeq: 0, appliedIndex });
    }
  }

  /** Good weather until everybody has applied the same. */
  settle(rounds: number): void {
    for (const member of this.members) if (member.host === null) this.boot(member);
    for (let round = 0; round < rounds; round++) {
      if (round % 5 === 0) for (const { host } of this.members) host?.tick();
      for (let i = 0; i < 20; i++) {
        while (this.#network.length > 0) this.#deliver(0);
        for (const member of this.members) {
          member.disk.completeAll();
          for (const action of member.due.splice(0)) action();
          this.#handleTurns(member);
        }
      }
    }
  }
}

function firstMark(wal: Wal): NonNullable<Parameters<Wal['append']>[0]['mark']> {
  const confState = { ...EMPTY_CONF_STATE, voters: IDS };
  const meta = { index: 1, term: 1, confState };
  const mark = { meta, hasFile: false, base: { index: 1, term: 1 }, replacesLog: true };
  const hardState = { term: 1, vote: 0, commit: 1 };
  wal.append({ hardState, entries: [], mark }, rethrow);
  return mark;
}

function rethrow(error: Error | null): void {
  if (error !== null) throw error;
}
