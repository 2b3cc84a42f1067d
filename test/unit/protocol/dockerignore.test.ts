// .dockerignore patterns: the last that matches wins, stars stop at slashes, what is below goes along.
import { describe, expect, it } from 'vitest';
import { Dockerignore } from '#protocol/dockerignore';

describe('Dockerignore', () => {
  it.each([
    ['*.md', 'a.md', true],
    ['*.md', 'docs/a.md', false],
    ['**/*.md', 'docs/deep/a.md', true],
    ['**/*.md', 'a.md', true],
    ['docs', 'docs/deep/a.md', true],
    ['/docs/', 'docs/a', true],
    ['./docs', 'docs', true],
    ['doc?', 'docs', true],
    ['doc?', 'doc/', false],
    ['a[0-9]', 'a5', true],
    ['a[^0-9]', 'a5', false],
    ['a.b', 'axb', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['# not a pattern', '# not a pattern', false],
    ['*\n!keep', 'keep/file', false],
    ['*\n!keep\nkeep/no', 'keep/no', true],
    ['docs/**', 'docs/a/b', true],
    ['', 'a', false],
  ])('%j of %j: %s', (text, path, ignored) => {
    expect(new Dockerignore(text).ignores(path)).toBe(ignored);
  });

  it('knows which ignored folders have to be read all the same', () => {
    const ignore = new Dockerignore('*\n!src/keep/*.ts');
    expect(ignore.mayTakeBackBelow('src')).toBe(true);
    expect(ignore.mayTakeBackBelow('src/keep')).toBe(true);
    expect(ignore.mayTakeBackBelow('other')).toBe(false);
    expect(new Dockerignore('*\n!**/a').mayTakeBackBelow('any')).toBe(true);
  });
});
