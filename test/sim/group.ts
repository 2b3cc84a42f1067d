// A group of managers under weather: makes members, starts and ends their processes, carries their
// messages, and tells the checks of everything. What runs on top (registers, or the whole manager)
// comes in as an application.
import type { RaftHost } from '#manager/host/raft/host';
import type { RaftNode, RaftNodeOptions } from '#manager/host/raft/raft-node';
import { Role } from '#manager/raft/types';
import type { TswarmError } from '#protocol/errors';
import { check, SimFailure } from './failure.ts';
import { type CheckedMember, GroupChecks } from './group-checks.ts';
import { SimCrypto } from './sim-crypto.ts';
import { type DriveSpeed, SimDrive } from './sim-drive.ts';
import { CLUSTER_ID, SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { type Packet, SimProcess } from './sim-process.ts';
import { stream } from './streams.ts';
import type { Weather } from './weather.ts';
import type { Actor, World } from './world.ts';

const PROPOSE_TIMEOUT_TICKS = 50;
const DISK_CHECK_TICKS = 10;
/** With less the disk counts as full: a process may end for it. */
const PLENTY_BYTES = 1e9;
/** Sending a snapshot takes this many times as long as a message. */
const SNAPSHOT_HOPS = 3;

/** What runs on the main thread of each process. */
export interface Application {
  /** A process begins: registers callbacks. */
  attach(member: SimMember, process: { readonly node: RaftNode; readonly main: Actor }): void;
  /** It has ended, in whatever way. */
  ended(member: SimMember): void;
  /** A member goes on alone; `hasLost`: without something that had been committed. Told again if its start is cut off. */
  forced(member: SimMember, hasLost: boolean): void;
  /** Whether the application knows that the member goes on alone; until then its starts are forced ones. */
  hasTakenOver(member: SimMember): boolean;
}

export interface GroupSettings {
  readonly seed: number;
  readonly weather: Weather;
  readonly segmentBytes: number;
}

export class Group {
  readonly world: World;
  readonly network: SimNetwork;
  /** Of the group as it is now; members of one from before a lost quorum have their own. */
  checks: GroupChecks = new GroupChecks();
  /** All that ever were; member n is at n - 1. */
  readonly members: SimMember[] = [];
  readonly #crypto: SimCrypto;
  readonly #settings: GroupSettings;
  readonly #app: Application;
  readonly #clockPrng: ReturnType<typeof stream>;
  readonly #byActor = new Map<Actor, SimMember>();
  crashes = 0;
  /** Told when a member becomes leader, in the same event. */
  onLeader: (() => void) | null = null;
  /** Nothing ends a process any more. */
  isHealed = false;

  constructor(world: World, settings: GroupSettings, app: Application) {
    this.world = world;
    this.#settings = settings;
    this.#app = app;
    const { seed, weather } = settings;
    this.network = new SimNetwork(world, stream(seed, 'network'));
    this.network.weather = weather.link;
    this.#clockPrng = stream(seed, 'clock');
    this.#crypto = new SimCrypto(stream(seed, 'crypto'));
    const voters = Array.from({ length: weather.voters }, (_, i) => i + 1);
    for (const _ of voters) this.addMember().prepare(voters, settings.segmentBytes);
    this.checks.durableOf = (id) => {
      const member = this.members[id - 1];
      return member ? { log: member.durable, hasRotted: member.hasRotted } : null;
    };
    world.afterEvent = (actor) => this.#afterEvent(actor);
  }

  /** One election timeout of a perfect clock. */
  get timeoutUs(): number {
    const { tickMs, electionTicks } = this.#settings.weather;
    return tickMs * electionTicks * 1000;
  }

  member(id: number): SimMember {
    return this.members[id - 1] as SimMember;
  }

  /** A new member with an empty disk, which is not in the group yet. */
  addMember(): SimMember {
    const id = this.members.length + 1;
    const drive = new SimDrive(this.world, stream(this.#settings.seed, 'disk', id));
    drive.speed = this.usualSpeed;
    const member = new SimMember(id, drive, this.#crypto, this.checks);
    this.members.push(member);
    return member;
  }

  get usualSpeed(): DriveSpeed {
    const { diskUs, diskSlowChance, diskSlowUs } = this.#settings.weather;
    return { fastUs: diskUs, slowChance: diskSlowChance, slowUs: diskSlowUs };
  }

  /** Starts the member's process. */
  start(member: SimMember): void {
    if (member.process !== null || member.isGone || member.isBroken) return;
    const { seed, weather } = this.#settings;
    member.checks.started(member.id);
    member.hasCause = member.drive.failures > 0 || member.drive.freeBytes < PLENTY_BYTES;
    const prng = this.#clockPrng;
    const process: SimProcess = new SimProcess(member, {
      world: this.world,
      options: this.#optionsOf(member),
      tuning: weather.tuning,
      prng: stream(seed, 'raft', member.id * 1000 + member.starts),
      rate: 1 + (prng.next() * 2 - 1) * weather.drift,
      skewMs: Math.round((prng.next() * 2 - 1) * weather.skewMs),
      diskCheckMs: weather.tickMs * DISK_CHECK_TICKS,
      send: (to, packet) => this.#send(member, to, packet),
      onSent: (message) => {
        const checked = this.#checked(member);
        if (checked !== null) member.checks.sent(checked, message);
      },
      onEnd: (reason, error) => this.#onEnd(member, reason, error),
      attach: (node) => {
        node.onRemoved(() => this.#removed(member));
        this.#app.attach(member, { node, main: process.main });
      },
    });
    member.process = process;
    this.#byActor.set(process.raft, member);
  }

  #optionsOf(member: SimMember): RaftNodeOptions {
    const { weather, segmentBytes } = this.#settings;
    return {
      dataDir: `/sim/${member.id}`,
      clusterId: CLUSTER_ID,
      raftId: member.id,
      startMode: member.starts === 0 ? 'join' : 'restart',
      forceNewCluster: member.onForced !== null,
      listenAddress: null,
      advertiseAddress: null,
      instance: '',
      tickMs: weather.tickMs,
      heartbeatTicks: 1,
      electionTicks: weather.electionTicks,
      snapshotEveryEntries: weather.snapshotEveryEntries,
      snapshotEveryBytes: 1_000_000,
      trailingEntries: weather.trailingEntries,
      segmentBytes,
      proposeTimeoutMs: weather.tickMs * PROPOSE_TIMEOUT_TICKS,
    };
  }

  #onEnd(member: SimMember, reason: string, error: TswarmError): void {
    const values = (): Record<string, unknown> => ({
      member: member.id,
      reason,
      error: error.message,
    });
    // Refusing to start is right when decay has taken the configuration.
    if (reason === 'failed' && member.hasRotted) member.isBroken = true;
    check(
      member.hasCause || member.isBroken,
      'a process ends only after a fault of its disk',
      values,
    );
    this.kill(member);
    const restartUs = this.timeoutUs * 2 * this.#clockPrng.next();
    this.world.at(restartUs, null, () => this.start(member));
  }

  /** Ends the process at once; its disk keeps what was durable, and part of what was not. */
  kill(member: SimMember): void {
    const { process } = member;
    if (process === null) return;
    process.kill();
    this.#byActor.delete(process.raft);
    member.process = null;
    member.drive.crash();
    this.crashes++;
    this.#app.ended(member);
  }

  #removed(member: SimMember): void {
    member.isGone = true;
    this.kill(member);
  }

  /**
   * The quorum is lost: all processes end, and an operator has `survivor` go on alone, soon. Of the others `returning` comes back, everybody else is gone.
   */
  loseQuorum(survivor: SimMember, returning: SimMember | null): void {
    const before = this.checks;
    for (const member of this.members) {
      if (member.isGone) continue;
      this.kill(member);
      if (member !== survivor && member !== returning) member.isGone = true;
    }
    survivor.onForced = (log) => {
      this.checks = GroupChecks.forced(before, log);
      survivor.checks = this.checks;
      this.#app.forced(survivor, this.checks.hasLost);
    };
    for (const member of [survivor, returning]) {
      if (member === null) continue;
      const downUs = this.timeoutUs * 3 * this.#clockPrng.next();
      this.world.at(downUs, null, () => this.start(member));
    }
  }

  #send(from: SimMember, to: number, packet: Packet): void {
    const sender = from.process;
    const deliver = (left: number): void => {
      if (left > 1) {
        if (!this.network.send(from.id, to, () => deliver(left - 1))) failed();
        return;
      }
      const target = this.members[to - 1]?.process ?? null;
      if (target === null) {
        failed();
        return;
      }
      if (packet.isSnapshot) this.#later(sender, (host) => host.snapshotSent(to, false));
      this.world.become(target.raft, () => {
        if (target.receive(from.id, packet)) this.#later(sender, (host) => host.toldRemoved(to));
      });
    };
    const failed = (): void => {
      this.#later(sender, (host) => {
        if (packet.isSnapshot) host.snapshotSent(to, true);
        else host.unreachable(to);
      });
    };
    const hops = packet.isSnapshot ? SNAPSHOT_HOPS : 1;
    if (!this.network.send(from.id, to, () => deliver(hops))) failed();
  }

  /** The transport of `process` learns something after a while, if it still lives. */
  #later(process: SimProcess | null, action: (host: RaftHost) => void): void {
    if (process === null || !process.raft.isAlive) return;
    const us = this.network.weather.delayUs * 2;
    this.world.at(us, process.raft, () => {
      if (process.host !== null) action(process.host);
    });
  }

  #checked(member: SimMember): CheckedMember | null {
    const core = member.process?.host?.core;
    if (core === undefined) return null;
    return { id: member.id, core, durable: member.durable, hasRotted: member.hasRotted };
  }

  #afterEvent(actor: Actor | null): void {
    if (actor === null) return;
    const member = this.#byActor.get(actor);
    if (member === undefined) return;
    const checked = this.#checked(member);
    if (checked === null) return;
    const { elections } = member.checks;
    member.checks.afterEvent(checked);
    const { raft } = checked.core;
    if (member.checks.elections > elections && !this.isHealed) this.onLeader?.();
    if (member.onForced !== null && raft.role === Role.leader && this.#app.hasTakenOver(member)) {
      member.onForced = null;
    }
    this.world.trace(raft.term);
    this.world.trace(raft.log.committed);
    this.world.trace(raft.log.lastIndex());
    this.world.trace(raft.role);
  }

  /** The running leader of the highest term, as it sees itself. */
  leader(): SimMember | null {
    let best: SimMember | null = null;
    let bestTerm = 0;
    for (const member of this.members) {
      const raft = member.process?.host?.core.raft;
      if (raft === undefined || raft.role !== Role.leader || raft.term < bestTerm) continue;
      best = member;
      bestTerm = raft.term;
    }
    return best;
  }

  /** Ends all faults: links and disks work, everybody runs. */
  heal(): void {
    this.isHealed = true;
    this.network.healAll();
    this.network.weather = { ...this.network.weather, loss: 0, duplicate: 0, lateChance: 0 };
    for (const member of this.members) {
      // Healthy disks: with small windows each entry waits for two of them.
      const fastUs = Math.min(this.#settings.weather.diskUs, this.timeoutUs / 50);
      member.drive.speed = { fastUs, slowChance: 0, slowUs: 0 };
      member.drive.failures = 0;
      member.drive.onWrite = null;
      member.drive.freeBytes = Number.MAX_SAFE_INTEGER;
      // Who is paused goes on when the time comes.
      this.start(member);
    }
  }

  /** For failures: how everybody stands. */
  describe(): unknown {
    return this.members.map(({ id, process, durable }) => {
      const raft = process?.host?.core.raft;
      return {
        id,
        isUp: raft !== undefined,
        durable: { term: durable.term, last: durable.lastIndex },
        role: raft?.role,
        term: raft?.term,
        leader: raft?.leader,
        committed: raft?.log.committed,
        applied: raft?.log.applied,
        last: raft?.log.lastIndex(),
        voters: raft?.tracker.conf.voters,
        outgoing: raft?.tracker.conf.votersOutgoing,
        learners: raft?.tracker.conf.learners,
      };
    });
  }

  /** @throws SimFailure always */
  fail(rule: string, values: Readonly<Record<string, unknown>> = {}): never {
    throw new SimFailure(rule, { ...values, members: this.describe() });
  }
}
