// tswarm image build: each flag by what the steps see, what is in the image or what comes out; refusals by their names. One node, and a registry where one is needed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { registryInside } from '../support/node-registry.ts';
import { NODE, type Result, ROOT, type RunOptions, TestNode } from '../support/test-node.ts';
import { jsonLines, tswarmOn } from '../support/tswarm-on.ts';

let node: TestNode;
const { out, refused } = tswarmOn(() => node);

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const tswarm = (...args: string[]): Promise<Result> => node.tswarm(args);

describe('image build', () => {
  const DOCKERFILE = 'FROM busybox:test\nCOPY note /note\nRUN cat /note\n';

  /** A folder with a Dockerfile and a file. */
  function folder(dockerfile = DOCKERFILE, name = 'Dockerfile'): string {
    const path = join(node.folder, 'build');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, name), dockerfile);
    writeFileSync(join(path, 'note'), 'noted\n');
    return path;
  }

  const shown = (format: string, image: string): Promise<string> =>
    out('image', 'inspect', '--format', format, image);

  async function build(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await node.tswarm(['image', 'build', ...args], options);
    expect(result.code, `${args.join(' ')}: ${result.stderr}`).toBe(0);
    return result.stdout;
  }

  flagTest('tswarm image build', ['--tag', '--file', '--iidfile', '--quiet'], 'which', async () => {
    const file = join(node.folder, 'id');
    const said = await build(['--tag', 'built:1', '--tag', 'built:2', '--iidfile', file, folder()]);
    expect(said).toMatch(/^Step 1\/3 : FROM busybox:test\n/);
    expect(said).toContain('\nnoted\n');
    expect(said).toContain('Successfully tagged built:2\n');
    const id = readFileSync(file, 'utf8');
    expect(await shown('{{.Id}}', 'built:1')).toBe(`${id}\n`);
    const other = join(folder('FROM busybox:test\nENV OTHER=1\n', 'Other'), 'Other');
    expect(await build(['--quiet', '--file', other, folder()])).toMatch(/^sha256:\w{64}\n$/);
    expect(await refused('image', 'build', '-f', '/nowhere', folder())).toContain('/nowhere');
    expect(await refused('image', 'build', '/nowhere')).toContain('path "/nowhere" not found');
    expect(await refused('image', 'build', file)).toContain('must be a directory');
    // A repository is fetched here, anything else at a URL by the node.
    expect(await refused('image', 'build', 'file:///nowhere/a.git')).toContain(
      'build context file:///nowhere/a.git cannot be fetched',
    );
    expect(await refused('image', 'build', 'http://127.0.0.1:1/a.tar')).toContain(
      'error downloading remote context http://127.0.0.1:1/a.tar',
    );
    expect(await refused('image', 'build', '--iidfile', '/no/where', folder())).toContain(
      '--iidfile /no/where',
    );
  });

  flagTest(
    'tswarm image build',
    ['--build-arg', '--label', '--target', '--no-cache', '--platform'],
    'how',
    async () => {
      const path = folder(
        'FROM busybox:test AS one\nARG A=x\nARG B=x\nENV A=$A B=$B\nFROM one AS two\nENV TWO=2\n',
      );
      const args = ['--build-arg', 'A=given', '--build-arg', 'B', '--label', 'a=b'];
      await build([...args, '--target', 'one', '-t', 'how:1', path], { env: { B: 'ours' } });
      expect(await shown('{{json .Config}}', 'how:1')).toMatch(/"A=given","B=ours".*"a":"b"/);
      expect(await shown('{{json .Config.Env}}', 'how:1')).not.toContain('TWO');
      const steps = folder();
      expect(await build([steps])).toContain('Using cache');
      expect(await build(['--no-cache', steps])).not.toContain('Using cache');
      // Another platform's base image is in no registry here.
      expect(await refused('image', 'build', '--platform', 'linux/s390x', steps)).not.toBe('');
      expect(await refused('image', 'build', '--target', 'none', path)).toContain('none');
    },
  );

  flagTest(
    'tswarm image build',
    ['--network', '--add-host', '--shm-size', '--pull'],
    'what steps see',
    async () => {
      const path = folder('FROM busybox:test\nRUN cat /etc/hosts /proc/net/dev; df -k /dev/shm\n');
      const said = await build(['--add-host', 'db:10.1.2.3', '--shm-size', '8m', path]);
      expect(said).toMatch(/10\.1\.2\.3\s+db\n/);
      expect(said).toMatch(/ 8192 /);
      expect(said).toMatch(/^ *eth0:/m);
      expect(await build(['--no-cache', '--network', 'none', path])).not.toMatch(/^ *eth0:/m);
      expect(await refused('image', 'build', '--shm-size', 'much', path)).toContain('--shm-size');
      // It is in no registry.
      const pulled = await tswarm('image', 'build', '--pull', path);
      expect(pulled.code, pulled.stdout).toBe(1);
    },
  );

  flagTest(
    'tswarm image build',
    ['--secret', '--ssh', '--build-context', '--ulimit', '--allow', '--no-cache-filter'],
    'what steps are given',
    async () => {
      const socket = join(node.folder, 'ssh.sock');
      const agent = createServer((client) => client.end()).listen(socket);
      const text = `FROM busybox:test AS first
RUN --mount=type=secret,id=s cat /run/secrets/s; ulimit -n
RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo agent
FROM first
RUN --security=insecure --mount=from=more,target=/m cat /m/note`;
      const path = folder(text);
      try {
        const secret = join(path, 'note');
        const args = ['--secret', `id=s,src=${secret}`, '--ssh', `default=${socket}`, '--ulimit'];
        const all = [...args, 'nofile=222', '--build-context', `more=${path}`, '--allow'];
        const said = await build([...all, 'security.insecure', path]);
        expect(said).toMatch(/\n222\n[\s\S]*\nagent\n/);
        const note = readFileSync(secret, 'utf8');
        expect(said.split(note)).toHaveLength(3);
        const again = await build([
          ...all,
          'security.insecure',
          '--no-cache-filter',
          'first',
          path,
        ]);
        expect(again.split('Using cache')).toHaveLength(1);
        expect(await refused('image', 'build', '--secret', 'id=x,src=/none', path)).toContain(
          '/none',
        );
        expect(await refused('image', 'build', '--ssh', 'default=/none', path)).toContain('/none');
        expect(await refused('image', 'build', '--allow', 'x', path)).toContain('entitlement');
        const denied = await tswarm('image', 'build', ...all.slice(0, -1), path);
        expect([denied.code, denied.stdout + denied.stderr]).toEqual([
          1,
          expect.stringContaining('security.insecure is not allowed'),
        ]);
      } finally {
        agent.close();
      }
    },
  );

  flagTest(
    'tswarm image build',
    [
      '--memory',
      '--memory-swap',
      '--cpu-shares',
      '--cpu-period',
      '--cpu-quota',
      '--cpuset-cpus',
      '--cpuset-mems',
      '--cgroup-parent',
    ],
    'limits of its steps',
    async () => {
      const path = folder(
        'FROM busybox:test\nRUN cat /proc/self/cgroup; grep allowed_list /proc/self/status; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; true\n',
      );
      const limits = ['-m', '32m', '--memory-swap', '48m', '-c', '123', '--cpu-period', '50000'];
      const more = ['--cpu-quota', '25000', '--cpuset-cpus', '0', '--cpuset-mems', '0'];
      const said = await build([...limits, ...more, '--cgroup-parent', 'builds', path]);
      expect(said).toContain('/builds/');
      expect(said).toMatch(/Cpus_allowed_list:\t0\n/i);
      expect(said).toMatch(/Mems_allowed_list:\t0\n/i);
      expect(said).toContain('\n33554432\n');
      const isUnified = said.includes('\n25000 50000\n');
      if (!isUnified) expect(said).toMatch(/\n33554432\n(50331648\n)?123\n25000\n50000\n/);
      const hungry = folder('FROM busybox:test\nRUN dd if=/dev/zero of=/dev/null bs=64M count=1\n');
      expect(await refused('image', 'build', '--memory=16m', '--memory-swap=16m', hungry)).toMatch(
        /137 \(out of memory\)/,
      );
      const bad = ['--memory=1m', '--memory-swap=1g', '--cpu-period=1', '--cpu-shares=x'];
      for (const flag of bad) expect(await refused('image', 'build', flag, path)).not.toBe('');
    },
  );

  flagTest(
    'tswarm image build',
    ['--output', '--metadata-file', '--push', '--load', '--compress'],
    'what comes of it',
    async () => {
      await using registry = await registryInside(node);
      const path = folder('FROM busybox:test AS all\nFROM scratch\nCOPY note /sub/note\n');
      const [files, meta] = [join(node.folder, 'files'), join(node.folder, 'meta.json')];
      const name = `${registry.host}/made:1`;
      const args = ['-o', files, '--metadata-file', meta, '--push', '--load', '--compress'];
      expect(await build([...args, '-t', name, path])).toMatch(/\n1: digest: sha256:/);
      expect(readFileSync(join(files, 'sub/note'), 'utf8')).toBe('noted\n');
      const { 'image.name': named, 'containerimage.config.digest': id } = JSON.parse(
        readFileSync(meta, 'utf8'),
      );
      expect([named, id]).toEqual([name, (await shown('{{.Id}}', name)).trim()]);
      const [tar, image] = [join(node.folder, 'files.tar'), join(node.folder, 'image.tar')];
      const both = ['--output', `type=tar,dest=${tar}`, '-o', `type=docker,dest=${image}`];
      await build([...both, '-t', 'made:2', path]);
      expect((await node.inside('tar', ['-xOf', tar, 'sub/note'])).stdout).toBe('noted\n');
      const manifest = JSON.parse(
        (await node.inside('tar', ['-xOf', image, 'manifest.json'])).stdout,
      );
      expect(manifest[0].RepoTags).toEqual(['made:2']);
      // What it says goes elsewhere when the files go to standard output.
      expect((await build(['-o', '-', path])).slice(257, 262)).toBe('ustar');
      expect((await node.docker(['ps', '-aq'])).stdout).toBe('');
      expect(await refused('image', 'build', '-o', 'type=x', path)).toContain('type x');
      expect(await refused('image', 'build', '-o', 'type=local', path)).toContain('dest=PATH');
      expect(await refused('image', 'build', '--push', path)).toContain('no name');
    },
  );

  flagTest(
    'tswarm image build',
    ['--progress', '--cache-from', '--cache-to', '--force-rm'],
    'how it is shown',
    async () => {
      const path = folder();
      const raw = jsonLines(await build(['--progress', 'rawjson', '--no-cache', path]));
      const steps = raw.filter(({ id }) => id === 'tswarm.build.step').map(({ aux }) => aux);
      expect(steps).toContainEqual({
        ...{ stage: '0', step: 3, steps: 3, state: 'running', text: 'RUN cat /note' },
      });
      expect(steps).toContainEqual({
        ...{ stage: '0', step: 3, steps: 3, state: 'running', output: 'noted\n' },
      });
      expect(steps.at(-1)).toEqual({ stage: '0', step: 3, steps: 3, state: 'done' });
      const args = ['--cache-from', 'x', '--cache-to', 'y', '--force-rm', '--progress', 'plain'];
      const noted = await tswarm('image', 'build', ...args, path);
      expect(noted.stderr).toBe(
        'Note: --cache-from: steps are found by their content, on this node\nNote: --cache-to: steps are found by their content, on this node\n',
      );
      expect(noted.stdout).toMatch(/^Step 1\/3/);
      expect(await build(['--progress=quiet', path])).toMatch(/^sha256:\w{64}\n$/);
    },
  );

  flagTest(
    'tswarm image build',
    [
      '--annotation',
      '--attest',
      '--builder',
      '--call',
      '--check',
      '--isolation',
      '--provenance',
      '--sbom',
      '--security-opt',
      '--squash',
      '--no-rm',
      '--no-disable-content-trust',
    ],
    'refused by name, unless it is what happens anyway',
    async () => {
      const values = ['annotation', 'attest', 'builder', 'call', 'isolation', 'provenance', 'sbom'];
      const flags = [...values.map((name) => `--${name}=x`), '--security-opt=x'];
      for (const flag of [...flags, '--check', '--squash', '--no-rm', '--no-disable-content-trust'])
        expect((await tswarm('image', 'build', flag, folder())).stderr).toContain(
          `error: ${flag.split('=')[0]} is not supported: `,
        );
      const idle = ['--rm', '--disable-content-trust', '--isolation=default', '--call=build'];
      await build([...idle, '--builder=default', '--provenance=false', '--sbom=false', folder()]);
    },
  );

  it('takes a Dockerfile or an archive that is piped in', async () => {
    const text = 'FROM busybox:test\nENV PIPED=1\n';
    await build(['-t', 'piped:1', '-'], { input: text });
    expect(await shown('{{json .Config.Env}}', 'piped:1')).toContain('PIPED=1');
    await build(['-t', 'piped:2', '-f', '-', folder()], { input: `${text}COPY note /n\n` });
    expect(await shown('{{len .RootFS.Layers}}', 'piped:2')).toBe('2\n');
    const whole = `tar -C ${folder()} -cz . | ${NODE} ${join(ROOT, 'dist/cli/tswarm/main.js')}`;
    const piped = await node.inside('sh', [
      '-c',
      `${whole} -H unix://${node.clusterSocket} image build -t piped:3 -`,
    ]);
    expect(piped.stdout, piped.stderr).toContain('Successfully tagged piped:3');
    expect(await refused('image', 'build', '-f', '-', '-')).toContain('both');
  });
});
