// Goal: containers of one node as the Engine API offers them, each setting seen on the process or the kernel object that it is about. Method: a real worker
// with real images, network, shim and runtime; busybox as the program. Needs root.
// Longer than 500 lines because one real worker serves all of its tests.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTar } from '#worker/images/tar/reader';
import { streamOf, tarOf } from '../support/image-tar.ts';
import { eventually, textOf, WorkerNode } from '../support/worker-node.ts';

async function namesOf(tar: AsyncIterable<Uint8Array>): Promise<string[]> {
  const names: string[] = [];
  for await (const { header } of readTar(tar)) names.push(header.name);
  return names;
}

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a node’s containers', () => {
  const node = new WorkerNode();
  const { folder } = node;

  beforeAll(async () => {
    await node.start();
    await node.addImage();
  });
  afterAll(() => node.destroy());

  it('run to their end: output, exit code, state', async () => {
    const { code, out } = await node.sh('echo out; echo err >&2; exit 7');
    expect([code, out]).toEqual([7, 'out\nerr\n']);
  });

  it('keep exit code, times and log until they are removed', async () => {
    const id = await node.run({
      Cmd: ['sh', '-c', 'echo hi; exit 3'],
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.state(id)).Status === 'exited');
    const state = await node.state(id);
    expect(state).toMatchObject({ ExitCode: 3, Pid: 0, OOMKilled: false, Error: '' });
    expect(Date.parse(String(state.FinishedAt))).toBeGreaterThanOrEqual(
      Date.parse(String(state.StartedAt)),
    );
    expect(await node.logs(id)).toBe('hi\n');
    const [entry] = await node.engine.containers.list({
      all: true,
      limit: 0,
      size: false,
      filters: { id: [id] },
    });
    expect(entry?.Status).toMatch(/^Exited \(3\) /);
    await node.engine.containers.remove(id, { force: false, volumes: false });
    await expect(node.engine.containers.inspect(id, { size: false })).rejects.toThrow(
      `No such container: ${id}`,
    );
    expect(existsSync(join(folder, 'data/containers', id))).toBe(false);
    expect(existsSync(join(folder, 'run/c', id))).toBe(false);
  });

  it('say 127 and 126 for programs that cannot be run, and leave nothing', async () => {
    const { containers } = node.engine;
    for (const [program, code, text] of [
      ['nosuch', 127, 'executable file not found in $PATH'],
      ['/bin/nosuch', 127, 'no such file or directory'],
      ['/etc/passwd', 126, 'permission denied'],
    ] as const) {
      const { Id } = await containers.create(
        { Image: 'bb:1', Cmd: [program], HostConfig: { NetworkMode: 'none' } },
        { name: '', platform: '' },
      );
      const id = String(Id);
      await expect(containers.start(id)).rejects.toThrow(text);
      expect((await node.state(id)).ExitCode).toBe(code);
      expect(existsSync(join(folder, 'run/c', id))).toBe(false);
      await containers.remove(id, { force: false, volumes: false });
    }
  });

  it('have user, groups, environment, directory, hostname as asked', async () => {
    const { out } = await node.sh(
      'id -u; id -g; id -G; pwd; hostname; echo $A $FROM_IMAGE $HOME $HOSTNAME',
      { GroupAdd: ['77'] },
      { User: 'web', Env: ['A=1'], WorkingDir: '/new/dir', Hostname: 'box' },
    );
    const [uid, gid, groups, cwd, hostname, env] = out.split('\n');
    expect([uid, gid, cwd, hostname, env]).toEqual([
      '101',
      '102',
      '/new/dir',
      'box',
      '1 1 /data box',
    ]);
    expect(groups?.split(' ').sort()).toEqual(['102', '4', '77'].sort());
  });

  it('have Docker’s capabilities, filter and no_new_privs', async () => {
    const status = (hostConfig = {}) =>
      node.sh(
        'grep -E "^(CapEff|CapInh|CapAmb|Seccomp|NoNewPrivs):" /proc/self/status',
        hostConfig,
      );
    const usual = (await status()).out;
    expect(usual).toMatch(/CapInh:\t0+\n/);
    expect(usual).toMatch(/CapEff:\t00000000a80425fb\n/);
    expect(usual).toMatch(/CapAmb:\t0+\n/);
    expect(usual).toMatch(/NoNewPrivs:\t0\n/);
    expect(usual).toMatch(/Seccomp:\t2\n/);
    const other = (
      await status({
        CapDrop: ['ALL'],
        CapAdd: ['KILL'],
        SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
      })
    ).out;
    expect(other).toMatch(/CapEff:\t0000000000000020\n/);
    expect(other).toMatch(/NoNewPrivs:\t1\n/);
    expect(other).toMatch(/Seccomp:\t0\n/);
  });

  it('see masked and read-only system paths, unless privileged', async () => {
    const script =
      'cat /proc/kcore | wc -c; echo 1 > /proc/sys/vm/drop_caches && echo wrote || echo refused';
    const plain = await node.sh(script);
    expect(plain.out).toContain('0\n');
    expect(plain.out).toContain('refused');
    const privileged = await node.sh('ls /dev | wc -l; test -w /sys/kernel && echo writable', {
      Privileged: true,
    });
    expect(privileged.out).toContain('writable');
  });

  it('are limited in memory, cpu and processes', async () => {
    const read = (path: string): string => readFileSync(path, 'utf8').trim();
    const id = await node.run({
      Cmd: ['sleep', '100'],
      StopSignal: 'KILL',
      HostConfig: {
        NetworkMode: 'none',
        Memory: 32 * 1024 * 1024,
        NanoCpus: 500_000_000,
        PidsLimit: 20,
        CpuShares: 512,
      },
    });
    const tag = read(join(folder, 'data/node-tag'));
    const v1 = (controller: string, file: string): string =>
      `/sys/fs/cgroup/${controller}/tswarm-${tag}/${id}/${file}`;
    if (existsSync(v1('memory', 'memory.limit_in_bytes'))) {
      expect(read(v1('memory', 'memory.limit_in_bytes'))).toBe(String(32 * 1024 * 1024));
      expect(read(v1('cpu', 'cpu.cfs_quota_us'))).toBe('50000');
      expect(read(v1('cpu', 'cpu.shares'))).toBe('512');
      expect(read(v1('pids', 'pids.max'))).toBe('20');
    } else {
      const v2 = (file: string): string => read(`/sys/fs/cgroup/tswarm-${tag}/${id}/${file}`);
      expect(v2('memory.max')).toBe(String(32 * 1024 * 1024));
      expect(v2('cpu.max')).toBe('50000 100000');
      expect(v2('pids.max')).toBe('20');
    }
    await node.engine.containers.update(id, {
      Memory: 48 * 1024 * 1024,
      MemorySwap: 96 * 1024 * 1024,
    });
    if (existsSync(v1('memory', 'memory.limit_in_bytes'))) {
      expect(read(v1('memory', 'memory.limit_in_bytes'))).toBe(String(48 * 1024 * 1024));
    }
    await node.engine.containers.remove(id, { force: true, volumes: true });
    expect(existsSync(v1('memory', ''))).toBe(false);
  });

  it('are reported when memory runs out, and the policy counts', async () => {
    const sinceMicros = Date.now() * 1000;
    const id = await node.run({
      Cmd: ['sh', '-c', 'x=a; while true; do x=$x$x; done'],
      HostConfig: {
        NetworkMode: 'none',
        Memory: 8 * 1024 * 1024,
        MemorySwap: 8 * 1024 * 1024,
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 },
      },
    });
    await eventually(async () => (await node.state(id)).Status === 'exited', 20_000);
    expect(await node.state(id)).toMatchObject({ ExitCode: 137, OOMKilled: true });
    const { RestartCount } = await node.engine.containers.inspect(id, { size: false });
    expect(RestartCount).toBe(1);
    const filters = { container: [id], event: ['oom', 'die'] };
    const seen = async (): Promise<unknown[]> => {
      const options = { sinceMicros, untilMicros: Date.now() * 1000, filters };
      const events = node.engine.events(options, new AbortController().signal);
      const actions: unknown[] = [];
      for await (const event of events) actions.push(event.Action);
      return actions;
    };
    // The last one comes a moment after the state.
    await eventually(async () => (await seen()).length >= 4, 10_000);
    expect(await seen()).toEqual(['oom', 'die', 'oom', 'die']);
    await node.engine.containers.remove(id, { force: true, volumes: true });
  });

  it('get binds, volumes with the image’s content, tmpfs, read-only roots', async () => {
    const source = join(folder, 'src');
    mkdirSync(source);
    writeFileSync(join(source, 'f'), 'from host\n');
    const { out, code } = await node.sh(
      'cat /b/f /data/from-image; echo x > /data/new; echo y > /t/f && cat /t/f; mount | grep " /t " ; echo z > /b/g || echo ro; touch /x || echo rootro',
      {
        Binds: [`${source}:/b:ro`, 'vol1:/data'],
        Tmpfs: { '/t': 'size=1m' },
        ReadonlyRootfs: true,
      },
    );
    expect(code).toBe(0);
    expect(out).toContain('from host\nimage content\ny\n');
    expect(out).toContain('size=1024k');
    expect(out).toContain('ro\n');
    expect(out).toContain('rootro\n');
    const again = await node.sh('ls /data', { Binds: ['vol1:/data'] });
    expect(again.out).toBe('from-image\nnew\n');
    await node.engine.volumes.remove('vol1', false);
  });

  it('refuse a bind whose source is not there, and make it for -v', async () => {
    const missing = join(folder, 'not-there');
    const mounts = [{ Type: 'bind', Source: missing, Target: '/x' }];
    await expect(node.sh('true', { Mounts: mounts })).rejects.toThrow(
      `bind source path does not exist: ${missing}`,
    );
    await node.sh('true', { Binds: [`${missing}:/x`] });
    // A client would take "not found" for the image, and pull it.
    await expect(node.sh('true', { VolumesFrom: ['nobody'] })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'No such container: nobody',
    });
    expect(existsSync(missing)).toBe(true);
  });

  it('have ulimits, sysctls, shm size, init, extra hosts', async () => {
    const { out } = await node.sh(
      'ulimit -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; df -k /dev/shm | tail -1 | awk "{print \\$2}"; cat /proc/1/comm; grep db /etc/hosts',
      {
        Ulimits: [{ Name: 'nofile', Soft: 123, Hard: 456 }],
        Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '99' },
        ShmSize: 2 * 1024 * 1024,
        Init: true,
        ExtraHosts: ['db:10.9.9.9'],
      },
    );
    expect(out.split('\n').slice(0, 5)).toEqual([
      '123',
      '99',
      '2048',
      'docker-init',
      '10.9.9.9\tdb',
    ]);
  });

  it('stop by signal, then by KILL after the grace time', async () => {
    const polite = await node.run({
      Cmd: ['sh', '-c', 'trap "exit 5" USR1; echo ready; while true; do sleep 0.05; done'],
      StopSignal: 'SIGUSR1',
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.logs(polite)) === 'ready\n');
    await node.engine.containers.stop(polite, { signal: '' });
    expect((await node.state(polite)).ExitCode).toBe(5);
    await expect(node.engine.containers.stop(polite, { signal: '' })).rejects.toMatchObject({
      code: 'not_modified',
    });
    const stubborn = await node.run({
      Cmd: ['sh', '-c', 'trap "" TERM; echo ready; while true; do sleep 0.05; done'],
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.logs(stubborn)) === 'ready\n');
    const begun = Date.now();
    await node.engine.containers.stop(stubborn, { timeoutSeconds: 1, signal: '' });
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1000);
    expect((await node.state(stubborn)).ExitCode).toBe(137);
    for (const id of [polite, stubborn]) {
      await node.engine.containers.remove(id, { force: true, volumes: true });
    }
  });

  it('pause and go on', async () => {
    const id = await node.run({
      Cmd: ['sh', '-c', 'while true; do echo tick; sleep 0.02; done'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.logs(id)).length > 10);
    await node.engine.containers.pause(id);
    expect((await node.state(id)).Status).toBe('paused');
    const before = (await node.logs(id)).length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await node.logs(id)).length).toBe(before);
    await expect(node.engine.exec.create(id, { Cmd: ['true'] })).rejects.toThrow('is paused');
    await node.engine.containers.unpause(id);
    await eventually(async () => (await node.logs(id)).length > before);
    await node.engine.containers.remove(id, { force: true, volumes: true });
  });

  it('exec: output, exit code, user, environment, stdin, missing program', async () => {
    const id = await node.run({
      Cmd: ['sleep', '100'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none' },
    });
    expect(await node.exec(id, ['sh', '-c', 'echo o; echo e >&2; exit 5'])).toEqual({
      code: 5,
      out: expect.stringMatching(/^(o\ne|e\no)\n$/),
    });
    expect(
      await node.exec(id, ['sh', '-c', 'id -u; pwd; echo $Z'], {
        User: 'web',
        WorkingDir: '/tmp',
        Env: ['Z=9'],
      }),
    ).toEqual({ code: 0, out: '101\n/tmp\n9\n' });
    await expect(node.exec(id, ['nosuch'])).rejects.toThrow('executable file not found');
    // Those that have ended are no longer the container's.
    expect((await node.engine.containers.inspect(id, { size: false })).ExecIDs).toBe(null);
    await expect(
      node.engine.exec.create(id, { Cmd: ['true'], DetachKeys: 'nope-x' }),
    ).rejects.toMatchObject({ code: 'invalid_argument' });
    const { Id } = await node.engine.exec.create(id, {
      Cmd: ['cat'],
      AttachStdin: true,
      AttachStdout: true,
    });
    const stream = await node.engine.exec.start(String(Id), { detach: false, tty: false });
    if (!stream) throw new Error('no stream');
    const big = 'x'.repeat(300_000);
    const reading = textOf(stream.output);
    await stream.writeStdin(Buffer.from(big));
    stream.closeStdin();
    expect(await reading).toBe(big);
    await node.engine.containers.remove(id, { force: true, volumes: true });
    await expect(node.engine.exec.inspect(String(Id))).rejects.toThrow('No such exec instance');
  });

  it('attach before the start gets the first byte; stdin ends the program', async () => {
    const { containers } = node.engine;
    const { Id } = await containers.create(
      {
        Image: 'bb:1',
        Cmd: ['sh', '-c', 'echo first; cat'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
        HostConfig: { NetworkMode: 'none' },
      },
      { name: '', platform: '' },
    );
    const id = String(Id);
    const attached = await containers.attach(id, {
      stdin: true,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    });
    const reading = textOf(attached.output);
    await containers.start(id);
    await attached.writeStdin(Buffer.from('typed\n'));
    attached.closeStdin();
    expect(await reading).toBe('first\ntyped\n');
    await eventually(async () => (await node.state(id)).Status === 'exited');
    await containers.remove(id, { force: true, volumes: true });
  });

  it('give a terminal of the asked size', async () => {
    const { code, out } = await node.runToEnd({
      Cmd: ['sh', '-c', 'tty; stty size'],
      Tty: true,
      HostConfig: { NetworkMode: 'none', ConsoleSize: [33, 77] },
    });
    expect(code).toBe(0);
    expect(out).toMatch(/^\/dev\/pts\/\d+\r\n33 77\r\n$/);
  });

  it('copy in and out, see changes, export', async () => {
    const { containers } = node.engine;
    const id = await node.run({
      Cmd: ['sh', '-c', 'echo data > /tmp/f; rm /bin/ls; sleep 100'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.exec(id, ['cat', '/tmp/f'])).out === 'data\n');
    await eventually(
      async () =>
        (await node.exec(id, ['sh', '-c', 'test -e /bin/ls || echo gone'])).out === 'gone\n',
    );
    const changes = await containers.changes(id);
    expect(changes).toContainEqual({ Path: '/tmp/f', Kind: 1 });
    expect(changes).toContainEqual({ Path: '/bin/ls', Kind: 2 });
    const got = await containers.getArchive(id, '/tmp/f');
    expect(got.stat).toMatchObject({ name: 'f', size: 5, linkTarget: '' });
    const chunks: Uint8Array[] = [];
    for await (const chunk of got.tar) chunks.push(chunk);
    const tar = Buffer.concat(chunks);
    expect(tar.includes('data\n')).toBe(true);
    await containers.putArchive(
      id,
      '/root',
      (async function* () {
        yield tar;
      })(),
      { noOverwriteDirNonDir: false, copyUidGid: false },
    );
    expect((await node.exec(id, ['cat', '/root/f'])).out).toBe('data\n');
    await expect(containers.statPath(id, '/nope')).rejects.toThrow(
      `Could not find the file /nope in container ${id}`,
    );
    await containers.stop(id, { timeoutSeconds: 0, signal: '' });
    expect(await containers.statPath(id, '/root/f')).toMatchObject({ size: 5 });
    await containers.remove(id, { force: true, volumes: true });
  });

  it('copy what a folder holds, through links too, and the root without what the kernel shows in it', async () => {
    const { containers } = node.engine;
    const id = await node.run({
      Cmd: ['sh', '-c', 'mkdir -p /d/e; echo x > /d/e/f; ln -s /d /link; sleep 100'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none' },
    });
    await eventually(async () => (await node.exec(id, ['test', '-L', '/link'])).code === 0);
    const names = async (path: string): Promise<string[]> =>
      namesOf((await containers.getArchive(id, path)).tar);
    expect(await names('/d')).toEqual(['d', 'd/e', 'd/e/f']);
    expect(await names('/d/.')).toEqual(['.', './e', './e/f']);
    expect(await names('/link/.')).toEqual(['.', './e', './e/f']);
    expect(await names('/link')).toEqual(['link']);
    const root = await names('/');
    expect(root).toEqual(expect.arrayContaining(['proc', 'sys', 'd/e/f']));
    expect(root.filter((name) => /^(proc|sys)\/./.test(name))).toEqual([]);
    const exported = await namesOf(await containers.exportTar(id));
    expect(exported).toEqual(expect.arrayContaining(['bin/sh', 'd/e/f', 'link']));
    await containers.remove(id, { force: true, volumes: true });
  });

  it('take over owners with -a only where the container has a user of its own', async () => {
    const { containers } = node.engine;
    const tar = async (): Promise<AsyncIterable<Uint8Array>> =>
      streamOf(await tarOf({ owned: 'x' }, { uid: 1000, gid: 1001 }));
    const options = { noOverwriteDirNonDir: false, copyUidGid: true };
    for (const [user, owner] of [
      ['', '1000:1001'],
      ['web', '101:102'],
    ] as const) {
      const { Id } = await containers.create(
        { Image: 'bb:1', User: user, Cmd: ['stat', '-c', '%u:%g', '/tmp/owned'] },
        { name: '', platform: '' },
      );
      const id = String(Id);
      await containers.putArchive(id, '/tmp', await tar(), options);
      const waiting = await containers.wait(id, 'next-exit');
      await containers.start(id);
      await waiting.exit;
      expect(await node.logs(id)).toBe(`${owner}\n`);
      await containers.remove(id, { force: true, volumes: true });
    }
  });

  it('count what goes over their network', async () => {
    const { containers } = node.engine;
    const gateway = '$(ip route | sed -n "s/default via \\([0-9.]*\\).*/\\1/p")';
    const send = `ping -c 4 -i 0.1 -s 1000 -W 1 ${gateway}`;
    const id = await node.run({
      Cmd: ['sh', '-c', `${send}; sleep 100`],
      StopSignal: 'KILL',
    });
    const sent = async (): Promise<number> => {
      let bytes = 0;
      const once = { stream: false, oneShot: true };
      for await (const stats of await containers.stats(id, once, new AbortController().signal)) {
        const { eth0 } = stats.networks as { eth0?: { tx_bytes: number } };
        bytes = eth0?.tx_bytes ?? 0;
      }
      return bytes;
    };
    await eventually(async () => (await sent()) > 4000, 20_000);
    expect(await sent()).toBeLessThan(20_000);
    await containers.remove(id, { force: true, volumes: true });
  });

  it('top and stats show the processes and what they use', async () => {
    const { containers } = node.engine;
    const id = await node.run({
      Cmd: ['sleep', '1234'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none' },
    });
    const top = await containers.top(id, '');
    expect(top.Titles).toEqual(['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
    expect((top.Processes as string[][])[0]?.at(-1)).toBe('sleep 1234');
    expect((await containers.top(id, '-o pid,comm')).Titles).toEqual(['PID', 'COMMAND']);
    const stop = new AbortController();
    for await (const stats of await containers.stats(
      id,
      { stream: false, oneShot: true },
      stop.signal,
    )) {
      expect(stats).toMatchObject({ pids_stats: { current: 1 }, id });
      expect((stats.memory_stats as { usage: number }).usage).toBeGreaterThan(0);
    }
    await containers.remove(id, { force: true, volumes: true });
  });

  it('restart by policy with back-off, and stop for good when told to', async () => {
    const id = await node.run({
      Cmd: ['sh', '-c', 'echo run; exit 1'],
      HostConfig: {
        NetworkMode: 'none',
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
      },
    });
    await eventually(async () => {
      const json = await node.engine.containers.inspect(id, { size: false });
      return json.RestartCount === 2 && (await node.state(id)).Status === 'exited';
    });
    expect(await node.logs(id)).toBe('run\nrun\nrun\n');
    await node.engine.containers.remove(id, { force: true, volumes: true });
    const always = await node.run({
      Cmd: ['sleep', '100'],
      StopSignal: 'KILL',
      HostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'always' } },
    });
    await node.engine.containers.stop(always, { signal: '' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await node.state(always)).Status).toBe('exited');
    await node.engine.containers.remove(always, { force: true, volumes: true });
  });

  it('become healthy and unhealthy, with events', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      const options = { sinceMicros: 0, untilMicros: 0, filters: { event: ['health_status'] } };
      for await (const event of node.engine.events(options, stop.signal))
        seen.push(String(event.Action));
    })();
    const id = await node.run({
      Cmd: ['sh', '-c', 'touch /ok; sleep 100'],
      StopSignal: 'KILL',
      Healthcheck: { Test: ['CMD', 'test', '-e', '/ok'], Interval: 200_000_000, Retries: 2 },
      HostConfig: { NetworkMode: 'none' },
    });
    const health = async (): Promise<unknown> =>
      ((await node.state(id)).Health as { Status: string }).Status;
    await eventually(async () => (await health()) === 'healthy');
    await node.exec(id, ['rm', '/ok']);
    await eventually(async () => (await health()) === 'unhealthy');
    expect((await node.state(id)).Running).toBe(true);
    await eventually(async () => seen.length === 2);
    stop.abort();
    await watching;
    expect(seen).toEqual(['health_status: healthy', 'health_status: unhealthy']);
    await node.engine.containers.remove(id, { force: true, volumes: true });
  });

  it('tell their events in order', async () => {
    const since = Date.now() * 1000;
    const { id } = await node.sh('true', { AutoRemove: false });
    const actions: string[] = [];
    const options = {
      sinceMicros: since,
      untilMicros: Date.now() * 1000 + 1000,
      filters: { container: [id] },
    };
    for await (const event of node.engine.events(options, new AbortController().signal)) {
      actions.push(String(event.Action));
    }
    expect(actions).toEqual(['create', 'start', 'die', 'destroy']);
  });

  it('remove themselves with --rm, also when they cannot start', async () => {
    const { containers } = node.engine;
    const { Id } = await containers.create(
      {
        Image: 'bb:1',
        Cmd: ['sh', '-c', 'exit 4'],
        Volumes: { '/v': {} },
        HostConfig: { NetworkMode: 'none', AutoRemove: true },
      },
      { name: '', platform: '' },
    );
    const before = (await node.engine.volumes.list({})).Volumes as unknown[];
    const gone = await containers.wait(String(Id), 'removed');
    await containers.start(String(Id));
    expect(await gone.exit).toEqual({ StatusCode: 4, Error: null });
    const after = (await node.engine.volumes.list({})).Volumes as unknown[];
    expect(after.length).toBe(before.length - 1);
  });

  it('conflict on names, in Docker’s words', async () => {
    const { containers } = node.engine;
    const options = { name: 'same', platform: '' };
    const { Id } = await containers.create({ Image: 'bb:1' }, options);
    await expect(containers.create({ Image: 'bb:1' }, options)).rejects.toThrow(
      `Conflict. The container name "/same" is already in use by container "${Id}".`,
    );
    await containers.rename('same', 'other');
    expect((await containers.inspect('/other', { size: false })).Name).toBe('/other');
    await containers.remove('other', { force: false, volumes: false });
    await expect(containers.create({ Image: 'none:1' }, options)).rejects.toThrow(
      'No such image: none:1',
    );
  });

  it('survive a restart of the worker: adopted, logs whole, exits known', async () => {
    const body = (script: string) => ({
      Cmd: ['sh', '-c', script],
      HostConfig: { NetworkMode: 'none' },
    });
    const long = await node.run(body('while true; do echo tick; sleep 0.01; done'));
    const short = await node.run(body('sleep 0.3; exit 9'));
    const pid = (await node.state(long)).Pid;
    await node.worker.stop();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await node.restart();
    expect(await node.state(long)).toMatchObject({ Status: 'running', Pid: pid });
    expect(await node.state(short)).toMatchObject({ Status: 'exited', ExitCode: 9 });
    const lines = (await node.logs(long)).trim().split('\n');
    expect(lines.length).toBeGreaterThan(20);
    expect(await node.exec(long, ['echo', 'still'])).toEqual({ code: 0, out: 'still\n' });
    await node.engine.containers.kill(long, 'KILL');
    expect((await node.state(long)).ExitCode).toBe(137);
    for (const id of [long, short])
      await node.engine.containers.remove(id, { force: true, volumes: true });
  });

  it('come back after a reboot by their policy, and say what ended the others', async () => {
    const start = (name: string, policy: string): Promise<string> =>
      node.run(
        {
          Cmd: ['sleep', '1000'],
          StopSignal: 'KILL',
          HostConfig: { NetworkMode: 'none', RestartPolicy: { Name: policy } },
        },
        name,
      );
    const always = await start('r-always', 'always');
    const none = await start('r-none', 'no');
    const stopped = await start('r-stopped', 'unless-stopped');
    await node.engine.containers.stop(stopped, { signal: '' });
    await node.simulateReboot();
    await eventually(async () => (await node.state(always)).Status === 'running');
    expect(await node.state(none)).toMatchObject({
      Status: 'exited',
      ExitCode: 255,
      Error: 'the host was restarted',
    });
    expect((await node.state(stopped)).Status).toBe('exited');
    for (const id of [always, none, stopped]) {
      await node.engine.containers.remove(id, { force: true, volumes: true });
    }
  });
});
