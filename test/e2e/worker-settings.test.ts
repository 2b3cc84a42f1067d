// Goal: every remaining setting of a container that is accepted is seen on the process or the kernel object that it is about; network settings on a real
// bridge. Method: a real worker, busybox. Needs root.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineJson } from '#protocol/engine';
import { writeBusyboxRoot } from '../support/busybox-root.ts';
import { eventually, WorkerNode } from '../support/worker-node.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a container’s settings', () => {
  const node = new WorkerNode();

  beforeAll(async () => {
    await node.start();
    await node.addImage();
  });
  afterAll(() => node.destroy());

  const cgroupFile = (id: string, controller: string, file: string): string | undefined => {
    const tag = readFileSync(join(node.folder, 'data/node-tag'), 'utf8').trim();
    const path = `/sys/fs/cgroup/${controller}/tswarm-${tag}/${id}/${file}`;
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  };
  /** This group in each hierarchy where it is. */
  const cgroups = (name: string): string[] =>
    ['.', ...readdirSync('/sys/fs/cgroup')]
      .map((mount) => join('/sys/fs/cgroup', mount, name))
      .filter((path) => existsSync(path));
  const sleeping = (hostConfig: object, config: object = {}): Promise<string> =>
    node.run({
      Cmd: ['sleep', '1000'],
      StopSignal: 'KILL',
      ...config,
      HostConfig: { NetworkMode: 'none', ...hostConfig },
    });
  const remove = (id: string): Promise<void> =>
    node.engine.containers.remove(id, { force: true, volumes: true });

  it('Devices: the node is there and usable, others are not', async () => {
    const { out } = await node.sh(
      'ls -l /dev/mine | cut -c1; head -c 1 /dev/mine | wc -c; mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem 2>&1 | tail -1',
      { Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/mine' }] },
    );
    expect(out.split('\n').slice(0, 2)).toEqual(['c', '1']);
    expect(out).toContain('not permitted');
    await expect(node.sh('true', { Devices: [{ PathOnHost: '/dev/nope' }] })).rejects.toThrow(
      'error gathering device information while adding custom device "/dev/nope"',
    );
  });

  it('DeviceCgroupRules: open more device numbers', async () => {
    const script = 'mknod /tmp/k c 1 11 && (: > /tmp/k) && echo opened || echo refused';
    expect((await node.sh(script)).out).toContain('refused');
    expect((await node.sh(script, { DeviceCgroupRules: ['c 1:11 rwm'] })).out).toContain('opened');
  });

  it('CpusetCpus, CpuPeriod and CpuQuota, OomScoreAdj', async () => {
    const id = await sleeping({
      CpusetCpus: '0',
      CpuPeriod: 50_000,
      CpuQuota: 25_000,
      OomScoreAdj: 321,
    });
    const { out } = await node.exec(id, ['cat', '/proc/1/oom_score_adj', '/proc/1/status']);
    expect(out.split('\n')[0]).toBe('321');
    expect(out).toMatch(/Cpus_allowed_list:\t0\n/);
    const quota = cgroupFile(id, 'cpu', 'cpu.cfs_quota_us');
    if (quota !== undefined) expect(quota).toBe('25000');
    await remove(id);
  });

  it('PidMode, UTSMode, IpcMode of the host', async () => {
    const { out } = await node.sh(
      'hostname; for n in pid uts ipc; do readlink /proc/self/ns/$n; done',
      {
        PidMode: 'host',
        UTSMode: 'host',
        IpcMode: 'host',
      },
    );
    const [hostname, pid, uts, ipc] = out.split('\n');
    expect(hostname).toBe(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
    expect([pid, uts, ipc]).toEqual(
      ['pid', 'uts', 'ipc'].map((name) => readlinkSync(`/proc/self/ns/${name}`)),
    );
  });

  it('PidMode and NetworkMode of another container', async () => {
    const first = await sleeping({}, { Hostname: 'first' });
    const { out } = await node.sh(
      'ps | grep -c "sleep 1000"; cat /etc/hostname; readlink /proc/self/ns/net',
      {
        PidMode: `container:${first}`,
        NetworkMode: `container:${first}`,
      },
    );
    const [seen, hostname, net] = out.split('\n');
    expect(Number(seen)).toBeGreaterThanOrEqual(1);
    expect(hostname).toBe('first');
    expect((await node.exec(first, ['readlink', '/proc/self/ns/net'])).out.trim()).toBe(net);
    await remove(first);
  });

  it('IpcMode of another container: shareable, with its shared memory; others are refused', async () => {
    const first = await sleeping({ IpcMode: 'shareable', ShmSize: 2 << 20 });
    await node.exec(first, ['sh', '-c', 'echo hello > /dev/shm/word']);
    const ipc = (await node.exec(first, ['readlink', '/proc/self/ns/ipc'])).out.trim();
    const { out } = await node.sh(
      'cat /dev/shm/word; readlink /proc/self/ns/ipc; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2',
      { IpcMode: `container:${first}` },
    );
    expect(out.split('\n').slice(0, 3)).toEqual(['hello', ipc, '2048']);
    const mounts = (): number =>
      readFileSync('/proc/self/mountinfo', 'utf8').split(`${first}/shm `).length - 1;
    expect(mounts()).toBe(1);
    await remove(first);
    expect(mounts()).toBe(0);
    const alone = await sleeping({});
    await expect(node.sh('true', { IpcMode: `container:${alone}` })).rejects.toThrow(
      'non-shareable IPC',
    );
    await remove(alone);
    expect((await node.sh('mount', { IpcMode: 'none' })).out).not.toContain('/dev/shm');
  });

  it('Mounts of an image: its files or a part of them, read-only, also for docker cp; in use by it', async () => {
    const image = (Target: string, Subpath = ''): object => ({
      Type: 'image',
      Source: 'bb:1',
      Target,
      ImageOptions: { Subpath },
    });
    const Mounts = [image('/all'), image('/tools', 'bin')];
    const id = await sleeping({ Mounts });
    const script = 'ls /all/etc/passwd /tools/sh; touch /all/x /tools/x 2>&1 | grep -c Read-only';
    expect((await node.exec(id, ['sh', '-c', script])).out.split('\n').slice(0, 3)).toEqual([
      '/all/etc/passwd',
      '/tools/sh',
      '2',
    ]);
    await remove(id);
    const views = readFileSync('/proc/self/mountinfo', 'utf8').split(`${id}/view-`).length - 1;
    expect(views).toBe(0);
    const missing = { Mounts: [{ Type: 'image', Source: 'nothing:here', Target: '/x' }] };
    await expect(node.sh('true', missing)).rejects.toThrow('No such image: nothing:here');
    const outside = { Mounts: [image('/x', 'nowhere')] };
    await expect(node.sh('true', outside)).rejects.toThrow('cannot access path nowhere');
  });

  it('ReadonlyPaths and MaskedPaths of one’s own', async () => {
    const { out } = await node.sh('cat /etc/passwd | wc -c; touch /data/x 2>/dev/null || echo ro', {
      MaskedPaths: ['/etc/passwd'],
      ReadonlyPaths: ['/data'],
    });
    expect(out).toBe('0\nro\n');
  });

  it('Mounts: a part of a volume, which no link in it leads out of', async () => {
    const all = [{ Type: 'volume', Source: 'parts', Target: '/v' }];
    const made = await node.sh(
      'mkdir -p /v/a/b && echo deep > /v/a/b/f && ln -s a /v/in && ln -s /etc /v/out && ln -s ../../../../../../../../../../../../etc /v/up',
      { Mounts: all },
    );
    expect(made.code).toBe(0);
    const part = (Subpath: string): object[] => [
      { Type: 'volume', Source: 'parts', Target: '/m', VolumeOptions: { Subpath } },
    ];
    for (const [subpath, shown] of [
      ['a/b', 'f\n'],
      ['in/b', 'f\n'],
      ['a/b/f', '/m\n'],
      ['a', 'b\n'],
    ] as const) {
      const { out } = await node.sh('ls /m', { Mounts: part(subpath) });
      expect(out, subpath).toBe(shown);
    }
    for (const [subpath, why] of [
      ['out', 'leads out'],
      ['up', 'leads out'],
      ['in/none', 'no such file'],
      ['../x', 'must be a relative path'],
      ['/etc', 'must be a relative path'],
    ] as const) {
      await expect(node.run({ HostConfig: { Mounts: part(subpath) } }), subpath).rejects.toThrow(
        why,
      );
    }
    // Neither does a copy into or out of a container that does not run follow one.
    const { Id } = await node.engine.containers.create(
      { Image: 'bb:1', HostConfig: { Mounts: part('out') } },
      { name: '', platform: '' },
    );
    await expect(node.engine.containers.statPath(String(Id), '/m/passwd')).rejects.toThrow(
      'leads out',
    );
    for (const { Id } of await node.engine.containers.list({
      all: true,
      limit: 0,
      size: false,
      filters: { volume: ['parts'] },
    }))
      await node.engine.containers.remove(String(Id), { force: true, volumes: false });
    await node.engine.volumes.remove('parts', false);
  });

  it('an image’s volumes and labels reach nothing of the host (CVE-2022-23648, CVE-2026-53488)', async () => {
    const root = join(node.folder, 'hostile-root');
    writeBusyboxRoot(root);
    const [linked, above] = [join(node.folder, 'linked'), join(node.folder, 'above')];
    for (const path of [linked, above]) {
      mkdirSync(path);
      writeFileSync(join(path, 'secret'), 'of the host\n');
      chmodSync(path, 0o711);
    }
    // The image has a folder of the first one's name too, and a link that leads to it, or to the host's for who follows it there.
    mkdirSync(join(root, linked), { recursive: true });
    writeFileSync(join(root, linked, 'f'), 'of the image\n');
    chmodSync(join(root, linked), 0o1750);
    symlinkSync(linked, join(root, 'link'));
    await node.importRoot(root, 'hostile:1', [
      `VOLUME ["/link", "${'/..'.repeat(12)}${above}"]`,
      'LABEL com.docker.swarm.task.id=t com.docker.swarm.service.id=s name=other image=other',
    ]);
    const image = { Image: 'hostile:1' };
    const script = `stat -L -c %a /link ${above}; ls -A /link/; cat /link/f; ls -A ${above}; mount | grep -c " ${above} "`;
    const { out } = await node.sh(script, {}, image);
    expect(out).toBe('1750\n755\nf\nof the image\n1\n');
    const id = await sleeping({}, image);
    const tasks = { 'is-task': ['true'] };
    const listed = { all: true, limit: 0, size: false };
    expect(await node.engine.containers.list({ ...listed, filters: tasks })).toEqual([]);
    for (const path of [linked, above]) {
      expect(readdirSync(path)).toEqual(['secret']);
      expect(statSync(path).mode & 0o7777).toBe(0o711);
    }
    await remove(id);
  });

  it('Mounts: volume with labels, driver options; tmpfs with mode; read-only bind', async () => {
    const source = join(node.folder, 'm-src');
    mkdirSync(join(source, 'sub'), { recursive: true });
    writeFileSync(join(source, 'sub/f'), 'deep\n');
    const { out } = await node.sh(
      'cat /s/f; stat -c %a /t; touch /s/x 2>/dev/null || echo ro; touch /v/y && ls /v; mount | grep " /t " | grep -o size=[0-9]*k',
      {
        Mounts: [
          { Type: 'bind', Source: join(source, 'sub'), Target: '/s', ReadOnly: true },
          { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65_536, Mode: 0o700 } },
          {
            Type: 'volume',
            Source: 'labelled',
            Target: '/v',
            VolumeOptions: {
              NoCopy: true,
              Labels: { a: 'b' },
              DriverConfig: { Name: 'local', Options: { type: 'none', o: 'bind', device: source } },
            },
          },
        ],
      },
    );
    expect(out).toBe('deep\n700\nro\nsub\ny\nsize=64k\n');
    expect(existsSync(join(source, 'y'))).toBe(true);
    expect(await node.engine.volumes.inspect('labelled')).toMatchObject({ Labels: { a: 'b' } });
    await node.engine.volumes.remove('labelled', false);
    expect(existsSync(join(source, 'y'))).toBe(true);
  });

  it('a tmpfs volume is one file system for all its containers', async () => {
    await node.engine.volumes.create({
      Name: 'shared',
      DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' },
    });
    const writer = await sleeping({ Binds: ['shared:/v'] });
    await node.exec(writer, ['sh', '-c', 'echo hello > /v/f']);
    const { out } = await node.sh('cat /v/f; df -k /v | tail -1 | awk "{print \\$2}"', {
      Binds: ['shared:/v'],
    });
    expect(out).toBe('hello\n1024\n');
    await remove(writer);
    await node.engine.volumes.remove('shared', false);
  });

  it('VolumesFrom: the same volumes, as a reader', async () => {
    const first = await sleeping({ Binds: ['vf:/v'] });
    await node.exec(first, ['sh', '-c', 'echo x > /v/f']);
    const { out } = await node.sh('cat /v/f; touch /v/g 2>/dev/null || echo ro', {
      VolumesFrom: [`${first}:ro`],
    });
    expect(out).toBe('x\nro\n');
    await remove(first);
    await node.engine.volumes.remove('vf', false);
  });

  it('log limits: old files rotate away, the rest reads in order', async () => {
    const script = 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done';
    const id = await node.run({
      Cmd: ['sh', '-c', script],
      HostConfig: {
        NetworkMode: 'none',
        LogConfig: { Type: 'json-file', Config: { 'max-size': '20k', 'max-file': '3' } },
      },
    });
    await eventually(async () => (await node.state(id)).Status === 'exited');
    const lines = (await node.logs(id)).trim().split('\n');
    expect(lines.at(-1)).toBe('line 2999');
    const first = Number(lines[0]?.split(' ')[1]);
    expect(first).toBeGreaterThan(0);
    expect(lines).toEqual(lines.map((_, index) => `line ${first + index}`));
    const path = join(node.folder, 'data/containers', id, `${id}-json.log`);
    expect([existsSync(`${path}.2`), existsSync(`${path}.3`)]).toEqual([true, false]);
    await remove(id);
  });

  it('LogConfig syslog: kept and sent, over restarts of container and worker; without a server it does not start', async () => {
    let text = '';
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        text += String(bytes);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const address = `tcp://127.0.0.1:${port}`;
    const hostConfig = (more: object = {}): EngineJson => ({
      NetworkMode: 'none',
      LogConfig: {
        Type: 'syslog',
        Config: { 'syslog-address': address, tag: '{{.Name}}', ...more },
      },
    });
    const lines = (): string[] => text.match(/(?<=sent\[\d+\]: ).*/g) ?? [];
    const script = 'trap "echo end; exit" TERM; echo begin; while :; do sleep 0.1; done';
    const Cmd = ['sh', '-c', script];
    const id = await node.run({ Cmd, HostConfig: hostConfig() }, 'sent');
    await eventually(() => lines().length === 1, 30_000);
    await node.restart();
    await node.engine.containers.restart(id, { signal: '', timeoutSeconds: 60 });
    await eventually(() => lines().length === 3, 30_000);
    expect(lines()).toEqual(['begin', 'end', 'begin']);
    expect(await node.logs(id)).toBe('begin\nend\nbegin\n');
    const { LogPath } = await node.engine.containers.inspect(id, { size: false });
    expect(LogPath).toBe('');
    await remove(id);
    // What was written last is sent before the container is removed with its log.
    const once = { ...hostConfig({ 'cache-disabled': 'true' }), AutoRemove: true };
    const last = await node.run({ Cmd: ['echo', 'last'], HostConfig: once }, 'sent-2');
    await expect(node.logs(last)).rejects.toThrow(/does not support reading|No such container/);
    await eventually(() => text.includes(']: last\n'), 30_000);
    await new Promise((resolve) => server.close(resolve));
    await expect(node.run({ Cmd, HostConfig: hostConfig() }, 'sent-3')).rejects.toThrow(
      `failed to initialize logging driver: dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    await remove('sent-3');
  });

  it('LogConfig none keeps nothing and says so', async () => {
    const id = await sleeping({ LogConfig: { Type: 'none' } });
    await expect(node.logs(id)).rejects.toThrow('does not support reading');
    await remove(id);
  });

  it('a filter of one’s own', async () => {
    const profile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
    });
    const { out } = await node.sh('mkdir /tmp/d 2>&1; echo $?', {
      SecurityOpt: [`seccomp=${profile}`],
    });
    expect(out).toContain('Function not implemented');
  });

  it('CgroupParent and Annotations', async () => {
    const tag = readFileSync(join(node.folder, 'data/node-tag'), 'utf8').trim();
    const id = await sleeping({
      CgroupParent: `/tswarm-${tag}/group`,
      Annotations: { 'org.example.a': '1' },
    });
    const { out } = await node.exec(id, ['cat', '/proc/1/cgroup']);
    expect(out).toContain(`/tswarm-${tag}/group/${id}`);
    const config = readFileSync(join(node.folder, 'run/c', id, 'bundle/config.json'), 'utf8');
    expect((JSON.parse(config) as { annotations: object }).annotations).toEqual({
      'org.example.a': '1',
    });
    // A group that the node has made goes with its last container, one that was there stays.
    const own = cgroups(`tswarm-${tag}`);
    mkdirSync(join(own[0] ?? '', 'mine'));
    const other = await sleeping({ CgroupParent: `/tswarm-${tag}/mine/below` });
    expect(cgroups(`tswarm-${tag}/mine/below`)).toHaveLength(own.length);
    const second = await sleeping({ CgroupParent: `/tswarm-${tag}/group` });
    await remove(id);
    expect(cgroups(`tswarm-${tag}/group`)).toHaveLength(own.length);
    await remove(second);
    await remove(other);
    expect(cgroups(`tswarm-${tag}/group`)).toEqual([]);
    expect(cgroups(`tswarm-${tag}/mine`)).toEqual([join(own[0] ?? '', 'mine')]);
    rmdirSync(join(own[0] ?? '', 'mine'));
  });

  it('a published port is reached from the host; a second taker is told who has it', async () => {
    const id = await node.run({
      Cmd: ['sh', '-c', 'while true; do echo answer | nc -l -p 80; done'],
      StopSignal: 'KILL',
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] } },
    });
    const json = await node.engine.containers.inspect(id, { size: false });
    const settings = json.NetworkSettings as {
      Ports: Record<string, { HostPort: string }[]>;
      IPAddress: string;
    };
    const port = Number(settings.Ports['80/tcp']?.[0]?.HostPort);
    expect(port).toBeGreaterThan(1024);
    expect(settings.IPAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    await eventually(async () => (await ask(port)) === 'answer\n');
    await expect(
      node.run({
        Cmd: ['sleep', '1'],
        HostConfig: {
          PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
        },
      }),
    ).rejects.toThrow(/port is already allocated/);
    await remove(id);
    for (const item of await node.engine.containers.list({
      all: true,
      limit: 0,
      size: false,
      filters: {},
    })) {
      await remove(String(item.Id));
    }
  });

  it('Dns, DnsSearch, DnsOptions reach the resolver’s file', async () => {
    const { out } = await node.sh('cat /etc/resolv.conf', {
      NetworkMode: 'bridge',
      Dns: ['192.0.2.53'],
      DnsSearch: ['example.org'],
      DnsOptions: ['ndots:3'],
    });
    expect(out).toContain('example.org');
    expect(out).toContain('ndots:3');
  });

  it('a network made by the API joins containers by name', async () => {
    await node.engine.networks.create({ Name: 'n1', Driver: 'bridge' });
    const server = await node.run(
      { Cmd: ['sleep', '1000'], StopSignal: 'KILL', HostConfig: { NetworkMode: 'n1' } },
      'server',
    );
    const { out } = await node.sh('ping -c 1 -W 2 server | grep -c "1 packets received"', {
      NetworkMode: 'n1',
    });
    expect(out).toBe('1\n');
    await remove(server);
    await node.engine.networks.remove('n1');
  });
});

function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', timeout: 1000 });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      socket.destroy();
    });
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
