// Faults that are several at once, timed against each other: the states they lead to are rare when
// each comes by itself. Each is a way in which other implementations have lost data: entries of
// several terms on their way to one disk, a deposed leader that still gets answers, a membership
// change that only one side of a cut has heard of, a crash between two writes.
import { ChangeType, Transition } from '#manager/raft/conf-change';
import type { Prng } from '#test/support/prng';
import type { Group } from './group.ts';
import type { SimMember } from './sim-member.ts';

const NO_CONTEXT = new Uint8Array(0);
/** Reads at a leader that may be none any more. */
const STALE_READS = 12;
/** Of a follower's reads in one life: enough that those of its next life come as far. */
const EARLY_READS = 6;
const LATER_READS = 30;

/** What clients do when asked to: at the one member, or wherever they like. */
export interface Crowd {
  /** Many writes at once. */
  readonly write: (at: SimMember | null) => void;
  readonly read: (at: SimMember) => void;
}

export class Storms {
  readonly #group: Group;
  readonly #prng: Prng;
  crowd: Crowd = { write: () => {}, read: () => {} };

  constructor(group: Group, prng: Prng) {
    this.#group = group;
    this.#prng = prng;
  }

  /** In so many election timeouts, unless all is well by then. */
  #in(timeouts: number, action: () => void): void {
    this.#group.world.at(timeouts * this.#group.timeoutUs, null, () => {
      if (!this.#group.isHealed) action();
    });
  }

  #between(least: number, most: number): number {
    return least + this.#prng.next() * (most - least);
  }

  #slow({ drive }: SimMember, timeouts: number): void {
    const { timeoutUs, usualSpeed } = this.#group;
    const fastUs = timeoutUs * this.#between(0.5, 2);
    drive.speed = { fastUs, slowChance: 0.3, slowUs: timeoutUs * 2 };
    this.#in(timeouts, () => {
      drive.speed = usualSpeed;
    });
  }

  #part(side: readonly SimMember[]): void {
    const { network, members } = this.#group;
    for (const a of side) {
      for (const b of members) {
        if (side.includes(b)) continue;
        network.cut(a.id, b.id);
        network.cut(b.id, a.id);
      }
    }
  }

  #voters(leader: SimMember): SimMember[] {
    const conf = leader.process?.host?.core.raft.tracker.conf;
    return (conf?.voters ?? []).map((id) => this.#group.member(id));
  }

  /**
   * A leader and too few followers, if any, are cut off while clients still write there; their disks are slow,
   * so that the cut ends before what they got is written, and the new leader's entries come on top.
   */
  minority(): boolean {
    const leader = this.#group.leader();
    if (leader === null) return false;
    const voters = this.#voters(leader);
    const others = voters.filter((member) => member !== leader);
    // With the leader fewer than half.
    const count = Math.floor((voters.length - 1) / 2) - 1;
    if (count < 0) return false;
    const start = this.#prng.below(others.length);
    const followers = [...others.slice(start), ...others.slice(0, start)].slice(0, count);
    const side = [leader, ...followers];
    for (const member of side) this.#slow(member, 5);
    // What was sent before the cut is in everybody's queue; what comes behind it, only here.
    this.crowd.write(leader);
    this.#in(this.#between(0, 0.2), () => {
      this.#part(side);
      this.crowd.write(leader);
    });
    this.#in(this.#between(0.3, 0.7), () => this.crowd.write(leader));
    this.#in(this.#between(1, 3), () => {
      this.#group.network.healAll();
      this.crowd.write(null);
    });
    return true;
  }

  /**
   * A leader is cut off with what only it has, and two others lead after it, one after the other: the second begins behind a log that has grown, and asks for the place where they part.
   */
  successors(): boolean {
    const leader = this.#group.leader();
    if (leader === null || this.#voters(leader).length < 3) return false;
    this.crowd.write(leader);
    this.#part([leader]);
    this.crowd.write(leader);
    this.#in(this.#between(0.1, 0.5), () => this.crowd.write(leader));
    this.#in(this.#between(2, 3), () => this.crowd.write(null));
    this.#in(this.#between(3.2, 4), () => {
      const next = this.#group.leader();
      if (next === null || next === leader) return;
      this.#group.kill(next);
      this.#in(this.#between(1.5, 2.5), () => this.#group.start(next));
    });
    this.#in(this.#between(6, 8), () => {
      this.#group.network.healAll();
      this.crowd.write(null);
    });
    return true;
  }

  /** A follower with a slow disk falls behind in the middle of its own snapshot. */
  lag(): boolean {
    const leader = this.#group.leader();
    if (leader === null) return false;
    const others = this.#voters(leader).filter((member) => member !== leader);
    const behind = others[this.#prng.below(others.length)];
    if (behind === undefined) return false;
    this.crowd.write(leader);
    this.#in(this.#between(0, 0.3), () => this.#slow(behind, 8));
    this.#in(this.#between(0.2, 1), () => {
      this.#part([behind]);
      this.crowd.write(leader);
    });
    this.#in(this.#between(1, 3), () => this.#group.network.healAll());
    // What it has written of all that shows when it starts again.
    if (this.#prng.chance(0.5)) {
      this.#in(this.#between(2, 6), () => {
        this.#group.kill(behind);
        this.#in(this.#between(0, 1), () => this.#group.start(behind));
      });
    }
    return true;
  }

  /** Answers to a leader are late, and it is deposed meanwhile without hearing of it. */
  staleLeader(): boolean {
    const leader = this.#group.leader();
    if (leader === null) return false;
    const { network, members, timeoutUs } = this.#group;
    const others = members.filter((member) => member !== leader);
    const lateUs = timeoutUs * this.#between(0.9, 2);
    for (const { id } of others) network.hold(id, leader.id, lateUs);
    this.crowd.read(leader);
    this.#in(this.#between(0, 0.3), () => {
      for (const { id } of others) network.cut(leader.id, id);
    });
    for (let i = 0; i < STALE_READS; i++) {
      this.#in(this.#between(0.8, 2.2), () => this.crowd.read(leader));
    }
    this.#in(this.#between(1, 2), () => this.crowd.write(null));
    this.#in(this.#between(2.2, 4), () => network.healAll());
    return true;
  }

  /** A follower that has only just started asks for reads and starts anew before it is answered; the answers reach its next life, which has asked for others since. */
  restartedReader(): boolean {
    const leader = this.#group.leader();
    if (leader === null) return false;
    const others = this.#voters(leader).filter((member) => member !== leader);
    const reader = others[this.#prng.below(others.length)];
    if (!reader?.process) return false;
    const { network, timeoutUs } = this.#group;
    this.#startAnew(reader);
    this.#in(0.6, () => {
      network.hold(leader.id, reader.id, timeoutUs * this.#between(0.3, 0.7));
      for (let i = 0; i < EARLY_READS; i++) this.crowd.read(reader);
      this.#in(this.#between(0.02, 0.2), () => {
        this.#startAnew(reader);
        this.crowd.write(leader);
      });
    });
    for (let i = 0; i < LATER_READS; i++) {
      this.#in(this.#between(0.7, 1.6), () => this.crowd.read(reader));
    }
    this.#in(this.#between(1.8, 3), () => network.healAll());
    return true;
  }

  #startAnew(member: SimMember): void {
    this.#group.kill(member);
    this.#in(this.#between(0.01, 0.05), () => this.#group.start(member));
  }

  /** Most voters are to be replaced, and only the new ones hear of it. */
  jointSplit(): boolean {
    const leader = this.#group.leader();
    const host = leader?.process?.host;
    if (leader === null || !host) return false;
    const voters = this.#voters(leader);
    if (voters.length < 3 || voters.length > 4) return false;
    const leaving = voters.filter((member) => member !== leader).slice(0, 2);
    const coming = leaving.map(() => {
      const member = this.#group.addMember();
      this.#group.start(member);
      return member;
    });
    const changes = [
      ...coming.map(({ id }) => ({ type: ChangeType.addVoter, nodeId: id })),
      ...leaving.map(({ id }) => ({ type: ChangeType.remove, nodeId: id })),
    ];
    const transition = this.#prng.chance(0.5) ? Transition.auto : Transition.explicit;
    const refused = host.core.proposeConfChange({ transition, changes, context: NO_CONTEXT });
    host.receive([]);
    if (refused !== null) return false;
    this.#part([leader, ...coming]);
    this.#in(this.#between(0.5, 2), () => this.crowd.write(null));
    this.#in(this.#between(2, 6), () => this.#group.network.healAll());
    return true;
  }

  /** Power goes while a write is under way; several times, for some of them are of a new segment. */
  crashInWrite(member: SimMember): boolean {
    if (member.process === null) return false;
    member.drive.onWrite = (us) => {
      if (!this.#prng.chance(0.2)) return;
      member.drive.onWrite = null;
      this.#group.world.at(us * this.#prng.next(), null, () => {
        if (this.#group.isHealed) return;
        this.#group.kill(member);
        this.#in(this.#between(0, 1), () => this.#group.start(member));
      });
    };
    this.crowd.write(null);
    return true;
  }

  /** Whoever leads next wants to change the membership at once. */
  eagerChange(change: () => void): boolean {
    const leader = this.#group.leader();
    if (leader === null) return false;
    this.#group.onLeader = () => {
      this.#group.onLeader = null;
      change();
      if (this.#prng.chance(0.5)) change();
    };
    this.#part([leader]);
    this.#in(this.#between(1, 3), () => this.#group.network.healAll());
    return true;
  }
}
