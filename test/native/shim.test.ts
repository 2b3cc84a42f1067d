// tswarm-shim: life of a container under its keeper. Method: the real shim and the real runtime as
// root, over a bundle that binds the host's /usr; every container is removed after its test.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { IS_SANITIZED, program } from './programs.ts';
import { type BundleOptions, Client, Container, FRAME, RUNTIME } from './shim-client.ts';

const containers: Container[] = [];

function container(command: string | readonly string[], options: BundleOptions = {}): Container {
  const args = typeof command === 'string' ? ['sh', '-c', command] : command;
  const made = new Container(args, options);
  containers.push(made);
  return made;
}

async function started(
  command: string | readonly string[],
  options: BundleOptions = {},
): Promise<Container> {
  const made = container(command, options);
  expect(made.create()).toEqual({ status: 0, stderr: '' });
  expect(await made.request({ op: 'start' })).toEqual({ ok: true });
  return made;
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await check()) return;
    await sleep(20);
  }
  throw new Error('did not happen in 10 s');
}

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

beforeAll(() => {
  expect(process.getuid?.(), 'these tests need root').toBe(0);
});

afterEach(async () => {
  for (const made of containers.splice(0)) await made.remove();
  spawnSync('find', [
    '/sys/fs/cgroup',
    '-depth',
    '-type',
    'd',
    '-name',
    'tswarm-shim-test',
    '-exec',
    'rmdir',
    '{}',
    ';',
  ]);
});

describe('life of a container', () => {
  it('goes from created over running to stopped, and leaves its files', async () => {
    const made = container('exec sleep 1000');
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    const created = await made.request({ op: 'state' });
    expect(created).toMatchObject({
      ok: true,
      status: 'created',
      startedAt: null,
      exit: null,
      execs: 0,
    });
    for (const name of ['shim.pid', 'container.pid']) {
      const [pid, start] = readFileSync(join(made.state, name), 'utf8').trim().split(' ');
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]).toBe(start);
    }
    expect(Number(readFileSync(join(made.state, 'container.pid'), 'utf8').split(' ')[0])).toBe(
      created.pid,
    );
    expect(statSync(made.state).mode & 0o777).toBe(0o700);
    expect(statSync(join(made.state, 'shim.sock')).mode & 0o777).toBe(0o600);
    expect(await made.request({ op: 'start' })).toEqual({ ok: true });
    const running = await made.request({ op: 'state' });
    expect(running).toMatchObject({ status: 'running' });
    expect(Math.abs(Date.parse(running.startedAt ?? '') - Date.now())).toBeLessThan(10_000);
    expect(await made.request({ op: 'start' })).toMatchObject({ ok: false, code: 'bad_state' });
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 9 })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137, signal: 9, oomKilled: false });
    expect(made.exitFile()).toEqual(await end);
    expect(await made.request({ op: 'state' })).toMatchObject({
      status: 'stopped',
      exit: await end,
      pid: 0,
    });
    expect(await made.request({ op: 'kill', signal: 9 })).toMatchObject({
      ok: false,
      code: 'bad_state',
    });
    const shim = made.shimPid();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    await until(() => !existsSync(join(made.state, 'shim.sock')));
    await until(
      () =>
        !existsSync(`/proc/${shim}/exe`) ||
        spawnSync('readlink', [`/proc/${shim}/exe`]).status !== 0,
    );
    expect(readdirSync(made.state).filter((name) => name.endsWith('.sock'))).toEqual([]);
    expect(existsSync(join(made.state, 'exit.json'))).toBe(true);
    const state = spawnSync(RUNTIME, ['--root', join(made.folder, 'runtime'), 'state', made.id]);
    expect(state.status).not.toBe(0);
  });

  it('tells exit codes and signals as shells do', async () => {
    for (const [command, exitCode, signal] of [
      ['exit 0', 0, 0],
      ['exit 3', 3, 0],
      ['exit 255', 255, 0],
    ] as const) {
      const made = container(command);
      made.create();
      const end = made.wait();
      await made.request({ op: 'start' });
      expect(await end).toMatchObject({ exitCode, signal, oomKilled: false });
      const { startedAt = null, finishedAt = '' } = made.exitFile();
      expect(startedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      expect((startedAt ?? '') < finishedAt).toBe(true);
    }
  });

  it('forwards any signal to the first process', async () => {
    const made = await started('trap "exit 42" USR1; echo ready; while :; do sleep 0.05; done');
    await until(() => made.logged('stdout') === 'ready\n');
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 10, all: false })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 42 });
    expect(await made.request({ op: 'kill', signal: 99 })).toMatchObject({
      ok: false,
      code: 'invalid',
    });
  });

  it('kills all processes with all', async () => {
    const made = await started('sleep 1000 & sleep 1000 & wait');
    await until(async () => (await made.request({ op: 'state' })).status === 'running');
    const end = made.wait();
    expect(await made.request({ op: 'kill', signal: 9, all: true })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137 });
  });

  it('records the end of a container that was never started', async () => {
    const made = container('true');
    made.create();
    const end = made.wait();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    expect(await end).toMatchObject({ startedAt: null, exitCode: 137 });
    expect(made.exitFile()).toMatchObject({ startedAt: null });
  });

  it('deletes a running container and tells its end to those who wait', async () => {
    const made = await started('exec sleep 1000');
    const end = made.wait();
    expect(await made.request({ op: 'delete' })).toEqual({ ok: true });
    expect(await end).toMatchObject({ exitCode: 137, signal: 9 });
    expect(made.exitFile()).toEqual(await end);
  });

  it('answers a wait that comes late at once', async () => {
    const made = await started('exit 5');
    await until(() => existsSync(join(made.state, 'exit.json')));
    expect(await made.wait()).toMatchObject({ exitCode: 5 });
    const late = await made.attach({ stdout: true });
    expect((await late.collect()).ended).toMatchObject({ exitCode: 5 });
  });

  it('says that the kernel killed it for memory', async () => {
    const made = container(['perl', '-e', '$x = "x" x 300_000_000; exit 1'], {
      memoryBytes: 24 << 20,
    });
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    await made.request({ op: 'start' });
    expect(await made.wait()).toMatchObject({ oomKilled: true, exitCode: 137, signal: 9 });
    expect(made.exitFile()).toMatchObject({ oomKilled: true });
  });
});

