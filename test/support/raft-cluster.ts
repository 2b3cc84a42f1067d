// A cluster of real cores in one process, driven by a generator of random events: ticks, deliveries
// in any order, losses, duplicates, one-way cuts, slow disks, crashes that lose everything not
// synced, membership changes, transfers, compaction, reads. Checks after every event what must
// always hold (raft.md §3): one leader per term, one vote per term across crashes, equal committed
// entries, leader completeness, durable before acknowledged, next > match, linearizable reads.
import {
  type ConfChangeSingle,
  encodeConfChange,
  type Transition,
} from '#manager/raft/conf-change';
import { RAFT_DEFAULTS } from '#manager/raft/config';
import { RawNode } from '#manager/raft/raw-node';
import { MemoryStorage } from '#manager/raft/storage';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type Entry,
  type Message,
  MessageType,
  type RaftId,
  Role,
  type StepError,
} from '#manager/raft/types';
import type { Prng } from '#test/support/prng';

const FIRST_INDEX = 1;
const MAX_QUEUED_MESSAGES = 400;
/** Per event that meets a crashed member. */
const RESTART_PROBABILITY = 0.05;

interface Member {
  readonly id: RaftId;
  /** Survives crashes. */
  readonly storage: MemoryStorage;
  node: RawNode;
  appendQueue: Message[];
  applyQueue: Message[];
  /** Last index given to the state machine in this life. */
  appliedIndex: number;
  /** Highest committed index that was checked in this life. */
  checkedIndex: number;
  isUp: boolean;
}

/** How rough the weather is; all probabilities. */
export interface Weather {
  readonly drop: number;
  readonly duplicate: number;
  readonly crash: number;
  readonly cut: number;
  /** The members fall into two groups that cannot reach each other, for a while. */
  readonly split: number;
  readonly confChange: number;
  readonly compact: number;
  readonly transfer: number;
  readonly read: number;
  /** A member stands for election although nothing is wrong. */
  readonly restless: number;
  /** Share of events that finish a write: low means slow disks. */
  readonly sync: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** Each member decides about pre-vote by itself, as during a rolling change of settings. */
  readonly mixed: boolean;
}

/** Small, so that the limit is met; a leak of it would stop everything. */
const MAX_UNCOMMITTED_BYTES = 150;

export class RaftCluster {
  readonly #prng: Prng;
  readonly #weather: Weather;
  readonly members: Member[] = [];
  #network: Message[] = [];
  /** One-way cuts, `from>to`. */
  readonly #cuts = new Set<string>();
  readonly #leaders = new Map<number, RaftId>();
  readonly #votes = new Map<string, RaftId>();
  /** index → `term data` of everything that any member has ever seen committed. */
  readonly committed = new Map<number, string>();
  highestCommitted = FIRST_INDEX;
  /** read id → highest committed index when it was asked. */
  readonly #reads = new Map<number, number>();
  #nextRead = 1;
  #nextProposal = 1;
  #isCalm = false;
  #splitSteps = 0;
  #reports: { readonly from: RaftId; readonly to: RaftId; readonly failed: boolean }[] = [];
  answeredReads = 0;
  crashes = 0;
  confChanges = 0;
  snapshots = 0;

  constructor(prng: Prng, options: { voters: number; spares: number; weather: Weather }) {
    this.#prng = prng;
    this.#weather = options.weather;
    const voters = Array.from({ length: options.voters }, (_, i) => i + 1);
    for (let id = 1; id <= options.voters + options.spares; id++) {
      const storage = new MemoryStorage();
      if (id <= options.voters) {
        const empty = {
          votersOutgoing: [],
          learners: [],
          learnersNext: [],
          autoLeave: false,
          epoch: 0,
        };
        const confState = { ...empty, voters };
        storage.applySnapshot({ index: FIRST_INDEX, term: 1, confState, data: new Uint8Array(0) });
        storage.setHardState({ term: 1, vote: 0, commit: FIRST_INDEX });
      }
      this.members.push(this.#boot(id, storage));
    }
  }

  #boot(id: RaftId, storage: MemoryStorage): Member {
    const applied = storage.snapshot()?.index ?? 0;
    const node = new RawNode({
      ...RAFT_DEFAULTS,
      id,
      storage,
      applied,
      electionTicks: 5,
      maxInflightMessages: 3,
      maxMessageBytes: 100,
      maxCommittedBytesPerReady: 60,
      maxUncommittedBytes: MAX_UNCOMMITTED_BYTES,
      checkQuorum: this.#weather.checkQuorum,
      preVote: this.#weather.mixed ? id % 2 === 0 : this.#weather.preVote,
      random: () => this.#prng.next(),
      note: () => {},
    });
    const appendQueue: Message[] = [];
    const applyQueue: Message[] = [];
    const checkedIndex = applied;
    return {
      id,
      storage,
      node,
      appendQueue,
      applyQueue,
      appliedIndex: applied,
      checkedIndex,
      isUp: true,
    };
  }

