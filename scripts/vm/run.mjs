// npm run vm: the native programs on Debian's kernel with nothing but cgroup v2, in a virtual machine (no KVM needed, about 5 s to boot).
// `npm run vm -- limits host` runs only those of test/vm/*.test.sh; `npm run vm -- mesh figures` also measures; `npm run vm -- native` runs test/native there
// (`native test/native/net.test.ts` one file of it); `RATE=100 CHANGES=16 npm run vm -- swarm-mesh` loads Docker Swarm's mesh, `tswarm-mesh` ours. Exit code 0 only if at least one test ran and none failed.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildNative,
  buildTypeScript,
  fail,
  node24,
  ROOT,
  requireNode,
  requireRoot,
  run,
  say,
} from '../setup.mjs';
import { DISKS, makeDisk } from './disks.mjs';
import { ensureImages } from './images.mjs';

/** Emulation is tens of times slower than the machine; all tests but the slow ones take about two minutes. */
const TIMEOUT_MS = 15 * 60_000;
const SLOW_TIMEOUT_MS = 90 * 60_000;
const MEMORY_MIB = 1024;
const SLOW_MEMORY_MIB = 2048;
const WIREGUARD_GO = '/usr/bin/wireguard-go';
const TESTS = join(ROOT, 'test/vm');

requireNode();
requireRoot('npm run vm');
const withFigures = process.argv.includes('figures');
/** Files of test/native for its vitest; none: all. */
const files = process.argv.slice(2).filter((word) => word.startsWith('test/native/'));
const wanted = process.argv.slice(2).filter((word) => word !== 'figures' && !files.includes(word));
const tests = readdirSync(TESTS)
  .filter((name) => name.endsWith('.test.sh'))
  .map((name) => name.slice(0, -'.test.sh'.length))
  .filter((name) => (wanted.length === 0 ? !(name in DISKS) : wanted.includes(name)));
if (tests.length === 0) fail(`no test of test/vm is called ${wanted.join(' or ')}.`);
/** Those that take their time, each with a disk of its own; left out unless asked for by name. */
const slow = tests.filter((name) => name in DISKS);
buildNative();
if (slow.some((name) => ['daemon', 'tswarm-mesh'].includes(name))) buildTypeScript();
const images = ensureImages();
const work = mkdtempSync(join(tmpdir(), 'tswarm-vm-'));
try {
  process.exitCode = await boot(pack(work));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The second disk: a tar with the programs, the tests and what they are fed with. */
function pack(folder) {
  const content = join(folder, 'content');
  mkdirSync(join(content, 'tests'), { recursive: true });
  const built = join(ROOT, 'native/build');
  for (const name of readdirSync(built)) {
    if (name.startsWith('tswarm-')) cpSync(join(built, name), join(content, name));
  }
  for (const name of readdirSync(TESTS)) {
    if (!name.endsWith('.test.sh') || tests.includes(name.slice(0, -'.test.sh'.length))) {
      cpSync(join(TESTS, name), join(content, 'tests', name));
    }
  }
  for (const name of ['fixtures.ts', 'mesh-fixtures.ts']) {
    run(node24(), ['--conditions=source', join(ROOT, 'scripts/vm', name), content]);
  }
  // The mixed mesh is tested where it is installed.
  if (existsSync(WIREGUARD_GO)) cpSync(WIREGUARD_GO, join(content, 'wireguard-go'));
  if (withFigures) writeFileSync(join(content, 'figures'), '');
  const settings = ['RATE', 'CHANGES', 'UNTIL_S'].filter((name) => process.env[name] !== undefined);
  const lines = settings.map((name) => `${name}=${Number(process.env[name])}\n`);
  writeFileSync(join(content, 'load-settings'), lines.join(''));
  if (files.length > 0) writeFileSync(join(content, 'native-files'), files.join(' '));
  const archive = join(folder, 'content.tar');
  run('tar', ['--owner=0', '--group=0', '--numeric-owner', '-C', content, '-cf', archive, '.']);
  return archive;
}

/** A disk by name, which the machine sees as its serial number. */
function drive(name, file, option) {
  return [
    ...['-drive', `file=${file},if=none,id=${name},format=raw,${option}`],
    ...['-device', `virtio-blk-pci,drive=${name},serial=${name}`],
  ];
}

/** Runs the machine; its console is our output. @returns the exit code */
async function boot(archive) {
  const library = join(images.qemu, 'usr/lib/x86_64-linux-gnu');
  // By the unpacked tree's own loader: nothing is installed, the host's libraries stay out of it.
  const loader = join(images.qemu, 'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
  const shares = ['qemu', 'seabios'].flatMap((name) => [
    '-L',
    join(images.qemu, 'usr/share', name),
  ]);
  const memoryMib = slow.length > 0 ? SLOW_MEMORY_MIB : MEMORY_MIB;
  const timeoutMs = slow.length > 0 ? SLOW_TIMEOUT_MS : TIMEOUT_MS;
  const args = [
    ...['--library-path', `${library}:${join(images.qemu, 'lib/x86_64-linux-gnu')}`],
    join(images.qemu, 'usr/bin/qemu-system-x86_64'),
    ...shares,
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', String(memoryMib)],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', images.kernel, '-initrd', images.initramfs],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off nokaslr'],
    // In this order they become vda, vdb, …
    ...drive('root', images.disk, 'snapshot=on'),
    ...drive('content', archive, 'readonly=on'),
    ...slow.flatMap((name) => drive(name, makeDisk(work, name), 'readonly=off')),
  ];
  const machine = spawn(loader, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { QEMU_MODULE_DIR: join(library, 'qemu'), TMPDIR: work, PATH: process.env.PATH },
  });
  const stop = () => machine.kill('SIGKILL');
  const timer = setTimeout(() => {
    say(`the machine did not end within ${timeoutMs / 60_000} minutes`);
    stop();
  }, timeoutMs);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let text = '';
  machine.stdout.on('data', (data) => {
    text += data;
    process.stdout.write(data);
  });
  await new Promise((resolve) => machine.once('close', resolve));
  clearTimeout(timer);
  const result = /^vm: (\d+) passed, (\d+) failed\r?$/m.exec(text);
  if (!result) {
    say('the machine ended without a result\n0 passed, 1 failed');
    return 1;
  }
  say(`${result[1]} passed, ${result[2]} failed`);
  return result[2] === '0' && result[1] !== '0' ? 0 : 1;
}