describe('failing to create', () => {
  const failure = (made: Container): { status: number | null; code: string } => {
    const { status, stderr } = made.create();
    return { status, code: (JSON.parse(stderr) as { code: string }).code };
  };

  it('tells a missing program from one that cannot be run, and leaves nothing', async () => {
    const missing = container(['nope']);
    expect(failure(missing)).toEqual({ status: 1, code: 'not_found' });
    expect(existsSync(missing.state)).toBe(false);
    const folder = container(['/etc']);
    expect(failure(folder)).toEqual({ status: 1, code: 'not_executable' });
    const tty = container(['nope'], { tty: true });
    expect(failure(tty)).toEqual({ status: 1, code: 'not_found' });
    expect(existsSync(tty.state)).toBe(false);
  });

  it('says when the runtime cannot be run, or the bundle is broken', () => {
    const made = container('true');
    const { status, stderr } = made.create('/nonexistent/runtime');
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      op: 'execve',
      errno: 2,
      path: '/nonexistent/runtime',
    });
    writeFileSync(join(made.folder, 'config.json'), '{');
    mkdirSync(made.state);
    expect(made.create().status).toBe(1);
    expect(readdirSync(made.state)).toEqual([]);
  });

  it('passes on what runc says', () => {
    const runc = '/usr/sbin/runc';
    if (!existsSync(runc)) return;
    const { status, stderr } = container(['nope']).create(runc);
    expect(status).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ code: 'not_found' });
  });

  it('refuses a second shim for the same state folder, and takes over from a killed one', async () => {
    const made = await started('exec sleep 1000');
    const again = made.create();
    expect(again.status).toBe(1);
    expect(JSON.parse(again.stderr)).toMatchObject({ code: 'already_exists' });
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
    process.kill(made.shimPid(), 'SIGKILL');
    await until(
      () =>
        spawnSync(RUNTIME, ['--root', join(made.folder, 'runtime'), 'delete', '--force', made.id])
          .status === 0,
    );
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'created' });
  });

  it('refuses a bad command line', () => {
    const shim = program('tswarm-shim');
    for (const args of [[], ['--id', 'x'], ['--nonsense'], ['--id', 'x', '--bundle', 'relative']]) {
      const run = spawnSync(shim, args);
      expect(run.status).toBe(2);
      expect(JSON.parse(run.stderr.toString())).toMatchObject({ code: 'bad_request' });
    }
  });

  it('works in a state folder whose path is too long for a socket address', async () => {
    const made = container('echo hi; exit 6', {});
    const long = join(made.folder, 'x'.repeat(120), 'y'.repeat(60));
    mkdirSync(long, { recursive: true });
    const deep = container('echo hi; exit 6', { state: join(long, 'state'), tty: true });
    expect(deep.create()).toEqual({ status: 0, stderr: '' });
    execFileSync('ln', ['-s', join(long, 'state'), join(made.folder, 's')]);
    const client = new Client(join(made.folder, 's/shim.sock'));
    expect(await client.request({ op: 'start' })).toEqual({ ok: true });
    await until(() => existsSync(join(long, 'state/exit.json')));
    expect(deep.exitFile()).toMatchObject({ exitCode: 6 });
    const last = new Client(join(made.folder, 's/shim.sock'));
    expect(await last.request({ op: 'delete' })).toEqual({ ok: true });
  });
});

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

  it('appends for the next run, after a torn line of a killed writer', async () => {
    const made = container('echo second');
    writeFileSync(
      made.log,
      '{"log":"first\\n","stream":"stdout","time":"2020-01-01T00:00:00.000000000Z"}\n{"log":"to',
    );
    made.create();
    await made.request({ op: 'start' });
    await until(() => existsSync(join(made.state, 'exit.json')));
    const lines = readFileSync(made.log, 'utf8').split('\n');
    expect(lines).toHaveLength(4);
    expect(JSON.parse(lines[2] ?? '')).toMatchObject({ log: 'second\n' });
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

describe('a full disk under the state folder', () => {
  it('does not lose the exit status', async () => {
    const disk = '/run/tswarm-shim-test-disk';
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const made = container('sleep 0.3; exit 21', { state: join(disk, 'state') });
      expect(made.create()).toEqual({ status: 0, stderr: '' });
      const end = made.wait();
      await made.request({ op: 'start' });
      spawnSync('sh', ['-c', `cat /dev/zero > ${disk}/fill`]);
      expect(await end).toMatchObject({ exitCode: 21 });
      expect(existsSync(join(made.state, 'exit.json'))).toBe(false);
      execFileSync('rm', [join(disk, 'fill')]);
      await until(() => existsSync(join(made.state, 'exit.json')));
      expect(made.exitFile()).toEqual(await end);
    } finally {
      for (const made of containers.splice(0)) await made.remove();
      execFileSync('umount', ['-l', disk]);
      execFileSync('rmdir', [disk]);
    }
  });
});

describe('attach', () => {
  it('gives both streams to several clients, and only what they want', async () => {
    const made = container('echo out; echo err >&2; exit 4');
    made.create();
    const both = await made.attach({ stdout: true, stderr: true });
    const only = await made.attach({ stderr: true });
    const none = await made.attach({});
    await made.request({ op: 'start' });
    const seen = await both.collect();
    expect(seen.out.toString()).toBe('out\n');
    expect(seen.err.toString()).toBe('err\n');
    expect(seen.ended).toMatchObject({ exitCode: 4 });
    expect((await only.collect()).out.length).toBe(0);
    expect((await none.collect()).ended).toMatchObject({ exitCode: 4 });
  });

  it('carries input of any size, and its end', async () => {
    const made = container('sha256sum', { stdin: true });
    made.create();
    const client = await made.attach({ stdin: true, stdout: true });
    await made.request({ op: 'start' });
    const data = Buffer.alloc(5 << 20, 'tswarm');
    for (let i = 0; i < data.length; i += 300_000)
      client.send(FRAME.stdin, data.subarray(i, i + 300_000));
    client.send(FRAME.stdinClosed);
    const { createHash } = await import('node:crypto');
    const { out } = await client.collect();
    expect(out.toString()).toContain(createHash('sha256').update(data).digest('hex'));
  });

  it('keeps input open when a client goes, and loses nothing that it sent', async () => {
    const made = container('cat', { stdin: true });
    made.create();
    const watcher = await made.attach({ stdout: true });
    const first = await made.attach({ stdin: true });
    first.send(FRAME.stdin, 'one\n');
    first.socket.end();
    await made.request({ op: 'start' });
    await until(() => made.logged('stdout') === 'one\n');
    const second = await made.attach({ stdin: true });
    second.send(FRAME.stdin, 'two\n');
    second.send(FRAME.stdinClosed);
    expect((await watcher.collect()).out.toString()).toBe('one\ntwo\n');
  });

  it('has no input without --stdin', async () => {
    const made = await started('cat; echo end');
    const client = await made.attach({ stdin: true, stdout: true });
    client.send(FRAME.stdin, 'ignored');
    expect(await made.wait()).toMatchObject({ exitCode: 0 });
    expect(made.logged('stdout')).toBe('end\n');
  });

  it('cuts off a client that does not read, and the container never waits', async () => {
    const made = container(
      'i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero; i=$((i+1)); done; exit 9',
    );
    made.create();
    const slow = await made.attach({ stdout: true });
    slow.socket.pause();
    const idle = await made.attach({});
    await made.request({ op: 'start' });
    expect((await idle.collect()).ended).toMatchObject({ exitCode: 9 });
    slow.socket.resume();
    const { out, ended } = await slow.collect();
    expect(ended).toBeNull();
    expect(out.length).toBeLessThan(8 << 20);
  });

  it('cuts off a client that takes nothing for 5 s though it is not far behind', async () => {
    const made = await started('head -c 600000 /dev/zero; exec sleep 1000');
    const slow = container('head -c 600000 /dev/zero; exec sleep 1000');
    slow.create();
    const client = await slow.attach({ stdout: true });
    client.socket.pause();
    await slow.request({ op: 'start' });
    await sleep(6500);
    client.socket.resume();
    expect((await client.collect()).ended).toBeNull();
    expect(await slow.request({ op: 'state' })).toMatchObject({ status: 'running' });
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
  });

  it('drops what breaks the protocol and goes on', async () => {
    const made = await started('exec sleep 1000');
    const shim = made.shimPid();
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0x51, 0, 0, 0, 255, 255, 255, 255]),
      Buffer.from([0x51, 0, 0]),
      Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]),
    ]) {
      const client = made.client();
      client.socket.end(bytes);
      expect(await client.next()).toBeNull();
    }
    for (const text of [
      '',
      '{',
      '[]',
      '{"op":5}',
      '{"op":"nonsense"}',
      '{"op":"exec"}',
      '{"op":"kill","signal":"x"}',
    ]) {
      const client = made.client();
      client.send(FRAME.request, text);
      const reply = await client.next();
      expect(JSON.parse(reply?.payload.toString() ?? '')).toMatchObject({ ok: false });
      expect(await client.next()).toBeNull();
    }
    expect(made.shimPid()).toBe(shim);
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
  });

  it('refuses peers that are not root', async () => {
    const made = await started('exec sleep 1000');
    execFileSync('chmod', ['a+rwx', made.folder, made.state, join(made.state, 'shim.sock')]);
    const script = `use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; $s = IO::Socket::UNIX->new("${made.state}/shim.sock") or exit 7;
      print $s pack("CCSL", 0x51, 0, 0, 14), '{"op":"state"}'; $s->flush; $n = sysread $s, $b, 9; exit($n ? 8 : 9)`;
    const run = spawnSync('setpriv', [
      '--reuid',
      '65534',
      '--regid',
      '65534',
      '--clear-groups',
      'perl',
      '-e',
      script,
    ]);
    expect(run.status).toBe(9);
  });
});

