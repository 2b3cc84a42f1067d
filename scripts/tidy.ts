// House rules that a machine can see (docs/style): sizes of files, what pure folders may touch, left-over marks, documents that must be there.
// Each finding is one line "file:line: what".
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file longer than this is split by what it is about; a test is a list of cases and may be longer. */
const LINES_MAX = 500;
const TEST_LINES_MAX = 800;

const PURE =
  /^(protocol|compose-spec|manager\/(raft|wal|store|ca|dispatcher|orchestrator|scheduler|allocator)|worker\/agent)\//;
const NOT_PURE = /^protocol\/(transport|gen)\//;

interface Rule {
  readonly what: string;
  readonly pattern: RegExp;
  readonly applies: (file: string) => boolean;
}

const RULES: readonly Rule[] = [
  {
    what: 'a mark that was left behind',
    pattern: /\b(TODO|FIXME|XXX)\b/,
    applies: (file) => !file.startsWith('scripts/tidy'),
  },
  {
    what: 'a pure folder must not touch time, randomness or Node',
    pattern:
      /\bDate\.now\(|new Date\(\)|Math\.random\(|\bset(Timeout|Interval|Immediate)\(|from 'node:|\bprocess\./,
    applies: (file) => PURE.test(file) && !NOT_PURE.test(file),
  },
  {
    what: 'console belongs to nobody: write to the log or to the output',
    pattern: /^\s*console\./,
    applies: (file) =>
      /^(manager|worker|api|daemon|cli|protocol|compose-spec)\//.test(file) && file.endsWith('.ts'),
  },
  {
    what: 'a test that does not run',
    pattern: /\b(it|test|describe)\.(skip|only|todo)\(/,
    applies: (file) => file.startsWith('test/'),
  },
];

/** All findings in the files that git tracks or would track. */
export function tidy(root: string): string[] {
  const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = listed.stdout
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(root, file)));
  return [...files.flatMap((file) => checkFile(root, file)), ...checkDocuments(root)];
}

function checkFile(root: string, file: string): string[] {
  if (!/\.(ts|mjs|c|h)$/.test(file) || /^(protocol|api\/cluster)\/generated\//.test(file))
    return [];
  const lines = readFileSync(join(root, file), 'utf8').trimEnd().split('\n');
  const findings: string[] = [];
  if (
    lines.length > (file.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX) &&
    !lines.slice(0, 12).some((line) => line.includes('Longer than'))
  ) {
    findings.push(
      `${file}:1: ${lines.length} lines; split it, or say at the top "Longer than … because …"`,
    );
  }
  for (const { what, pattern, applies } of RULES) {
    if (!applies(file)) continue;
    for (const [index, line] of lines.entries()) {
      const isComment = /^\s*(\/\/|\*|\/\*)/.test(line);
      if (pattern.test(line) && (!isComment || what.startsWith('a mark')))
        findings.push(`${file}:${index + 1}: ${what}`);
    }
  }
  const first = lines.find((line) => line.trim() !== '' && !line.startsWith('#!')) ?? '';
  if (!/^\s*(\/\/|\/\*)/.test(first) && file.endsWith('.ts') && !file.endsWith('.config.ts')) {
    findings.push(`${file}:1: no opening comment that says what the file owns`);
  }
  return findings;
}

const DOCUMENTS = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'docs/architecture.md',
  'docs/glossary.md',
  'docs/dependencies.md',
  'protocol/DESIGN.md',
  'compose-spec/DESIGN.md',
  'manager/DESIGN.md',
  'worker/DESIGN.md',
  'api/DESIGN.md',
  'daemon/DESIGN.md',
  'cli/DESIGN.md',
  'native/DESIGN.md',
  'dashboard/DESIGN.md',
];

function checkDocuments(root: string): string[] {
  return DOCUMENTS.filter((name) => !existsSync(join(root, name))).map(
    (name) => `${name}: is missing`,
  );
}
