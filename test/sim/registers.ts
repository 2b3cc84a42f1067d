// The simplest state machine worth replicating: a few registers that can be written, and written on
// condition. Its clients note what they did and what they were told, for the linearizability check.
import type { RaftNode } from '#manager/host/raft/raft-node';
import { hasCode } from '#protocol/errors';
import type { GroupChecks } from './group-checks.ts';
import type { Operation } from './linearizable.ts';

const COMMAND_BYTES = 16;

/** A change of one register; with `expected` only if it holds that. */
export interface Command {
  readonly id: number;
  readonly key: number;
  readonly value: number;
  /** 0: unconditional. */
  readonly expected: number;
}

function encode(command: Command, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(COMMAND_BYTES, size));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, command.id);
  view.setUint32(4, command.key);
  view.setUint32(8, command.value);
  view.setUint32(12, command.expected);
  return bytes;
}

/** The state machine of one process; begins empty and is rebuilt from snapshot and log. */
export class Registers {
  readonly #id: number;
  readonly #checks: () => GroupChecks;
  readonly #onApplied: (commandId: number, index: number) => void;
  readonly #snapshotMs: number;
  readonly #values = new Map<number, number>();
  /** What conditional commands found, by command; only those of this life. */
  readonly #outcomes = new Map<number, boolean>();
  appliedIndex = 0;

  constructor(
    id: number,
    checks: () => GroupChecks,
    onApplied: (commandId: number, index: number) => void,
    snapshotMs: number,
  ) {
    this.#id = id;
    this.#checks = checks;
    this.#onApplied = onApplied;
    this.#snapshotMs = snapshotMs;
  }

  attach(node: RaftNode): void {
    node.onApply(({ index, data }) => this.#apply(index, data));
    node.onSnapshotRestore((bytes, index) => this.#restore(bytes, index));
    node.provideSnapshot(() => this.#snapshot());
  }

  #apply(index: number, data: Uint8Array): void {
    this.#checks().order(this.#id, this.appliedIndex, index, 'entry');
    this.#checks().applied(this.#id, index, data);
    this.appliedIndex = index;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const [id, key, value, expected] = [0, 4, 8, 12].map((at) => view.getUint32(at)) as [
      number,
      number,
      number,
      number,
    ];
    const isDone = expected === 0 || this.read(key) === expected;
    if (isDone) this.#values.set(key, value);
    this.#outcomes.set(id, isDone);
    this.#checks().state(this.#id, index, this.text());
    this.#onApplied(id, index);
  }

  /** 0 when it was never written. */
  read(key: number): number {
    return this.#values.get(key) ?? 0;
  }

  /** Whether the command took effect. */
  outcome(id: number): boolean {
    return this.#outcomes.get(id) ?? false;
  }

  text(): string {
    return JSON.stringify([...this.#values].sort(([a], [b]) => a - b));
  }

  /** Takes its time, as that of a large state does: entries are applied meanwhile. */
  async #snapshot(): Promise<Uint8Array> {
    const bytes = new Uint8Array(Buffer.from(this.text()));
    this.#checks().snapshot(this.#id, this.appliedIndex, bytes);
    await new Promise((resolve) => setTimeout(resolve, this.#snapshotMs));
    return bytes;
  }

  #restore(bytes: Uint8Array, index: number): void {
    this.#checks().order(this.#id, this.appliedIndex, index, 'snapshot');
    this.appliedIndex = index;
    this.#values.clear();
    const pairs = JSON.parse(Buffer.from(bytes).toString()) as [number, number][];
    for (const [key, value] of pairs) this.#values.set(key, value);
    this.#checks().state(this.#id, index, this.text());
  }
}

/** What a client is told. */
export type Answer = Pick<Operation, 'outcome' | 'result' | 'hint'>;

const NO_ANSWER: Answer = { outcome: 'unknown', result: 0, hint: Number.POSITIVE_INFINITY };

/** Writes at a process; reports what the client may know of the outcome. */
export function write(
  target: { readonly node: RaftNode; readonly registers: Registers },
  command: Command,
  size: number,
  done: (answer: Answer) => void,
): void {
  target.node.propose(encode(command, size)).then(
    ({ index }) => {
      const result = target.registers.outcome(command.id) ? 1 : 0;
      done({ outcome: 'ok', result, hint: index });
    },
    (error: unknown) => done({ ...NO_ANSWER, outcome: isRefusal(error) ? 'refused' : 'unknown' }),
  );
}

/** Reads at a process, leader or not, without an entry of the log. */
export function read(
  target: { readonly node: RaftNode; readonly registers: Registers },
  key: number,
  done: (answer: Answer) => void,
): void {
  const { node, registers } = target;
  node.readIndex().then(
    () => done({ outcome: 'ok', result: registers.read(key), hint: registers.appliedIndex }),
    () => done(NO_ANSWER),
  );
}

/** Errors that promise that nothing was done. */
function isRefusal(error: unknown): boolean {
  return ['no_leader', 'no_space', 'too_large', 'resource_exhausted'].some((code) =>
    hasCode(error, code as 'no_leader'),
  );
}

/** A write that has just been carried out. */
export function written(key: number, value: number, nowUs: number): Operation {
  return {
    key,
    kind: 'write',
    value,
    expected: 0,
    calledUs: nowUs,
    endedUs: nowUs,
    outcome: 'ok',
    result: 1,
    hint: 0,
  };
}
