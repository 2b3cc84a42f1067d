// tswarm-shim: further processes in a container.
// Method: the real shim and the real runtime as root, over a bundle that binds the host's /usr.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { IS_SANITIZED, PATIENCE } from './programs.ts';
import { type Client, FRAME } from './shim-client.ts';
import { container, residentKb, started, until } from './shim-fixture.ts';

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
    // On a slow machine the terminal echoes what is typed before the program has written anything.
    expect(out).toMatch(/^\/dev\/pts\/\d+\r\n/m);
    expect(out).toContain('20 70\r\n');
    expect(code).toBe(6);
  });

  it('is not held up by a background child that keeps the output open', async () => {
    const made = await started('exec sleep 1000');
    const begin = Date.now();
    const [, client] = await made.exec(['sh', '-c', 'sleep 1000 & echo hi']);
    expect(await finish(client)).toEqual({ out: 'hi\n', err: '', code: 0 });
    expect(Date.now() - begin).toBeLessThan(2600 * PATIENCE);
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
