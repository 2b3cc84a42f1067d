// The flags of tswarm on one node: init and leave by what the cluster is afterwards, lists and logs by what they show (images: flags-image.test.ts). What needs
// several nodes is tested with them (test/cluster).
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLines } from '../support/command-lines.ts';
import { flagTest } from '../support/flag-tests.ts';
import { NODE, type Result, ROOT, TestNode, until } from '../support/test-node.ts';
import { jsonLines, tswarmOn } from '../support/tswarm-on.ts';

let node: TestNode;
const { out } = tswarmOn(() => node);

const HERE = ['--advertise-addr', '127.0.0.1:23796', '--listen-addr', '127.0.0.1:23796'];

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

const tswarm = (...args: string[]): Promise<Result> => node.tswarm(args);

describe('init and leave', () => {
  const leave = async (): Promise<void> => {
    expect((await tswarm('leave', '--force')).code).toBe(0);
  };

  flagTest('tswarm init', ['--advertise-addr', '--listen-addr'], 'say where', async () => {
    await node.inside('ip', ['address', 'add', '10.77.0.1/32', 'dev', 'lo']);
    const init = await tswarm(
      'init',
      '--advertise-addr',
      '10.77.0.1:23800',
      '--listen-addr',
      '0.0.0.0:23800',
    );
    expect(init.stdout).toMatch(/tswarm join --token SWMTKN-1-\S+ 10\.77\.0\.1:23800/);
    const listeners = await node.inside('ss', ['-Hltn', 'sport', '=', '23800']);
    expect(listeners.stdout).toMatch(/(0\.0\.0\.0|\*):23800/);
    await leave();
    await tswarm('init', '--advertise-addr', '127.0.0.1', '--listen-addr', '127.0.0.1:23801');
    const narrow = await node.inside('ss', ['-Hltn', 'sport', '=', '23801']);
    expect(narrow.stdout).toContain('127.0.0.1:23801');
    expect(narrow.stdout).not.toContain('0.0.0.0:23801');
    await leave();
  });

  flagTest(
    'tswarm init',
    ['--default-addr-pool', '--default-addr-pool-mask-length'],
    'choose subnets',
    async () => {
      const pool = [
        '--default-addr-pool',
        '10.123.0.0/16',
        '--default-addr-pool-mask-length',
        '26',
      ];
      await out('init', ...HERE, ...pool);
      await node.docker(['network', 'create', '-d', 'overlay', 'pooled']);
      await node.docker([
        'service',
        'create',
        '-q',
        '--name',
        'user',
        '--network',
        'pooled',
        'busybox:test',
        'sleep',
        '1000',
      ]);
      const format = '{{(index .IPAM.Config 0).Subnet}}';
      const network = await node.docker(['network', 'inspect', '-f', format, 'pooled']);
      expect(network.stdout).toMatch(/^10\.123\.\d+\.\d+\/26\n$/);
      await leave();
    },
  );

  flagTest('tswarm init', ['--availability'], 'keeps tasks away', async () => {
    await out('init', ...HERE, '--availability', 'drain');
    expect(await out('node', 'ls', '--format', '{{.Availability}}')).toBe('Drain\n');
    await node.docker([
      'service',
      'create',
      '-q',
      '-d',
      '--name',
      'kept',
      'busybox:test',
      'sleep',
      '1000',
    ]);
    await until(async () => (await out('service', 'ps', 'kept')).includes('Pending'), 10_000);
    await leave();
    const wrong = await tswarm('init', ...HERE, '--availability', 'bla');
    expect([wrong.code, wrong.stderr]).not.toEqual([0, '']);
    expect(wrong.stderr).toContain('availability');
  });

  flagTest('tswarm leave', ['--force'], 'also ends a cluster', async () => {
    await out('init', ...HERE);
    const refused = await tswarm('leave');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/last manager/);
    expect(refused.stderr).toMatch(/--force/);
    expect((await tswarm('node', 'ls')).code).toBe(0);
    expect(await out('leave', '--force')).toBe('Node left the swarm.\n');
    expect((await tswarm('node', 'ls')).code).toBe(1);
  });
});

