// Takes away what a node has on this host: containers, networks, mounts, control groups, helper processes. For `quickstart --down` and the archive's
// `install.sh --uninstall`. The daemon is stopped first, if it runs; so it also cleans up after one that was killed. First the worker itself does it,
// with its records; then what the tag of the node still finds (processes, control groups) goes without asking. Images stay in the data root.
// Arguments: library folder, data root, run root. Runs on the library's Node.
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The daemon leaves its containers running, so that stopping is quick; what takes longer hangs. */
const DAEMON_END_TIMEOUT_MS = 15_000;
/** Enough for a stop signal's way to a process and back. */
const END_TIMEOUT_MS = 5000;

/** The daemon that runs from this library, found by its command line. */
export function daemonPid(library) {
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => commandLine(pid)[1] === `${library}/dist/daemon/main.js`);
  return found === undefined ? undefined : Number(found);
}

/** @returns false when it has not ended in time */
export async function stopDaemon(pid) {
  process.kill(pid, 'SIGTERM');
  const ends = Date.now() + DAEMON_END_TIMEOUT_MS;
  while (existsSync(`/proc/${pid}`)) {
    if (Date.now() > ends) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

/** Lets the worker take everything away that it knows of. */
export async function destroyWorker(library, dataRoot, runRoot) {
  const { createWorker } = await import(`${library}/dist/worker/worker.js`);
  const { createLog, nodeClock, nodeRandom } = await import(
    `${library}/dist/protocol/transport/node-world.js`
  );
  const worker = createWorker(
    {
      dataRoot,
      runRoot,
      nativeDir: `${library}/native/build`,
      runtimePath: '',
      engineVersion: '',
      labels: {},
      insecureRegistries: [],
      registryMirrors: [],
    },
    {
      clock: nodeClock,
      random: nodeRandom,
      log: createLog({ level: 'error', format: 'text' }),
    },
  );
  await worker.start();
  await worker.destroy();
}

/** Kills what still runs from the library or in a control group of the node, and removes those groups. */
export async function sweep(library, tag) {
  const folders = tag === '' ? [] : cgroupFolders(tag);
  const ends = Date.now() + END_TIMEOUT_MS;
  for (;;) {
    const pids = new Set([...folders.flatMap(processesBelow), ...processesOf(library)]);
    for (const pid of pids) kill(pid);
    if (pids.size === 0 || Date.now() > ends) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const folder of folders) removeFolders(folder);
}

/** One for each controller with cgroup v1, one with v2. */
function cgroupFolders(tag) {
  const root = '/sys/fs/cgroup';
  const mounts = existsSync(root) ? readdirSync(root).map((name) => join(root, name)) : [];
  return [root, ...mounts]
    .map((mount) => join(mount, `tswarm-${tag}`))
    .filter((folder) => existsSync(folder));
}

function processesBelow(folder) {
  return subfolders(folder)
    .flatMap((path) => readText(join(path, 'cgroup.procs')).split('\n'))
    .filter((line) => line !== '')
    .map(Number);
}

/** The daemon's helpers and shims: programs that were started from the library, without this one. */
function processesOf(library) {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      const [program = '', ...words] = commandLine(pid);
      const script = words.find((word) => word !== '--') ?? '';
      return program.startsWith(`${library}/native/`) || script.startsWith(`${library}/dist/`);
    })
    .map(Number);
}

function removeFolders(folder) {
  for (const path of subfolders(folder).reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // Gone already, or the kernel still ends a process in it; the caller looks again.
    }
  }
}

/** The folder and all below it, parents first. */
function subfolders(folder) {
  if (!existsSync(folder)) return [];
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...below.flatMap((entry) => subfolders(join(folder, entry.name)))];
}

function commandLine(pid) {
  return readText(`/proc/${pid}/cmdline`).split('\0');
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [library = '', dataRoot = '', runRoot = ''] = process.argv.slice(2);
  const tag = readText(join(dataRoot, 'node-tag')).trim();
  const pid = daemonPid(library);
  if (pid !== undefined && !(await stopDaemon(pid))) {
    process.stderr.write(`Error: tswarmd (pid ${pid}) does not end.\n`);
    process.exit(1);
  }
  try {
    if (tag !== '') await destroyWorker(library, dataRoot, runRoot);
  } catch (error) {
    process.stderr.write(`Warning: the worker could not clean up: ${error.message}\n`);
  }
  await sweep(library, tag);
  process.exit(0);
}
