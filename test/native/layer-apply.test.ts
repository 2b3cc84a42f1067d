// tswarm-layer apply: what an archive may and may not do to the tree that it is unpacked into.
// Method: archives built by hand, the real program as root, a sentinel tree beside the root whose
// content must never change.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { program } from './programs.ts';
import { base256, paxRecords, TAR_END, type TarEntry, tar, tarEntry } from './tar-builder.ts';

const LAYER = program('tswarm-layer');

let folder = '';
let root = '';
let outside = '';

interface Answer {
  readonly status: number | null;
  readonly result: { bytes: number; entries: number } | null;
  readonly code: string;
  readonly message: string;
}

function apply(archive: Buffer, ...options: readonly string[]): Answer {
  const run = spawnSync(LAYER, ['apply', '--root', root, ...options], { input: archive });
  const stderr = run.stderr.toString();
  const error = stderr ? (JSON.parse(stderr) as { code: string; message: string }) : null;
  const stdout = run.stdout.toString();
  return {
    status: run.status,
    result: stdout ? (JSON.parse(stdout) as { bytes: number; entries: number }) : null,
    code: error?.code ?? '',
    message: error?.message ?? '',
  };
}

function applyOk(entries: readonly TarEntry[], ...options: readonly string[]): void {
  const answer = apply(tar(...entries), ...options);
  expect(answer).toMatchObject({ status: 0, code: '' });
}

function listing(of: string): string {
  return execFileSync('find', [of, '-printf', '%P %y %m %U:%G %s %l %T@ %n\n'])
    .toString()
    .split('\n')
    .sort()
    .join('\n');
}

/** The PAX records that GNU tar writes for the path; extended attributes are among them. */
function xattrs(path: string): string {
  const options = ['--xattrs', '--xattrs-include=*', '--format=pax', '--no-recursion'];
  return execFileSync('tar', ['-P', ...options, '-cf', '-', path]).toString('latin1');
}

