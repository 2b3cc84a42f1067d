// One run of a manager's Raft part: the real client on the main thread, the real host on the Raft
// thread, and between them, in place of Node's threads, messages that take a moment. What the
// program's thread.ts does with timers and sockets is done here with the world's.
import { createRaftNode } from '#manager/host/raft/client';
import type { Greeting } from '#manager/host/raft/greeting';
import { RaftHost } from '#manager/host/raft/host';
import type { CoreTuning } from '#manager/host/raft/host-deps';
import { KeyService } from '#manager/host/raft/key-service';
import { type OpenedLog, openLog } from '#manager/host/raft/open-member';
import type { RaftNode, RaftNodeOptions } from '#manager/host/raft/raft-node';
import { threadError, toThreadError } from '#manager/host/raft/thread-errors';
import type {
  FromThread,
  ThreadError,
  ThreadEvents,
  ToThread,
} from '#manager/host/raft/thread-messages';
import { openingTurn } from '#manager/host/raft/turn-report';
import { decodeMessages, encodeMessages } from '#manager/raft/codec';
import type { Message } from '#manager/raft/types';
import type { Wal } from '#manager/wal/wal';
import { hasCode, type TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { Prng } from '#test/support/prng';
import type { OpenPlace, SimMember } from './sim-member.ts';
import type { Actor, World } from './world.ts';

/** Between the two threads of a process. */
const THREAD_HOP_US = 10;
/** Below it the host refuses proposals; as in thread.ts. */
const DISK_LOW_BYTES = 64 * 1024 * 1024;
/** The state that a group begins with has no file. */
const EMPTY_INDEX = 1;
const NO_DATA = new Uint8Array(0);

export const SILENT: Log = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => SILENT,
};

/** What one member sends to another. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly greeting: Greeting;
  readonly isSnapshot: boolean;
}

/** What a process needs of its surroundings. */
export interface ProcessDeps {
  readonly world: World;
  readonly options: RaftNodeOptions;
  readonly tuning: CoreTuning;
  readonly prng: Prng;
  /** Speed of its clocks. */
  readonly rate: number;
  readonly skewMs: number;
  readonly diskCheckMs: number;
  /** Bytes for another member, and what this one says of itself. */
  readonly send: (to: number, packet: Packet) => void;
  readonly onSent: (message: Message) => void;
  readonly onEnd: (reason: 'fatal' | 'failed', error: TswarmError) => void;
  /** Registers the application's callbacks, before the start. */
  readonly attach: (node: RaftNode) => void;
}

export class SimProcess {
  readonly main: Actor;
  readonly raft: Actor;
  readonly node: RaftNode;
  readonly #member: SimMember;
  readonly #deps: ProcessDeps;
  #events: ThreadEvents | null = null;
  #host: RaftHost | null = null;
  #keys: KeyService | null = null;
  /** Null before it is open. */
  wal: Wal | null = null;
  /** What waits for the host to exist. */
  #early: ToThread[] = [];
  isStarted = false;

  constructor(member: SimMember, deps: ProcessDeps) {
    this.#member = member;
    this.#deps = deps;
    const { world, rate, skewMs } = deps;
    this.main = world.newActor(`main ${member.id}`, rate, skewMs);
    this.raft = world.newActor(`raft ${member.id}`, rate, skewMs);
    this.node = createRaftNode(deps.options, {
      log: SILENT,
      session: deps.prng.bytes(8),
      launch: (_data, events) => this.#launch(events),
      onFatal: (error) => deps.onEnd('fatal', error),
    });
    world.at(0, this.main, () => this.#begin());
  }

  /** Null before the log is open. */
  get host(): RaftHost | null {
    return this.#host;
  }

  #begin(): void {
    this.#deps.attach(this.node);
    this.node.start().then(
      () => {
        this.isStarted = true;
      },
      (error: TswarmError) => this.#deps.onEnd('failed', error),
    );
  }

