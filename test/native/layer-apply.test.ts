// tswarm-layer apply: what good archives become. Method: archives built by hand or by GNU tar, the
// real program as root, and a look at what is there afterwards.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  apply,
  applyOk,
  folder,
  LAYER,
  listing,
  outside,
  root,
  useRoot,
  xattrs,
} from './layer-fixture.ts';
import { base256, paxRecords, TAR_END, type TarEntry, tar, tarEntry } from './tar-builder.ts';

describe('formats', () => {
  it('reads long names in every form', () => {
    const name = `${'d'.repeat(120)}/${'e'.repeat(200)}`;
    applyOk([
      { name: '././@LongLink', type: 'L', data: `${name}\0`, format: 'gnu' },
      { name: 'cut', data: 'gnu', format: 'gnu' },
      { name: '././@LongLink', type: 'K', data: `${name}\0`, format: 'gnu' },
      { name: 'link', type: '2', link: 'cut', format: 'gnu' },
      { name: 'cut', data: 'pax', pax: { path: `p/${name}` } },
      { name: 'tail', data: 'ustar', raw: new Map([[345, Buffer.from('front/part')]]) },
    ]);
    expect(readFileSync(join(root, name), 'utf8')).toBe('gnu');
    expect(readlinkSync(join(root, 'link'))).toBe(name);
    expect(readFileSync(join(root, 'p', name), 'utf8')).toBe('pax');
    expect(readFileSync(join(root, 'front/part/tail'), 'utf8')).toBe('ustar');
  });

  it('keeps names that are not UTF-8', () => {
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x67]);
    applyOk([{ name, data: 'x' }]);
    expect(readdirSync(root, { encoding: 'buffer' })[0]).toEqual(name);
  });

  it('lets global PAX headers count until the next one, and local ones win', () => {
    const pax = { uid: '77' };
    const archive = Buffer.concat([
      tarEntry({ name: 'g', type: 'g', data: paxRecords({ uid: '55', mtime: '5.25' }) }),
      tarEntry({ name: 'a', data: 'x' }),
      tarEntry({ name: 'b', data: 'x', pax }),
      tarEntry({ name: 'c', data: 'x' }),
      TAR_END,
    ]);
    expect(apply(archive)).toMatchObject({ status: 0 });
    const uids = ['a', 'b', 'c'].map((name) => statSync(join(root, name)).uid);
    expect(uids).toEqual([55, 77, 55]);
    expect(statSync(join(root, 'a'), { bigint: true }).mtimeNs).toBe(5_250_000_000n);
  });

  it('reads base-256 numbers, negative times and PAX sizes', () => {
    applyOk([
      { name: 'a', data: 'x', raw: new Map([[108, base256(3_000_000_000n, 8)]]) },
      { name: 'b', data: 'x', raw: new Map([[136, base256(-5n, 12)]]) },
      { name: 'c', data: 'hello', size: 5, pax: { size: '5', mtime: '-1.5' } },
    ]);
    expect(statSync(join(root, 'a')).uid).toBe(3_000_000_000);
    expect(statSync(join(root, 'b'), { bigint: true }).mtimeNs).toBe(-5_000_000_000n);
    expect(statSync(join(root, 'c'), { bigint: true }).mtimeNs).toBe(-1_500_000_000n);
    expect(readFileSync(join(root, 'c'), 'utf8')).toBe('hello');
  });

  it('reads sparse files as GNU tar writes them, in all four forms', () => {
    const source = join(folder, 'source');
    mkdirSync(source);
    execFileSync('truncate', ['-s', '20M', join(source, 'x')]);
    execFileSync('bash', [
      '-c',
      `for i in $(seq 0 60); do printf 'part%s' $i | dd of=${source}/x bs=64K seek=$((i*4)) conv=notrunc status=none; done`,
    ]);
    for (const format of [
      ['--format=gnu'],
      ['--format=pax', '--sparse-version=0.0'],
      ['--format=pax', '--sparse-version=0.1'],
      ['--format=pax', '--sparse-version=1.0'],
    ]) {
      const archive = execFileSync('tar', ['-C', source, '--sparse', ...format, '-cf', '-', 'x'], {
        maxBuffer: 64 << 20,
      });
      expect(apply(archive)).toMatchObject({ status: 0 });
      execFileSync('cmp', [join(source, 'x'), join(root, 'x')]);
      expect(statSync(join(root, 'x')).blocks * 512).toBeLessThan(2 << 20);
    }
  });
});

