// Interaction scripts: several members of the real core in one process, every message and every
// piece of storage work under the script's control. Commands and their meaning follow the etcd
// project's interaction tests (raft.md §4).

import { isVoter } from '#manager/raft/conf';
import { parseChanges, Transition } from '#manager/raft/conf-change';
import { RAFT_DEFAULTS, type RaftConfig } from '#manager/raft/config';
import { RawNode } from '#manager/raft/raw-node';
import { EMPTY_SNAPSHOT, type LogStorage, MemoryStorage } from '#manager/raft/storage';
import {
  type Entry,
  EntryType,
  type HardState,
  isLocalThread,
  type Message,
  MessageType,
  makeMessage,
  NO_NODE,
  type RaftId,
  Role,
  type Snapshot,
  type StepError,
} from '#manager/raft/types';
import {
  describeEntry,
  describeMessage,
  describeProgress,
  describeReady,
  messageTypeOf,
  ROLE_NAMES,
} from './describe.ts';
import type { ScriptOutput } from './output.ts';
import type { CommandArg, ScriptBlock } from './parse.ts';

interface ScriptNode {
  readonly id: RaftId;
  readonly raw: RawNode;
  readonly storage: MemoryStorage;
  readonly config: RaftConfig;
  /** State machine images by applied entry; the data of all entries, one after the other. */
  readonly history: Snapshot[];
  readonly appendWork: Message[];
  readonly applyWork: Message[];
}

class ScriptError extends Error {}

const STEP_ERRORS: Readonly<Record<StepError, string | null>> = {
  proposal_dropped: 'raft proposal dropped',
  no_leader: 'raft proposal dropped',
  uncommitted_limit: 'raft proposal dropped',
  too_large: 'raft proposal dropped',
  // The core says why in a note and spends an empty entry on it.
  conf_change_refused: null,
  local_message: 'raft: cannot step raft local message',
  peer_not_found: 'raft: cannot step as peer not found',
};

export class InteractionEnv {
  readonly #output: ScriptOutput;
  #nodes: ScriptNode[] = [];
  #messages: Message[] = [];
  #seed = 0x2545f491;

  constructor(output: ScriptOutput) {
    this.#output = output;
  }

  /** Runs one command. False if it is not a command of interaction scripts. */
  run(block: ScriptBlock): boolean {
    const action = this.#actions[block.command];
    if (action === undefined) return false;
    try {
      action(block);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.#output.error(error.message);
    }
    return true;
  }

