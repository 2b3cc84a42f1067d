// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates are what is tested
// Goal: env files give the variables that people put into them, or an error with the right line.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDotenv, parseRawEnv } from '#compose-spec/load/dotenv';

const OUTER: Readonly<Record<string, string>> = { HOST: 'h', A: 'outer' };

function parse(text: string): Record<string, string> | string {
  const result = parseDotenv(text, { lookup: (name) => OUTER[name], onUnset: () => undefined });
  return result.ok
    ? Object.fromEntries(result.variables)
    : `line ${result.line}: ${result.message}`;
}

describe('env files', () => {
  test.each([
    ['A=1\nB = 2 \n', { A: '1', B: '2' }],
    ['export A=1\nexport\tB=2', { A: '1', B: '2' }],
    ['YAML: style\n', { YAML: 'style' }],
    ['# comment\n\n  # another\nA=1 # note\nB=a#b', { A: '1', B: 'a#b' }],
    ["A='$X \\n \\'q\\''", { A: "$X \\n 'q'" }],
    ['A="a\\tb\\n\\"\\$X\\\\ \\0101"', { A: 'a\tb\n"$X\\ A' }],
    ['A="two\nlines" # end\nB=1', { A: 'two\nlines', B: '1' }],
    ['HOST\nGONE\nB=1', { HOST: 'h', B: '1' }],
    ['B=1\nC=${B}2$B\nD=${A}', { B: '1', C: '121', D: 'outer' }],
    ['B=${NO:-d}', { B: 'd' }],
    ['\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
    ['a.b-c[0]=x', { 'a.b-c[0]': 'x' }],
    ['A=', { A: '' }],
    ['URL=http://h:1/?a=b&c', { URL: 'http://h:1/?a=b&c' }],
    ['', {}],
  ])('%j', (text, variables) => {
    expect(parse(text)).toEqual(variables);
  });

  test.each([
    ['A=1\nB C=2', 'line 2: key cannot contain a space'],
    ['A=1\n\n%x=2', 'line 3: unexpected character "%" in variable name "%x=2"'],
    ['A="open\nB=1', 'line 1: unterminated quoted value "open'],
    ["A='it''s'", 'line 1: unexpected character "\'" in variable name "\'s\'"'],
    ['A=${B:?needed}', 'line 1: required variable B is missing a value: needed'],
  ])('%j is refused', (text, message) => {
    expect(parse(text)).toBe(message);
  });

  test('raw files have no quotes, expansion or comments behind values', () => {
    expect(Object.fromEntries(parseRawEnv('A="1" # x\n#c\nB=$A\nHOST\n', (n) => OUTER[n]))).toEqual(
      {
        A: '"1" # x',
        B: '$A',
        HOST: 'h',
      },
    );
  });

  test('no text makes it throw', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parse(text)));
  });
});
