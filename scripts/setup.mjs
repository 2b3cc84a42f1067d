// Set-up that quickstart and test share: system packages, npm packages, native programs, compiled TypeScript. Plain JavaScript for any Node from 20 on,
// because it runs before anything is installed. Every step looks first and does nothing when nothing is missing, so that it can run again and
// again, also after it was killed in the middle.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of package.json. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Debian packages by what needs them. */
export const PACKAGES = {
  build: [
    'gcc',
    'make',
    'libc6-dev',
    'libseccomp-dev',
    'libnftables-dev',
    'pkg-config',
    'zlib1g-dev',
  ],
  run: ['ca-certificates', 'mmdebstrap'],
  test: [
    'busybox-static',
    'nftables',
    'iproute2',
    'curl',
    'dnsutils',
    'e2fsprogs',
    'procps',
    'docker-registry',
    'skopeo',
    'chromium',
  ],
};

/** Ends the program with one sentence. */
export function fail(sentence) {
  process.stderr.write(`Error: ${sentence}\n`);
  process.exit(1);
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Runs a command; its output is shown when it fails. @returns trimmed standard output */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    ...options,
    env: { ...process.env, ...options.env },
  });
  if (result.error) fail(`${command} cannot be started: ${result.error.message}`);
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    fail(
      `"${[command, ...args].join(' ').slice(0, 200)}" ended with ${result.status ?? result.signal}`,
    );
  }
  return (result.stdout ?? '').trim();
}

export function requireRoot(what) {
  if (process.getuid?.() !== 0) fail(`${what} needs root; run it with sudo.`);
}

export function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    fail(
      `Node.js ${process.version} is too old; version 20 or newer is needed to start the set-up.`,
    );
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    fail(`tswarm runs on Linux on x64 and arm64, this is ${process.platform} on ${process.arch}.`);
  }
}

/** One sentence for each kernel feature that is missing. */
export function requireKernel() {
  const filesystems = readFileSync('/proc/filesystems', 'utf8');
  if (!filesystems.includes('overlay')) {
    const loaded = spawnSync('modprobe', ['overlay']).status === 0;
    if (!loaded) fail('the kernel has no overlay file system (CONFIG_OVERLAY_FS); images need it.');
  }
  for (const kind of ['net', 'pid', 'mnt', 'uts', 'ipc']) {
    if (!existsSync(`/proc/self/ns/${kind}`))
      fail(`the kernel has no ${kind} namespaces; containers need them.`);
  }
  const hasCgroups =
    existsSync('/sys/fs/cgroup/cgroup.controllers') || existsSync('/sys/fs/cgroup/memory');
  if (!hasCgroups)
    fail(
      'no control groups are mounted below /sys/fs/cgroup; limits need them: mount cgroup2 there.',
    );
}

/** Installs the Debian packages that are missing, and says which. */
export function installPackages(groups) {
  const wanted = groups.flatMap((group) => PACKAGES[group]);
  const listed = spawnSync(
    'dpkg-query',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
    ['-W', '-f', '${Package} ${db:Status-Status}\n', ...wanted],
    { encoding: 'utf8' },
  );
  if (listed.error) fail('this host has no dpkg: Debian 12, Debian 13 or Ubuntu is needed.');
  const present = new Set(
    listed.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0].split(':')[0]),
  );
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length === 0) return;
  if (spawnSync('apt-get', ['--version']).error) {
    fail(`apt-get is missing; install these packages by hand: ${missing.join(' ')}.`);
  }
  say(`Installing system packages: ${missing.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // After a run that was killed while dpkg worked, apt-get refuses everything until dpkg has ended its work.
  if (readdirSync('/var/lib/dpkg/updates').length > 0 || run('dpkg', ['--audit']) !== '') {
    run('dpkg', ['--configure', '-a'], { env });
  }
  run('apt-get', ['update', '-qq'], { env });
  run(
    'apt-get',
    [
      'install',
      '-y',
      '-qq',
      '-o',
      'DPkg::Lock::Timeout=300',
      '--no-install-recommends',
      ...missing,
    ],
    { env },
  );
}

/** npm packages as in the lock file, once per change of it. */
export function installNodeModules() {
  const folder = lstatSync(join(ROOT, 'node_modules'), { throwIfNoEntry: false });
  // A link leads to another checkout's packages, and npm would empty that folder.
  if (folder?.isSymbolicLink() && existsSync(node24())) return;
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).update(process.arch).digest('hex');
  const stamp = join(ROOT, 'node_modules/.tswarm-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(node24())) return;
  say('Installing npm packages');
  rmSync(stamp, { force: true });
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stamp, wanted);
}

/** The Node that the programs run on; it comes with the packages. */
export function node24() {
  return join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);
}

export function buildNative() {
  run('make', ['-s', '-C', 'native', '-j2']);
}

export function buildTypeScript() {
  run(node24(), [
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '-b',
    '--pretty',
    'false',
    ...PROGRAM_PROJECTS,
  ]);
}

/** What is shipped; the tests' project is compiled by `npm run check`. */
const PROGRAM_PROJECTS = ['daemon', 'manager', 'cli', 'dashboard'];

export function makeFolder(path, mode = 0o755) {
  mkdirSync(path, { recursive: true, mode });
}
