// Goal: a git repository as a build context: the commit that is asked for, one folder of it, without its history; nothing is left behind, and no password is shown. Method: a repository in
// a temporary folder, fetched with the real git.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkOut, shownUrl } from '#cli/client/git-checkout';
import { gitContext } from '#compose-spec/deploy/git-context';

describe('what names a repository', () => {
  it.each([
    ['https://h.io/a/b.git', 'https://h.io/a/b.git', '', ''],
    ['https://h.io/a/b.git#v1', 'https://h.io/a/b.git', 'v1', ''],
    ['https://h.io/a/b.git#:sub/dir', 'https://h.io/a/b.git', '', 'sub/dir'],
    ['git@h.io:a/b#main:sub', 'git@h.io:a/b', 'main', 'sub'],
    ['ssh://git@h.io/a/b', 'ssh://git@h.io/a/b', '', ''],
    ['git://h.io/a/b', 'git://h.io/a/b', '', ''],
    ['github.com/a/b#main', 'https://github.com/a/b', 'main', ''],
  ])('%s', (text, url, ref, folder) => {
    expect(gitContext(text)).toEqual({ url, ref, folder });
  });

  it.each(['.', './x.git', 'https://h.io/a.tar.gz', 'docker-image://busybox', 'https://h.io/a'])(
    'not %s',
    (text) => expect(gitContext(text)).toBeUndefined(),
  );
});

describe('a checkout', () => {
  let base = '';
  let url = '';
  const tmpdirBefore = process.env.TMPDIR;
  const git = (...args: string[]): void => {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'commit.gpgsign=false'];
    execFileSync('git', [...identity, ...args], { cwd: join(base, 'x.git') });
  };

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'tswarm-git-'));
    url = `file://${base}/x.git`;
    mkdirSync(join(base, 'tmp'));
    process.env.TMPDIR = join(base, 'tmp');
    mkdirSync(join(base, 'x.git/app'), { recursive: true });
    git('init', '--quiet', '-b', 'main');
    writeFileSync(join(base, 'x.git/app/Dockerfile'), 'FROM one\n');
    symlinkSync('/', join(base, 'x.git/out'));
    git('add', '.');
    git('commit', '--quiet', '-m', 'one');
    git('tag', 'v1');
    writeFileSync(join(base, 'x.git/app/Dockerfile'), 'FROM two\n');
    git('commit', '--quiet', '-a', '-m', 'two');
  });
  afterAll(() => {
    if (tmpdirBefore === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = tmpdirBefore;
    rmSync(base, { recursive: true, force: true });
  });

  const made = (): string[] => readdirSync(process.env.TMPDIR ?? '');

  it('has the files of the commit and is taken away again', async () => {
    const newest = await checkOut({ url, ref: '', folder: '' });
    expect(readFileSync(join(newest.folder, 'app/Dockerfile'), 'utf8')).toBe('FROM two\n');
    expect(existsSync(join(newest.folder, '.git'))).toBe(false);
    await newest.remove();
    expect(existsSync(newest.folder)).toBe(false);
    const tagged = await checkOut({ url, ref: 'v1', folder: 'app' });
    expect(readFileSync(join(tagged.folder, 'Dockerfile'), 'utf8')).toBe('FROM one\n');
    await tagged.remove();
  });

  it('fails in git’s words, and leaves nothing', async () => {
    const before = made();
    await expect(checkOut({ url, ref: 'nowhere', folder: '' })).rejects.toThrow(/nowhere/);
    await expect(checkOut({ url, ref: '', folder: 'nowhere' })).rejects.toThrow(
      'no folder nowhere',
    );
    await expect(checkOut({ url, ref: '', folder: 'out' })).rejects.toThrow('no folder out');
    await expect(checkOut({ url, ref: '--upload-pack=x', folder: '' })).rejects.toThrow();
    expect(made()).toEqual(before);
  });

  it('shows no password', () => {
    expect(shownUrl('https://me:secret@h.io/a.git')).toBe('https://h.io/a.git');
  });
});
