// tcompose on one node, as a person uses it: up, ps, logs, exec, scale, stop, start, restart, down; what each flag does to processes and kernel objects.
// One real tswarmd in a network namespace of its own; images from the host's static busybox.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNode, until } from '../support/test-node.ts';

let node: TestNode;

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  const init = await node.tswarm([
    'init',
    '--listen-addr',
    '127.0.0.1:23771',
    '--advertise-addr',
    '127.0.0.1',
  ]);
  expect(init.stderr).toBe('');
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function http(port: number, path = '/'): Promise<string> {
  return (await node.inside('curl', ['-s', '-m', '3', `http://127.0.0.1:${port}${path}`])).stdout;
}

const WEB = `
services:
  web:
    image: busybox:test
    stop_grace_period: 100ms
    command: ["sh", "-c", "echo started; mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"]
    ports: ["18080:80"]
`;

describe('a service with a published port', () => {
  it('goes up, answers, is listed, logs, takes commands, and leaves nothing behind', async () => {
    const cwd = node.project('web', { 'compose.yaml': WEB });
    const up = await node.tcompose(['up', '-d'], { cwd });
    expect(up.stderr).toContain('Container web-web-1  Started');
    expect(up.code).toBe(0);
    await until(async () => (await http(18080)) !== '', 5000);
    const ps = await node.tcompose(['ps'], { cwd });
    expect(ps.stdout).toMatch(/^NAME +IMAGE +COMMAND +SERVICE +CREATED +STATUS +PORTS\n/);
    expect(ps.stdout).toMatch(/web-web-1 +busybox:test .* web .* Up .*0\.0\.0\.0:18080->80\/tcp/);
    const logs = await node.tcompose(['logs'], { cwd });
    expect(logs.stdout).toContain('web-1 | started');
    const exec = await node.tcompose(
      ['exec', '-T', 'web', 'sh', '-c', 'cat /www/index.html; exit 7'],
      { cwd },
    );
    expect(exec.code).toBe(7);
    expect(exec.stdout.trim()).toBe((await http(18080)).trim());
    const again = await node.tcompose(['up', '-d'], { cwd });
    expect(again.code).toBe(0);
    const down = await node.tcompose(['down'], { cwd });
    expect(down.code).toBe(0);
    expect(await http(18080)).toBe('');
    expect(
      node.leftovers().filter((line) => /shim|netns\/|overlay|merged|^link /.test(line)),
    ).toEqual([]);
  });

  it('changes nothing when nothing has changed, and replaces only what has', async () => {
    const two = `${WEB}  other:\n    image: busybox:test\n    stop_grace_period: 100ms\n    command: sleep 1000\n`;
    const cwd = node.project('same', { 'compose.yaml': two.replace('18080', '18081') });
    await node.tcompose(['up', '-d'], { cwd });
    const ids = async () =>
      (await node.tcompose(['ps', '-q'], { cwd })).stdout.trim().split('\n').sort();
    const first = await ids();
    expect(first).toHaveLength(2);
    await node.tcompose(['up', '-d'], { cwd });
    expect(await ids()).toEqual(first);
    node.project('same', {
      'compose.yaml': two.replace('18080', '18081').replace('sleep 1000', 'sleep 2000'),
    });
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    const second = await ids();
    expect(second.filter((id) => first.includes(id))).toHaveLength(1);
    await node.tcompose(['down'], { cwd });
  });
});

