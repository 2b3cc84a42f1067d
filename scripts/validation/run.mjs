// npm run validation: the OCI runtime validation suite for our runtime and, where they are installed, for crun and runc, program by program in one run.
// `npm run validation -- mounts state` runs only these. Exit code 0 only if ours passes every program that crun passes.
// Each program gets a mount namespace with a /run of its own, so that the runtimes' default state roots are empty and nobody else's; crun 1.8 refuses
// a v2 tree beside v1, so that is hidden from all.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, fail, ROOT, requireNode, requireRoot, say } from '../setup.mjs';
import { ensureSuite } from './suite.mjs';
import { BY_CHANCE, REASONS, verdict } from './verdict.mjs';

/** A program that waits for a state that never comes gives up after 10 s, some more than once. */
const PROGRAM_TIMEOUT_MS = 60_000;
const OURS = 'tswarm';
const SET_UP =
  'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/lock; umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0"';

requireNode();
requireRoot('npm run validation');
const wanted = process.argv.slice(2);
buildNative();
const { folder, programs } = ensureSuite();
for (const name of wanted) if (!programs.has(name)) fail(`the suite has no program ${name}.`);
const runtimes = [
  { name: OURS, path: join(ROOT, 'native/build/tswarm-runtime') },
  ...['crun', 'runc'].flatMap((name) => {
    const path = ['/usr/bin', '/usr/sbin'].map((dir) => join(dir, name)).find(existsSync);
    if (path === undefined) say(`${name} is not installed: left out`);
    return path === undefined ? [] : [{ name, path }];
  }),
];
const counts = Object.fromEntries(runtimes.map(({ name }) => [name, 0]));
const behind = [];
say(
  row(
    '',
    runtimes.map(({ name }) => name),
    '',
  ),
);
for (const [name, program] of programs) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const verdicts = {};
  for (const runtime of runtimes) verdicts[runtime.name] = await judge(program, runtime.path);
  for (const [runtime, { passed }] of Object.entries(verdicts)) if (passed) counts[runtime] += 1;
  const ours = verdicts[OURS].passed;
  if (!ours && verdicts.crun?.passed && !BY_CHANCE.includes(name)) behind.push(name);
  const note = ours ? '' : (REASONS[name] ?? 'NO REASON KNOWN');
  say(row(name, Object.values(verdicts).map(shown), note));
}
say(row('passed', Object.values(counts).map(String), ''));
if (behind.length > 0) say(`crun passes and ours does not: ${behind.join(', ')}`);
process.exitCode = behind.length > 0 ? 1 : 0;

function judge(program, runtime) {
  return new Promise((resolve) => {
    const child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', SET_UP, program],
      {
        cwd: folder,
        env: { PATH: process.env.PATH, RUNTIME: runtime },
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      },
    );
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), PROGRAM_TIMEOUT_MS);
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve(verdict(output, status));
    });
  });
}

function shown({ passed, ok, failed }) {
  if (passed) return 'pass';
  return ok + failed > 0 ? `fail ${failed}/${ok + failed}` : 'fail';
}

function row(name, cells, note) {
  return `${name.padEnd(32)}${cells.map((cell) => cell.padEnd(12)).join('')}${note}`.trimEnd();
}
