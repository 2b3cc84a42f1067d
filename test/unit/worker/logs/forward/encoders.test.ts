// Goal: what is sent is what each protocol's receivers and users of Docker's drivers expect, byte for byte. Method: encoders alone; MessagePack and chunks are taken apart by hand.
import { gunzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { LogOptions } from '#protocol/log-drivers';
import { logFaults } from '#protocol/log-drivers';
import { fluentdEncoder, takeAcks } from '#worker/logs/forward/fluentd';
import { chunks, gelfEncoder } from '#worker/logs/forward/gelf';
import { fieldName, journaldEncoder } from '#worker/logs/forward/journald';
import type { LogMessage, LogOrigin } from '#worker/logs/forward/message';
import { MessageMaker } from '#worker/logs/forward/message';
import { syslogEncoder } from '#worker/logs/forward/syslog';

const ID = '0123456789abcdef'.repeat(4);
const ORIGIN: LogOrigin = {
  subject: {
    labels: {},
    env: [],
    id: ID,
    name: 'web',
    imageId: 'sha256:aa',
    imageName: 'nginx:1',
    hostname: 'node-1',
    command: 'nginx -g x',
  },
  tag: 'web/1',
  attributes: { tier: 'back', _own: 'x' },
  createdAt: '2026-01-02T03:04:05.000Z',
  pid: 42,
};

const message = (text: string, stream: 'stdout' | 'stderr' = 'stdout'): LogMessage => ({
  stream,
  line: Buffer.from(text),
  time: '2026-03-04T05:06:07.123456789Z',
  piece: undefined,
});

const only = (parts: readonly Uint8Array[]): Buffer => {
  expect(parts).toHaveLength(1);
  return Buffer.from(parts[0] ?? []);
};

describe('syslog', () => {
  const sent = (options: LogOptions, stream: 'stdout' | 'stderr' = 'stdout'): string =>
    only(syslogEncoder(options, ORIGIN)(message('hello ✓', stream))).toString('utf8');
  const at = new Date('2026-03-04T05:06:07Z');
  const clock = `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}:07`;
  const stamp = `Mar ${String(at.getDate()).padStart(2)} ${clock}`;

  it('in all forms', () => {
    expect(sent({})).toBe(`<30>${stamp} web/1[42]: hello ✓\n`);
    expect(sent({}, 'stderr')).toBe(`<27>${stamp} web/1[42]: hello ✓\n`);
    expect(sent({ 'syslog-format': 'rfc3164', 'syslog-facility': 'local3' })).toBe(
      `<158>${stamp} node-1 web/1[42]: hello ✓\n`,
    );
    const text = 'node-1 web/1 42 web/1 - hello ✓\n';
    expect(sent({ 'syslog-format': 'rfc5424', 'syslog-facility': '0' })).toBe(
      `<6>1 2026-03-04T05:06:07Z ${text}`,
    );
    expect(sent({ 'syslog-format': 'rfc5424micro' })).toBe(
      `<30>1 2026-03-04T05:06:07.123456Z ${text}`,
    );
  });

  it('counts bytes over TLS', () => {
    const options = { 'syslog-format': 'rfc5424', 'syslog-address': 'tcp+tls://h:1' };
    const text = sent(options);
    const [, length = '', rest = ''] = /^(\d+) (.*)$/s.exec(text) ?? [];
    expect(Number(length)).toBe(Buffer.byteLength(rest));
    expect(sent({ ...options, 'syslog-format': 'rfc3164' })).toMatch(/^<30>/);
  });
});

describe('gelf', () => {
  const udp = { 'gelf-address': 'udp://h:1' };

  it('has the fields of Docker’s driver', () => {
    const encode = gelfEncoder({ 'gelf-address': 'tcp://h:1' }, ORIGIN);
    const bytes = only(encode(message('hello', 'stderr')));
    expect(bytes.at(-1)).toBe(0);
    expect(JSON.parse(bytes.subarray(0, -1).toString())).toEqual({
      version: '1.1',
      host: 'node-1',
      short_message: 'hello',
      timestamp: 1772600767.123,
      level: 3,
      _command: 'nginx -g x',
      _container_id: ID,
      _container_name: 'web',
      _created: '2026-01-02T03:04:05.000Z',
      _image_id: 'sha256:aa',
      _image_name: 'nginx:1',
      _tag: 'web/1',
      _tier: 'back',
      _own: 'x',
    });
    expect(encode(message(''))).toEqual([]);
  });

  it('is compressed over UDP as asked for', () => {
    const text = (options: LogOptions, open: (bytes: Buffer) => Buffer): string =>
      JSON.parse(open(only(gelfEncoder({ ...udp, ...options }, ORIGIN)(message('hi')))).toString())
        .short_message as string;
    expect(text({}, gunzipSync)).toBe('hi');
    expect(text({ 'gelf-compression-type': 'zlib' }, inflateSync)).toBe('hi');
    expect(text({ 'gelf-compression-type': 'none' }, (bytes) => bytes)).toBe('hi');
  });

  it('comes in chunks when it is long', () => {
    const bytes = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7919) % 251));
    const parts = chunks(bytes).map((part) => Buffer.from(part));
    expect(parts).toHaveLength(4);
    expect(parts.every((part) => part.length <= 1420)).toBe(true);
    expect(new Set(parts.map((part) => part.toString('hex', 0, 10))).size).toBe(1);
    expect(parts.map((part) => [...part.subarray(10, 12)])).toEqual(
      [0, 1, 2, 3].map((n) => [n, 4]),
    );
    expect(Buffer.concat(parts.map((part) => part.subarray(12)))).toEqual(bytes);
  });

  it('leaves labels out of what no receiver would take', () => {
    const attributes = { long: 'y'.repeat(300_000) };
    const options = { ...udp, 'gelf-compression-type': 'none' };
    const bytes = only(gelfEncoder(options, { ...ORIGIN, attributes })(message('hi')));
    expect(JSON.parse(bytes.toString())).not.toHaveProperty('_long');
  });
});