describe('several services', () => {
  it('find each other by name, wait for health, share volumes and secrets', async () => {
    const cwd = node.project('app', {
      'password.txt': 'hunter2\n',
      'compose.yaml': `
services:
  web:
    image: busybox:test
    stop_grace_period: 100ms
    command: ["sh", "-c", "wget -q -O /seen http://store:8000/ && sleep 1000"]
    depends_on:
      store: {condition: service_healthy}
    networks: [back]
  store:
    image: busybox:test
    stop_grace_period: 100ms
    command: ["sh", "-c", "sleep 1; mkdir -p /data/www; echo kept >> /data/www/index.html; exec httpd -f -p 8000 -h /data/www"]
    volumes: ["data:/data"]
    networks: [back]
    secrets: [{source: password, mode: 0400}]
    healthcheck: {test: "wget -q -O - http://127.0.0.1:8000/ | grep -q kept", interval: 1s, start_interval: 100ms, start_period: 10s}
networks: {back: {internal: true}}
volumes: {data: {}}
secrets: {password: {file: ./password.txt}}
`,
    });
    const up = await node.tcompose(['up', '-d', '--wait'], { cwd });
    expect(up.stderr).toContain('Healthy');
    expect(up.code).toBe(0);
    await until(
      async () =>
        (await node.tcompose(['exec', '-T', 'web', 'cat', '/seen'], { cwd })).stdout.includes(
          'kept',
        ),
      10_000,
    );
    const secret = await node.tcompose(
      [
        'exec',
        '-T',
        'store',
        'sh',
        '-c',
        'cat /run/secrets/password; stat -c %a /run/secrets/password; mount | grep -c "/run/secrets.* tmpfs"',
      ],
      { cwd },
    );
    expect(secret.stdout).toBe('hunter2\n400\n1\n');
    await node.tcompose(['down'], { cwd });
    await node.tcompose(['up', '-d', '--wait'], { cwd });
    const kept = await node.tcompose(['exec', '-T', 'store', 'cat', '/data/www/index.html'], {
      cwd,
    });
    expect(kept.stdout).toBe('kept\nkept\n');
    const gone = await node.tcompose(['down', '-v'], { cwd });
    expect(gone.code).toBe(0);
    const volumes = await node.docker(['volume', 'ls', '-q']);
    expect(volumes.stdout).not.toContain('app_data');
  });

  it('are kept apart when they share no network', async () => {
    const cwd = node.project('apart', {
      'compose.yaml': `
services:
  a: {image: "busybox:test", stop_grace_period: 100ms, command: "httpd -f -p 80 -h /", networks: [one]}
  b: {image: "busybox:test", stop_grace_period: 100ms, command: sleep 1000, networks: [two]}
networks: {one: {}, two: {}}
`,
    });
    expect((await node.tcompose(['up', '-d'], { cwd })).code).toBe(0);
    const address = (
      await node.tcompose(['exec', '-T', 'a', 'hostname', '-i'], { cwd })
    ).stdout.trim();
    const byName = await node.tcompose(['exec', '-T', 'b', 'nslookup', 'a'], { cwd });
    expect(byName.code).not.toBe(0);
    const byAddress = await node.tcompose(
      ['exec', '-T', 'b', 'wget', '-T', '2', '-q', '-O', '-', `http://${address}/etc/passwd`],
      { cwd },
    );
    expect(byAddress.code).not.toBe(0);
    await node.tcompose(['down'], { cwd });
  });
});