  #launch(events: ThreadEvents): {
    post: (message: ToThread) => void;
    terminate: () => void;
  } {
    const { world } = this.#deps;
    this.#events = events;
    world.at(THREAD_HOP_US, this.raft, () => this.#open());
    return {
      post: (message) => world.at(THREAD_HOP_US, this.raft, () => this.#handle(message)),
      terminate: () => {
        this.raft.isAlive = false;
      },
    };
  }

  #post(message: FromThread): void {
    const { world } = this.#deps;
    world.at(THREAD_HOP_US, this.main, () => this.#events?.message(message));
  }

  #open(): void {
    const failed = (error: unknown): void => {
      this.#post({ type: 'failed', error: toThreadError(error) });
    };
    let place: OpenPlace;
    try {
      place = this.#member.open();
    } catch (error) {
      // A member's first start writes its keys: not on a full disk.
      if (!hasCode(error, 'no_space')) throw error;
      failed(error);
      return;
    }
    openLog(this.#deps.options, place).then((opened) => {
      try {
        this.#run(opened, place);
      } catch (error) {
        this.#deps.world.failure ??= error;
      }
    }, failed);
  }

  #run(opened: OpenedLog, place: OpenPlace): void {
    const { world, options, prng } = this.#deps;
    const { wal, storage, snapshots, appliedIndex, restore } = opened;
    this.#member.opened(opened);
    const host = new RaftHost(options, {
      wal,
      storage,
      snapshots,
      appliedIndex,
      recoverUpTo: opened.recoverUpTo,
      recoverTerm: opened.recoverTerm,
      tuning: this.#deps.tuning,
      random: () => prng.next(),
      nowMs: () => performance.now(),
      send: (to, messages) => this.#send(to, messages),
      sendSnapshot: (to, message) => this.#sendSnapshot(to, message),
      peerPort: () => null,
      postTurn: (turn) => this.#post(turn),
      fatal: (error) => this.#post({ type: 'fatal', error }),
      schedule: (action) => world.at(1, this.raft, action),
    });
    this.#host = host;
    this.wal = wal;
    this.#keys = new KeyService(place.keys, host, opened);
    setInterval(() => host.tick(), options.tickMs);
    let isLow = false;
    setInterval(() => {
      this.#post({ type: 'ping' });
      const { freeBytes } = this.#member.drive;
      if (freeBytes < DISK_LOW_BYTES !== isLow) {
        isLow = !isLow;
        host.refuseProposals(isLow ? threadError('no_space', 'the disk is full', null) : null);
      }
      wal.retrySpare();
    }, this.#deps.diskCheckMs);
    this.#post(openingTurn(host.status(), restore));
    host.start();
    for (const message of this.#early) this.#handle(message);
    this.#early = [];
    this.#keys.finish();
  }

  #handle(message: ToThread): void {
    if (this.#host === null) {
      this.#early.push(message);
      return;
    }
    this.#host.handle(message);
    if (message.type === 'pong') this.#host.mainAnswered();
    if (message.type === 'service') this.#serve(message);
  }

  #serve({ id, service }: ToThread & { readonly type: 'service' }): void {
    const done = (error: ThreadError | null): void => {
      this.#post({ type: 'answered', answers: [{ id, error }] });
    };
    // Identities are of the transport, which is not simulated.
    const work = service.kind === 'identity' ? Promise.resolve() : this.#keys?.perform(service);
    work?.then(
      () => done(null),
      (error: unknown) => done(toThreadError(error)),
    );
  }

  #send(to: number, messages: readonly Message[]): void {
    const host = this.#host as RaftHost;
    for (const message of messages) this.#deps.onSent(message);
    const bytes = encodeMessages(messages);
    this.#deps.send(to, { bytes, greeting: host.greeting(to), isSnapshot: false });
  }

  #sendSnapshot(to: number, message: Message): void {
    const host = this.#host as RaftHost;
    this.#deps.onSent(message);
    const { snapshot } = message;
    if (snapshot === null) throw new Error('a snapshot message without a snapshot');
    const data = snapshot.index === EMPTY_INDEX ? NO_DATA : this.#member.readSnapshot(snapshot);
    if (data === null) {
      this.#deps.world.at(1, this.raft, () => host.snapshotSent(to, true));
      return;
    }
    const bytes = encodeMessages([{ ...message, snapshot: { ...snapshot, data } }]);
    this.#deps.send(to, { bytes, greeting: host.greeting(to), isSnapshot: true });
  }

  /** Bytes of member `from` have arrived. Returns whether `from` is told to be removed. */
  receive(from: number, packet: Packet): boolean {
    const host = this.#host;
    if (host === null) return false;
    const judgement = host.judge(from, packet.greeting);
    if (judgement === 'outdated') host.toldRemoved(from);
    if (judgement !== 'heard') return judgement === 'removed';
    const messages = decodeMessages(packet.bytes);
    if (messages === null) throw new Error('a message does not survive its bytes');
    if (!packet.isSnapshot) {
      host.receive(messages);
      return false;
    }
    // A snapshot that cannot be stored is not received: the leader will send it again.
    for (const message of messages) host.receiveSnapshot(message).catch(() => {});
    return false;
  }

  kill(): void {
    this.main.isAlive = false;
    this.raft.isAlive = false;
  }
}