describe('journald', () => {
  it('has the fields of Docker’s driver', () => {
    const text = only(journaldEncoder(ORIGIN)(message('hello'))).toString();
    expect(text.split('\n')).toEqual([
      `CONTAINER_ID=${ID.slice(0, 12)}`,
      `CONTAINER_ID_FULL=${ID}`,
      'CONTAINER_NAME=web',
      'CONTAINER_TAG=web/1',
      'IMAGE_NAME=nginx:1',
      'SYSLOG_IDENTIFIER=web/1',
      'TIER=back',
      'OWN=x',
      'PRIORITY=6',
      'SYSLOG_TIMESTAMP=2026-03-04T05:06:07.123456789Z',
      'MESSAGE=hello',
      '',
    ]);
  });

  it('gives a value with lines its length, and pieces their places', () => {
    const origin = { ...ORIGIN, attributes: { note: 'a\nb' } };
    const piece = { id: 'p', ordinal: 1, isLast: false };
    const bytes = only(journaldEncoder(origin)({ ...message('x'), piece }));
    const text = bytes.toString('latin1');
    expect(text).toContain('NOTE\n\x03\0\0\0\0\0\0\0a\nb\n');
    expect(text).toContain('CONTAINER_PARTIAL_ID=p\nCONTAINER_PARTIAL_LAST=false\n');
    expect(text).toContain('CONTAINER_PARTIAL_MESSAGE=true\n');
    expect(fieldName('com.example/x-1')).toBe('COM_EXAMPLE_X_1');
    expect(fieldName('__9')).toBe('');
  });
});

describe('fluentd', () => {
  const options = { 'fluentd-sub-second-precision': 'true', 'fluentd-request-ack': '1' };

  it('is MessagePack of tag, time, record and options', () => {
    const { bytes, chunk } = fluentdEncoder({}, { ...ORIGIN, attributes: {} })(message('hi'));
    const expected = Buffer.concat([
      Buffer.from([0x94, 0xa5]),
      Buffer.from('web/1'),
      Buffer.from([0xce, 0x69, 0xa7, 0xbd, 0xbf, 0x84, 0xac]),
      Buffer.from('container_id'),
      Buffer.from([0xd9, 64]),
      Buffer.from(ID),
      Buffer.from([0xae]),
      Buffer.from('container_name'),
      Buffer.from([0xa4]),
      Buffer.from('/web'),
      Buffer.from([0xa6]),
      Buffer.from('source'),
      Buffer.from([0xa6]),
      Buffer.from('stdout'),
      Buffer.from([0xa3]),
      Buffer.from('log'),
      Buffer.from([0xa2]),
      Buffer.from('hi'),
      Buffer.from([0x80]),
    ]);
    expect(Buffer.from(bytes).toString('hex')).toBe(expected.toString('hex'));
    expect(chunk).toBe('');
  });

  it('has exact times, long texts and chunk ids when asked for', () => {
    const { bytes, chunk } = fluentdEncoder(options, ORIGIN)(message('y'.repeat(70_000)));
    const hex = Buffer.from(bytes).toString('hex');
    expect(hex).toContain('d70069a7bdbf075bcd15');
    expect(hex).toContain('a36c6f67db00011170');
    expect(Buffer.from(bytes).toString('latin1').endsWith(`\xb8${chunk}`)).toBe(true);
  });

  it('reads answers, also in parts', () => {
    const answer = Buffer.concat([Buffer.from([0x81, 0xa3]), Buffer.from('ack\xa2ab', 'latin1')]);
    expect(takeAcks(Buffer.concat([answer, answer.subarray(0, 4)]))).toEqual({
      acks: ['ab'],
      rest: answer.subarray(0, 4),
    });
    expect(takeAcks(Buffer.from('HTTP/1.1'))).toBeUndefined();
  });
});

