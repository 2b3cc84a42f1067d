// What people expect of docker compose beyond a first `up`: who is replaced and who is not, what waiting means, one replica of several, and a host that is
// as it was before once the node has left. Seen through containers' ids and start times, exit codes, and the kernel's own lists.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode, until } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23793', '--advertise-addr', '127.0.0.1']);
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const SERVICE = 'image: "busybox:test", stop_grace_period: 100ms';

interface Seen {
  readonly Name: string;
  readonly Id: string;
  readonly State: { readonly Status: string; readonly StartedAt: string };
}

/** Waits until a page has a body: a container that has started need not listen yet. */
async function answers(url: string): Promise<void> {
  let error = '';
  await until(
    async () => {
      const page = await node.inside('curl', ['-sS', '-m', '3', url]);
      error = page.stderr;
      return page.code === 0 && page.stdout !== '';
    },
    20_000,
    () => `${url} did not answer: ${error}`,
  );
}

/** The project's containers by name. */
async function containers(project: string): Promise<Map<string, Seen>> {
  const filter = `label=com.docker.compose.project=${project}`;
  const ids = (await node.docker(['ps', '-aq', '--filter', filter])).stdout.trim();
  if (ids === '') return new Map();
  const all = JSON.parse((await node.docker(['inspect', ...ids.split('\n')])).stdout) as Seen[];
  return new Map(all.map((one) => [one.Name.slice(1), one]));
}

const out = async (cwd: string, ...args: string[]): Promise<string> =>
  (await node.tcompose(args, { cwd })).stdout;

describe('who is replaced', () => {
  it('up --force-recreate web leaves what web depends on alone', async () => {
    const cwd = node.project('force', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, depends_on: [db]}, db: {${SERVICE}, command: sleep 1000}}`,
    });
    await node.tcompose(['up', '-d'], { cwd });
    const before = await containers('force');
    expect((await node.tcompose(['up', '-d', '--force-recreate', 'web'], { cwd })).code).toBe(0);
    const after = await containers('force');
    expect(after.get('force-db-1')?.Id).toBe(before.get('force-db-1')?.Id);
    expect(after.get('force-web-1')?.Id).not.toBe(before.get('force-web-1')?.Id);
    await node.tcompose(['down'], { cwd });
  });

  it.each([['up -d'], ['start']])(
    '%s starts the replica that was stopped and leaves the other alone',
    async (verb) => {
      const cwd = node.project('replicas', {
        'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, scale: 2}}`,
      });
      await node.tcompose(['up', '-d'], { cwd });
      const before = await containers('replicas');
      await node.docker(['stop', 'replicas-web-2']);
      const again = await node.tcompose(verb.split(' '), { cwd });
      expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('replicas-web-2')]);
      const after = await containers('replicas');
      expect(after.get('replicas-web-1')).toEqual(before.get('replicas-web-1'));
      expect(after.get('replicas-web-2')?.Id).toBe(before.get('replicas-web-2')?.Id);
      expect(after.get('replicas-web-2')?.State.Status).toBe('running');
      expect((await node.tcompose(['restart'], { cwd })).code).toBe(0);
      const restarted = await containers('replicas');
      for (const [name, { State }] of restarted)
        expect(State.StartedAt).not.toBe(after.get(name)?.State.StartedAt);
      await node.tcompose(['down'], { cwd });
    },
  );

  it('start runs again what has done its work, up does not', async () => {
    const cwd = node.project('work', {
      'compose.yaml': `services: {job: {${SERVICE}, command: echo done}}`,
    });
    const started = async (): Promise<string | undefined> =>
      (await containers('work')).get('work-job-1')?.State.StartedAt;
    await node.tcompose(['up', '-d'], { cwd });
    await until(
      async () => (await node.tcompose(['ps', '-a'], { cwd })).stdout.includes('Exited (0)'),
      10_000,
    );
    const first = await started();
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    expect(await started()).toBe(first);
    expect((await node.tcompose(['start'], { cwd })).code).toBe(0);
    expect(await started()).not.toBe(first);
    await node.tcompose(['down'], { cwd });
  });
});