describe('this node', () => {
  beforeAll(async () => {
    await out('init', ...HERE);
  });

  flagTest('tswarm', ['--host'], 'chooses the daemon', async () => {
    const wrong = await tswarm('-H', 'unix:///nowhere.sock', 'info');
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('cannot reach tswarmd at unix:///nowhere.sock'),
    ]);
    expect(await out('--host', `unix://${node.socket}`, 'info')).toContain(node.dataRoot);
  });

  flagTest('tswarm info', ['--format'], 'one field, or everything', async () => {
    expect(await out('info', '--format', '{{.DockerRootDir}}')).toBe(`${node.dataRoot}\n`);
    expect(JSON.parse(await out('info', '--format', 'json')).Swarm.LocalNodeState).toBe('active');
    expect(await out('info')).toContain('Cluster: active');
  });

  flagTest('tswarm version', ['--format'], 'one field, or everything', async () => {
    const { Client, Server } = JSON.parse(await out('version', '--format', 'json'));
    expect(await out('version', '-f', '{{.Client.Version}}')).toBe(`${Client.Version}\n`);
    expect(Server.Version).toBe(Client.Version);
  });

  flagTest(
    'tswarm join-token',
    ['--quiet', '--rotate'],
    'only the token; another one',
    async () => {
      const token = await out('join-token', '--quiet', 'worker');
      expect(token).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}\n$/);
      expect(await out('join-token', 'worker')).toContain(
        `tswarm join --token ${token.trim()} 127.0.0.1:`,
      );
      expect(await out('join-token', '--rotate', '-q', 'worker')).not.toBe(token);
    },
  );

  flagTest(
    'tswarm node ls',
    ['--filter', '--format', '--quiet', '--json'],
    'choose and show',
    async () => {
      const id = (await out('node', 'ls', '--quiet')).trim();
      expect(id).toMatch(/^[0-9a-z]{25}$/);
      expect(await out('node', 'ls', '--format', '{{.ID}} {{.Status}}')).toBe(`${id} Ready\n`);
      expect(jsonLines(await out('node', 'ls', '--json'))).toMatchObject([{ ID: id, Self: true }]);
      expect(await out('node', 'ls', '-q', '--filter', 'role=manager')).toBe(`${id}\n`);
      expect(await out('node', 'ls', '-q', '-f', 'role=worker')).toBe('');
      const wrong = await tswarm('node', 'ls', '--filter', 'bogus=1');
      expect([wrong.code, wrong.stderr]).toEqual([
        1,
        expect.stringContaining("invalid filter 'bogus'"),
      ]);
    },
  );
});

