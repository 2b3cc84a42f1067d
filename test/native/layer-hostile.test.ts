// tswarm-layer apply: archives that want to break out, or are broken.
// Method: archives built by hand, the real program as root, a sentinel tree beside the root whose
// content must never change.

import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apply, applyOk, folder, listing, outside, root, xattrs } from './layer-fixture.ts';
import { base256, paxRecords, TAR_END, type TarEntry, tar, tarEntry } from './tar-builder.ts';

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