  #fail(message: string, values: unknown): never {
    throw new Error(`${message}: ${JSON.stringify(values)}`);
  }

  /** One random event. */
  step(): void {
    const member = this.members[this.#prng.below(this.members.length)] as Member;
    const weather = this.#weather;
    const toggle = member.isUp ? weather.crash : RESTART_PROBABILITY;
    if (this.#prng.chance(toggle)) this.#toggle(member);
    if (this.#prng.chance(weather.cut)) this.#toggleCut();
    if (this.#prng.chance(weather.split)) this.#split();
    if (this.#splitSteps > 0 && --this.#splitSteps === 0) this.#cuts.clear();
    if (!member.isUp) return;
    const kind = this.#prng.next();
    if (kind < 0.15) member.node.tick();
    else if (kind < 0.55) this.#deliverRandom();
    else if (kind < 0.55 + weather.sync) this.#syncOne(member);
    else if (kind < 0.8) this.#applyOne(member);
    else if (kind < 0.88) this.#propose(this.#someLeader(member));
    else if (this.#prng.chance(weather.restless)) member.node.campaign();
    else if (this.#prng.chance(weather.confChange)) this.#changeMembers(this.#someLeader(member));
    else if (this.#prng.chance(weather.compact)) this.#compact(member);
    else if (this.#prng.chance(weather.transfer)) this.#transfer(member);
    else if (this.#prng.chance(weather.read)) this.#read(this.#someLeader(member));
    else this.#report();
    this.collect();
  }

  #toggle(member: Member): void {
    if (member.isUp) {
      this.crashes++;
      member.isUp = false;
      member.appendQueue = [];
      member.applyQueue = [];
    } else {
      Object.assign(member, this.#boot(member.id, member.storage));
    }
  }

  #toggleCut(): void {
    const count = this.members.length;
    const cut = `${1 + this.#prng.below(count)}>${1 + this.#prng.below(count)}`;
    if (!this.#cuts.delete(cut)) this.#cuts.add(cut);
  }

  #split(): void {
    this.#cuts.clear();
    this.#splitSteps = 100 + this.#prng.below(900);
    const isLeft = this.members.map(() => this.#prng.chance(0.5));
    for (const [i, left] of isLeft.entries()) {
      for (const [j, other] of isLeft.entries()) {
        if (left !== other) this.#cuts.add(`${i + 1}>${j + 1}`);
      }
    }
  }

  /** Mostly somebody who believes to lead: rightly, or not any more. */
  #someLeader(otherwise: Member): Member {
    const leaders = this.members.filter(({ isUp, node }) => isUp && node.raft.role === Role.leader);
    return leaders[this.#prng.below(leaders.length)] ?? otherwise;
  }

  #deliverRandom(): void {
    if (this.#network.length === 0) return;
    const i = this.#prng.chance(0.7) ? 0 : this.#prng.below(this.#network.length);
    const message = this.#network[i] as Message;
    if (!this.#prng.chance(this.#weather.duplicate)) this.#network.splice(i, 1);
    this.#deliver(message);
  }

  #deliver(message: Message): void {
    const member = this.members[message.to - 1];
    if (member === undefined || !member.isUp) return;
    if (this.#cuts.has(`${message.from}>${message.to}`)) return;
    member.node.step(message);
  }

  /** Takes over what every core wants done, and checks it. */
  collect(): void {
    for (const member of this.members) {
      if (!member.isUp) continue;
      while (member.node.hasReady()) this.#handleReady(member);
      this.#check(member);
    }
  }

  #handleReady(member: Member): void {
    const ready = member.node.ready();
    for (const { context, index } of ready.readStates) this.#checkRead(context, index);
    for (const message of ready.messages) {
      if (message.to === APPEND_THREAD) member.appendQueue.push(message);
      else if (message.to === APPLY_THREAD) member.applyQueue.push(message);
      else this.#send(member, message);
    }
  }

  #send(member: Member, message: Message): void {
    const { type, term, to, from } = message;
    if (type === MessageType.voteResponse && !message.reject) {
      const key = `${from} in term ${term}`;
      const before = this.#votes.get(key);
      if (before !== undefined && before !== to) this.#fail('voted twice', { key, before, to });
      this.#votes.set(key, to);
      const { term: durable, vote } = member.storage.hardState();
      if (durable < term || (durable === term && vote !== to)) {
        this.#fail('vote sent before it was durable', { key, durable, vote });
      }
    }
    if (type === MessageType.appendResponse && !message.reject && message.index > 0) {
      if (member.storage.lastIndex() < message.index) {
        this.#fail('acknowledged before it was durable', { from, index: message.index });
      }
    }
    const isLost = !this.#isCalm && this.#prng.chance(this.#weather.drop);
    // A transport knows whether a snapshot went out whole, though not what became of it.
    if (type === MessageType.snapshot) this.#reports.push({ from, to, failed: isLost });
    if (isLost) return;
    this.#network.push(message);
    if (this.#network.length > MAX_QUEUED_MESSAGES) this.#network.shift();
  }

  #report(): void {
    const report = this.#reports.shift();
    if (report === undefined) return;
    const member = this.members[report.from - 1];
    if (member?.isUp) member.node.reportSnapshot(report.to, report.failed);
  }

  #syncOne(member: Member): void {
    const work = member.appendQueue.shift();
    if (work === undefined) return;
    const { term, vote, commit, snapshot, entries } = work;
    if (term !== 0) member.storage.setHardState({ term, vote, commit });
    if (snapshot !== null) {
      this.snapshots++;
      member.storage.applySnapshot(snapshot);
      member.appliedIndex = Math.max(member.appliedIndex, snapshot.index);
      member.checkedIndex = Math.max(member.checkedIndex, snapshot.index);
    }
    member.storage.append(entries);
    for (const response of work.responses) {
      if (response.to === member.id) member.node.step(response);
      else this.#send(member, response);
    }
  }

  #applyOne(member: Member): void {
    const work = member.applyQueue.shift();
    if (work === undefined) return;
    for (const entry of work.entries) {
      if (entry.index <= member.appliedIndex) continue; // A snapshot has overtaken the queue.
      if (entry.index !== member.appliedIndex + 1) {
        this.#fail('applied out of order', { id: member.id, index: entry.index });
      }
      this.#checkCommitted(member.id, entry);
      member.appliedIndex = entry.index;
    }
    for (const response of work.responses) member.node.step(response);
  }

  #propose(member: Member): StepError | null {
    const text = `value ${this.#nextProposal++}`;
    return member.node.propose(new TextEncoder().encode(text));
  }

  #changeMembers(member: Member): void {
    if (member.node.raft.role !== Role.leader) return;
    const changes: ConfChangeSingle[] = [];
    const count = this.#prng.chance(0.1) ? 0 : 1 + this.#prng.below(3);
    for (let i = 0; i < count; i++) {
      const type = ([0, 1, 3] as const)[this.#prng.below(3)] ?? 0;
      changes.push({ type, nodeId: 1 + this.#prng.below(this.members.length) });
    }
    const transition = this.#prng.below(3) as Transition;
    const change = { transition, changes, context: new Uint8Array(0) };
    if (encodeConfChange(change).length === 0) return;
    if (member.node.proposeConfChange(change) === null) this.confChanges++;
  }

  #compact(member: Member): void {
    const index = member.appliedIndex;
    const term = member.storage.term(index);
    const isStable =
      index <= member.node.raft.log.applied && index < member.storage.lastIndex() + 1;
    if (term === null || !isStable || index <= member.storage.firstIndex()) return;
    const confState = member.node.confStateAt(index);
    if (confState === null) return;
    member.storage.recordSnapshot({ index, term, confState, data: new Uint8Array(0) });
    member.storage.compact(
      index - this.#prng.below(Math.min(5, index - member.storage.firstIndex())),
    );
  }

  #transfer(member: Member): void {
    member.node.transferLeader(1 + this.#prng.below(this.members.length));
  }

  #read(member: Member): void {
    const context = this.#nextRead++;
    this.#reads.set(context, this.highestCommitted);
    member.node.readIndex(context);
  }

  #checkRead(context: number, index: number): void {
    const atLeast = this.#reads.get(context);
    if (atLeast === undefined) this.#fail('answer to an unknown read', { context });
    if (index < atLeast) this.#fail('stale read', { context, index, atLeast });
    this.answeredReads++;
  }

  #check(member: Member): void {
    const { raft } = member.node;
    if (raft.role === Role.leader) {
      const known = this.#leaders.get(raft.term);
      if (known === undefined) this.#newLeader(member);
      else if (known !== raft.id) {
        this.#fail('two leaders in a term', { term: raft.term, known, other: raft.id });
      }
      for (const [id, progress] of raft.tracker.entries()) {
        if (progress.next <= progress.match) this.#fail('next <= match', { id });
      }
    }
    const from = Math.max(member.checkedIndex + 1, raft.log.firstIndex());
    for (let index = from; index <= raft.log.committed; index++) {
      const [entry] = raft.log.slice(index, index + 1, 1);
      this.#checkCommitted(member.id, entry as Entry);
    }
    member.checkedIndex = Math.max(member.checkedIndex, raft.log.committed);
  }

  #newLeader({ id, node }: Member): void {
    this.#leaders.set(node.raft.term, id);
    for (const [index, content] of this.committed) {
      if (index < node.raft.log.firstIndex()) continue;
      const isThere = index <= node.raft.log.lastIndex();
      const [entry] = isThere ? node.raft.log.slice(index, index + 1, 1) : [];
      if (entry === undefined || contentOf(entry) !== content) {
        this.#fail('a leader lacks a committed entry', { id, term: node.raft.term, index });
      }
    }
  }

  #checkCommitted(id: RaftId, entry: Entry): void {
    const content = contentOf(entry);
    const known = this.committed.get(entry.index);
    if (known !== undefined && known !== content) {
      this.#fail('different entries committed', { id, index: entry.index, known, content });
    }
    this.committed.set(entry.index, content);
    this.highestCommitted = Math.max(this.highestCommitted, entry.index);
  }

  /** Good weather: no loss, everybody up, until nothing happens any more or rounds run out. */
  heal(rounds: number): void {
    this.#isCalm = true;
    this.#cuts.clear();
    for (const member of this.members) if (!member.isUp) this.#toggle(member);
    for (let round = 0; round < rounds; round++) {
      for (const member of this.members) member.node.tick();
      this.#settle();
    }
  }

  #settle(): void {
    for (let i = 0; i < 200; i++) {
      this.collect();
      const messages = this.#network;
      this.#network = [];
      const hasWork = this.members.some(
        ({ appendQueue, applyQueue }) => appendQueue.length + applyQueue.length > 0,
      );
      if (messages.length === 0 && !hasWork) return;
      for (const message of messages) this.#deliver(message);
      while (this.#reports.length > 0) this.#report();
      for (const member of this.members) {
        while (member.appendQueue.length > 0) this.#syncOne(member);
        while (member.applyQueue.length > 0) this.#applyOne(member);
      }
    }
  }

  /** The leader of the highest term. */
  leader(): Member | null {
    let best: Member | null = null;
    for (const member of this.members) {
      if (!member.isUp || member.node.raft.role !== Role.leader) continue;
      if (best === null || member.node.raft.term > best.node.raft.term) best = member;
    }
    return best;
  }

  /** Proposes at the leader and lets it spread. */
  proposeAndSettle(): number {
    const leader = this.leader();
    if (leader === null) this.#fail('no leader in good weather', this.describe());
    const refused = this.#propose(leader);
    if (refused !== null) this.#fail('refused in good weather', { refused });
    const index = leader.node.raft.log.lastIndex();
    this.#settle();
    return index;
  }

  describe(): unknown {
    return this.members.map(({ id, node, isUp }) => ({
      id,
      isUp,
      role: node.raft.role,
      term: node.raft.term,
      committed: node.raft.log.committed,
      last: node.raft.log.lastIndex(),
      conf: node.raft.tracker.conf,
    }));
  }
}

function contentOf(entry: Entry): string {
  return `${entry.term} ${entry.type} ${new TextDecoder().decode(entry.data)}`;
}
