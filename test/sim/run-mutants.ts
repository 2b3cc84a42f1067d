// npm run sim:mutants [-- --only TEXT --from N --count N --seeds N --jobs N --all]: plants each bug of mutants.ts (or N of them from the Nth on) in a copy of
// the sources, and runs seeds until a check catches it; the same seed must pass without the bug. Ends
// with 1 when one is not caught, or when a bug no longer fits the sources. --seconds S: begins with no other one after
// that time, and says from where to go on.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MUTANTS, type Mutant } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../..');
/** What the simulator imports, and package.json for the names of the imports. */
const COPIED = ['manager', 'protocol', 'worker', 'test/sim', 'test/support', 'package.json'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '' },
    seconds: { type: 'string', default: '' },
    seeds: { type: 'string', default: '5000' },
    jobs: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
  },
});

interface Outcome {
  readonly isCaught: boolean;
  readonly text: string;
  readonly seed: string;
}

function plant({ name, file, find, replace }: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-mutant-'));
  for (const part of COPIED) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) {
    rmSync(folder, { recursive: true });
    throw new Error(`the bug "${name}" does not fit ${file} any more`);
  }
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  return folder;
}

/** Bugs of what only the whole manager has are looked for there alone, and the others not there. */
function kindFor({ file }: Mutant): string {
  const isOfRaft = ['manager/raft/', 'manager/wal/', 'manager/host/raft/'].some((folder) =>
    file.startsWith(folder),
  );
  return isOfRaft ? 'registers' : 'cluster';
}

function simulate(
  folder: string,
  seeds: { readonly first: string; readonly count: string; readonly only: string },
): Promise<Outcome> {
  const main = join(folder, 'test/sim/main.ts');
  const { first, count, only } = seeds;
  const range = ['--seed', first, '--count', count, '--only', only];
  const args = ['--conditions=source', main, ...range, '--quiet'];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  const stop = (): void => {
    child.kill();
  };
  process.once('exit', stop);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      process.off('exit', stop);
      const found = /seed (\d+) breaks a rule: ([^:{]*)/.exec(output);
      const isCaught = code === 1 && found !== null;
      const text = isCaught ? `seed ${found[1]}: ${found[2]}` : output.trim().slice(-300);
      resolve({ isCaught, text, seed: found?.[1] ?? '' });
    });
  });
}

async function main(): Promise<void> {
  const isTried = ({ name, isGap }: Mutant): boolean =>
    values.only === '' ? values.all || isGap !== true : name.includes(values.only);
  const first = Number(values.from) - 1;
  const end = values.count === '' ? MUTANTS.length : first + Number(values.count);
  const wanted = MUTANTS.slice(first, end).filter(isTried);
  const waiting = [...wanted];
  let caught = 0;
  let tried = 0;
  const startedMs = performance.now();
  const isOver = (): boolean =>
    values.seconds !== '' && performance.now() - startedMs > Number(values.seconds) * 1000;
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      tried++;
      const outcome = await runOne(mutant);
      if (outcome.isCaught) caught++;
      const mark = outcome.isCaught ? 'caught ' : 'MISSED ';
      process.stdout.write(`${mark} ${mutant.name} (${mutant.source}): ${outcome.text}\n`);
      if (isOver()) return;
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  process.stdout.write(`${caught} of ${tried} planted bugs were caught\n`);
  const [next] = waiting;
  if (next)
    process.stdout.write(`not tried for want of time: from ${MUTANTS.indexOf(next) + 1} on\n`);
  process.exitCode = caught === wanted.length ? 0 : 1;
}

async function runOne(mutant: Mutant): Promise<Outcome> {
  let folder: string;
  try {
    folder = plant(mutant);
  } catch (error) {
    return { isCaught: false, text: String(error), seed: '' };
  }
  try {
    const only = kindFor(mutant);
    const outcome = await simulate(folder, { first: '1', count: values.seeds, only });
    if (!outcome.isCaught) return outcome;
    const clean = await simulate(ROOT, { first: outcome.seed, count: '1', only });
    if (!clean.isCaught) return outcome;
    const text = `seed ${outcome.seed} breaks a rule without the bug as well`;
    return { isCaught: false, text, seed: outcome.seed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

process.once('SIGTERM', () => process.exit(143));
await main();
