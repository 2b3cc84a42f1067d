// npm run sim -- --seed N --steps M --count K: runs seeds N to N+K-1, each for M steps of faults and
// then until the group is whole again. Ends with 1 at the first seed that breaks a rule, and prints
// the command that repeats it. --seconds S: as many seeds as fit into that time; --only cluster or
// registers: of these seeds those of the one kind; --keep-going: go on after a broken rule; --jobs N:
// so many seeds at a time. A run that does not end breaks a rule, too. SIGINT and SIGTERM end it after the
// seeds that are under way, with the figures so far.
import { parseArgs } from 'node:util';
import { kindOf, repeatCommand, type SeedResult } from './seed-result.ts';
import { SeedRunner } from './seed-runner.ts';

const STEPS_DEFAULT = 4_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: String(STEPS_DEFAULT) },
    count: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '' },
    quiet: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    'keep-going': { type: 'boolean', default: false },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`--${name} must be a positive whole number, not ${text}\n`);
  process.exit(2);
}

/** What all seeds add up to. */
class Sum {
  seeds = 0;
  steps = 0;
  failed = 0;
  virtualSeconds = 0;
  readonly #totals: Record<string, number> = {};
  readonly #failedRules: Record<string, number> = {};
  readonly #startedMs = performance.now();

  get elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  add({ steps, virtualSeconds, counts, failure }: SeedResult): void {
    this.seeds++;
    this.steps += steps;
    this.virtualSeconds += virtualSeconds;
    add(this.#totals, { ...counts, faults: 0 });
    add(this.#totals, counts.faults);
    if (failure === null) return;
    this.failed++;
    add(this.#failedRules, { [failure.rule]: 1 });
  }

  print(): void {
    const elapsed = this.elapsedSeconds;
    const perSecond = Math.round(this.steps / elapsed);
    process.stdout.write(
      `${this.seeds} seeds, ${this.steps} steps, ${this.failed} failed; ${elapsed.toFixed(1)} s, ` +
        `${perSecond} steps/s, ${Math.round(this.virtualSeconds)} virtual seconds\n`,
    );
    process.stdout.write(`${JSON.stringify(this.#totals)}\n`);
    if (this.failed > 0) process.stdout.write(`${JSON.stringify(this.#failedRules)}\n`);
  }
}

async function main(): Promise<void> {
  const first = number('seed', values.seed);
  const steps = number('steps', values.steps);
  const jobs = number('jobs', values.jobs);
  const seconds = values.seconds === '' ? null : number('seconds', values.seconds);
  const fallback = seconds === null ? 1 : Number.MAX_SAFE_INTEGER;
  const count = values.count === '' ? fallback : number('count', values.count);
  const sum = new Sum();
  let seed = first;
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      isStopped = true;
    });
  }
  const isOver = (): boolean =>
    isStopped ||
    seed >= first + count ||
    (seconds !== null && sum.elapsedSeconds > seconds) ||
    (sum.failed > 0 && !values['keep-going']);
  const work = async (): Promise<void> => {
    await using runner = new SeedRunner();
    while (!isOver()) {
      const next = seed++;
      if (values.only !== '' && values.only !== kindOf(next)) continue;
      const result = await runner.run(next, steps);
      sum.add(result);
      report(result, steps, count === 1 && !values.quiet);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  sum.print();
  process.exitCode = sum.failed > 0 ? 1 : 0;
}

function report(result: SeedResult, steps: number, isAlone: boolean): void {
  const { seed, failure } = result;
  if (isAlone) process.stdout.write(`${JSON.stringify({ ...result, failure: undefined })}\n`);
  if (failure === null) return;
  process.stdout.write(`seed ${seed} breaks a rule: ${failure.text.slice(0, 3000)}\n`);
  process.stdout.write(`repeat it with: ${repeatCommand(seed, steps)}\n`);
}

function add(totals: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) {
    if (count > 0) totals[name] = (totals[name] ?? 0) + count;
  }
}

// Whoever reads the output may have seen enough.
process.stdout.on('error', () => process.exit(1));
await main();
