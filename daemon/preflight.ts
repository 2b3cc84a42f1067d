// What must hold before the daemon starts: root, kernel features, native programs. Each failure is one sentence that names what is missing and what to do.
// A feature that can only be found out by using it is left to its user.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';

/** Programs without which no container runs. */
const PROGRAMS = [
  'tswarm-runtime',
  'tswarm-shim',
  'tswarm-init',
  'tswarm-layer',
  'tswarm-mount',
  'tswarm-net',
];
const NAMESPACES = ['pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup'];

export interface Host {
  readonly uid: number;
  /** Content of a file; '' when there is none. */
  read(path: string): string;
  exists(path: string): boolean;
  isExecutable(path: string): boolean;
  readonly kernelRelease: string;
}

/** This machine. */
export function thisHost(): Host {
  return {
    uid: process.getuid?.() ?? 0,
    read: (path) => {
      try {
        return readFileSync(path, 'utf8');
      } catch {
        return '';
      }
    },
    exists: (path) => existsSync(path),
    isExecutable: (path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
    kernelRelease: release(),
  };
}

/** @throws TswarmError failed_precondition with one sentence. */
export function checkHost(host: Host, nativeDir: string): void {
  if (host.uid !== 0) {
    throw fail('tswarmd must run as root', 'Start it with sudo, or through systemd.');
  }
  for (const name of NAMESPACES) {
    if (!host.exists(`/proc/self/ns/${name}`)) {
      throw fail(`the kernel has no ${name} namespaces`, 'Boot a kernel that has them.');
    }
  }
  if (!/^nodev\s+overlay$/m.test(host.read('/proc/filesystems')) && !hasModule(host, 'overlay')) {
    throw fail('the kernel has no overlay file system', 'Boot a kernel with CONFIG_OVERLAY_FS.');
  }
  const hasCgroups =
    host.exists('/sys/fs/cgroup/cgroup.controllers') || host.exists('/sys/fs/cgroup/memory');
  if (!hasCgroups) {
    throw fail('no control groups are mounted below /sys/fs/cgroup', 'Mount cgroup2 there.');
  }
  if (!host.exists('/sys/module/nf_tables') && hasModule(host, 'nf_tables') === false) {
    throw fail('the kernel has no nftables', 'Install the kernel package with nf_tables.');
  }
  for (const program of PROGRAMS) {
    if (!host.isExecutable(join(nativeDir, program))) {
      throw fail(
        `${join(nativeDir, program)} is not there`,
        'Build it with `npm run build:native`, or say where it is with --native-dir.',
      );
    }
  }
}

/** Is there a module of this name, built in or loadable? undefined when the kernel keeps no list of them here. */
function hasModule(host: Host, name: string): boolean | undefined {
  const folder = `/lib/modules/${host.kernelRelease}`;
  const lists = host.read(`${folder}/modules.builtin`) + host.read(`${folder}/modules.dep`);
  return lists === '' ? undefined : new RegExp(`/${name}\\.ko`).test(lists);
}

function fail(message: string, hint: string): TswarmError {
  return new TswarmError('failed_precondition', message, { hint });
}
