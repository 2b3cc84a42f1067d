// Clients that read and change registers of a cluster through its public API and write down what they did, for the check of linearizability. A register is a
// config whose label holds the value; a change is an update of the version that was read, so it is a compare-and-swap. Every value is written once.
// Outcomes: answered with 200 = took effect; refused for its version or its form = certainly did not (a pending change that may yet be lost can refuse a
// later one, so a refusal says nothing about the value); everything else = unknown. Half of the registers are secrets instead: a manager answers a config from its state,
// a secret from the copy of it that its gateway keeps. Answers that say themselves that no leader has confirmed them are left out.
import type { Operation } from '../sim/linearizable.ts';
import { type Answer, callSocket } from './socket-call.ts';

/** After an error, so that a cluster without a leader is not flooded. */
const ERROR_PAUSE_MS = 20;
const POLL_MS = 50;

interface Config {
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Name: string; readonly Labels: Readonly<Record<string, string>> };
}

export interface Progress {
  readonly reads: number;
  readonly swaps: number;
  readonly unknown: number;
  /** Longest time without an acknowledged change, ms. */
  readonly gapMs: number;
}

export class RegisterClients {
  readonly history: Operation[] = [];
  readonly #sockets: readonly string[];
  readonly #registers: number;
  readonly #name: string;
  #ids: readonly string[] = [];
  #nextValue = 1;
  #stopped = false;
  #running: Promise<void>[] = [];
  #lastOkMs = 0;
  #gapMs = 0;

  /** `sockets`: Docker sockets of the managers that are asked, each client another one for each operation. */
  constructor(sockets: readonly string[], registers: number, name = 'register') {
    this.#sockets = sockets;
    this.#registers = registers;
    this.#name = name;
  }

  /** Creates the registers, with 0 in each. */
  async prepare(): Promise<void> {
    const ids: string[] = [];
    for (let key = 0; key < this.#registers; key++) {
      const body = { Name: `${this.#name}-${key}`, Labels: { v: '0' }, Data: 'eA==' };
      const answer = await this.#call('POST', `/${kindOf(key)}/create`, body);
      if (answer.status !== 201) throw new Error(`register ${key}: ${answer.text}`);
      ids.push((JSON.parse(answer.text) as { ID: string }).ID);
    }
    this.#ids = ids;
  }

  start(clients: number): void {
    this.#lastOkMs = performance.now();
    this.#running = Array.from({ length: clients }, (_, index) => this.#client(index));
  }

  /** Until so many more changes than now took effect. @throws when they do not in time */
  async untilSwapped(more: number, timeoutMs = 60_000): Promise<void> {
    const wanted = this.#done('swap') + more;
    const endMs = performance.now() + timeoutMs;
    while (this.#done('swap') < wanted) {
      if (performance.now() > endMs) throw new Error(`no ${more} changes in ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #done(kind: Operation['kind']): number {
    return this.history.filter((operation) => operation.kind === kind && operation.outcome === 'ok')
      .length;
  }

  /** Ends the clients and reads every register once more. @throws when a register cannot be read */
  async stop(): Promise<Progress> {
    this.#stopped = true;
    await Promise.all(this.#running);
    this.#noteGap();
    for (let key = 0; key < this.#registers; key++) {
      const read = await this.#read(key, this.#sockets[0] ?? '');
      if (!read) throw new Error(`register ${key} cannot be read at the end`);
    }
    return {
      reads: this.#done('read'),
      swaps: this.#done('swap'),
      unknown: this.history.filter((operation) => operation.outcome === 'unknown').length,
      gapMs: this.#gapMs,
    };
  }

  async #client(index: number): Promise<void> {
    for (let round = index; !this.#stopped; round++) {
      const key = round % this.#registers;
      const socket = this.#sockets[(round * 7 + index) % this.#sockets.length] ?? '';
      const found = await this.#read(key, socket);
      const isDone = found && (await this.#swap(key, found, socket));
      if (!isDone) await new Promise((resolve) => setTimeout(resolve, ERROR_PAUSE_MS));
    }
  }

  async #read(key: number, socket: string): Promise<Config | undefined> {
    const calledUs = micros();
    const answer = await this.#call('GET', this.#pathOf(key), undefined, socket);
    if (answer.status !== 200 || !answer.isConfirmed) return undefined;
    const config = JSON.parse(answer.text) as Config;
    this.history.push({
      key,
      kind: 'read',
      value: 0,
      expected: 0,
      calledUs,
      endedUs: micros(),
      outcome: 'ok',
      result: Number(config.Spec.Labels.v),
      hint: config.Version.Index,
    });
    return config;
  }

  async #swap(key: number, found: Config, socket: string): Promise<boolean> {
    const value = this.#nextValue++;
    const expected = Number(found.Spec.Labels.v);
    const operation: Operation = {
      key,
      kind: 'swap',
      value,
      expected,
      calledUs: micros(),
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 1,
      hint: found.Version.Index + 1,
    };
    this.history.push(operation);
    const path = `${this.#pathOf(key)}/update?version=${found.Version.Index}`;
    const spec = { Name: found.Spec.Name, Labels: { v: String(value) }, Data: 'eA==' };
    const answer = await this.#call('POST', path, spec, socket);
    if (answer.status === 200) {
      operation.outcome = 'ok';
      operation.endedUs = micros();
      this.#noteGap();
      this.#lastOkMs = performance.now();
      return true;
    }
    const isRefused = answer.status === 400 || answer.text.includes('out of sequence');
    if (isRefused) {
      operation.outcome = 'refused';
      operation.endedUs = micros();
    }
    return isRefused;
  }

  #noteGap(): void {
    this.#gapMs = Math.max(this.#gapMs, performance.now() - this.#lastOkMs);
  }

  #pathOf(key: number): string {
    return `/${kindOf(key)}/${this.#ids[key]}`;
  }

  #call(method: string, path: string, body: unknown, socket?: string): Promise<Answer> {
    return callSocket(socket ?? this.#sockets[0] ?? '', method, path, body);
  }
}

function kindOf(key: number): 'configs' | 'secrets' {
  return key % 2 === 0 ? 'configs' : 'secrets';
}

function micros(): number {
  return performance.now() * 1000;
}
