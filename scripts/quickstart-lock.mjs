// One quickstart at a time on a host. The lock file names its holder by pid and start time, so that one that was killed is recognised; link(2) lets only one
// have it. What a killed run had started (apt-get, npm, make, tcompose) goes on alone: it is found by a variable in its environment and waited
// for, because two of them in one folder would spoil each other's work.
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fail, say } from './setup.mjs';

const VARIABLE = 'TSWARM_SETUP';
const ORPHANS_TIMEOUT_MS = 10 * 60_000;

/** Takes the lock until this process ends. Ends the program with one sentence when another run has it. */
export async function takeLock(path = '/run/tswarm-quickstart.lock') {
  const draft = `${path}.${process.pid}`;
  removeDrafts(path);
  writeFileSync(draft, `${process.pid} ${startTime(process.pid)}\n`);
  try {
    while (!tryLink(draft, path)) {
      const [pid = '', started = ''] = readText(path).trim().split(' ');
      if (pid !== '' && startTime(pid) === started) {
        rmSync(draft, { force: true });
        fail(`another quickstart (pid ${pid}) is at work on this host; wait until it has ended.`);
      }
      await waitForOrphans(pid);
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  process.env[VARIABLE] = String(process.pid);
  process.on('exit', () => rmSync(path, { force: true }));
}

/** Of runs that were killed before they had the lock. */
function removeDrafts(path) {
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(`${basename(path)}.`) ? name.slice(basename(path).length + 1) : '';
    if (pid !== '' && startTime(pid) === '') rmSync(join(dirname(path), name), { force: true });
  }
}

/** The environment for programs that shall stay after this one. */
export function environmentToStay() {
  const { [VARIABLE]: _, ...env } = process.env;
  return env;
}

async function waitForOrphans(holder) {
  const ends = Date.now() + ORPHANS_TIMEOUT_MS;
  let told = false;
  for (;;) {
    const [first] = orphans(holder);
    if (first === undefined) return;
    if (!told) say(`Waiting for what a killed quickstart has left running: ${first}`);
    told = true;
    if (Date.now() > ends) fail(`${first} of a killed quickstart does not end; stop it first.`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function orphans(holder) {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => readText(`/proc/${pid}/environ`).split('\0').includes(`${VARIABLE}=${holder}`))
    .map((pid) => `${readText(`/proc/${pid}/comm`).trim()} (pid ${pid})`);
}

function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Field 22 of /proc/PID/stat, clock ticks since boot; '' when there is no such process. */
function startTime(pid) {
  const text = readText(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
