// tswarm-shim: the log file.
// Method: the real shim and the real runtime as root, over a bundle that binds the host's /usr.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FRAME } from './shim-client.ts';
import { container, containers, started, until } from './shim-fixture.ts';

describe('log', () => {
  it('keeps every byte of a fast writer that ends at once', async () => {
    const made = container('seq 1 400000; seq 1 400000 >&2; printf tail');
    made.create();
    const end = made.wait();
    await made.request({ op: 'start' });
    await end;
    const expected = Array.from({ length: 400_000 }, (_, i) => `${i + 1}\n`).join('');
    expect(made.logged('stdout') === `${expected}tail`).toBe(true);
    expect(made.logged('stderr') === expected).toBe(true);
  });

  it('keeps lines whole across writes, splits long ones, and stamps in order', async () => {
    const script = `printf 'a'; sleep 0.1; printf 'b\\n'; echo err >&2
      head -c 40000 /dev/zero | tr '\\0' x; echo; printf '\\n\\n'; printf 'tab\\tquote"back\\\\\\001end'`;
    const made = await started(script);
    await until(() => existsSync(join(made.state, 'exit.json')));
    const out = made.records().filter((item) => item.stream === 'stdout');
    expect(out.map((item) => item.log.length)).toEqual([3, 16384, 16384, 7233, 1, 1, 19]);
    expect(out.at(-1)?.log).toBe('tab\tquote"back\\\u0001end');
    expect(made.logged('stderr')).toBe('err\n');
    const times = made.records().map((item) => item.time);
    expect(times).toEqual([...times].sort());
    expect(times[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  });

  it('replaces what is no UTF-8 and never cuts a character', async () => {
    const made = await started(
      `printf 'ok \\303\\244 bad \\377\\303( cut \\342\\202\\n'; perl -e 'print "\\xe2\\x82\\xac" x 20000, "\\n"'`,
    );
    await until(() => existsSync(join(made.state, 'exit.json')));
    const text = made.logged('stdout');
    expect(text.split('\n')[0]).toBe('ok ä bad \ufffd\ufffd( cut \ufffd\ufffd');
    expect(text.split('\n')[1]).toBe('€'.repeat(20_000));
  });

  it('turns files over at their size and keeps as many as asked', async () => {
    const made = await started('seq 1 60000', {
      shim: ['--log-max-bytes', '500000', '--log-max-files', '3'],
    });
    await until(() => existsSync(join(made.state, 'exit.json')));
    expect(existsSync(`${made.log}.3`)).toBe(false);
    const numbers = ['.2', '.1', ''].flatMap((suffix) => {
      expect(statSync(made.log + suffix).size).toBeLessThanOrEqual(500_000);
      return made.records(suffix).map((item) => Number(item.log));
    });
    expect(numbers.at(-1)).toBe(60_000);
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
    expect(statSync(`${made.log}.2`).size).toBeGreaterThan(499_000);
  });

  it('starts a single file again when only one is kept', async () => {
    const made = await started('seq 1 60000', {
      shim: ['--log-max-bytes', '100000', '--log-max-files', '1'],
    });
    await until(() => existsSync(join(made.state, 'exit.json')));
    expect(statSync(made.log).size).toBeLessThanOrEqual(100_000);
    expect(made.records().at(-1)?.log).toBe('60000\n');
    expect(existsSync(`${made.log}.1`)).toBe(false);
  });

  it.for([
    ['a torn record of a killed writer', '{"log":"to'],
    ['a block that a power cut left without its bytes', '{"log":"to'.padEnd(10_000, '\0')],
  ])('appends for the next run behind the last whole record: %s', async ([, rest]) => {
    const first = '{"log":"first\n","stream":"stdout","time":"2020-01-01T00:00:00.000000000Z"}\n';
    const made = container('echo second');
    writeFileSync(made.log, `${first}${rest}`);
    made.create();
    await made.request({ op: 'start' });
    await until(() => existsSync(join(made.state, 'exit.json')));
    const text = readFileSync(made.log, 'utf8');
    expect(text.startsWith(first)).toBe(true);
    expect(JSON.parse(text.slice(first.length))).toMatchObject({ log: 'second\n' });
  });

  it('begins anew in a log without a single whole record', async () => {
    const made = container('echo second');
    writeFileSync(made.log, '\0'.repeat(5_000));
    made.create();
    await made.request({ op: 'start' });
    await until(() => existsSync(join(made.state, 'exit.json')));
    expect(JSON.parse(readFileSync(made.log, 'utf8'))).toMatchObject({ log: 'second\n' });
  });

  it('counts what it could not write on a full disk, and says so when it can', async () => {
    const made = container('');
    const disk = join(made.folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    try {
      const full = container('i=0; while read line; do i=$((i+1)); seq 1 $line; done', {
        stdin: true,
        shim: ['--log-file', join(disk, 'log')],
      });
      expect(full.create()).toEqual({ status: 0, stderr: '' });
      const client = await full.attach({ stdin: true, stdout: true });
      await full.request({ op: 'start' });
      client.send(FRAME.stdin, '20000\n');
      let seen = '';
      while (!seen.endsWith('\n20000\n')) seen += (await client.next())?.payload.toString();
      const whole = readFileSync(join(disk, 'log'), 'utf8');
      expect(whole.endsWith('}\n')).toBe(true);
      execFileSync('mount', ['-o', 'remount,size=16m', disk]);
      client.send(FRAME.stdin, '3\n');
      client.send(FRAME.stdinClosed);
      await client.collect();
      const records = readFileSync(join(disk, 'log'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { log: string });
      expect(records.at(-1)?.log).toBe('3\n');
      const notices = records.filter((item) => item.log.startsWith('tswarm-shim: '));
      expect(notices.length).toBeGreaterThan(0);
      let lost = 0;
      for (const { log } of notices) lost += Number(/(\d+) log records/.exec(log)?.[1]);
      expect(lost + records.length - notices.length).toBe(20_000 + 3);
    } finally {
      for (const made of containers.splice(1)) await made.remove();
      execFileSync('umount', [disk]);
    }
  });
});
