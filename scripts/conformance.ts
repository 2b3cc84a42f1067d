// Runs the loader over a folder of recorded compose cases and prints what differs from what was
// recorded: `npm run conformance -- DIR [--only SUBSTRING] [--verbose]`. DIR has the layout of the
// shared test data: compose/{corpus,embedded,merge,interpolation,dotenv,fixtures}. Exit code 1 when
// more than 2 % of the cases differ in a way that is not on the list of accepted differences.

import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { toCanonicalJson } from '#compose-spec/load/canonical-json';
import { parseDotenv } from '#compose-spec/load/dotenv';
import type { ComposeFiles } from '#compose-spec/load/files';
import { type LoadInput, loadProject } from '#compose-spec/load/load-project';
import { describeFault, substitute, unsetWarning } from '#compose-spec/load/template';

/** Share of cases that may differ, in percent. */
const DIFFERING_PERCENT_MAX = 2;

/** Cases where ours is meant to differ, and why. */
const ACCEPTED: Readonly<Record<string, string>> = {
  'embedded/TestXService': 'x- is a legal start of a network name; compose-go loses it',
  'embedded/TestLoadSSHWithKeyValueInBuildConfig': 'compose-go cannot print an ssh key with a path',
};

interface Outcome {
  readonly id: string;
  readonly differences: readonly string[];
}

const files: ComposeFiles = {
  read: (name) => (isFile(name) ? readFileSync(name, 'utf8') : undefined),
  isDirectory: (name) => statSync(name, { throwIfNoEntry: false })?.isDirectory() === true,
  isFile,
  realpath: (name) => (existsSync(name) ? realpathSync(name) : undefined),
};

function isFile(name: string): boolean {
  const stat = statSync(name, { throwIfNoEntry: false });
  return stat !== undefined && !stat.isDirectory();
}

interface Expected {
  readonly json?: unknown;
  readonly error?: string | undefined;
  readonly warnings?: readonly string[] | undefined;
}

function runCase(id: string, input: LoadInput, expected: Expected, marks: Marks): Outcome {
  const differences: string[] = [];
  const result = loadProject(input, files);
  if (expected.error !== undefined) {
    const messages = result.ok ? [] : result.errors.map((error) => error.message);
    const ours = marks.hide(messages.join('\n'));
    if (result.ok) differences.push(`accepted; expected error: ${expected.error}`);
    else {
      const text = expected.error.replace('decoding failed due to the following error(s):\n\n', '');
      for (const sentence of ours.includes(text) ? [] : text.split('\n')) {
        if (!ours.includes(sentence))
          differences.push(`error\n   want ${sentence}\n   have ${ours}`);
      }
    }
  } else if (!result.ok) {
    differences.push(`refused: ${result.errors.map((error) => error.message).join('\n   ')}`);
  } else {
    const ours = JSON.parse(marks.hide(JSON.stringify(toCanonicalJson(result.project))));
    compare(expected.json, ours, '$', differences);
  }
  if (expected.warnings !== undefined) {
    const ours = new Set(result.warnings.map((warning) => marks.hide(warning.message)));
    const wanted = new Set(expected.warnings.map(logMessage));
    for (const text of wanted) if (!ours.has(text)) differences.push(`warning missing: ${text}`);
    // After an error compose-go stops reading, and so warns of less.
    for (const text of expected.error === undefined ? ours : []) {
      if (!wanted.has(text)) differences.push(`warning extra: ${text}`);
    }
  }
  return { id, differences };
}

/** The message of a recorded log line, `level=warning msg="…"`. */
function logMessage(line: string): string {
  const match = /msg=("(?:[^"\\]|\\.)*")/.exec(line);
  return match?.[1] === undefined ? line : String(JSON.parse(match[1]));
}

interface Marks {
  hide(text: string): string;
}

/** Writes absolute folders as the recordings do. */
function marks(folders: Readonly<Record<string, string>>): Marks {
  const ordered = Object.entries(folders).sort(([, a], [, b]) => b.length - a.length);
  return {
    hide: (text) => ordered.reduce((all, [mark, dir]) => all.replaceAll(dir, mark), text),
  };
}

