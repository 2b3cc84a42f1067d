// What the virtual machine is made of, below .cache/vm: the emulator (unpacked, never installed), Debian's kernel, a first root file system in memory
// that loads the disk's driver, and the root disk. Made from this host's own Debian sources, once; `rm -r .cache/vm` makes the next run build them anew.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fail, ROOT, run, say } from '../setup.mjs';

export const CACHE = join(ROOT, '.cache/vm');

/** Raise it when the packages or the files below change: older images are made anew. */
const IMAGES_VERSION = '10';

const GUEST_PACKAGES = [
  'bash',
  // The program "script".
  'bsdutils',
  'busybox-static',
  'coreutils',
  'dash',
  'diffutils',
  'findutils',
  // The tests of test/native compile their helpers.
  'gcc',
  'iperf3',
  'iproute2',
  'jq',
  'libc-bin',
  'libc6-dev',
  'libnftables1',
  'libseccomp-dev',
  'libstdc++6',
  // Not the cloud kernel, which has no SCTP.
  'linux-image-amd64',
  'make',
  'mount',
  'nftables',
  'perl',
  'procps',
  'runc',
  'socat',
  'tar',
  'tcpdump',
  'util-linux',
];

/** Folders of kernel modules for things that the machine does not have; of 380 MB 90 are left. */
const NEEDLESS_MODULES =
  /^(sound|drivers\/(?!net$|block$|virtio$|char$)[^/]+|drivers\/net\/(ethernet|wireless))$/;

/** Loaded in this order before the disk can be read. */
const DISK_MODULES = [
  'crypto/crc32c_generic',
  'lib/libcrc32c',
  'lib/crc16',
  'fs/mbcache',
  'fs/jbd2/jbd2',
  'fs/ext4/ext4',
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci',
  'drivers/block/virtio_blk',
];

/** Size of the root disk: about 700 MiB of programs and modules, the rest for what tests write. */
const ROOT_DISK_MIB = 1280;

/** Makes what is missing. @returns the paths that the emulator is started with */
export function ensureImages() {
  const images = {
    qemu: join(CACHE, 'qemu'),
    kernel: join(CACHE, 'kernel'),
    initramfs: join(CACHE, 'initramfs'),
    disk: join(CACHE, 'root.ext4'),
  };
  const stamp = join(CACHE, 'version');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === IMAGES_VERSION) return images;
  const sources = debianSources();
  rmSync(CACHE, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  say('Making the virtual machine: emulator, kernel and root disk (about two minutes)');
  unpack(['qemu-system-x86'], images.qemu, sources);
  const work = mkdtempSync(join(CACHE, 'making-'));
  const guest = join(work, 'root');
  unpack(GUEST_PACKAGES, guest, sources);
  const kernel = readdirSync(join(guest, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (!kernel) fail('linux-image-amd64 has no kernel in /boot.');
  renameSync(join(guest, 'boot', kernel), images.kernel);
  const version = kernel.slice('vmlinuz-'.length);
  dropModules(join(guest, 'lib/modules', version, 'kernel'));
  run('chroot', [guest, '/sbin/depmod', version]);
  makeInitramfs(work, guest, version, images.initramfs);
  makeRootDisk(guest, images.disk);
  rmSync(work, { recursive: true, force: true });
  writeFileSync(stamp, IMAGES_VERSION);
  return images;
}

/** Unpacks packages with all that they depend on; nothing of them is run. */
export function unpack(packages, folder, sources) {
  run('mmdebstrap', [
    '--variant=extract',
    '--mode=root',
    '--quiet',
    `--include=${packages.join(',')}`,
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '',
    folder,
    ...sources,
  ]);
}

function dropModules(folder) {
  const folders = [folder, join(folder, 'drivers'), join(folder, 'drivers/net')];
  for (const path of folders.flatMap((at) => readdirSync(at).map((name) => join(at, name)))) {
    if (NEEDLESS_MODULES.test(relative(folder, path))) rmSync(path, { recursive: true });
  }
}

/** This host's own. */
export function debianSources() {
  const release = readFileSync('/etc/os-release', 'utf8');
  if (!/^ID=debian$/m.test(release) || process.arch !== 'x64') {
    fail('npm run vm takes the kernel from Debian for amd64: run it on a Debian host on x64.');
  }
  if (spawnSync('mmdebstrap', ['--version']).error) {
    fail('mmdebstrap is missing: apt-get install mmdebstrap.');
  }
  const sources = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'].filter(
    (path) => existsSync(path),
  );
  if (sources.length === 0) fail('no apt sources found in /etc/apt.');
  return sources;
}

function makeInitramfs(work, guest, version, target) {
  const folder = join(work, 'first');
  for (const name of ['bin', 'proc', 'dev', 'root', 'modules']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  copyFileSync(join(guest, 'bin/busybox'), join(folder, 'bin/busybox'));
  for (const module of DISK_MODULES) {
    const file = join(guest, 'lib/modules', version, 'kernel', `${module}.ko`);
    copyFileSync(file, join(folder, 'modules', basename(file)));
  }
  const insmods = DISK_MODULES.map((module) => `$b insmod /modules/${basename(module)}.ko`);
  writeFileSync(
    join(folder, 'init'),
    `${[
      '#!/bin/busybox sh',
      'b=/bin/busybox',
      '$b mount -t devtmpfs dev /dev',
      ...insmods,
      'while ! [ -b /dev/vda ]; do $b usleep 10000; done',
      '$b mount -t ext4 /dev/vda /root || $b poweroff -f',
      'exec $b switch_root /root /sbin/init',
    ].join('\n')}\n`,
  );
  chmodSync(join(folder, 'init'), 0o755);
  const names = run('find', ['.'], { cwd: folder });
  const archive = spawnSync(join(guest, 'bin/busybox'), ['cpio', '-o', '-H', 'newc'], {
    cwd: folder,
    input: `${names}\n`,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (archive.status !== 0) fail(`cpio failed: ${archive.stderr}`);
  writeFileSync(target, archive.stdout);
}

function makeRootDisk(guest, target) {
  // Not by busybox --install: it wants /proc. Behind the others in PATH.
  mkdirSync(join(guest, 'usr/local/bin'), { recursive: true });
  for (const applet of run(join(guest, 'bin/busybox'), ['--list']).split('\n')) {
    symlinkSync('/bin/busybox', join(guest, 'usr/local/bin', applet));
  }
  for (const name of ['proc', 'sys', 'run', 'root', 'mnt', 'opt/tswarm']) {
    mkdirSync(join(guest, name), { recursive: true });
  }
  if (!existsSync(join(guest, 'bin/sh'))) symlinkSync('dash', join(guest, 'bin/sh'));
  copyFileSync(join(ROOT, 'scripts/vm/guest-init.sh'), join(guest, 'sbin/init'));
  chmodSync(join(guest, 'sbin/init'), 0o755);
  // No key of this disk is secret and nothing of it is kept: no journal.
  run('mke2fs', [
    '-q',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-d',
    guest,
    target,
    `${ROOT_DISK_MIB}M`,
  ]);
}