describe('terminal', () => {
  it('carries both ways, resizes, and is one stream', async () => {
    const made = container(
      'stty -echo; read line; echo "got $line"; stty size; echo err >&2; exit 8',
      {
        tty: true,
        stdin: true,
      },
    );
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    const client = await made.attach({ stdin: true, stdout: true, stderr: true });
    await made.request({ op: 'start' });
    expect(await made.request({ op: 'resize', width: 90, height: 33 })).toEqual({ ok: true });
    client.send(FRAME.resize, JSON.stringify({ width: 101, height: 44 }));
    await sleep(200);
    client.send(FRAME.stdin, 'hello\n');
    const { out, err, ended } = await client.collect();
    expect(out.toString()).toMatch(/got hello\r\n44 101\r\nerr\r\n$/);
    expect(err.length).toBe(0);
    expect(ended).toMatchObject({ exitCode: 8 });
    expect(made.logged('stdout')).toContain('44 101\r\n');
    expect(readdirSync(made.state)).not.toContain('console.sock');
  });

  it('survives a program that closes the terminal and opens it again', async () => {
    const made = container(
      'echo one; exec 3<&0 0<&- 1>&- 2>&-; exec 3<&-; sleep 0.3; exec >/dev/console 2>&1; echo two; sleep 0.3; echo three; exit 2',
      { tty: true },
    );
    expect(made.create()).toEqual({ status: 0, stderr: '' });
    const end = made.wait();
    await made.request({ op: 'start' });
    expect(await end).toMatchObject({ exitCode: 2 });
    expect(made.logged('stdout')).toBe('one\r\ntwo\r\nthree\r\n');
  });

  it('keeps all output of a program that ends at once', async () => {
    const made = container('seq 1 20000', { tty: true });
    made.create();
    const client = await made.attach({ stdout: true });
    await made.request({ op: 'start' });
    const { out } = await client.collect();
    const expected = Array.from({ length: 20_000 }, (_, i) => `${i + 1}\r\n`).join('');
    expect(out.toString() === expected).toBe(true);
    expect(made.logged('stdout') === expected).toBe(true);
  });

  it('refuses to resize what has none', async () => {
    const made = await started('exec sleep 1000');
    expect(await made.request({ op: 'resize', width: 80, height: 25 })).toMatchObject({
      code: 'bad_state',
    });
  });
});

