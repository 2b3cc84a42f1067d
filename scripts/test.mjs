// npm test: all set-up, then every test of the default run. Closes with the line "N passed, N failed".
// `npm test -- unit` runs one part, `npm run test:long` those that take too long for every time.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Minutes after which a part is ended and counts as failed: several times what it takes. */
const PARTS = { unit: 10, golden: 2, sim: 10, cluster: 25, e2e: 30 };
/** Run only when named: `npm run test:long`. */
const LONG_PARTS = { 'cluster-long': 60, 'e2e-long': 60 };
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

if (wanted.length === 0) {
  step('build, lint and tidy', [join(ROOT, 'scripts/check.ts'), '--no-tests']);
}
for (const [part, minutes] of Object.entries({ ...PARTS, ...LONG_PARTS })) {
  const isWanted = wanted.length === 0 ? part in PARTS : wanted.includes(part);
  if (isWanted) await vitest(part, minutes * 60_000);
}
if (totals.skipped > 0) say(`${totals.skipped} skipped: what they need is not on this machine`);
say(`${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

/** One step that passes or fails as a whole. */
function step(name, args) {
  say(`\n== ${name}`);
  const result = spawnSync(node24(), ['--conditions=source', ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (result.status === 0) totals.passed += 1;
  else totals.failed += 1;
}

/** One project of vitest; its counts come from the JSON report. */
async function vitest(project, limitMs) {
  say(`\n== ${project}`);
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-test-'));
  const report = join(folder, 'report.json');
  const status = await runWithin(limitMs, [
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
  ]);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    totals.passed += numPassedTests;
    totals.skipped += numPendingTests;
    // A file that does not load has no tests to fail.
    totals.failed +=
      numFailedTests > 0 ? numFailedTests : status === 0 ? 0 : Math.max(1, numFailedTestSuites);
  } catch {
    totals.failed += 1;
  }
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Runs Node in a process group of its own, which is ended as a whole when the limit is over: a test that loops for ever takes its
 * worker process along, and nothing of vitest's own ends that. Gives the exit status, null when it was ended.
 */
function runWithin(limitMs, args) {
  return new Promise((resolve) => {
    const child = spawn(node24(), args, { cwd: ROOT, stdio: 'inherit', detached: true });
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
    child.on('exit', (code) => {
      clearTimeout(limit);
      // Workers that no longer listen to vitest.
      end('SIGKILL');
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      resolve(code);
    });
  });
}