beforeAll(() => {
  expect(process.getuid?.(), 'these tests need root').toBe(0);
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-layer-'));
  root = join(folder, 'root');
  outside = join(folder, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'untouched');
  mkdirSync(join(outside, 'dir'));
  writeFileSync(join(outside, 'dir/file'), 'untouched');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('hostile archives', () => {
  const up = '../outside';
  const link = (target: string): TarEntry => ({ name: 'l', type: '2', link: target });
  const cases: Record<string, () => readonly TarEntry[]> = {
    'dot-dot name': () => [{ name: `${up}/secret`, data: 'x' }],
    'dot-dot in the middle': () => [{ name: `a/../../outside/secret`, data: 'x' }],
    'dot-dot whiteout': () => [{ name: `${up}/.wh.secret` }],
    'dot-dot opaque': () => [{ name: `${up}/.wh..wh..opq` }],
    'dot-dot by PAX path': () => [{ name: 'ok', data: 'x', pax: { path: `${up}/secret` } }],
    'file through a relative link': () => [link(up), { name: 'l/secret', data: 'x' }],
    'file through an absolute link': () => [link(outside), { name: 'l/secret', data: 'x' }],
    'file over a link': () => [link(join(outside, 'secret')), { name: 'l', data: 'x' }],
    'folder through a link': () => [link(outside), { name: 'l/new', type: '5' }],
    'folder attributes through a link': () => [
      link(outside),
      { name: 'l/dir/', type: '5', mode: 0o777, uid: 7 },
    ],
    'fifo through a link': () => [link(outside), { name: 'l/fifo', type: '6' }],
    'device through a link': () => [
      link(outside),
      { name: 'l/null', type: '3', major: 1, minor: 3 },
    ],
    'whiteout through a link': () => [link(outside), { name: 'l/.wh.secret' }],
    'opaque through a link': () => [link(outside), { name: 'l/.wh..wh..opq' }],
    'hard link out by dot-dot': () => [{ name: 'h', type: '1', link: `${up}/secret` }],
    'hard link out by absolute path': () => [
      { name: 'h', type: '1', link: join(outside, 'secret') },
      { name: 'h', data: 'x' },
    ],
    'hard link through a link': () => [link(outside), { name: 'h', type: '1', link: 'l/secret' }],
    'hard link to a link, then write': () => [
      link(join(outside, 'secret')),
      { name: 'h', type: '1', link: 'l' },
      { name: 'h', data: 'x' },
    ],
    'folder replaced by a link on the way': () => [
      { name: 'd', type: '5' },
      { name: 'd/a', data: 'x' },
      { name: 'd', type: '2', link: outside },
      { name: 'd/secret', data: 'x' },
      { name: 'd/dir', type: '5', mode: 0o777 },
    ],
    'whiteout of the folder itself': () => [{ name: 'd/.wh..' }],
    'whiteout of the folder above': () => [{ name: 'd/.wh...' }],
    'whiteout without a name': () => [{ name: '.wh.' }],
    'late folder time through a link': () => [
      { name: 'd', type: '5', mtime: 1 },
      { name: 'd', type: '2', link: join(outside, 'dir') },
    ],
  };
  for (const [name, entries] of Object.entries(cases)) {
    for (const options of [[], ['--overlay-whiteouts'], ['--plain']]) {
      it(`${name} ${options.join(' ')}`, () => {
        const before = listing(outside);
        const answer = apply(tar(...entries()), ...options);
        expect([0, 1]).toContain(answer.status);
        expect(listing(outside)).toBe(before);
        expect(readdirSync(folder).sort()).toEqual(['outside', 'root']);
      });
    }
  }

  it('refuses what leads out of the root, and says so', () => {
    expect(apply(tar({ name: '../x', data: 'x' }))).toMatchObject({ status: 1, code: 'refused' });
    expect(apply(tar({ name: 'd/.wh...' }))).toMatchObject({ status: 1, code: 'refused' });
    expect(apply(tar({ name: '.wh.' }))).toMatchObject({ status: 1, code: 'refused' });
    expect(apply(tar({ name: '.wh..' }))).toMatchObject({ status: 1, code: 'refused' });
    expect(apply(tar({ name: './', type: '2', link: 'x' }))).toMatchObject({ code: 'refused' });
  });

  it('puts what goes through a link where the container would find it', () => {
    applyOk([
      { name: 'usr/lib/', type: '5' },
      { name: 'lib', type: '2', link: '/usr/lib' },
      { name: 'lib/x', data: 'here' },
    ]);
    expect(readFileSync(join(root, 'usr/lib/x'), 'utf8')).toBe('here');
  });

  it('takes absolute names as relative to the root', () => {
    applyOk([{ name: '/etc/passwd', data: 'mine' }]);
    expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('mine');
  });

  it("never hands a hard link to a symbolic link's target", () => {
    const before = statSync(join(outside, 'secret')).nlink;
    applyOk([link(join(outside, 'secret')), { name: 'h', type: '1', link: 'l' }]);
    expect(lstatSync(join(root, 'h')).isSymbolicLink()).toBe(true);
    expect(statSync(join(outside, 'secret')).nlink).toBe(before);
  });

  it('drops the attributes that steer overlayfs and keeps the others', () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    applyOk([
      {
        name: 'f',
        data: 'x',
        uid: 5,
        mode: 0o4755,
        pax: {
          'SCHILY.xattr.trusted.overlay.opaque': 'y',
          'SCHILY.xattr.trusted.overlay.redirect': '/etc',
          'SCHILY.xattr.user.overlay.opaque': 'y',
          'SCHILY.xattr.security.capability': capability,
        },
      },
      {
        name: 'd',
        type: '5',
        pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y', 'SCHILY.xattr.trusted.mine': '1' },
      },
    ]);
    expect(xattrs(join(root, 'f'))).not.toContain('overlay');
    expect(xattrs(join(root, 'f'))).toContain('security.capability');
    expect(xattrs(join(root, 'd'))).not.toContain('overlay');
    expect(xattrs(join(root, 'd'))).toContain('trusted.mine=1');
    expect(statSync(join(root, 'f')).mode & 0o7777).toBe(0o4755);
  });
});

describe('malformed archives', () => {
  const long = (letter: string, count: number): string => letter.repeat(count);
  const bad: Record<string, { archive: () => Buffer; code: string }> = {
    'not a tar': { archive: () => Buffer.from(long('garbage ', 200)), code: 'bad_archive' },
    'wrong checksum': {
      archive: () => tar({ name: 'a', badChecksum: true }),
      code: 'bad_archive',
    },
    'empty input': { archive: () => Buffer.alloc(0), code: 'truncated' },
    'cut in a header': {
      archive: () => tar({ name: 'a', data: 'x' }).subarray(0, 100),
      code: 'truncated',
    },
    'cut in the data': {
      archive: () => tar({ name: 'a', data: long('x', 5000) }).subarray(0, 2000),
      code: 'truncated',
    },
    'cut in the padding': {
      archive: () => tar({ name: 'a', data: 'x' }).subarray(0, 600),
      code: 'truncated',
    },
    'cut between entries': {
      archive: () => Buffer.concat([tarEntry({ name: 'a', data: 'x' })]),
      code: 'truncated',
    },
    'end after an extended header': {
      archive: () =>
        Buffer.concat([
          tarEntry({ name: 'p', type: 'x', data: paxRecords({ path: 'a' }) }),
          TAR_END,
        ]),
      code: 'truncated',
    },
    'negative base-256 size': {
      archive: () => tar({ name: 'a', raw: new Map([[124, base256(-1n, 12)]]) }),
      code: 'bad_archive',
    },
    'huge base-256 size': {
      archive: () => tar({ name: 'a', raw: new Map([[124, base256(1n << 70n, 12)]]) }),
      code: 'bad_archive',
    },
    'size beyond all limits': {
      archive: () => tar({ name: 'a', raw: new Map([[124, base256(1n << 62n, 12)]]) }),
      code: 'too_large',
    },
    'PAX size that is no number': {
      archive: () => tar({ name: 'a', pax: { size: '-5' } }),
      code: 'bad_archive',
    },
    'PAX size that overflows': {
      archive: () => tar({ name: 'a', pax: { size: '99999999999999999999' } }),
      code: 'bad_archive',
    },
    'PAX path with NUL': {
      archive: () => tar({ name: 'a', pax: { path: 'a\0b' } }),
      code: 'bad_archive',
    },
    'PAX record length that lies': {
      archive: () =>
        Buffer.concat([
          tarEntry({ name: 'p', type: 'x', data: '99 path=a\n' }),
          tar({ name: 'a' }),
        ]),
      code: 'bad_archive',
    },
    'PAX record without equals': {
      archive: () =>
        Buffer.concat([tarEntry({ name: 'p', type: 'x', data: '8 pathx\n' }), tar({ name: 'a' })]),
      code: 'bad_archive',
    },
    'PAX header of 2 MiB': {
      archive: () => tar({ name: 'a', pax: { comment: long('x', 2 << 20) } }),
      code: 'bad_archive',
    },
    'PAX header that claims 1 GiB': {
      archive: () => Buffer.concat([tarEntry({ name: 'p', type: 'x', size: 1 << 30 }), TAR_END]),
      code: 'bad_archive',
    },
    'many extended headers before one entry': {
      archive: () =>
        Buffer.concat([
          ...Array.from({ length: 3000 }, () => tarEntry({ name: 'p', type: 'x', data: '' })),
          tar({ name: 'a' }),
        ]),
      code: 'bad_archive',
    },
    'name of 8 kB': {
      archive: () => tar({ name: 'a', pax: { path: long('x/', 4096) } }),
      code: 'bad_archive',
    },
    'one component of 300 bytes': {
      archive: () => tar({ name: 'a', pax: { path: long('x', 300) } }),
      code: 'kernel',
    },
    'folders 1000 deep': {
      archive: () => tar({ name: 'a', pax: { path: long('x/', 1000) } }),
      code: 'refused',
    },
    'owner that is -1': {
      archive: () => tar({ name: 'a', pax: { uid: '4294967295' } }),
      code: 'bad_archive',
    },
    'owner beyond 32 bits': {
      archive: () => tar({ name: 'a', pax: { gid: '4294967296' } }),
      code: 'bad_archive',
    },
    'attribute of 70 kB': {
      archive: () => tar({ name: 'a', pax: { 'SCHILY.xattr.user.x': long('x', 70_000) } }),
      code: 'bad_archive',
    },
    'unknown type': { archive: () => tar({ name: 'a', type: 'M' }), code: 'unsupported' },
    'hard link before its target': {
      archive: () => tar({ name: 'h', type: '1', link: 'later' }, { name: 'later', data: 'x' }),
      code: 'kernel',
    },
    'hard link to a folder': {
      archive: () => tar({ name: 'd', type: '5' }, { name: 'h', type: '1', link: 'd' }),
      code: 'kernel',
    },
    'sparse map outside the file': {
      archive: () =>
        tar({
          name: 'a',
          data: 'abc',
          pax: { 'GNU.sparse.map': '9000,3', 'GNU.sparse.size': '100' },
        }),
      code: 'bad_archive',
    },
    'sparse map that overlaps': {
      archive: () =>
        tar({
          name: 'a',
          data: 'abcdef',
          pax: { 'GNU.sparse.map': '10,3,11,3', 'GNU.sparse.size': '100' },
        }),
      code: 'bad_archive',
    },
    'sparse map that does not fit the data': {
      archive: () =>
        tar({ name: 'a', data: 'abc', pax: { 'GNU.sparse.map': '0,9', 'GNU.sparse.size': '100' } }),
      code: 'bad_archive',
    },
    'sparse 1.0 map that is longer than the entry': {
      archive: () =>
        tar({
          name: 'a',
          data: '1000\n0\n1\n',
          pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' },
        }),
      code: 'bad_archive',
    },
  };
  for (const [name, { archive, code }] of Object.entries(bad)) {
    it(`refuses: ${name}`, () => {
      const before = listing(outside);
      const answer = apply(archive());
      expect(answer).toMatchObject({ status: 1, code });
      expect(answer.message).not.toBe('');
      expect(listing(outside)).toBe(before);
    });
  }

  it('takes an archive without end mark only when told to', () => {
    const archive = tarEntry({ name: 'a', data: 'x' });
    expect(apply(archive, '--unterminated-ok')).toMatchObject({ status: 0 });
    expect(apply(archive.subarray(0, 700), '--unterminated-ok')).toMatchObject({
      code: 'truncated',
    });
  });

  it('reads the input to its end, whatever follows the end mark', () => {
    const archive = Buffer.concat([tar({ name: 'a', data: 'x' }), Buffer.alloc(3 << 20, 0x55)]);
    expect(apply(archive)).toMatchObject({ status: 0, result: { bytes: 1, entries: 1 } });
  });

  it('keeps to --max-bytes and --max-entries', () => {
    const archive = tar({ name: 'a', data: '12345' }, { name: 'b', data: '12345' });
    expect(apply(archive, '--max-bytes', '10')).toMatchObject({ status: 0 });
    expect(apply(archive, '--max-bytes', '9')).toMatchObject({ status: 1, code: 'too_large' });
    expect(apply(archive, '--max-entries', '2')).toMatchObject({ status: 0 });
    expect(apply(archive, '--max-entries', '1')).toMatchObject({ status: 1, code: 'too_large' });
  });

  it('is told apart from a bad command line', () => {
    expect(apply(tar(), '--max-bytes', 'many')).toMatchObject({ status: 2, code: 'bad_request' });
    expect(apply(tar(), '--nonsense')).toMatchObject({ status: 2, code: 'bad_request' });
    expect(apply(tar(), '--chown-uid', '1')).toMatchObject({ status: 2, code: 'bad_request' });
  });
});

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
    root = join(folder, 'upper');
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
