// COPY, ADD, WORKDIR, VOLUME and what .dockerignore leaves out.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BuildCase, lines } from './case.ts';

const OLD = 'newer than this builder';
const NO_PEER = { buildkit: OLD, classic: OLD, buildah: OLD };

/** An archive with folders, a link and owners, packed by tar's flag. */
function archive(flag: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-archive-'));
  try {
    mkdirSync(join(folder, 'in/sub'), { recursive: true, mode: 0o750 });
    writeFileSync(join(folder, 'in/sub/f'), 'packed', { mode: 0o604 });
    symlinkSync('sub/f', join(folder, 'in/link'));
    const owner = ['--owner=:7', '--group=:8', '--mtime=@0', '--sort=name'];
    execFileSync('tar', ['-C', folder, ...owner, flag, '-cf', join(folder, 'a'), 'in']);
    return readFileSync(join(folder, 'a'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const TREE: Readonly<Record<string, string>> = {
  'a.txt': 'A',
  'b.txt': 'B',
  'c.md': 'C',
  'd/x': 'X',
  'd/sub/y': 'Y',
  'd/empty/': '',
  'e/z': 'Z',
};

export const FILE_CASES: readonly BuildCase[] = [
  {
    name: 'destinations of one file',
    dockerfile: lines(
      'FROM base:1',
      'COPY a.txt /new',
      'COPY a.txt /dir/',
      'COPY a.txt /deep/er/name',
      'COPY a.txt /data',
      'COPY a.txt /data/renamed',
      'WORKDIR /w',
      'COPY a.txt .',
      'COPY a.txt ./sub/',
      'COPY a.txt rel',
      'COPY ./a.txt ../up',
      'COPY /a.txt /absolute',
    ),
    files: TREE,
  },
  {
    name: 'destinations of folders',
    dockerfile: lines(
      'FROM base:1',
      'COPY d /d1',
      'COPY d/ /d2/',
      'COPY d e /d3/',
      'COPY d/sub /data',
      'COPY . /all',
      'COPY d/empty /nothing',
    ),
    files: TREE,
  },
  {
    name: 'wildcards',
    dockerfile: lines(
      'FROM base:1',
      'COPY *.txt /1/',
      'COPY ?.md /2/',
      'COPY [ab].txt /3/',
      'COPY [^a].txt /4/',
      'COPY d* /5/',
      'COPY */* /6/',
      'COPY d/su? /7/',
      'COPY a.t*t /8',
    ),
    files: TREE,
  },
  {
    name: 'a wildcard beside a name',
    dockerfile: lines('FROM base:1', 'COPY a.txt *.md /x/'),
    files: TREE,
  },
  {
    name: 'a wildcard that matches nothing',
    dockerfile: lines('FROM base:1', 'COPY *.none /x/'),
    files: TREE,
    expect: { fails: /no source files|\*\.none/ },
    differs: { buildkit: 'copies nothing, silently' },
  },
  {
    name: 'a file that is not in the context',
    dockerfile: lines('FROM base:1', 'COPY none /x'),
    expect: { fails: /none.*file does not exist/ },
  },
  {
    name: 'a path that leads out of the context',
    dockerfile: lines('FROM base:1', 'COPY ../../../a.txt /x'),
    files: TREE,
    expect: { fails: /outside the build context/ },
    differs: {
      buildkit: 'takes it for the context itself',
      buildah: 'takes it for the context itself',
    },
  },
  {
    name: 'several sources need a folder',
    dockerfile: lines('FROM base:1', 'COPY a.txt b.txt /x'),
    files: TREE,
    expect: { fails: /directory and end with a \// },
    differs: {
      buildkit: 'makes a folder of it; newer ones refuse it, too',
      buildah: 'makes a folder of it',
    },
  },
  {
    name: 'a folder onto a file',
    dockerfile: lines('FROM base:1', 'COPY d /etc/passwd'),
    files: TREE,
    expect: { fails: /non-directory|not a directory/ },
  },
  {
    name: 'names that are hard to write',
    dockerfile: lines(
      'FROM base:1',
      'COPY ["a b", "/x y/"]',
      'COPY ["ü€.txt", "/ü/"]',
      "COPY 'it''s' /s/",
      'COPY [[]x] /b/',
      'COPY dash-* /dash/',
    ),
    files: { 'a b': '1', 'ü€.txt': '2', its: '3', '[x]': '4', 'dash--x': '5' },
    differs: { buildah: 'finds no file for a set of one bracket' },
  },
  {
    name: 'blanks in names without the JSON form',
    dockerfile: lines('FROM base:1', 'COPY "a b" /q/', 'COPY a\\ b /e/'),
    files: { 'a b': '1' },
    expect: { tree: { '/q/a b': 'file 0644 0:0 "1"', '/e/a b': 'file 0644 0:0 "1"' } },
    differs: {
      buildkit: 'splits at every blank',
      classic: 'splits at every blank',
      buildah: 'splits at every blank',
    },
  },
  {
    name: 'links of the context',
    dockerfile: lines(
      'FROM base:1',
      'COPY tofile /file',
      'COPY todir /dir',
      'COPY todir/y /through',
      'COPY all /all',
    ),
    files: { real: 'R', 'folder/y': 'Y', 'all/in': 'I' },
    links: {
      tofile: 'real',
      todir: 'folder',
      'all/rel': 'in',
      'all/abs': '/etc/passwd',
      'all/none': 'missing',
      'all/dir': '../folder',
    },
  },
  {
    name: 'hard links of the context',
    dockerfile: lines('FROM base:1', 'COPY d /d', 'RUN echo more >> /d/one && cat /d/two > /two'),
    files: { 'd/one': '1' },
    hardLinks: { 'd/two': 'd/one' },
    differs: { buildah: 'keeps links that the transfer to a daemon does not' },
  },
  {
    name: 'modes of the context',
    dockerfile: lines('FROM base:1', 'COPY m /m'),
    files: { 'm/private': '1', 'm/open': '2', 'm/suid': '3', 'm/sticky/': '', 'm/none': '4' },
    modes: {
      'm/private': 0o600,
      'm/open': 0o777,
      'm/suid': 0o4755,
      'm/sticky/': 0o1777,
      'm/none': 0,
    },
    differs: { classic: 'loses the set-user bit', buildah: 'loses the set-user bit' },
  },
  {
    name: 'through links of the image',
    dockerfile: lines(
      'FROM base:1',
      'RUN mkdir /real && ln -s real /alias && ln -s /real/f /filelink && ln -s /nowhere /dangling',
      'COPY a.txt /alias/',
      'COPY d /alias/sub',
      'COPY a.txt /filelink',
      'COPY d /alias',
    ),
    files: TREE,
    differs: { buildah: 'makes a folder of the file that the link means' },
  },
  {
    name: 'onto a link that leads nowhere',
    dockerfile: lines('FROM base:1', 'RUN ln -s /nowhere/f /dangling', 'COPY a.txt /dangling'),
    files: TREE,
    differs: { buildah: 'makes a folder of the file that the link means' },
  },
  {
    name: '--chown in all its forms',
    dockerfile: lines(
      'FROM base:1',
      'COPY --chown=web a.txt /1/',
      'COPY --chown=web:adm a.txt /2/',
      'COPY --chown=55 a.txt /3/',
      'COPY --chown=55:66 d /4',
      'COPY --chown=web:77 a.txt /5',
      'COPY --chown=:adm a.txt /6',
      'ARG W=web',
      'COPY --chown=$W:webs a.txt /7',
    ),
    files: TREE,
    differs: { classic: 'takes the name of the user for that of a group' },
  },
  {
    name: '--chown of nobody that the image knows',
    dockerfile: lines('FROM base:1', 'COPY --chown=ghost a.txt /1'),
    files: TREE,
    expect: { fails: /ghost/ },
    differs: { buildkit: 'takes root, silently' },
  },
  {
    name: '--chown of users of an image without a passwd file',
    dockerfile: lines('FROM scratch', 'COPY --chown=web a.txt /1'),
    files: TREE,
    expect: { fails: /web/ },
  },
  {
    name: '--chmod',
    dockerfile: lines(
      'FROM base:1',
      'COPY --chmod=0640 a.txt /1/',
      'COPY --chmod=4711 b.txt /2',
      'COPY --chmod=700 d /3',
    ),
    files: TREE,
    differs: { classic: 'has no --chmod', buildkit: 'loses the set-user bit' },
  },
  {
    name: '--chmod in letters',
    dockerfile: lines(
      'FROM base:1',
      'COPY --chmod=u+x,go-r a.txt /1',
      'COPY --chmod=a=rX d /2',
      'COPY --chmod=g+w,o= d/x /3',
    ),
    files: TREE,
    differs: NO_PEER,
    expect: {
      tree: {
        '/1': 'file 0700 0:0 "A"',
        '/2/x': 'file 0444 0:0 "X"',
        '/2/sub': 'dir 0555 0:0',
        '/3': 'file 0660 0:0 "X"',
      },
    },
  },
  {
    name: '--chmod that is none',
    dockerfile: lines('FROM base:1', 'COPY --chmod=rwx a.txt /1'),
    files: TREE,
    expect: { fails: /chmod.*rwx/ },
    differs: { buildkit: 'takes it for 0' },
  },
  {
    name: '--link',
    dockerfile: lines(
      'FROM base:1',
      'COPY --link a.txt /1',
      'COPY --link --chown=3:4 d /data',
      'COPY --link=false b.txt /2',
    ),
    files: TREE,
    differs: NO_PEER,
    expect: {
      tree: {
        '/1': 'file 0644 0:0 "A"',
        '/data/sub/y': 'file 0644 3:4 "Y"',
        '/2': 'file 0644 0:0 "B"',
      },
    },
  },
  {
    name: '--parents and --exclude',
    dockerfile: lines(
      'FROM base:1',
      'COPY --parents d/sub/y a.txt /p/',
      'COPY --parents d/./sub/y /q/',
      'COPY --parents d/*/y /r/',
      'COPY --exclude=*.md --exclude=d . /x/',
      'COPY --exclude=**/y d /z',
    ),
    files: TREE,
    differs: NO_PEER,
    expect: {
      tree: {
        '/p/d/sub/y': 'file 0644 0:0 "Y"',
        '/p/a.txt': 'file 0644 0:0 "A"',
        '/q/sub/y': 'file 0644 0:0 "Y"',
        '/q/d': undefined,
        '/r/d/sub/y': 'file 0644 0:0 "Y"',
        '/x/a.txt': 'file 0644 0:0 "A"',
        '/x/c.md': undefined,
        '/x/d': undefined,
        '/z/x': 'file 0644 0:0 "X"',
        '/z/sub/y': undefined,
        '/z/sub': 'dir 0755 0:0',
      },
    },
  },
  {
    name: 'ADD unpacks archives',
    dockerfile: lines(
      'FROM base:1',
      'ADD plain.tar /1/',
      'ADD a.tar.gz /2/',
      'ADD a.tar.xz /3/',
      'ADD a.tar.bz2 /4/',
      'ADD a.tar.gz a.txt /5/',
      'ADD *.gz /6/',
      'ADD --chown=web:webs plain.tar /7/',
      'ADD plain.tar /noslash',
      'COPY a.tar.gz /kept/',
    ),
    files: {
      'a.txt': 'A',
      'plain.tar': archive('--no-auto-compress'),
      'a.tar.gz': archive('-z'),
      'a.tar.xz': archive('-J'),
      'a.tar.bz2': archive('-j'),
    },
    differs: { classic: 'makes the folder as root' },
  },
  {
    name: 'ADD of an archive packed with zstd',
    dockerfile: lines('FROM base:1', 'ADD a.tar.zst /1/'),
    files: { 'a.tar.zst': archive('--zstd') },
    differs: { buildkit: OLD, classic: OLD },
  },
  {
    name: 'ADD of what is packed and no archive, or only looks like one',
    dockerfile: lines('FROM base:1', 'ADD f.gz /1/', 'ADD broken.tar /2/', 'ADD empty.tar.gz /3/'),
    files: { 'f.gz': gzipSync('text'), 'broken.tar': 'no archive', 'empty.tar.gz': '' },
  },
  {
    name: 'ADD of an archive over what is there',
    dockerfile: lines(
      'FROM base:1',
      'RUN mkdir -p /d/in && echo old > /d/in/sub && echo o > /d/in/other',
      'ADD plain.tar /d',
    ),
    files: { 'plain.tar': archive('--no-auto-compress') },
  },
  {
    name: 'ADD of a git repository',
    dockerfile: lines('FROM base:1', 'ADD https://127.0.0.1:1/x.git /x'),
    expect: { fails: /git|127\.0\.0\.1/ },
  },
  {
    name: '.dockerignore: all but some',
    dockerfile: lines('FROM base:1', 'COPY . /x/'),
    files: {
      ...TREE,
      '.dockerignore': lines('# comment', '*', '!d', 'd/sub', '!*.md', ''),
    },
  },
  {
    name: '.dockerignore: any depth, order, slashes',
    dockerfile: lines('FROM base:1', 'COPY . /x/'),
    files: {
      ...TREE,
      'd/node_modules/m': 'M',
      'node_modules/m': 'M',
      'logs/a.log': '1',
      'logs/keep.log': '2',
      tmp1: '3',
      tmp22: '4',
      '.dockerignore': lines(
        '**/node_modules',
        '/logs/*.log',
        '!logs/keep.log',
        'e/',
        ' tmp? ',
        './c.md',
        'Dockerfile',
        '.dockerignore',
      ),
    },
  },
  {
    name: '.dockerignore: a folder taken back below one that is out',
    dockerfile: lines('FROM base:1', 'COPY . /x/'),
    files: {
      'top/in/deep/f': 'F',
      'top/in/other': 'O',
      'top/g': 'G',
      '.dockerignore': lines('top', '!top/in/deep', 'Dockerfile*', '.dockerignore'),
    },
  },
  {
    name: '.dockerignore: ** in the middle and at the end',
    dockerfile: lines('FROM base:1', 'COPY . /x/'),
    files: {
      'a/b/c/skip': '1',
      'a/skip': '2',
      'a/b/keep': '3',
      'z/1': '4',
      'z/y/2': '5',
      '.dockerignore': lines('a/**/skip', 'z/**', 'Dockerfile', '.dockerignore'),
    },
  },
  {
    name: 'a file that .dockerignore leaves out cannot be copied',
    dockerfile: lines('FROM base:1', 'COPY a.txt /x'),
    files: { ...TREE, '.dockerignore': '*.txt\n' },
    expect: { fails: /dockerignore/ },
  },
  {
    name: 'an ignore file of the Dockerfile’s own',
    dockerfile: lines('FROM base:1', 'COPY . /x/'),
    files: {
      ...TREE,
      'other.dockerfile': lines('FROM base:1', 'COPY . /y/'),
      'other.dockerfile.dockerignore': lines('*', '!a.txt'),
      '.dockerignore': lines('a.txt'),
    },
    flags: ['-f', 'other.dockerfile'],
    differs: { classic: 'knows .dockerignore alone' },
  },
  {
    name: 'WORKDIR: variables, relative, up, a slash at the end',
    dockerfile: lines(
      'FROM base:1',
      'ENV D=/from/env',
      'WORKDIR $D',
      'WORKDIR sub',
      'WORKDIR ../other/',
      'RUN pwd > /pwd',
      'WORKDIR "quoted dir"',
      'WORKDIR ${N:-/last}//x/./y/..',
    ),
    differs: {
      buildkit: 'writes the path as it is given; newer ones clean it',
      classic: 'writes the path as it is given; newer ones clean it',
      buildah: 'writes the path as it is given; newer ones clean it',
    },
  },
  {
    name: 'WORKDIR as another user, and into a link',
    dockerfile: lines(
      'FROM base:1',
      'RUN ln -s data /link',
      'USER web',
      'WORKDIR /made/here',
      'WORKDIR /link/new',
    ),
    differs: { classic: 'makes the folder as root' },
  },
  {
    name: 'a volume that is written afterwards',
    dockerfile: lines(
      'FROM base:1',
      'RUN mkdir /v && echo 1 > /v/before',
      'VOLUME /v',
      'RUN echo 2 > /v/after',
      'COPY a.txt /v/copied',
    ),
    files: TREE,
    differs: { classic: 'loses what RUN writes there', buildah: 'loses what RUN writes there' },
  },
  {
    name: 'further contexts: a folder, an image',
    dockerfile: lines(
      'FROM over AS x',
      'COPY --from=more f /f',
      'RUN --mount=from=more,target=/m cat /m/f > /g',
    ),
    files: { 'side/f': 'side' },
    flags: ['--build-context', 'more=side', '--build-context', 'over=docker-image://base:1'],
    differs: { buildkit: OLD, classic: OLD },
    expect: { tree: { '/f': 'file 0644 0:0 "side"', '/g': 'file 0644 0:0 "side"' } },
  },
  {
    name: 'an empty file, and a large one',
    dockerfile: lines('FROM base:1', 'COPY empty big /x/'),
    files: { empty: '', big: '0123456789abcdef'.repeat(200_000) },
  },
];
