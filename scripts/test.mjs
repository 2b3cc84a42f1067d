// npm test: all set-up, then every test of the default run. Closes with the line "N passed, N failed".
// `npm test -- unit` runs one part, `npm run test:long` those that take too long for every time.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, setPriority, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { provideDockerClient } from './docker-client.mjs';
import {
  buildNative,
  buildTypeScript,
  installNodeModules,
  installPackages,
  node24,
  ROOT,
  requireNode,
  requireRoot,
  say,
} from './setup.mjs';
import { SKIPS } from './skips.mjs';

/** Minutes after which a part is ended and counts as failed: several times what it takes. */
const PARTS = { unit: 10, golden: 2, sim: 20, cluster: 25, e2e: 30 };
/** Run at the lowest priority beside the parts that follow: they are real processes that mostly wait for each other, and the simulator needs nothing but a processor. */
const BESIDE = ['sim'];
/** Run only when named: `npm run test:long`. */
const LONG_PARTS = { 'cluster-long': 60, 'e2e-long': 60 };
/**
 * Parts that run real processes on a machine that others may load. A file of theirs that failed is run once more, alone; what passes
 * only then is named at the end. Everything else is decided by its input, and fails at once.
 */
const SECOND_TRY = ['cluster', 'e2e', 'cluster-long', 'e2e-long'];
/** Characters of a failure that the summary shows. */
const SHOWN_OF_FAILURE = 1500;
/** Time for a part to clean up after itself once it is told to end. */
const CLEAN_UP_MS = 30_000;

requireNode();
requireRoot('npm test');
const wanted = process.argv.slice(2);
for (const part of wanted) {
  if (part in PARTS || part in LONG_PARTS) continue;
  say(
    `there is no part ${part}; there are ${[...Object.keys(PARTS), ...Object.keys(LONG_PARTS)].join(', ')}`,
  );
  process.exit(2);
}

installPackages(['build', 'run', 'test']);
provideDockerClient();
installNodeModules();
say('Building');
buildNative();
buildTypeScript();

const totals = { passed: 0, failed: 0, skipped: 0 };
/** Files with skipped tests, with the reason. */
const skips = new Set();
/** What failed, with its message; what failed first and passed then. */
const failures = [];
const secondTries = [];