describe('pieces of long lines', () => {
  it('belong together, per stream; what a program wrote last without a newline is whole', () => {
    const maker = new MessageMaker(ID);
    const entry = (text: string, stream: 'stdout' | 'stderr') => ({
      stream,
      text,
      time: '2026-01-01T00:00:00Z',
      attributes: {},
    });
    const long = 'x'.repeat(16 * 1024);
    const of = (text: string, stream: 'stdout' | 'stderr' = 'stdout') =>
      maker.message(entry(text, stream)).piece;
    const first = of(long);
    expect(first).toMatchObject({ ordinal: 1, isLast: false });
    expect(of('other\n', 'stderr')).toBeUndefined();
    expect(of(long)).toEqual({ id: first?.id, ordinal: 2, isLast: false });
    expect(of('end\n')).toEqual({ id: first?.id, ordinal: 3, isLast: true });
    expect(of('no newline')).toBeUndefined();
  });
});

describe('options of log drivers', () => {
  const first = (driver: string, options: LogOptions = {}): string =>
    logFaults(driver, options)[0]?.message ?? '';

  it.each([
    ['syslog', { 'syslog-address': 'tcp+tls://logs:6514', 'syslog-facility': 'local7' }],
    ['syslog', { 'syslog-address': 'unixgram:///dev/log', tag: 'x', 'cache-max-size': '5m' }],
    ['syslog', { 'syslog-address': 'udp://[::1]', mode: 'non-blocking', 'max-buffer-size': '4m' }],
    ['gelf', { 'gelf-address': 'udp://h:12201', 'gelf-compression-level': '-1' }],
    ['gelf', { 'gelf-address': 'tcp://h:1', 'gelf-tcp-max-reconnect': '3' }],
    ['fluentd', { 'fluentd-address': 'localhost:24224', 'fluentd-async': 'true' }],
    ['fluentd', { 'fluentd-address': 'unix:///run/f.sock', 'fluentd-retry-wait': '1m30s' }],
    ['journald', { labels: 'a', 'env-regex': '^A' }],
    ['none', {}],
  ])('%s %j', (driver, options) => {
    expect(logFaults(driver, options as LogOptions)).toEqual([]);
  });

  it.each([
    ['syslog', { bogus: '1' }, "unknown log opt 'bogus' for syslog log driver"],
    ['none', { tag: 'x' }, "unknown log opt 'tag' for none log driver"],
    ['syslog', { 'syslog-facility': 'local9' }, 'log opt syslog-facility: invalid syslog facility'],
    ['syslog', { 'syslog-format': 'x' }, 'log opt syslog-format: Invalid syslog format'],
    ['syslog', { 'syslog-address': 'http://h' }, "unsupported scheme: 'http'"],
    ['syslog', { 'syslog-address': 'tcp://' }, 'should be in form proto://address, got tcp://'],
    ['gelf', {}, 'gelf-address is a required parameter'],
    ['gelf', { 'gelf-address': 'udp://h' }, 'should be in form proto://address'],
    [
      'gelf',
      { 'gelf-address': 'tcp://h:1', 'gelf-compression-type': 'gzip' },
      'only supported on UDP',
    ],
    ['gelf', { 'gelf-address': 'udp://h:1', 'gelf-tcp-max-reconnect': '1' }, 'only for tcp'],
    ['fluentd', { 'fluentd-retry-wait': '5' }, 'invalid duration "5"'],
    ['journald', { mode: 'sometimes' }, 'logger: logging mode not supported: sometimes'],
    ['json-file', { 'max-buffer-size': '1m' }, "only supported with 'mode=non-blocking'"],
    ['awslogs', {}, "logger: no log driver named 'awslogs' is registered"],
  ])('%s %j is refused', (driver, options, sentence) => {
    expect(first(driver, options as LogOptions)).toContain(sentence);
  });
});
