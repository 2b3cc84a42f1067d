// Goal: an unquoted value reaches the container as the text that compose-go would have made of it.
// Method: load each as an environment variable and compare with what go-yaml and Go's fmt print.

import { describe, expect, test } from 'vitest';
import { errorsOf, project } from '../memory-files.ts';

const PRINTED: readonly (readonly [string, string | null])[] = [
  ['0x1F', '31'],
  ['0b11', '3'],
  ['0o17', '15'],
  ['017', '15'],
  ['0777', '511'],
  ['08', '8'],
  ['1_000', '1000'],
  ['-7', '-7'],
  ['+7', '7'],
  ['.5', '0.5'],
  ['1.0', '1'],
  ['3.10', '3.1'],
  ['1e21', '1e+21'],
  ['1e-7', '1e-07'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['123456789.0', '1.23456789e+08'],
  ['1234567.5', '1.2345675e+06'],
  ['123456.0', '123456'],
  ['1e6', '1e+06'],
  ['1e3', '1000'],
  ['1000000', '1000000'],
  ['12345678901234567890123', '1.2345678901234568e+22'],
  ['18446744073709551615', '18446744073709551615'],
  ['9007199254740993', '9007199254740993'],
  ['TRUE', 'true'],
  ['false', 'false'],
  ['yes', 'yes'],
  ['off', 'off'],
  ['y', 'y'],
  ['~', null],
  ['Null', null],
  ['12:30', '12:30'],
  ['22:22', '22:22'],
  ['1.2.3', '1.2.3'],
  ['2001-01-01', '2001-01-01 00:00:00 +0000 UTC'],
  ['2001-13-01', '2001-13-01'],
  ['2001-12-14t21:59:43.10-05:00', '2001-12-14 21:59:43.1 -0500 -0500'],
  ['1e400', '1e400'],
  ['0xZZ', '0xZZ'],
  ['"0x1F"', '0x1F'],
  ['!!str 017', '017'],
];

describe('unquoted values', () => {
  for (const [written, printed] of PRINTED) {
    test(`${written} is ${printed === null ? 'no value' : JSON.stringify(printed)}`, () => {
      const text = `services:\n  a:\n    image: x\n    environment:\n      V: ${written}\n`;
      expect(project(text).services.a?.environment).toEqual({ V: printed });
    });
  }

  test('infinity is refused', () => {
    const text = 'services:\n  a:\n    image: x\n    environment:\n      V: .inf\n';
    expect(errorsOf(text)).toEqual([expect.stringContaining('unsupported value: +Inf')]);
  });
});
