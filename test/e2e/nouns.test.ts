// The nouns of tswarm that are docker's: container, secret, config, volume, stack, system. Each flag by what it changes, each command with something that it
// refuses. Longer than 500 lines because one real node, which takes seconds to start, serves all of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flagTest } from '../support/flag-tests.ts';
import { type Result, TestNode, until } from '../support/test-node.ts';
import { tswarmOn } from '../support/tswarm-on.ts';

let node: TestNode;
const { out, refused } = tswarmOn(() => node);

beforeAll(async () => {
  node = new TestNode();
  await node.start();
  await node.importBusybox();
  await out('init', '--advertise-addr', '127.0.0.1:23886', '--listen-addr', '127.0.0.1:23886');
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function docker(...args: string[]): Promise<Result> {
  const result = await node.docker(args);
  expect(result.code, `${args.join(' ')}: ${result.stderr}`).toBe(0);
  return result;
}

const file = (name: string, text: string): string => {
  const path = join(node.folder, name);
  writeFileSync(path, text);
  return path;
};

describe('secret', () => {
  flagTest(
    'tswarm secret create',
    ['--label', '--template-driver', '--driver'],
    'say how',
    async () => {
      const path = file('s1', 'hush');
      expect(await out('secret', 'create', '--label', 'a=b', 's1', path)).toMatch(/^\w{25}\n$/);
      const made = await node.tswarm(
        ['secret', 'create', '--template-driver', 'golang', 's2', '-'],
        {
          input: '{{.Node.Hostname}}',
        },
      );
      expect(made.code, made.stderr).toBe(0);
      expect(await out('secret', 'inspect', 's2')).toContain('"golang"');
      expect(await refused('secret', 'create', '--driver', 'vault', 's3')).toContain('driver');
      expect(await refused('secret', 'create', 's1', path)).toContain('s1');
      expect(await refused('secret', 'create', 's4', '/nowhere')).toContain('/nowhere');
    },
  );

  flagTest(
    'tswarm secret ls',
    ['--filter', '--format', '--quiet', '--json'],
    'as a list',
    async () => {
      expect(await out('secret', 'ls')).toMatch(/^ID +NAME +DRIVER +CREATED +UPDATED\n/);
      expect(await out('secret', 'ls', '--filter', 'label=a', '--format', '{{.Name}}')).toBe(
        's1\n',
      );
      expect((await out('secret', 'ls', '--quiet')).trim().split('\n')).toHaveLength(2);
      const [row = ''] = (await out('secret', 'ls', '--json')).split('\n');
      expect(JSON.parse(row)).toMatchObject({ Name: 's1', Labels: 'a=b' });
    },
  );

  flagTest('tswarm secret inspect', ['--format', '--pretty'], 'without data', async () => {
    expect(await out('secret', 'inspect', '--format', '{{.Spec.Name}}', 's1')).toBe('s1\n');
    const pretty = await out('secret', 'inspect', '--pretty', 's1');
    expect(pretty).toMatch(/Name:\t+s1\nLabels:\n - a=b\n/);
    expect(await out('secret', 'inspect', 's1')).not.toContain('aHVzaA');
    expect(await refused('secret', 'inspect', 'none')).toContain('none');
  });

  it('rm', async () => {
    expect(await out('secret', 'rm', 's1', 's2')).toBe('s1\ns2\n');
    expect(await refused('secret', 'rm', 's1')).toContain('s1');
  });
});

describe('config', () => {
  flagTest('tswarm config create', ['--label', '--template-driver'], 'say how', async () => {
    await out('config', 'create', '--label', 'a=b', 'c1', file('c1', 'text'));
    await out('config', 'create', '--template-driver', 'golang', 'c2', file('c2', 'x'));
    expect(await out('config', 'inspect', 'c2')).toContain('"golang"');
    expect(await refused('config', 'create', 'c3')).toContain('a file, or -');
  });

  flagTest(
    'tswarm config ls',
    ['--filter', '--format', '--quiet', '--json'],
    'as a list',
    async () => {
      expect(await out('config', 'ls')).toMatch(/^ID +NAME +CREATED +UPDATED\n/);
      expect(await out('config', 'ls', '--filter', 'name=c1', '--format', '{{.Name}}')).toBe(
        'c1\n',
      );
      expect((await out('config', 'ls', '--quiet')).trim().split('\n')).toHaveLength(2);
      expect((await out('config', 'ls', '--json')).split('\n')[1]).toContain('"c2"');
    },
  );

  flagTest('tswarm config inspect', ['--format', '--pretty'], 'with data', async () => {
    expect(await out('config', 'inspect', '--format', '{{.Spec.Data}}', 'c1')).toBe('dGV4dA==\n');
    expect(await out('config', 'inspect', '--pretty', 'c1')).toMatch(/Data:\ntext\n/);
    expect(await out('config', 'rm', 'c1', 'c2')).toBe('c1\nc2\n');
    expect(await refused('config', 'rm', 'c1')).toContain('c1');
  });
});

describe('volume', () => {
  flagTest('tswarm volume create', ['--driver', '--opt', '--label'], 'say how', async () => {
    expect(await out('volume', 'create', '--driver', 'local', '--label', 'a=b', 'v1')).toBe('v1\n');
    const tmpfs = ['--opt', 'type=tmpfs', '--opt', 'device=tmpfs', 'v2'];
    await out('volume', 'create', ...tmpfs);
    expect(await out('volume', 'inspect', 'v2')).toContain('"tmpfs"');
    expect(await refused('volume', 'create', '--driver', 'nfs', 'v3')).toContain('nfs');
  });

  flagTest(
    'tswarm volume ls',
    ['--filter', '--format', '--quiet', '--json'],
    'as a list',
    async () => {
      expect(await out('volume', 'ls')).toBe('DRIVER   VOLUME NAME\nlocal    v1\nlocal    v2\n');
      expect(await out('volume', 'ls', '--quiet', '--filter', 'label=a=b')).toBe('v1\n');
      expect(await out('volume', 'ls', '--format', '{{.Name}}')).toBe('v1\nv2\n');
      expect((await out('volume', 'ls', '--json')).split('\n')[0]).toContain('"Mountpoint"');
    },
  );

  flagTest('tswarm volume inspect', ['--format'], 'as a template', async () => {
    expect(await out('volume', 'inspect', '--format', '{{.Name}}', 'v1')).toBe('v1\n');
    expect(await refused('volume', 'inspect', 'none')).toContain('none');
  });

  flagTest('tswarm volume rm', ['--force'], 'of what is not there', async () => {
    expect(await refused('volume', 'rm', 'none')).toContain('none');
    expect(await out('volume', 'rm', '--force', 'v2', 'none')).toBe('v2\nnone\n');
  });

  flagTest(
    'tswarm volume prune',
    ['--all', '--filter', '--force'],
    'what nothing uses',
    async () => {
      await out('volume', 'create', '--label', 'keep=1', 'v4');
      expect(await out('volume', 'prune', '--force')).toBe('Total reclaimed space: 0B\n');
      const gone = await out('volume', 'prune', '--all', '--force', '--filter', 'label!=keep');
      expect(gone).toContain('Deleted Volumes:\nv1\n');
      const asked = await node.tswarm(['volume', 'prune', '--all'], { input: 'n\n' });
      expect(asked.stdout).toContain('Are you sure');
      expect(await out('volume', 'ls', '-q')).toBe('v4\n');
    },
  );
});

describe('container', () => {
  beforeAll(async () => {
    await docker(
      'run',
      '-d',
      '--name',
      'one',
      '-l',
      'a=b',
      'busybox:test',
      'sh',
      '-c',
      'echo out; echo err >&2; sleep 1000',
    );
    await docker('run', '--name', 'two', 'busybox:test', 'sh', '-c', 'exit 3').catch(() => {});
  });

  flagTest(
    'tswarm container ls',
    [
      '--all',
      '--filter',
      '--format',
      '--last',
      '--latest',
      '--no-trunc',
      '--quiet',
      '--size',
      '--json',
    ],
    'as a list',
    async () => {
      expect(await out('container', 'ls')).toMatch(
        /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES/,
      );
      const names = ['--format', '{{.Names}}'];
      expect(await out('container', 'ls', ...names)).toBe('one\n');
      expect(await out('container', 'ls', '--all', ...names)).toBe('two\none\n');
      expect(await out('container', 'ls', '--filter', 'label=a', ...names)).toBe('one\n');
      expect(await out('container', 'ls', '--latest', ...names)).toBe('two\n');
      expect(await out('container', 'ls', '--last', '2', ...names)).toBe('two\none\n');
      expect(await out('container', 'ls', '--no-trunc', '--quiet')).toMatch(/^\w{64}\n$/);
      expect(await out('container', 'ls', '--size')).toMatch(/\(virtual /);
      expect(JSON.parse(await out('container', 'ls', '--json'))).toMatchObject({
        Names: 'one',
        State: 'running',
      });
      expect(await refused('container', 'ls', '--last', 'x')).toContain('whole number');
    },
  );

  flagTest('tswarm container inspect', ['--format', '--size'], 'everything', async () => {
    const shown = await out('container', 'inspect', '--format', '{{.State.ExitCode}}', 'two');
    expect(shown).toBe('3\n');
    expect(await out('container', 'inspect', '--size', 'one')).toContain('"SizeRootFs"');
    expect(await refused('container', 'inspect', 'none')).toContain('No such container: none');
  });

  flagTest(
    'tswarm container logs',
    ['--follow', '--tail', '--since', '--until', '--timestamps', '--details'],
    'by stream and time',
    async () => {
      await until(
        async () => (await node.tswarm(['container', 'logs', 'one'])).stderr !== '',
        20_000,
        () => '',
      );
      const both = await node.tswarm(['container', 'logs', 'one']);
      expect([both.stdout, both.stderr]).toEqual(['out\n', 'err\n']);
      expect(await out('container', 'logs', '--tail', '0', 'one')).toBe('');
      expect(await out('container', 'logs', '--until', '2020-01-01T00:00:00Z', 'one')).toBe('');
      expect(await out('container', 'logs', '--since', '1h', '--timestamps', 'one')).toMatch(
        /^\d{4}-\S+Z out\n/,
      );
      expect(await out('container', 'logs', '--details', 'one')).toContain('out\n');
      expect(await out('container', 'logs', '--follow', 'two')).toBe('');
      expect(await refused('container', 'logs', '--tail', 'x', 'one')).toContain('--tail');
    },
  );

  flagTest(
    'tswarm container exec',
    ['--detach', '--env', '--interactive', '--tty', '--user', '--workdir', '--privileged'],
    'by what the program sees',
    async () => {
      const run = ['container', 'exec'];
      expect(await out(...run, '--env', 'A=b', 'one', 'sh', '-c', 'echo $A')).toBe('b\n');
      expect(await out(...run, '--user', '65534', 'one', 'id', '-u')).toBe('65534\n');
      expect(await out(...run, '--workdir', '/bin', 'one', 'pwd')).toBe('/bin\n');
      const caps = ['one', 'grep', 'CapEff', '/proc/self/status'];
      expect(await out(...run, '--privileged', ...caps)).not.toBe(await out(...run, ...caps));
      const typed = await node.tswarm([...run, '--interactive', 'one', 'cat'], { input: 'hello' });
      expect(typed.stdout).toBe('hello');
      expect(await out(...run, '--detach', 'one', 'touch', '/made')).toBe('');
      await until(
        async () => (await node.tswarm([...run, 'one', 'ls', '/made'])).code === 0,
        20_000,
        () => '',
      );
      expect(await refused(...run, '--tty', 'one', 'sh')).toContain('not a TTY');
      expect((await node.tswarm([...run, 'one', 'sh', '-c', 'exit 7'])).code).toBe(7);
    },
  );

  flagTest(
    'tswarm container stats',
    ['--all', '--format', '--no-stream', '--no-trunc'],
    'one picture',
    async () => {
      const names = ['--no-stream', '--format', '{{.Name}}'];
      expect(await out('container', 'stats', ...names)).toBe('one\n');
      expect(
        (await out('container', 'stats', '--all', ...names)).trim().split('\n').sort(),
      ).toEqual(['one', 'two']);
      expect(await out('container', 'stats', '--no-stream', '--no-trunc', 'one')).toMatch(
        /\n\w{64} /,
      );
      expect(await refused('container', 'stats', '--no-stream', 'none')).toContain(
        'No such container',
      );
    },
  );

  it('top, port, diff, rename, pause', async () => {
    expect(await out('container', 'top', 'one')).toMatch(/sleep 1000/);
    expect(await out('container', 'diff', 'one')).toContain('A /made\n');
    expect(await out('container', 'port', 'one')).toBe('');
    expect(await refused('container', 'port', 'one', '80')).toContain("no public port '80/tcp'");
    await out('container', 'rename', 'two', 'second');
    expect(await refused('container', 'rename', 'second', 'one')).toContain('one');
    expect(await out('container', 'pause', 'one')).toBe('one\n');
    expect(await refused('container', 'pause', 'one')).toContain('already paused');
    expect(await out('container', 'unpause', 'one')).toBe('one\n');
  });

  flagTest(
    'tswarm container restart',
    ['--time', '--timeout', '--signal'],
    'how it ends',
    async () => {
      expect(await out('container', 'restart', '--timeout', '0', 'one')).toBe('one\n');
      expect(await refused('container', 'restart', '--timeout', 'soon', 'one')).toContain(
        '--timeout',
      );
      expect(await out('container', 'restart', '--time', '0', '--signal', 'KILL', 'one')).toBe(
        'one\n',
      );
      expect(await refused('container', 'restart', '--time', 'soon', 'one')).toContain('--time');
    },
  );

  flagTest(
    'tswarm container stop',
    ['--time', '--timeout', '--signal'],
    'how it ends',
    async () => {
      expect(await refused('container', 'stop', '--timeout', 'soon', 'one')).toContain('--timeout');
      expect(await out('container', 'stop', '--time', '5', '--signal', 'KILL', 'one')).toBe(
        'one\n',
      );
      expect(await out('container', 'wait', 'one')).toBe('137\n');
      expect(await out('container', 'start', 'one')).toBe('one\n');
      expect(await refused('container', 'stop', 'none')).toContain('none');
    },
  );

  flagTest('tswarm container kill', ['--signal'], 'with which', async () => {
    expect(await out('container', 'kill', '--signal', 'USR2', 'one')).toBe('one\n');
    expect(await refused('container', 'kill', '--signal', 'NONE', 'one')).toContain('NONE');
    expect(await refused('container', 'kill', 'second')).toContain('is not running');
  });

  flagTest('tswarm container rm', ['--force', '--volumes'], 'with what', async () => {
    expect(await refused('container', 'rm', 'one')).toContain('cannot remove a running container');
    expect(await out('container', 'rm', '--force', '--volumes', 'one')).toBe('one\n');
  });

  flagTest('tswarm container prune', ['--force', '--filter'], 'what does not run', async () => {
    expect(await out('container', 'prune', '--force', '--filter', 'label=none')).toMatch(/^Total/);
    expect(await out('container', 'prune', '--force')).toMatch(/^Deleted Containers:\n\w{64}\n/);
    const asked = await node.tswarm(['container', 'prune'], { input: 'no\n' });
    expect([asked.code, asked.stdout.includes('Are you sure')]).toEqual([1, true]);
  });
});

describe('stack', () => {
  const TWO =
    'services: {a: {image: "busybox:test", command: sleep 1000}, b: {image: "busybox:test", command: sleep 1000}}\n';
  const ONE = 'services: {a: {image: "busybox:test", command: sleep 1000}}\n';

  flagTest(
    'tswarm stack deploy',
    ['--compose-file', '--prune', '--detach', '--no-detach', '--quiet'],
    'as the file says',
    async () => {
      await out(
        'stack',
        'deploy',
        '--no-detach',
        '--quiet',
        '--compose-file',
        file('two.yaml', TWO),
        'shop',
      );
      expect(await out('stack', 'services', 'shop', '--format', '{{.Name}} {{.Replicas}}')).toBe(
        'shop_a 1/1\nshop_b 1/1\n',
      );
      const one = ['--compose-file', file('one.yaml', ONE), 'shop'];
      await out('stack', 'deploy', '--detach', ...one);
      expect(await out('stack', 'ls', '--format', '{{.Services}}')).toBe('2\n');
      await out('stack', 'deploy', '--prune', ...one);
      await until(
        async () => (await out('stack', 'ls', '--format', '{{.Services}}')) === '1\n',
        20_000,
        () => '',
      );
      expect(await refused('stack', 'deploy', '-c', '/nowhere.yaml', 'shop')).toContain(
        'nowhere.yaml',
      );
    },
  );

  flagTest(
    'tswarm stack config',
    ['--compose-file', '--skip-interpolation'],
    'as it is read',
    async () => {
      const path = file('vars.yaml', 'services: {a: {image: "busybox:${TAG:-test}"}}\n');
      expect(await out('stack', 'config', '--compose-file', path)).toContain('image: busybox:test');
      const raw = await out('stack', 'config', '--skip-interpolation', '--compose-file', path);
      expect(raw).toContain('${TAG:-test}');
    },
  );

  flagTest('tswarm stack ls', ['--format', '--json'], 'ours and those of docker', async () => {
    const made = await node.docker([
      'stack',
      'deploy',
      '-c',
      file('docker.yaml', `version: "3.8"\n${ONE}`),
      'theirs',
    ]);
    expect(made.code, made.stderr).toBe(0);
    expect(await out('stack', 'ls')).toMatch(/^NAME +SERVICES\nshop +1\ntheirs +1\n$/);
    expect(await out('stack', 'ls', '--format', '{{.Name}}')).toBe('shop\ntheirs\n');
    expect((await out('stack', 'ls', '--json')).split('\n')[0]).toContain('"shop"');
  });

  flagTest(
    'tswarm stack ps',
    ['--filter', '--format', '--json', '--no-resolve', '--no-trunc', '--quiet'],
    'its tasks',
    async () => {
      const filter = ['--filter', 'desired-state=running'];
      expect(JSON.parse(await out('stack', 'ps', ...filter, '--json', 'shop'))).toMatchObject({
        Name: 'shop_a.1',
      });
      expect(await out('stack', 'ps', ...filter, '--format', '{{.Name}}', 'shop')).toBe(
        'shop_a.1\n',
      );
      expect(await out('stack', 'ps', ...filter, '--quiet', '--no-trunc', 'shop')).toMatch(
        /^\w{25}\n$/,
      );
      const id = (await out('node', 'ls', '-q')).trim();
      expect(
        await out('stack', 'ps', ...filter, '--no-resolve', '--format', '{{.Node}}', 'shop'),
      ).toBe(`${id}\n`);
      expect(await refused('stack', 'ps', 'none')).toContain('nothing found in stack: none');
    },
  );

  flagTest(
    'tswarm stack services',
    ['--filter', '--format', '--json', '--quiet'],
    'its services',
    async () => {
      expect(JSON.parse(await out('stack', 'services', '--json', 'shop'))).toMatchObject({
        Name: 'shop_a',
      });
      expect(await out('stack', 'services', '--filter', 'name=shop_b', '--quiet', 'shop')).toBe('');
      expect(await out('stack', 'services', '--format', '{{.Name}}', 'shop')).toBe('shop_a\n');
      expect(await refused('stack', 'services', 'none')).toContain('nothing found in stack');
    },
  );

  flagTest(
    'tswarm stack rollback',
    ['--list', '--to', '--dry-run', '--detach', '--no-detach', '--quiet'],
    'all services at once, to what they were until a moment',
    async () => {
      const command = async (name: string): Promise<unknown> => {
        const [service] = JSON.parse(await out('service', 'inspect', name));
        return service.Spec.TaskTemplate.ContainerSpec.Args;
      };
      const deploy = (seconds: number): Promise<string> => {
        const command = `command: sleep ${seconds}, stop_grace_period: 0s`;
        const deploy = 'deploy: { update_config: { monitor: 100ms } }';
        const service = `{ image: "busybox:test", ${command}, ${deploy} }`;
        const text = `services:\n  a: ${service}\n  b: ${service}\n`;
        return out('stack', 'deploy', '-q', '-c', file('back.yaml', text), 'back');
      };
      await deploy(1001);
      expect(await refused('stack', 'rollback', 'back')).toContain('has no earlier version');
      await deploy(1002);
      await deploy(1003);
      const rows = (await out('stack', 'rollback', '--list', 'back')).trimEnd().split('\n');
      expect(rows[0]).toMatch(/^VERSION +REPLACED +SERVICES$/);
      expect(rows.slice(1).map((row) => row.replace(/^.* ago +/, ''))).toEqual([
        'back_a, back_b',
        'back_a, back_b',
      ]);
      const first = rows[2]?.split(' ')[0] ?? '';
      const dry = await out('stack', 'rollback', '--dry-run', '--to', first, 'back');
      expect(dry).toContain('~ service back_a\n    command: [sleep, 1003] -> [sleep, 1001]\n');
      expect(await command('back_a')).toEqual(['sleep', '1003']);
      await out('stack', 'rollback', '--detach', 'back');
      expect([await command('back_a'), await command('back_b')]).toEqual([
        ['sleep', '1002'],
        ['sleep', '1002'],
      ]);
      expect(await out('stack', 'rollback', '--no-detach', '--quiet', '--to', first, 'back')).toBe(
        'Updating service back_a\nUpdating service back_b\n',
      );
      expect(await command('back_b')).toEqual(['sleep', '1001']);
      expect(await refused('stack', 'rollback', '--to', 'yesterday', 'back')).toContain(
        'Kept are:',
      );
      expect(await refused('stack', 'rollback', 'none')).toContain('stack none not found');
      await out('stack', 'rm', '--no-detach', 'back');
    },
  );

  flagTest('tswarm stack rm', ['--detach', '--no-detach'], 'and wait, or not', async () => {
    expect(await out('stack', 'rm', '--no-detach', 'shop')).toContain('Removing service shop_a\n');
    expect(
      await out('container', 'ls', '-a', '--filter', 'label=com.docker.compose.project=shop', '-q'),
    ).toBe('');
    expect(await out('stack', 'rm', '--detach', 'theirs')).toContain('Removing service theirs_a\n');
    expect(await refused('stack', 'rm', 'none')).toContain('nothing found in stack: none');
  });
});

describe('system', () => {
  flagTest(
    'tswarm system events',
    ['--filter', '--format', '--since', '--until', '--json'],
    'what was',
    async () => {
      await out('volume', 'create', 'seen');
      const past = ['--since', '5m', '--until', `${Math.ceil(Date.now() / 1000)}`];
      const only = ['--filter', 'type=volume', '--filter', 'volume=seen'];
      expect(await out('system', 'events', ...past, ...only)).toMatch(
        /^\S+Z volume create seen \(driver=local\)\n$/,
      );
      expect(await out('system', 'events', ...past, ...only, '--format', '{{.Action}}')).toBe(
        'create\n',
      );
      expect(JSON.parse(await out('system', 'events', ...past, ...only, '--json'))).toMatchObject({
        Type: 'volume',
      });
      expect(await refused('system', 'events', '--since', 'soon')).toContain('--since');
      expect(await refused('system', 'events', ...past, '--filter', 'contianer=a')).toContain(
        "invalid filter 'contianer'",
      );
    },
  );

  flagTest('tswarm system info', ['--format'], 'as a template', async () => {
    expect(await out('system', 'info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('active\n');
  });

  flagTest(
    'tswarm system prune',
    ['--all', '--volumes', '--filter', '--force'],
    'what goes',
    async () => {
      await docker('run', '--name', 'done', '-v', '/data', 'busybox:test', 'true');
      const asked = await node.tswarm(['system', 'prune'], { input: '\n' });
      expect([asked.code, asked.stdout.includes('- all dangling images')]).toEqual([1, true]);
      await out('system', 'prune', '--force', '--filter', 'label=none');
      expect(await out('container', 'ls', '-a', '--format', '{{.Names}}')).toContain('done');
      // Containers of the stack that was removed have ten seconds to end.
      const left = ['container', 'ls', '-a', '--format', '{{.Names}}'];
      let names = '';
      await until(
        async () => {
          names = await out(...left);
          return names === 'done\n';
        },
        30_000,
        () => `still there: ${names}`,
      );
      const gone = await out('system', 'prune', '--all', '--volumes', '--force');
      expect(gone).toMatch(/Deleted Containers:\n\w{64}\n[\s\S]*Total reclaimed space: \d/);
      expect(await out('image', 'ls', '-q')).toBe('');
    },
  );

  it('suggests what was meant', async () => {
    expect(await refused('contaner', 'ls')).toContain('Did you mean container?');
    expect(await refused('volume', 'crate', 'x')).toContain('Did you mean create?');
    expect(await refused('volume', 'ls', '--quite')).toContain('Did you mean --quiet?');
  });
});