describe('service', () => {
  const SCRIPT = 'echo "$X one"; echo "$X two"; exec sleep 1000';

  beforeAll(async () => {
    const create = ['service', 'create', '-q', '--restart-delay', '100ms'];
    const command = ['busybox:test', 'sh', '-c', SCRIPT];
    for (const [name, replicas] of [
      ['web', '2'],
      ['db', '1'],
    ] as const) {
      const flags = [
        '--name',
        name,
        '--replicas',
        replicas,
        '-e',
        `X=${name}`,
        '-l',
        `tier=${name}`,
      ];
      const made = await node.docker([...create, ...flags, ...command]);
      expect(made.code, made.stderr).toBe(0);
    }
  });

  flagTest(
    'tswarm service ls',
    ['--filter', '--format', '--quiet', '--json'],
    'choose and show',
    async () => {
      expect(await out('service', 'ls')).toMatch(
        /^ID +NAME +MODE +REPLICAS +IMAGE +PORTS\n.* db +replicated +1\/1 +busybox:test\n.* web +replicated +2\/2 /,
      );
      expect(await out('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe(
        'db 1/1\nweb 2/2\n',
      );
      expect(await out('service', 'ls', '-f', 'label=tier=web', '--format', '{{.Name}}')).toBe(
        'web\n',
      );
      expect(await out('service', 'ls', '-q', '--filter', 'name=db')).toMatch(/^[0-9a-z]{12}\n$/);
      expect(jsonLines(await out('service', 'ls', '--json')).map(({ Name }) => Name)).toEqual([
        'db',
        'web',
      ]);
    },
  );

  flagTest(
    'tswarm service ps',
    ['--filter', '--format', '--quiet', '--json'],
    'choose and show',
    async () => {
      expect(await out('service', 'ps', '--format', '{{.Name}} {{.DesiredState}}', 'web')).toBe(
        'web.1 Running\nweb.2 Running\n',
      );
      expect(await out('service', 'ps', '-q', '-f', 'name=web.1', 'web')).toMatch(
        /^[0-9a-z]{12}\n$/,
      );
      expect(await out('service', 'ps', '-q', '--filter', 'desired-state=shutdown', 'web')).toBe(
        '',
      );
      const rows = jsonLines(await out('service', 'ps', '--json', 'web', 'db'));
      expect(rows.map(({ Name }) => Name)).toEqual(['db.1', 'web.1', 'web.2']);
    },
  );

  flagTest('tswarm service ps', ['--no-resolve', '--no-trunc'], 'ids as they are', async () => {
    const id = (await out('node', 'ls', '-q')).trim();
    expect(await out('service', 'ps', '--format', '{{.Node}}', 'db')).not.toContain(id);
    expect(await out('service', 'ps', '--no-resolve', '--format', '{{.Node}}', 'db')).toBe(
      `${id}\n`,
    );
    expect(await out('service', 'ps', '--no-trunc', '--format', '{{.ID}}', 'db')).toMatch(
      /^[0-9a-z]{25}\n$/,
    );
    expect(await out('service', 'ps', '--format', '{{.ID}}', 'db')).toMatch(/^[0-9a-z]{12}\n$/);
  });

  flagTest('tswarm service inspect', ['--format'], 'one field, or everything', async () => {
    expect(await out('service', 'inspect', '--format', '{{.Spec.Name}}', 'web', 'db')).toBe(
      'web\ndb\n',
    );
    expect(JSON.parse(await out('service', 'inspect', 'web'))).toMatchObject([
      { Spec: { Name: 'web' } },
    ]);
  });

  flagTest(
    'tswarm service logs',
    ['--tail', '--since', '--timestamps', '--raw', '--no-task-ids'],
    'change what is shown',
    async () => {
      const logs = async (...flags: string[]): Promise<string[]> =>
        (await out('service', 'logs', ...flags)).trim().split('\n').sort();
      await until(async () => (await logs('web')).length === 4, 10_000);
      expect((await logs('db'))[0]).toMatch(/^db\.1\.[0-9a-z]{12}@\S+ +\| db one$/);
      expect(await logs('--raw', '--tail', '1', 'web')).toEqual(['web two', 'web two']);
      expect((await logs('--no-task-ids', 'db'))[0]).toMatch(/^db\.1@\S+ +\| db one$/);
      expect((await logs('--raw', '-t', 'db'))[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z db one$/);
      expect(await logs('--since', '1h', 'web')).toHaveLength(4);
      expect(await logs('--since', '2100-01-01', 'web')).toEqual(['']);
    },
  );

  flagTest(
    'tswarm service logs',
    ['--details', '--raw', '--no-resolve', '--no-trunc'],
    'change what is in front, of a service and of one task',
    async () => {
      const logOptions = ['--log-opt', 'labels=tier', '--log-opt', 'env=COLOR'];
      const labels = ['--container-label', 'tier=back', '-e', 'COLOR=dark blue'];
      const what = ['busybox:test', 'sh', '-c', 'echo said; sleep 1000'];
      const id = await out(
        'service',
        'create',
        '-d',
        '--name',
        'noted',
        ...logOptions,
        ...labels,
        ...what,
      );
      const logs = (...flags: string[]): Promise<string> => out('service', 'logs', ...flags);
      await until(async () => (await logs('noted')) !== '', 10_000);
      expect(await logs('--details', '--raw', 'noted')).toBe('COLOR=dark blue,tier=back said\n');
      const taskId = (await out('service', 'ps', '-q', '--no-trunc', 'noted')).trim();
      const nodeId = (await out('node', 'ls', '-q')).trim();
      expect(await logs('--no-resolve', '--no-trunc', '--details', taskId)).toBe(
        `${id.trim()}.1.${taskId}@${nodeId}    | COLOR=dark blue,tier=back said\n`,
      );
      expect((await tswarm('service', 'logs', 'nosuch')).stderr).toContain(
        'no such task or service: nosuch',
      );
      await out('service', 'rm', 'noted');
    },
  );

  flagTest('tswarm service logs', ['--follow'], 'goes on with new lines', async () => {
    const args = ['service', 'logs', '--follow', '--raw', 'db'];
    commandLines.push(['tswarm', ...args]);
    const env = { ...process.env, TSWARM_HOST: `unix://${node.clusterSocket}` };
    const child = spawn(NODE, [join(ROOT, 'dist/cli/tswarm/main.js'), ...args], { env });
    let text = '';
    child.stdout.on('data', (data) => {
      text += String(data);
    });
    const ended = new Promise((resolve) => child.once('close', resolve));
    try {
      await until(
        () => text === 'db one\ndb two\n',
        10_000,
        () => text,
      );
      const id = (await node.docker(['ps', '-q', '--filter', 'name=db.1'])).stdout.trim();
      await node.docker(['kill', id]);
      await until(
        () => text === 'db one\ndb two\ndb one\ndb two\n',
        15_000,
        () => text,
      );
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  });

  flagTest('tswarm service scale', ['--detach'], 'does not wait', async () => {
    const scaled = await out('service', 'scale', 'web=3');
    expect(scaled).toContain('web scaled to 3');
    expect(await out('service', 'ls', '-f', 'name=web', '--format', '{{.Replicas}}')).toBe('3/3\n');
    // A constraint that no node meets: waiting for the tasks would never end.
    await node.docker([
      'service',
      'update',
      '-d',
      '-q',
      '--constraint-add',
      'node.labels.no==where',
      'db',
    ]);
    expect((await tswarm('service', 'scale', '--detach', 'db=2')).code).toBe(0);
    const wrong = await tswarm('service', 'scale', 'web');
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('SERVICE=NUMBER')]);
  });

  it('rm removes, and says what is not there', async () => {
    const removed = await tswarm('service', 'rm', 'web', 'nope', 'db');
    expect(removed.stdout).toBe('web\ndb\n');
    expect([removed.code, removed.stderr]).toEqual([1, expect.stringContaining('nope')]);
    expect(await out('service', 'ls', '-q')).toBe('');
  });
});

describe('events', () => {
  flagTest(
    'tswarm events',
    ['--filter', '--format', '--since', '--until', '--json'],
    'what was',
    async () => {
      await out('volume', 'create', 'seen');
      const past = ['--since', '5m', '--until', `${Math.ceil(Date.now() / 1000)}`];
      const only = ['--filter', 'volume=seen'];
      expect(await out('events', ...past, ...only)).toMatch(/^\S+Z volume create seen /);
      expect(await out('events', ...past, ...only, '--format', '{{.Action}}')).toBe('create\n');
      expect(jsonLines(await out('events', ...past, ...only, '--json'))).toMatchObject([
        { Type: 'volume' },
      ]);
      // What a prune took away is an event of its own.
      expect(await out('volume', 'prune', '--all', '--force')).toContain('seen\n');
      const later = ['--since', '5m', '--until', `${Math.ceil(Date.now() / 1000)}`];
      const pruned = ['--filter', 'event=prune', '--format', '{{.Type}} {{json .Actor}}'];
      expect(await out('events', ...later, ...pruned)).toMatch(
        /^volume \{"ID":"","Attributes":\{"reclaimed":"\d+"\}\}\n$/,
      );
      expect((await tswarm('events', '--since', 'soon')).stderr).toContain('--since');
    },
  );
});
