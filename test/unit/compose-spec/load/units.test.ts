// Goal: sizes, durations, ports and short volumes mean what they mean to docker.

import { describe, expect, test } from 'vitest';
import { isIpAddress, parseShortPorts } from '#compose-spec/load/ports';
import { splitShellWords } from '#compose-spec/load/shell-words';
import {
  parseBytes,
  parseDuration,
  parseFileMode,
  printDuration,
  shortestFloat32,
} from '#compose-spec/load/units';
import { parseShortVolume } from '#compose-spec/load/volumes';

describe('sizes', () => {
  test.each([
    ['1024', 1024],
    ['1k', 1024],
    ['1.5gb', 1.5 * 1024 ** 3],
    ['64 MB', 64 * 1024 ** 2],
    ['2GiB', 2 * 1024 ** 3],
    ['10b', 10],
    ['-1', -1],
  ])('%s', (text, value) => expect(parseBytes(text)).toEqual({ ok: true, value }));

  test.each([
    ['1zz', "invalid suffix: 'zz'"],
    ['abc', "invalid size: 'abc'"],
    ['-5m', "invalid size: '-5m'"],
    ['1bb', "invalid suffix: 'bb'"],
  ])('%s is refused', (text, message) => expect(parseBytes(text)).toEqual({ ok: false, message }));
});

describe('durations', () => {
  test.each([
    ['1m30s', 90e9, '1m30s'],
    ['1d', 86_400e9, '24h0m0s'],
    ['1w', 604_800e9, '168h0m0s'],
    ['1.5s', 1.5e9, '1.5s'],
    ['250ms', 250e6, '250ms'],
    ['10us', 10e3, '10µs'],
    ['0', 0, '0s'],
    ['-2s', -2e9, '-2s'],
  ])('%s', (text, value, printed) => {
    expect(parseDuration(text)).toEqual({ ok: true, value });
    expect(printDuration(value)).toBe(printed);
  });

  test.each([
    ['10', 'missing unit in duration "10"'],
    ['5x', 'unknown unit "x" in duration "5x"'],
    ['', 'invalid duration ""'],
    ['s', 'invalid duration "s"'],
  ])('%j is refused', (text, message) =>
    expect(parseDuration(text)).toEqual({ ok: false, message }),
  );
});

test('modes are octal', () => {
  expect(parseFileMode('0440')).toEqual({ ok: true, value: 0o440 });
  expect(parseFileMode('0o440')).toEqual({ ok: true, value: 0o440 });
  expect(parseFileMode('0980')).toMatchObject({ ok: false });
});

test('32-bit floats print with the fewest digits', () => {
  expect([0.1, 0.5, 1.33333333, 2].map(shortestFloat32)).toEqual([0.1, 0.5, 1.3333334, 2]);
});

describe('short ports', () => {
  test.each([
    ['80', [{ target: 80, protocol: 'tcp' }]],
    ['8080:80/udp', [{ published: '8080', target: 80, protocol: 'udp' }]],
    ['127.0.0.1::80', [{ hostIp: '127.0.0.1', target: 80, protocol: 'tcp' }]],
    ['[::1]:81:80', [{ hostIp: '::1', published: '81', target: 80, protocol: 'tcp' }]],
    ['::1:81:80', [{ hostIp: '::1', published: '81', target: 80, protocol: 'tcp' }]],
    ['8000-8010:80', [{ published: '8000-8010', target: 80, protocol: 'tcp' }]],
    [
      '90-91:80-81',
      [
        { published: '90', target: 80, protocol: 'tcp' },
        { published: '91', target: 81, protocol: 'tcp' },
      ],
    ],
  ])('%s', (spec, ports) => expect(parseShortPorts(spec)).toEqual({ ok: true, ports }));

  test.each([
    ['99999', 'invalid containerPort: 99999'],
    ['x:80', 'invalid hostPort: x'],
    [
      '8000-8002:80-81',
      'invalid ranges specified for container and host Ports: 80-81 and 8000-8002',
    ],
    ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
    ['80:', 'no port specified: 80:<empty>'],
    ['80/xyz', 'invalid proto: xyz'],
    ['81-80', 'invalid containerPort: 81-80'],
  ])('%s is refused', (spec, message) =>
    expect(parseShortPorts(spec)).toMatchObject({ ok: false, message }),
  );
});

test('addresses', () => {
  const good = ['1.2.3.4', '::', '::1', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'];
  const bad = [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    ':::',
    '1:2',
    '::1::',
    'g::',
    '1:2:3:4:5:6:7:8:9',
  ];
  expect(good.filter((text) => !isIpAddress(text))).toEqual([]);
  expect(bad.filter(isIpAddress)).toEqual([]);
});

describe('short volumes', () => {
  test.each([
    ['/data', { type: 'volume', target: '/data' }],
    [
      'vol:/data:ro,nocopy',
      { type: 'volume', source: 'vol', target: '/data', readOnly: true, noCopy: true },
    ],
    ['./a:/b', { type: 'bind', source: './a', target: '/b' }],
    [
      '~/a:/b:rslave,z',
      { type: 'bind', source: '~/a', target: '/b', propagation: 'rslave', selinux: 'z' },
    ],
    ['C:\\a:/b', { type: 'bind', source: 'C:\\a', target: '/b' }],
    ['v:/data', { type: 'volume', target: 'v:/data' }],
    ['vol:/data:odd', { type: 'volume', source: 'vol', target: '/data', unknownOptions: ['odd'] }],
  ])('%s', (spec, volume) => expect(parseShortVolume(spec)).toMatchObject({ ok: true, volume }));

  test.each([
    [':/x', 'invalid spec: :/x: empty section between colons'],
    ['aa:/b:ro:more', 'invalid spec: aa:/b:ro:more: too many colons'],
    ['', 'invalid empty volume spec'],
  ])('%j is refused', (spec, message) =>
    expect(parseShortVolume(spec)).toEqual({ ok: false, message }),
  );
});

describe('command lines', () => {
  test.each([
    ['a b  c', ['a', 'b', 'c'], ''],
    [`sh -c 'echo "$X" && true'`, ['sh', '-c', 'echo "$X" && true'], ''],
    ['a\\ b "c d" ""', ['a b', 'c d', ''], ''],
    ['echo a; rm b', ['echo', 'a'], '; rm b'],
    ['run 2>log', ['run'], '>log'],
    ['', [], ''],
  ])('%s', (line, words, rest) => expect(splitShellWords(line)).toEqual({ ok: true, words, rest }));

  test.each([`a 'b`, 'a "b', 'a \\', 'a (b)'])('%s is refused', (line) =>
    expect(splitShellWords(line)).toEqual({ ok: false, message: 'invalid command line string' }),
  );
});
