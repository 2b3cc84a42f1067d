// tswarm-shim: clients of a container, with and without a terminal.
// Method: the real shim and the real runtime as root, over a bundle that binds the host's /usr.

import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FRAME } from './shim-client.ts';
import { container, started, until } from './shim-fixture.ts';

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