describe('exec', () => {
  const finish = async (
    client: Client,
  ): Promise<{ out: string; err: string; code: number | undefined }> => {
    const { out, err, ended } = await client.collect();
    return { out: out.toString(), err: err.toString(), code: ended?.exitCode };
  };

  it('runs a process with streams of its own', async () => {
    const made = await started('exec sleep 1000');
    const [reply, client] = await made.exec(['sh', '-c', 'cat; echo err >&2; exit 3'], {
      stdin: true,
    });
    expect(reply).toMatchObject({ ok: true });
    expect(reply.pid).toBeGreaterThan(1);
    client.send(FRAME.stdin, 'in');
    client.send(FRAME.stdinClosed);
    expect(await finish(client)).toEqual({ out: 'in', err: 'err\n', code: 3 });
    expect(readFileSync(made.log, 'utf8')).toBe('');
    expect(readdirSync(made.state).filter((name) => name.startsWith('exec'))).toEqual([]);
  });

  it('takes input that comes before the answer', async () => {
    const made = await started('exec sleep 1000');
    const client = made.client();
    const process = { user: { uid: 0, gid: 0 }, args: ['cat'], env: ['PATH=/bin'], cwd: '/' };
    client.send(FRAME.request, JSON.stringify({ op: 'exec', stdin: true, process }));
    client.send(FRAME.stdin, 'early');
    client.send(FRAME.stdinClosed);
    await client.next();
    expect(await finish(client)).toEqual({ out: 'early', err: '', code: 0 });
  });

  it('says why a program cannot be run', async () => {
    const made = await started('exec sleep 1000');
    expect((await made.exec(['nope']))[0]).toMatchObject({ ok: false, code: 'not_found' });
    expect((await made.exec(['/etc']))[0]).toMatchObject({ ok: false, code: 'not_executable' });
    expect((await made.exec(['nope'], {}, { terminal: true }))[0]).toMatchObject({
      code: 'not_found',
    });
    expect(await made.request({ op: 'state' })).toMatchObject({ execs: 0 });
    const idle = container('true');
    idle.create();
    expect((await idle.exec(['true']))[0]).toMatchObject({ ok: false, code: 'bad_state' });
  });

  it('gives a terminal when asked', async () => {
    const made = await started('exec sleep 1000');
    const [reply, client] = await made.exec(
      ['sh', '-c', 'tty; read x; stty size; exit 6'],
      { stdin: true },
      { terminal: true },
    );
    expect(reply.ok).toBe(true);
    client.send(FRAME.resize, '{"width":70,"height":20}');
    await sleep(100);
    client.send(FRAME.stdin, 'x\n');
    const { out, code } = await finish(client);
    expect(out).toMatch(/^\/dev\/pts\/\d+\r\n/);
    expect(out).toContain('20 70\r\n');
    expect(code).toBe(6);
  });

  it('is not held up by a background child that keeps the output open', async () => {
    const made = await started('exec sleep 1000');
    const begin = Date.now();
    const [, client] = await made.exec(['sh', '-c', 'sleep 1000 & echo hi']);
    expect(await finish(client)).toEqual({ out: 'hi\n', err: '', code: 0 });
    expect(Date.now() - begin).toBeLessThan(2600);
  });

  it('waits for a client that reads slowly, and loses nothing', async () => {
    const made = await started('exec sleep 1000');
    const [, client] = await made.exec(['head', '-c', '20000000', '/dev/zero']);
    client.socket.pause();
    await sleep(7000);
    expect(await made.request({ op: 'state' })).toMatchObject({ execs: 1 });
    expect(residentKb(made.shimPid())).toBeLessThan(IS_SANITIZED ? 20_000 : 2500);
    client.socket.resume();
    const { out, ended } = await client.collect();
    expect(out.length).toBe(20_000_000);
    expect(ended).toEqual({ exitCode: 0, signal: 0 });
  });

  it('goes on without its client, with its input closed', async () => {
    const made = await started('exec sleep 1000');
    const [reply, client] = await made.exec(
      ['sh', '-c', 'cat >/dev/null; yes | head -c 1000000; touch /tmp/done'],
      { stdin: true },
    );
    expect(reply.ok).toBe(true);
    client.close();
    await until(() => existsSync(join(made.folder, 'rootfs/tmp/done')));
    await until(async () => (await made.request({ op: 'state' })).execs === 0);
  });

  it('runs detached, also when nobody waits', async () => {
    const made = await started('exec sleep 1000');
    const [reply, client] = await made.exec(
      ['sh', '-c', 'echo dropped; sleep 0.2; touch /tmp/done; exit 7'],
      { detach: true },
    );
    expect(reply).toMatchObject({ ok: true });
    expect(await finish(client)).toEqual({ out: '', err: '', code: 7 });
    const [, gone] = await made.exec(['sh', '-c', 'sleep 0.2; touch /tmp/again'], { detach: true });
    gone.close();
    await until(() => existsSync(join(made.folder, 'rootfs/tmp/again')));
  });

  it('gets the status of processes that end before the runtime does, many at once', async () => {
    const made = await started('exec sleep 1000');
    const codes = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const [reply, client] = await made.exec(['sh', '-c', `exit ${i}`]);
        expect(reply).toMatchObject({ ok: true });
        return (await finish(client)).code;
      }),
    );
    expect(codes).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(await made.request({ op: 'state' })).toMatchObject({ execs: 0 });
  });

  it('refuses more than it can keep', async () => {
    const made = await started('exec sleep 1000');
    const all = await Promise.all(Array.from({ length: 52 }, () => made.exec(['sleep', '1000'])));
    const replies = all.map(([reply]) => reply);
    expect(replies.filter((reply) => reply.ok)).toHaveLength(48);
    expect(replies.filter((reply) => reply.code === 'busy')).toHaveLength(4);
    for (const [, client] of all) client.close();
  });

  it('ends with the container', async () => {
    const made = await started('exec sleep 1000');
    const [, client] = await made.exec(['sleep', '1000']);
    await made.request({ op: 'kill', signal: 9 });
    expect((await finish(client)).code).toBe(137);
    expect(await made.wait()).toMatchObject({ exitCode: 137 });
  });
});

