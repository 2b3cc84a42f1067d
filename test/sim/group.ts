// A group of managers under weather: makes members, starts and ends their processes, carries their
// messages, and tells the checks of everything. What runs on top (registers, or the whole manager)
// comes in as an application.
import type { RaftNode, RaftNodeOptions } from '#manager/host/raft/raft-node';
import { Role } from '#manager/raft/types';
import type { TswarmError } from '#protocol/errors';
import { check, SimFailure } from './failure.ts';
import { type CheckedMember, GroupChecks } from './group-checks.ts';
import { SimCrypto } from './sim-crypto.ts';
import { SimDrive } from './sim-drive.ts';
import { CLUSTER_ID, SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
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
}

export interface GroupSettings {
  readonly seed: number;
  readonly weather: Weather;
  readonly segmentBytes: number;
}

export class Group {
  readonly world: World;
  readonly network: SimNetwork;
  readonly checks: GroupChecks = new GroupChecks();
  readonly members: readonly SimMember[];
  readonly #settings: GroupSettings;
  readonly #app: Application;
  readonly #clockPrng: ReturnType<typeof stream>;
  readonly #byActor = new Map<Actor, SimMember>();
  crashes = 0;
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
    const crypto = new SimCrypto(stream(seed, 'crypto'));
    const count = weather.voters + weather.spares;
    const voters = Array.from({ length: weather.voters }, (_, i) => i + 1);
    this.members = Array.from({ length: count }, (_, i) => {
      const drive = new SimDrive(world, stream(seed, 'disk', i));
      drive.speed = {
        fastUs: weather.diskUs,
        slowChance: weather.diskSlowChance,
        slowUs: weather.diskSlowUs,
      };
      const member = new SimMember(i + 1, drive, crypto);
      member.prepare(voters, settings.segmentBytes);
      return member;
    });
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

  /** Starts the member's process. */
  start(member: SimMember): void {
    if (member.process !== null) return;
    const { seed, weather } = this.#settings;
    this.checks.started(member.id);
    member.hasCause = member.drive.failures > 0 || member.drive.freeBytes < PLENTY_BYTES;
    const prng = this.#clockPrng;
    const process: SimProcess = new SimProcess(member, {
      world: this.world,
      options: this.#optionsOf(member),
      prng: stream(seed, 'raft', member.id * 1000 + member.starts),
      rate: 1 + (prng.next() * 2 - 1) * weather.drift,
      skewMs: Math.round((prng.next() * 2 - 1) * weather.drift * 3_600_000),
      diskCheckMs: weather.tickMs * DISK_CHECK_TICKS,
      send: (to, bytes, isSnapshot) => this.#send(member, to, bytes, isSnapshot),
      onSent: (message) => {
        const checked = this.#checked(member);
        if (checked !== null) this.checks.sent(checked, message);
      },
      onEnd: (reason, error) => this.#onEnd(member, reason, error),
      attach: (node) => this.#app.attach(member, { node, main: process.main }),
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
      bootstrap: false,
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
    check(member.hasCause, 'a process ends only after a fault of its disk', values);
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

  #send(from: SimMember, to: number, bytes: Uint8Array, isSnapshot: boolean): void {
    const sender = from.process;
    const hops = isSnapshot ? SNAPSHOT_HOPS : 1;
    const deliver = (left: number): void => {
      if (left > 1) {
        if (!this.network.send(from.id, to, () => deliver(left - 1))) failed();
        return;
      }
      const process = this.members[to - 1]?.process;
      if (process === null || process === undefined) failed();
      else this.world.become(process.raft, () => process.receive(bytes));
      if (isSnapshot && process) this.#later(sender, (own) => own.reportSnapshot(to, false));
    };
    const failed = (): void => {
      this.#later(sender, (own) => {
        if (isSnapshot) own.reportSnapshot(to, true);
        else own.reportUnreachable(to);
      });
    };
    if (!this.network.send(from.id, to, () => deliver(hops))) failed();
  }

  /** The transport of `process` learns something after a while, if it still lives. */
  #later(process: SimProcess | null, action: (process: SimProcess) => void): void {
    if (process === null || !process.raft.isAlive) return;
    const us = this.network.weather.delayUs * 2;
    this.world.at(us, process.raft, () => action(process));
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
    this.checks.afterEvent(checked);
    const { raft } = checked.core;
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
      member.drive.speed = { fastUs: this.#settings.weather.diskUs, slowChance: 0, slowUs: 0 };
      member.drive.failures = 0;
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