describe('attributes', () => {
  it('sets owner, mode, time and kind of everything', () => {
    applyOk([
      { name: 'd/', type: '5', mode: 0o1777, uid: 1, gid: 2, mtime: 1000 },
      { name: 'd/suid', data: 'x', mode: 0o6755, uid: 3, gid: 4, mtime: 2000 },
      { name: 'd/fifo', type: '6', mode: 0o600, uid: 5, mtime: 3000 },
      { name: 'd/null', type: '3', major: 1, minor: 3, mode: 0o666, mtime: 4000 },
      { name: 'd/loop', type: '4', major: 7, minor: 300, mode: 0o640 },
      { name: 'd/hard', type: '1', link: 'd/suid' },
      { name: 'd/soft', type: '2', link: 'anywhere', uid: 6, gid: 7, mtime: 5000 },
    ]);
    const lines = listing(join(root, 'd'));
    expect(lines).toContain(' d 1777 1:2 ');
    expect(lines).toMatch(/suid f 6755 3:4 1 {2}2000\.0+ 2/);
    expect(lines).toMatch(/hard f 6755 3:4 1 {2}2000\.0+ 2/);
    expect(lines).toMatch(/fifo p 600 5:0 0 {2}3000/);
    expect(lines).toMatch(/soft l 777 6:7 8 anywhere 5000/);
    expect(lstatSync(join(root, 'd')).mtimeMs).toBe(1_000_000);
    const loop = execFileSync('stat', ['-c', '%t:%T', join(root, 'd/loop')])
      .toString()
      .trim();
    expect(loop).toBe('7:12c');
  });

  it('makes missing parents 0755 whatever the umask', () => {
    execFileSync('bash', ['-c', `umask 077; "${LAYER}" apply --root "${root}"`], {
      input: tar({ name: 'a/b/c', data: 'x', mode: 0o666 }),
    });
    expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, 'a/b/c')).mode & 0o777).toBe(0o666);
  });

  it('gives everything to --chown-uid and --chown-gid', () => {
    applyOk(
      [
        { name: 'x/y', data: 'x', uid: 9, mode: 0o4755 },
        { name: 'l', type: '2', link: 'x' },
      ],
      '--chown-uid',
      '1234',
      '--chown-gid',
      '5678',
    );
    for (const name of ['x', 'x/y', 'l'])
      expect(lstatSync(join(root, name))).toMatchObject({ uid: 1234, gid: 5678 });
    expect(statSync(join(root, 'x/y')).mode & 0o7777).toBe(0o4755);
  });
});

describe('replacing what is there', () => {
  beforeEach(() => {
    mkdirSync(join(root, 'dir'));
    writeFileSync(join(root, 'dir/old'), 'old');
    writeFileSync(join(root, 'file'), 'old');
    linkSync(join(root, 'file'), join(root, 'twin'));
    symlinkSync('dir', join(root, 'link'));
  });

  it("keeps a folder's content and changes its attributes", () => {
    applyOk([{ name: 'dir', type: '5', mode: 0o700 }]);
    expect(readdirSync(join(root, 'dir'))).toEqual(['old']);
    expect(statSync(join(root, 'dir')).mode & 0o777).toBe(0o700);
  });

  it('replaces a folder by a file, a file by a folder, a link by a folder', () => {
    applyOk([
      { name: 'dir', data: 'x' },
      { name: 'file', type: '5' },
      { name: 'link', type: '5' },
    ]);
    expect(lstatSync(join(root, 'dir')).isFile()).toBe(true);
    expect(lstatSync(join(root, 'file')).isDirectory()).toBe(true);
    expect(lstatSync(join(root, 'link')).isDirectory()).toBe(true);
  });

  it('does not write through hard links that were there', () => {
    applyOk([{ name: 'file', data: 'new' }]);
    expect(readFileSync(join(root, 'twin'), 'utf8')).toBe('old');
  });

  it('refuses to change kinds with --keep-kind', () => {
    expect(apply(tar({ name: 'dir', data: 'x' }), '--keep-kind')).toMatchObject({
      code: 'refused',
    });
    expect(apply(tar({ name: 'file', type: '5' }), '--keep-kind')).toMatchObject({
      code: 'refused',
    });
    expect(apply(tar({ name: 'file', data: 'x' }), '--keep-kind')).toMatchObject({ status: 0 });
    expect(readFileSync(join(root, 'dir/old'), 'utf8')).toBe('old');
  });

  it('unpacks below --path, and links there still count from the root', () => {
    symlinkSync('/dir', join(root, 'dir/here'));
    applyOk(
      [
        { name: './', type: '5', mode: 0o700 },
        { name: 'new', data: 'x' },
      ],
      '--path',
      '/link/here',
    );
    expect(readFileSync(join(root, 'dir/new'), 'utf8')).toBe('x');
    expect(statSync(join(root, 'dir')).mode & 0o777).toBe(0o755);
    expect(apply(tar(), '--path', '/absent')).toMatchObject({ status: 1, code: 'not_found' });
  });
});

