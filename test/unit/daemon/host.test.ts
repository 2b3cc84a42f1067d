// What the daemon finds out about its host: missing features, taken ports, locks of living and dead daemons, addresses.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from '#daemon/addresses';
import { startTimeOf, takeLock } from '#daemon/lock';
import { blockedAt, findUser, handOver, isSocketUser } from '#daemon/manager-user';
import { checkPortFree, freePort, isPortFree } from '#daemon/ports';
import { checkHost, type Host } from '#daemon/preflight';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-host-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD: Host = {
  uid: 0,
  read: (path) => (path === '/proc/filesystems' ? 'nodev\toverlay\n' : ''),
  exists: () => true,
  isExecutable: () => true,
  kernelRelease: '6.1.0',
};

describe('preflight', () => {
  it('accepts a host that has everything', () => {
    expect(() => checkHost(GOOD, '/n')).not.toThrow();
  });

  it.each([
    ['root', { uid: 1000 }, 'must run as root'],
    ['namespaces', { exists: (p: string) => p !== '/proc/self/ns/pid' }, 'no pid namespaces'],
    ['overlay', { read: () => '' }, 'no overlay file system'],
    ['cgroups', { exists: (p: string) => !p.startsWith('/sys/fs') }, 'no control groups'],
    [
      'programs',
      { isExecutable: (p: string) => !p.endsWith('shim') },
      '/n/tswarm-shim is not there',
    ],
    [
      'nftables',
      {
        exists: (p: string) => p !== '/sys/module/nf_tables',
        read: (p: string) => (p.endsWith('modules.dep') ? 'kernel/fs/overlayfs/overlay.ko:\n' : ''),
      },
      'no nftables',
    ],
  ])('says in one sentence that %s is missing', (_name, change, text) => {
    expect(() => checkHost({ ...GOOD, ...change }, '/n')).toThrow(text);
  });

  it('takes a loadable module for a feature', () => {
    const read = (path: string): string =>
      path.endsWith('modules.dep') ? 'kernel/fs/overlayfs/overlay.ko.xz: \n' : '';
    expect(() => checkHost({ ...GOOD, read }, '/n')).not.toThrow();
  });
});

describe('ports', () => {
  it('names the process that has a port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(checkPortFree('127.0.0.1', port)).rejects.toThrow(
      `port ${port} is taken by node (pid ${process.pid})`,
    );
    expect(await isPortFree('127.0.0.1', port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    await checkPortFree('127.0.0.1', port);
    expect(await freePort('127.0.0.1')).toBeGreaterThan(0);
  });

  it('says when an address is not of this host', async () => {
    await expect(checkPortFree('192.0.2.77', 23_771)).rejects.toThrow(
      'not an address of this host',
    );
  });
});

describe('lock', () => {
  it('keeps a second daemon away and names the first', () => {
    const release = takeLock(folder);
    expect(() => takeLock(folder)).toThrow(`tswarmd ${process.pid} uses it`);
    release();
    takeLock(folder)();
    expect(readdirSync(folder).filter((name) => name.startsWith('tswarmd.lock'))).toEqual([]);
  });

  it('takes over from a holder that is gone, also when its pid is in use again', async () => {
    const child = spawn('sleep', ['60']);
    const pid = child.pid ?? 0;
    expect(startTimeOf(pid)).toMatch(/^\d+$/);
    // The same pid with another start time is another process.
    writeFileSync(join(folder, 'tswarmd.lock'), `${pid} 1\n`);
    takeLock(folder)();
    writeFileSync(join(folder, 'tswarmd.lock'), `${pid} ${startTimeOf(pid)}\n`);
    expect(() => takeLock(folder)).toThrow(`tswarmd ${pid} uses it`);
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    takeLock(folder)();
  });
});

describe('a process that nobody asked for its exit status', () => {
  it('holds no lock any more', async () => {
    // The shell's child ends; the shell itself has become a program that never waits.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60']);
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.on('data', (data: Buffer) => resolve(Number(data.toString())));
    });
    expect(startTimeOf(pid)).toMatch(/^\d+$/);
    const isZombie = (): boolean => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    while (!isZombie()) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(startTimeOf(pid)).toBeUndefined();
    parent.kill('SIGKILL');
  });
});

describe('addresses', () => {
  const fallback = { host: '0.0.0.0', port: 2377 };
  it.each([
    ['', '0.0.0.0:2377'],
    [':4000', '0.0.0.0:4000'],
    ['192.0.2.1', '192.0.2.1:2377'],
    ['192.0.2.1:99', '192.0.2.1:99'],
    ['[2001:db8::1]:99', '[2001:db8::1]:99'],
    ['2001:db8::1', '[2001:db8::1]:2377'],
    ['lo:5', '127.0.0.1:5'],
  ])('reads %j', (text, expected) => {
    expect(formatAddress(parseAddress(text, fallback, 'listenAddr'))).toBe(expected);
  });

  it.each(['1.2.3.4:99999', 'nosuchif0', 'a:b:c:d', '1.2.3.4:x'])('refuses %j', (text) => {
    expect(() => parseAddress(text, fallback, 'listenAddr')).toThrow(/listen ?Addr/i);
  });
});

describe("the manager's user", () => {
  const user = { name: 'someone', uid: 12_345, gid: 12_345 };
  it('is found in the list of users', () => {
    const passwd = 'root:x:0:0::/:/bin/sh\nsomeone:x:12345:12346::/:/bin/false\n';
    expect(findUser('someone', passwd)).toEqual({ name: 'someone', uid: 12_345, gid: 12_346 });
    expect(findUser('some', passwd)).toBeUndefined();
    expect(findUser('', passwd)).toBeUndefined();
  });

  it('may not be in the group that may use the sockets', () => {
    const groups = 'root:x:0:\ntswarm:x:991:anna\nother:x:12345:\n';
    expect(isSocketUser(user, groups)).toBe(false);
    expect(isSocketUser({ ...user, gid: 991 }, groups)).toBe(true);
    expect(isSocketUser(user, 'nothing\n')).toBe(false);
  });

  it('is stopped by a private folder on the way, and gets its own with all that is in it', () => {
    const open = join(folder, 'open');
    const data = join(open, 'data');
    mkdirSync(join(data, 'raft'), { recursive: true, mode: 0o700 });
    writeFileSync(join(data, 'raft', 'log'), '');
    chmodSync(folder, 0o700);
    expect(blockedAt(user, data)).toBe(folder);
    chmodSync(folder, 0o711);
    chmodSync(open, 0o711);
    expect(blockedAt(user, data)).toBeUndefined();
    handOver(data, user);
    for (const path of [data, join(data, 'raft'), join(data, 'raft/log')]) {
      expect(statSync(path).uid).toBe(user.uid);
    }
    handOver(data, undefined);
    expect(statSync(join(data, 'raft/log')).uid).toBe(0);
  });
});
