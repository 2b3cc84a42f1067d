// Goal: YAML that compose refuses is refused at the right place, quickly, and never by a crash.

import { describe, expect, test } from 'vitest';
import { errorsOf, load, project } from '../memory-files.ts';

const F = 'failed to parse /p/compose.yaml: yaml:';

describe('refused documents', () => {
  test('a duplicate key names both lines and points at the second', () => {
    const result = load('services:\n  a:\n    image: x\n    image: y\n');
    expect(result).toMatchObject({
      ok: false,
      errors: [
        {
          code: 'yaml',
          message: `${F} construct errors:\n  line 1: line 4: mapping key "image" already defined at line 3`,
          file: '/p/compose.yaml',
          line: 4,
          column: 5,
          sourceLine: '    image: y',
        },
      ],
    });
  });

  test.each([
    ['a:\n\tb: 1\n', 'line 2, column 1: found character that cannot start any token'],
    ['a: @x\n', 'line 1, column 4: found character that cannot start any token'],
    ['a: b: c\n', 'line 1, column 5: mapping values are not allowed in this context'],
    ['a: "open\n', 'found unexpected end of stream'],
    ['a: [1, 2\nb: 3\n', "did not find expected ',' or ']'"],
    ['a:\n    b: 1\n  c: 2\n', 'line 3, column 1: did not find expected key'],
    ['a: *nope\n', "unknown anchor 'nope' referenced"],
    ['a: \u0001\n', 'control characters are not allowed'],
    ['a: &x\n  <<: *x\n', 'cycle detected: node at path a references node at path a'],
    ['a: &x [*x]\n', 'cycle detected'],
    ['a: &x 1\nb:\n  <<: *x\n', 'map merge requires map or sequence of maps as the value'],
    ['? [a]\n: 1\n', 'invalid map key'],
    ['a: !!int x\n', 'as a !!int'],
  ])('%j', (text, sentence) => {
    expect(errorsOf(text)).toEqual([expect.stringContaining(sentence)]);
  });

  test('keys must be strings', () => {
    const text = 'services:\n  a:\n    image: x\n    environment:\n      80: x\n      true: y\n';
    expect(errorsOf(text)).toEqual([
      'non-string key in services.a.environment: 80',
      'non-string key in services.a.environment: true',
    ]);
  });

  test('several mistakes of syntax are all reported', () => {
    const result = load('a: @x\nb: c: d\n');
    expect(result.ok ? [] : result.errors.map(({ line }) => line)).toEqual([1, 2]);
  });

  test('repetition of repetition is refused before it is expanded', () => {
    let text = 'x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 30; i += 1) {
      text += `x-${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    }
    const start = performance.now();
    expect(errorsOf(text)).toEqual([
      expect.stringContaining('document contains excessive aliasing'),
    ]);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('too many nodes, too deep nesting, too much text', () => {
    const many = `x-a: [${Array(100_001).fill('1').join(',')}]`;
    expect(errorsOf(many)).toEqual([expect.stringContaining('maximum node visit limit (100000)')]);
    expect(errorsOf(`x-a: ${'['.repeat(300)}${']'.repeat(300)}`)).toEqual([
      expect.stringContaining('nested too deeply'),
    ]);
    expect(errorsOf('['.repeat(200_000))).toEqual([expect.stringContaining('nested too deeply')]);
    expect(errorsOf('a'.repeat(9 * 1024 * 1024))).toEqual([expect.stringContaining('too large')]);
  });

  test.each(['', '# only a comment\n'])('%j is empty', (text) => {
    expect(errorsOf(text)).toEqual(['empty compose file']);
  });

  test.each(['- a\n', 'text\n', 'null\n'])('%j is no mapping', (text) => {
    expect(errorsOf(text)).toEqual(['top-level object must be a mapping']);
  });
});

describe('anchors and merge keys', () => {
  test('own keys win over merged ones, earlier sources over later ones', () => {
    const text = `
x-one: &one { image: one, user: one, hostname: one }
x-two: &two { image: two, user: two, working_dir: /two }
services:
  a:
    <<: [*one, *two]
    user: own
`;
    expect(project(text).services.a).toMatchObject({
      image: 'one',
      user: 'own',
      hostname: 'one',
      working_dir: '/two',
    });
  });

  test('an anchor that is defined again counts from there on', () => {
    const text =
      'x-1: &n one\nservices:\n  a: {image: *n}\n  b: {image: &n two}\n  c: {image: *n}\n';
    const { services } = project(text);
    expect([services.a?.image, services.b?.image, services.c?.image]).toEqual([
      'one',
      'two',
      'two',
    ]);
  });

  test('a file of several documents is its own override', () => {
    const text = 'services:\n  a: {image: x, user: u}\n---\nservices:\n  a: {image: y}\n';
    expect(project(text).services.a).toMatchObject({ image: 'y', user: 'u' });
  });
});
