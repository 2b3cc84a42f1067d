// npm run sim -- --seed N --steps M --count K: runs seeds N to N+K-1, each for M steps of faults and
// then until the group is whole again. Ends with 1 at the first seed that breaks a rule, and prints
// the command that repeats it. --seconds S: as many seeds as fit into that time; --only cluster or
// registers: of these seeds those of the one kind; --keep-going: go on after a broken rule.
import { parseArgs } from 'node:util';
import { kindOf, runSeed, type SeedResult } from './run-seed.ts';

const STEPS_DEFAULT = 4_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: String(STEPS_DEFAULT) },
    count: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '' },
    quiet: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`--${name} must be a positive whole number, not ${text}\n`);
  process.exit(2);
}

function repeatCommand(result: SeedResult, steps: number): string {
  return `npm run sim -- --seed ${result.seed} --steps ${steps}`;
}

function main(): void {
  const first = number('seed', values.seed);
  const steps = number('steps', values.steps);
  const seconds = values.seconds === '' ? null : number('seconds', values.seconds);
  const fallback = seconds === null ? 1 : Number.MAX_SAFE_INTEGER;
  const count = values.count === '' ? fallback : number('count', values.count);
  const startedMs = performance.now();
  const sum = { seeds: 0, steps: 0, failed: 0, virtualSeconds: 0 };
  const totals: Record<string, number> = {};
  const failedRules: Record<string, number> = {};
  for (let seed = first; seed < first + count; seed++) {
    if (values.only !== '' && values.only !== kindOf(seed)) continue;
    if (seconds !== null && performance.now() - startedMs > seconds * 1000) break;
    const result = runSeed(seed, steps);
    sum.seeds++;
    sum.steps += result.steps;
    sum.virtualSeconds += result.virtualSeconds;
    add(totals, { ...result.counts, faults: 0 });
    add(totals, result.counts.faults);
    if (count === 1 && !values.quiet) {
      process.stdout.write(`${JSON.stringify({ ...result, failure: undefined })}\n`);
    }
    if (result.failure === null) continue;
    sum.failed++;
    failedRules[result.failure.rule] = (failedRules[result.failure.rule] ?? 0) + 1;
    process.stdout.write(`seed ${seed} breaks a rule: ${result.failure.text.slice(0, 3000)}\n`);
    process.stdout.write(`repeat it with: ${repeatCommand(result, steps)}\n`);
    if (!values['keep-going']) break;
  }
  const elapsed = (performance.now() - startedMs) / 1000;
  const perSecond = Math.round(sum.steps / elapsed);
  process.stdout.write(
    `${sum.seeds} seeds, ${sum.steps} steps, ${sum.failed} failed; ${elapsed.toFixed(1)} s, ` +
      `${perSecond} steps/s, ${Math.round(sum.virtualSeconds)} virtual seconds\n`,
  );
  process.stdout.write(`${JSON.stringify(totals)}\n`);
  if (sum.failed > 0) process.stdout.write(`${JSON.stringify(failedRules)}\n`);
  process.exitCode = sum.failed > 0 ? 1 : 0;
}

function add(totals: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) {
    if (count > 0) totals[name] = (totals[name] ?? 0) + count;
  }
}

// Whoever reads the output may have seen enough.
process.stdout.on('error', () => process.exit(1));
// A task of its own: modules are evaluated inside of a promise job.
setImmediate(main);
