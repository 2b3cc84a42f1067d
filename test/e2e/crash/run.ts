// npm run crash -- [--kills N] [--alone N] [--steps [--stride N]] [--reboots N] [--power-cuts N] [--seed N] [--only create,pull,…] [--keep-log FILE]:
// N kills at random moments inside all operations at once; N inside each alone; with --steps a kill before each (N-th) step of every operation, and of the
// start after a kill; N reboots inside all operations at once, with and without a disk that loses what was not synced. A line for each round that found
// something, tables, exit code 1 when anything was found. Needs root, docker (the client), docker-registry; power cuts also mkfs.ext4 and a loop device.
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Prng } from '../../support/prng.ts';
import type { CrashNode } from './crash-node.ts';
import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { type Reboot, RebootBench } from './reboots.ts';
import { CrashBench, type Round } from './rounds.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    alone: { type: 'string', default: '0' },
    steps: { type: 'boolean', default: false },
    stride: { type: 'string', default: '1' },
    reboots: { type: 'string', default: '20' },
    'power-cuts': { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    'keep-log': { type: 'string', default: '' },
  },
});

/** Beyond every operation's number of steps: the witnesses' own steps never end. */
const STEPS_MAX = 500;
const LOG_BYTES = 200_000;

interface Bench extends AsyncDisposable {
  readonly node: CrashNode;
  isUsable(): Promise<boolean>;
}

/** The bench of now; a new one when a round has left it broken. */
class Benches<T extends Bench> implements AsyncDisposable {
  readonly #start: () => Promise<T>;
  #bench: T | undefined;

  constructor(start: () => Promise<T>) {
    this.#start = start;
  }

  async get(): Promise<T> {
    if (this.#bench && !(await this.#bench.isUsable())) await this[Symbol.asyncDispose]();
    this.#bench ??= await this.#start();
    return this.#bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bench?.[Symbol.asyncDispose]();
    this.#bench = undefined;
  }
}

class Tally {
  readonly #what: string;
  readonly #counts = new Map<string, { rounds: number; cut: number; wrong: number }>();

  constructor(what: string) {
    this.#what = what;
  }

  take(bench: Bench, round: Round | Reboot): void {
    const { wrong, ...about } = round;
    const names = Object.keys(about.inside);
    for (const [name, state] of Object.entries(about.inside)) {
      const own = wrong.some((line) => names.length === 1 || line.startsWith(`${name}: `));
      this.#count(name, state.endsWith('cut'), own);
    }
    if (names.length !== 1) this.#count('all of it', true, wrong.length > 0);
    if (wrong.length > 0) tell(bench, about, wrong);
  }

  #count(name: string, isCut: boolean, isWrong: boolean): void {
    const counts = this.#counts.get(name) ?? { rounds: 0, cut: 0, wrong: 0 };
    this.#counts.set(name, counts);
    counts.rounds += 1;
    if (isCut) counts.cut += 1;
    if (isWrong) counts.wrong += 1;
  }

  print(): void {
    for (const [name, { rounds, cut, wrong }] of this.#counts) {
      say(`${name}: ${rounds} ${this.#what}, ${cut} cut it short, ${wrong} wrong`);
    }
  }
}

const prng = new Prng(Number(values.seed));
const only = values.only === '' ? [] : values.only.split(',');
const chosen = OPERATIONS.filter(({ name }) => only.length === 0 || only.includes(name));
let bad = 0;
let stop = false;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function tell(bench: Bench, about: object, wrong: readonly string[]): void {
  bad += 1;
  const text = `${JSON.stringify(about)}\n  ${wrong.join('\n  ')}`;
  say(text);
  if (values['keep-log'] === '') return;
  appendFileSync(values['keep-log'], `${bench.node.log(LOG_BYTES)}\n${text}\n\n`);
}

async function randomKills(
  what: string,
  benches: Benches<CrashBench>,
  count: number,
  sets: readonly (readonly Operation[])[],
): Promise<void> {
  const tally = new Tally(what);
  for (let i = 0; i < count && !stop; i += 1) {
    for (const operations of sets) {
      if (stop) break;
      const bench = await benches.get();
      tally.take(bench, await bench.round(operations));
    }
  }
  tally.print();
}

/** Calls `round` with step after step until it has none any more. */
async function allSteps(
  benches: Benches<CrashBench>,
  tally: Tally,
  round: (bench: CrashBench, step: number) => Promise<Round | undefined>,
): Promise<void> {
  const stride = Number(values.stride);
  for (let step = 1 + prng.below(stride); step <= STEPS_MAX && !stop; step += stride) {
    const bench = await benches.get();
    const result = await round(bench, step);
    if (!result) return;
    tally.take(bench, result);
  }
}

async function reboots(what: string, count: number, ownDisk: boolean): Promise<void> {
  if (count === 0) return;
  const tally = new Tally(what);
  await using benches = new Benches(() => RebootBench.start(prng, ownDisk));
  for (let i = 0; i < count && !stop; i += 1) {
    const bench = await benches.get();
    tally.take(bench, await bench.round());
  }
  tally.print();
}

// The round that is under way is finished, and the table is printed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stop = true;
  });
}

const kills = Number(values.kills);
const alone = Number(values.alone);
if (chosen.length > 0 && (kills > 0 || alone > 0 || values.steps)) {
  await using benches = new Benches(() => CrashBench.start(prng));
  const each = chosen.map((operation) => [operation]);
  await randomKills('kills together', benches, kills, [chosen]);
  await randomKills('kills alone', benches, alone, each);
  if (values.steps) {
    const steps = new Tally('kills before a step');
    for (const operation of chosen) {
      await allSteps(benches, steps, (bench, step) => bench.stepRound(operation, step));
    }
    steps.print();
    const starts = new Tally('kills, then another before a step of the start');
    await allSteps(benches, starts, (bench, step) => bench.recoveryRound(chosen, step));
    starts.print();
  }
  for (const line of await (await benches.get()).finish(true)) {
    bad += 1;
    say(line);
  }
}
await reboots('reboots', Number(values.reboots), false);
await reboots('power cuts', Number(values['power-cuts']), true);

process.exitCode = bad === 0 ? 0 : 1;