if (wanted.length === 0) {
  step('build, lint and tidy', [join(ROOT, 'scripts/check.ts'), '--no-tests']);
}
const beside = [];
for (const [part, minutes] of Object.entries({ ...PARTS, ...LONG_PARTS })) {
  const isWanted = wanted.length === 0 ? part in PARTS : wanted.includes(part);
  if (!isWanted) continue;
  const ended = runPart(part, minutes * 60_000);
  if (BESIDE.includes(part)) beside.push(ended);
  else await ended;
}
await Promise.all(beside);
// At the end, where they are seen also when only the last lines of the output are kept.
if (secondTries.length > 0) {
  say(`\nFailed at first and passed alone:\n${secondTries.join('\n')}`);
}
if (failures.length > 0) say(`\nFailed:\n${failures.join('\n')}\n`);
if (totals.skipped > 0) say(`${totals.skipped} skipped:\n${[...skips].join('\n')}`);
say(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

/** One step that passes or fails as a whole. */
function step(name, args) {
  say(`\n== ${name}`);
  const result = spawnSync(node24(), ['--conditions=source', ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (result.status === 0) {
    totals.passed += 1;
  } else {
    totals.failed += 1;
    failures.push(`- ${name}: exit status ${result.status}`);
  }
}

/** One part: its files, then, for those that may have a second try, what failed of them. */
async function runPart(part, limitMs) {
  say(`\n== ${part}`);
  const first = await vitest(part, limitMs, []);
  count(first);
  if (first.failed.length === 0) return;
  if (!SECOND_TRY.includes(part) || first.failed.some(({ file }) => file === undefined)) {
    fail(first.failed);
    return;
  }
  for (const file of new Set(first.failed.map((failure) => failure.file))) {
    say(`\n== ${part}: ${relative(ROOT, file)} once more, alone`);
    const before = first.failed.filter((failure) => failure.file === file);
    const second = await vitest(part, limitMs, [file]);
    if (second.failed.length === 0) {
      totals.passed += Math.min(before.length, second.passed);
      secondTries.push(...before.map(shown));
    } else {
      fail(second.failed);
    }
  }
}

/** A test that was skipped for a reason that nobody has written down has failed. */
function count({ passed, skipped }) {
  totals.passed += passed;
  for (const { file, name } of skipped) {
    const reason = SKIPS[file];
    if (reason === undefined) {
      fail([
        { name: `${file} > ${name}`, message: 'skipped, and scripts/skips.mjs has no reason' },
      ]);
    } else {
      totals.skipped += 1;
      skips.add(`- ${file}: ${reason}`);
    }
  }
}

function fail(list) {
  totals.failed += list.length;
  failures.push(...list.map(shown));
}

function shown({ name, message }) {
  const text = stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => !line.includes('/node_modules/'))
    .join('\n')
    .slice(0, SHOWN_OF_FAILURE);
  return `- ${name}\n    ${text.replaceAll('\n', '\n    ')}`;
}

/** One run of vitest: how many passed and were skipped, and what failed, from its JSON report. */
async function vitest(project, limitMs, files) {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-test-'));
  const report = join(folder, 'report.json');
  const priority = BESIDE.includes(project) ? constants.priority.PRIORITY_LOW : 0;
  const status = await runWithin(limitMs, priority, [
    // Several threads on processors with protection keys make V8 abort now and then.
    ...(process.arch === 'x64' ? ['--no-memory-protection-keys'] : []),
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...files,
  ]);
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const failed = testResults.flatMap(failuresOf);
    // An error outside of every test, which vitest shows above.
    if (failed.length === 0 && status !== 0) {
      failed.push({ name: project, message: `vitest ended with status ${status}` });
    }
    return { passed: numPassedTests, skipped: testResults.flatMap(skippedOf), failed };
  } catch {
    const message = `no report: vitest ended with status ${status}`;
    return { passed: 0, skipped: [], failed: [{ name: project, message }] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The failed tests of one file of a report; a file that does not load has no tests to fail. */
function failuresOf({ name: file, status, message, assertionResults }) {
  const failed = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => ({
      file,
      name: `${relative(ROOT, file)} > ${test.fullName}`,
      message: test.failureMessages.join('\n'),
    }));
  if (failed.length > 0 || status !== 'failed') return failed;
  return [{ file, name: relative(ROOT, file), message }];
}

/** What a file says it cannot try here. In one that failed others were left out for that, which is told already. */
function skippedOf({ name: file, status, assertionResults }) {
  if (status !== 'passed') return [];
  return assertionResults
    .filter((test) => test.status !== 'passed')
    .map((test) => ({ file: relative(ROOT, file), name: test.fullName }));
}

/**
 * Runs Node in a process group of its own, which is ended as a whole when the limit is over: a test that loops for ever takes its
 * worker process along, and nothing of vitest's own ends that. Gives the exit status, null when it was ended.
 */
function runWithin(limitMs, priority, args) {
  return new Promise((resolve) => {
    const child = spawn(node24(), args, { cwd: ROOT, stdio: 'inherit', detached: true });
    if (child.pid !== undefined && priority !== 0) setPriority(child.pid, priority);
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has ended by itself.
      }
    };
    const onSignal = (signal) => {
      end(signal);
      process.exit(1);
    };
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
    const limit = setTimeout(() => {
      say(`not finished after ${limitMs / 60_000} minutes: ended. A test without an end?`);
      end('SIGTERM');
      setTimeout(() => end('SIGKILL'), CLEAN_UP_MS).unref();
    }, limitMs);
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      if (signal !== null) say(`vitest was ended by ${signal}`);
      // Workers that no longer listen to vitest.
      end('SIGKILL');
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      resolve(code);
    });
  });
}