describe('life of containers', () => {
  const cwdOf = (name: string, service: string) =>
    node.project(name, {
      'compose.yaml': `services:\n  job:\n    image: busybox:test\n    stop_grace_period: 100ms\n${service}`,
    });

  it('scales up and down', async () => {
    const cwd = cwdOf('scale', '    command: sleep 1000\n');
    await node.tcompose(['up', '-d', '--scale', 'job=3'], { cwd });
    const names = async () =>
      (await node.tcompose(['ps', '--format', 'json'], { cwd })).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).Name as string)
        .sort();
    expect(await names()).toEqual(['scale-job-1', 'scale-job-2', 'scale-job-3']);
    await node.tcompose(['up', '-d', '--scale', 'job=1'], { cwd });
    await until(async () => (await names()).length === 1, 15_000);
    expect(await names()).toEqual(['scale-job-1']);
    await node.tcompose(['down'], { cwd });
  });

  it('stops, starts and restarts the same container', async () => {
    const cwd = cwdOf(
      'cycle',
      '    command: ["sh", "-c", "trap \'exit 0\' TERM; echo run >> /runs; while :; do sleep 0.1; done"]\n',
    );
    await node.tcompose(['up', '-d'], { cwd });
    const id = (await node.tcompose(['ps', '-q'], { cwd })).stdout.trim();
    expect((await node.tcompose(['stop'], { cwd })).code).toBe(0);
    expect((await node.tcompose(['ps', '-q'], { cwd })).stdout.trim()).toBe('');
    expect((await node.tcompose(['start'], { cwd })).code).toBe(0);
    expect((await node.tcompose(['restart'], { cwd })).code).toBe(0);
    expect((await node.tcompose(['ps', '-q'], { cwd })).stdout.trim()).toBe(id);
    const runs = await node.tcompose(['exec', '-T', 'job', 'cat', '/runs'], { cwd });
    expect(runs.stdout).toBe('run\nrun\nrun\n');
    await node.tcompose(['down'], { cwd });
  });

  it('restarts on failure as often as told', async () => {
    const cwd = cwdOf(
      'retry',
      '    restart: on-failure:2\n    command: ["sh", "-c", "echo try; exit 3"]\n',
    );
    await node.tcompose(['up', '-d'], { cwd });
    await until(
      async () =>
        (await node.tcompose(['ps', '-a'], { cwd })).stdout.includes('Exited (3)') &&
        (await node.tcompose(['logs'], { cwd })).stdout.split('try').length === 4,
      15_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await node.tcompose(['logs'], { cwd })).stdout.match(/try/g)).toHaveLength(3);
    await node.tcompose(['down'], { cwd });
  });

  it('reports an out-of-memory kill as such', async () => {
    const cwd = cwdOf(
      'oom',
      '    mem_limit: 16m\n    command: ["sh", "-c", "sleep 0.5; tail /dev/zero"]\n',
    );
    await node.tcompose(['up', '-d'], { cwd });
    const id = async () =>
      (
        await node.docker(['ps', '-aq', '--filter', 'label=com.docker.compose.project=oom'])
      ).stdout.trim();
    await until(
      async () =>
        (await node.docker(['inspect', '-f', '{{.State.OOMKilled}}', await id()])).stdout.trim() ===
        'true',
      20_000,
    );
    expect(
      (await node.docker(['inspect', '-f', '{{.State.ExitCode}}', await id()])).stdout.trim(),
    ).toBe('137');
    await node.tcompose(['down'], { cwd });
  });

  it('applies what the file says to the process', async () => {
    const cwd = cwdOf(
      'flags',
      `    hostname: box
    user: "65534:65534"
    working_dir: /tmp
    environment: {GREETING: "hello $\${USER}"}
    read_only: true
    tmpfs: /scratch:size=1m
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
    ulimits: {nofile: {soft: 100, hard: 200}}
    sysctls: {net.ipv4.ip_unprivileged_port_start: 80}
    shm_size: 2m
    init: true
    mem_limit: 64m
    pids_limit: 50
    cpus: 0.5
    extra_hosts: ["friend=10.9.8.7"]
    labels: {a.label: "yes"}
    command: sleep 1000
`,
    );
    const up = await node.tcompose(['up', '-d'], { cwd });
    expect(up.code, up.stderr).toBe(0);
    const sh = async (script: string) =>
      (await node.tcompose(['exec', '-T', 'job', 'sh', '-c', script], { cwd })).stdout.trim();
    expect(await sh('hostname')).toBe('box');
    expect(await sh('id -u; id -g; pwd')).toBe('65534\n65534\n/tmp');
    expect(await sh('echo $GREETING')).toBe('hello ${USER}');
    expect(await sh('touch /x 2>&1; touch /scratch/x && echo ok')).toContain(
      'Read-only file system',
    );
    expect(await sh('df -k /scratch | tail -1 | tr -s " " | cut -d" " -f2')).toBe('1024');
    expect(await sh('df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2')).toBe('2048');
    expect(
      await sh('grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/1/status | tr -s "\\t " " "'),
    ).toBe('CapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2');
    expect(await sh('ulimit -n; ulimit -Hn')).toBe('100\n200');
    expect(await sh('cat /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('80');
    expect(await sh('tr "\\0" " " < /proc/1/cmdline')).toMatch(/init/);
    expect(await sh('grep friend /etc/hosts')).toContain('10.9.8.7');
    const id = (await node.tcompose(['ps', '-q'], { cwd })).stdout.trim();
    const state = JSON.parse((await node.docker(['inspect', id])).stdout)[0];
    expect(state.HostConfig).toMatchObject({
      Memory: 64 * 1024 * 1024,
      PidsLimit: 50,
      NanoCpus: 500_000_000,
    });
    expect(state.Config.Labels['a.label']).toBe('yes');
    await node.tcompose(['down'], { cwd });
  });
});