describe('the shim itself', () => {
  it('is small, also after much output, and uses no time when idle', async () => {
    const made = await started('seq 1 300000; exec sleep 1000');
    const client = await made.attach({ stdout: true });
    await until(() => made.records().at(-1)?.log === '300000\n');
    client.close();
    await sleep(1500);
    const pid = made.shimPid();
    expect(residentKb(pid)).toBeLessThan(IS_SANITIZED ? 20_000 : 1100);
    const ticks = (): number => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    const switches = (): string | undefined =>
      /voluntary_ctxt_switches:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const before = [ticks(), switches()];
    await sleep(1500);
    expect([ticks(), switches()]).toEqual(before);
  });

  it('survives signals that service managers send, and leaves no descriptor to the container', async () => {
    const made = await started('ls /proc/self/fd | wc -l; exec sleep 1000');
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGPIPE'] as const)
      process.kill(made.shimPid(), signal);
    await until(() => made.logged('stdout') === '4\n');
    expect(await made.request({ op: 'state' })).toMatchObject({ status: 'running' });
    const stat = readFileSync(`/proc/${made.shimPid()}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]).toBe(String(made.shimPid()));
  });

  it('bounds the wait for output that a stray child holds', async () => {
    const made = await started('setsid sleep 4 & echo hi; exit 3', { sharePids: true });
    const begin = Date.now();
    expect(await made.wait()).toMatchObject({ exitCode: 3 });
    expect(Date.now() - begin).toBeLessThan(2600);
    expect(made.logged('stdout')).toBe('hi\n');
  });
});