  readonly #actions: Readonly<Record<string, (block: ScriptBlock) => void>> = {
    _breakpoint: () => {},
    'add-nodes': (block) => this.#addNodes(block),
    campaign: ({ args }) => this.#node(args[0]).raw.campaign(),
    compact: ({ args }) => {
      const node = this.#node(args[0]);
      node.storage.compact(number(args[1]?.key));
      this.#printLog(node);
    },
    'deliver-msgs': (block) => this.#deliverCommand(block),
    'process-ready': ({ args }) =>
      this.#each(args, 'handling Ready', (node) => this.#processReady(node)),
    'process-append-thread': ({ args }) =>
      this.#each(args, 'processing append thread', (node) => this.#processAppendThread(node)),
    'process-apply-thread': ({ args }) =>
      this.#each(args, 'processing apply thread', (node) => this.#processApplyThread(node)),
    'log-level': ({ args }) => this.#setLevel(args[0]?.key ?? ''),
    'raft-log': ({ args }) => this.#printLog(this.#node(args[0])),
    'raft-state': () => this.#printStates(),
    'set-randomized-election-timeout': ({ args }) => {
      this.#node(args[0]).raw.raft.randomizedElectionTicks = number(option(args, 'timeout'));
    },
    stabilize: (block) => this.#stabilizeCommand(block),
    status: ({ args }) => this.#printStatus(this.#node(args[0])),
    'tick-election': ({ args }) => this.#tick(this.#node(args[0]), 'electionTicks'),
    'tick-heartbeat': ({ args }) => this.#tick(this.#node(args[0]), 'heartbeatTicks'),
    'transfer-leadership': ({ args }) => {
      const node = this.#byId(number(option(args, 'from')));
      this.#check(node.raw.transferLeader(number(option(args, 'to'))));
    },
    'forget-leader': ({ args }) => this.#node(args[0]).raw.forgetLeader(),
    'send-snapshot': ({ args }) => this.#sendSnapshot(this.#node(args[0]), number(args[1]?.key)),
    propose: ({ args }) => {
      const data = new TextEncoder().encode(args[1]?.key ?? '');
      this.#check(this.#node(args[0]).raw.propose(data));
    },
    'propose-conf-change': (block) => this.#proposeConfChange(block),
    'read-index': ({ args }) =>
      this.#check(this.#node(args[0]).raw.readIndex(number(args[1]?.key))),
    'report-unreachable': ({ args }) =>
      this.#node(args[0]).raw.reportUnreachable(number(args[1]?.key)),
  };

  #check(error: StepError | null): void {
    const text = error === null ? null : STEP_ERRORS[error];
    if (text !== null) throw new ScriptError(text);
  }

  #setLevel(name: string): void {
    if (!this.#output.setLevelByName(name)) throw new ScriptError(`unknown log level ${name}`);
  }

  #byId(id: RaftId): ScriptNode {
    const node = this.#nodes[id - 1];
    if (node === undefined) throw new ScriptError(`there is no node ${id}`);
    return node;
  }

  #node(arg: CommandArg | undefined): ScriptNode {
    return this.#byId(number(arg?.key));
  }

  /** The named nodes, or all. */
  #selected(args: readonly CommandArg[]): ScriptNode[] {
    const named = args.filter(({ values, key }) => values.length === 0 && /^\d+$/.test(key));
    return named.length === 0 ? this.#nodes.slice() : named.map((arg) => this.#node(arg));
  }

  #each(args: readonly CommandArg[], title: string, action: (node: ScriptNode) => void): void {
    const nodes = this.#selected(args);
    for (const node of nodes) {
      if (nodes.length === 1) action(node);
      else this.#titled(`> ${node.id} ${title}`, () => action(node));
    }
  }

  #titled(title: string, action: () => void): void {
    this.#output.print(title);
    this.#output.indented(action);
  }

  #random(): number {
    // xorshift32: any fixed sequence will do, timeouts that matter are set by the script.
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    return (this.#seed >>> 0) / 0x1_0000_0000;
  }

  #addNodes({ args }: ScriptBlock): void {
    const snapshot = bootSnapshot(args);
    if (snapshot !== EMPTY_SNAPSHOT && snapshot.index <= 1) {
      throw new ScriptError('index must be specified as > 1 due to bootstrap');
    }
    const count = number(args[0]?.key);
    for (let i = 0; i < count; i++) this.#addNode(snapshot, args);
  }

  #addNode(snapshot: Snapshot, args: readonly CommandArg[]): void {
    const id = this.#nodes.length + 1;
    const storage = new MemoryStorage();
    if (snapshot !== EMPTY_SNAPSHOT) storage.applySnapshot(snapshot);
    const history = [snapshot];
    const newest = (): Snapshot => history[history.length - 1] as Snapshot;
    const config: RaftConfig = {
      ...scriptConfig(args),
      id,
      applied: snapshot.index,
      storage: withSnapshot(storage, newest),
      random: () => this.#random(),
      note: ({ level, message, values }) => {
        const details = Object.entries(values).map(([key, value]) => ` ${key}=${value}`);
        this.#output.note(level, `${id} ${message}${details.join('')}`);
      },
    };
    const raw = new RawNode(config);
    this.#nodes.push({ id, raw, storage, config, history, appendWork: [], applyWork: [] });
  }

  #tick(node: ScriptNode, ticks: 'electionTicks' | 'heartbeatTicks'): void {
    for (let i = 0; i < node.config[ticks]; i++) node.raw.tick();
  }

  #proposeConfChange({ args, input }: ScriptBlock): void {
    const changes = parseChanges(input);
    if (changes === null) throw new ScriptError(`cannot read the changes: ${input}`);
    const name = option(args, 'transition') ?? 'auto';
    const transition = { auto: 0, implicit: 1, explicit: 2 }[name];
    if (transition === undefined) throw new ScriptError(`unknown transition ${name}`);
    const isV1 = option(args, 'v1') === 'true';
    if (isV1 && (changes.length !== 1 || transition !== Transition.auto)) {
      throw new ScriptError('a v1 change has exactly one operation and no transition');
    }
    const context = new Uint8Array(0);
    const change = { transition: transition as Transition, changes, context };
    this.#check(this.#node(args[0]).raw.proposeConfChange(change));
  }

  #sendSnapshot(node: ScriptNode, to: RaftId): void {
    const snapshot = node.history[node.history.length - 1] as Snapshot;
    const message = makeMessage(MessageType.snapshot, to, {
      from: node.id,
      term: node.raw.raft.term,
      snapshot,
    });
    this.#messages.push(message);
    this.#output.print(describeMessage(message));
  }

  #processReady(node: ScriptNode): void {
    const ready = node.raw.ready();
    this.#output.print(describeReady(ready));
    const isAsync = node.config.asyncStorageWrites;
    if (!isAsync) {
      appendToStorage(node, ready.hardState, ready.entries, ready.snapshot);
      applyEntries(node, ready.committedEntries);
    }
    for (const message of ready.messages) {
      if (!isLocalThread(message.to)) this.#messages.push(message);
      else if (message.type === MessageType.storageAppend) node.appendWork.push(message);
      else node.applyWork.push(message);
    }
    if (!isAsync) node.raw.advance();
  }

  #processAppendThread(node: ScriptNode): void {
    const work = node.appendWork.shift();
    if (work === undefined) {
      this.#output.print('no append work to perform');
      return;
    }
    const { term, vote, commit } = work;
    const hardState = term === 0 && vote === 0 && commit === 0 ? null : { term, vote, commit };
    this.#finish(work, () => appendToStorage(node, hardState, work.entries, work.snapshot));
  }

  #processApplyThread(node: ScriptNode): void {
    const work = node.applyWork.shift();
    if (work === undefined) {
      this.#output.print('no apply work to perform');
      return;
    }
    this.#finish(work, () => applyEntries(node, work.entries));
  }

  #finish(work: Message, action: () => void): void {
    this.#output.print(`Processing:\n${describeMessage({ ...work, responses: [] })}`);
    action();
    this.#output.print('Responses:');
    for (const response of work.responses) {
      this.#output.print(describeMessage(response));
      this.#messages.push(response);
    }
  }

  #deliverCommand({ args }: ScriptBlock): void {
    let type: MessageType | null = null;
    const targets: { id: RaftId; isDrop: boolean }[] = [];
    for (const { key, values } of args) {
      if (values.length === 0) targets.push({ id: number(key), isDrop: false });
      else if (key === 'drop') {
        for (const value of values) targets.push({ id: number(value), isDrop: true });
      } else if (key === 'type') {
        type = messageTypeOf(values[0] ?? '');
        if (type === null) throw new ScriptError(`unknown message type ${values[0]}`);
      }
    }
    let count = 0;
    for (const { id, isDrop } of targets) count += this.#deliver(id, isDrop, type);
    if (count === 0) this.#output.print('no messages');
  }

  #matching(id: RaftId, isDrop: boolean, type: MessageType | null): Message[] {
    return this.#messages.filter(
      (message) =>
        message.to === id &&
        !(isDrop && isLocal(message)) &&
        (type === null || message.type === type),
    );
  }

  #deliver(id: RaftId, isDrop: boolean, type: MessageType | null): number {
    const messages = this.#matching(id, isDrop, type);
    const taken = new Set(messages);
    this.#messages = this.#messages.filter((message) => !taken.has(message));
    for (const message of messages) {
      this.#output.print(`${isDrop ? 'dropped: ' : ''}${describeMessage(message)}`);
      if (isDrop) continue;
      const error = this.#byId(id).raw.step(message);
      const text = error === null ? null : STEP_ERRORS[error];
      if (text !== null) this.#output.print(text);
    }
    return messages.length;
  }

  #stabilizeCommand({ args }: ScriptBlock): void {
    const before = this.#output.level;
    const level = option(args, 'log-level');
    if (level !== null) this.#setLevel(level);
    this.#stabilize(this.#selected(args));
    this.#output.level = before;
  }

  #stabilize(nodes: readonly ScriptNode[]): void {
    for (let isDone = false; !isDone; ) {
      isDone = true;
      const act = (node: ScriptNode, title: string, action: () => void): void => {
        isDone = false;
        this.#titled(`> ${node.id} ${title}`, action);
      };
      for (const node of nodes) {
        if (node.raw.hasReady()) act(node, 'handling Ready', () => this.#processReady(node));
      }
      for (const node of nodes) {
        if (this.#matching(node.id, false, null).length === 0) continue;
        act(node, 'receiving messages', () => this.#deliver(node.id, false, null));
      }
      for (const node of nodes) {
        if (node.appendWork.length === 0) continue;
        act(node, 'processing append thread', () => {
          while (node.appendWork.length > 0) this.#processAppendThread(node);
        });
      }
      for (const node of nodes) {
        if (node.applyWork.length === 0) continue;
        act(node, 'processing apply thread', () => {
          while (node.applyWork.length > 0) this.#processApplyThread(node);
        });
      }
    }
  }

  #printLog({ storage }: ScriptNode): void {
    const first = storage.firstIndex();
    const last = storage.lastIndex();
    if (last < first) {
      this.#output.print(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = storage.entries(first, last + 1, Number.POSITIVE_INFINITY) ?? [];
    for (const entry of entries) this.#output.print(describeEntry(entry));
  }

  #printStates(): void {
    for (const { id, raw } of this.#nodes) {
      const { role, term, leader, tracker } = raw.raft;
      const kind = isVoter(tracker.conf, id) ? 'Voter' : 'Non-Voter';
      this.#output.print(`${id}: ${ROLE_NAMES[role]} (${kind}) Term:${term} Lead:${leader}`);
    }
  }

  #printStatus({ raw }: ScriptNode): void {
    if (raw.raft.role !== Role.leader) return;
    for (const [id, progress] of raw.raft.tracker.entries()) {
      this.#output.print(`${id}: ${describeProgress(progress)}`);
    }
  }
}

