// npm run check: everything that needs neither root nor long: compile, generated code is current, lint, tidy, unit and golden tests. Under a minute.
// `--no-tests` leaves the tests to the caller.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tidy } from './tidy.ts';

const ROOT = join(import.meta.dirname, '..');
const node = process.execPath;

function readGenerated(): string {
  const folder = join(ROOT, 'protocol/generated');
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\0');
}

function command(name: string, args: readonly string[]): boolean {
  const started = performance.now();
  const result = spawnSync(node, args, { cwd: ROOT, stdio: 'inherit' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${result.status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  return result.status === 0;
}

function checkGenerated(): boolean {
  const before = readGenerated();
  const ok = command('generate', ['--conditions=source', 'protocol/gen/generate.ts']);
  if (before === readGenerated()) return ok;
  process.stdout.write(
    'FAILED protocol/generated is not what protocol/proto says: commit the result of "npm run gen"\n',
  );
  return false;
}

function checkTidy(): boolean {
  const findings = tidy(ROOT);
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(`${findings.length === 0 ? 'ok    ' : 'FAILED'} tidy\n`);
  return findings.length === 0;
}

const results = [
  checkGenerated(),
  command('compile', ['node_modules/typescript/bin/tsc', '-b', '--pretty', 'false']),
  command('lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']),
  checkTidy(),
];
if (!process.argv.includes('--no-tests')) {
  results.push(
    command('tests', [
      ...(process.arch === 'x64' ? ['--no-memory-protection-keys'] : []),
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      'unit',
      '--project',
      'golden',
    ]),
  );
}
process.exit(results.every(Boolean) ? 0 : 1);
