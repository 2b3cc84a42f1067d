// npm run quickstart: from a fresh clone to a running application. Installs what is missing, builds, installs the programs, starts the node, creates the
// cluster and brings examples/guestbook up. `-- --down` takes every trace away again. Safe to run again at any time.
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ensureBaseImage } from './base-image.mjs';
import { makeLibrary, writeCommands } from './library.mjs';
import { portHolder } from './port-holder.mjs';
import { environmentToStay, takeLock } from './quickstart-lock.mjs';
import {
  buildNative,
  buildTypeScript,
  fail,
  installNodeModules,
  installPackages,
  node24,
  ROOT,
  requireKernel,
  requireNode,
  requireRoot,
  run,
  say,
} from './setup.mjs';
import { daemonPid, stopDaemon } from './take-down.mjs';

const PREFIX = '/usr/local';
const LIBRARY = `${PREFIX}/lib/tswarm`;
const UNIT = '/etc/systemd/system/tswarmd.service';
const LOG = '/var/log/tswarmd.log';
const DATA_ROOT = '/var/lib/tswarm';
const RUN_ROOT = '/run/tswarm';
const MANAGER_USER = 'tswarm-manager';
const GUESTBOOK = join(ROOT, 'examples/guestbook');

const args = process.argv.slice(2);
const unknown = args.find((arg) => arg !== '--down');
if (unknown !== undefined) fail(`unknown option ${unknown}; the only one is --down.`);
requireNode();
requireRoot('npm run quickstart');
await takeLock();
if (args.includes('--down')) await down();
else await up();