describe('whiteouts', () => {
  beforeEach(() => {
    mkdirSync(join(root, 'dir/sub'), { recursive: true });
    for (const name of ['dir/a', 'dir/b', 'dir/sub/c', 'top'])
      writeFileSync(join(root, name), 'lower');
  });

  it('delete in a tree that holds the lower layers', () => {
    applyOk([{ name: '.wh.top' }, { name: 'dir/.wh.sub' }, { name: 'absent/.wh.x' }]);
    expect(existsSync(join(root, 'top'))).toBe(false);
    expect(readdirSync(join(root, 'dir')).sort()).toEqual(['a', 'b']);
    expect(existsSync(join(root, 'absent'))).toBe(false);
  });

  for (const opaqueFirst of [true, false]) {
    it(`opaque ${opaqueFirst ? 'before' : 'behind'} its siblings spares this layer's own`, () => {
      const opaque: TarEntry = { name: 'dir/.wh..wh..opq' };
      const own: readonly TarEntry[] = [
        { name: 'dir/a', data: 'own' },
        { name: 'dir/sub/own', data: 'own' },
      ];
      applyOk(opaqueFirst ? [opaque, ...own] : [...own, opaque]);
      expect(readdirSync(join(root, 'dir')).sort()).toEqual(['a', 'sub']);
      expect(readdirSync(join(root, 'dir/sub'))).toEqual(['own']);
      expect(readFileSync(join(root, 'dir/a'), 'utf8')).toBe('own');
    });
  }

  it('takes only the lower content when this layer has the name too', () => {
    applyOk([{ name: 'top', data: 'own' }, { name: '.wh.top' }]);
    expect(readFileSync(join(root, 'top'), 'utf8')).toBe('own');
    applyOk([{ name: 'dir/own', data: 'own' }, { name: '.wh.dir' }]);
    expect(readdirSync(join(root, 'dir'))).toEqual(['own']);
  });

  it('are ordinary names with --plain', () => {
    applyOk([{ name: '.wh.top', data: 'x' }], '--plain');
    expect(readdirSync(root).sort()).toEqual(['.wh.top', 'dir', 'top']);
  });

  it("become overlayfs's marks, and overlayfs obeys them", () => {
    const lower = root;
    useRoot(join(folder, 'upper'));
    for (const name of ['upper', 'work', 'merged']) mkdirSync(join(folder, name));
    applyOk(
      [
        { name: '.wh.top' },
        { name: 'dir/.wh..wh..opq' },
        { name: 'dir/own', data: 'own' },
        { name: 'dir/.wh.sub' },
      ],
      '--overlay-whiteouts',
    );
    const device = lstatSync(join(root, 'top'));
    expect(device.isCharacterDevice()).toBe(true);
    expect(device.rdev).toBe(0);
    expect(xattrs(join(root, 'dir'))).toContain('trusted.overlay.opaque=y');
    const merged = join(folder, 'merged');
    const seen = execFileSync('unshare', [
      '-m',
      'sh',
      '-c',
      `mount -t overlay overlay -o lowerdir=${lower},upperdir=${root},workdir=${folder}/work ${merged} && find ${merged} -printf '%P\n' | sort`,
    ]);
    expect(seen.toString().trim().split('\n')).toEqual(['dir', 'dir/own']);
  });

  it('let a later folder of the same name hide the lower one', () => {
    applyOk([{ name: '.wh.dir' }, { name: 'dir', type: '5' }], '--overlay-whiteouts');
    expect(xattrs(join(root, 'dir'))).toContain('trusted.overlay.opaque=y');
  });
});

describe('trouble', () => {
  it('reports a full disk as no_space', () => {
    const script = `mount -t tmpfs -o size=1m tmpfs "${root}" && "${LAYER}" apply --root "${root}"`;
    const run = spawnSync('unshare', ['-m', 'sh', '-c', script], {
      input: tar({ name: 'big', data: Buffer.alloc(4 << 20, 1) }),
    });
    expect(run.status).toBe(1);
    expect(JSON.parse(run.stderr.toString())).toMatchObject({ code: 'no_space' });
  });

  it('reports a read-only folder and a missing root', () => {
    const run = spawnSync(LAYER, ['apply', '--root', join(folder, 'absent')], { input: tar() });
    expect(run.status).toBe(1);
    expect(JSON.parse(run.stderr.toString())).toMatchObject({ code: 'kernel', errno: 2 });
  });

  it('is not led out by a container that swaps a folder for a link', () => {
    mkdirSync(join(root, 'race'));
    chmodSync(root, 0o755);
    symlinkSync(outside, join(root, 'link'));
    // renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) for ever.
    const call = process.arch === 'arm64' ? 276 : 316;
    const swapper = `syscall(${call}, -100, "${root}/race", -100, "${root}/link", 2) while 1`;
    const racer = spawn('perl', ['-e', swapper], { stdio: 'ignore' });
    const before = listing(outside);
    try {
      for (let round = 0; round < 40; round++) {
        apply(
          tar(
            ...Array.from({ length: 50 }, (_, i) => ({ name: `race/f${i % 5}`, data: 'x' })),
            { name: 'race/.wh.secret' },
            { name: 'race/dir', type: '5', mode: 0o777 },
          ),
        );
      }
    } finally {
      racer.kill('SIGKILL');
    }
    expect(listing(outside)).toBe(before);
  });
});
