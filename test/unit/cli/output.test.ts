// What people see: tables, sizes and ages, templates, times, and progress in each of its modes.
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { reportFailure } from '#cli/output/fail';
import { formatList, renderTemplate } from '#cli/output/format';
import { ellipsis, humanSize, quoted, shortId } from '#cli/output/human';
import { ProgressDisplay } from '#cli/output/progress';
import { formatTable } from '#cli/output/table';
import { tailCount, timeOf } from '#cli/output/times';

describe('tables', () => {
  it('align, end without blanks, and do not count colours', () => {
    expect(
      formatTable(
        ['A', 'LONG NAME', 'C'],
        [
          ['\u001b[31mxy\u001b[0m', 'z', ''],
          ['1', '2', '3'],
        ],
      ),
    ).toBe('A    LONG NAME   C\n\u001b[31mxy\u001b[0m   z\n1    2           3\n');
  });
});

describe('numbers', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [4_213_456, '4.213MB'],
    [1.5e12, '1.5TB'],
  ])('%d bytes', (bytes, text) => expect(humanSize(bytes)).toBe(text));

  it('shortens ids and texts', () => {
    expect(shortId(`sha256:${'ab'.repeat(32)}`)).toBe('abababababab');
    expect(ellipsis('12345', 5)).toBe('12345');
    expect(ellipsis('123456', 5)).toBe('1234…');
  });

  it.each([
    ['sh -c "x"', '"sh -c \\"x\\""'],
    ['a\nb\t\\', '"a\\nb\\t\\\\"'],
    ['\u001b[31m\u007f', '"\\x1b[31m\\x7f"'],
    ['\u0085\u2028é…', '"\\u0085\\u2028é…"'],
  ])('quotes %j as docker does', (text, shown) => expect(quoted(text)).toBe(shown));
});

describe('templates', () => {
  const row = { Name: 'web', Ports: [80, 81], Labels: { a: '1' } };

  it.each([
    ['{{.Name}}', 'web'],
    ['{{ .Name }}-{{.Labels.a}}', 'web-1'],
    ['{{json .Ports}}', '[80,81]'],
    ['{{upper .Name}}', 'WEB'],
    ['{{len .Ports}}\\t{{len .Labels}}', '2\t1'],
    ['{{json .}}', JSON.stringify(row)],
  ])('%s', (template, text) => expect(renderTemplate(template, row)).toBe(text));

  it.each([['{{.Nope}}'], ['{{range .Ports}}'], ['{{.Name.x}}'], ['{{.Name'], ['{{.Name}} {{']])(
    'refuses %s',
    (template) => {
      expect(() => renderTemplate(template, row)).toThrow(/--format/);
    },
  );

  it('lists as table, json, ids and a table of a template', () => {
    const view = { columns: [['NAME', 'Name']] as const, rows: [{ ID: '1', Name: 'web' }] };
    expect(formatList(view, {})).toBe('NAME\nweb\n');
    expect(formatList(view, { quiet: true })).toBe('1\n');
    expect(formatList(view, { json: true })).toBe('{"ID":"1","Name":"web"}\n');
    expect(formatList(view, { format: 'table {{.ID}}\\t{{.Name}}' })).toBe('ID   NAME\n1    web\n');
    const words = 'table {{.ID}} of {{ upper .Name }}';
    expect(formatList(view, { format: words })).toBe('ID of NAME\n1 of WEB\n');
  });
});

describe('failures', () => {
  it.each([
    [() => mkdirSync('/proc/none'), 'Error: mkdir /proc/none: no such file or directory\n', 1],
    [() => readFileSync('/proc'), 'Error: read: illegal operation on a directory\n', 1],
    [
      () => renameSync('/proc/none', '/proc/other'),
      'Error: rename /proc/none /proc/other: no such file or directory\n',
      1,
    ],
  ])('of the kernel are sentences, not bugs: %s', (work, text, code) => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      work();
      throw new Error('it worked');
    } catch (error) {
      expect(reportFailure(error)).toBe(code);
    }
    const written = write.mock.calls.join('');
    write.mockRestore();
    expect(written).toBe(text);
  });
});

describe('times', () => {
  const now = 1_700_000_000_000;

  it.each([
    ['1700000000', '1700000000'],
    ['1700000000.5', '1700000000.5'],
    ['10s', '1699999990.000'],
    ['1h30m', '1699994600.000'],
    ['2024-05-01T10:00:00.123456789Z', '2024-05-01T10:00:00.123456789Z'],
  ])('%s', (text, api) => expect(timeOf('--since', text, now)).toBe(api));

  it.each([['yesterday'], ['10'.repeat(20)], ['5d'], ['-3s'], ['2024-13-41T00:00']])(
    'refuses %s',
    (text) => expect(() => timeOf('--since', text, now)).toThrow(`--since ${text}`),
  );

  it('counts lines', () => {
    expect(tailCount('all')).toBe('all');
    expect(tailCount('10')).toBe('10');
    expect(() => tailCount('-1')).toThrow('--tail -1');
  });
});

describe('progress', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  function record(): string[] {
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
    return written;
  }

  it('plain: a line a change, and nothing when nothing has changed', () => {
    const written = record();
    const display = new ProgressDisplay('Running', 'plain');
    display.update('Container a', 'working', 'Starting');
    display.update('Container a', 'working', 'Starting');
    display.update('Container a', 'done', 'Started');
    display.stop();
    expect(written).toEqual([' Container a  Starting\n', ' Container a  Started\n']);
  });

  it('json: an object a change; quiet: nothing', () => {
    const written = record();
    new ProgressDisplay('Running', 'json').update('x', 'error', 'Error', 'why');
    new ProgressDisplay('Running', 'quiet').update('x', 'error', 'Error', 'why');
    expect(written.map((line) => JSON.parse(line))).toEqual([
      { id: 'x', status: 'Error', text: 'Error', details: 'why' },
    ]);
  });

  it('tty: goes back over exactly the rows that it drew, and shows the cursor again', () => {
    vi.useFakeTimers();
    const written = record();
    const display = new ProgressDisplay('Running', 'tty');
    display.update('a', 'working', 'Starting');
    display.update('b', 'working', 'Starting');
    vi.advanceTimersByTime(100);
    display.update('a', 'done', 'Started');
    display.stop();
    display.stop();
    const text = written.join('');
    expect(text.startsWith('\u001b[?25l')).toBe(true);
    expect(text.endsWith('\u001b[?25h')).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences are what is tested
    const ups = [...text.matchAll(/\u001b\[(\d+)A/g)].map((match) => Number(match[1]));
    expect(ups).toEqual([2, 3]);
    expect(text.split('\u001b[3A').at(-1)).toContain('[+] Running 1/2');
  });
});
