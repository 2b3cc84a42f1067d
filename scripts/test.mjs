// npm test: all set-up, then every test of the default run. Closes with the line "N passed, N failed". `npm test -- unit` runs one part.
import { spawnSync } from 'node:child_process';
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

requireNode();
requireRoot('npm test');
installPackages(['build', 'run', 'test']);
provideDockerClient();
installNodeModules();
say('Building');
buildNative();
buildTypeScript();

const totals = { passed: 0, failed: 0, skipped: 0 };
const wanted = process.argv.slice(2);

if (wanted.length === 0) {
  step('build, lint and tidy', [join(ROOT, 'scripts/check.ts'), '--no-tests']);
}
for (const project of ['unit', 'golden', 'sim', 'cluster', 'e2e']) {
  if (wanted.length === 0 || wanted.includes(project)) vitest(project);
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
function vitest(project) {
  say(`\n== ${project}`);
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-test-'));
  const report = join(folder, 'report.json');
  const result = spawnSync(
    node24(),
    [
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
    ],
    { cwd: ROOT, stdio: 'inherit' },
  );
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    totals.passed += numPassedTests;
    totals.skipped += numPendingTests;
    // A file that does not load has no tests to fail.
    totals.failed +=
      numFailedTests > 0
        ? numFailedTests
        : result.status === 0
          ? 0
          : Math.max(1, numFailedTestSuites);
  } catch {
    totals.failed += 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
