// npm run sim:coverage [-- --seeds N --lines]: which lines of Raft, WAL, store, authority and
// dispatcher the simulator runs. Ends with 1 below 90 percent of any of them. Counted by V8 itself; a
// line counts when something of it besides brackets is code, also in modules that are never loaded.
// Node strips types by writing blanks over them, so places in the running code are those in the file.
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { repeatCommand } from './seed-result.ts';
import { SeedRunner } from './seed-runner.ts';
import type { ScriptCoverage } from './seed-thread.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDERS = [
  'manager/raft',
  'manager/wal',
  'manager/store',
  'manager/ca',
  'manager/dispatcher',
];
const SHARE_MIN = 0.9;
const STEPS = 4_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    lines: { type: 'boolean', default: false },
  },
});

/** Numbers (from 0) of the lines that are code. */
function codeLines(path: string): number[] {
  const code = stripTypeScriptTypes(readFileSync(path, 'utf8'));
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  const bare = code
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/(^|\s)\/\/[^\n]*/g, blank)
    .replace(/^import [\s\S]*?;$/gm, blank);
  return bare
    .split('\n')
    .map((line, i) => (/[^\s(){}[\];,]/.test(line) ? i : -1))
    .filter((i) => i >= 0);
}

/** Per character whether it has run; later ranges lie within earlier ones. */
function ranCharacters(script: ScriptCoverage | undefined, length: number): Uint8Array {
  const ran = new Uint8Array(length);
  for (const { ranges } of script?.functions ?? []) {
    for (const { startOffset, endOffset, count } of ranges) {
      ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    }
  }
  return ran;
}

function missedLines(path: string, script: ScriptCoverage | undefined): [number[], number] {
  const source = readFileSync(path, 'utf8');
  const ran = ranCharacters(script, source.length);
  const starts = [0];
  for (let i = 0; i < source.length; i++) if (source[i] === '\n') starts.push(i + 1);
  const lines = codeLines(path);
  const missed = lines.filter((line) => {
    const from = starts[line] ?? 0;
    const to = starts[line + 1] ?? source.length;
    for (let i = from; i < to; i++) if (ran[i] === 1 && source[i]?.trim() !== '') return false;
    return true;
  });
  return [missed, lines.length];
}

function report(scripts: readonly ScriptCoverage[]): boolean {
  const byPath = new Map(
    scripts
      .filter(({ url }) => url.startsWith('file:'))
      .map((script) => [fileURLToPath(script.url), script]),
  );
  let isEnough = true;
  for (const folder of FOLDERS) {
    let missed = 0;
    let total = 0;
    const names = readdirSync(join(ROOT, folder)).filter((name) => /(?<!\.d)\.ts$/.test(name));
    for (const name of names.sort()) {
      const path = join(ROOT, folder, name);
      const [lines, count] = missedLines(path, byPath.get(path));
      missed += lines.length;
      total += count;
      if (values.lines && lines.length > 0) {
        process.stdout.write(`  ${folder}/${name}: ${lines.map((line) => line + 1).join(' ')}\n`);
      }
    }
    const share = (total - missed) / total;
    if (share < SHARE_MIN) isEnough = false;
    const percent = (share * 100).toFixed(1);
    process.stdout.write(`${folder}: ${percent} % of ${total} lines run\n`);
  }
  return isEnough;
}

async function main(): Promise<void> {
  await using runner = new SeedRunner({ isCounted: true });
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const { failure } = await runner.run(seed, STEPS);
    if (failure === null) continue;
    const text = failure.text.slice(0, 500);
    throw new Error(`seed ${seed}: ${text}\nrepeat it with: ${repeatCommand(seed, STEPS)}`);
  }
  process.exitCode = report(await runner.takeCoverage()) ? 0 : 1;
}

await main();
