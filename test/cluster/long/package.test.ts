// Goal: the archive installs on a bare Debian without a network, and what it installs works and goes again. Method: the archive as `npm run package` makes it,
// a minimal Debian root, and a namespace with nothing but loopback around it.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT } from '../../support/cluster-lab/state.ts';

const WORK = mkdtempSync(join(tmpdir(), 'tswarm-package-'));
const root = join(WORK, 'root');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};
const NAME = `tswarm-${version}-linux-${process.arch}`;

/** Runs a script on the bare host: its own root, processes, name, and a network without a way out. */
function onBareHost(script: string): { readonly status: number | null; readonly out: string } {
  writeFileSync(join(root, 'root/script.sh'), script);
  const enter = [
    'ip link set lo up',
    'mount --make-rprivate /',
    // Containers need a root that is a mount, as every host's is.
    `mount --rbind ${root} ${root}`,
    `mount --rbind /sys ${root}/sys`,
    `mount -t proc proc ${root}/proc`,
    `mount -t tmpfs tmpfs ${root}/run`,
    `mount --rbind /dev ${root}/dev`,
    `exec chroot ${root} sh -eu /root/script.sh`,
  ].join(' && ');
  const flags = ['-n', '-m', '-u', '-p', '-f', '--mount-proc', '--kill-child'];
  const result = spawnSync('unshare', [...flags, 'sh', '-c', enter], {
    encoding: 'utf8',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' },
    timeout: 120_000,
  });
  return { status: result.status, out: `${result.stdout}${result.stderr}` };
}

beforeAll(() => {
  execFileSync('node', [join(ROOT, 'scripts/package.mjs')], { stdio: 'inherit' });
  execFileSync('mmdebstrap', ['--quiet', '--variant=minbase', 'bookworm', root], {
    stdio: 'inherit',
  });
  execFileSync('tar', ['-xf', join(ROOT, 'build', `${NAME}.tar.gz`), '-C', join(root, 'root')]);
}, 600_000);
afterAll(() => rmSync(WORK, { recursive: true, force: true }));

it('installs, makes a cluster, and goes without a trace', () => {
  const { status, out } = onBareHost(`
    cd /root/${NAME}
    ./install.sh
    tswarmd >/var/log/tswarmd.log 2>&1 &
    for i in $(seq 50); do tswarm info >/dev/null 2>&1 && break; sleep 0.2; done
    tswarm init --advertise-addr 127.0.0.1 | grep 'tswarm join --token'
    tswarm node ls --format '{{.Status}} {{.ManagerStatus}}'
    tcompose --env-file /none config || echo "tcompose ended with $?"
    # A container that belongs to no cluster, so that leaving does not end it.
    tar -chf - /bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*') 2>/dev/null | tswarm image import - box
    tswarm container run -d --name plain box /bin/sleep 1000
    ./install.sh --uninstall --purge
    if grep -la -e '[t]swarm' -e '[/]bin/sleep' /proc/[0-9]*/cmdline; then exit 91; fi
    if grep -e /var/lib/tswarm -e /run/tswarm /proc/self/mounts; then exit 92; fi
    ls /usr/local/bin /usr/local/lib
    if ls /var/lib/tswarm /run/tswarm 2>/dev/null; then exit 93; fi
    if getent passwd tswarm-manager || getent group tswarm; then exit 94; fi
  `);
  expect([status, out]).toEqual([0, expect.stringContaining('Ready Leader')]);
  expect(out).toContain('tswarm is installed. Next:');
  expect(out).toContain('tcompose ended with 1\n');
  expect(out).toContain('tswarm and its state are gone.');
  expect(readdirSync(join(root, 'usr/local/bin'))).toEqual([]);
});

it('is refused on another architecture, and by a C library that is too old', () => {
  const other = process.arch === 'x64' ? 'arm64' : 'x64';
  const wrong = onBareHost(`cd /root/${NAME}; echo ${other} >ARCH; ./install.sh`);
  expect([wrong.status, wrong.out]).toEqual([1, expect.stringContaining(`is for ${other}`)]);
  const script = join(root, `root/${NAME}/install.sh`);
  const text = readFileSync(script, 'utf8').replace('GLIBC_MIN=2.34', 'GLIBC_MIN=9.99');
  const copy = join(root, `root/${NAME}/newer.sh`);
  cpSync(script, copy);
  writeFileSync(copy, text);
  const old = onBareHost(`cd /root/${NAME}; echo ${process.arch} >ARCH; ./newer.sh`);
  expect([old.status, old.out]).toEqual([1, expect.stringContaining('at least 9.99 is needed')]);
});
