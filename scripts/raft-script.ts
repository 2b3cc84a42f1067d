// `npm run -s raft:script -- FILE…`: runs interaction, quorum and configuration scripts against the
// Raft core and prints them with the results in place of the expectations.
// With `--compare`, prints instead which blocks differ from what their files expect (log lines
// aside) and exits with 1 if any does. A folder stands for all .txt files below it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { canonical } from '#test/support/raft-script/compare';
import { printScript } from '#test/support/raft-script/parse';
import { runScript } from '#test/support/raft-script/run';

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(join(path, name)))
    .filter((name) => name.endsWith('.txt'));
}

function compareFile(file: string): { blocks: number; differences: number } {
  const { blocks, results } = runScript(readFileSync(file, 'utf8'));
  let differences = 0;
  for (const [i, block] of blocks.entries()) {
    const got = canonical(results[i] as string);
    const want = canonical(block.expected);
    if (got === want) continue;
    differences++;
    process.stdout.write(`${file}:${block.line}: ${block.head[0]}\n`);
    if (isVerbose) process.stdout.write(`--- expected\n${want}\n--- got\n${got}\n\n`);
  }
  return { blocks: blocks.length, differences };
}

const options = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const isVerbose = options.includes('--verbose');
const paths = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = options.find((arg) => arg !== '--compare' && arg !== '--verbose');
if (paths.length === 0 || unknown !== undefined) {
  process.stderr.write('usage: raft-script [--compare [--verbose]] FILE|FOLDER…\n');
  process.exit(2);
}
const files = paths.flatMap(filesOf);
if (!options.includes('--compare')) {
  for (const file of files) {
    const { parts, results } = runScript(readFileSync(file, 'utf8'));
    process.stdout.write(printScript(parts, results));
  }
} else {
  let total = 0;
  let different = 0;
  for (const file of files) {
    const { blocks, differences } = compareFile(file);
    total += blocks;
    different += differences;
  }
  process.stdout.write(`${total - different} of ${total} blocks agree, ${files.length} files\n`);
  process.exitCode = different === 0 ? 0 : 1;
}