function isLocal(message: Message): boolean {
  return message.from === message.to || isLocalThread(message.from) || isLocalThread(message.to);
}

function appendToStorage(
  node: ScriptNode,
  hardState: HardState | null,
  entries: readonly Entry[],
  snapshot: Snapshot | null,
): void {
  if (hardState !== null) node.storage.setHardState(hardState);
  if (snapshot !== null) {
    node.storage.applySnapshot(snapshot);
    node.history.push(snapshot);
  }
  node.storage.append(entries);
}

/** The state machine appends the data of every entry to one text. */
function applyEntries(node: ScriptNode, entries: readonly Entry[]): void {
  for (const entry of entries) {
    const last = node.history[node.history.length - 1] as Snapshot;
    const update = entry.type === EntryType.normal ? entry.data : new Uint8Array(0);
    const data = new Uint8Array(last.data.length + update.length);
    data.set(last.data);
    data.set(update, last.data.length);
    const { index, term } = entry;
    const confState = node.raw.confStateAt(index) ?? last.confState;
    node.history.push({ index, term, data, confState });
  }
}

function withSnapshot(storage: MemoryStorage, newest: () => Snapshot): LogStorage {
  return {
    hardState: () => storage.hardState(),
    snapshot: newest,
    firstIndex: () => storage.firstIndex(),
    lastIndex: () => storage.lastIndex(),
    term: (index) => storage.term(index),
    entries: (low, high, maxBytes) => storage.entries(low, high, maxBytes),
  };
}