describe('a container that was stopped and started', () => {
  it('is the same one, also where Swarm’s policy would replace it', async () => {
    const cwd = node.project('kept', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, deploy: {restart_policy: {condition: any}}}}`,
    });
    await node.tcompose(['up', '-d'], { cwd });
    const id = (await containers('kept')).get('kept-web-1')?.Id;
    expect((await node.tcompose(['stop'], { cwd })).code).toBe(0);
    expect([...(await containers('kept')).values()].map((one) => one.Id)).toEqual([id]);
    const started = await node.tcompose(['start'], { cwd });
    expect(started, started.stderr).toMatchObject({ code: 0 });
    expect((await containers('kept')).get('kept-web-1')).toMatchObject({
      Id: id,
      State: { Status: 'running' },
    });
    await node.tcompose(['down'], { cwd });
  });

  it('still shows its published ports', async () => {
    const cwd = node.project('ports', {
      'compose.yaml': `services: {web: {${SERVICE}, command: "httpd -f -p 80", ports: ["18960:80"]}}`,
    });
    await node.tcompose(['up', '-d'], { cwd });
    for (const verbs of [['stop', 'start'], ['restart']]) {
      for (const verb of verbs) expect((await node.tcompose([verb], { cwd })).code).toBe(0);
      const port = await node.tcompose(['port', 'web', '80'], { cwd });
      expect(port.stdout).toBe('0.0.0.0:18960\n');
      await answers('http://127.0.0.1:18960/bin/true');
    }
    await node.tcompose(['down'], { cwd });
  });
});

describe('a project by its name alone', () => {
  it('is looked at, commanded and removed from anywhere, without its files', async () => {
    const cwd = node.project('far', {
      'compose.yaml': `services: {web: {${SERVICE}, command: "httpd -f -p 80", volumes: ["data:/data"]}}\nvolumes: {data: {}}`,
    });
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    const away = node.project('empty', { note: 'no compose file' });
    const named = (...args: readonly string[]) =>
      node.tcompose(['-p', 'far', ...args], { cwd: away });
    expect((await named('ps', '--services')).stdout).toBe('web\n');
    expect((await named('exec', '-T', 'web', 'echo', 'here')).stdout).toBe('here\n');
    expect((await named('volumes', '-q', 'web')).stdout).toBe('far_data\n');
    expect((await named('restart', 'web')).code).toBe(0);
    expect((await named('logs', 'nobody')).stderr).toContain('no such service: nobody');
    // What makes something needs the files.
    expect((await named('up', '-d')).stderr).toContain('no configuration file provided');
    expect((await named('down', '-v')).stderr).toContain('Container far-web-1  Removed');
    expect((await named('ps', '-aq')).stdout).toBe('');
    expect((await named('down')).stderr).toContain('No resource found to remove');
    const wrong = await node.tcompose(['-p', 'Far Away', 'down'], { cwd: away });
    expect([wrong.stderr, wrong.code]).toEqual([
      expect.stringContaining('invalid project name "Far Away"'),
      1,
    ]);
  });
});

describe('up --wait', () => {
  it.each([
    ['restart', 'restart: always'],
    ['restart_policy', 'deploy: {restart_policy: {condition: any, delay: 1s}}'],
    ['no', 'restart: "no"'],
  ])('fails for a container that ends (%s) and has no health check', async (name, policy) => {
    const cwd = node.project(`loop-${name}`, {
      'compose.yaml': `services: {bad: {${SERVICE}, ${policy}, command: [sh, -c, "sleep 0.7; exit 3"]}}`,
    });
    const up = await node.tcompose(['up', '--wait', '--wait-timeout', '60'], { cwd });
    expect(up.stderr).toMatch(/Error: Container \S+: .*\(3\)/);
    expect(up.code).toBe(1);
    expect(up.ms).toBeLessThan(20_000);
    await node.tcompose(['down'], { cwd });
  });

  it('is content with what runs, has done its work, or ran before', async () => {
    const cwd = node.project('fine', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000}, job: {${SERVICE}, command: "true"}}`,
    });
    const first = await node.tcompose(['up', '--wait'], { cwd });
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('Started')]);
    const second = await node.tcompose(['up', '--wait'], { cwd });
    expect(second.code).toBe(0);
    expect(second.ms).toBeLessThan(first.ms);
    await node.tcompose(['down'], { cwd });
  });
});

