// Chooses and carries out faults, one after the other, as the weather says. Every fault that is not
// over by itself (a process that is down, a disk that is full) ends after a while.
import type { RaftNode } from '#manager/host/raft/raft-node';
import { ChangeType, type ConfChange, Transition } from '#manager/raft/conf-change';
import type { Prng } from '#test/support/prng';
import type { Group } from './group.ts';
import type { SimMember } from './sim-member.ts';
import { Storms } from './storms.ts';
import { FAULT_KINDS, type FaultKind, type StormKind, type Weather } from './weather.ts';

const NO_CONTEXT = new Uint8Array(0);
/** Members of one configuration; each added one is a new process. */
const MEMBERS_MAX = 6;

export class Faults {
  readonly #group: Group;
  readonly #weather: Weather;
  readonly #prng: Prng;
  readonly #total: number;
  /** Members whose disk may decay: fewer than half of the voters. */
  readonly #mayRot: ReadonlySet<number>;
  /** How often each kind was carried out. */
  readonly counts = new Map<FaultKind, number>();
  readonly storms: Storms;
  /** Whether an operator could have it go on alone after a lost quorum. */
  mayGoOn: (member: SimMember) => boolean = () => true;

  constructor(group: Group, weather: Weather, prng: Prng) {
    this.#group = group;
    this.#weather = weather;
    this.#prng = prng;
    this.storms = new Storms(group, prng);
    this.#total = FAULT_KINDS.reduce((sum, kind) => sum + weather.faults[kind], 0);
    const start = prng.below(weather.voters);
    const most = Math.floor((weather.voters - 1) / 2);
    this.#mayRot = new Set(
      Array.from({ length: most }, (_, i) => 1 + ((start + i) % weather.voters)),
    );
  }

  /** Begins; ends with the healing of the group. */
  start(): void {
    if (this.#total === 0) return;
    const wait = -Math.log(1 - this.#prng.next()) * this.#weather.faultEveryUs;
    this.#group.world.at(wait, null, () => {
      if (this.#group.isHealed) return;
      this.#one();
      this.start();
    });
  }

  #one(): void {
    let at = this.#prng.next() * this.#total;
    for (const kind of FAULT_KINDS) {
      at -= this.#weather.faults[kind];
      if (at >= 0) continue;
      if (this.#carryOut(kind)) this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      return;
    }
  }

  #carryOut(kind: FaultKind): boolean {
    const member = this.#someone();
    switch (kind) {
      case 'crash':
        return this.#crash(member, this.#duration(3));
      case 'powerCut': {
        for (const other of this.#group.members) this.#crash(other, this.#duration(1));
        return true;
      }
      case 'pause':
        return this.#pause(member, ['main', 'raft'], this.#duration(4));
      case 'pauseThread':
        return this.#pause(member, [this.#prng.chance(0.5) ? 'main' : 'raft'], this.#duration(2));
      case 'isolate':
      case 'cutOneWay':
      case 'split':
      case 'healLinks':
        return this.#links(kind, member);
      case 'slowDisk':
        return this.#slowDisk(member);
      case 'syncError':
        member.drive.failures = 1;
        member.hasCause = true;
        return true;
      case 'fullDisk':
        return this.#fullDisk(member);
      case 'rot':
        return this.#rot(member);
      case 'transfer':
        return this.#transfer(member);
      case 'changeMembers':
        return this.#changeMembers();
      case 'rotateDataKey':
        return this.#askMember(member, (node) => node.rotateDataKey());
      case 'setUnlockKey':
        return this.#setUnlockKey(member);
      case 'loseQuorum':
        return this.#loseQuorum();
      case 'restartedReader':
        return this.storms.restartedReader();
      case 'burst':
        this.storms.crowd.write(null);
        return true;
      default:
        return this.#storm(kind, member);
    }
  }

  #storm(kind: StormKind, member: SimMember): boolean {
    const { storms } = this;
    switch (kind) {
      case 'minority':
      case 'lag':
      case 'staleLeader':
      case 'jointSplit':
      case 'successors':
        return storms[kind]();
      case 'crashInWrite':
        return storms.crashInWrite(member);
      case 'eagerChange':
        return storms.eagerChange(() => this.#changeNow());
    }
  }

  /** Leaders are hit more often than their share: most of what can go wrong goes wrong there. */
  #someone(): SimMember {
    const leader = this.#prng.chance(0.4) ? this.#group.leader() : null;
    if (leader !== null) return leader;
    const members = this.#group.members.filter(({ isGone }) => !isGone);
    return members[this.#prng.below(members.length)] ?? (this.#group.members[0] as SimMember);
  }

  #duration(timeouts: number): number {
    return this.#prng.next() * timeouts * this.#group.timeoutUs;
  }

  #crash(member: SimMember, downUs: number): boolean {
    if (member.process === null) return false;
    this.#group.kill(member);
    this.#group.world.at(downUs, null, () => this.#group.start(member));
    return true;
  }

  #pause(member: SimMember, threads: readonly ('main' | 'raft')[], lengthUs: number): boolean {
    const { process } = member;
    if (process === null) return false;
    const untilUs = Math.round(this.#group.world.nowUs + lengthUs);
    for (const thread of threads) {
      const actor = process[thread];
      // Never shorter than before: what was held back keeps its place.
      actor.pausedUntilUs = Math.max(actor.pausedUntilUs, untilUs);
    }
    return true;
  }

  #links(kind: 'isolate' | 'cutOneWay' | 'split' | 'healLinks', member: SimMember): boolean {
    const { network, members, world } = this.#group;
    if (kind === 'healLinks') {
      network.healAll();
      return true;
    }
    if (members.length < 2) return false;
    const others = members.filter((other) => other !== member);
    if (kind === 'isolate') {
      for (const { id } of others) {
        network.cut(member.id, id);
        network.cut(id, member.id);
      }
    } else if (kind === 'cutOneWay') {
      const isInward = this.#prng.chance(0.5);
      for (const { id } of this.#prng.chance(0.5) ? others : others.slice(0, 1)) {
        if (isInward) network.cut(id, member.id);
        else network.cut(member.id, id);
      }
    } else {
      const side = members.map(() => this.#prng.chance(0.5));
      for (const a of members) {
        for (const b of members) if (side[a.id - 1] !== side[b.id - 1]) network.cut(a.id, b.id);
      }
    }
    world.at(this.#duration(6), null, () => network.healAll());
    return true;
  }

  #slowDisk({ drive }: SimMember): boolean {
    const usual = this.#group.usualSpeed;
    drive.speed = { fastUs: usual.fastUs * 10, slowChance: 0.3, slowUs: this.#group.timeoutUs };
    this.#group.world.at(this.#duration(5), null, () => {
      if (!this.#group.isHealed) drive.speed = usual;
    });
    return true;
  }

  #fullDisk(member: SimMember): boolean {
    member.drive.freeBytes = this.#prng.chance(0.5) ? 0 : 300_000;
    member.hasCause = true;
    this.#group.world.at(this.#duration(6), null, () => {
      member.drive.freeBytes = Number.MAX_SAFE_INTEGER;
    });
    return true;
  }

  /** Decay is found when the log is read: at a start. */
  #rot(member: SimMember): boolean {
    if (!this.#mayRot.has(member.id)) return false;
    if (member.process === null || this.#prng.chance(0.5)) return this.#decay(member);
    // A start writes the header of a segment, which may be all that follows what decays.
    this.#crash(member, this.#duration(0.1));
    this.#group.world.at(this.#duration(0.6), null, () => {
      if (!this.#group.isHealed) this.#decay(member);
    });
    return true;
  }

  #decay(member: SimMember): boolean {
    if (member.process !== null) this.#crash(member, this.#duration(1));
    if (!member.drive.rot()) return false;
    member.hasRotted = true;
    return true;
  }

  /** Calls the leader's main thread as the rest of the manager does; whatever comes of it. */
  #ask(action: (node: RaftNode) => Promise<void>): boolean {
    const process = this.#group.leader()?.process;
    if (!process) return false;
    this.#group.world.become(process.main, () => {
      action(process.node).catch(() => {});
    });
    return true;
  }

  #askMember({ process }: SimMember, action: (node: RaftNode) => Promise<void>): boolean {
    if (process === null) return false;
    this.#group.world.become(process.main, () => {
      action(process.node).catch(() => {});
    });
    return true;
  }

  #setUnlockKey(member: SimMember): boolean {
    const key = this.#prng.chance(0.3) ? null : this.#prng.bytes(32);
    return this.#askMember(member, (node) => {
      member.keys.asked(key);
      return node.setUnlockKey(key).then(() => member.keys.answered(key));
    });
  }

  /** More members are lost than the group can do without; mostly the one with the longest log goes on. */
  #loseQuorum(): boolean {
    const conf = this.#group.leader()?.process?.host?.core.raft.tracker.conf;
    if (!conf || conf.voters.length < 2) return false;
    const prng = this.#prng;
    const members = [...conf.voters, ...conf.learners].map((id) => this.#group.member(id));
    const able = members.filter((m) => m.durable.lastIndex > 0 && !m.isGone && this.mayGoOn(m));
    const longest = able.toSorted(byLog)[0];
    if (longest === undefined) return false;
    const any = able[prng.below(able.length)] as SimMember;
    const survivor = prng.chance(0.6) ? longest : any;
    const others = able.filter((member) => member !== survivor && isHarmless(member));
    const returning = prng.chance(0.5) ? (others[prng.below(others.length)] ?? null) : null;
    this.#group.loseQuorum(survivor, returning);
    return true;
  }

  #transfer(to: SimMember): boolean {
    const isNamed = this.#prng.chance(0.7);
    return this.#ask((node) => node.transferLeadership(isNamed ? to.id : undefined));
  }

  #changeMembers(): boolean {
    const raft = this.#group.leader()?.process?.host?.core.raft;
    if (raft === undefined) return false;
    const prng = this.#prng;
    const { voters, learners } = raft.tracker.conf;
    const pick = (ids: readonly number[]): number => ids[prng.below(ids.length)] ?? 0;
    const kind = prng.next();
    if (kind < 0.3 && voters.length + learners.length < MEMBERS_MAX) {
      const member = this.#newcomer();
      return this.#ask((node) => node.addLearner(member.id));
    }
    if (kind < 0.55 && learners.length > 0) {
      const id = pick(learners);
      return this.#ask((node) => node.promote(id));
    }
    if (kind < 0.7 && learners.length > 0) {
      const [oldId, newId] = [pick(voters), pick(learners)];
      return this.#ask((node) => node.replaceMember(oldId, newId));
    }
    if (kind < 0.85) {
      const id = pick(prng.chance(0.2) ? learners : voters);
      return id !== 0 && this.#ask((node) => node.removeMember(id));
    }
    return this.#rawChange([...voters, ...learners]);
  }

  #changeNow(): void {
    const conf = this.#group.leader()?.process?.host?.core.raft.tracker.conf;
    if (conf) this.#rawChange([...conf.voters, ...conf.learners]);
  }

  #newcomer(): SimMember {
    const member = this.#group.addMember();
    this.#group.start(member);
    return member;
  }

  /** Any change that the core accepts, whatever a manager would ask for. */
  #rawChange(ids: readonly number[]): boolean {
    const host = this.#group.leader()?.process?.host;
    if (!host) return false;
    const prng = this.#prng;
    const count = prng.chance(0.2) ? 0 : 1 + prng.below(3);
    const kinds = [ChangeType.addVoter, ChangeType.remove, ChangeType.addLearner];
    const changes = Array.from({ length: count }, () => {
      const isNew = ids.length < MEMBERS_MAX && prng.chance(0.3);
      const type = kinds[prng.below(kinds.length)] as ConfChange['changes'][number]['type'];
      const nodeId = isNew ? this.#newcomer().id : (ids[prng.below(ids.length)] as number);
      return { type, nodeId };
    });
    // Without changes: leave a joint configuration.
    const transition = count === 0 ? Transition.auto : (prng.below(3) as ConfChange['transition']);
    const refused = host.core.proposeConfChange({ transition, changes, context: NO_CONTEXT });
    host.receive([]);
    return refused === null;
  }
}

/** The longest log first, as elections have it. */
function byLog({ durable: a }: SimMember, { durable: b }: SimMember): number {
  const lastTerms = (b.termAt(b.lastIndex) ?? 0) - (a.termAt(a.lastIndex) ?? 0);
  return lastTerms !== 0 ? lastTerms : b.lastIndex - a.lastIndex;
}

/** Whether it cannot lead alone, whatever it knows of the group. */
function isHarmless({ process }: SimMember): boolean {
  const conf = process?.host?.core.raft.tracker.conf;
  return conf !== undefined && conf.voters.length > 1 && conf.votersOutgoing.length !== 1;
}