async function up() {
  const port = guestbookPort();
  requireKernel();
  // Before anything is installed, when there is surely no guestbook yet that could have the port.
  if (!existsSync(LIBRARY)) await requireFreePort(port);
  installPackages(['build', 'run']);
  installNodeModules();
  say('Building');
  buildNative();
  buildTypeScript();
  const changed = installPrograms();
  await startNode(changed);
  if (!guestbookRuns()) await requireFreePort(port);
  await ensureBaseImage([`${PREFIX}/bin/tswarm`]);
  say('Starting examples/guestbook');
  const result = spawnSync(`${PREFIX}/bin/tcompose`, ['up', '-d', '--build', '--wait'], {
    cwd: GUESTBOOK,
    stdio: 'inherit',
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
  await requireAnswer(port);
  say('');
  say('Try next:');
  say('  tswarm service ls                      what runs');
  say(
    '  cd examples/guestbook && tcompose ps   its containers; also: tcompose logs -f, tcompose up -d --scale app=3',
  );
  say('  npm run quickstart -- --down           take everything away again');
  say('');
  say(`The guestbook is at http://localhost:${port}`);
}

// ---- programs ---------------------------------------------------------------------------------------

/** Copies what is needed to run to /usr/local/lib/tswarm and puts the commands on PATH. @returns true when something is new */
function installPrograms() {
  const fresh = `${LIBRARY}.new`;
  rmSync(fresh, { recursive: true, force: true });
  makeLibrary(fresh, { node: node24(), native: join(ROOT, 'native/build') });
  const before = treeDigest(LIBRARY);
  const same = before !== '' && before === treeDigest(fresh);
  if (same) {
    rmSync(fresh, { recursive: true, force: true });
  } else {
    rmSync(`${LIBRARY}.old`, { recursive: true, force: true });
    if (existsSync(LIBRARY)) renameSync(LIBRARY, `${LIBRARY}.old`);
    renameSync(fresh, LIBRARY);
    rmSync(`${LIBRARY}.old`, { recursive: true, force: true });
  }
  writeCommands(LIBRARY, `${PREFIX}/bin`);
  return !same;
}

/** A digest of names and contents, so that a running node is only restarted for something new. */
function treeDigest(folder) {
  if (!existsSync(folder)) return '';
  return run('sh', [
    '-c',
    `cd ${folder} && find . -type f ! -name node -print0 | sort -z | xargs -0 sha256sum | sha256sum`,
  ]);
}

// ---- node -------------------------------------------------------------------------------------------

function hasSystemd() {
  return existsSync('/run/systemd/system');
}

async function startNode(changed) {
  // Who may use the sockets, and that is as much as root: not the manager.
  if (spawnSync('getent', ['group', 'tswarm']).status !== 0)
    run('groupadd', ['--system', 'tswarm']);
  if (spawnSync('getent', ['passwd', MANAGER_USER]).status !== 0) {
    run('useradd', [
      '--system',
      '--user-group',
      '--no-create-home',
      '--shell',
      '/usr/sbin/nologin',
      MANAGER_USER,
    ]);
  }
  if (hasSystemd()) {
    cpSync(join(ROOT, 'daemon/tswarmd.service'), UNIT);
    run('systemctl', ['daemon-reload']);
    const pid = daemonPid(LIBRARY);
    const old = changed || (pid !== undefined && isOutdated(pid));
    run('systemctl', [old ? 'restart' : 'start', 'tswarmd']);
    spawnSync('systemctl', ['enable', '-q', 'tswarmd']);
  } else {
    const pid = daemonPid(LIBRARY);
    const old = changed || (pid !== undefined && isOutdated(pid));
    if (pid && old && !(await stopDaemon(pid))) fail(`tswarmd (pid ${pid}) does not end.`);
    if (!pid || old) {
      const log = openSync(LOG, 'a', 0o600);
      spawn(`${PREFIX}/bin/tswarmd`, [], {
        detached: true,
        stdio: ['ignore', log, log],
        cwd: '/',
        env: environmentToStay(),
      }).unref();
    }
  }
  say('Waiting for the node');
  for (let tried = 0; tried < 150; tried++) {
    if (spawnSync(`${PREFIX}/bin/tswarm`, ['info', '--format', '{{.Name}}']).status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (hasSystemd()) fail('tswarmd does not answer; see "journalctl -u tswarmd".');
  const last = readFileSync(LOG, 'utf8').trim().split('\n').at(-1);
  fail(`tswarmd does not answer; the last line of ${LOG}: ${last}`);
}

/** Does it run a library that has been replaced since? So it is after a run that was killed between the two. */
function isOutdated(pid) {
  return readlinkSync(`/proc/${pid}/exe`).endsWith(' (deleted)');
}

// ---- guestbook --------------------------------------------------------------------------------------

function guestbookRuns() {
  const result = spawnSync(
    `${PREFIX}/bin/tswarm`,
    ['service', 'ls', '-q', '--filter', 'name=guestbook_web'],
    { encoding: 'utf8' },
  );
  return result.status === 0 && result.stdout.trim() !== '';
}

function guestbookPort() {
  const text = process.env.GUESTBOOK_PORT ?? '8080';
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port;
  return fail(`GUESTBOOK_PORT is "${text}"; it must be a number from 1 to 65535.`);
}

async function requireFreePort(port) {
  await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () =>
      fail(
        `port ${port} is in use by ${portHolder(port)}; stop it, or choose another port: GUESTBOOK_PORT=${port < 64000 ? port + 1000 : 8080} npm run quickstart.`,
      ),
    );
    server.listen(port, '0.0.0.0', () => server.close(resolve));
  });
}

async function requireAnswer(port) {
  for (let tried = 0; tried < 100; tried++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  fail(`the guestbook does not answer on port ${port}; see "tcompose logs" in examples/guestbook.`);
}

// ---- down -------------------------------------------------------------------------------------------

async function down() {
  const tcompose = `${PREFIX}/bin/tcompose`;
  const tswarm = `${PREFIX}/bin/tswarm`;
  if (existsSync(LIBRARY) && spawnSync(tswarm, ['info', '--format', '{{.Name}}']).status === 0) {
    say('Removing the guestbook and leaving the cluster');
    spawnSync(tcompose, ['down', '-v'], { cwd: GUESTBOOK, stdio: 'inherit' });
    spawnSync(tswarm, ['leave', '--force'], { stdio: 'inherit' });
  }
  if (hasSystemd() && existsSync(UNIT)) {
    spawnSync('systemctl', ['disable', '-q', '--now', 'tswarmd']);
    rmSync(UNIT);
    run('systemctl', ['daemon-reload']);
  }
  say('Removing programs and state');
  takeDown();
  for (const name of existsSync(`${PREFIX}/bin`) ? readdirSync(`${PREFIX}/bin`) : []) {
    const path = `${PREFIX}/bin/${name}`;
    if (!/^(tswarm|tcompose)/.test(name) || !existsSync(path)) continue;
    if (readFileSync(path, 'utf8').includes(LIBRARY)) unlinkSync(path);
  }
  unmountBelow([DATA_ROOT, RUN_ROOT]);
  for (const path of [LIBRARY, `${LIBRARY}.new`, `${LIBRARY}.old`, DATA_ROOT, RUN_ROOT, LOG]) {
    rmSync(path, { recursive: true, force: true });
  }
  if (spawnSync('getent', ['passwd', MANAGER_USER]).status === 0)
    spawnSync('userdel', [MANAGER_USER]);
  if (spawnSync('getent', ['group', 'tswarm']).status === 0) spawnSync('groupdel', ['tswarm']);
  say('Nothing of tswarm is left on this host, but this folder and the system packages.');
}

/** Containers, networks, control groups and helpers, also those of a daemon that was killed. */
function takeDown() {
  const library = existsSync(`${LIBRARY}/node`) ? LIBRARY : `${LIBRARY}.old`;
  const program = existsSync(`${library}/node`) ? `${library}/node` : process.execPath;
  const script = join(ROOT, 'scripts/take-down.mjs');
  const args = [script, library, DATA_ROOT, RUN_ROOT];
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** A daemon that was killed may have left mounts; deepest first. */
function unmountBelow(folders) {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1])
    .filter(
      (path) =>
        path !== undefined &&
        folders.some((folder) => path === folder || path.startsWith(`${folder}/`)),
    );
  for (const path of mounts.sort().reverse()) spawnSync('umount', ['-l', path]);
}