describe('docker shows', () => {
  it('one message for a start that failed, and its exit code', async () => {
    for (const flags of [[], ['--rm']]) {
      const result = await node.docker(['run', ...flags, 'busybox:test', 'nothing-here']);
      expect(result.code).toBe(127);
      expect(result.stderr.match(/executable file not found/g)).toHaveLength(1);
      expect(result.stderr).not.toContain('Error waiting for container');
    }
    await node.docker(['create', '--name', 'bad', 'busybox:test', 'nothing-here']);
    expect((await node.docker(['start', 'bad'])).code).toBe(1);
    expect(await node.docker(['wait', 'bad'])).toMatchObject({ stdout: '127\n', stderr: '' });
    await node.docker(['rm', 'bad']);
  });

  it('a command as it was written, in one line', async () => {
    const script = 'echo "a"\nsleep 1000';
    await node.docker(['run', '-d', '--name', 'quoted', 'busybox:test', 'sh', '-c', script]);
    const list = await node.docker([
      'ps',
      '--no-trunc',
      '--filter',
      'name=quoted',
      '--format',
      '{{.Command}}',
    ]);
    expect(list.stdout).toBe(`${JSON.stringify(`sh -c '${script}'`)}\n`);
    await node.docker(['rm', '-f', 'quoted']);
    const cwd = node.project('quoted', {
      'compose.yaml': `services: {web: {${SERVICE}, command: [sleep, "1000"]}, sh: {${SERVICE}, command: [sh, -c, "sleep 1000; true"]}}`,
    });
    await node.tcompose(['up', '-d'], { cwd });
    const ps = await node.tcompose(['ps', '--format', '{{.Service}} {{.Command}}'], { cwd });
    expect(ps.stdout).toBe('sh "sh -c \'sleep 1000; …"\nweb "sleep 1000"\n');
    await node.tcompose(['down'], { cwd });
  });
});

describe('a registry that does not answer', () => {
  it('is given up in less than 10 s, in one sentence', async () => {
    // Packets to it go into the loopback device, where nobody takes them.
    await node.inside('ip', ['route', 'add', '10.9.9.1', 'dev', 'lo']);
    const pull = await node.tswarm(['image', 'pull', '10.9.9.1:5000/some/image']);
    expect(pull.code).toBe(1);
    expect(pull.ms).toBeLessThan(10_000);
    expect(pull.stderr.trim().split('\n')).toHaveLength(1);
    expect(pull.stderr).toMatch(/^Error: .*10\.9\.9\.1:5000.* i\/o timeout$/m);
    const name = await node.tswarm(['image', 'pull', 'nowhere.invalid/some/image']);
    expect(name.stderr).toMatch(/^Error: .*lookup nowhere\.invalid: no such host\n$/);
    expect([name.code, name.ms < 10_000]).toEqual([1, true]);
  });
});

describe('tswarm leave', () => {
  /** What the node has in the kernel beside its daemon's own helpers. */
  function traces(): string[] {
    const tag = readFileSync(join(node.dataRoot, 'node-tag'), 'utf8').trim();
    const mounts = existsSync('/sys/fs/cgroup') ? readdirSync('/sys/fs/cgroup') : [];
    const groups = ['', ...mounts]
      .map((mount) => join('/sys/fs/cgroup', mount, `tswarm-${tag}`))
      .filter((path) => existsSync(path));
    return [...node.leftovers(), ...groups];
  }

  async function tables(): Promise<string> {
    return (await node.inside('nft', ['list', 'tables'])).stdout;
  }

  it('leaves no process, table, control group, mount or interface; the next container brings them back', async () => {
    const cwd = node.project('gone', {
      'compose.yaml': `services: {web: {${SERVICE}, command: "httpd -f -p 80", ports: ["18970:80"], secrets: [s]}}\nsecrets: {s: {file: ./s}}`,
      s: 'secret',
    });
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    expect(await tables()).toContain('tswarm_');
    expect((await node.tswarm(['leave', '--force'])).code).toBe(0);
    expect([traces(), await tables()]).toEqual([[], '']);
    await node.stop();
    await node.start();
    expect([traces(), await tables()]).toEqual([[], '']);

    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    await answers('http://127.0.0.1:18970/bin/true');
    const lookup = await node.tcompose(['exec', '-T', 'web', 'nslookup', 'web'], { cwd });
    expect(lookup.stdout).toContain('Address');
    expect(lookup.code).toBe(0);
    expect((await node.tswarm(['leave', '--force'])).code).toBe(0);
    expect([traces(), await tables()]).toEqual([[], '']);
  });

  it('leaves containers of docker run alone, with their network', async () => {
    await node.tswarm([
      'init',
      '--advertise-addr',
      '127.0.0.1:23793',
      '--listen-addr',
      '127.0.0.1:23793',
    ]);
    await node.docker(['network', 'create', 'mine']);
    await node.docker([
      'run',
      '-d',
      '--name',
      'own',
      '--network',
      'mine',
      'busybox:test',
      'sleep',
      '1000',
    ]);
    expect((await node.tswarm(['leave', '--force'])).code).toBe(0);
    expect((await node.docker(['exec', 'own', 'nslookup', 'own'])).code).toBe(0);
    expect(await tables()).toContain('tswarm_');
    await node.docker(['rm', '-f', 'own']);
    await node.docker(['network', 'rm', 'mine']);
  });
});