function compare(want: unknown, have: unknown, where: string, differences: string[]): void {
  if (Object.is(want, have)) return;
  if (Array.isArray(want) && Array.isArray(have) && want.length === have.length) {
    for (const [i, item] of want.entries()) compare(item, have[i], `${where}[${i}]`, differences);
    return;
  }
  if (isRecord(want) && isRecord(have)) {
    for (const key of new Set([...Object.keys(want), ...Object.keys(have)])) {
      compare(want[key], have[key], `${where}.${key}`, differences);
    }
    return;
  }
  differences.push(`${where}\n   want ${JSON.stringify(want)}\n   have ${JSON.stringify(have)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(name, 'utf8'));
}

const HOME = '/home/user';

function environment(dir: string): Record<string, string> {
  return { PATH: '/usr/bin:/bin', HOME, PWD: dir };
}

/** `--no-normalize --no-consistency` */
const BARE = { skipNormalization: true, skipConsistency: true } as const;

/** `-f`, `--profile` and the like as the loader's input. */
function parseArguments(args: readonly string[]): Partial<LoadInput> {
  const configFiles: string[] = [];
  const profiles: string[] = [];
  const envFiles: string[] = [];
  let projectName: string | undefined;
  for (let i = 0; i < args.length; i += 2) {
    const value = args[i + 1] ?? '';
    if (args[i] === '-f') configFiles.push(value);
    else if (args[i] === '--profile') profiles.push(value);
    else if (args[i] === '--env-file') envFiles.push(value);
    else if (args[i] === '-p') projectName = value;
    else throw new Error(`unknown argument in a case: ${args[i]}`);
  }
  return {
    configFiles,
    profiles,
    envFiles,
    ...(projectName === undefined ? {} : { projectName }),
  };
}

function* corpus(root: string): Generator<Outcome> {
  const cases = readJson(path.join(root, 'corpus-cases.json')) as readonly {
    id: string;
    dir: string;
    args: string[];
    rc: number;
    expected?: string;
    error?: string;
    warnings: string[];
  }[];
  for (const item of cases) {
    const dir = path.join(root, 'corpus', item.dir);
    const input: LoadInput = {
      cwd: dir,
      environment: environment(dir),
      ...parseArguments(item.args),
    };
    const json =
      item.expected === undefined
        ? undefined
        : readJson(path.join(root, 'corpus-expected', item.expected));
    yield runCase(`corpus/${item.id}`, input, { json, ...item }, marks({ '{{DIR}}': dir }));
  }
}

function* embedded(root: string): Generator<Outcome> {
  for (const name of readdirSync(path.join(root, 'embedded')).sort()) {
    const dir = path.join(root, 'embedded', name);
    const expected = readJson(path.join(dir, 'config.json')) as {
      default: Expected;
      no_normalize_no_consistency: Expected;
    };
    const input: LoadInput = {
      cwd: dir,
      environment: environment(dir),
      configFiles: ['compose.yaml'],
      projectName: 'test',
    };
    const hide = marks({ '{{DIR}}': dir });
    yield runCase(`embedded/${name}`, input, expected.default, hide);
    const bare = { ...input, ...BARE };
    yield runCase(`embedded/${name} (bare)`, bare, expected.no_normalize_no_consistency, hide);
  }
}

function* merge(root: string): Generator<Outcome> {
  for (const name of readdirSync(path.join(root, 'merge')).sort()) {
    const dir = path.join(root, 'merge', name);
    const common = { cwd: dir, environment: environment(dir), projectName: 'test', ...BARE };
    const input: LoadInput = { ...common, configFiles: ['base.yaml', 'override.yaml'] };
    const expected = readJson(path.join(dir, 'config.json')) as Expected;
    const outcome = runCase(`merge/${name}`, input, expected, marks({ '{{DIR}}': dir }));
    if (expected.error !== undefined) {
      yield outcome;
      continue;
    }
    const differences = [...outcome.differences];
    const merged = loadProject(input, files);
    const wanted = loadProject({ ...common, configFiles: ['want.yaml'] }, files);
    if (merged.ok && wanted.ok) {
      compare(
        toCanonicalJson(wanted.project),
        toCanonicalJson(merged.project),
        'want',
        differences,
      );
    } else differences.push('refused where a merged file was expected');
    yield { ...outcome, differences };
  }
}

function* interpolation(root: string): Generator<Outcome> {
  const cases = readJson(path.join(root, 'interpolation', 'cases.json')) as readonly {
    template: string;
    env: Record<string, string>;
    result?: string;
    error?: string;
    warnings?: string[];
  }[];
  for (const [i, item] of cases.entries()) {
    const warnings: string[] = [];
    const result = substitute(
      item.template,
      (name) => item.env[name],
      (name) => warnings.push(unsetWarning(name)),
    );
    const differences: string[] = [];
    const have = result.ok ? { text: result.text } : { error: describeFault(result.fault) };
    const want = item.error === undefined ? { text: item.result } : { error: item.error };
    compare(want, have, item.template, differences);
    compare(item.warnings ?? [], warnings, 'warnings', differences);
    yield { id: `interpolation/${i}`, differences };
  }
}

function* dotenv(root: string): Generator<Outcome> {
  const expected = readJson(path.join(root, 'dotenv', 'expected.json')) as Record<
    string,
    { vars?: Record<string, string>; error?: string }
  >;
  for (const [name, want] of Object.entries(expected)) {
    const text = readFileSync(path.join(root, 'dotenv', 'fixtures', name), 'utf8');
    const result = parseDotenv(text, { lookup: () => undefined, onUnset: () => undefined });
    const differences: string[] = [];
    const have = result.ok
      ? { vars: Object.fromEntries(result.variables) }
      : { error: `failed to read {{DIR}}/${name}: line ${result.line}: ${result.message}` };
    compare(want, have, name, differences);
    yield { id: `dotenv/${name}`, differences };
  }
}

function* fixtures(root: string): Generator<Outcome> {
  const base = path.join(root, 'fixtures');
  const cases = readJson(path.join(base, 'expected.json')) as readonly (Expected & {
    file: string;
    args: string[];
  })[];
  for (const item of cases) {
    const dir = path.dirname(path.join(base, item.file));
    const input: LoadInput = {
      cwd: dir,
      environment: environment(dir),
      ...parseArguments(item.args),
    };
    yield runCase(
      `fixtures/${item.file}`,
      input,
      item,
      marks({ '{{DIR}}': dir, '{{DATA}}': base }),
    );
  }
}

function main(): number {
  const args = process.argv.slice(2);
  const given = args.find((arg) => !arg.startsWith('--'));
  const only = args[args.indexOf('--only') + 1];
  if (given === undefined) {
    process.stderr.write('usage: npm run conformance -- DIR [--only TEXT]\n');
    return 2;
  }
  const root = existsSync(path.join(given, 'compose'))
    ? path.resolve(given, 'compose')
    : path.resolve(given);
  const groups = { corpus, embedded, merge, interpolation, dotenv, fixtures };
  let total = 0;
  let unexplained = 0;
  for (const [name, run] of Object.entries(groups)) {
    let equal = 0;
    let accepted = 0;
    let differing = 0;
    for (const { id, differences } of run(root)) {
      if (args.includes('--only') && only !== undefined && !id.includes(only)) continue;
      if (differences.length === 0) equal += 1;
      else if (ACCEPTED[id.replace(' (bare)', '')] !== undefined) {
        accepted += 1;
        process.stdout.write(`accepted ${id}: ${ACCEPTED[id.replace(' (bare)', '')]}\n`);
      } else {
        differing += 1;
        process.stdout.write(
          `DIFFERS  ${id}\n${differences.map((text) => `   ${text}\n`).join('')}`,
        );
      }
    }
    total += equal + accepted + differing;
    unexplained += differing;
    process.stdout.write(
      `${name}: ${equal + accepted + differing} cases, ${equal} equal, ${accepted} accepted, ${differing} differing\n`,
    );
  }
  const percent = total === 0 ? 0 : (unexplained * 100) / total;
  process.stdout.write(`${total} cases, ${unexplained} differing (${percent.toFixed(1)} %)\n`);
  return percent > DIFFERING_PERCENT_MAX ? 1 : 0;
}

process.exitCode = main();
