// tswarm-layer diff, tar, stat and lookup: reading a tree that somebody else has made.
// Method: trees made with system tools, the real program as root; archives are checked by GNU tar
// and by unpacking them again.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { program } from './programs.ts';

const LAYER = program('tswarm-layer');

let folder = '';

function sh(script: string): string {
  return execFileSync('bash', ['-ec', script], { cwd: folder, maxBuffer: 64 << 20 }).toString();
}

function layer(...args: readonly string[]): Buffer {
  return execFileSync(LAYER, [...args], { maxBuffer: 256 << 20 });
}

function failure(...args: readonly string[]): { status: number | null; code: string } {
  const run = spawnSync(LAYER, [...args]);
  return { status: run.status, code: (JSON.parse(run.stderr.toString()) as { code: string }).code };
}

function names(archive: Buffer): string[] {
  return execFileSync('tar', ['-tf', '-'], { input: archive }).toString().trim().split('\n');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-layer-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('diff', () => {
  const overlay = (script: string): void => {
    sh(`mkdir -p lower upper work merged
        cat > run.sh <<'END'
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
        cd merged
        ${script}
END
        unshare -m bash -e run.sh`);
  };

  beforeEach(() => {
    sh(`mkdir -p lower/etc lower/old/deep lower/gone
        echo a > lower/etc/a; echo b > lower/etc/b; echo c > lower/old/deep/c; echo d > lower/gone/d`);
  });

  it('says what a container changed, and apply makes the same tree of it', () => {
    overlay(`
      echo new > etc/new; echo changed > etc/a; rm etc/b; rm -r gone
      rm -r old; mkdir old; echo again > old/again
      ln etc/new etc/twin; ln -s /nowhere etc/link; mkfifo etc/fifo; mknod etc/dev c 1 3
      chown 70000:3000000 etc/new; chmod 4755 etc/new
      perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "etc/sock", Listen => 1) or die'
      mkdir -p ${'long-name/'.repeat(25)}; echo x > ${'long-name/'.repeat(25)}file
      cp -a . ../expected; rm ../expected/etc/sock; touch -r etc ../expected/etc
    `);
    const archive = layer(
      'diff',
      '--upper',
      join(folder, 'upper'),
      '--lower',
      join(folder, 'lower'),
    );
    expect(names(archive)).toContain('old/.wh..wh..opq');
    expect(names(archive)).toContain('etc/.wh.b');
    expect(names(archive)).toContain('.wh.gone');
    expect(names(archive)).not.toContain('etc/sock');
    execFileSync(LAYER, ['apply', '--root', join(folder, 'lower')], { input: archive });
    const list = (tree: string): string =>
      sh(
        `cd ${tree} && find . -mindepth 1 -printf '%p %y %m %U:%G %l %T@ %n ' -a \\( -type f -printf '%s' -o -true \\) -printf '\\n' | sort`,
      );
    expect(list('lower')).toBe(list('expected'));
    sh('diff -r --no-dereference lower expected -x fifo -x dev');
  });

  it('is the same bytes for the same tree', () => {
    overlay('mkdir z a m; for i in $(seq 50); do echo $i > a/$i; done; touch -d @5.123456789 a/7');
    const first = layer('diff', '--upper', join(folder, 'upper'));
    sh('cp -a upper copy');
    const second = layer('diff', '--upper', join(folder, 'copy'));
    const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    expect(hash(second)).toBe(hash(first));
    const folders = names(first).filter((name) => name.endsWith('/'));
    expect(folders).toEqual(['a/', 'm/', 'z/']);
  });

  it('leaves out marks for what the lower layers do not have', () => {
    sh(
      'mkdir upper; mknod upper/never c 0 0; mkdir -p lower2/x; mknod lower2/etc c 0 0; mknod upper/etc c 0 0',
    );
    expect(names(layer('diff', '--upper', join(folder, 'upper')))).toEqual([
      '.wh.etc',
      '.wh.never',
    ]);
    const lowers = ['--lower', join(folder, 'lower2'), '--lower', join(folder, 'lower')];
    expect(layer('diff', '--upper', join(folder, 'upper'), ...lowers)).toEqual(Buffer.alloc(1024));
    expect(
      names(layer('diff', '--upper', join(folder, 'upper'), '--lower', join(folder, 'lower'))),
    ).toEqual(['.wh.etc']);
  });

  it('keeps capabilities and user attributes, and none of overlayfs', () => {
    sh('mkdir upper; touch upper/f');
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const perl = (name: string, value: Buffer): void => {
      const number = process.arch === 'arm64' ? 5 : 188;
      execFileSync('perl', [
        '-e',
        `$v = pack("H*", "${value.toString('hex')}"); $p = "${folder}/upper/f"; $n = "${name}";
         syscall(${number}, $p, $n, $v, length $v, 0) == 0 or exit 1`,
      ]);
    };
    perl('security.capability', capability);
    perl('trusted.overlay.origin', Buffer.from('x'));
    perl('trusted.other', Buffer.from('x'));
    const archive = layer('diff', '--upper', join(folder, 'upper'));
    expect(archive.includes(Buffer.concat([Buffer.from('security.capability='), capability]))).toBe(
      true,
    );
    expect(archive.toString('latin1')).not.toContain('trusted.');
  });
});

describe('tar', () => {
  beforeEach(() => {
    sh(`mkdir -p root/etc/conf root/data; echo one > root/etc/conf/one; echo two > root/etc/two
        ln -s /etc/conf root/link; ln -s ../../../../../../../../etc root/escape`);
  });
  const get = (path: string, ...more: readonly string[]): string[] =>
    names(layer('tar', '--root', join(folder, 'root'), '--path', path, ...more));

  it('writes one file, one folder, or everything', () => {
    expect(get('/etc/two')).toEqual(['two']);
    expect(get('/etc/conf')).toEqual(['conf/', 'conf/one']);
    expect(get('/etc/conf', '--name', 'new')).toEqual(['new/', 'new/one']);
    expect(get('/').sort()).toEqual(
      ['data/', 'escape', 'etc/', 'etc/conf/', 'etc/conf/one', 'etc/two', 'link'].sort(),
    );
  });

  it('takes a link as a link, and follows it with a slash behind, inside the root', () => {
    expect(get('/link')).toEqual(['link']);
    expect(get('/link/')).toEqual(['link/', 'link/one']);
    expect(get('/link/one')).toEqual(['one']);
    expect(get('/escape/.')).toEqual(['escape/', 'escape/conf/', 'escape/conf/one', 'escape/two']);
    expect(get('/../../etc/two')).toEqual(['two']);
  });

  it('says what is missing', () => {
    const at = (path: string): unknown =>
      failure('tar', '--root', join(folder, 'root'), '--path', path);
    expect(at('/absent')).toEqual({ status: 1, code: 'not_found' });
    expect(at('/etc/two/x')).toEqual({ status: 1, code: 'not_found' });
    expect(at('/etc/two/')).toEqual({ status: 1, code: 'not_a_folder' });
  });

  it('survives what ustar cannot say: long names, large owners, large and odd times', () => {
    const long = 'n'.repeat(240);
    sh(`cd root/data; echo x > ${long}; ln -s ${'t'.repeat(200)} longlink
        touch -d '1960-01-01' old; touch -d '@9999999999.5' future; chown 3000000000:1 old
        truncate -s 10M hole`);
    const archive = layer('tar', '--root', join(folder, 'root'), '--path', '/data');
    mkdirSync(join(folder, 'out'));
    execFileSync('tar', ['-C', join(folder, 'out'), '-xf', '-'], { input: archive });
    const list = (tree: string): string =>
      sh(`cd ${tree} && find . -printf '%p %y %m %U:%G %l %T@ %s\\n' | sort`);
    expect(list('out/data')).toBe(list('root/data'));
  });

  it('keeps hard links', () => {
    sh('ln root/etc/two root/etc/zwei');
    const archive = layer('tar', '--root', join(folder, 'root'), '--path', '/etc');
    const verbose = execFileSync('tar', ['-tvf', '-'], { input: archive }).toString();
    expect(verbose).toContain('etc/zwei link to etc/two');
  });
});

describe('stat', () => {
  interface Stat {
    readonly name: string;
    readonly size: number;
    readonly mode: number;
    readonly mtime: string;
    readonly linkTarget: string;
  }
  const stat = (path: string): Stat =>
    JSON.parse(layer('stat', '--root', join(folder, 'root'), '--path', path).toString()) as Stat;

  beforeEach(() => {
    sh(`mkdir -p root/etc; printf hello > root/etc/file; chmod 4751 root/etc/file
        touch -d '2024-02-29T12:00:00.000000005Z' root/etc/file; mknod root/dev c 1 3; chmod 1777 root/etc
        mkfifo -m 600 root/fifo`);
    symlinkSync('/etc/file', join(folder, 'root/absolute'));
    symlinkSync('../../etc/../etc', join(folder, 'root/relative'));
    symlinkSync('not/there', join(folder, 'root/broken'));
  });

  it('describes files as the Engine API does', () => {
    expect(stat('/etc/file')).toMatchObject({
      name: 'file',
      size: 5,
      mode: 0o751 + 2 ** 23,
      mtime: '2024-02-29T12:00:00.000000005Z',
      linkTarget: '',
    });
    expect(stat('/etc')).toMatchObject({ name: 'etc', mode: 0o777 + 2 ** 31 + 2 ** 20 });
    expect(stat('/')).toMatchObject({ name: '/' });
    expect(stat('/dev').mode - (stat('/dev').mode % 2 ** 9)).toBe(2 ** 26 + 2 ** 21);
    expect(stat('/fifo').mode).toBe(0o600 + 2 ** 25);
  });

  it('tells where links lead, inside the root', () => {
    expect(stat('/absolute').linkTarget).toBe('/etc/file');
    expect(stat('/relative').linkTarget).toBe('/etc');
    expect(stat('/broken').linkTarget).toBe('/not/there');
    expect(stat('/relative/').name).toBe('relative');
    expect(stat('/relative/').linkTarget).toBe('');
    expect(readlinkSync(join(folder, 'root/broken'))).toBe('not/there');
  });

  it('says what is missing', () => {
    expect(failure('stat', '--root', join(folder, 'root'), '--path', '/x')).toEqual({
      status: 1,
      code: 'not_found',
    });
  });
});

describe('lookup', () => {
  interface Found {
    readonly uid: number;
    readonly gid: number;
    readonly gids: number[];
    readonly home: string;
  }
  const lookup = (user: string, ...groups: readonly string[]): Found =>
    JSON.parse(
      layer(
        'lookup',
        '--root',
        folder,
        '--user',
        user,
        ...groups.flatMap((group) => ['--group-add', group]),
      ).toString(),
    ) as Found;
  const code = (user: string, ...more: readonly string[]): string =>
    failure('lookup', '--root', folder, '--user', user, ...more).code;

  beforeEach(() => {
    mkdirSync(join(folder, 'etc'));
    writeFileSync(
      join(folder, 'etc/passwd'),
      [
        '# comment:x:1:1::/:',
        'root:x:0:0:root:/root:/bin/sh',
        'broken line',
        'big:x:4294967296:1::/:',
        'app:x:1000:1001:App:/home/app:/bin/sh',
        '77:x:5:6:named like a number:/seventy:',
        'nohome:x:8:9:::',
        '',
      ].join('\n'),
    );
    writeFileSync(
      join(folder, 'etc/group'),
      'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\nvideo:x:44:other,app\n88:x:99:\n',
    );
  });

  it('finds users with all their groups, the primary one first', () => {
    expect(lookup('app')).toEqual({
      uid: 1000,
      gid: 1001,
      gids: [1001, 10, 29, 44],
      home: '/home/app',
    });
    expect(lookup('1000')).toEqual(lookup('app'));
    expect(lookup('')).toEqual({ uid: 0, gid: 0, gids: [0, 10], home: '/root' });
    expect(lookup('root')).toEqual(lookup('0'));
    expect(lookup('nohome').home).toBe('/');
  });

  it('lets a named group replace all of them', () => {
    expect(lookup('app:audio')).toMatchObject({ uid: 1000, gid: 29, gids: [29] });
    expect(lookup('app:4000')).toMatchObject({ gid: 4000, gids: [4000] });
    expect(lookup('app:')).toMatchObject({ gid: 1001 });
    expect(lookup(':audio')).toMatchObject({ uid: 0, gid: 29 });
    expect(lookup('1234:10')).toEqual({ uid: 1234, gid: 10, gids: [10], home: '/' });
  });

  it('adds groups, once each', () => {
    expect(lookup('app', 'video', '500', '500').gids).toEqual([1001, 10, 29, 44, 500]);
  });

  it('needs no line for a number, and prefers a name of digits', () => {
    expect(lookup('4242')).toEqual({ uid: 4242, gid: 0, gids: [0], home: '/' });
    expect(lookup('77')).toMatchObject({ uid: 5, gid: 6 });
    expect(lookup('app:88')).toMatchObject({ gid: 99 });
    expect(lookup('2147483647').uid).toBe(2147483647);
  });

  it('refuses numbers that are too large instead of trying them as names', () => {
    writeFileSync(join(folder, 'etc/passwd'), '2147483648:x:0:0::/:\n4294967296:x:0:0::/:\n');
    for (const user of [
      '2147483648',
      '4294967296',
      '18446744073709551616',
      '99999999999999999999999',
    ])
      expect(code(user)).toBe('invalid');
    expect(code('1:2147483648')).toBe('invalid');
    expect(code('1', '--group-add', '4294967296')).toBe('invalid');
  });

  it('says who is missing', () => {
    expect(code('nobody')).toBe('no_such_user');
    expect(code('-1')).toBe('no_such_user');
    expect(code('1x')).toBe('no_such_user');
    expect(code('app:nogroup')).toBe('no_such_group');
    expect(code('app', '--group-add', 'nogroup')).toBe('no_such_group');
  });

  it('does without the files, and never reads them outside the root', () => {
    rmSync(join(folder, 'etc'), { recursive: true });
    expect(lookup('5:6')).toMatchObject({ uid: 5, gid: 6 });
    expect(code('root')).toBe('no_such_user');
    mkdirSync(join(folder, 'etc'));
    symlinkSync('/etc/passwd', join(folder, 'etc/passwd'));
    expect(failure('lookup', '--root', folder, '--user', 'root').status).toBe(1);
    expect(readFileSync('/etc/passwd', 'utf8')).toContain('root:');
  });

  it('is not held up or fed without end by odd files', () => {
    rmSync(join(folder, 'etc/passwd'));
    sh('mkfifo etc/passwd');
    expect(code('0')).toBe('refused');
    sh('rm etc/passwd; mknod etc/passwd c 1 5');
    expect(code('0')).toBe('refused');
    sh('rm etc/passwd; truncate -s 5M etc/passwd');
    expect(code('0')).toBe('kernel');
  });
});