describe('hooks', () => {
  it('run before, after the start and before the stop, each to its end', async () => {
    const mounts = 'volumes: ["log:/log"]';
    const cwd = node.project('hooked', {
      'compose.yaml': `
services:
  web:
    ${SERVICE.replace(', ', '\n    ').replace('100ms', '5s')}
    ${mounts}
    command: ["sh", "-c", "trap 'echo end >> /log/all; exit' TERM; echo main >> /log/all; while :; do sleep 0.1; done"]
    pre_start:
      - {command: [sh, -c, "sleep 0.2; echo first >> /log/all"]}
      - {command: [sh, -c, "echo second >> /log/all"]}
    post_start:
      - {command: [sh, -c, "until grep -q main /log/all; do sleep 0.05; done; echo after-$$A-$$(id -u) >> /log/all"], user: "7", environment: {A: "1"}}
    pre_stop:
      - {command: [sh, -c, "echo before-end >> /log/all"]}
  look:
    ${SERVICE.replace(', ', '\n    ')}
    command: sleep 1000
    user: "0"
    volumes_from: [web]
volumes: {log: {}}
`.replace('first >> /log/all', 'first >> /log/all; chmod 666 /log/all'),
    });
    const up = await node.tcompose(['up', '-d'], { cwd });
    expect(up).toMatchObject({ code: 0 });
    const all = async (): Promise<readonly string[]> =>
      (await out(cwd, 'exec', '-T', 'look', 'cat', '/log/all')).trim().split('\n');
    expect(await all()).toEqual(['first', 'second', 'main', 'after-1-7']);
    // Nothing has changed: no hook runs again.
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    expect(await all()).toHaveLength(4);
    await node.tcompose(['stop', 'web'], { cwd });
    expect((await all()).slice(4)).toEqual(['before-end', 'end']);
    await node.tcompose(['down', '-v', '-t', '0'], { cwd });
  });

  it('of each replica run before its first start, and for each new one', async () => {
    const file = `
services:
  web:
    ${SERVICE.replace(', ', '\n    ')}
    volumes: ["log:/log"]
    scale: 2
    command: ["sh", "-c", "echo main-$$(hostname) >> /log/all; exec sleep 1000"]
    pre_start:
      - {command: [sh, -c, "echo once > /log/all; chmod 666 /log/all"]}
      - {command: [sh, -c, "echo each-$$A >> /log/all"], per_replica: true, environment: {A: "1"}, user: "7"}
volumes: {log: {}}
`;
    const cwd = node.project('each', { 'compose.yaml': file });
    expect(await node.tcompose(['up', '-d'], { cwd })).toMatchObject({ code: 0 });
    const all = async (): Promise<readonly string[]> =>
      (await out(cwd, 'exec', '-T', 'web', 'cat', '/log/all'))
        .trim()
        .split('\n')
        .map((line) => line.replace(/main-.*/, 'main'));
    const first = await all();
    expect(first.slice(0, 2)).toEqual(['once', 'each-1']);
    expect([...first].sort()).toEqual(['each-1', 'each-1', 'main', 'main', 'once']);
    // The same containers again: no hook. A further one: its own.
    expect((await node.tcompose(['restart', 'web'], { cwd })).code).toBe(0);
    expect((await all()).filter((line) => line === 'each-1')).toHaveLength(2);
    expect((await node.tcompose(['up', '-d', '--scale', 'web=3'], { cwd })).code).toBe(0);
    expect((await all()).filter((line) => line === 'each-1')).toHaveLength(3);
    expect(
      (await node.docker(['ps', '-aq', '--filter', 'name=each-web-[0-9]+-pre_start'])).stdout,
    ).toBe('');
    await node.tcompose(['down', '-v', '-t', '0'], { cwd });
  });

  it('that fail are the reason why the service does not start', async () => {
    const failing = (hooks: string): string =>
      node.project('hookless', {
        'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, ${hooks}}}`,
      });
    const post = failing('post_start: [{command: [sh, -c, "echo no luck; exit 3"]}]');
    const failed = await node.tcompose(['up', '-d'], { cwd: post });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain(
      'post_start hook 1 (sh -c echo no luck; exit 3) exited with status 3: no luck',
    );
    expect((await node.docker(['ps', '-q', '--filter', 'name=hookless'])).stdout).toBe('');
    await node.tcompose(['down'], { cwd: post });
    const pre = failing('pre_start: [{command: [sh, -c, "exit 4"]}]');
    const kept = await node.tcompose(['up', '-d'], { cwd: pre });
    expect(kept.code).toBe(1);
    expect(kept.stderr).toContain('pre_start-1');
    await node.tcompose(['down'], { cwd: pre });
    const hook = '{command: [sh, -c, "echo bad luck; exit 5"], per_replica: true}';
    const each = failing(`pre_start: [${hook}]`);
    const refused = await node.tcompose(['up', '-d'], { cwd: each });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'pre_start hook 1 (sh -c echo bad luck; exit 5) exited with status 5: bad luck',
    );
    await node.tcompose(['down'], { cwd: each });
  });

  it('that never end do not hold up what is not wanted any more', async () => {
    const cwd = node.project('hanging', {
      'compose.yaml': `services: {web: {${SERVICE}, command: sleep 1000, post_start: [{command: [sleep, "1000"]}], pre_stop: [{command: [sleep, "1000"]}]}, slow: {${SERVICE}, command: sleep 1000, pre_start: [{command: [sleep, "1000"], per_replica: true}]}}`,
    });
    await node.tcompose(['up', '-d'], { cwd, interruptAfterMs: 3000 });
    const down = await node.tcompose(['down'], { cwd, timeoutMs: 30_000 });
    expect(down.code).toBe(0);
    expect(await containers('hanging')).toEqual(new Map());
  });
});

