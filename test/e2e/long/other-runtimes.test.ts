// Our worker with another OCI runtime (`tswarmd --runtime`): what it does with containers works with runc and crun too, as far as these are installed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode, until } from '../../support/test-node.ts';

const find = (name: string): string | undefined =>
  ['/usr/bin', '/usr/sbin'].map((folder) => join(folder, name)).find((path) => existsSync(path));
const RUNTIMES = ['runc', 'crun'].map((name) => [name, find(name)] as const);

/** crun 1.8 refuses a v2 tree beside the groups of v1: each of its runs gets a view without. */
function withoutHybrid(node: TestNode, path: string): string {
  if (!existsSync('/sys/fs/cgroup/unified/cgroup.procs')) return path;
  const wrapper = join(node.folder, 'runtime');
  const script = 'umount /sys/fs/cgroup/unified; exec "$0" "$@"';
  writeFileSync(
    wrapper,
    `#!/bin/sh\nexec unshare --mount --propagation slave sh -c '${script}' ${path} "$@"\n`,
  );
  chmodSync(wrapper, 0o755);
  return wrapper;
}

describe.each(RUNTIMES)('%s', (name, path) => {
  describe.runIf(path !== undefined)(path ?? 'is not installed', () => {
    let node: TestNode;
    const docker = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await node.docker(args);
      expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({
        args,
        code: 0,
        stderr: '',
      });
      return stdout.trim();
    };

    beforeAll(async () => {
      node = new TestNode();
      const runtime = path ?? '';
      await node.start(['--runtime', name === 'crun' ? withoutHybrid(node, runtime) : runtime]);
      await node.importBusybox();
    });
    afterAll(() => node[Symbol.asyncDispose]());

    it('runs, and tells output and exit status', async () => {
      const ran = await node.docker([
        'run',
        '--rm',
        'busybox:test',
        'sh',
        '-c',
        'echo out; exit 7',
      ]);
      expect([ran.code, ran.stdout]).toEqual([7, 'out\n']);
      expect((await node.docker(['run', '--rm', 'busybox:test', 'nothere'])).code).toBe(127);
    });

    it('starts, executes, pauses, stops and removes a container, with limits', async () => {
      const limits = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '50'];
      const script = 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done';
      await docker('run', '-d', '--name', 'one', ...limits, 'busybox:test', 'sh', '-c', script);
      await until(async () => (await docker('logs', 'one')).includes('up'), 20_000);
      expect(
        await docker('exec', '-u', 'nobody', '-w', '/etc', 'one', 'sh', '-c', 'id -u; pwd'),
      ).toBe('65534\n/etc');
      expect((await node.docker(['exec', 'one', 'sh', '-c', 'exit 5'])).code).toBe(5);
      const pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'one'));
      expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain('tswarm-');
      await docker('pause', 'one');
      expect(await docker('inspect', '-f', '{{.State.Status}}', 'one')).toBe('paused');
      await docker('unpause', 'one');
      expect(await docker('top', 'one')).toContain('sleep 0.1');
      await docker('stop', 'one');
      expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'one')).toBe('3');
      await docker('start', 'one');
      await docker('rm', '-f', 'one');
    });

    it('adopts its containers after the daemon was killed', async () => {
      await docker('run', '-d', '--name', 'stays', 'busybox:test', 'sleep', '1000');
      const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'stays');
      await node.stop('SIGKILL');
      await node.start([
        '--runtime',
        name === 'crun' ? withoutHybrid(node, path ?? '') : (path ?? ''),
      ]);
      expect(await docker('inspect', '-f', '{{.State.Pid}} {{.State.Status}}', 'stays')).toBe(
        `${pid} running`,
      );
      expect(await docker('exec', 'stays', 'echo', 'hi')).toBe('hi');
      await docker('rm', '-f', 'stays');
      const root = join(node.runRoot, 'runtime');
      const left = spawnSync('find', [root, '-name', 'state.json'], { encoding: 'utf8' }).stdout;
      expect(left).toBe('');
    });
  });
});