function option(args: readonly CommandArg[], key: string): string | null {
  return args.find((arg) => arg.key === key)?.values[0] ?? null;
}

function number(text: string | null | undefined): number {
  if (text === null || text === undefined || !/^\d+$/.test(text)) {
    throw new ScriptError(`not a number: ${text}`);
  }
  return Number(text);
}

function ids(args: readonly CommandArg[], key: string): RaftId[] {
  const values = args.find((arg) => arg.key === key)?.values ?? [];
  return values.map((value) => number(value)).filter((id) => id !== NO_NODE);
}

function bootSnapshot(args: readonly CommandArg[]): Snapshot {
  const voters = ids(args, 'voters');
  const learners = ids(args, 'learners');
  const index = option(args, 'index');
  const content = option(args, 'content');
  if (voters.length + learners.length === 0 && index === null && content === null) {
    return EMPTY_SNAPSHOT;
  }
  return {
    index: index === null ? 0 : number(index),
    term: 1,
    confState: { ...EMPTY_SNAPSHOT.confState, voters, learners },
    data: new TextEncoder().encode(content ?? ''),
  };
}

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** Small timeouts and no limits, unless the script asks for some. */
function scriptConfig(
  args: readonly CommandArg[],
): Omit<RaftConfig, 'id' | 'storage' | 'random' | 'note' | 'applied'> {
  const limit = (key: string): number => {
    const text = option(args, key);
    return text === null ? NO_LIMIT : number(text);
  };
  return {
    ...RAFT_DEFAULTS,
    electionTicks: 3,
    heartbeatTicks: 1,
    asyncStorageWrites: option(args, 'async-storage-writes') === 'true',
    preVote: option(args, 'prevote') === 'true',
    checkQuorum: option(args, 'checkquorum') === 'true',
    disableProposalForwarding: false,
    maxMessageBytes: NO_LIMIT,
    maxUncommittedBytes: NO_LIMIT,
    maxProposalBytes: NO_LIMIT,
    maxInflightBytes: 0,
    maxInflightMessages: limit('inflight'),
    maxCommittedBytesPerReady: limit('max-committed-size-per-ready'),
  };
}