describe('forms of keys', () => {
  it('what one container has of another, of an image, of a profile, of a range', async () => {
    const cwd = node.project('forms', {
      'sec.json':
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}',
      'compose.yaml': `
services:
  owner: {${SERVICE}, command: [sh, -c, "echo word > /dev/shm/x; echo data > /data/f; exec sleep 1000"], volumes: [/data]}
  guest: {${SERVICE}, command: sleep 1000, ipc: "service:owner", volumes_from: ["owner:ro"]}
  other:
    ${SERVICE.replace(', ', '\n    ')}
    command: sleep 1000
    scale: 2
    ports: ["23810-23815:80", {target: 81, published: "23820-23829", mode: host}]
    external_links: ["forms-owner-1:pal"]
    security_opt: [seccomp=sec.json]
    logging: {driver: local, options: {tag: "{{.Name}}"}}
    volumes: [{type: image, source: "busybox:test", target: /tools, image: {subpath: bin}}]
    networks: {default: {interface_name: wan, link_local_ips: [169.254.9.9]}}
`,
    });
    const up = await node.tcompose(['up', '-d'], { cwd });
    expect(up, up.stderr).toMatchObject({ code: 0 });
    const guest = 'until cat /data/f; do sleep 0.1; done; cat /dev/shm/x; touch /data/g || echo ro';
    expect(await out(cwd, 'exec', '-T', 'guest', 'sh', '-c', guest)).toBe('data\nword\nro\n');
    const other =
      'ls /tools/sh; mkdir /tmp/x 2>/dev/null || echo no; ip -o addr show wan | grep -c 169.254.9.9; ping -c 1 -w 9 pal >/dev/null && echo found';
    expect(await out(cwd, 'exec', '-T', 'other', 'sh', '-c', other)).toBe(
      '/tools/sh\nno\n1\nfound\n',
    );
    const port = (target: string, index: string): Promise<string> =>
      out(cwd, 'port', 'other', target, '--index', index);
    expect(await port('80', '1')).toBe('0.0.0.0:23810\n');
    const own = [await port('81', '1'), await port('81', '2')].sort();
    expect(own).toEqual(['0.0.0.0:23820\n', '0.0.0.0:23821\n']);
    await node.tcompose(['down', '-t', '0'], { cwd });
  });
});
