// One seed of the register simulation: faults and clients for a number of steps, then healing, then
// the proof that the group works again and that nobody was told anything untrue.
import { SimFailure } from './failure.ts';
import { Faults } from './faults.ts';
import { Group } from './group.ts';
import { findViolation, type Operation } from './linearizable.ts';
import { type Answer, Registers, read, write, written } from './registers.ts';
import type { RunCounts } from './seed-result.ts';
import type { SimMember } from './sim-member.ts';
import type { SimProcess } from './sim-process.ts';
import { stream } from './streams.ts';
import { drawWeather, type Weather } from './weather.ts';
import type { World } from './world.ts';

/** 30 frames: short enough to be rotated often, long enough for the largest frame of a run. */
const SEGMENT_BYTES = 128 * 1024;
/** Operations of one run; the linearizability search stays small. */
const OPERATIONS_MAX = 600;
const BURST_OPERATIONS = 20;
/** After healing: election timeouts until everybody must be in step. */
const HEAL_TIMEOUTS = 60;

export class RegisterRun {
  readonly #world: World;
  readonly #weather: Weather;
  readonly #group: Group;
  readonly #faults: Faults;
  readonly #registers = new Map<SimMember, Registers>();
  #history: Operation[] = [];
  /** Of all histories. */
  #operations = 0;
  /** Operations that are still on their way to a member. */
  readonly #onTheirWay = new Set<Operation>();
  /** Goes on alone; until it is there nobody asks for anything. */
  #awaited: SimMember | null = null;
  /** value → index of the entry that writes it */
  readonly #appliedAt = new Map<number, number>();
  readonly #prng: ReturnType<typeof stream>;
  /** Processes that were asked for a new data key after the healing. */
  readonly #changing = new Set<SimProcess>();
  #nextValue = 1;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#weather = drawWeather(stream(seed, 'weather'));
    this.#prng = stream(seed, 'clients');
    const settings = { seed, weather: this.#weather, segmentBytes: SEGMENT_BYTES };
    this.#group = new Group(world, settings, {
      attach: (member, { node }) => {
        const registers = new Registers(
          member.id,
          () => member.checks,
          (id, index) => {
            this.#appliedAt.set(id, index);
          },
          this.#weather.snapshotMs,
        );
        registers.attach(node);
        this.#registers.set(member, registers);
      },
      ended: (member) => this.#registers.delete(member),
      forced: (member, hasLost) => {
        if (hasLost) this.#beginAnew(member);
      },
      hasTakenOver: () => true,
    });
    this.#faults = new Faults(this.#group, this.#weather, stream(seed, 'faults'));
    this.#faults.storms.crowd = {
      write: (at) => {
        for (let i = 0; i < BURST_OPERATIONS; i++) this.#operate(at, at !== null);
      },
      read: (at) => this.#operate(at, false),
    };
  }

  /** Faults and work. */
  run(steps: number): void {
    for (const member of this.#group.members) this.#group.start(member);
    this.#faults.start();
    for (let i = 0; i < this.#weather.clients; i++) this.#client();
    while (this.#world.steps < steps && this.#world.step());
  }

  #client(): void {
    const wait = -Math.log(1 - this.#prng.next()) * this.#weather.thinkUs;
    this.#world.at(wait, null, () => {
      if (this.#group.isHealed) return;
      this.#operate();
      this.#client();
    });
  }

  /** One operation at some member, most often the one that leads; or at a given one, of one kind. */
  #operate(at: SimMember | null = null, isWrite = false): void {
    if (this.#operations >= OPERATIONS_MAX || this.#awaited !== null) return;
    const prng = this.#prng;
    const { members } = this.#group;
    const leader = prng.chance(0.7) ? this.#group.leader() : null;
    const member = at ?? leader ?? (members[prng.below(members.length)] as SimMember);
    const isRead = at === null ? prng.chance(this.#weather.reads) : !isWrite;
    const isSwap = !isRead && prng.chance(0.3);
    const key = 1 + prng.below(this.#weather.keys);
    const value = isRead ? 0 : this.#nextValue++;
    const expected = isSwap ? Math.max(1, value - 1 - prng.below(4)) : 0;
    const operation: Operation = {
      key,
      kind: isRead ? 'read' : isSwap ? 'swap' : 'write',
      value,
      expected,
      calledUs: this.#world.nowUs,
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 0,
      hint: Number.POSITIVE_INFINITY,
    };
    this.#note(operation);
    const size = prng.chance(0.05) ? 2000 : 16;
    this.#onTheirWay.add(operation);
    this.#delayed(() => {
      this.#onTheirWay.delete(operation);
      this.#call(member, operation, size);
    });
  }

  #note(operation: Operation): void {
    this.#operations++;
    this.#history.push(operation);
  }

  /**
   * What was committed is lost: clients begin anew with what the survivor has, once it has started. What they were told before must still be in order by itself.
   */
  #beginAnew(survivor: SimMember): void {
    this.checkHistory();
    this.#history = [...this.#onTheirWay];
    this.#awaited = survivor;
    const look = (): void => {
      if (this.#awaited !== survivor) return;
      const registers = this.#registers.get(survivor);
      if (registers === undefined || survivor.process?.isStarted !== true) {
        this.#world.at(this.#group.timeoutUs / 10, null, look);
        return;
      }
      this.#awaited = null;
      for (let key = 1; key <= this.#weather.keys; key++) {
        this.#history.push(written(key, registers.read(key), this.#world.nowUs));
      }
    };
    look();
  }

  #delayed(action: () => void): void {
    this.#world.at(this.#prng.next() * this.#weather.link.delayUs, null, action);
  }

  #call(member: SimMember, operation: Operation, size: number): void {
    const { process } = member;
    const registers = this.#registers.get(member);
    // Who is to go on alone listens when it does: what it was told before might be of either group.
    const isBeginning = this.#awaited !== null || member.onForced !== null;
    if (process === null || registers === undefined || isBeginning) {
      operation.outcome = 'refused'; // Nobody listens there.
      return;
    }
    const answer = (told: Answer): void => {
      // An unknown outcome stays open for ever; it is not an answer.
      if (told.outcome === 'unknown') return;
      this.#delayed(() => {
        Object.assign(operation, told, { endedUs: this.#world.nowUs });
        this.#world.trace(told.result);
      });
    };
    const target = { node: process.node, registers };
    const { key, value, expected } = operation;
    this.#world.become(process.main, () => {
      if (operation.kind === 'read') {
        const { checks } = this.#group;
        const committed = checks.highestWithData;
        read(target, key, (told) => {
          if (told.outcome === 'ok') checks.readAt(member.id, committed, told.hint);
          answer(told);
        });
      } else write(target, { id: value, key, value, expected }, size, answer);
    });
  }

  /** Good weather: everybody gets in step, a new write reaches all. */
  heal(): void {
    const group = this.#group;
    group.heal();
    const isThere = (): boolean => this.#awaited === null;
    this.#world.runUntil(this.#world.nowUs + group.timeoutUs * HEAL_TIMEOUTS, isThere);
    const endUs = this.#world.nowUs + group.timeoutUs * HEAL_TIMEOUTS;
    let probe: Operation | null = null;
    const isSettled = (): boolean => {
      if (probe === null || probe.outcome !== 'ok') return false;
      return this.#isInStep();
    };
    const tryAgain = (): void => {
      const leader = group.leader();
      const isDone = probe !== null && probe.outcome === 'ok';
      // Who has lost log is whole when the log has grown past what was lost, at the latest: somebody writes.
      const isRecovering = group.members.some(({ process }) =>
        process?.host?.core.raft.isRecovering(),
      );
      if (leader !== null && (!isDone || isRecovering)) probe = this.#probe(leader);
      this.#finishKeyChanges();
      this.#world.at(group.timeoutUs, null, tryAgain);
    };
    tryAgain();
    if (!this.#world.runUntil(endUs, isSettled)) {
      group.fail('the group works again once all faults have ended', { probe });
    }
    this.#checkQuiet();
  }

  #probe(leader: SimMember): Operation {
    const operation: Operation = {
      key: 1,
      kind: 'write',
      value: this.#nextValue++,
      expected: 0,
      calledUs: this.#world.nowUs,
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 0,
      hint: Number.POSITIVE_INFINITY,
    };
    this.#note(operation);
    this.#call(leader, operation, 16);
    return operation;
  }

  /** Whether all members of the leader's configuration have applied all that it has committed. */
  #isInStep(): boolean {
    const raft = this.#group.leader()?.process?.host?.core.raft;
    if (raft === undefined || raft.log.committed < raft.log.lastIndex()) return false;
    for (const [id] of raft.tracker.entries()) {
      const member = this.#group.member(id);
      if (member.isBroken) continue;
      const other = member.process?.host?.core.raft;
      if (other === undefined || other.log.applied < raft.log.committed) return false;
      if (other.isRecovering() || member.place?.keys.isChanging) return false;
    }
    return true;
  }

  /** A change of keys that was given up is gone on with by the next one: an operator would ask for it. */
  #finishKeyChanges(): void {
    for (const { process, place } of this.#group.members) {
      if (process === null || !place?.keys.isChanging || this.#changing.has(process)) continue;
      this.#changing.add(process);
      const done = (): boolean => this.#changing.delete(process);
      this.#world.become(process.main, () => void process.node.rotateDataKey().then(done, done));
    }
  }

  #checkQuiet(): void {
    const leader = this.#group.leader();
    const raft = leader?.process?.host?.core.raft;
    if (leader === null || raft === undefined) this.#group.fail('no leader after healing');
    const { conf } = raft.tracker;
    const isStuck = conf.votersOutgoing.length > 0 && conf.autoLeave;
    if (isStuck) this.#group.fail('a joint configuration is left by itself');
    if (!conf.voters.includes(leader.id) && conf.votersOutgoing.length === 0) {
      this.#group.fail('a leader that was removed steps down');
    }
    const values = { leader: leader.id, uncommittedBytes: raft.uncommittedBytes };
    if (raft.uncommittedBytes > 0)
      this.#group.fail('an idle leader has nothing uncommitted', values);
    for (const [id] of raft.tracker.entries()) this.#group.member(id).checkKeys();
    const own = this.#registers.get(leader);
    for (const [id] of raft.tracker.entries()) {
      const registers = this.#registers.get(this.#group.member(id));
      const isSame = registers?.text() === own?.text();
      if (registers?.appliedIndex === own?.appliedIndex && !isSame) {
        this.#group.fail('all members have the same state', { leader: leader.id, member: id });
      }
    }
  }

  /** What clients were told fits into one order. */
  checkHistory(): void {
    for (const operation of this.#history) {
      if (operation.kind !== 'read')
        operation.hint = this.#appliedAt.get(operation.value) ?? Number.POSITIVE_INFINITY;
    }
    const violation = findViolation(this.#history);
    if (violation === null) return;
    throw new SimFailure('the history of the clients is linearizable', { history: violation });
  }

  counts(): RunCounts {
    const { checks, crashes, members, network } = this.#group;
    const faults: Record<string, number> = Object.fromEntries(this.#faults.counts);
    faults.lost = network.counts.lost + network.counts.cut;
    faults.duplicated = network.counts.duplicated;
    faults.late = network.counts.late;
    faults.torn = members.reduce((sum, { drive }) => sum + drive.counts.torn, 0);
    return {
      operations: this.#operations,
      changes: 0,
      committed: checks.highestCommitted,
      elections: checks.elections,
      crashes,
      confChanges: checks.confChanges,
      faults,
    };
  }
}
